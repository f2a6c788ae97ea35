//! From the socket to the call.

use std::borrow::Cow;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_json::FromJsonError;
use grpcws_proto::close::Cause;
use grpcws_proto::session::{Event, Frame, Payload, Session, Stage};

use super::lookup::WaitingRequest;
use super::{BUDGET, Driver, Observer};
use crate::call::Call;
use crate::codec::Codec;
use crate::socket::Incoming;

impl<C: Call + Unpin> Driver<C> {
    /// Reads what the client sends for as long as the session wants it, and hands it to the call.
    pub(super) fn poll_inbound(&mut self, cx: &mut Context<'_>, now: Instant) {
        if self.poll_waiting_request(cx, now).is_pending() {
            return;
        }
        let drained = self.read_messages(cx, now);
        if self.waiting.request.is_some() {
            cx.waker().wake_by_ref();
            return self.note_bytes_read(now);
        }
        self.note_bytes_read(now);
        if drained {
            return;
        }
        if self.session.wants_input() {
            cx.waker().wake_by_ref();
        } else if !self.session.is_live() {
            self.socket.stop_watching();
            self.discard_input(cx, now);
        } else {
            self.wait_unread(cx, now);
        }
    }

    /// The client has sent more than its window: only the end of the connection is still seen.
    #[cold]
    #[inline(never)]
    fn wait_unread(&mut self, cx: &mut Context<'_>, now: Instant) {
        if !self.socket.borrow_unread(self.session.receive_window_budget()) {
            let text = "the client sends beyond its receive window, and the memory for that is used up: keep to the \
                        window, or raise receive_window_budget";
            self.session.fail(Cause::Policy(text.to_owned()), now);
            self.discard_input(cx, now);
        } else if self.socket.poll_peer_closed(cx).is_ready() {
            self.session.fail(Cause::ConnectionLost, now);
        }
    }

    /// Returns whether everything that has come was read.
    fn read_messages(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for turn in 0..BUDGET {
            self.poll_taken(cx, now);
            if !self.session.wants_input() || self.waiting.request.is_some() {
                return false;
            }
            // Nothing is watched while it is read.
            if turn == 0 {
                self.socket.stop_watching();
            }
            let Self { socket, session, call, codec, observer, waiting, .. } = self;
            match socket.poll_read(cx) {
                Poll::Ready(Ok(message)) => {
                    let (call, codec) = (call.as_mut(), codec.as_deref());
                    let waiting = &mut waiting.request;
                    Receiver { session, call, codec, observer, waiting }.receive(message, now);
                }
                Poll::Ready(Err(cause)) => session.fail(cause, now),
                Poll::Pending => return true,
            }
        }
        false
    }

    /// Tells the session of bytes that came, if only a part of a frame.
    pub(super) fn note_bytes_read(&mut self, now: Instant) {
        let bytes_read = self.socket.bytes_read();
        if bytes_read != self.bytes_read {
            self.bytes_read = bytes_read;
            self.session.bytes_received(self.socket.is_inside_message(), now);
        }
    }

    fn poll_taken(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(call) = &mut self.call else { return };
        while let Poll::Ready(cost) = call.poll_taken(cx) {
            self.session.message_taken(cost, now);
        }
    }

    /// Reads and discards what the client still sends after the end. Only its close frame, and the end of the connection,
    /// mean something.
    pub(super) fn discard_input(&mut self, cx: &mut Context<'_>, now: Instant) {
        for _ in 0..BUDGET {
            if matches!(self.session.stage(), Stage::Finishing | Stage::Closed) {
                return;
            }
            let frame = if self.socket.can_read() {
                self.socket.poll_read(cx).map_ok(|frame| match frame {
                    Incoming::Close(code) => Some(code),
                    _ => None,
                })
            } else {
                // Nothing is read as frames after the client's close frame, or after a violation.
                self.socket.poll_discard(cx).map(|()| Err(Cause::ConnectionLost))
            };
            self.note_bytes_read(now);
            match frame {
                Poll::Ready(Ok(Some(code))) => _ = self.session.receive(Frame::Close(code), now),
                Poll::Ready(Err(Cause::ConnectionLost)) => self.connection_lost(now),
                Poll::Ready(_) => {}
                Poll::Pending => return,
            }
        }
        cx.waker().wake_by_ref();
    }
}

