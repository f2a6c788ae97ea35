//! The run: all streams at once, and what came of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use tokio::task::JoinSet;

use super::matrix::{Case, Path, draw};
use super::stream::{Outcome, follow};
use crate::ask::Ask;
use crate::books::{self, Books};
use crate::draw::numbered;
use crate::failure::Failure;
use crate::process::Process;
use crate::report::Report;
use crate::servers::{Programs, Times};

/// The options of `link`.
#[derive(Debug, Args)]
pub(crate) struct LinkArguments {
    /// How many streams are drawn; at least as many as it takes for each pair of values.
    #[arg(long, default_value_t = 1_000)]
    streams: usize,
    /// How many of them are open at a time.
    #[arg(long, default_value_t = 250)]
    at_once: usize,
    /// Longer streams: some last longer than the default heartbeat.
    #[arg(long)]
    long: bool,
    /// Runs one stream of the draw alone, by its number.
    #[arg(long, value_name = "NUMBER")]
    only: Option<usize>,
}

/// The addresses of one gateway, by the way to it.
#[derive(Clone, Copy, Debug)]
struct Ways {
    direct: SocketAddr,
    nginx: SocketAddr,
    haproxy: SocketAddr,
}

/// The servers of a run. They end when this is dropped.
struct World {
    default: Ways,
    scaled: Ways,
    upstream: SocketAddr,
    processes: Vec<Process>,
}

impl World {
    async fn start(programs: &Programs) -> Result<Self, Failure> {
        let (process, upstream) = programs.upstream().await?;
        let mut processes = vec![process];
        let mut ways = Vec::new();
        for times in [Times::Default, Times::Scaled] {
            let (gateway, direct) = programs.gateway(upstream, times.config(), "").await?;
            let (nginx, through_nginx) = programs.nginx(direct).await?;
            let (haproxy, through_haproxy) = programs.haproxy(direct)?;
            processes.extend([gateway, nginx, haproxy]);
            ways.push(Ways { direct, nginx: through_nginx, haproxy: through_haproxy });
        }
        let [default, scaled] = ways[..] else { return Err("two gateways were started".into()) };
        Ok(Self { default, scaled, upstream, processes })
    }

    fn address(&self, case: &Case) -> SocketAddr {
        let ways = match case.times {
            Times::Default => &self.default,
            Times::Scaled => &self.scaled,
        };
        match case.path {
            Path::Direct => ways.direct,
            Path::Nginx => ways.nginx,
            Path::Haproxy => ways.haproxy,
        }
    }
}

/// One stream, with its number in the draw.
struct Stream {
    number: usize,
    case: Case,
    ask: Ask,
    due: Duration,
}

/// Runs the streams and reports those that are not complete.
pub(crate) async fn run(
    arguments: LinkArguments,
    seed: u64,
    programs: &Programs,
    report: &mut Report,
) -> Result<(), Failure> {
    let world = Arc::new(World::start(programs).await?);
    let mut books = Books::default();
    let mut reader = books::Reader::new(world.upstream)?;
    let streams = draw(seed, arguments.streams).into_iter().enumerate().map(|(number, case)| {
        let mut draw = numbered(seed, u64::try_from(number).unwrap_or(u64::MAX));
        let (ask, milliseconds) = case.ask(&mut draw, format!("link-{number}"), arguments.long);
        Stream { number, case, ask, due: Duration::from_millis(milliseconds.into()) }
    });
    let mut streams: Vec<Stream> =
        streams.filter(|stream| arguments.only.is_none_or(|only| only == stream.number)).collect();
    report.note(format!("link: {} streams, {} at once, seed {seed}", streams.len(), arguments.at_once));
    // The longest first, so that none of them begins when the others have ended.
    streams.sort_by_key(|stream| stream.due);
    let mut running = JoinSet::new();
    let (mut reset, mut messages, mut longest) = (0, 0_u64, Duration::ZERO);
    let mut ended = Vec::new();
    loop {
        while running.len() < arguments.at_once.max(1)
            && let Some(stream) = streams.pop()
        {
            let address = world.address(&stream.case);
            running.spawn(async move {
                let outcome = follow(&stream.case, &stream.ask, address, stream.due).await;
                (stream, outcome)
            });
        }
        let Some(finished) = running.join_next().await else { break };
        let (stream, outcome) = finished?;
        if let Ok(outcome) = &outcome {
            reset += usize::from(outcome.reset && outcome.faults.is_empty());
            messages += u64::from(outcome.messages);
            longest = longest.max(outcome.took);
        }
        ended.push((stream, outcome));
    }
    reader.read(&mut books).await?;
    let long = if arguments.long { " --long" } else { "" };
    for (stream, outcome) in ended {
        let again = format!(
            "grpcws-campaign --seed {seed} link --streams {}{long} --only {}",
            arguments.streams, stream.number
        );
        judge(&stream, outcome, &mut books, report, &again);
    }
    report.note(format!(
        "{messages} messages, the longest stream took {:.1} s, {reset} complete streams ended with RST",
        longest.as_secs_f64()
    ));
    for process in &world.processes {
        report.check("a server", &process.panics(), "the log above");
    }
    Ok(())
}

fn judge(
    stream: &Stream,
    outcome: Result<Outcome, Failure>,
    books: &mut Books,
    report: &mut Report,
    again: &str,
) {
    let known = books.take(&stream.ask.tag);
    let upstream = known.as_ref().map_or_else(
        || "the upstream does not know it".to_owned(),
        |call| {
            format!("at the upstream {:?}, {} received, {} sent", call.outcome(), call.received, call.sent)
        },
    );
    let Case { rate, round_trip_ms, large_buffers, path, client, http2, mode, times, .. } = stream.case;
    let buffers = if large_buffers { "large" } else { "small" };
    let version = if http2 { "HTTP/2" } else { "HTTP/1.1" };
    let what = format!(
        "stream {}: {rate} B/s, {round_trip_ms} ms, {buffers} buffers, {path:?}, {client:?}, {version}, {mode:?}, \
         {times:?} times, {:?}, {} × {} bytes, due {:.1} s",
        stream.number,
        stream.ask.method,
        stream.ask.count,
        stream.ask.size.max(stream.ask.payload),
        stream.due.as_secs_f64(),
    );
    match outcome {
        Err(failure) => report.fail(format!("{what}: {failure}; {upstream}"), again),
        Ok(outcome) if outcome.faults.is_empty() => report.pass(),
        Ok(outcome) => {
            let seen = format!(
                "{upstream}; {:.1} s, of which {:.1} s without a byte",
                outcome.took.as_secs_f64(),
                outcome.quiet.as_secs_f64()
            );
            report.fail(format!("{what}: {}; {seen}", outcome.faults.join("; ")), again);
        }
    }
}
