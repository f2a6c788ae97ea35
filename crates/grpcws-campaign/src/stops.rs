//! `grpcws-campaign stops`: processes that stand still for a time, after which nobody may have lost anything.
//!
//! The time in which a gateway did not run says nothing about its clients: those that answer every ping live on, and
//! a handshake or a first message that arrived in that time is answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use tokio::task::JoinSet;

use crate::ask::{Ask, Method, Mode};
use crate::campaign::call::{Act, Script, carry_out};
use crate::client::frame::frame;
use crate::client::handshake;
use crate::client::transport::{Connection, Reader, Writer, tcp};
use crate::client::view::View;
use crate::failure::Failure;
use crate::oracle::{self, Known};
use crate::process::Process;
use crate::report::Report;
use crate::servers::{Programs, Times};

/// The options of `stops`.
#[derive(Debug, Args)]
pub(crate) struct StopArguments {
    /// Stops of 2, 20 and 40 s with both kinds of options, in place of short ones.
    #[arg(long)]
    long: bool,
}

/// What stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    Gateway,
    Upstream,
}

/// What a client is doing when the stop comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    /// It has an open stream, and says nothing but pongs.
    Idle,
    /// It has an open stream, and sends a message during the stop.
    Sends,
    /// It has connected and sent a part of its handshake; the rest comes during the stop.
    MidHandshake,
    /// It connects during the stop.
    Connects,
    /// Its handshake is through, and its first message comes during the stop.
    FirstMessage,
}

const CLIENTS: [Client; 5] =
    [Client::Idle, Client::Sends, Client::MidHandshake, Client::Connects, Client::FirstMessage];

/// How many clients of each kind there are for each mode and version of HTTP.
const EACH: usize = 4;

/// When the process is stopped, counted from the start of the clients.
const BEFORE: Duration = Duration::from_secs(1);

/// One stop of one process.
#[derive(Clone, Copy, Debug)]
struct Scene {
    stopped: Stopped,
    times: Times,
    time: Duration,
}

/// Runs the scenes at the same time, each with servers of its own.
pub(crate) async fn stops(
    arguments: StopArguments,
    programs: &Programs,
    report: &mut Report,
) -> Result<(), Failure> {
    let scene = |stopped, times, seconds| Scene { stopped, times, time: Duration::from_secs(seconds) };
    let mut scenes = Vec::new();
    if arguments.long {
        for seconds in [2, 20, 40] {
            for times in [Times::Default, Times::Scaled] {
                scenes.push(scene(Stopped::Gateway, times, seconds));
                scenes.push(scene(Stopped::Upstream, times, seconds));
            }
        }
    } else {
        // Twice the scaled pong timeout, and more than the time for a handshake, which has no option.
        scenes.push(scene(Stopped::Gateway, Times::Scaled, 2));
        scenes.push(scene(Stopped::Gateway, Times::Scaled, 6));
        scenes.push(scene(Stopped::Gateway, Times::Default, 12));
        scenes.push(scene(Stopped::Upstream, Times::Scaled, 6));
    }
    let mut running = JoinSet::new();
    for scene in scenes {
        let (upstream, upstream_at) = programs.upstream().await?;
        let (gateway, gateway_at) = programs.gateway(upstream_at, scene.times.config(), "").await?;
        running.spawn(scene.run(gateway, gateway_at, upstream));
    }
    let mut lost = BTreeMap::<String, usize>::new();
    while let Some(results) = running.join_next().await {
        for (what, faults) in results?? {
            if let (Some(kind), false) = (what.rsplitn(3, ' ').nth(2), faults.is_empty()) {
                *lost.entry(kind.to_owned()).or_default() += 1;
            }
            let long = if arguments.long { " --long" } else { "" };
            report.check(what, &faults, format!("grpcws-campaign stops{long}"));
        }
    }
    for (kind, number) in lost {
        report.note(format!("{number} failed: {kind}"));
    }
    Ok(())
}

