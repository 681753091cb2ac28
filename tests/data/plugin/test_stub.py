"""Tests that do what their names say; tests/plugin.rs knows which of them must fail, and of what."""
import sys

import pytest
import ttnn

kept = []


def test_frees_what_it_makes(freeorder_graph):
    ttnn.Tensor()
    assert ttnn.graph.is_graph_capture_active() and ttnn.graph.mode == "normal"


def test_two_live_at_one_address(freeorder_graph):
    first = ttnn.Tensor()
    second = ttnn.Tensor(first.address)
    del first, second


def test_leaks(freeorder_graph):
    kept.append(ttnn.Tensor())


def test_opens_the_first_device(freeorder_graph):
    ttnn.open_mesh_device()
    ttnn.Tensor()


@pytest.mark.freeorder(leaks=True)
def test_opens_the_first_device_and_leaks(freeorder_graph):
    ttnn.open_mesh_device()
    kept.append(ttnn.Tensor())


@pytest.mark.freeorder(leaks=True)
def test_leaks_and_must_not(freeorder_graph):
    kept.append(ttnn.Tensor())


@pytest.mark.freeorder(leaks=True)
def test_leaves_a_cycle(freeorder_graph):
    ring = [ttnn.Tensor()]
    ring.append(ring)


@pytest.mark.freeorder(ignore=["overlap", "stale-free"])
def test_is_allowed_to_overlap(freeorder_graph):
    first = ttnn.Tensor()
    second = ttnn.Tensor(first.address)
    del first, second


@pytest.mark.parametrize("long", ["x" * 300])
def test_has_a_long_name(freeorder_graph, long):
    ttnn.Tensor()


@pytest.mark.parametrize("name", ["a/b", "a-b", "a:b", "a_b"])
def test_has_a_file_of_its_own(freeorder_graph, name):
    ttnn.Tensor()
    assert not freeorder_graph.exists()


@pytest.mark.freeorder(run_mode="no_dispatch")
def test_says_its_mode(freeorder_graph):
    assert ttnn.graph.mode == "no_dispatch"


@pytest.mark.freeorder(leeks=True)
def test_has_a_marker_with_a_typo(freeorder_graph):
    pass


def test_is_not_captured():
    assert not ttnn.graph.is_graph_capture_active()


def test_fails_by_itself(freeorder_graph):
    first, second = ttnn.Tensor(), None
    second = ttnn.Tensor(first.address)
    assert first is second


def test_ends_the_capture(freeorder_graph):
    ttnn.graph.end_graph_capture()


def test_begins_another_capture(freeorder_graph):
    ttnn.graph.begin_graph_capture(ttnn.graph.RunMode.NORMAL)


def test_comes_after_a_capture_that_was_left_open(freeorder_graph):
    assert "torch" in sys.modules


def test_leaves_no_stub_behind():
    assert "torch" not in sys.modules
