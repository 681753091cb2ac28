//! A scenario as a C++ test of tt-metal's MeshDevice and MeshBuffer.

mod names;
mod reasons;
mod statements;

use std::fmt::Write as _;

use super::course::Turns;
use super::ttnn::{SHOWN, summary};
use super::walk::{self, Held, Step, Walked, notes};
use super::{Exported, LeftOut};
use crate::allocator::Machine;
use crate::op::ThreadId;
use crate::scenario::{Scenario, SetupLine};
use names::Gtest;

pub(super) fn export(scenario: &Scenario, name: &str, course: &Turns<'_>) -> Exported {
    let (setup, left_out) = walk::setup(scenario, no_setup);
    let machine = setup.machine;
    let mut dialect = Gtest::new(setup.clone());
    let walked = walk::walk(course, (setup, left_out), &mut dialect);
    let body = body(course, &walked);
    let mut text = head(name, machine, &walked);
    text.push_str("namespace {\n\n");
    for (uses, helper) in HELPERS {
        if uses.iter().any(|used| body.contains(used)) {
            text.push_str(helper);
            text.push('\n');
        }
    }
    let _ = writeln!(text, "TEST(Freeorder, {}) {{", test_name(name));
    let statement = |text: &mut String, line: &str| {
        let _ = writeln!(text, "    {line}");
    };
    dialect.declarations().iter().for_each(|line| statement(&mut text, line));
    for thread in walk::threads(&walked) {
        // The end of a program may have nothing to do.
        if body.contains(&format!("    {thread}.run(")) {
            statement(&mut text, &format!("Thread {thread};"));
        }
    }
    text.push_str(&body);
    text.push_str("}\n\n}  // namespace\n");
    let Walked { left_out, done, .. } = walked;
    Exported { text, done, left_out }
}

/// The statements of the test, each with its line of the scenario above it.
fn body(course: &Turns<'_>, walked: &Walked<'_>) -> String {
    let mut text = String::new();
    for (turn, step) in &walked.steps {
        for line in &turn.before {
            comment(&mut text, "    ", line);
        }
        notes(turn).iter().for_each(|line| comment(&mut text, "    ", line));
        match step {
            Step::Nothing => comment(
                &mut text,
                "    ",
                "It names nothing that is there, or something that is: it changes nothing.",
            ),
            Step::LeftOut(why) => comment(&mut text, "    ", &format!("LEFT OUT: {why}.")),
            Step::Call { statements, raises, changes } => {
                for statement in statements.lines() {
                    let _ = writeln!(text, "    {}", called(turn.thread, statement, raises));
                }
                if let Some(raises) = raises {
                    comment(&mut text, "    ", &format!("  the model says: {raises}"));
                }
                for (name, held) in changes {
                    let _ = match held {
                        Held::Nothing => Ok(()),
                        Held::Deallocated => {
                            writeln!(text, "    EXPECT_FALSE({name}->is_allocated());")
                        }
                        Held::At(address) => {
                            writeln!(text, "    EXPECT_EQ({name}->address(), {address}u);")
                        }
                    };
                }
            }
        }
    }
    course.behind.iter().for_each(|line| comment(&mut text, "    ", line));
    text
}

/// A statement as its thread makes it.
fn called(thread: ThreadId, statement: &str, raises: &Option<String>) -> String {
    let expected = match raises {
        None => statement.to_owned(),
        Some(_) => format!("EXPECT_ANY_THROW({});", statement.trim_end_matches(';')),
    };
    match thread {
        ThreadId(0) => expected,
        thread => format!("{thread}.run([&] {{ {expected} }});"),
    }
}

/// Why a line of the setup is not followed.
fn no_setup(fact: &SetupLine) -> Option<&'static str> {
    match fact {
        SetupLine::L1Base(_) | SetupLine::L1Limit(_) => Some("L1 starts where the machine says"),
        SetupLine::Tracked(_) => Some(reasons::TRACKER),
        SetupLine::CoreRanges(_) => Some("texts of exceptions are not compared"),
        SetupLine::Machine(_)
        | SetupLine::L1Small(_)
        | SetupLine::TraceRegion(_)
        | SetupLine::Class(_) => None,
    }
}

fn head(name: &str, machine: Machine, walked: &Walked<'_>) -> String {
    let Walked { left_out, done, .. } = walked;
    let mut text = String::new();
    for line in [
        &format!("A scenario of freeorder {} as a test of tt-metal.", env!("CARGO_PKG_VERSION")),
        &format!("From {name}, for a {machine}: {}.", summary(*done, left_out)),
        "",
        "NOT COMPILED against tt-metal: freeorder has none of its headers. The test is written",
        "for the public headers included below, as of tt-metal commit 005d5bd6. What freeorder's",
        "CI checks is that such files are C++, and that libtt_metal.so of ttnn 0.81.1 has every",
        "function that they call, with these parameters.",
        "",
        "What is expected is what the model of tt-metal answers to these statements. Programs have",
        "no kernels, and therefore read nothing.",
    ] {
        comment(&mut text, "", line);
    }
    for LeftOut { line, op, why } in left_out.iter().take(SHOWN) {
        comment(&mut text, "", &format!("  line {line}: {op}: {why}"));
    }
    if left_out.len() > SHOWN {
        comment(&mut text, "", &format!("  and {} more", left_out.len() - SHOWN));
    }
    text.push_str(INCLUDES);
    text
}

