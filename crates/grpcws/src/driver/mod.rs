//! The one task of a socket: it moves frames and messages between the socket, the session and the call.
//!
//! ```text
//!   socket ─▶ inbound ─▶ session ──────────▶ call        requests, held there up to the receive window
//!   socket ◀─ outbound ◀─ session ◀────────── call        responses, one of them held without credit
//! ```
//!
//! One hand-written poll does all of it: no split, no lock, and no future that is dropped half done. The
//! order inside a poll matters: what the client says is read before anything is written, so that a cancel
//! is never behind data; what is written is gathered while both sides are ready and flushed once.

mod inbound;
mod observer;
mod outbound;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::close::Cause;
use grpcws_proto::session::Session;
use tokio::time::Sleep;

use crate::call::Call;
use crate::codec::Codec;
use crate::shutdown::Registration;
use crate::socket::Socket;
pub(crate) use observer::Observer;

/// How many messages are read before other tasks get their turn.
const BUDGET: usize = 128;

/// The task of one socket.
pub(crate) struct Driver<C> {
    socket: Socket,
    session: Session,
    call: Option<C>,
    codec: Option<Arc<Codec>>,
    max_response_size: usize,
    /// A response that came without credit.
    held: Option<Bytes>,
    registration: Registration,
    observer: Observer,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
    written_at_last_poll: u64,
    close_flushed: bool,
    faulted: bool,
}

impl<C: Call + Unpin> Driver<C> {
    /// The driver of a stream that begins now. `call` is `None` if the session ended before there was one, `codec` if
    /// the messages are not transcoded, which no JSON mode can do without.
    pub(crate) fn new(
        socket: Socket,
        session: Session,
        call: Option<C>,
        codec: Option<Arc<Codec>>,
        max_response_size: usize,
        registration: Registration,
        observer: Observer,
    ) -> Self {
        Self {
            socket,
            session,
            call,
            codec,
            max_response_size,
            held: None,
            registration,
            observer,
            timer: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            timer_at: None,
            written_at_last_poll: 0,
            close_flushed: false,
            faulted: false,
        }
    }

    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        self.observer.started();
        if let Some(at) = self.registration.poll_drain(cx) {
            self.session.drain(at);
        }
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.handle_timeout(now);
        }
        self.poll_inbound(cx, now);
        let more = self.poll_outbound(cx, now);
        if !self.session.is_live() {
            self.release_call();
            if self.session.is_closed() || self.poll_ending(cx, now).is_ready() {
                self.observer.closed(self.session.outcome());
                return Poll::Ready(());
            }
        }
        if more {
            cx.waker().wake_by_ref();
        }
        self.poll_timer(cx)
    }

    /// A stream that has ended needs its call no longer: dropping it cancels it upstream.
    fn release_call(&mut self) {
        self.call = None;
        self.held = None;
        self.observer.ended(self.session.outcome());
    }

    /// Delivers what is left to say, then ends the connection.
    fn poll_ending(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        if !self.session.end_is_said() {
            // The turn ended before all was said. A blocked socket wakes the task; any other needs a nudge.
            if !self.socket.is_blocked() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        if !self.close_flushed {
            match self.socket.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    self.close_flushed = true;
                    self.session.close_sent(now);
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        self.socket.poll_finish(cx)
    }

    /// Arms the timer for what the session waits for next. A timer that fires early costs one poll, so it
    /// is only set anew where it would be late.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(due) = self.session.poll_timeout() else { return Poll::Pending };
        if self.timer_at.is_none_or(|at| due < at) {
            self.timer.as_mut().reset(due.into());
            self.timer_at = Some(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            self.session.handle_timeout(now);
            let Some(due) = self.session.poll_timeout() else {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            };
            self.timer.as_mut().reset(due.into());
            self.timer_at = Some(due);
            // What became due is sent by another turn.
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// A hook or the program's own stream panicked: this stream ends, and no other.
    fn fault(&mut self) -> Poll<()> {
        if std::mem::replace(&mut self.faulted, true) {
            return Poll::Ready(());
        }
        self.session.fail(Cause::Fault("internal error".to_owned()), Instant::now());
        Poll::Pending
    }
}

impl<C: Call + Unpin> Future for Driver<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let driver = self.get_mut();
        // After a panic the driver holds nothing that could be half done but the call, which is dropped.
        let polled = catch_unwind(AssertUnwindSafe(|| driver.poll_once(cx)));
        polled.unwrap_or_else(|_| {
            tracing::error!(path = %driver.observer.path(), "a hook or a stream of the program panicked");
            cx.waker().wake_by_ref();
            driver.fault()
        })
    }
}
