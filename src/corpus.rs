//! The corpus that ships with the crate: scenarios with the numbers that are expected of them.

use std::path::Path;

use crate::fix::FixSet;
use crate::scenario::{Scenario, ScenarioError};
use crate::server::ServerKind;
use crate::violation::OracleName;

/// A scenario file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, without the ending.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

impl File {
    /// The scenario.
    ///
    /// # Errors
    /// If the file does not parse, which a test excludes.
    pub fn scenario(&self) -> Result<Scenario, ScenarioError> {
        self.text.parse()
    }

    /// The first comment of the file, which says where it comes from.
    #[must_use]
    pub fn source(&self) -> &'static str {
        let comment = self.text.lines().find_map(|line| line.strip_prefix("# "));
        comment.unwrap_or_default()
    }
}

macro_rules! files {
    ($(#[$doc:meta])* $list:ident in $folder:literal: $($name:literal),* $(,)?) => {
        $(#[$doc])*
        pub const $list: &[File] = &[$(File {
            name: $name,
            text: include_str!(concat!("../corpus/", $folder, "/", $name, ".scenario")),
        }),*];
    };
}

files! {
    /// `corpus/claims`: a scenario for every testable sentence of the documents.
    CLAIMS in "claims":
    "address-reuse-frees-in-turn",
    "all-three-fixes-show-every-device",
    "allocated-1112-freed-2133",
    "allocations-83416-remaining-381",
    "buffer-view",
    "circular-buffer-clash",
    "circular-buffer-clash-justified",
    "circular-buffers-flushed-by-device",
    "circular-buffers-on-device-0-only",
    "close-frees-in-silence",
    "deallocate-twice",
    "emission-policies-by-servers",
    "full-socket-loses-allocs",
    "full-socket-loses-frees",
    "kernel-binaries-14-mb-and-36-kb",
    "l1-kept-above-circular-buffers",
    "late-drop-of-a-dead-handle",
    "mark-twice",
    "mesh-buffer-on-8-devices",
    "owner-id-in-the-key",
    "process-killed-and-not-reaped",
    "process-killed-and-reaped",
    "program-buffer-pool",
    "program-cache-cleared-before-close",
    "reconnect-overtakes",
    "regular-buffer",
    "runs-accumulate",
    "s-clearlow",
    "s-expired",
    "s-gc-reuse",
    "s-meshid",
    "s-nodispatch",
    "s-stalefree",
    "s-throwleak",
    "s-typecollide",
    "s-view",
    "s-zero",
    "server-restart",
    "submesh-over-its-parent",
    "three-fixes-and-final-exclude-each-other",
    "tracking-starts-late",
}

files! {
    /// `corpus/defects`: the shortest reproducers of real bugs of the past.
    DEFECTS in "defects":
    "alias-registered",
    "allocator-before-cache",
    "best-is-first",
    "bulk-free-first",
    "cached-programs-counted",
    "cbs-outlive-device",
    "close-keeps-buffers",
    "close-without-drain",
    "close-without-free",
    "commands-outlive-program",
    "counted-traces",
    "dataflow-buffers-missing",
    "deallocate-after-close",
    "deallocate-forces-root",
    "deallocation-reads-this",
    "devices-end-at-close",
    "extra-owner",
    "first-fit-fragments",
    "hit-not-validated",
    "hook-stays",
    "hooked-flag-missing",
    "inspector-reports-twice",
    "interleaved-prefill",
    "late-buffer-node",
    "late-free-of-a-dead-handle",
    "manager-reset-first",
    "no-cb-deallocate",
    "no-expiry-check",
    "no-owned-buffer-pool",
    "no-process-slots",
    "parent-and-submesh-overlap",
    "pointer-identity",
    "pool-outlives-program",
    "racy-deallocate",
    "region-lost",
    "release-trace-after-close",
    "stale-meta-block",
    "stale-override",
    "static-mesh",
    "static-tensors",
    "trace-buffers-in-dram",
    "trace-of-active-manager",
    "trace-size-kept",
    "track-before-state",
    "tracker-skips-program-cache",
    "unmirror-after-close",
    "untracked-allocations",
}

files! {
    /// `corpus/alphabets`: operations over which the reproducers are the shortest.
    ALPHABETS in "alphabets":
    "core",
    "instruments",
    "l1",
    "threads",
    "traces",
}

files! {
    /// `corpus/regressions`: what this model, or its search, once got wrong.
    REGRESSIONS in "regressions":
    "checkpoint-inside-an-allocation",
    "close-leaves-the-lowest-address-exact",
    "closed-parent-leaves-nothing-in-the-state",
    "failed-call-before-a-bulk-release",
    "free-when-expired-where-mark-is-silent",
    "handle-kept-over-a-released-backing",
    "killing-another-process",
    "mesh-buffer-that-outlives-its-mesh",
    "name-of-another-process",
    "parent-closes-before-its-submesh",
    "program-without-circular-buffers",
    "programs-of-one-id-in-two-processes",
    "shared-memory-counts-by-type",
    "submesh-closes-before-its-parent",
    "submesh-in-the-state-of-its-parent",
    "t3k-opened-as-1x8",
    "view-of-a-released-local",
}

files! {
    /// `corpus/canaries`: failures that every search must find, or the search is broken.
    CANARIES in "canaries":
    "before-frees-the-backing-buffer-last",
    "before-registers-the-backing-buffer-twice",
    "final-mesh-gone-first",
    "final-view",
    "fork-head-late-drop",
    "original-keeps-the-device-locals",
    "stale-override-reads-the-old-address",
    "three-fixes-clash",
    "three-fixes-leak",
}

files! {
    /// `corpus/sound`: what the preset `sound` passes, what fails without each of its fixes, and
    /// what no fix can change.
    SOUND in "sound":
    "buffer-type-in-the-key",
    "bulk-free-tells-nobody",
    "circular-buffers-are-not-reported",
    "clear-forgets-the-lowest-address",
    "device-buffer-beside-a-mesh",
    "failed-allocation-keeps-nothing",
    "hooked-allocation-is-silent",
    "owner-in-the-key",
    "owner-reports-for-each-chip",
    "submesh-in-its-parents-state",
    "two-meshes-on-one-chip",
    "where-final-fails",
    "where-fork-head-fails",
    "where-the-guards-fail",
    "where-three-fixes-fails",
}

/// The folders whose files are scenarios, each with its name; an alphabet is none, but a list of
/// operations that nobody means to do one after the other.
pub const SCENARIOS: &[(&str, &[File])] = &[
    ("claims", CLAIMS),
    ("defects", DEFECTS),
    ("regressions", REGRESSIONS),
    ("canaries", CANARIES),
    ("sound", SOUND),
];

/// What a search must find: the first comment of a canary.
///
/// ```
/// use freeorder::corpus::{CANARIES, Canary};
/// let canaries: Vec<Canary> = CANARIES.iter().filter_map(Canary::of).collect();
/// assert_eq!(canaries.len(), CANARIES.len());
/// assert!(canaries.iter().any(|canary| canary.file.name == "three-fixes-leak"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Canary {
    /// Its file: the smallest scenario that fails like this.
    pub file: File,
    /// Under which fixes it is found.
    pub fixes: FixSet,
    /// Under which server.
    pub server: ServerKind,
    /// By which profile of the generator.
    pub profile: &'static str,
    /// The oracle that sees it.
    pub oracle: OracleName,
    /// The most operations that it may have once it is minimised.
    pub operations_max: usize,
}

impl Canary {
    /// Reads `# canary FIXES SERVER PROFILE: ORACLE in N operations`; none if the file's first
    /// comment is another one.
    #[must_use]
    pub fn of(file: &File) -> Option<Self> {
        let words: Vec<&'static str> = file.source().split(' ').collect();
        let ["canary", fixes, server, profile, oracle, "in", count, "operations"] = words[..]
        else {
            return None;
        };
        Some(Self {
            file: *file,
            fixes: fixes.parse().ok()?,
            server: server.parse().ok()?,
            profile: profile.strip_suffix(':')?,
            oracle: OracleName::from_name(oracle)?,
            operations_max: count.parse().ok()?,
        })
    }
}

/// Whether a path is a scenario file, by its ending.
#[must_use]
pub fn is_scenario(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "scenario")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Class;

    fn of_folder(name: &str) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
        let files = std::fs::read_dir(folder).expect("the corpus is part of the project");
        let paths = files.map(|file| file.expect("a readable folder").path());
        let mut names: Vec<String> = paths
            .filter(|path| is_scenario(path))
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// A file that is not in the list would be tested by nobody.
    #[test]
    fn every_file_of_the_folder_is_in_the_list_and_parses() {
        let lists = [
            ("claims", CLAIMS),
            ("defects", DEFECTS),
            ("alphabets", ALPHABETS),
            ("regressions", REGRESSIONS),
            ("canaries", CANARIES),
            ("sound", SOUND),
        ];
        for (folder, list) in lists {
            let listed: Vec<&str> = list.iter().map(|file| file.name).collect();
            assert_eq!(listed, of_folder(folder));
            for file in list {
                let scenario =
                    file.scenario().unwrap_or_else(|error| panic!("{}: {error}", file.name));
                assert_eq!(scenario.to_string(), file.text, "{} prints back", file.name);
            }
        }
    }

    /// What fails when a process is killed or a message is lost is nothing that a fix of the
    /// runtime should have to answer for.
    #[test]
    fn every_file_says_whose_affair_its_failure_is() {
        let folders = SCENARIOS.iter().chain(&[("alphabets", ALPHABETS)]);
        let mut others = 0;
        for file in folders.flat_map(|(_, list)| *list) {
            let scenario = file.scenario().expect("the corpus parses");
            let class = scenario.class_of_lines();
            if class != Class::Lifecycle {
                let line = format!("\nclass {}\n", class.name());
                assert!(file.text.contains(&line), "{}: {}", file.name, line.trim());
                others += 1;
            }
        }
        assert!(others > 10, "{others}");
    }

    /// A canary that does not fail, or is longer than it says, is a canary of nothing.
    #[test]
    fn every_canary_fails_as_it_says_in_as_many_operations() {
        for file in CANARIES {
            let canary = Canary::of(file).unwrap_or_else(|| panic!("{}: no canary", file.name));
            let scenario = file.scenario().expect("the corpus parses");
            assert_eq!(scenario.ops().count(), canary.operations_max, "{}", file.name);
            let report = crate::scenario::run(&scenario, canary.fixes, canary.server, 0, &mut ());
            assert!(report.findings.count(canary.oracle) > 0, "{}", file.name);
        }
    }
}
