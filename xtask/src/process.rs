//! Starting programs, showing what they print, and never leaving one behind.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use crate::context::Failure;

/// Runs a command whose output goes to the terminal.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    println!("   {}", shown(command));
    let mut child = Running::start(command)?;
    let status = child.0.wait().map_err(|error| Failure::new(format!("{}: {error}", shown(command))))?;
    if status.success() { Ok(()) } else { Err(Failure::new(format!("{}: {status}", shown(command)))) }
}

/// Whether a command can be run and succeeds; its output is dropped.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// What a command prints, if it succeeds.
pub(crate) fn output(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What a program printed, line by line, and whether it succeeded.
pub(crate) struct Finished {
    pub(crate) lines: Vec<String>,
    pub(crate) success: bool,
}

/// Runs a command, shows its standard output and keeps it. A program that runs longer than `limit` is
/// ended, and that is a failure.
pub(crate) fn run_and_read(command: &mut Command, limit: Duration) -> Result<Finished, Failure> {
    println!("   {}", shown(command));
    let deadline = Instant::now() + limit;
    let mut child = Running::start(command.stdout(Stdio::piped()))?;
    let printed = child.lines();
    let mut lines = Vec::new();
    loop {
        match printed.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                println!("{line}");
                lines.push(line);
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                return Err(Failure::new(format!("{} ran longer than {limit:?}", shown(command))));
            }
        }
    }
    while Instant::now() < deadline {
        if let Some(status) = child.0.try_wait().map_err(|error| Failure::new(error.to_string()))? {
            return Ok(Finished { lines, success: status.success() });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Err(Failure::new(format!("{} ran longer than {limit:?}", shown(command))))
}

/// A server that runs until this is dropped.
pub(crate) struct Server {
    _child: Running,
}

impl Server {
    /// Starts a server, waits until it has printed a line that begins with `prefix`, and returns the rest of
    /// that line.
    pub(crate) fn start(
        command: &mut Command,
        prefix: &str,
        limit: Duration,
    ) -> Result<(Self, String), Failure> {
        println!("   {} &", shown(command));
        let deadline = Instant::now() + limit;
        let mut child = Running::start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
        let printed = child.lines();
        let address = loop {
            let line = printed
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
                .map_err(|_| Failure::new(format!("{} did not print {prefix:?}", shown(command))))?;
            if let Some(rest) = line.strip_prefix(prefix) {
                break rest.trim().to_owned();
            }
        };
        // What it prints later is read and dropped, so that it never blocks on a full pipe.
        std::thread::spawn(move || while printed.recv().is_ok() {});
        Ok((Self { _child: child }, address))
    }
}

/// A child process that does not outlive its owner.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Result<Self, Failure> {
        let child = command.spawn();
        child.map(Self).map_err(|error| Failure::new(format!("{} did not start: {error}", shown(command))))
    }

    /// The lines of the child's standard output, as they come.
    fn lines(&mut self) -> Receiver<String> {
        let (sender, receiver) = sync_channel(64);
        if let Some(stdout) = self.0.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                    if sender.send(String::from_utf8_lossy(&line).trim_end().to_owned()).is_err() {
                        break;
                    }
                }
            });
        }
        receiver
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail for a child that has ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command as one would type it.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}
