//! Cuts at every byte of a short call: on both sides of the gateway, in both directions.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::StreamExt as _;
use grpcws_test::pb::call::Outcome;
use tokio::task::JoinSet;

use super::call::carry_out;
use super::plan::Plan;
use super::proxy::{self, Break, Breaks, Carried};
use crate::ask::{Ask, Method, Mode};
use crate::books::{Books, Reader as BooksReader};
use crate::client::frame::frame;
use crate::client::handshake;
use crate::client::transport::{Connection, Reader, Writer, tcp};
use crate::client::view::View;
use crate::failure::Failure;
use crate::oracle::{self, Known};
use crate::report::Report;
use crate::servers::{Programs, Times};

/// The options of `cuts`.
#[derive(Debug, Args)]
pub(crate) struct CutArguments {
    /// Tries only every so manieth offset among the first bytes to the upstream, each of which takes a gateway of its
    /// own: what is cut there is a connection that could not be made, and the gateway waits before the next.
    #[arg(long, default_value_t = 1)]
    every: usize,
}

/// How a connection is cut.
type Cut = fn(usize) -> Break;

const CUTS: [Cut; 3] = [Break::Reset, Break::End, Break::HalfEnd];

/// A call that has not ended this long after a cut hangs.
const SOON: Duration = Duration::from_secs(5);

/// Behind so many bytes of a direction the settings of HTTP/2 have passed.
const SETTINGS: usize = 100;

fn ask(mode: Mode, method: Method, tag: String) -> Ask {
    Ask { count: 3, payload: 3, metadata: true, ..Ask::new(mode, method, tag) }
}

/// Cuts everywhere, and reports what broke a promise.
pub(crate) async fn cuts(
    arguments: CutArguments,
    programs: Programs,
    report: &mut Report,
) -> Result<(), Failure> {
    let start = Instant::now();
    client_side(&programs, report).await?;
    report.note(format!("cuts on the client's side took {:.1} s", start.elapsed().as_secs_f64()));
    let start = Instant::now();
    upstream_side(arguments.every.max(1), programs, report).await?;
    report.note(format!("cuts on the upstream's side took {:.1} s", start.elapsed().as_secs_f64()));
    Ok(())
}

/// One call through a relay on the client's side.
#[derive(Clone)]
struct Session {
    gateway: SocketAddr,
    http2: bool,
    ask: Ask,
    breaks: Breaks,
}

impl Session {
    /// Carries the call out, and returns what its client saw, in which time, and what the relay carried.
    async fn run(&self) -> Result<(View, Duration, Carried), Failure> {
        let (address, carried) = proxy::once(self.gateway, self.breaks)?;
        let start = Instant::now();
        let mut view = View::new(&self.ask);
        let socket = tcp(address, None).await?;
        let mut plan = Plan::plain(self.ask.clone());
        if self.http2 {
            let call = async {
                let connection = Connection::open(socket, 65_535).await?;
                let (status, reader, writer) = connection.request(handshake::connect(&self.ask)?).await?;
                view.status = Some(status);
                carry_out(plan.script(None), &mut view, reader, writer).await;
                Ok::<_, Failure>(())
            };
            // A connection that was cut before the response has nothing to judge but its time.
            let _ = call.await;
        } else {
            let (reader, writer) = socket.into_split();
            let head = Some(handshake::upgrade(&self.ask));
            carry_out(plan.script(head), &mut view, Reader::Http1(reader), Writer::Http1(writer)).await;
        }
        Ok((view, start.elapsed(), carried.await?))
    }
}

async fn client_side(programs: &Programs, report: &mut Report) -> Result<(), Failure> {
    let (_upstream, upstream) = programs.upstream().await?;
    let (process, gateway) = programs.gateway(upstream, Times::Default.config(), "").await?;
    let mut reader = BooksReader::new(upstream)?;
    let mut books = Books::default();
    let kinds = [(false, Mode::Seed), (false, Mode::Json), (false, Mode::Proto), (true, Mode::Json)];
    for (http2, mode) in kinds {
        let whole = Session {
            gateway,
            http2,
            ask: ask(mode, Method::Bidi, "whole".to_owned()),
            breaks: Breaks::default(),
        };
        let (view, _, length) = whole.run().await?;
        let known = Known { undisturbed: true, ended: true, ..Known::default() };
        report.check("an undisturbed call", &oracle::faults(&whole.ask, &view, known), "the same command");
        let sessions = CUTS.iter().enumerate().flat_map(|(number, cut)| {
            let up = (0..length.up).map(move |at| (at, Breaks { up: cut(at), down: Break::None }));
            let down = (0..length.down).map(move |at| (at, Breaks { up: Break::None, down: cut(at) }));
            let (ups, downs) = (up.map(|cut| (true, cut)), down.map(|cut| (false, cut)));
            ups.chain(downs).map(move |(up, (at, breaks))| {
                let tag = format!("cut-{http2}-{mode:?}-{number}-{up}-{at}");
                (at, up, Session { gateway, http2, ask: ask(mode, Method::Bidi, tag), breaks })
            })
        });
        let results = futures_util::stream::iter(sessions)
            .map(|(at, up, session)| async move { (at, up, session.run().await, session) })
            .buffer_unordered(64)
            .collect::<Vec<_>>()
            .await;
        reader.wait_until_idle(SOON).await?;
        reader.read(&mut books).await?;
        for (at, up, result, session) in results {
            let (view, took, _) = result?;
            let faults = judge_client(&session, &view, took, up.then_some(at), &mut books);
            report.check(format!("{:?} of {}", session.breaks, session.ask.tag), &faults, "the same command");
        }
    }
    report.check("the gateway", &process.panics(), "the same command");
    Ok(())
}

