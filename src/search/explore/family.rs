//! Families of scenarios, as large as one likes: what a search over fix sets goes through.

use std::fmt::{self, Write as _};
use std::str::FromStr;
use std::sync::Arc;

use super::Sizes;
use crate::allocator::Machine;
use crate::fix::FixSet;
use crate::journal::Tracking;
use crate::op::{MeshHandle, Op};
use crate::runtime::Setup;
use crate::scenario::{Class, Scenario};
use crate::server::ServerKind;
use crate::suggest;
use crate::units::{Lanes, MeshShape};
use crate::world::World;

/// What a family is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Backing and device-local buffers go one by one, and views of them.
    Teardown,
    /// New buffers take addresses while the old ones' handles and views are still going.
    Reuse,
    /// A program cache is cleared while buffers go and the mesh closes.
    Cache,
    /// Submeshes and their parent close while buffers on all of them go.
    Submesh,
    /// A mesh closes while its buffers are deallocated and dropped.
    Close,
    /// The collector runs while buffers enter cycles and the mesh closes.
    Gc,
    /// Threads allocate, deallocate and drop, part by part.
    Threads,
    /// The client begins to report while buffers are already there.
    Tracker,
    /// The server restarts while buffers come and go.
    Restart,
    /// A cached program keeps an address that goes to another buffer.
    Stale,
}

/// More than this of anything makes a scenario that nobody would want to explore.
const SIZE_MAX: u32 = 32;

impl Family {
    /// Every family.
    pub const ALL: [Self; 10] = [
        Self::Teardown,
        Self::Reuse,
        Self::Cache,
        Self::Submesh,
        Self::Close,
        Self::Gc,
        Self::Threads,
        Self::Tracker,
        Self::Restart,
        Self::Stale,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Teardown => "teardown",
            Self::Reuse => "reuse",
            Self::Cache => "cache",
            Self::Submesh => "submesh",
            Self::Close => "close",
            Self::Gc => "gc",
            Self::Threads => "threads",
            Self::Tracker => "tracker",
            Self::Restart => "restart",
            Self::Stale => "stale",
        }
    }

    /// What happens in it, in one line.
    #[must_use]
    pub fn summary(self) -> &'static str {
        match self {
            Self::Teardown => "backing and device-local buffers and views go one by one",
            Self::Reuse => "new buffers take addresses while handles and views of the old ones go",
            Self::Cache => "a program cache is cleared while buffers go and the mesh closes",
            Self::Submesh => "submeshes and their parent close while buffers on them go",
            Self::Close => "a mesh closes while its buffers are deallocated and dropped",
            Self::Gc => "the collector runs while buffers enter cycles and the mesh closes",
            Self::Threads => "threads allocate, deallocate and drop, part by part",
            Self::Tracker => "the client begins to report while buffers are there",
            Self::Restart => "the server restarts while buffers come and go",
            Self::Stale => "a cached program keeps an address that goes to another buffer",
        }
    }

    /// The sizes that count in it.
    #[must_use]
    pub fn sizes(self) -> &'static str {
        match self {
            Self::Teardown | Self::Reuse | Self::Close => "handles, devices, views",
            Self::Cache => "handles, devices, programs",
            Self::Submesh => "handles, devices, submeshes",
            Self::Gc | Self::Tracker | Self::Restart => "handles, devices",
            Self::Threads => "devices, threads",
            Self::Stale => "devices, programs",
        }
    }

    /// Whose affair a failure is.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Tracker | Self::Restart => Class::Environment,
            Self::Stale => Class::Application,
            Self::Teardown
            | Self::Reuse
            | Self::Cache
            | Self::Submesh
            | Self::Close
            | Self::Gc
            | Self::Threads => Class::Lifecycle,
        }
    }

    /// Its scenario of a size.
    ///
    /// ```
    /// use freeorder::search::explore::{Family, Plan, Sizes};
    /// let sizes = Sizes { handles: 3, devices: 4, views: 0, ..Sizes::default() };
    /// let scenario = Family::Teardown.scenario(sizes)?;
    /// let orderings = Plan::of(&scenario).orderings().map(|count| count.to_string());
    /// assert_eq!(orderings.as_deref(), Some("1307674368000"));
    /// # Ok::<(), String>(())
    /// ```
    ///
    /// # Errors
    /// If no machine has a rectangle of so many chips, or a size is out of range.
    pub fn scenario(self, sizes: Sizes) -> Result<Scenario, String> {
        let Sizes { handles, devices, views, programs, submeshes, threads } = sizes;
        let most = [handles, views, programs, submeshes, threads].into_iter().max();
        if most > Some(SIZE_MAX) {
            return Err(format!("a family has at most {SIZE_MAX} of anything"));
        }
        let (machine, shape) = mesh(devices)?;
        let mut text = format!("freeorder 1\nmachine {machine}\n");
        let class = self.class();
        if class != Class::default() {
            let _ = writeln!(text, "class {}", class.name());
        }
        if self == Self::Tracker {
            text.push_str("tracked off\n");
        }
        let _ = writeln!(text, "open m0 {}x{}", shape.rows, shape.columns);
        let mut lines = Lines { text, shape, chips: chips(machine, shape) };
        lines.write(self, sizes);
        Ok(lines.text.parse().expect("a family says only what the language knows"))
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|family| family.name() == text).ok_or_else(|| {
            let hint = suggest::hint(text, Self::ALL.into_iter().map(Self::name));
            format!("unknown family `{text}`; {hint}")
        })
    }
}

