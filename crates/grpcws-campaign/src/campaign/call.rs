//! One call, as its client carries it out.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until, timeout};

use crate::client::frame::Decoder;
use crate::client::transport::{Lost, Reader, Writer};
use crate::client::view::{Reply, View};

/// What a client does next.
#[derive(Debug)]
pub(crate) enum Act {
    Write(Bytes),
    /// It does nothing but answer.
    Wait(Duration),
    /// FIN or END_STREAM, while it goes on reading.
    HalfClose,
    /// FIN or END_STREAM, after which nothing is read.
    Vanish,
    Reset,
}

/// What a client does.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) acts: Vec<Act>,
    /// How long it reads nothing, at first.
    pub(crate) stall: Duration,
    /// It says nothing behind a close frame of its own, not even the answer to the gateway's.
    pub(crate) closes: bool,
    /// A call of which nothing arrives for so long hangs. In all it may take ten times as long: with a window of 1 byte
    /// each byte is a round trip, of processes that share their cores with others.
    pub(crate) limit: Duration,
}

/// Carries a call out, and returns whether it ended in time.
pub(crate) async fn carry_out(script: Script, view: &mut View, reader: Reader, mut writer: Writer) -> bool {
    let Script { acts, stall, closes, limit } = script;
    let (replies, received) = mpsc::channel(64);
    let gone = Notify::new();
    let both = async {
        let listen = async {
            tokio::time::sleep(stall).await;
            tokio::select! {
                ended = listen(view, reader, replies, closes, limit) => ended,
                () = gone.notified() => true,
            }
        };
        tokio::join!(listen, speak(acts, &mut writer, received, &gone)).0
    };
    timeout(limit * 10, both).await.unwrap_or(false)
}

/// Reads to the end of the connection; `false` if nothing arrives for the limit.
async fn listen(
    view: &mut View,
    mut reader: Reader,
    replies: mpsc::Sender<Bytes>,
    closes: bool,
    limit: Duration,
) -> bool {
    let mut decoder = match reader {
        Reader::Http1(_) => Decoder::with_head(),
        Reader::Http2(_) => Decoder::frames(),
    };
    loop {
        match timeout(limit, reader.read(decoder.buffer())).await {
            Ok(Ok(_)) => {}
            Ok(Err(lost)) => {
                view.lost = Some(lost);
                return true;
            }
            Err(_) => return false,
        }
        loop {
            let heard = match decoder.next() {
                Ok(Some(heard)) => heard,
                Ok(None) => break,
                Err(fault) => {
                    view.faults.push(fault);
                    return true;
                }
            };
            let reply = view.note(heard).filter(|reply| !(closes && matches!(reply, Reply::Close(_))));
            if let Some(reply) = reply {
                // What is more than the channel holds is a pong that a later one makes up for.
                let _ = replies.try_send(reply.frame());
            }
        }
    }
}

/// Does what the script says, and replies until the connection ends.
async fn speak(acts: Vec<Act>, writer: &mut Writer, mut replies: mpsc::Receiver<Bytes>, gone: &Notify) {
    for act in acts {
        while let Ok(reply) = replies.try_recv() {
            // The reading side sees how the connection ended.
            let _ = writer.write(reply).await;
        }
        let done = match act {
            Act::Write(bytes) => writer.write(bytes).await,
            Act::Wait(time) => {
                wait(Instant::now() + time, writer, &mut replies).await;
                Ok(())
            }
            Act::HalfClose => {
                writer.half_close().await;
                Err(Lost::End)
            }
            Act::Vanish => {
                writer.half_close().await;
                gone.notify_one();
                Err(Lost::End)
            }
            Act::Reset => {
                writer.reset();
                gone.notify_one();
                Err(Lost::Reset)
            }
        };
        if done.is_err() {
            while replies.recv().await.is_some() {}
            return;
        }
    }
    while let Some(reply) = replies.recv().await {
        let _ = writer.write(reply).await;
    }
}

async fn wait(until: Instant, writer: &mut Writer, replies: &mut mpsc::Receiver<Bytes>) {
    loop {
        tokio::select! {
            () = sleep_until(until) => return,
            reply = replies.recv() => match reply {
                Some(reply) => drop(writer.write(reply).await),
                None => return,
            },
        }
    }
}
