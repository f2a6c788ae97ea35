//! Child processes: started, stopped, killed, measured, and never left behind.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::failure::Failure;

/// A running program. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    pid: Pid,
    log: PathBuf,
}

impl Process {
    /// Starts a program whose standard error goes to a log file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, Failure> {
        let shown = format!("{:?}", command.as_std());
        let errors = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stderr(errors).kill_on_drop(true);
        let child = command.spawn().map_err(|error| format!("{shown} did not start: {error}"))?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = id.ok_or_else(|| format!("{shown} ended at once"))?;
        Ok(Self { child, pid, log: log.to_owned() })
    }

    /// Starts a server, and waits for the line that says its address.
    pub(crate) async fn listening(
        command: &mut Command,
        prefix: &str,
        log: &Path,
    ) -> Result<(Self, SocketAddr), Failure> {
        let mut process = Self::start(command.stdout(Stdio::piped()), log)?;
        let stdout = process.child.stdout.take().ok_or("standard output is piped")?;
        let mut lines = BufReader::new(stdout).lines();
        let address = async {
            while let Some(line) = lines.next_line().await? {
                if let Some(address) = line.strip_prefix(prefix) {
                    return address.trim().parse().map_err(Failure::from);
                }
            }
            Err(format!("{:?} ended before it listened: see {}", command.as_std(), log.display()).into())
        };
        let address = tokio::time::timeout(Duration::from_secs(30), address).await??;
        // What it prints later is read and dropped, so that it never blocks on a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok((process, address))
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failure> {
        Ok(kill_process(self.pid, signal)?)
    }

    /// Stops the process for a time, as SIGSTOP and SIGCONT do.
    pub(crate) async fn stop_for(&self, time: Duration) -> Result<(), Failure> {
        self.signal(Signal::STOP)?;
        tokio::time::sleep(time).await;
        self.signal(Signal::CONT)
    }

    /// Kills the process and waits for its end.
    pub(crate) async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.child.kill().await?)
    }

    /// Whether the process still runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Resident memory in KB.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.pid.as_raw_pid());
        let status = std::fs::read_to_string(path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().split(' ').next()?.parse().ok()).unwrap_or_default()
    }

    /// The number of open files.
    pub(crate) fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid.as_raw_pid())).map_or(0, Iterator::count)
    }

    /// The lines of the log in which a panic is reported.
    pub(crate) fn panics(&self) -> Vec<String> {
        // h2 asserts, in debug builds only, that a connection has no streams when it is dropped, which a connection
        // that breaks may have (hyperium/h2 #907). Nothing but that connection ends by it.
        let spurious = |line: &str| line.contains("/h2-") && line.contains("/proto/streams/counts.rs");
        let log = std::fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        log.lines().filter(|line| line.contains("panicked") && !spurious(line)).map(str::to_owned).collect()
    }
}
