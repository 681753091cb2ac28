"""Drives ttnn for `freeorder conform --runtime`.

One JSON request a line on standard input, one JSON answer a line on standard output. A request is
{"op": NAME, ...}; its answer is {"ok": true, ...} or {"ok": false, "error": TEXT}, and after every
request but `hello` also what can be observed then:
  "buffers": {"b0": [allocated, address or null], ..}    every name that holds a tensor
  "on":      {"b0": id, ..}                              the meshes of those that are allocated, if they are there
  "meshes":  {"m0": {"id", "chips", "cache", "tables": {"dram": [[address, size], ..], ..},
                     "buffers": [[address, kind, device id, layout, bytes per bank], ..]}
                    or {"closed": TEXT}, ..}
  "pid":     the process
The end of a capture answers with "nodes": [[type, number, numbers of nodes that it leads to, facts], ..].
Addresses in tables are relative to the region's base, and only allocated blocks are in them.
{"op": "on", "thread": NAME, "request": {..}} makes the call on a thread of that name, which lives as long as
the process; the answer comes when it has returned.
{"op": "both", "first": {"op": "on", ..}, "second": {"op": "on", ..}} makes two calls on two threads at a time; the
answer is the second's, with the first's in "first".
`fork` makes a child that ends at once; its answer has "child": {"code", "signal", "trace"}.
`reset` lets everything go and closes every mesh; the process then serves the next program.
A process that dies by a signal first writes a C++ backtrace to the file named by FREEORDER_TRACE, behind a line
"# looking at NAME" if the call has returned and that name was looked at.
"""
import ctypes
import gc
import json
import os
import platform
import queue
import signal
import sys
import threading
import time
import types

# The runtime logs to standard output too: answers get a descriptor of their own.
answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
import ttnn  # noqa: E402

# Some decorators import torch while a capture is active.
if "torch" not in sys.modules:
    torch = types.ModuleType("torch")
    torch.Tensor = type("Tensor", (), {})
    sys.modules["torch"] = torch

KINDS = {"dram": ttnn.BufferType.DRAM, "l1": ttnn.BufferType.L1, "l1_small": ttnn.BufferType.L1_SMALL}
LAYOUTS = {"tile": ttnn.TILE_LAYOUT, "row_major": ttnn.ROW_MAJOR_LAYOUT}
MODES = {"normal": ttnn.graph.RunMode.NORMAL, "no_dispatch": ttnn.graph.RunMode.NO_DISPATCH}

# The nodes of graphs that concern memory.
NODES = (
    "buffer", "buffer_allocate", "buffer_deallocate", "circular_buffer_allocate", "circular_buffer_deallocate_all"
)

CHILD_MAX = 5  # seconds until a child counts as one that does not end

meshes, closed, tensors, cycles, workers = {}, set(), {}, [], {}
looking_at = [b""]  # the line about what is looked at


def watch_signals():
    """Before the process dies, the innermost frames go to a file: Python's own handler knows none."""
    path = os.environ.get("FREEORDER_TRACE")
    if not path:
        return
    libc = ctypes.CDLL(None)
    out = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o600)
    frames = (ctypes.c_void_p * 64)()
    libc.backtrace(frames, 1)  # loads what it needs while memory is sound
    handler_type = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
    # When a process exits its globals go first, and its meshes must not stay because of this.
    word = ctypes.c_uint64 if platform.machine() == "x86_64" else None
    find_caller = without_globals(caller_of_nothing)
    looking = looking_at

    def died(number, _, context):
        libc.signal(number, None)
        libc.alarm(5)
        libc.write(out, looking[0], len(looking[0]))
        caller = find_caller(context, word)
        if caller:
            frames[0] = caller
            libc.backtrace_symbols_fd(frames, 1, out)
        else:
            libc.backtrace_symbols_fd(frames, libc.backtrace(frames, 64), out)
        libc.kill(libc.getpid(), number)

    class Action(ctypes.Structure):
        _fields_ = [
            ("handler", handler_type), ("mask", ctypes.c_ulong * 16), ("flags", ctypes.c_int),
            ("restorer", ctypes.c_void_p),
        ]

    SA_SIGINFO = 4
    action = Action(handler=handler_type(without_globals(died)), flags=SA_SIGINFO)
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(action))  # it is there to the end
    for number in (4, 6, 7, 8, 11):
        libc.sigaction(number, ctypes.byref(action), None)


def without_globals(function):
    own = {"__builtins__": __builtins__, "open": open, "len": len}
    return types.FunctionType(function.__code__, own, function.__name__, None, function.__closure__)


