//! One client behind a link.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use super::emulator;
use super::matrix::{Case, Client};
use crate::ask::{Ask, END_SEND, Mode};
use crate::client::frame::{Decoder, PING, TEXT, frame};
use crate::client::handshake;
use crate::client::transport::{Connection, Lost, Reader, Writer, tcp};
use crate::client::view::{Reply, View};
use crate::failure::Failure;
use crate::oracle::{self, Known};
use crate::servers::{Times, limit};

/// What came of a stream.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) faults: Vec<String>,
    /// The longest time in which nothing arrived, and the time of all.
    pub(crate) quiet: Duration,
    pub(crate) took: Duration,
    pub(crate) messages: u32,
    /// The connection ended with RST, behind a complete stream.
    pub(crate) reset: bool,
}

/// What the writer is told by the reader.
#[derive(Debug)]
enum ToWriter {
    /// A frame to send: a pong, credit, or the close frame.
    Reply(Bytes),
    /// So many more bytes of requests may be sent (PROTOCOL §7.2).
    Granted(u64),
}

type Replies = mpsc::Sender<ToWriter>;

/// Opens a stream over a link of its own and follows it to its end.
pub(crate) async fn follow(
    case: &Case,
    ask: &Ask,
    gateway: SocketAddr,
    due: Duration,
) -> Result<Outcome, Failure> {
    let link = emulator::start(case.shape(), gateway)?;
    let socket = tcp(link, case.shape().buffer).await?;
    if let Some(size) = case.shape().buffer {
        limit(&socket, size)?;
    }
    let start = Instant::now();
    let mut view = View::new(ask);
    let mut connection = None;
    let (reader, mut writer, decoder) = if case.http2 {
        let opened = connection.insert(Connection::open(socket, 256 << 10).await?);
        let (status, reader, writer) = opened.request(handshake::connect(ask)?).await?;
        view.status = Some(status);
        (reader, writer, Decoder::frames())
    } else {
        let (reader, writer) = socket.into_split();
        (Reader::Http1(reader), Writer::Http1(writer), Decoder::with_head())
    };
    let mut listener = Listener { case, view, decoder, quiet: Duration::ZERO, heard_at: start };
    // Twice the time that the bytes take in one direction, for the echo, and as much again for a busy machine.
    let limit = due * 4 + Duration::from_secs(45);
    let both = async {
        let (replies, received) = mpsc::channel(256);
        let head = (!case.http2).then(|| Bytes::from(handshake::upgrade(ask)));
        tokio::join!(listener.listen(reader, replies), speak(case, ask, head, &mut writer, received));
    };
    let finished = timeout(limit, both).await.is_ok();
    let Listener { view, quiet, heard_at, .. } = listener;
    let known = Known { undisturbed: true, ended: true, ..Known::default() };
    let mut faults = oracle::faults(ask, &view, known);
    let quiet = quiet.max(heard_at.elapsed());
    if !finished {
        faults.push(format!("still open after {:.0} s: {}", limit.as_secs_f64(), view.shown()));
    }
    let reset = view.lost == Some(Lost::Reset);
    Ok(Outcome { faults, quiet, took: start.elapsed(), messages: view.messages, reset })
}

struct Listener<'a> {
    case: &'a Case,
    view: View,
    decoder: Decoder,
    quiet: Duration,
    heard_at: Instant,
}

impl Listener<'_> {
    /// Reads to the end of the connection. The channel is closed behind it, which ends the writing side too.
    async fn listen(&mut self, mut reader: Reader, replies: Replies) {
        let mut pending = 0;
        loop {
            let read = reader.read(self.decoder.buffer()).await;
            self.quiet = self.quiet.max(self.heard_at.elapsed());
            self.heard_at = Instant::now();
            if let Err(lost) = read {
                self.view.lost = Some(lost);
                return;
            }
            loop {
                match self.decoder.next() {
                    Ok(Some(heard)) => {
                        let reply = self.view.note(heard);
                        self.reply(reply, &replies).await;
                    }
                    Ok(None) => break,
                    Err(fault) => {
                        self.view.faults.push(fault);
                        return;
                    }
                }
            }
            pending += std::mem::take(&mut self.view.uncredited);
            if self.case.client == Client::Grants && pending > 0 && self.view.terminal.is_none() {
                let grant = format!(r#"{{"type":"credit","bytes":{pending}}}"#);
                pending = 0;
                // The writer is gone after the end of the stream.
                let _ = replies.send(ToWriter::Reply(frame(TEXT, grant.as_bytes()))).await;
            }
            let granted = std::mem::take(&mut self.view.granted);
            if granted > 0 {
                let _ = replies.send(ToWriter::Granted(granted)).await;
            }
            // A refused handshake has no frames, and one that is over has no others.
            if matches!(self.view.status, Some(status) if status != 101 && status != 200) {
                return;
            }
        }
    }

    async fn reply(&self, reply: Option<Reply>, replies: &Replies) {
        let silent = self.case.client == Client::Silent;
        if let Some(reply) = reply.filter(|reply| !silent || matches!(reply, Reply::Close(_))) {
            let _ = replies.send(ToWriter::Reply(reply.frame())).await;
        }
    }
}

/// Writes the requests, and between them the replies and the client's own pings. A client that grants credit keeps to
/// the receive window itself, or its credit would wait behind its own requests.
async fn speak(
    case: &Case,
    ask: &Ask,
    head: Option<Bytes>,
    writer: &mut Writer,
    mut replies: mpsc::Receiver<ToWriter>,
) {
    let period = match case.times {
        Times::Default => Duration::from_secs(1),
        Times::Scaled => Duration::from_millis(400),
    };
    let mut pings = interval(period);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut number = 0_u64;
    let mut messages = ask.messages();
    if let Some(head) = head
        && writer.write(head).await.is_err()
    {
        return;
    }
    let keeps_to_window = case.client == Client::Grants && ask.method.takes_many();
    let mut window = if keeps_to_window { 0 } else { i64::MAX };
    let mut waiting = None;
    loop {
        if waiting.is_none() {
            waiting = messages.next();
        }
        let bytes = tokio::select! {
            biased;
            reply = replies.recv() => match reply {
                Some(ToWriter::Reply(reply)) => reply,
                Some(ToWriter::Granted(bytes)) => {
                    window = window.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
                    continue;
                }
                None => return,
            },
            _ = pings.tick(), if case.client == Client::Pings => {
                number += 1;
                ping(ask, number)
            }
            () = std::future::ready(()), if waiting.as_ref().is_some_and(|(_, payload)| window > 0 || payload == END_SEND) => {
                let Some((opcode, payload)) = waiting.take() else { continue };
                if keeps_to_window {
                    // An empty message counts as 1 byte.
                    window -= i64::try_from(payload.len().max(1)).unwrap_or(i64::MAX);
                }
                frame(opcode, &payload)
            },
        };
        if writer.write(bytes).await.is_err() {
            // The reading side sees how it ended.
            while replies.recv().await.is_some() {}
            return;
        }
    }
}

/// A ping of WebSocket, or every other time one of PROTOCOL §4.3.
fn ping(ask: &Ask, number: u64) -> Bytes {
    if number.is_multiple_of(2) && ask.mode != Mode::Seed {
        frame(TEXT, format!(r#"{{"type":"ping","pingId":{number}}}"#).as_bytes())
    } else {
        frame(PING, b"")
    }
}
