"""Tests of the real runtime that do what their names say; .ci/exports knows which must fail, and of what."""
import pytest
import ttnn

kept = []


@pytest.fixture(scope="module")
def mesh():
    mesh = ttnn.open_mesh_device(ttnn.MeshShape(1, 1))
    yield mesh
    kept.clear()
    ttnn.close_mesh_device(mesh)


def tensor(mesh):
    shape, layout = ttnn.Shape([32, 64]), ttnn.TILE_LAYOUT
    return ttnn.allocate_tensor_on_device(shape, ttnn.bfloat16, layout, mesh, ttnn.DRAM_MEMORY_CONFIG)


def test_passes(mesh):
    first = tensor(mesh)
    second = ttnn.add(first, first)
    ttnn.deallocate(first)
    assert second.is_allocated()


@pytest.mark.freeorder(run_mode="no_dispatch")
def test_passes_no_dispatch(mesh):
    assert tensor(mesh).buffer_address() == 0


def test_fails_overlap(mesh):
    # The bulk free gives the address to the next one, and the first one frees it again.
    first = tensor(mesh)
    ttnn.device.DeallocateBuffers(mesh)
    second = tensor(mesh)
    ttnn.deallocate(first)
    ttnn.deallocate(second)


@pytest.mark.freeorder(leaks=True)
def test_fails_leaks(mesh):
    kept.append(tensor(mesh))
