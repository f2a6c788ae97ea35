//! CPU time and memory of one process.

use std::fs;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// A process that is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Process {
    id: u32,
    clock: Option<ClockId>,
}

impl Process {
    pub(crate) fn new(id: u32) -> Self {
        let clock = i32::try_from(id).ok().and_then(|id| clock_getcpuclockid(Pid::from_raw(id)).ok());
        Self { id, clock }
    }

    /// The CPU time of all its threads, in user mode and in the kernel on its behalf.
    ///
    /// The process's own CPU clock is read (`clock_getcpuclockid`): the scheduler's accounting in nanoseconds,
    /// threads that have ended included. `/proc/PID/stat` has the same in ticks of 10 ms, which is 1 % of a
    /// second's sample, and `/proc/PID/schedstat` has only the main thread.
    pub(crate) fn cpu(&self) -> Duration {
        self.clock.and_then(|clock| clock.now().ok()).map_or(Duration::ZERO, Duration::from)
    }

    /// The memory that it has resident now.
    pub(crate) fn resident(&self) -> u64 {
        self.status("VmRSS:")
    }

    /// The most that it had resident since [`Process::forget_peak`].
    pub(crate) fn peak(&self) -> u64 {
        self.status("VmHWM:")
    }

    pub(crate) fn forget_peak(&self) {
        // Where the kernel does not know this, the peak is that since the start.
        let _ = fs::write(format!("/proc/{}/clear_refs", self.id), "5");
    }

    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap_or_default();
        let kilobytes = status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next());
        kilobytes.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
    }
}

/// The CPU time of this process.
pub(crate) fn own_cpu() -> Duration {
    ClockId::CLOCK_PROCESS_CPUTIME_ID.now().map_or(Duration::ZERO, Duration::from)
}

/// Allows as many open files as the system lets this process and its children have.
pub(crate) fn raise_file_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}
