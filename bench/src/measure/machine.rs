//! What the machine is, and how much else goes on on it.

use std::fs;
use std::hint::black_box;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::own_cpu;

/// What the figures were measured on.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) kernel: String,
    pub(crate) rustc: String,
    pub(crate) go: String,
    pub(crate) date: String,
}

impl Machine {
    pub(crate) fn read() -> Self {
        let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor =
            processor.lines().find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
        Self {
            processor: processor.unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: output("uname", &["-sr"]),
            rustc: output("rustc", &["--version"]),
            go: output("go", &["env", "GOVERSION"]),
            date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        }
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    output.map_or_else(String::new, |output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Watches the machine while samples are taken.
#[derive(Debug)]
pub(crate) struct NoiseMeter {
    start: Ticks,
    spins: Vec<Spin>,
}

/// One run of a fixed piece of work.
#[derive(Debug, Clone, Copy)]
struct Spin {
    wall: Duration,
    cpu: Duration,
}

/// The machine's time by kind, in ticks.
#[derive(Debug, Clone, Copy, Default)]
struct Ticks {
    all: u64,
    stolen: u64,
}

/// How noisy the machine was.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Noise {
    /// The share of the time that the hypervisor gave to others.
    pub(crate) stolen: f64,
    /// The CPU time of a fixed piece of work between the samples, in its slowest tenth over its median: above
    /// 1.1 the cores themselves change their speed.
    pub(crate) cpu_spread: f64,
    /// The share of the wall time in which that work had to wait for a core, when the benchmark itself had
    /// nothing to do: other programs of the machine.
    pub(crate) waiting: f64,
}

impl NoiseMeter {
    pub(crate) fn start() -> Self {
        Self { start: Ticks::read(), spins: Vec::new() }
    }

    /// Runs the fixed work, while nothing of the benchmark runs.
    pub(crate) fn spin(&mut self) {
        let (start, cpu) = (Instant::now(), own_cpu());
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for _ in 0..4_000_000 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
        }
        black_box(state);
        self.spins.push(Spin { wall: start.elapsed(), cpu: own_cpu() - cpu });
    }

    #[expect(clippy::cast_precision_loss, reason = "a share of ticks")]
    pub(crate) fn finish(mut self) -> Noise {
        let now = Ticks::read();
        let all = now.all.saturating_sub(self.start.all).max(1);
        let waiting: Duration = self.spins.iter().map(|spin| spin.wall.saturating_sub(spin.cpu)).sum();
        let wall: Duration = self.spins.iter().map(|spin| spin.wall).sum();
        self.spins.sort_by_key(|spin| spin.cpu);
        let at = |share: usize| {
            let spin = self.spins.get(self.spins.len() * share / 100);
            spin.map_or(1.0, |spin| spin.cpu.as_secs_f64())
        };
        Noise {
            stolen: now.stolen.saturating_sub(self.start.stolen) as f64 / all as f64,
            cpu_spread: at(90) / at(50),
            waiting: waiting.as_secs_f64() / wall.as_secs_f64().max(f64::EPSILON),
        }
    }
}

impl Noise {
    /// What to make of it.
    pub(crate) fn verdict(&self) -> &'static str {
        if self.stolen < 0.01 && self.cpu_spread < 1.1 && self.waiting < 0.02 {
            "quiet"
        } else if self.stolen < 0.05 && self.cpu_spread < 1.3 && self.waiting < 0.2 {
            "somewhat noisy: trust ratios and CPU times, not wall rates and tails"
        } else {
            "noisy: trust ratios of CPU times only"
        }
    }
}

impl Ticks {
    fn read() -> Self {
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = stat.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = first.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // user nice system idle iowait irq softirq steal; what follows is counted in user already.
        Self { all: ticks.iter().take(8).sum(), stolen: ticks.get(7).copied().unwrap_or(0) }
    }
}
