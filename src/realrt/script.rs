//! A case as a Python script that needs nothing but ttnn.

use std::fmt::Write as _;

use super::lockstep::Deviation;
use super::protocol::Request;
use super::translate::{Names, Translated};
use crate::op::{BufferHandle, MeshHandle, Op};
use crate::runtime::Setup;
use crate::scenario::Case;

/// What an operation is in Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Python {
    /// It names something that is not there.
    Nothing,
    /// There is no call of ttnn that does it.
    Foreign,
    /// A statement.
    Call(String),
}

/// Writes operations as calls of ttnn, one after another.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    setup: Setup,
    names: Names,
}

impl Writer {
    /// Nothing is written yet.
    pub fn new(setup: Setup) -> Self {
        Self { setup, names: Names::default() }
    }

    /// The call that an operation is after those that were taken down.
    pub fn call(&self, op: &Op) -> Python {
        match self.names.translate(&self.setup, op) {
            Translated::Nothing => Python::Nothing,
            Translated::Foreign => Python::Foreign,
            Translated::Ask(request) => Python::Call(call(&request)),
        }
    }

    /// Takes down what a call that returns has made or let go.
    pub fn note(&mut self, op: &Op) {
        self.names.note(op);
    }

    /// The mesh that a name's tensor is on.
    pub fn mesh_of(&self, name: BufferHandle) -> Option<MeshHandle> {
        self.names.buffers.get(&name).map(|held| held.mesh)
    }
}

/// The script, and how many calls of ttnn it makes.
#[must_use]
pub fn script(case: &Case, deviation: &Deviation, version: &str) -> (String, usize) {
    let mut writer = Writer::new(case.start());
    let mut calls = Vec::new();
    for (thread, op) in &case.ops {
        if let Python::Call(call) = writer.call(op) {
            let other = thread.0 > 0 && !matches!(op, Op::Exit | Op::Fork(_));
            calls.push(if other { format!("on(\"{thread}\", {call:?})") } else { call });
            writer.note(op);
        }
    }
    let mut text = header(case, deviation, version);
    if deviation.class.contains("count") {
        text.push_str(COUNTED);
    }
    if deviation.class == "oracle: overlap" {
        text.push_str(CHIPS);
    }
    if case.ops.iter().any(|(thread, _)| thread.0 > 0) {
        text.push_str(ON);
    }
    if case.ops.iter().any(|(_, op)| matches!(op, Op::Kill(_))) {
        text.push_str(KILL);
    }
    if case.ops.iter().any(|(_, op)| matches!(op, Op::Fork(_))) {
        let _ = write!(text, "{FORK}\n\n");
    }
    for call in &calls {
        let _ = writeln!(text, "step({call:?})");
    }
    (text, calls.len())
}

fn header(case: &Case, deviation: &Deviation, version: &str) -> String {
    let machine = case.start().machine;
    let Deviation { class, detail, .. } = deviation;
    let detail = detail.replace('\n', " ");
    format!(
        "# {class}\n# {detail}\n#\n\
         # Seen with ttnn {version} on a mock cluster: no hardware is needed. Set\n\
         #   TT_METAL_MOCK_CLUSTER_DESC_PATH  to the cluster descriptor of a {machine}\n\
         #   TT_METAL_SLOW_DISPATCH_MODE=1\n\
         # `freeorder setup-runtime DIR` makes an environment with all that: DIR/run.sh {machine} \
         THIS_FILE\n\
         # Each step prints the call, what it raised, and what can be seen after it.\n\
         {IMPORTS}\n\n{STEP}\n\n{SHARDED}\n\ncycles = []\n\n"
    )
}

/// What every script begins with.
pub(crate) const IMPORTS: &str = r#"import gc
import sys
import types
import ttnn

if "torch" not in sys.modules:  # captures import it
    torch = sys.modules["torch"] = types.ModuleType("torch")
    torch.Tensor = type("Tensor", (), {})
"#;

const STEP: &str = r#"def blocks(mesh):
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
"#;

const COUNTED: &str = r#"import glob
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


"#;

const CHIPS: &str = r#"plain = step


def step(call):
    plain(call)
    for name, value in sorted(globals().items()):
        if isinstance(value, ttnn.MeshDevice):
            print("  ", name, "is on chips", value.get_device_ids(), flush=True)


"#;

const KILL: &str = r#"import os
import signal
import subprocess

every, count, start = step, 0, int(sys.argv[1]) if sys.argv[1:] else 0


def step(call):
    global count
    count += 1
    if count > start:
        every(call)


def kill():  # this process dies without a word; another one goes on with the calls after this one
    subprocess.Popen([sys.executable, __file__, str(count)])
    os.kill(os.getpid(), signal.SIGKILL)


"#;

/// Makes a child that ends at once.
pub(crate) const FORK: &str = r#"import os
import time


def fork(end):  # a child process ends at once; what came of it
    child = os.fork()
    if child == 0:
        end(0)
    ended, status = 0, 0
    for _ in range(100):
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        time.sleep(0.05)
    else:
        os.kill(child, 9)
        os.waitpid(child, 0)
    came = os.waitstatus_to_exitcode(status) if ended else "no end: it was killed after 5 seconds"
    print("    the child's exit code:", came, flush=True)
    return came
"#;

const ON: &str = r#"from concurrent.futures import ThreadPoolExecutor

threads = {}


