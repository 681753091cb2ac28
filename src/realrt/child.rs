//! A child process that answers lines with lines, and can neither outlive nor stall its owner.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// How a child process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A signal killed it.
    Signal(i32),
    /// It exited.
    Code(i32),
    /// It did not answer in time, and was killed for it.
    Hung,
}

/// How often whoever waits is asked.
const SLICE: Duration = Duration::from_millis(250);

/// A child process that is asked and answers.
///
/// ```
/// use std::{process::Command, time::Duration};
/// use freeorder::realrt::Child;
/// let mut child = Child::start(&mut Command::new("cat"))?;
/// assert_eq!(child.ask("hello", Duration::from_secs(10)), Ok("hello".to_owned()));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
}

impl Child {
    /// Starts it.
    ///
    /// # Errors
    /// If the program cannot be started.
    ///
    /// # Panics
    /// Never: the pipes that are asked for are there.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let stdin = process.stdin.take();
        let stdout = process.stdout.take().expect("standard output is piped");
        let (sender, answers) = channel();
        // A thread of its own, so that a silent child can be waited for with a limit.
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines() {
                if line.is_ok_and(|line| sender.send(line).is_ok()) {
                    continue;
                }
                break;
            }
        });
        Ok(Self { process, stdin, answers })
    }

    /// Asks, and waits for the answer.
    ///
    /// # Errors
    /// If the child ended before it answered, or did not answer within the limit.
    pub fn ask(&mut self, line: &str, limit: Duration) -> Result<String, Ending> {
        self.ask_while(line, limit, &mut |_| true)
    }

    /// The same; while there is no answer it is asked every quarter of a second whether to wait on,
    /// and told for how long it did.
    ///
    /// # Errors
    /// If the child ended before it answered, or was waited for no longer.
    pub fn ask_while(
        &mut self,
        line: &str,
        limit: Duration,
        goes_on: &mut dyn FnMut(Duration) -> bool,
    ) -> Result<String, Ending> {
        if let Some(stdin) = &mut self.stdin {
            // A child that died cannot be written to; that it answers nothing tells how it ended.
            let _ = stdin.write_all(format!("{line}\n").as_bytes()).and_then(|()| stdin.flush());
        }
        let mut waited = Duration::ZERO;
        loop {
            let slice = SLICE.min(limit.saturating_sub(waited));
            match self.answers.recv_timeout(slice) {
                Ok(answer) => return Ok(answer),
                Err(RecvTimeoutError::Disconnected) => return Err(self.ended(limit)),
                Err(RecvTimeoutError::Timeout) => waited += slice,
            }
            if waited >= limit || !goes_on(waited) {
                self.kill();
                return Err(Ending::Hung);
            }
        }
    }

    /// How the child ended, whose output is closed.
    fn ended(&mut self, limit: Duration) -> Ending {
        self.stdin = None;
        for _ in 0..limit.as_millis().min(30_000) / 10 {
            match self.process.try_wait() {
                Ok(Some(status)) => return ending(status),
                Ok(None) => std::thread::sleep(Duration::from_millis(10)),
                Err(_) => break,
            }
        }
        self.kill();
        Ending::Hung
    }

    fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(unix)]
fn ending(status: ExitStatus) -> Ending {
    use std::os::unix::process::ExitStatusExt;
    status.signal().map_or_else(|| Ending::Code(status.code().unwrap_or(-1)), Ending::Signal)
}

#[cfg(not(unix))]
fn ending(status: ExitStatus) -> Ending {
    Ending::Code(status.code().unwrap_or(-1))
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Signal(4) => "SIGILL",
            Self::Signal(6) => "SIGABRT",
            Self::Signal(7) => "SIGBUS",
            Self::Signal(8) => "SIGFPE",
            Self::Signal(9) => "SIGKILL",
            Self::Signal(11) => "SIGSEGV",
            Self::Signal(number) => return write!(f, "signal {number}"),
            Self::Code(code) => return write!(f, "exit code {code}"),
            Self::Hung => "no answer",
        };
        f.write_str(name)
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "without a shell there is nothing to test")]

    use super::*;

    fn shell(script: &str) -> Child {
        Child::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    /// Each way to end is told from the others: a crash is a finding, an exit is not.
    #[test]
    fn the_end_of_a_child_is_known() {
        let limit = Duration::from_secs(20);
        assert_eq!(shell("read line; kill -SEGV $$").ask("x", limit), Err(Ending::Signal(11)));
        assert_eq!(shell("read line; exit 3").ask("x", limit), Err(Ending::Code(3)));
        let short = Duration::from_millis(50);
        assert_eq!(shell("sleep 60").ask("x", short), Err(Ending::Hung));
        let mut told = Vec::new();
        let mut patience = |waited| {
            told.push(waited);
            told.len() < 2
        };
        assert_eq!(shell("sleep 60").ask_while("x", limit, &mut patience), Err(Ending::Hung));
        assert_eq!(told, [SLICE, 2 * SLICE], "it is waited for no longer than somebody wants to");
        let mut twice = shell("read a; echo 1; read b; echo 2");
        assert_eq!(twice.ask("x", limit).as_deref(), Ok("1"));
        assert_eq!(twice.ask("x", limit).as_deref(), Ok("2"));
        assert_eq!(twice.ask("x", limit), Err(Ending::Code(0)));
        assert_eq!(Ending::Signal(8).to_string(), "SIGFPE");
    }
}
