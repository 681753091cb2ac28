"""A pytest plugin: each test is captured as a graph of ttnn, and fails if `freeorder audit` finds something.

Copy this file to where Python finds it, or say where it is with PYTHONPATH, and

    pytest -p pytest_freeorder --freeorder

captures every test; without --freeorder, those that use the fixture `freeorder_graph`, whose value is the
file that the graph will be written to. A capture begins when the fixtures of a test are there and ends
before they go. The marker `freeorder(run_mode=..., leaks=..., ignore=[...])` says otherwise than the
options for one test. What is found is explained in freeorder's docs/audit.md. The program `freeorder` is
found on PATH, or where the variable FREEORDER says.
"""
import contextlib
import gc
import hashlib
import importlib.util
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import types

import pytest

RUN_MODES = ("normal", "no_dispatch")
SHOWN = 20
# Ids of tests whose names of files no other id has.
PLAIN = re.compile(r"[\w=+./]+\.py(::\w+)+(\[[\w.=+]+\])?")
FOLDER = pytest.StashKey[pathlib.Path]()


def pytest_addoption(parser):
    group = parser.getgroup("freeorder", "captures of ttnn, audited by freeorder")
    group.addoption("--freeorder", action="store_true", help="capture and audit every test")
    group.addoption(
        "--freeorder-run-mode", choices=RUN_MODES, default="normal",
        help="the mode of the captures; with no_dispatch nothing reaches a device (default: normal)",
    )
    group.addoption(
        "--freeorder-dir", metavar="DIR",
        help="where all captures are kept (default: those with findings, in a new temporary folder)",
    )
    group.addoption(
        "--freeorder-leaks", action="store_true",
        help="a buffer that is live when the test has ended is a finding, too",
    )
    group.addoption(
        "--freeorder-ignore", metavar="KIND", action="append", default=[],
        help="findings of this kind do not count, such as cb-unpaired; can be repeated",
    )


def pytest_configure(config):
    line = "freeorder(run_mode, leaks, ignore): how the test's graph is captured and audited"
    config.addinivalue_line("markers", line)
    if config.getoption("freeorder") and not config.option.collectonly:
        program()  # a missing program is told once, and not by every test
        if importlib.util.find_spec("ttnn") is None:
            raise pytest.UsageError("--freeorder: there is no ttnn in this Python")


def program():
    """The path of `freeorder`."""
    asked = os.environ.get("FREEORDER")
    found = shutil.which(asked or "freeorder")
    if found is None:
        where = f"FREEORDER={asked}" if asked else "PATH, and FREEORDER is not set"
        raise pytest.UsageError(f"pytest_freeorder: there is no program freeorder: {where}")
    return found


@pytest.fixture
def freeorder_graph(request):
    """The file that the graph of this test is written to, when the test has ended."""
    return file_of(request.node)


def file_of(item):
    config = item.config
    if FOLDER not in config.stash:
        asked = config.getoption("freeorder_dir")
        folder = pathlib.Path(asked or tempfile.mkdtemp(prefix="freeorder-")).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        config.stash[FOLDER] = folder
    name = re.sub(r"[^\w.=+-]+", "-", item.nodeid)
    # Names of files have an end, and other tests can come to the same one, also in other processes.
    if len(name) > 120 or not PLAIN.fullmatch(item.nodeid):
        name = name[:100] + "-" + hashlib.sha256(item.nodeid.encode()).hexdigest()[:16]
    return config.stash[FOLDER] / (name + ".graph.json")