def on(name, call):  # a thread of its own makes the call while this one waits
    if name not in threads:
        threads[name] = ThreadPoolExecutor(1)
    threads[name].submit(exec, call, globals()).result()


"#;

/// A memory configuration of one shard a core.
pub(crate) const SHARDED: &str = r#"def sharded(kind, cut, columns, shards, height, width):
    whole, rest = divmod(shards, columns)
    ranges = set()
    if whole:
        ranges.add(ttnn.CoreRange(ttnn.CoreCoord(0, 0), ttnn.CoreCoord(columns - 1, whole - 1)))
    if rest:
        ranges.add(ttnn.CoreRange(ttnn.CoreCoord(0, whole), ttnn.CoreCoord(rest - 1, whole)))
    rows = ttnn.ShardOrientation.ROW_MAJOR
    spec = ttnn.ShardSpec(ttnn.CoreRangeSet(ranges), [height, width], rows)
    return ttnn.MemoryConfig(getattr(ttnn.TensorMemoryLayout, cut), kind, spec)
"#;

/// The call of ttnn that a request is.
fn call(request: &Request) -> String {
    match request {
        Request::Hello | Request::Reset | Request::On { .. } | Request::Both { .. } => {
            String::new()
        }
        Request::Exit => "raise SystemExit".to_owned(),
        Request::Kill => "kill()".to_owned(),
        Request::Fork { end: "exit" } => "fork(sys.exit)".to_owned(),
        Request::Fork { .. } => "fork(os._exit)".to_owned(),
        Request::Gc => "cycles.clear(); gc.collect()".to_owned(),
        Request::CaptureEnd => "graph = ttnn.graph.end_graph_capture()".to_owned(),
        Request::CaptureBegin { mode } => {
            let mode = mode.to_ascii_uppercase();
            format!("ttnn.graph.begin_graph_capture(ttnn.graph.RunMode.{mode})")
        }
        Request::Open { mesh, shape: [rows, columns], at: [row, column], l1_small } => format!(
            "{mesh} = ttnn.open_mesh_device(ttnn.MeshShape({rows}, {columns}), \
             l1_small_size={l1_small}, offset=ttnn.MeshCoordinate({row}, {column}))"
        ),
        Request::Submesh { mesh, parent, shape: [rows, columns], at: [row, column] } => format!(
            "{mesh} = {parent}.create_submesh(ttnn.MeshShape({rows}, {columns}), \
             ttnn.MeshCoordinate({row}, {column}))"
        ),
        Request::Close { mesh } => format!("ttnn.close_mesh_device({mesh})"),
        Request::ClearCache { mesh } => format!("{mesh}.clear_program_cache()"),
        Request::DisableCache { mesh } => format!("{mesh}.disable_and_clear_program_cache()"),
        Request::EnableCache { mesh } => format!("{mesh}.enable_program_cache()"),
        Request::DeallocateAll { mesh } => format!("ttnn.device.DeallocateBuffers({mesh})"),
        Request::Alloc { .. } => alloc(request),
        Request::View { name, of, function: "unsqueeze" } => {
            format!("{name} = ttnn.unsqueeze({of}, 0)")
        }
        Request::View { name, of, function } => {
            format!("{name} = ttnn.{function}({of}, ttnn.Shape([1, *{of}.shape]))")
        }
        Request::Deallocate { name, force: true } => format!("ttnn.deallocate({name})"),
        Request::Deallocate { name, force: false } => {
            format!("ttnn.deallocate({name}, force=False)")
        }
        Request::Drop { name } => format!("del {name}"),
        Request::Cycle { name } => {
            format!("ring = [{name}]; ring.append(ring); del {name}, ring")
        }
        Request::Use { name } => format!("ttnn.from_device({name})"),
        Request::Run { a, b, function: "add_", .. } => format!("ttnn.add_({a}, {b})"),
        Request::Run { name, a, function: function @ ("move" | "reallocate"), .. } => {
            format!("{name} = ttnn.{function}({a})")
        }
        Request::Run { name, a, b, function } => format!("{name} = ttnn.{function}({a}, {b})"),
    }
}

fn alloc(request: &Request) -> String {
    let Request::Alloc { name, mesh, kind, dtype, layout, shape, shards, cut, shard, grid } =
        request
    else {
        return String::new();
    };
    let [height, width] = shard;
    let layout = layout.to_ascii_uppercase();
    let memory = match (*kind, *shards) {
        ("dram", 0) => "ttnn.DRAM_MEMORY_CONFIG".to_owned(),
        ("l1", 0) => "ttnn.L1_MEMORY_CONFIG".to_owned(),
        (kind, 0) => format!(
            "ttnn.MemoryConfig(ttnn.TensorMemoryLayout.INTERLEAVED, ttnn.BufferType.{})",
            kind.to_ascii_uppercase()
        ),
        (kind, shards) => format!(
            "sharded(ttnn.BufferType.{}, \"{cut}\", {}, {shards}, {height}, {width})",
            kind.to_ascii_uppercase(),
            if *cut == "BLOCK_SHARDED" { shards / 2 } else { u32::from(grid[0]) },
        ),
    };
    format!(
        "{name} = ttnn.allocate_tensor_on_device(ttnn.Shape({shape:?}), ttnn.{dtype}, \
         ttnn.{layout}_LAYOUT, {mesh}, {memory})"
    )
}