/// What takes a message of the client while that borrows from the socket.
pub(super) struct Receiver<'a, C> {
    pub(super) session: &'a mut Session,
    pub(super) call: Option<&'a mut C>,
    pub(super) codec: Option<&'a Codec>,
    pub(super) observer: &'a mut Observer,
    /// For a request that has to wait for its types.
    pub(super) waiting: &'a mut Option<Box<WaitingRequest>>,
}

impl<C: Call> Receiver<'_, C> {
    fn receive(&mut self, message: Incoming<'_>, now: Instant) {
        match message {
            Incoming::Text(text) => {
                let event = self.session.receive(Frame::Text(&text), now);
                self.handle(event, text.len(), now);
            }
            Incoming::Binary(bytes) => self.receive_binary(bytes, now),
            Incoming::Ping => _ = self.session.receive(Frame::Ping, now),
            Incoming::Pong => {
                let event = self.session.receive(Frame::Pong, now);
                self.handle(event, 0, now);
            }
            Incoming::Close(code) => _ = self.session.receive(Frame::Close(code), now),
        }
    }

    fn receive_binary(&mut self, bytes: Cow<'_, [u8]>, now: Instant) {
        let length = bytes.len();
        match self.session.receive(Frame::Binary(&bytes), now) {
            // The whole frame is the message.
            Event::Message { payload: Payload::Proto(_), last, cost } => {
                self.observer.received(length);
                let message = match bytes {
                    Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
                    Cow::Owned(bytes) => bytes.into(),
                };
                self.send(Ok(message), cost, last, now);
            }
            event => self.handle(event, length, now),
        }
    }

    fn handle(&mut self, event: Event<'_>, length: usize, now: Instant) {
        match event {
            Event::None | Event::Ping => {}
            Event::Pong => self.observer.pong(),
            Event::HalfClose => {
                if let Some(call) = &mut self.call {
                    call.half_close();
                }
            }
            Event::Message { payload, last, cost } => {
                self.observer.received(length);
                let lookup = |codec: &Codec, error: &FromJsonError| {
                    WaitingRequest::new(codec.look_up_for_request(error)?, payload, cost, last)
                };
                match self.decode(payload, lookup) {
                    Ok(message) => self.send(message, cost, last, now),
                    Err(waiting) => *self.waiting = Some(waiting),
                }
            }
        }
    }

    /// Reads a request that has waited for its types.
    #[cold]
    pub(super) fn decode_again(&mut self, mut request: Box<WaitingRequest>, now: Instant) {
        let mut lookup = None;
        let decoded = self.decode(request.payload(), |codec, error| {
            lookup = Some(codec.look_up_for_request(error)?);
            request.may_wait_again().then_some(())
        });
        match (decoded, lookup) {
            (Ok(message), _) => self.send(message, request.cost, request.last, now),
            (Err(()), Some(lookup)) => {
                request.lookup = lookup;
                request.rounds += 1;
                *self.waiting = Some(request);
            }
            (Err(()), None) => {}
        }
    }

    /// The bytes of a request, or why there are none; fails if `wait` says that it has to wait for a type.
    fn decode<W>(
        &self,
        payload: Payload<'_>,
        wait: impl FnOnce(&Codec, &FromJsonError) -> Option<W>,
    ) -> Result<Result<Bytes, String>, W> {
        let Some(codec) = self.codec else {
            return Ok(Err("the types of this method are not known".to_owned()));
        };
        codec.decode_request(payload).map_or_else(
            |error| wait(codec, &error).map_or_else(|| Ok(Err(error.to_string())), Err),
            |message| Ok(Ok(message)),
        )
    }

    fn send(&mut self, message: Result<Bytes, String>, cost: u64, last: bool, now: Instant) {
        let sent = message.and_then(|message| {
            let Some(call) = &mut self.call else { return Ok(()) };
            call.send(message, cost).map_err(|status| status.message().to_owned())?;
            if last {
                call.half_close();
            }
            Ok(())
        });
        if let Err(text) = sent {
            self.session.fail(Cause::InvalidMessage(text), now);
        }
    }
}
