//! A process of the real runtime: started when it is asked something, and again after it died.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::child::{Child, Ending};
use super::counters;
use super::descriptor::{descriptor_with, unique_ids};
use super::protocol::{Answer, ChildSeen, Request};
use super::symbol;
use crate::allocator::Machine;
use crate::suggest;

/// The driver, which the interpreter is given as its program.
pub const DRIVER: &str = include_str!("../../runtime/driver.py");

/// The longest time for an answer: the first run of an operation compiles its kernels.
const ANSWER_MAX: Duration = Duration::from_secs(240);

/// How the runtime ended instead of answering.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// How.
    pub ending: Ending,
    /// The innermost function of the runtime that was running, as far as its libraries name it.
    pub symbol: Option<String>,
    /// What the interpreter said when it could not start, if that is what happened.
    pub said: String,
    /// Whether it was a child that ended: the runtime answers still.
    pub of_child: bool,
    /// The name that the driver was looking at, if it was not the call that ended it.
    pub looked_at: Option<String>,
}

impl Death {
    /// The class of the deviation that it is, and the facts.
    pub(super) fn told(&self) -> (String, String) {
        let place = self.symbol.as_deref().map_or(String::new(), |symbol| format!(" in {symbol}"));
        let (who, whose) = if self.of_child { ("child", " of a child") } else { ("process", "") };
        let detail = match self.ending {
            Ending::Signal(_) => match &self.looked_at {
                Some(name) => format!("the {who} died when {name} was looked at"),
                None => format!("the {who} died"),
            },
            Ending::Hung if self.of_child => "the child does not end".to_owned(),
            Ending::Hung => "the process does not answer any more".to_owned(),
            Ending::Code(_) => self.said.clone(),
        };
        (format!("crash{whose}: {}{place}", self.ending), detail)
    }
}

impl ChildSeen {
    /// What came of a child, unless it exited with 0 as all of them are asked to.
    pub(super) fn death(&self) -> Option<Death> {
        let ending = match (self.code, self.signal) {
            (Some(0), _) => return None,
            (Some(code), _) => Ending::Code(code),
            (None, Some(signal)) => Ending::Signal(signal),
            (None, None) => Ending::Hung,
        };
        let said = "the child does not exit with 0".to_owned();
        let symbol = symbol::innermost(&self.trace);
        Some(Death { ending, symbol, said, of_child: true, looked_at: None })
    }
}

/// Something that answers as the driver does: a process of the real runtime, or a stand-in.
pub trait Runtime {
    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// If the runtime ended instead.
    fn ask(&mut self, request: &Request) -> Result<Answer, Death>;

    /// The machine that it is on.
    fn machine(&self) -> Machine;

    /// Makes sure that nothing asked before has left a trace.
    fn restart(&mut self);
}

/// Where a runtime is, and what it needs around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installation {
    /// An interpreter that can import ttnn.
    pub python: PathBuf,
    /// The folder with the descriptors of machines and the cache of compiled kernels.
    pub home: PathBuf,
}

impl Installation {
    /// The descriptor of a machine.
    #[must_use]
    pub fn descriptor(&self, machine: Machine) -> PathBuf {
        self.home.join("descriptors").join(format!("{machine}.yaml"))
    }

