//! Real lifecycle bugs of the past as switches: the catalogue that a search must be able to find.

macro_rules! defects {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, rows $rows:expr, $source:literal,
       $file:literal, $summary:literal;)*) => {
        /// A real bug of the past, which the switch of its name brings back.
        ///
        /// Source: table F of tt-metal.md.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Defect {
            $($(#[$doc])* $variant,)*
        }

        /// The one table of bugs that the catalogue, help and documentation print.
        pub const DEFECTS: [DefectInfo; [$(Defect::$variant),*].len()] = [$(DefectInfo {
            defect: Defect::$variant,
            name: $name,
            rows: &$rows,
            source: $source,
            file: $file,
            summary: $summary,
        }),*];
    };
}

/// One row of the table of bugs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefectInfo {
    /// The switch.
    pub defect: Defect,
    /// Its name on the command line and in `expect` lines.
    pub name: &'static str,
    /// The rows of table F of tt-metal.md that it stands for.
    pub rows: &'static [u8],
    /// The issue or pull request that tells of it.
    pub source: &'static str,
    /// The file of tt-metal that had the bug.
    pub file: &'static str,
    /// What was wrong, in one line.
    pub summary: &'static str,
}

defects! {
    /// `override_runtime_arguments` does not patch the addresses of a program found in the cache.
    StaleOverride = "stale-override", rows [28, 29],
        "https://github.com/tenstorrent/tt-metal/issues/49749",
        "ttnn/api/ttnn/device_operation.hpp",
        "a program found in the cache keeps the addresses of the call that built it";
}

impl Defect {
    /// The row of the table that describes this switch.
    #[must_use]
    pub fn info(self) -> &'static DefectInfo {
        &DEFECTS[self as usize]
    }

    /// The name used on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.info().name
    }
}
