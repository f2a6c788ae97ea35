//! Messages that wait for types which the descriptors lack.
//!
//! The message is kept, the types are asked for, and then it is transcoded again, with whatever is known by then. Behind it
//! nothing is taken from the call, or read from the client, so that the order stays.

use std::task::{Context, Poll};
use std::time::Instant;

use grpcws_proto::Status;
use grpcws_proto::session::Payload;

use super::Driver;
use super::inbound::Receiver;
use crate::call::Call;
use crate::codec::Lookup;

/// How often one message may wait: a type that was found may hold another one that is not known.
const ROUNDS: u8 = 8;

/// What waits, in both directions.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) answer: Option<Box<WaitingAnswer>>,
    pub(super) request: Option<Box<WaitingRequest>>,
    /// How often the present answer has waited.
    pub(super) rounds: u8,
}

/// An answer of the call that waits.
pub(super) struct WaitingAnswer {
    pub(super) lookup: Lookup,
    /// The end; nothing where it is the message that is held.
    pub(super) end: Option<Status>,
}

/// A request that waits.
pub(super) struct WaitingRequest {
    pub(super) lookup: Lookup,
    frame: String,
    /// Where in the frame the value is.
    offset: usize,
    length: usize,
    pub(super) cost: u64,
    pub(super) last: bool,
    pub(super) rounds: u8,
}

impl WaitingRequest {
    /// `None` for a payload that is not JSON.
    pub(super) fn new(lookup: Lookup, payload: Payload<'_>, cost: u64, last: bool) -> Option<Box<Self>> {
        let Payload::Json { value, frame, offset } = payload else { return None };
        let (frame, offset) = offset.map_or((value, 0), |offset| (frame, offset));
        let (frame, length) = (frame.to_owned(), value.len());
        Some(Box::new(Self { lookup, frame, offset, length, cost, last, rounds: 1 }))
    }

    pub(super) fn payload(&self) -> Payload<'_> {
        let end = self.offset.saturating_add(self.length);
        let value = self.frame.get(self.offset..end).unwrap_or_default();
        Payload::Json { value, frame: &self.frame, offset: Some(self.offset) }
    }

    pub(super) fn may_wait_again(&self) -> bool {
        self.rounds < ROUNDS
    }
}

impl Waiting {
    /// Whether the present answer may wait.
    pub(super) fn may_wait(&self) -> bool {
        self.rounds < ROUNDS
    }

    /// Lets the present answer wait.
    pub(super) fn wait(&mut self, lookup: Lookup, end: Option<Status>) {
        self.rounds += 1;
        self.answer = Some(Box::new(WaitingAnswer { lookup, end }));
    }
}

impl<C: Call + Unpin> Driver<C> {
    /// Goes on with the answer that waits: ready with the status of the end, or with nothing if it is the message that
    /// is held.
    #[cold]
    pub(super) fn poll_waiting_answer(&mut self, cx: &mut Context<'_>) -> Poll<Option<Status>> {
        let Some(waiting) = &mut self.waiting.answer else { return Poll::Ready(None) };
        let Poll::Ready(answered) = waiting.lookup.as_mut().poll(cx) else { return Poll::Pending };
        let end = self.waiting.answer.take().and_then(|waiting| waiting.end);
        if !answered {
            self.waiting.rounds = ROUNDS;
        }
        self.renew_codec();
        Poll::Ready(end)
    }

    /// Goes on with the request that waits. Pending while the client is not to be read.
    pub(super) fn poll_waiting_request(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        let Some(waiting) = &mut self.waiting.request else { return Poll::Ready(()) };
        if !self.session.is_live() {
            self.waiting.request = None;
            return Poll::Ready(());
        }
        let Poll::Ready(answered) = waiting.lookup.as_mut().poll(cx) else {
            if self.socket.poll_peer_closed(cx).is_ready() {
                self.connection_lost(now);
            }
            return Poll::Pending;
        };
        let Some(mut request) = self.waiting.request.take() else { return Poll::Ready(()) };
        if !answered {
            request.rounds = ROUNDS;
        }
        self.renew_codec();
        let Self { session, call, codec, observer, waiting, .. } = self;
        let (call, codec) = (call.as_mut(), codec.as_deref());
        Receiver { session, call, codec, observer, waiting: &mut waiting.request }.decode_again(request, now);
        if self.waiting.request.is_some() {
            // The next look-up is still to be polled.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn renew_codec(&mut self) {
        if let Some(renewed) = self.codec.as_deref().and_then(crate::codec::Codec::renewed) {
            self.codec = Some(renewed.into());
        }
    }
}