    /// The command that runs the interpreter on a machine without hardware, in the folder of the
    /// environment: the runtime writes a folder `generated` wherever it runs.
    #[must_use]
    pub fn command(&self, machine: Machine) -> Command {
        let mut command = Command::new(&self.python);
        command
            .current_dir(&self.home)
            .env("TT_METAL_MOCK_CLUSTER_DESC_PATH", self.descriptor(machine))
            .env("TT_METAL_SLOW_DISPATCH_MODE", "1")
            .env("TT_METAL_LOGGER_LEVEL", "fatal")
            .env("LOGURU_LEVEL", "ERROR")
            .env("TT_METAL_DISABLE_BACKTRACE", "1")
            // A process of its own has nobody to share memory with, which would stay behind it.
            .env("OMPI_MCA_btl", "self")
            .env("TT_METAL_CACHE", self.home.join("cache"))
            .env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// A process of the real runtime on one machine.
#[derive(Debug)]
pub struct Process {
    installation: Installation,
    machine: Machine,
    /// Where the process says what it was doing when it died, and what it prints.
    trace: PathBuf,
    said: PathBuf,
    /// Where MPI keeps the files of its session.
    session: PathBuf,
    /// The descriptor of the machine, whose chips are this process's own, and their unique ids.
    descriptor: PathBuf,
    chips: Vec<u64>,
    waits: Waits,
    child: Option<Child>,
}

/// Asked while there is no answer to a request: for how long, and which; false ends the waiting.
pub type Waits = fn(Duration, &str) -> bool;

impl Process {
    /// A process that is not started yet; `number` tells it from others of this program.
    #[must_use]
    pub fn new(installation: &Installation, machine: Machine, number: usize) -> Self {
        let own = std::process::id();
        let file = |what| installation.home.join(format!("{what}.{own}.{number}.txt"));
        Self {
            machine,
            trace: file("trace"),
            said: file("output"),
            session: installation.home.join(format!("session.{own}.{number}")),
            descriptor: installation.home.join(format!("{machine}.{own}.{number}.yaml")),
            chips: unique_ids(machine, Some((own, number))),
            waits: |_, _| true,
            child: None,
            installation: installation.clone(),
        }
    }

    /// The same, where somebody says how long to wait for an answer.
    #[must_use]
    pub fn waiting(mut self, waits: Waits) -> Self {
        self.waits = waits;
        self
    }

    fn start(&self) -> std::io::Result<Child> {
        let _ = std::fs::remove_file(&self.trace);
        let said = std::fs::File::create(&self.said)?;
        let mut command = self.installation.command(self.machine);
        std::fs::write(&self.descriptor, descriptor_with(self.machine, &self.chips))?;
        command.env("TT_METAL_MOCK_CLUSTER_DESC_PATH", &self.descriptor);
        std::fs::create_dir_all(&self.session)?;
        command.args(["-u", "-c", DRIVER]).env("FREEORDER_TRACE", &self.trace);
        command.env("TMPDIR", &self.session);
        Child::start(command.stderr(Stdio::from(said)))
    }

    /// The regions of a process stay when it is gone, with what it did not give back, and so do the
    /// files of its session if it was killed.
    fn clean_up(&self) {
        let _ = std::fs::remove_dir_all(&self.session);
        for &id in &self.chips {
            let _ = std::fs::remove_file(counters::path(id));
        }
    }

    fn death(&self, ending: Ending) -> Death {
        let trace = std::fs::read(&self.trace).unwrap_or_default();
        let said = std::fs::read(&self.said).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let trace = String::from_utf8_lossy(&trace);
        let (symbol, looked_at) = (symbol::innermost(&trace), symbol::looked_at(&trace));
        Death { ending, symbol, said: last.to_owned(), of_child: false, looked_at }
    }
}

impl Runtime for Process {
    fn ask(&mut self, request: &Request) -> Result<Answer, Death> {
        if self.child.is_none() {
            let child = self.start().map_err(|error| Death {
                ending: Ending::Code(127),
                symbol: None,
                said: format!("{}: {error}", self.installation.python.display()),
                of_child: false,
                looked_at: None,
            })?;
            self.child = Some(child);
        }
        let child = self.child.as_mut().expect("it was started above");
        let line = serde_json::to_string(request).expect("a request is plain data");
        let waits = self.waits;
        let answered = child.ask_while(&line, ANSWER_MAX, &mut |waited| waits(waited, &line));
        let read = answered.map(|line| serde_json::from_str::<Answer>(&line));
        match read {
            Ok(Ok(answer)) => {
                let counters = counters::regions(&self.chips, answer.pid);
                Ok(Answer { counters, ..answer })
            }
            Ok(Err(error)) => {
                self.child = None;
                let error = suggest::shown(&error.to_string());
                let said = format!("the driver's answer cannot be read: {error}");
                let (ending, symbol, looked_at) = (Ending::Code(0), None, None);
                Err(Death { ending, symbol, said, of_child: false, looked_at })
            }
            Err(ending) => {
                self.child = None;
                // After a kill, what the process did not give back is the next one's to find.
                if !request.kills() {
                    self.clean_up();
                }
                Err(self.death(ending))
            }
        }
    }

    fn machine(&self) -> Machine {
        self.machine
    }

    fn restart(&mut self) {
        self.child = None;
        self.clean_up();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.child = None;
        self.clean_up();
        for file in [&self.trace, &self.said, &self.descriptor] {
            let _ = std::fs::remove_file(file);
        }
    }
}
