//! Where the model guesses: every `ASSUMED` comment of the source, in one table.

/// A guess, and where it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Assumption {
    /// The source file.
    pub file: &'static str,
    /// The guess and its reason.
    pub text: &'static str,
}

const fn assumed(file: &'static str, text: &'static str) -> Assumption {
    Assumption { file, text }
}

/// Every guess, file by file; a test compares the table with the source.
pub const ASSUMPTIONS: &[Assumption] = &[
    assumed(
        "allocator/bank_manager/error.rs",
        "the rest of this text, from the source of 2025; the runtime was not seen to print it.",
    ),
    assumed(
        "allocator/bank_manager/lane.rs",
        "ascending. The C++ class walks a hash set; the order shows in the block table's numbers \
         only.",
    ),
    assumed(
        "audit/auditor/free.rs",
        "a server without counts may print the sender; what it printed is in no source, and one \
         document's line has the only process of its log.",
    ),
    assumed(
        "audit/read/sqlite.rs",
        "ttnn writes the row before the call and the duration after it, with the snapshot; a call \
         that never ended has none.",
    ),
    assumed(
        "runtime/allocator_impl/calls.rs",
        "the C++ set orders raw pointers; no claim depends on the order.",
    ),
    assumed(
        "runtime/command_queue.rs",
        "an allocation is answered at once and does not wait for the queue, as if the worker had \
         time for it first; validation of circular buffers is made by the caller too.",
    ),
    assumed(
        "runtime/decide.rs",
        "the server accepts the new connection only after that, as one that reads sockets in the \
         order of their closing would.",
    ),
    assumed(
        "runtime/graph_processor.rs",
        "owners only, as upstream tracks them, also where the fork tracks more.",
    ),
    assumed(
        "runtime/moves.rs",
        "on all cores; the real program copies on no more cores than there are pages, so that the \
         text of a clash names fewer.",
    ),
    assumed(
        "runtime/named.rs",
        "dataflow buffers get places and are validated as circular buffers are; the code that \
         places them was not read.",
    ),
    assumed(
        "runtime/process.rs",
        "no message of the child's destructors reaches a server: those of the wheel leave the \
         shared-memory counters of every buffer as they are; the client of an allocation server \
         was not tried.",
    ),
    assumed("runtime/program_cache.rs", "after validation; the order of the two was not read."),
    assumed("runtime/program_cache.rs", "the C++ map is unordered; no claim depends on the order."),
    assumed(
        "runtime/sub_device_manager.rs",
        "a sharded L1 buffer that is created while a manager other than the default one is loaded \
         is created on its sub-device; in tt-metal the caller says so. Its addresses come from the \
         mesh's own allocator: the local allocators of sub-devices are not modelled.",
    ),
    assumed(
        "runtime/system_mesh.rs",
        "the lines of a Galaxy, which has more rows, are paths whose search was not read.",
    ),
    assumed(
        "runtime/trace.rs",
        "the smallest that the runtime chooses; it grows with the commands, which are not \
         modelled.",
    ),
    assumed(
        "serve/machine.rs",
        "total_l1_size counts the worker cores of the compute grid; the servers multiply with a \
         grid whose size was not seen.",
    ),
    assumed(
        "server/shm.rs",
        "no 65th process and no 17th chip in a region, for which the layout has no slot.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        let mut entries: Vec<PathBuf> =
            folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        for path in entries {
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }

    /// A comment that starts with the word goes on until a line is no comment or is empty.
    fn guesses(text: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut inside = false;
        for line in text.lines().map(str::trim) {
            let comment = ["///", "//!", "//"].iter().find_map(|mark| line.strip_prefix(mark));
            let comment = comment.map(str::trim).filter(|comment| !comment.is_empty());
            match comment {
                Some(comment) if comment.starts_with("ASSUMED:") => {
                    found.push(comment["ASSUMED:".len()..].trim().to_owned());
                    inside = true;
                }
                Some(comment) if inside => {
                    let last = found.last_mut().unwrap();
                    last.push(' ');
                    last.push_str(comment);
                }
                Some(_) | None => inside = false,
            }
        }
        found
    }

    /// `freeorder list assumptions` must tell all of them, and none that is gone.
    #[test]
    fn the_table_lists_every_guess_of_the_source() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let mut files = Vec::new();
        sources(&root, &mut files);
        let mut expected = String::new();
        let mut pairs = Vec::new();
        for file in files.iter().filter(|file| !file.ends_with("assumptions.rs")) {
            let name = file.strip_prefix(&root).unwrap().to_str().unwrap().replace('\\', "/");
            for guess in guesses(&std::fs::read_to_string(file).unwrap()) {
                expected.push_str(&format!("    assumed({name:?}, {guess:?}),\n"));
                pairs.push((name.clone(), guess));
            }
        }
        let listed: Vec<(String, String)> =
            ASSUMPTIONS.iter().map(|one| (one.file.to_owned(), one.text.to_owned())).collect();
        assert_eq!(listed, pairs, "the table should read:\n{expected}");
    }
}
