//! The one task of a socket: it moves frames and messages between the socket, the session and the call.
//!
//! ```text
//!   socket ─▶ inbound ─▶ session ──────────▶ call        requests, held there up to the receive window
//!   socket ◀─ outbound ◀─ session ◀────────── call        responses, one of them held without credit
//! ```
//!
//! One hand-written poll does all of it: no split, no lock, and no future that is dropped half done. The
//! order inside a poll matters: what the client says is read before a timer judges the client, and before anything
//! is written, so that a cancel is never behind data; what is written is gathered while both sides are ready and
//! flushed once.
//!
//! The life of a socket is the session's: [`Stage`] says what a poll does, and the session's module has the diagram.

mod inbound;
mod lookup;
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
use grpcws_proto::session::{Session, Stage};
use tokio::time::Sleep;

use crate::call::Call;
use crate::codec::Codec;
use crate::shutdown::Registration;
use crate::socket::Socket;
use lookup::Waiting;
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
    /// What waits for types that the descriptors lack.
    waiting: Waiting,
    registration: Registration,
    observer: Observer,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
    /// The bytes read of the socket that the session knows of.
    bytes_read: u64,
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
            waiting: Waiting::default(),
            registration,
            observer,
            timer: Box::pin(tokio::time::sleep(std::time::Duration::ZERO)),
            timer_at: None,
            bytes_read: 0,
            faulted: false,
        }
    }

    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        self.observer.started();
        if let Some(drain) = self.registration.poll_drain(cx) {
            self.session.drain(drain.end_at, drain.gone_by);
        }
        self.poll_inbound(cx, now);
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.session.handle_timeout(self.socket.progress(), now);
        }
        let more = self.poll_outbound(cx, now);
        if !self.session.is_live() {
            self.release_call();
            if self.poll_ending(cx, now).is_ready() {
                self.observer.closed(self.session.outcome());
                return Poll::Ready(());
            }
        }
        if more {
            cx.waker().wake_by_ref();
        }
        self.poll_timer(cx);
        Poll::Pending
    }

    /// A stream that has ended needs its call no longer: dropping it cancels it upstream.
    fn release_call(&mut self) {
        self.call = None;
        self.held = None;
        self.waiting = Waiting::default();
        self.observer.ended(self.session.outcome());
    }

    /// Takes the stream from its end to the end of its connection; ready when the socket can be dropped.
    fn poll_ending(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<()> {
        loop {
            let before = self.session.stage();
            match before {
                Stage::Live => return Poll::Pending,
                Stage::Ending => self.poll_said(cx, now),
                Stage::Closing => self.discard_input(cx, now),
                Stage::Finishing => {
                    let finished = self.socket.poll_finish(cx);
                    self.note_bytes_read(now);
                    if finished.is_ready() {
                        self.session.finished(self.socket.progress());
                    }
                }
                Stage::Closed => return Poll::Ready(()),
            }
            if self.session.stage() == before {
                return Poll::Pending;
            }
        }
    }

    /// Hands the transport what is left to say.
    fn poll_said(&mut self, cx: &mut Context<'_>, now: Instant) {
        if !self.session.end_is_said() {
            // The turn ended before all was said. A blocked socket wakes the task; any other needs a nudge.
            if !self.socket.is_blocked() {
                cx.waker().wake_by_ref();
            }
            return;
        }
        match self.socket.poll_flush(cx) {
            Poll::Ready(Ok(())) => self.session.close_sent(now),
            Poll::Ready(Err(_)) => self.connection_lost(now),
            Poll::Pending => {}
        }
    }

    fn connection_lost(&mut self, now: Instant) {
        self.session.connection_lost(self.socket.progress(), now);
    }

    /// Arms the timer for what the session waits for next. A timer that fires early costs one poll, so it
    /// is only set anew where it would be late.
    fn poll_timer(&mut self, cx: &mut Context<'_>) {
        let Some(due) = self.session.poll_timeout() else { return };
        if self.timer_at.is_none_or(|at| due < at) {
            self.timer.as_mut().reset(due.into());
            self.timer_at = Some(due);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                // Another turn does what is due, after it has read.
                self.timer_at = None;
                return cx.waker().wake_by_ref();
            }
            self.timer.as_mut().reset(due.into());
            self.timer_at = Some(due);
        }
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
