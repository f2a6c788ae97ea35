//! Clients in a process of their own, which is stopped and killed: nothing tells the gateway but TCP.
#![allow(clippy::print_stdout, reason = "the parent reads what this process found")]

use std::net::SocketAddr;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

use super::ledger::VICTIM;
use super::run::Shared;
use super::world::World;
use crate::ask::{Ask, Method, Mode};
use crate::client::frame::{Decoder, Heard, PONG, TEXT, frame};
use crate::client::handshake;
use crate::client::transport::{Reader, Writer, tcp};
use crate::client::view::{Reply, View};
use crate::failure::Failure;

/// The options of `victims`.
#[derive(Debug, Args)]
pub(crate) struct VictimArguments {
    /// The address of the gateway.
    gateway: SocketAddr,
    /// What the tags of the calls begin with.
    tag: String,
}

/// The process, as the campaign holds it.
pub(super) struct Victims(Child);

impl Victims {
    /// Starts the clients; what they find goes to the campaign.
    pub(super) fn start(world: &World, shared: &Arc<Shared>) -> Result<Self, Failure> {
        let tag = format!("{VICTIM}-{}", fastrand::u32(..));
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["victims", &world.gateway().to_string(), &tag]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let stdout = child.stdout.take().ok_or("standard output is piped")?;
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                shared.violation(0, line);
            }
        });
        Ok(Self(child))
    }

    /// Stops all of them for a time.
    pub(super) async fn stop_for(&self, time: Duration) -> Result<(), Failure> {
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let pid = pid.ok_or("the clients have ended")?;
        kill_process(pid, Signal::STOP)?;
        tokio::time::sleep(time).await;
        Ok(kill_process(pid, Signal::CONT)?)
    }

    /// Kills all of them.
    pub(super) async fn kill(&mut self) -> Result<(), Failure> {
        Ok(self.0.kill().await?)
    }
}

/// The process itself: calls that send and never end, one after the other on each of a few tasks.
pub(crate) async fn victims(arguments: VictimArguments) -> Result<(), Failure> {
    let mut tasks = JoinSet::new();
    for task in 0..12 {
        let VictimArguments { gateway, tag } = &arguments;
        let (gateway, tag) = (*gateway, tag.clone());
        tasks.spawn(async move {
            for number in 0_u64.. {
                let ask = ask(task, format!("{tag}-{task}-{number}"));
                // The upstream and its link are broken all the time: only what was seen is judged.
                match talk(&ask, gateway).await {
                    Ok(view) => judge(&ask, &view),
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
    }
    tasks.join_all().await;
    Ok(())
}

fn ask(task: u32, tag: String) -> Ask {
    let mode = match task % 3 {
        0 => Mode::Seed,
        1 => Mode::Json,
        _ => Mode::Proto,
    };
    let method = if task % 4 == 3 { Method::ClientStream } else { Method::Bidi };
    // More than can be sent in the time of a campaign.
    Ask { count: 1_000_000, payload: 10 << (task % 8), ..Ask::new(mode, method, tag) }
}

fn judge(ask: &Ask, view: &View) {
    let mut faults = view.faults.clone();
    if view.terminal.as_ref().is_some_and(|terminal| terminal.code == 0) {
        faults.push("stream_end of a call that was not ended".to_owned());
    }
    if view.terminal.is_some() && view.code() != 14 {
        faults.push(format!("status {}: {}", view.code(), view.shown()));
    }
    if !faults.is_empty() {
        println!("{} {:?} {:?}: {}", ask.tag, ask.method, ask.mode, faults.join("; "));
    }
}

/// Sends a message each 20 ms until the connection ends.
async fn talk(ask: &Ask, gateway: SocketAddr) -> Result<View, Failure> {
    let (reader, writer) = tcp(gateway, None).await?.into_split();
    let (mut reader, mut writer) = (Reader::Http1(reader), Writer::Http1(writer));
    let (mut view, mut decoder) = (View::new(ask), Decoder::with_head());
    let mut messages = ask.messages();
    let mut turns = tokio::time::interval(Duration::from_millis(20));
    writer.write(handshake::upgrade(ask).into()).await.map_err(|_| "no handshake")?;
    loop {
        let heard: Vec<Heard> = tokio::select! {
            read = reader.read(decoder.buffer()) => {
                if let Err(lost) = read {
                    view.lost = Some(lost);
                    return Ok(view);
                }
                std::iter::from_fn(|| decoder.next().transpose()).collect::<Result<_, _>>()?
            }
            _ = turns.tick() => {
                if let Some((opcode, payload)) = messages.next() {
                    // The end shows in the reading.
                    let _ = writer.write(frame(opcode, &payload)).await;
                }
                Vec::new()
            }
        };
        for heard in heard {
            let reply = match view.note(heard) {
                Some(Reply::Pong(payload)) => frame(PONG, &payload),
                Some(Reply::JsonPong(id)) => {
                    frame(TEXT, format!(r#"{{"type":"pong","pingId":{id}}}"#).as_bytes())
                }
                Some(Reply::Close(_)) => return Ok(view),
                None => continue,
            };
            let _ = writer.write(reply).await;
        }
    }
}
