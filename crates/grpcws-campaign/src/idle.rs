//! Idle streams: each has echoed a message and then only answers pings. Printed is what one holds.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::ask::{Ask, END_SEND, Method, Mode};
use crate::books;
use crate::client::frame::{Decoder, TEXT, frame};
use crate::client::handshake;
use crate::client::transport::{Connection, Reader, Writer, tcp};
use crate::client::view::View;
use crate::failure::Failure;
use crate::oracle::{self, Known};
use crate::process::Process;
use crate::report::Report;
use crate::servers::Programs;

/// The options of `idle`.
#[derive(Debug, Args)]
pub(crate) struct IdleArguments {
    /// The number of streams over HTTP/1.1. Each is a socket of this program and one of the gateway.
    #[arg(long, default_value_t = 18_000)]
    http1: usize,
    /// The number of streams over RFC 8441, 1,000 on a connection.
    #[arg(long, default_value_t = 200_000)]
    http2: usize,
    /// How often they are all opened and ended.
    #[arg(long, default_value_t = 3)]
    waves: usize,
    /// How many seconds they are idle. The gateway pings after 30 s.
    #[arg(long, default_value_t = 40)]
    seconds: u64,
}

/// The gateway's limit of streams on an HTTP/2 connection.
const STREAMS: usize = 1_000;

/// How many connections are opened at a time.
const AT_ONCE: usize = 200;

/// The lines for a gateway that takes all of them, and for its upstream: 100 streams on each of its connections.
const GATEWAY: &str = "max-streams = 1000000\nmax-connections = 100000\n";
const UPSTREAM: &str = "max-connections = 10000\n";

/// Opens idle streams in waves and reports the memory of each.
pub(crate) async fn idle(
    arguments: IdleArguments,
    programs: &Programs,
    report: &mut Report,
) -> Result<(), Failure> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit)?;
    for (http2, streams) in [(false, arguments.http1), (true, arguments.http2)] {
        if streams == 0 {
            continue;
        }
        let version = if http2 { "RFC 8441" } else { "HTTP/1.1" };
        let (_upstream, at) = programs.upstream().await?;
        let (gateway, address) = programs.gateway(at, GATEWAY, UPSTREAM).await?;
        let mut books = books::Reader::new(at)?;
        let empty = Memory::read(&gateway);
        let mut waves = Vec::new();
        for wave in 1..=arguments.waves {
            let opened = Wave::open(address, http2, streams).await?;
            let took = opened.took;
            tokio::time::sleep(Duration::from_secs(arguments.seconds)).await;
            let full = Memory::read(&gateway);
            let faults = opened.end().await;
            let live = books.wait_until_idle(Duration::from_secs(60)).await?;
            tokio::time::sleep(Duration::from_secs(3)).await;
            let left = Memory::read(&gateway);
            let each = full.since(&empty).each(streams);
            report.note(format!(
                "idle: wave {wave}, {streams} streams over {version}, opened in {:.1} s: {:.1} KB resident in the gateway \
                 and {:.1} KB of the kernel for each; resident {:.0} MB, after their end {:.0} MB",
                took.as_secs_f64(),
                each.resident,
                each.kernel,
                full.resident / 1024.0,
                left.resident / 1024.0,
            ));
            let again = "grpcws-campaign idle";
            report.check(format!("the streams of wave {wave} over {version}"), &faults, again);
            if live != 0 {
                report.fail(format!("{live} calls are left at the upstream behind wave {wave}"), again);
            }
            waves.push(full.resident);
        }
        // Memory that grows from wave to wave would grow for ever.
        let grows = matches!((waves.first(), waves.last()), (Some(first), Some(last)) if *last > first * 1.1);
        if grows {
            report.fail(format!("the waves over {version} grow: {waves:.0?} KB"), "grpcws-campaign idle");
        }
        report.check("the gateway", &gateway.panics(), "the log above");
    }
    Ok(())
}

/// Memory in KB.
#[derive(Clone, Copy, Debug)]
struct Memory {
    /// What the gateway has resident.
    resident: f64,
    /// What the kernel holds for all sockets of the machine, and the rest of what it allocates in small pieces.
    kernel: f64,
}

impl Memory {
    fn read(gateway: &Process) -> Self {
        let number = |path: &str, line: &str, name: &str| -> u64 {
            let text = std::fs::read_to_string(path).unwrap_or_default();
            let line = text.lines().find_map(|text| text.strip_prefix(line)).unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().collect();
            let place = words.iter().position(|word| *word == name).map_or(0, |place| place + 1);
            words.get(place).and_then(|word| word.parse().ok()).unwrap_or_default()
        };
        let pages = number("/proc/net/sockstat", "TCP:", "mem");
        let slab = number("/proc/meminfo", "Slab:", "");
        let page = u64::try_from(rustix::param::page_size()).unwrap_or(4096);
        Self { resident: float(gateway.resident()), kernel: float(pages * page / 1024 + slab) }
    }

    fn since(self, before: &Self) -> Self {
        Self { resident: self.resident - before.resident, kernel: self.kernel - before.kernel }
    }