/// The smallest machine with a rectangle of so many chips.
fn mesh(devices: u32) -> Result<(Machine, MeshShape), String> {
    for machine in [Machine::T3k, Machine::Galaxy6u] {
        let whole = machine.mesh_shapes()[0];
        let rows = (1..=whole.rows).filter(|&rows| devices.is_multiple_of(u32::from(rows)));
        let shapes = rows.filter_map(|rows| {
            let columns = u8::try_from(devices / u32::from(rows)).ok()?;
            (1..=whole.columns).contains(&columns).then_some(MeshShape { rows, columns })
        });
        if let Some(shape) = shapes.min_by_key(|shape| shape.rows) {
            return Ok((machine, shape));
        }
    }
    Err(format!("no machine has a rectangle of {devices} chips"))
}

/// The chips of a mesh in the first corner of a machine.
fn chips(machine: Machine, shape: MeshShape) -> Lanes {
    let setup = Arc::new(Setup { machine, ..Setup::default() }.settled());
    let mut world = World::new(setup, FixSet::default(), ServerKind::K2, Tracking::NONE);
    world.apply(&Op::Open { mesh: MeshHandle(0), shape, at: (0, 0) }, &mut ());
    let mesh = world.runtime().mesh_device(MeshHandle(0));
    mesh.map_or(Lanes::NONE, |mesh| mesh.devices)
}

/// The text of a scenario that is being written.
struct Lines {
    text: String,
    shape: MeshShape,
    chips: Lanes,
}

impl Lines {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn alloc(&mut self, buffers: std::ops::Range<u32>) {
        for buffer in buffers {
            self.line(&format!("alloc b{buffer} on m0 dram 1x2048"));
        }
    }

    fn write(&mut self, family: Family, sizes: Sizes) {
        match family {
            Family::Teardown => self.teardown(sizes),
            Family::Reuse => self.reuse(sizes),
            Family::Cache => self.cache(sizes),
            Family::Submesh => self.submesh(sizes),
            Family::Close => self.close(sizes),
            Family::Gc => self.gc(sizes),
            Family::Threads => self.threads(sizes),
            Family::Tracker => self.tracker(sizes),
            Family::Restart => self.restart(sizes),
            Family::Stale => self.stale(sizes),
        }
    }

    /// Buffers with views of them, spread evenly.
    fn buffers(&mut self, Sizes { handles, views, .. }: Sizes) {
        self.alloc(0..handles);
        for view in 0..views.min(views * handles) {
            self.line(&format!("view b{} of b{}", handles + view, view % handles));
        }
    }

    fn drop_views(&mut self, Sizes { handles, views, .. }: Sizes) {
        for view in 0..views.min(views * handles) {
            self.line(&format!("drop b{}", handles + view));
        }
    }

    fn teardown(&mut self, sizes: Sizes) {
        self.buffers(sizes);
        self.line("any {");
        for buffer in 0..sizes.handles {
            self.line(&format!("release b{buffer} backing"));
            for device in self.chips.iter() {
                self.line(&format!("release b{buffer} d{}", device.0));
            }
        }
        self.drop_views(sizes);
        self.line("}\nexit");
    }