def caller_of_nothing(context, word):
    """Who jumped to where no code is, if that is why the process dies: there unwinding would fail."""
    if word is None:
        return None
    # The layout of a ucontext_t: RSP is the 15th of the registers, which start at byte 40; RIP the 16th.
    stack, code = (word.from_address(context + 40 + 8 * n).value for n in (15, 16))
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, access, *_ = line.split()
            start, end = (int(bound, 16) for bound in span.split("-"))
            if start <= code < end and "x" in access:
                return None
    return word.from_address(stack).value


def why(error):
    """What the exception says, without the place and the backtrace."""
    text = str(error)
    if "info:\n" in text:
        text = text.split("info:\n", 1)[1]
    return text.split("\nbacktrace:")[0].strip()


def memory(request):
    kind = KINDS[request["kind"]]
    if not request.get("shards"):
        return ttnn.MemoryConfig(ttnn.TensorMemoryLayout.INTERLEAVED, kind)
    # One shard a core; blocks lie in two rows.
    columns, _ = request["grid"]
    shards = request["shards"]
    if request["cut"] == "BLOCK_SHARDED":
        columns = shards // 2
    whole, rest = divmod(shards, columns)
    ranges = []
    if whole:
        ranges.append(ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(columns - 1, whole - 1)))
    if rest:
        ranges.append(ttnn.CoreRange(ttnn.CoreCoord(0, whole), ttnn.CoreCoord(rest - 1, whole)))
    spec = ttnn.ShardSpec(
        ttnn.CoreRangeSet(set(ranges)), request["shard"], ttnn.ShardOrientation.ROW_MAJOR
    )
    return ttnn.MemoryConfig(getattr(ttnn.TensorMemoryLayout, request["cut"]), kind, spec)


def do_open(r):
    offset = ttnn.MeshCoordinate(*r["at"])
    meshes[r["mesh"]] = ttnn.open_mesh_device(
        ttnn.MeshShape(*r["shape"]), l1_small_size=r["l1_small"], offset=offset
    )
    closed.discard(r["mesh"])


def do_submesh(r):
    parent = meshes[r["parent"]]
    meshes[r["mesh"]] = parent.create_submesh(
        ttnn.MeshShape(*r["shape"]), ttnn.MeshCoordinate(*r["at"])
    )
    closed.discard(r["mesh"])


def do_close(r):
    ttnn.close_mesh_device(meshes[r["mesh"]])
    closed.add(r["mesh"])


def do_drop(r):
    # Only the tables name them: popping is the last reference.
    (tensors if r["name"] in tensors else meshes).pop(r["name"])


def do_alloc(r):
    tensors[r["name"]] = ttnn.allocate_tensor_on_device(
        ttnn.Shape(r["shape"]), getattr(ttnn, r["dtype"]), LAYOUTS[r["layout"]], meshes[r["mesh"]], memory(r)
    )


def do_view(r):
    of = tensors[r["of"]]
    if r["function"] == "unsqueeze":
        tensors[r["name"]] = ttnn.unsqueeze(of, 0)
    else:
        function = ttnn.reshape if r["function"] == "reshape" else ttnn.experimental.view
        tensors[r["name"]] = function(of, ttnn.Shape([1, *of.shape]))


def do_deallocate(r):
    ttnn.deallocate(tensors[r["name"]], force=r.get("force", True))


def do_cycle(r):
    ring = [tensors.pop(r["name"])]
    ring.append(ring)
    cycles.append(r["name"])


def do_gc(r):
    cycles.clear()
    gc.collect()


def do_use(r):
    ttnn.from_device(tensors[r["name"]])


def do_run(r):
    a, b = tensors[r["a"]], tensors[r["b"]]
    function = getattr(ttnn, r["function"])
    if r["function"] == "add_":
        function(a, b)
    elif r["function"] in ("reallocate", "move"):
        tensors[r["name"]] = function(a)
    else:
        tensors[r["name"]] = function(a, b)


def do_clear_cache(r):
    meshes[r["mesh"]].clear_program_cache()


def do_disable_cache(r):
    meshes[r["mesh"]].disable_and_clear_program_cache()


def do_enable_cache(r):
    meshes[r["mesh"]].enable_program_cache()


def do_deallocate_all(r):
    ttnn.device.DeallocateBuffers(meshes[r["mesh"]])


def do_capture_begin(r):
    ttnn.graph.begin_graph_capture(MODES[r["mode"]])


def do_capture_end(r):
    nodes = ttnn.graph.end_graph_capture()
    facts = ("node_type", "counter", "connections", "params")
    return {"nodes": [[n[fact] for fact in facts] for n in nodes if n["node_type"] in NODES]}


class Worker:
    """A thread that makes one call at a time. Nothing of a call is left when its answer is there."""

    def __init__(self, name):
        self.asked, self.answered = queue.SimpleQueue(), queue.SimpleQueue()
        threading.Thread(target=self.work, name=name, daemon=True).start()

    def work(self):
        while True:
            request = self.asked.get()
            answer = attempt(request)
            request = None
            self.answered.put(answer)

    def ask(self, request):
        self.asked.put(request)
        return self.answered.get()