/// What is wrong with a call whose client's bytes were cut behind `passed`, if they were.
fn judge_client(
    session: &Session,
    view: &View,
    took: Duration,
    passed: Option<usize>,
    books: &mut Books,
) -> Vec<String> {
    // Where each message ends among the bytes of an HTTP/1.1 client; over HTTP/2 only the books can tell.
    let mut end = handshake::upgrade(&session.ask).len();
    let ends: Vec<usize> = session
        .ask
        .messages()
        .map(|(opcode, payload)| {
            end += frame(opcode, &payload).len();
            end
        })
        .collect();
    let whole = match passed {
        Some(passed) if !session.http2 => ends.iter().filter(|end| **end <= passed).count(),
        _ => ends.len(),
    };
    let ended = whole == ends.len();
    let known = Known { undisturbed: false, ended, ..Known::default() };
    let mut faults = oracle::faults(&session.ask, view, known);
    if took > SOON {
        faults.push(format!("took {:.1} s: {}", took.as_secs_f64(), view.shown()));
    }
    if let Some(call) = books.take(&session.ask.tag) {
        if call.outcome() == Outcome::Completed && (!ended || call.received != 3) {
            faults.push(format!("a half-close behind {} messages, {whole} passed", call.received));
        }
        if call.gaps > 0 || usize::try_from(call.received).is_ok_and(|received| received > whole) {
            faults.push(format!("{} messages with {} gaps, {whole} passed", call.received, call.gaps));
        }
    }
    faults
}

/// One way to cut connections to the upstream, tried at every offset.
struct Lane {
    programs: Arc<Programs>,
    upstream: SocketAddr,
    method: Method,
    up: bool,
    cut: Cut,
    every: usize,
}

async fn upstream_side(every: usize, programs: Programs, report: &mut Report) -> Result<(), Failure> {
    let (_process, upstream) = programs.upstream().await?;
    let programs = Arc::new(programs);
    let mut lanes = JoinSet::new();
    for method in [Method::ServerStream, Method::Bidi] {
        for cut in [Break::Reset as Cut, Break::End] {
            for up in [true, false] {
                let programs = Arc::clone(&programs);
                lanes.spawn(Lane { programs, upstream, method, up, cut, every }.run());
            }
        }
    }
    while let Some(lane) = lanes.join_next().await {
        let results = lane??;
        if let Some((last, _)) = results.last() {
            report.note(format!("{} offsets of {last}", results.len()));
        }
        for (what, faults) in results {
            report.check(what, &faults, "the same command");
        }
    }
    Ok(())
}

impl Lane {
    async fn run(self) -> Result<Vec<(String, Vec<String>)>, Failure> {
        let breaks = Arc::new(Mutex::new(Breaks::default()));
        let current = Arc::clone(&breaks);
        let current = move |_| *current.lock().unwrap_or_else(PoisonError::into_inner);
        let (address, counts) = proxy::start(Arc::new(Mutex::new(self.upstream)), current)?;
        let mut results = Vec::new();
        let mut gateway = None;
        let mut at = 0;
        loop {
            let cut = (self.cut)(at);
            *breaks.lock().unwrap_or_else(PoisonError::into_inner) = match self.up {
                true => Breaks { up: cut, down: Break::None },
                false => Breaks { up: Break::None, down: cut },
            };
            // A gateway whose connection could not be made waits before it makes another one.
            let (_process, address) = match gateway.take().filter(|_| at > SETTINGS) {
                Some(running) => running,
                None => self.programs.gateway(address, Times::Default.config(), "").await?,
            };
            let (connections, cuts) =
                (counts.connections.load(Ordering::SeqCst), counts.cuts.load(Ordering::SeqCst));
            let mut faults = Vec::new();
            // The connection of the offset before may take a call or two before it is known to be dead.
            for _ in 0..20 {
                faults.extend(self.call(address, at).await?);
                if counts.connections.load(Ordering::SeqCst) > connections {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            if counts.connections.load(Ordering::SeqCst) == connections {
                faults.push("no new connection was made".to_owned());
            }
            results
                .push((format!("{:?} {cut:?} {}", self.method, if self.up { "up" } else { "down" }), faults));
            // The relay counts a cut when it has ended both connections.
            tokio::time::sleep(Duration::from_millis(10)).await;
            if counts.cuts.load(Ordering::SeqCst) == cuts && at > SETTINGS {
                return Ok(results);
            }
            gateway = Some((_process, address));
            at += if at < SETTINGS { self.every } else { 1 };
        }
    }

    async fn call(&self, gateway: SocketAddr, at: usize) -> Result<Vec<String>, Failure> {
        let tag = format!("upstream-{at}");
        let ask = ask(Mode::Json, self.method, tag);
        let mut view = View::new(&ask);
        let start = Instant::now();
        let (reader, writer) = tcp(gateway, None).await?.into_split();
        let head = Some(handshake::upgrade(&ask));
        let mut plan = Plan::plain(ask.clone());
        carry_out(plan.script(head), &mut view, Reader::Http1(reader), Writer::Http1(writer)).await;
        // Lost: 14; a response that ends early breaks gRPC: 13.
        let known = Known { undisturbed: true, others: &[13, 14], ended: true, ..Known::default() };
        let mut faults = oracle::faults(&ask, &view, known);
        if start.elapsed() > SOON {
            faults.push(format!("took {:.1} s: {}", start.elapsed().as_secs_f64(), view.shown()));
        }
        Ok(faults)
    }
}