/// A line of a comment. A backslash at its end would make the next line a part of it, also before
/// spaces, and so would the trigraph of one.
fn comment(text: &mut String, indent: &str, line: &str) {
    let line = line.trim_end().replace("??/", "?? /");
    let end = if line.ends_with('\\') { "." } else { "" };
    let _ = match line.as_str() {
        "" if indent.is_empty() => writeln!(text, "//"),
        "" => writeln!(text),
        line => writeln!(text, "{indent}// {line}{end}"),
    };
}

/// The name of a test for a file: its words, each with a capital.
fn test_name(name: &str) -> String {
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let stem = file.split('.').next().unwrap_or_default();
    let words = stem.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let name: String =
        words.map(|word| format!("{}{}", word[..1].to_ascii_uppercase(), &word[1..])).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("Test{name}") }
}

const INCLUDES: &str = r"
#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <tt-metalium/allocator.hpp>
#include <tt-metalium/buffer.hpp>
#include <tt-metalium/circular_buffer_config.hpp>
#include <tt-metalium/core_coord.hpp>
#include <tt-metalium/distributed.hpp>
#include <tt-metalium/host_api.hpp>
#include <tt-metalium/mesh_buffer.hpp>
#include <tt-metalium/mesh_device.hpp>
#include <tt-metalium/mesh_workload.hpp>
#include <tt-metalium/program.hpp>
#include <tt-metalium/sub_device.hpp>

using namespace tt::tt_metal;
using namespace tt::tt_metal::distributed;

";

/// What a test needs if its statements have one of the words.
const HELPERS: [(&[&str], &str); 5] = [
    (
        &["height_sharded("],
        r"// Shards of so many pages each, a shard a core, row by row over a grid of `columns`.
BufferShardingArgs height_sharded(
    uint32_t columns, uint32_t shards, uint32_t pages, uint32_t page_size) {
    const uint32_t whole = shards / columns;
    const uint32_t rest = shards % columns;
    std::vector<CoreRange> cores;
    if (whole > 0) {
        cores.emplace_back(CoreCoord(0, 0), CoreCoord(columns - 1, whole - 1));
    }
    if (rest > 0) {
        cores.emplace_back(CoreCoord(0, whole), CoreCoord(rest - 1, whole));
    }
    const std::array<uint32_t, 2> page = {1, page_size};
    const std::array<uint32_t, 2> shard = {pages, page_size};
    const std::array<uint32_t, 2> all = {pages * shards, 1};
    const CoreRangeSet grid(std::move(cores));
    const ShardSpecBuffer spec(grid, shard, ShardOrientation::ROW_MAJOR, page, all);
    return BufferShardingArgs(spec, TensorMemoryLayout::HEIGHT_SHARDED);
}
",
    ),
    (
        &["all_cores(", "whole_chip("],
        r"// Every core of each chip of a mesh.
CoreRange all_cores(const MeshDevice& mesh) {
    const CoreCoord grid = mesh.compute_with_storage_grid_size();
    return CoreRange(CoreCoord(0, 0), CoreCoord(grid.x - 1, grid.y - 1));
}
",
    ),
    (
        &["CircularBuffers{"],
        r"// The sizes of circular buffers, and their cores.
using CircularBuffers = std::vector<std::pair<uint32_t, CoreRange>>;

// A program without kernels on every chip of a mesh.
std::shared_ptr<MeshWorkload> workload(
    const MeshDevice& mesh, const CircularBuffers& circular_buffers) {
    Program program = CreateProgram();
    uint8_t index = 0;
    for (const auto& [size, cores] : circular_buffers) {
        CircularBufferConfig config(size, {{index, tt::DataFormat::UInt8}});
        config.set_page_size(index, size);
        CreateCircularBuffer(program, cores, config);
        ++index;
    }
    auto workload = std::make_shared<MeshWorkload>();
    workload->add_program(MeshCoordinateRange(mesh.shape()), std::move(program));
    return workload;
}
",
    ),
    (
        &["whole_chip("],
        r"// A sub-device manager with one sub-device, which is the whole chip.
SubDeviceManagerId whole_chip(MeshDevice& mesh) {
    const std::array<CoreRangeSet, 1> cores = {CoreRangeSet(all_cores(mesh))};
    return mesh.create_sub_device_manager({SubDevice(cores)}, 0);
}
",
    ),
    (
        &[".run([&]"],
        r"// A host thread: it waits for its turns, and whoever gives it one waits for it.
class Thread {
public:
    ~Thread() {
        run(nullptr);
        thread_.join();
    }
    void run(std::function<void()> turn) {
        std::unique_lock lock(mutex_);
        turn_ = std::move(turn);
        has_turn_ = true;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !has_turn_; });
    }

private:
    void serve() {
        std::unique_lock lock(mutex_);
        for (bool is_last = false; !is_last;) {
            changed_.wait(lock, [this] { return has_turn_; });
            is_last = !turn_;
            try {
                if (!is_last) {
                    turn_();
                }
            } catch (const std::exception& error) {
                ADD_FAILURE() << error.what();
            }
            has_turn_ = false;
            changed_.notify_all();
        }
    }
    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void()> turn_;
    bool has_turn_ = false;
    std::thread thread_{[this] { serve(); }};
};
",
    ),
];
