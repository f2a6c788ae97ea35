//! The calls of one connection, from its opening to the verdict.

use std::io::{self, ErrorKind};
use std::time::Duration;

use futures_util::future::join_all;

use super::call::carry_out;
use super::plan::{Fault, Group, Plan};
use super::proxy;
use super::run::{Pending, Shared};
use super::world::World;
use crate::ask::Mode;
use crate::client::handshake;
use crate::client::transport::{Connection, Lost, Reader, Writer, tcp};
use crate::client::view::View;
use crate::failure::Failure;
use crate::oracle::{self, Known};

/// Whether a socket of this program found all ports of the machine taken, for a minute each by connections that have
/// ended. The gateway has no part in that.
fn has_no_port(failure: &Failure) -> bool {
    let kind = failure.downcast_ref::<io::Error>().map(io::Error::kind);
    matches!(kind, Some(ErrorKind::AddrInUse | ErrorKind::AddrNotAvailable))
}

/// One connection of a client.
pub(super) struct Unit<'a> {
    world: &'a World,
    shared: &'a Shared,
    number: u64,
    /// The epoch of the world in which this began.
    epoch: u64,
    /// Whether everything arrives that the client and the gateway send each other.
    harmless: bool,
}

impl<'a> Unit<'a> {
    pub(super) fn begin(world: &'a World, shared: &'a Shared, number: u64) -> Self {
        Self { world, shared, number, epoch: world.epoch(), harmless: true }
    }

    /// Opens the connection and carries out its calls.
    pub(super) async fn run(mut self) {
        let Group { http2, calls, breaks } = Group::draw(self.shared.seed, self.number);
        self.harmless = breaks.is_none_or(|breaks| breaks.are_harmless());
        let gateway = self.world.gateway();
        let socket = async {
            let address = match breaks {
                None => gateway,
                Some(breaks) => proxy::once(gateway, breaks)?.0,
            };
            tcp(address, None).await
        };
        let socket = match socket.await {
            Ok(socket) => socket,
            Err(failure) => {
                self.failed("no connection", &failure);
                // The gateway is being started again.
                return tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let Some(window) = http2 else {
            let (reader, writer) = socket.into_split();
            if let Some(plan) = calls.into_iter().next() {
                let head = Some(handshake::upgrade(&plan.ask));
                let view = View::new(&plan.ask);
                self.call(plan, view, head, Reader::Http1(reader), Writer::Http1(writer)).await;
            }
            return;
        };
        match Connection::open(socket, window).await {
            Ok(connection) => {
                join_all(calls.into_iter().map(|plan| self.stream(&connection, plan))).await;
            }
            Err(failure) => self.failed("no HTTP/2 connection", &failure),
        }
    }

    /// One call of an HTTP/2 connection.
    async fn stream(&self, connection: &Connection, plan: Plan) {
        let mut view = View::new(&plan.ask);
        let opened = async { connection.request(handshake::connect(&plan.ask)?).await };
        match opened.await {
            Ok((status, reader, writer)) => {
                view.status = Some(status);
                self.call(plan, view, None, reader, writer).await;
            }
            Err(failure) => self.failed("no HTTP/2 stream", &failure),
        }
    }

    /// Whether nothing but the client itself disturbed its calls so far.
    fn undisturbed(&self) -> bool {
        self.harmless && self.epoch.is_multiple_of(2) && self.world.epoch() == self.epoch
    }

    /// A connection or a stream that could not be opened.
    fn failed(&self, what: &str, failure: &Failure) {
        if has_no_port(failure) {
            self.shared.count("no free port for a client");
        } else if self.undisturbed() {
            self.shared.violation(self.number, format!("unit {}: {what}: {failure}", self.number));
        } else {
            self.shared.count(what);
        }
    }

    async fn call(
        &self,
        mut plan: Plan,
        mut view: View,
        head: Option<String>,
        reader: Reader,
        writer: Writer,
    ) {
        let http1 = head.is_some();
        let in_time = carry_out(plan.script(head), &mut view, reader, writer).await;
        let undisturbed = self.undisturbed() && !plan.fault.leaves();
        let known = Known {
            undisturbed,
            others: plan.others(),
            ended: plan.ends(),
            silent_cancel: plan.fault == Fault::Cancel && plan.ask.mode == Mode::Seed,
        };
        let mut faults = oracle::faults(&plan.ask, &view, known);
        if !in_time {
            faults.push(format!("still open, with nothing heard for 40 s: {}", view.shown()));
        }
        if undisturbed && http1 && view.close.is_some() && view.lost == Some(Lost::Reset) {
            faults.push("RST behind the close frame".to_owned());
        }
        let version = if http1 { "HTTP/1.1" } else { "HTTP/2" };
        let ask = &plan.ask;
        let shown = format!(
            "{} {:?} {:?} {version} {:?}, {} × {}/{} bytes, fail {}",
            ask.tag, ask.method, ask.mode, plan.fault, ask.count, ask.payload, ask.size, ask.fail
        );
        if !faults.is_empty() {
            self.shared.violation(self.number, format!("{shown}: {}", faults.join("; ")));
        }
        self.shared.count(format!("{:?}", plan.fault));
        let succeeded = view.terminal.as_ref().is_some_and(|terminal| terminal.code == 0);
        let pending =
            Pending { unit: self.number, plan: shown, ended: plan.ends(), succeeded, ask: plan.ask.clone() };
        self.shared.ended(plan.ask.tag, view.code(), pending);
    }
}
