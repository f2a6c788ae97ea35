//! From the call to the socket.

use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_json::{MissingTypes, ToJsonError, ToJsonErrorKind};
use grpcws_proto::close::Cause;
use grpcws_proto::metadata::unwritable;
use grpcws_proto::session::Transmit;
use grpcws_proto::{Code, DebugDetail, Status};
use http::HeaderMap;

use super::Driver;
use crate::call::{Answer, Call};
use crate::codec::Lookup;
use crate::socket::DataKind;

/// How many messages are fed before other tasks get their turn: more than fill the socket's buffer, where they are
/// small.
const BUDGET: usize = 256;

impl<C: Call + Unpin> Driver<C> {
    /// Feeds the socket for as long as there is something to say and it takes it, then flushes once.
    /// Returns whether it stopped only to give other tasks their turn.
    pub(super) fn poll_outbound(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut more = true;
        // Between two messages of the call the session has nothing new to say.
        let mut quiet = false;
        for _ in 0..BUDGET {
            if self.socket.is_blocked() && self.poll_flush(cx, now).is_pending() {
                return false;
            }
            if !self.feed_next(cx, now, &mut quiet) {
                more = false;
                break;
            }
        }
        let _ = self.poll_flush(cx, now);
        more
    }

    /// Feeds one message: what the session has to say comes before the next answer of the call. `quiet` says that
    /// it has nothing to say.
    fn feed_next(&mut self, cx: &mut Context<'_>, now: Instant, quiet: &mut bool) -> bool {
        if !*quiet {
            if let Some(transmit) = self.session.poll_transmit() {
                if let Err(cause) = self.transmit(cx, transmit) {
                    self.session.fail(cause, now);
                }
                return true;
            }
            if !self.session.is_live() {
                return false;
            }
        }
        *quiet = false;
        if self.waiting.answer.is_some() {
            match self.poll_waiting_answer(cx) {
                Poll::Pending => return false,
                Poll::Ready(Some(status)) => {
                    self.upstream_end(status, now);
                    return true;
                }
                Poll::Ready(None) => {}
            }
        }
        let Some(call) = &mut self.call else { return false };
        let answer = match self.held.take() {
            Some(message) => Poll::Ready(Answer::Message(message)),
            None => call.poll_answer(cx),
        };
        match answer {
            Poll::Pending => return false,
            Poll::Ready(Answer::Headers(metadata)) => {
                log_unwritable(&metadata);
                self.session.upstream_headers(&metadata);
            }
            Poll::Ready(Answer::Message(message)) if !self.session.can_send_data() => {
                self.held = Some(message);
                return false;
            }
            Poll::Ready(Answer::Message(message)) => match self.send_data(cx, message) {
                Ok(()) => *quiet = true,
                Err(cause) => self.session.fail(cause, now),
            },
            Poll::Ready(Answer::End(status)) => self.upstream_end(status, now),
            Poll::Ready(Answer::Abort(cause)) => self.session.fail(cause, now),
        }
        true
    }

    fn transmit(&mut self, cx: &mut Context<'_>, transmit: Transmit) -> Result<(), Cause> {
        match transmit {
            Transmit::Text(text) => self.socket.feed_text(cx, &text),
            Transmit::Ping { ping_id, text } => {
                self.observer.ping(ping_id);
                self.socket.feed_text(cx, &text)?;
                self.socket.feed_ping(cx)?;
                self.session.ping_queued(self.socket.bytes_queued());
                Ok(())
            }
            Transmit::Close(close) => self.socket.feed_close(cx, &close),
        }
    }

    /// The upstream has ended the call. The client is told when the types of the details are there.
    #[inline(never)]
    fn upstream_end(&mut self, status: Status, now: Instant) {
        if let Some(lookup) = self.look_up_for_status(&status) {
            return self.waiting.wait(lookup, Some(status));
        }
        log_unwritable(status.metadata());
        let debug: &dyn DebugDetail = self.codec.as_deref().map_or(&(), |codec| codec);
        self.session.upstream_end(status, debug, now);
    }

