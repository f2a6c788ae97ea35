//! Moves a request's body into its stream.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::Status;
use h2::{Reason, SendStream};
use http_body::Body;

use crate::connection::{Blocked, Connection};
use crate::pool::Slot;
use crate::request::Outgoing;
use crate::status::BoxError;

/// The body of a request and the stream that it goes to.
///
/// A pump that is dropped before the end of the body resets the stream, so that the upstream never takes half a
/// request for all of it.
pub(crate) struct Pump<B> {
    /// Nothing once it was taken out, after the end of the body.
    stream: Option<SendStream<Bytes>>,
    outgoing: Option<Outgoing<B>>,
    /// Whether all of the body, and its end, were handed to h2, or no more of it is wanted.
    done: bool,
    connection: Arc<Connection>,
    /// Whether it waits for the upstream to take more.
    blocked: Option<Blocked>,
}

impl<B> Pump<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    pub(crate) fn new(
        stream: SendStream<Bytes>,
        outgoing: Outgoing<B>,
        done: bool,
        connection: &Arc<Connection>,
    ) -> Self {
        let connection = Arc::clone(connection);
        Self { stream: Some(stream), outgoing: Some(outgoing), done, connection, blocked: None }
    }

    /// Sends what is ready. Ready when the body has ended, or the upstream wants no more of it.
    ///
    /// # Errors
    /// The status of a body that ends with an error. The stream has been reset then.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let (Some(stream), Some(outgoing)) = (&mut self.stream, &mut self.outgoing) else {
            return Poll::Ready(Ok(()));
        };
        while !self.done {
            if let Err(status) = outgoing.fill(cx) {
                stream.send_reset(Reason::CANCEL);
                self.done = true;
                return Poll::Ready(Err(status));
            }
            if outgoing.queued() == 0 && !outgoing.ended() {
                // Nothing to send: only a reset by the upstream is of interest.
                let over = stream.poll_reset(cx).is_ready();
                self.done = over;
                return if over { Poll::Ready(Ok(())) } else { Poll::Pending };
            }
            let Poll::Ready(room) = room(stream, outgoing, cx) else {
                self.blocked.get_or_insert_with(|| Blocked::new(&self.connection));
                return Poll::Pending;
            };
            if let Some(blocked) = self.blocked.take() {
                blocked.end();
            }
            let Some(room) = room else {
                self.done = true;
                break;
            };
            let chunk = outgoing.take(room);
            let last = outgoing.ended() && outgoing.queued() == 0;
            // It fails only if the stream is over already, which the response tells better.
            let sent = stream.send_data(chunk, last);
            self.done = last || sent.is_err();
        }
        Poll::Ready(Ok(()))
    }
}

/// How many bytes may be sent now; nothing where the upstream wants no more.
fn room<B>(
    stream: &mut SendStream<Bytes>,
    outgoing: &Outgoing<B>,
    cx: &mut Context<'_>,
) -> Poll<Option<usize>> {
    if outgoing.ended() {
        // No more will come, so the rest is left to h2, which sends it as the windows permit; it is in memory in
        // any case, and the call needs no task.
        return Poll::Ready(Some(usize::MAX));
    }
    stream.reserve_capacity(outgoing.queued());
    match stream.capacity() {
        0 => match ready!(stream.poll_capacity(cx)) {
            Some(Ok(room)) => Poll::Ready(Some(room)),
            Some(Err(_)) | None => Poll::Ready(None),
        },
        room => Poll::Ready(Some(room)),
    }
}

impl<B> Pump<B> {
    pub(crate) fn is_done(&self) -> bool {
        self.done
    }

    /// The body, for another attempt.
    pub(crate) fn into_outgoing(mut self) -> Option<Outgoing<B>> {
        self.outgoing.take()
    }

    /// The stream of a request that was sent, to reset it if the call is cancelled.
    pub(crate) fn into_stream(mut self) -> Option<SendStream<Bytes>> {
        self.stream.take()
    }

    /// The response has begun, so the request is not sent anew.
    pub(crate) fn answered(&mut self) {
        if let Some(outgoing) = &mut self.outgoing {
            outgoing.forget_sent();
        }
    }

    /// No more of the body is wanted. Where it has not ended, this resets the stream.
    pub(crate) fn stop(&mut self, reason: Reason) {
        if let Some(stream) = &mut self.stream
            && !self.done
        {
            stream.send_reset(reason);
        }
        self.done = true;
        self.blocked = None;
    }
}

impl<B> Drop for Pump<B> {
    fn drop(&mut self) {
        // A call that is dropped is cancelled at once, not behind the data that waits in h2.
        if let Some(stream) = &mut self.stream {
            stream.send_reset(Reason::CANCEL);
        }
    }
}

/// What the task of a request and its response share.
pub(crate) struct Shared {
    /// The response has ended, so the upstream wants no more.
    over: AtomicBool,
    /// What the body has ended with, if that was an error.
    failure: OnceLock<Status>,
    /// Given back when both are done.
    pub(crate) slot: Slot,
}

impl Shared {
    pub(crate) fn new(slot: Slot) -> Arc<Self> {
        Arc::new(Self { over: AtomicBool::new(false), failure: OnceLock::new(), slot })
    }

    pub(crate) fn set_over(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    pub(crate) fn failure(&self) -> Option<&Status> {
        self.failure.get()
    }
}

/// A pump as a task, for a request that goes on beside its response.
pub(crate) struct PumpTask<B> {
    pump: Pump<B>,
    shared: Arc<Shared>,
}

impl<B> PumpTask<B> {
    pub(crate) fn new(pump: Pump<B>, shared: Arc<Shared>) -> Self {
        Self { pump, shared }
    }
}

impl<B> Future for PumpTask<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if let Err(status) = ready!(this.pump.poll(cx)) {
            // The first error is the one that counts.
            let _ = this.shared.failure.set(status);
        }
        Poll::Ready(())
    }
}

impl<B> Drop for PumpTask<B> {
    fn drop(&mut self) {
        let reason = if self.shared.over.load(Ordering::Relaxed) { Reason::NO_ERROR } else { Reason::CANCEL };
        self.pump.stop(reason);
        // The response cancels the call from here on.
        drop(self.pump.stream.take());
    }
}
