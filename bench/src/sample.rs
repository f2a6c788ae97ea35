//! One measurement: one target, one scenario, one window of time.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use tokio::task::LocalSet;

use crate::direct::Measured;
use crate::load::{Endpoint, Totals, Work, histogram, http2, start};
use crate::measure::own_cpu;
use crate::target::{Program, Programs, Running, Target};

/// How long a sample takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

/// What was measured.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) messages: u64,
    pub(crate) elapsed: Duration,
    /// CPU time of the target's process.
    pub(crate) cpu: Duration,
    /// CPU time of the generator.
    pub(crate) generator: Duration,
    pub(crate) peak_rss: u64,
    /// What a socket has resident, where sockets are idle.
    pub(crate) rss_per_socket: Option<u64>,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    pub(crate) latency: Histogram<u64>,
}

impl Sample {
    /// Nanoseconds of the target's CPU for each message.
    #[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
    pub(crate) fn cpu_per_message(&self) -> Option<f64> {
        (self.messages > 0).then(|| self.cpu.as_nanos() as f64 / self.messages as f64)
    }
}

/// Measures a target that is a server.
pub(crate) async fn server(
    work: Work,
    target: &Target,
    running: &Running,
    timing: Timing,
) -> io::Result<Sample> {
    let set = LocalSet::new();
    let sample = set
        .run_until(async {
            let shared = if target.http2 { Some(http2(running.address).await?) } else { None };
            let endpoint = Endpoint {
                address: running.address,
                format: target.format,
                prefix: if is_ours(target) { "/ws" } else { "" },
                http2: shared,
            };
            measure(work, &endpoint, running, timing).await
        })
        .await;
    // The sockets end here; the target gets time to see it, or the next sample would pay for it.
    drop(set);
    tokio::time::sleep(Duration::from_millis(50)).await;
    sample
}

/// Waits until a target answers: a gateway listens before it has asked its upstream for descriptors.
pub(crate) async fn ready(target: &Target, running: &Running) -> io::Result<()> {
    let limit = Instant::now() + Duration::from_secs(10);
    let timing = Timing { warm_up: Duration::ZERO, window: Duration::from_millis(20) };
    loop {
        let work = Work::Subscribe { sockets: 1, size: 0, rate: 0.0 };
        let sample = server(work, target, running, timing).await;
        match sample {
            Ok(sample) if sample.messages > 0 => return Ok(()),
            Err(error) if Instant::now() > limit => return Err(error),
            Ok(_) if Instant::now() > limit => return Err(io::Error::other("does not answer")),
            _ => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn is_ours(target: &Target) -> bool {
    matches!(target.program, Program::Gateway | Program::Earlier | Program::Library)
}

async fn measure(work: Work, endpoint: &Endpoint, running: &Running, timing: Timing) -> io::Result<Sample> {
    let totals = Rc::new(Totals::new());
    let process = &running.process;
    if let Work::Idle { sockets } = work {
        return idle(sockets, endpoint, running, &totals).await;
    }
    process.forget_peak();
    let (cpu, generator, started) = (process.cpu(), own_cpu(), Instant::now());
    start(work, endpoint, &totals).await?;
    if let Work::Order { .. } | Work::Collect { .. } = work {
        until(Duration::from_secs(30), || totals.finished.get() == work.sockets()).await;
        if totals.finished.get() < work.sockets() {
            totals.error("not all messages came within 30 s");
        }
        let (cpu, generator) = (process.cpu().saturating_sub(cpu), own_cpu() - generator);
        return Ok(sample(&totals, totals.messages.get(), started.elapsed(), cpu, generator, running));
    }
    tokio::time::sleep(timing.warm_up).await;
    totals.recording.set(true);
    let (cpu, generator, messages, start) = (process.cpu(), own_cpu(), totals.messages.get(), Instant::now());
    tokio::time::sleep(timing.window).await;
    let (cpu, generator) = (process.cpu().saturating_sub(cpu), own_cpu() - generator);
    let messages = totals.messages.get() - messages;
    Ok(sample(&totals, messages, start.elapsed(), cpu, generator, running))
}

fn sample(
    totals: &Totals,
    messages: u64,
    elapsed: Duration,
    cpu: Duration,
    generator: Duration,
    running: &Running,
) -> Sample {
    Sample {
        messages,
        elapsed,
        cpu,
        generator,
        peak_rss: running.process.peak(),
        rss_per_socket: None,
        errors: totals.errors.get(),
        first_error: totals.first_error.borrow().clone(),
        latency: totals.take_latency(),
    }
}

/// What idle sockets cost: the growth of the resident memory, after a few sockets have come and gone.
async fn idle(
    sockets: usize,
    endpoint: &Endpoint,
    running: &Running,
    totals: &Rc<Totals>,
) -> io::Result<Sample> {
    let first = LocalSet::new();
    first.run_until(start(Work::Idle { sockets: 50 }, endpoint, &Rc::new(Totals::new()))).await?;
    drop(first);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (before, cpu, began) = (running.process.resident(), running.process.cpu(), Instant::now());
    start(Work::Idle { sockets }, endpoint, totals).await?;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let growth = running.process.resident().saturating_sub(before);
    let cpu = running.process.cpu().saturating_sub(cpu);
    let sockets = u64::try_from(sockets).unwrap_or(1);
    let sample = sample(totals, sockets, began.elapsed(), cpu, Duration::ZERO, running);
    Ok(Sample { rss_per_socket: Some(growth / sockets), ..sample })
}

async fn until(limit: Duration, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() && start.elapsed() < limit {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Measures a client that runs the scenario by itself.
pub(crate) async fn direct(
    work: Work,
    target: &Target,
    programs: &Programs,
    backend: SocketAddr,
    timing: Timing,
) -> io::Result<Sample> {
    let mut command = programs.direct(target, backend)?;
    match work {
        Work::Subscribe { sockets, size, rate } => command.args([
            "--scenario=subscribe".to_owned(),
            format!("--streams={sockets}"),
            format!("--size={size}"),
            format!("--rate={rate}"),
        ]),
        Work::Echo { sockets, in_flight } => command.args([
            "--scenario=echo".to_owned(),
            format!("--streams={sockets}"),
            format!("--in-flight={in_flight}"),
        ]),
        Work::Collect { sockets, .. } => {
            command.args(["--scenario=collect".to_owned(), format!("--streams={sockets}")])
        }
        _ => return Err(io::Error::other("has no socket")),
    };
    command.arg(format!("--warm-up={}ms", timing.warm_up.as_millis()));
    command.arg(format!("--window={}ms", timing.window.as_millis()));
    let limit = timing.warm_up + timing.window + Duration::from_secs(10);
    let output = timed(limit, command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()).await?;
    let measured: Measured = serde_json::from_slice(&output.stdout).map_err(io::Error::other)?;
    Ok(Sample {
        messages: measured.messages,
        elapsed: Duration::from_nanos(measured.elapsed_ns),
        cpu: Duration::from_nanos(measured.cpu_ns),
        generator: Duration::ZERO,
        peak_rss: 0,
        rss_per_socket: None,
        errors: measured.errors,
        first_error: None,
        latency: histogram(),
    })
}

async fn timed<T>(limit: Duration, future: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(limit, future).await.map_err(io::Error::other)?
}