    fn each(self, streams: usize) -> Self {
        let streams = float(u64::try_from(streams).unwrap_or(u64::MAX));
        Self { resident: self.resident / streams, kernel: self.kernel / streams }
    }
}

#[expect(clippy::cast_precision_loss, reason = "numbers of KB and of streams, far below 2^52")]
fn float(number: u64) -> f64 {
    number as f64
}

/// Streams that are open at the same time.
struct Wave {
    took: Duration,
    end: watch::Sender<bool>,
    streams: JoinSet<Vec<String>>,
    connections: Vec<Connection>,
}

impl Wave {
    async fn open(gateway: SocketAddr, http2: bool, streams: usize) -> Result<Self, Failure> {
        let start = Instant::now();
        let (end, ends) = watch::channel(false);
        let (mut running, mut connections) = (JoinSet::new(), Vec::new());
        let echoed = Arc::new(AtomicUsize::new(0));
        for opened in 0..streams {
            // No more handshakes at a time than a gateway takes from its queue.
            until_echoed(&echoed, (opened + 1).saturating_sub(AT_ONCE), start).await?;
            let ask = Ask { payload: 100, ..Ask::new(Mode::Json, Method::Bidi, "") };
            let (reader, writer, decoder, status) = if http2 {
                if opened.is_multiple_of(STREAMS) {
                    connections.push(Connection::open(tcp(gateway, None).await?, 65_535).await?);
                }
                let connection = connections.last().ok_or("a connection is open")?;
                let (status, reader, writer) = connection.request(handshake::connect(&ask)?).await?;
                (reader, writer, Decoder::frames(), Some(status))
            } else {
                let (reader, writer) = tcp(gateway, None).await?.into_split();
                let mut writer = Writer::Http1(writer);
                let head = Bytes::from(handshake::upgrade(&ask));
                writer.write(head).await.map_err(|lost| format!("the handshake ended with {lost:?}"))?;
                (Reader::Http1(reader), writer, Decoder::with_head(), None)
            };
            let (ends, echoed) = (ends.clone(), Arc::clone(&echoed));
            let mut view = View::new(&ask);
            view.status = status;
            let stream = Stream { ask, view, reader, writer, decoder };
            running.spawn(stream.run(echoed, ends));
        }
        until_echoed(&echoed, streams, start).await?;
        Ok(Self { took: start.elapsed(), end, streams: running, connections })
    }

    /// Ends all streams, and returns what was wrong with the first ten that were not as they should be.
    async fn end(self) -> Vec<String> {
        let Self { end, mut streams, connections, .. } = self;
        // A stream that has ended already is a fault of its own.
        let _ = end.send(true);
        let mut faults = Vec::new();
        while let Some(stream) = streams.join_next().await {
            faults.extend(stream.unwrap_or_else(|error| vec![error.to_string()]));
        }
        drop(connections);
        let number = faults.len();
        faults.truncate(10);
        if number > 10 {
            faults.push(format!("{number} faults in all"));
        }
        faults
    }
}

/// Waits until so many streams have got their echo; 600 s after the start of the wave at most.
async fn until_echoed(echoed: &AtomicUsize, streams: usize, start: Instant) -> Result<(), Failure> {
    loop {
        let number = echoed.load(Ordering::Relaxed);
        if number >= streams {
            return Ok(());
        }
        if start.elapsed() > Duration::from_secs(600) {
            return Err(format!("only {number} of {streams} streams got their echo within 600 s").into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// An idle stream.
struct Stream {
    ask: Ask,
    view: View,
    reader: Reader,
    writer: Writer,
    decoder: Decoder,
}

impl Stream {
    async fn run(mut self, echoed: Arc<AtomicUsize>, mut ends: watch::Receiver<bool>) -> Vec<String> {
        for (opcode, payload) in self.ask.messages().filter(|(_, payload)| payload != END_SEND) {
            if let Err(lost) = self.writer.write(frame(opcode, &payload)).await {
                self.view.lost = Some(lost);
            }
        }
        let mut ending = false;
        while self.view.lost.is_none() {
            let read = tokio::select! {
                read = self.reader.read(self.decoder.buffer()) => read,
                _ = ends.changed(), if !ending => {
                    ending = true;
                    let _ = self.writer.write(frame(TEXT, END_SEND)).await;
                    continue;
                }
            };
            self.view.lost = read.err();
            let messages = self.view.messages;
            self.answer().await;
            if messages == 0 && self.view.messages > 0 {
                echoed.fetch_add(1, Ordering::Relaxed);
            }
        }
        let mut faults = oracle::faults(
            &self.ask,
            &self.view,
            Known { undisturbed: true, ended: true, ..Known::default() },
        );
        if !ending {
            faults.push(format!("it ended by itself: {}", self.view.shown()));
        }
        faults
    }

    async fn answer(&mut self) {
        loop {
            let reply = match self.decoder.next() {
                Ok(Some(heard)) => self.view.note(heard),
                Ok(None) => return,
                Err(fault) => return self.view.faults.push(fault),
            };
            if let Some(reply) = reply {
                // The reading side sees how it ended.
                let _ = self.writer.write(reply.frame()).await;
            }
        }
    }
}