    /// Each buffer is deallocated and then dropped.
    fn end_handles(&mut self, sizes: Sizes) {
        for buffer in 0..sizes.handles {
            let thread = buffer + 1;
            self.line(&format!("t{thread}: deallocate b{buffer}\nt{thread}: drop b{buffer}"));
        }
    }

    fn reuse(&mut self, sizes: Sizes) {
        self.buffers(sizes);
        self.line("any {");
        self.end_handles(sizes);
        self.drop_views(sizes);
        let first = sizes.handles + sizes.views;
        self.alloc(first..first + sizes.handles);
        self.line("}\nexit");
    }

    fn cache(&mut self, Sizes { handles, programs, .. }: Sizes) {
        self.alloc(0..handles);
        for program in 0..programs {
            let reads = match program.checked_rem(handles) {
                Some(buffer) => format!(" reads b{buffer}"),
                None => String::new(),
            };
            self.line(&format!("run k{program} on m0 cbs 1x1024 kernel 1x1024{reads}"));
        }
        self.line("any {\nclear-cache m0\nclose m0");
        for buffer in 0..handles {
            self.line(&format!("drop b{buffer}"));
        }
        self.line("}\nexit");
    }

    fn submesh(&mut self, Sizes { handles, submeshes, .. }: Sizes) {
        self.alloc(0..handles);
        for mesh in 1..=submeshes {
            let place = (mesh - 1) % u32::from(self.shape.columns);
            self.line(&format!("submesh m{mesh} of m0 1x1 at 0,{place}"));
            self.line(&format!("alloc b{} on m{mesh} dram 1x2048", handles + mesh - 1));
        }
        self.line("any {");
        for buffer in 0..handles + submeshes {
            self.line(&format!("drop b{buffer}"));
        }
        for mesh in 0..=submeshes {
            self.line(&format!("close m{mesh}"));
        }
        self.line("}\nexit");
    }

    fn close(&mut self, sizes: Sizes) {
        self.buffers(sizes);
        self.line("any {");
        self.end_handles(sizes);
        self.drop_views(sizes);
        self.line("close m0\n}\nexit");
    }

    fn gc(&mut self, Sizes { handles, .. }: Sizes) {
        self.alloc(0..handles);
        self.line("any {");
        for buffer in 0..handles {
            let thread = buffer + 1;
            self.line(&format!("t{thread}: deallocate b{buffer}\nt{thread}: cycle b{buffer}"));
        }
        self.line("gc\nclose m0\n}\nexit");
    }

    fn threads(&mut self, Sizes { threads, .. }: Sizes) {
        for thread in 0..threads {
            let (buffer, mesh) = (thread, "m0");
            self.line(&format!("t{thread}: alloc b{buffer} on {mesh} dram 1x2048"));
            self.line(&format!("t{thread}: deallocate b{buffer}\nt{thread}: drop b{buffer}"));
        }
    }

    fn tracker(&mut self, Sizes { handles, .. }: Sizes) {
        self.alloc(0..handles);
        self.line("any {\ntracking on");
        for buffer in 0..handles {
            self.line(&format!("drop b{buffer}"));
        }
        self.line("}\nexit");
    }

    fn restart(&mut self, Sizes { handles, .. }: Sizes) {
        self.alloc(0..handles);
        self.line("any {\nserver restart");
        for buffer in 0..handles {
            self.line(&format!("drop b{buffer}\nalloc b{} on m0 dram 1x2048", handles + buffer));
        }
        self.line("}\nexit");
    }

    fn stale(&mut self, Sizes { programs, .. }: Sizes) {
        for program in 0..programs {
            self.alloc(program..program + 1);
            self.line(&format!("run k{program} on m0 reads b{program}"));
        }
        self.line("any {");
        for program in 0..programs {
            let (thread, next) = (program + 1, programs + program);
            self.line(&format!(
                "deallocate b{program}\nt{thread}: alloc b{next} on m0 dram 1x2048"
            ));
            self.line(&format!("t{thread}: run k{program} on m0 reads b{next} stale"));
        }
        self.line("}\nexit");
    }
}