class Settings:
    """What the options say, and then the marker of the test."""

    def __init__(self, item):
        option = item.config.getoption
        marker = item.get_closest_marker("freeorder")
        said = marker.kwargs if marker else {}
        unknown = set(said) - {"run_mode", "leaks", "ignore"}
        if unknown or (marker and marker.args):
            what = ", ".join(sorted(unknown)) or "a value without a name"
            pytest.fail(f"the marker freeorder knows run_mode, leaks and ignore, not {what}", pytrace=False)
        self.run_mode = said.get("run_mode", option("freeorder_run_mode"))
        if self.run_mode not in RUN_MODES:
            pytest.fail(f"run_mode is one of {', '.join(RUN_MODES)}, not {self.run_mode}", pytrace=False)
        self.leaks = said.get("leaks", option("freeorder_leaks"))
        ignore = said.get("ignore", ())
        self.ignore = {*option("freeorder_ignore"), *([ignore] if isinstance(ignore, str) else ignore)}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item):
    is_asked = item.config.getoption("freeorder")
    if not is_asked and "freeorder_graph" not in getattr(item, "fixturenames", ()):
        return (yield)
    settings = Settings(item)
    path = file_of(item)
    with Capture(settings.run_mode) as capture:
        result = yield  # a test that fails by itself is not audited: its traceback keeps its tensors
        # What is only in reference cycles is no leak.
        gc.collect()
    path.write_text(json.dumps(capture.nodes))
    found = findings(path, settings)
    if found:
        pytest.fail("\n".join(told(found, path)), pytrace=False)
    if not item.config.getoption("freeorder_dir"):
        path.unlink()
    return result


def pytest_unconfigure(config):
    if FOLDER in config.stash and not config.getoption("freeorder_dir"):
        with contextlib.suppress(OSError):  # what is in it was found
            config.stash[FOLDER].rmdir()


class Capture:
    """A graph capture, which ends whatever happens; it does not end one that is not its own."""

    def __init__(self, run_mode):
        try:
            import ttnn
        except ImportError as error:
            pytest.fail(f"freeorder_graph needs ttnn: {error}", pytrace=False)
        self.graph, self.nodes = ttnn.graph, []
        self.mode = getattr(ttnn.graph.RunMode, run_mode.upper())
        self.stub = None

    def __enter__(self):
        if self.graph.is_graph_capture_active():
            pytest.fail("a graph capture is active before the test begins", pytrace=False)
        if "torch" not in sys.modules and importlib.util.find_spec("torch") is None:
            # ttnn asks for it while a capture is active.
            self.stub = sys.modules["torch"] = types.ModuleType("torch")
            self.stub.Tensor = type("Tensor", (), {})
        self.graph.begin_graph_capture(self.mode)
        return self

    def __exit__(self, kind, error, traceback):
        # ttnn dies of an end without a beginning.
        is_active = self.graph.is_graph_capture_active()
        ended = None
        # If the test was the first to open a device, ttnn takes its counter of memory for the last
        # capture, and ends that first: nothing is returned, and the capture goes on.
        while ended is None and self.graph.is_graph_capture_active():
            ended = self.graph.end_graph_capture()
        self.nodes = ended or []
        if self.stub is not None and sys.modules.get("torch") is self.stub:
            del sys.modules["torch"]
        if not is_active and error is None:
            pytest.fail("the test ended the graph capture that it runs in", pytrace=False)
        if self.graph.is_graph_capture_active():
            while self.graph.is_graph_capture_active():
                self.graph.end_graph_capture()
            if error is None:
                pytest.fail("the test began a graph capture and did not end it", pytrace=False)


def findings(path, settings):
    """What the audit of a graph finds, without what is to be ignored."""
    audit = [program(), "audit", "--kind", "graph", "--format", "json", "--show", "1000", str(path)]
    ran = subprocess.run(audit, capture_output=True, text=True)
    if ran.returncode not in (0, 1):
        why = ran.stderr.strip() or f"it ended with {ran.returncode}"
        pytest.fail(f"freeorder audit failed on {path}: {why}", pytrace=False)
    report = json.loads(ran.stdout)
    leaks = [note for note in report["notes"] if settings.leaks and note["kind"] == "live-at-end"]
    found = report["violations"] + leaks
    return [finding for finding in found if finding["kind"] not in settings.ignore]


def told(found, path):
    count = f"{len(found)} finding" + ("s" if len(found) > 1 else "")
    yield f"freeorder audit: {count} in {path}"
    for finding in found[:SHOWN]:
        facts = [f"{name} {finding[name]}" for name in ("device", "address", "size", "memory") if name in finding]
        facts += [f"in {finding['path']}"] if "path" in finding else []
        yield f"  {finding['at']} {finding['place']}: {finding['kind']}: {finding['what']}: {', '.join(facts)}"
    if len(found) > SHOWN:
        yield f"  and {len(found) - SHOWN} more"
    yield f"See it again: freeorder audit {path}"