def worker(name):
    if name not in workers:
        workers[name] = Worker(name)
    return workers[name]


def do_both(r):
    both = [r["first"], r["second"]]
    barrier = threading.Barrier(len(both))
    for one in both:
        worker(one["thread"]).asked.put({"op": "at", "barrier": barrier, "request": one["request"]})
    first, second = (worker(one["thread"]).answered.get() for one in both)
    return {**second, "first": first}


def do_at(r):
    r["barrier"].wait()
    return attempt(r["request"])


def attempt(request):
    """What came of a call: its answer, or what it raises."""
    if request["op"] == "on":
        return worker(request["thread"]).ask(request["request"])
    try:
        return {"ok": True, **(globals()["do_" + request["op"]](request) or {})}
    except Exception as error:
        return {"ok": False, "error": why(error)}


def do_end_captures(r):
    while ttnn.graph.is_graph_capture_active():
        ttnn.graph.end_graph_capture()


def do_reset(r):
    do_end_captures(r)
    for worker in workers.values():  # captures are of a thread
        worker.ask({"op": "end_captures"})
    tensors.clear()
    do_gc(r)
    for mesh in reversed(list(meshes.values())):
        ttnn.close_mesh_device(mesh)
    meshes.clear()
    closed.clear()


def do_kill(r):
    os.kill(os.getpid(), signal.SIGKILL)


def do_fork(r):
    child = os.fork()
    if child == 0:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # it does not outlive this process
        (sys.exit if r["end"] == "exit" else os._exit)(0)
    until = time.monotonic() + CHILD_MAX
    ended, status = os.waitpid(child, os.WNOHANG)
    while not ended and time.monotonic() < until:
        time.sleep(0.01)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return {"child": {}}
    code = os.waitstatus_to_exitcode(status)
    return {"child": {"code": code} if code >= 0 else {"signal": -code, "trace": taken_trace()}}


def taken_trace():
    """The backtrace that a child wrote, whose place is this process's again."""
    path = os.environ.get("FREEORDER_TRACE")
    if not path:
        return ""
    with open(path, "r+", errors="replace") as file:
        text = file.read()
        file.truncate(0)
    return text


def do_exit(r):
    sys.exit(0)


def do_hello(r):
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("ttnn")
    except PackageNotFoundError:
        found = "unknown"
    return {"version": found, "python": sys.version.split()[0]}


def tables(mesh):
    found = {}
    for name, kind in KINDS.items():
        view = ttnn.get_memory_view(mesh, kind)
        blocks = [[int(b["address"]), int(b["size"])] for b in view.block_table if b["allocated"] == "yes"]
        found[name] = sorted(blocks)
    return found


NAMES = {str(kind): name for name, kind in KINDS.items()}


def look_at(name):
    looking_at[0] = f"# looking at {name}\n".encode()


def observe_mesh(name, mesh):
    look_at(name)
    seen = {"id": mesh.id(), "chips": list(mesh.get_device_ids())}
    try:
        seen["cache"] = mesh.num_program_cache_entries()
        seen["tables"] = tables(mesh)
        buffers = ttnn._ttnn.reports.get_buffers(mesh)
        seen["buffers"] = sorted(
            [b.address, NAMES.get(str(b.buffer_type), "other"), b.device_id, b.buffer_layout.name, b.max_size_per_bank]
            for b in buffers
        )
    except Exception as error:
        seen["closed"] = why(error)
    return seen


def observe_tensor(name, tensor):
    look_at(name)
    if not tensor.is_allocated():
        return [False, None]
    try:
        return [True, tensor.buffer_address()]
    except Exception as error:
        return [True, why(error)]


def observe_mesh_of(name, tensor):
    look_at(name)
    try:
        return tensor.device().id() if tensor.is_allocated() else None
    except Exception:
        return None  # the mesh is gone


def serve():
    watch_signals()
    gc.disable()
    for line in sys.stdin:
        request = json.loads(line)
        name = request["op"]
        answer = attempt(request)
        if name != "hello":
            answer["buffers"] = {name: observe_tensor(name, tensor) for name, tensor in tensors.items()}
            on = {name: observe_mesh_of(name, tensor) for name, tensor in tensors.items()}
            answer["on"] = {name: mesh for name, mesh in on.items() if mesh is not None}
            answer["meshes"] = {name: observe_mesh(name, mesh) for name, mesh in meshes.items()}
            answer["pid"] = os.getpid()
            looking_at[0] = b""
        answers.write(json.dumps(answer) + "\n")


serve()
