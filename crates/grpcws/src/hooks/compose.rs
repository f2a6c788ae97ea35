//! Composed hooks: shared ones, and several as one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use grpcws_proto::Status;
use grpcws_proto::session::Outcome;

use super::{Direction, RefusedHandshake, StreamHooks, StreamInfo, StreamMetrics};

impl<H: StreamHooks + ?Sized> StreamHooks for Arc<H> {
    fn on_refused(&self, handshake: &RefusedHandshake<'_>) {
        (**self).on_refused(handshake);
    }

    fn on_start(&self, stream: &StreamInfo) {
        (**self).on_start(stream);
    }

    fn on_message(&self, stream: &StreamInfo, direction: Direction, bytes: usize) {
        (**self).on_message(stream, direction, bytes);
    }

    fn on_ping(&self, stream: &StreamInfo, ping_id: u64) {
        (**self).on_ping(stream, ping_id);
    }

    fn on_pong(&self, stream: &StreamInfo) {
        (**self).on_pong(stream);
    }

    fn on_timeout(&self, stream: &StreamInfo, outcome: &Outcome) {
        (**self).on_timeout(stream, outcome);
    }

    fn on_error(&self, stream: &StreamInfo, status: &Status) {
        (**self).on_error(stream, status);
    }

    fn on_close(&self, stream: &StreamInfo, outcome: Option<&Outcome>, metrics: &StreamMetrics) {
        (**self).on_close(stream, outcome, metrics);
    }
}

/// The first, then the second.
impl<A: StreamHooks, B: StreamHooks> StreamHooks for (A, B) {
    fn on_refused(&self, handshake: &RefusedHandshake<'_>) {
        both(|| self.0.on_refused(handshake), || self.1.on_refused(handshake));
    }

    fn on_start(&self, stream: &StreamInfo) {
        both(|| self.0.on_start(stream), || self.1.on_start(stream));
    }

    fn on_message(&self, stream: &StreamInfo, direction: Direction, bytes: usize) {
        both(|| self.0.on_message(stream, direction, bytes), || self.1.on_message(stream, direction, bytes));
    }

    fn on_ping(&self, stream: &StreamInfo, ping_id: u64) {
        both(|| self.0.on_ping(stream, ping_id), || self.1.on_ping(stream, ping_id));
    }

    fn on_pong(&self, stream: &StreamInfo) {
        both(|| self.0.on_pong(stream), || self.1.on_pong(stream));
    }

    fn on_timeout(&self, stream: &StreamInfo, outcome: &Outcome) {
        both(|| self.0.on_timeout(stream, outcome), || self.1.on_timeout(stream, outcome));
    }

    fn on_error(&self, stream: &StreamInfo, status: &Status) {
        both(|| self.0.on_error(stream, status), || self.1.on_error(stream, status));
    }

    fn on_close(&self, stream: &StreamInfo, outcome: Option<&Outcome>, metrics: &StreamMetrics) {
        both(|| self.0.on_close(stream, outcome, metrics), || self.1.on_close(stream, outcome, metrics));
    }
}

/// Calls both, the second one also if the first panics, so that it misses no end of a stream.
fn both(first: impl FnOnce(), second: impl FnOnce()) {
    let first = catch_unwind(AssertUnwindSafe(first));
    second();
    if let Err(panic) = first {
        resume_unwind(panic);
    }
}
