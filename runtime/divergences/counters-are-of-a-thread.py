# oracle: not-counted
# b0, 2048 a chip, is in no counter
#
# Seen with ttnn 0.81.1 on a mock cluster: no hardware is needed. Set
#   TT_METAL_MOCK_CLUSTER_DESC_PATH  to the cluster descriptor of a T3K
#   TT_METAL_SLOW_DISPATCH_MODE=1
# `freeorder setup-runtime DIR` makes an environment with all that: DIR/run.sh T3K THIS_FILE
# Each step prints the call, what it raised, and what can be seen after it.
import gc
import sys
import types
import ttnn

if "torch" not in sys.modules:  # captures import it
    torch = sys.modules["torch"] = types.ModuleType("torch")
    torch.Tensor = type("Tensor", (), {})


def blocks(mesh):
    found = {}
    for kind in (ttnn.BufferType.DRAM, ttnn.BufferType.L1, ttnn.BufferType.L1_SMALL):
        table = ttnn.get_memory_view(mesh, kind).block_table
        taken = [(int(b["address"]), int(b["size"])) for b in table if b["allocated"] == "yes"]
        if taken:
            found[kind.name] = taken
    return found


def step(call):
    print(">>>", call, flush=True)
    try:
        exec(call, globals())
    except Exception as error:
        print("   raises", str(error).split("info:\n")[-1].split("\nbacktrace")[0].strip())
    if "end_graph_capture" in call:
        nodes = graph and [n for n in graph if "buffer_" in n["node_type"]]
        facts = ("device_id", "address")
        shown = nodes and [(n["node_type"], *map(n["params"].get, facts)) for n in nodes]
        print("   ", shown, flush=True)
    for name, value in sorted(globals().items()):
        if isinstance(value, ttnn.Tensor):
            allocated = value.is_allocated()
            print("  ", name, "at", value.buffer_address() if allocated else "no address")
        elif isinstance(value, ttnn.MeshDevice):
            try:
                print("  ", name, "id", value.id(), "blocks", blocks(value), flush=True)
                reported = [b.address for b in ttnn._ttnn.reports.get_buffers(value)]
                print("     get_buffers", sorted(reported), flush=True)
            except Exception:
                print("  ", name, "is closed", flush=True)


def sharded(kind, cut, columns, shards, height, width):
    whole, rest = divmod(shards, columns)
    ranges = set()
    if whole:
        ranges.add(ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(columns - 1, whole - 1)))
    if rest:
        ranges.add(ttnn.CoreRange(ttnn.CoreCoord(0, whole), ttnn.CoreCoord(rest - 1, whole)))
    rows = ttnn.ShardOrientation.ROW_MAJOR
    spec = ttnn.ShardSpec(ttnn.CoreRangeSet(ranges), [height, width], rows)
    return ttnn.MemoryConfig(getattr(ttnn.TensorMemoryLayout, cut), kind, spec)


cycles = []

import glob
import struct

quiet = step


def counted():  # DRAM, L1, L1_SMALL, TRACE and CB of each chip that anybody ever opened
    found = {}
    for path in glob.glob("/dev/shm/tt_device_*_memory"):
        with open(path, "rb") as file:
            region = file.read()

        def five(at):
            return struct.unpack_from("<5Q", region, at)

        def sums(first, size, count, unused):
            slots = [first + size * slot for slot in range(count)]
            used = [at for at in slots if struct.unpack_from("<I", region, at) != (unused,)]
            return [sum(column) for column in zip([0] * 5, *(five(at + 8) for at in used))]

        found[path, "in all"] = five(48)
        found[path, "by chip"] = sums(88, 48, 16, 2**32 - 1)
        found[path, "by process"] = sums(856, 120, 64, 0)
        found[path, "attached"] = struct.unpack_from("<I", region, 16)
    return found


def step(call):
    before = counted()
    quiet(call)
    for key, now in counted().items():
        change = [to - of for to, of in zip(now, before.get(key, [0] * 5))]
        if any(change):
            print("   counted", *key, change, flush=True)


from concurrent.futures import ThreadPoolExecutor

threads = {}


def on(name, call):  # a thread of its own makes the call while this one waits
    if name not in threads:
        threads[name] = ThreadPoolExecutor(1)
    threads[name].submit(exec, call, globals()).result()


step("m0 = ttnn.open_mesh_device(ttnn.MeshShape(1, 1), l1_small_size=0, offset=ttnn.MeshCoordinate(0, 0))")
step("on(\"t1\", \"b0 = ttnn.allocate_tensor_on_device(ttnn.Shape([32, 32]), ttnn.bfloat16, ttnn.TILE_LAYOUT, m0, ttnn.DRAM_MEMORY_CONFIG)\")")