impl Scene {
    async fn run(
        self,
        gateway: Process,
        address: SocketAddr,
        upstream: Process,
    ) -> Result<Vec<(String, Vec<String>)>, Failure> {
        let mut clients = JoinSet::new();
        for client in CLIENTS {
            for (http2, mode) in [Mode::Seed, Mode::Json, Mode::Proto]
                .into_iter()
                .flat_map(|mode| [(false, mode), (true, mode)])
            {
                for _ in 0..EACH {
                    clients.spawn(self.client(client, http2, mode, address));
                }
            }
        }
        tokio::time::sleep(BEFORE).await;
        match self.stopped {
            Stopped::Gateway => gateway.stop_for(self.time).await?,
            Stopped::Upstream => upstream.stop_for(self.time).await?,
        }
        let mut results = clients.join_all().await;
        results.push((format!("{self:?}"), [gateway.panics(), upstream.panics()].concat()));
        Ok(results)
    }

    /// A point within the stop. A gateway that runs while its upstream stands still gives a handshake 10 s.
    fn within(self) -> Duration {
        let most = match self.stopped {
            Stopped::Gateway => Duration::MAX,
            Stopped::Upstream => Duration::from_secs(5),
        };
        BEFORE + self.time.mul_f64(0.25).min(most)
    }

    /// A point behind the stop at which every timer that it could have set off has come.
    fn behind(self) -> Duration {
        BEFORE + self.time + Duration::from_secs(4)
    }

    async fn client(
        self,
        client: Client,
        http2: bool,
        mode: Mode,
        gateway: SocketAddr,
    ) -> (String, Vec<String>) {
        let version = if http2 { "HTTP/2" } else { "HTTP/1.1" };
        let Self { stopped, times, time } = self;
        let what =
            format!("{stopped:?} stopped for {time:?} with {times:?} times: {client:?} {mode:?} {version}");
        // A method that takes one request has a time limit for it.
        let (method, payload) = match client {
            Client::FirstMessage => (Method::ServerStream, 0),
            _ => (Method::Bidi, 100),
        };
        let ask = Ask { count: 2, payload, ..Ask::new(mode, method, "") };
        let mut view = View::new(&ask);
        let faults = match self.follow(client, http2, &ask, gateway, &mut view).await {
            Ok(true) => {
                let known = Known { undisturbed: true, ended: true, ..Known::default() };
                oracle::faults(&ask, &view, known)
            }
            Ok(false) => vec![format!("still open: {}", view.shown())],
            Err(failure) => vec![failure.to_string()],
        };
        (what, faults)
    }

    async fn follow(
        self,
        client: Client,
        http2: bool,
        ask: &Ask,
        gateway: SocketAddr,
        view: &mut View,
    ) -> Result<bool, Failure> {
        if client == Client::Connects {
            tokio::time::sleep(self.within()).await;
        }
        let socket = tcp(gateway, None).await?;
        let acts = self.acts(client, http2, ask);
        let limit = self.behind() + Duration::from_secs(20);
        let script = Script { acts, stall: Duration::ZERO, closes: false, limit };
        if !http2 {
            let (reader, writer) = socket.into_split();
            return Ok(carry_out(script, view, Reader::Http1(reader), Writer::Http1(writer)).await);
        }
        let connection = Connection::open(socket, 65_535).await?;
        if client == Client::MidHandshake {
            // Over HTTP/2 a part of a handshake is a connection without its request.
            tokio::time::sleep(self.within()).await;
        }
        let (status, reader, writer) = connection.request(handshake::connect(ask)?).await?;
        view.status = Some(status);
        Ok(carry_out(script, view, reader, writer).await)
    }

    /// What a client does, from the opening of its connection on.
    fn acts(self, client: Client, http2: bool, ask: &Ask) -> Vec<Act> {
        let mut acts = Vec::new();
        if !http2 {
            let mut head = Bytes::from(handshake::upgrade(ask));
            if client == Client::MidHandshake {
                acts.push(Act::Write(head.split_to(40)));
                acts.push(Act::Wait(self.within()));
            }
            acts.push(Act::Write(head));
        }
        let messages = ask.messages().map(|(opcode, payload)| Act::Write(frame(opcode, &payload)));
        let during = Act::Wait(self.within());
        // The second half of the waiting ends behind the stop.
        let rest = Act::Wait(self.behind().saturating_sub(self.within()));
        match client {
            Client::Idle => acts.extend([during, rest].into_iter().chain(messages)),
            Client::FirstMessage => acts.extend(std::iter::once(during).chain(messages)),
            Client::MidHandshake | Client::Connects => acts.extend(messages),
            Client::Sends => {
                let mut messages = messages;
                acts.push(during);
                acts.extend(messages.next());
                acts.push(rest);
                acts.extend(messages);
            }
        }
        acts
    }
}