    /// Looks up the types of a status's details that the descriptors lack. An upstream that does not have the method is
    /// another one than that which the descriptors are of.
    fn look_up_for_status(&self, status: &Status) -> Option<Lookup> {
        let codec = self.codec.as_ref()?;
        if status.code() == Code::Unimplemented {
            codec.outdated();
        }
        let shown = self.session.mode().is_v1() && self.waiting.may_wait();
        shown.then(|| codec.look_up_for_status(status)).flatten()
    }

    fn send_data(&mut self, cx: &mut Context<'_>, message: Bytes) -> Result<(), Cause> {
        if message.len() > self.max_response_size {
            let limit = u64::try_from(self.max_response_size).unwrap_or(u64::MAX);
            return Err(Cause::ResponseTooLarge(limit));
        }
        let length = if self.session.mode().is_json() {
            let codec = self.codec.as_ref().ok_or_else(|| undecodable("its type is not known".to_owned()))?;
            if codec.looks_types_up() && self.waiting.may_wait() {
                return self.send_data_noting(cx, message);
            }
            let fed = self.socket.feed_data(cx, DataKind::Text, |bytes| {
                codec.encode_data(&message, bytes).map_err(|error| unprintable(&error))
            });
            self.waiting.rounds = 0;
            fed?
        } else {
            self.socket.feed_data(cx, DataKind::Binary, |bytes| {
                bytes.extend_from_slice(&message);
                Ok(())
            })?
        };
        self.session.data_sent(length);
        self.observer.sent(length);
        Ok(())
    }

    /// Sends data as JSON where types that the descriptors lack can be looked up. If the message has some, it is held.
    #[inline(never)]
    fn send_data_noting(&mut self, cx: &mut Context<'_>, message: Bytes) -> Result<(), Cause> {
        let Some(codec) = &self.codec else { return Ok(()) };
        let mut lookup = None;
        let fed = self.socket.feed_data(cx, DataKind::Text, |bytes| {
            let mut missing = MissingTypes::default();
            let encoded = codec.encode_data_noting(&message, bytes, &mut missing);
            if !missing.is_empty() {
                lookup = codec.look_up_for_response(missing);
                if lookup.is_some() {
                    // What was written is taken back.
                    return Err(undecodable(String::new()));
                }
            }
            encoded.map_err(|error| unprintable(&error))
        });
        if let Some(lookup) = lookup {
            self.held = Some(message);
            self.waiting.wait(lookup, None);
            return Ok(());
        }
        self.waiting.rounds = 0;
        let length = fed?;
        self.session.data_sent(length);
        self.observer.sent(length);
        Ok(())
    }

    /// Flushes, and tells the session how the client keeps up.
    fn poll_flush(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        match self.socket.poll_flush(cx) {
            Poll::Ready(Ok(())) => {
                self.session.write_complete();
                Poll::Ready(())
            }
            Poll::Ready(Err(_)) => {
                self.connection_lost(now);
                Poll::Ready(())
            }
            Poll::Pending => {
                self.session.write_pending(now);
                Poll::Pending
            }
        }
    }
}

/// Says which names of an upstream are left out of what the client is sent.
fn log_unwritable(metadata: &HeaderMap) {
    for name in unwritable(metadata) {
        tracing::debug!(%name, "left out: gRPC has no such name of metadata");
    }
}

/// Why a response message has no JSON.
fn unprintable(error: &ToJsonError) -> Cause {
    match error.kind() {
        ToJsonErrorKind::TooLarge(limit) => too_large_as_json(*limit),
        _ => undecodable(error.to_string()),
    }
}

fn too_large_as_json(limit: u64) -> Cause {
    let text = format!("response message is larger than {limit} bytes as JSON");
    Cause::Refused(Status::new(Code::ResourceExhausted, text))
}

/// The upstream's message does not fit the descriptors: the gateway cannot show it.
fn undecodable(reason: String) -> Cause {
    let status = Status::new(Code::Internal, format!("response message: {reason}"));
    Cause::Refused(status)
}
