//! The task of a call: opens the WebSocket, then moves everything between socket, session and application.
//!
//! One future with one hand-written poll owns it all. A poll does, in this order: what the application wants; read,
//! before the clock judges the gateway, and before writing, so that an end is never behind data; what is due by the
//! clock; write; tell the end; the closing handshake; one timer for the earliest of all times that the session waits for.

mod inbound;
mod outbound;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use grpcws_proto::client::{ClientOptions, ClientSession};
use tokio::time::Sleep;

use crate::call::queue::{Deliveries, Item, Wish};
use crate::connect::{Connector, OpenRequest};
use crate::socket::Socket;
use crate::{Code, Status};

/// How many messages each direction moves before other tasks get their turn.
const BUDGET: usize = 128;

/// How many bytes may lie ready for the application before the socket is left alone, where no credit was offered.
const READ_AHEAD: u64 = 64 * 1024;

/// Where the request messages of a call come from.
pub(crate) trait Requests: Send + Unpin + 'static {
    /// The payload of the next frame; `None` is half-close, and an error cancels the call with that status.
    fn poll_request(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Status>>>;
}

/// Opens the WebSocket and runs the call to its end.
pub(crate) async fn run<R: Requests>(
    connector: Arc<Connector>,
    request: OpenRequest,
    requests: R,
    deliveries: Deliveries,
) {
    let overdue = async {
        match request.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
    };
    let opened = tokio::select! {
        biased;
        () = deliveries.cancelled() => Err(cancelled()),
        () = overdue => Err(Status::new(Code::DeadlineExceeded, "deadline exceeded")),
        opened = connector.open(&request) => opened,
    };
    let opened = match opened {
        Ok(opened) => opened,
        Err(status) => return deliveries.push(Item::End(status)),
    };
    let options = connector.options();
    let session_options = ClientOptions::default()
        .deadline(request.deadline.map(Into::into))
        .credit(options.credit)
        .ping_period(options.ping_period)
        .pong_timeout(options.pong_timeout)
        .linger(options.linger);
    Driver {
        socket: Socket::new(opened, options.max_message_size),
        session: ClientSession::new(request.mode, session_options, Instant::now()),
        read_ahead: if options.credit.is_some() { u64::MAX } else { READ_AHEAD },
        requests: Some(requests),
        held: None,
        deliveries,
        told: false,
        life: Life::Open,
        linger: options.linger,
        bytes_read: 0,
        timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
        timer_at: None,
    }
    .await;
}

fn cancelled() -> Status {
    Status::new(Code::Cancelled, "call cancelled by the client")
}

struct Driver<R> {
    socket: Socket,
    session: ClientSession,
    /// How many bytes may lie ready for the application before the socket is left alone.
    read_ahead: u64,
    /// `None` after the last request message, and when the call is over.
    requests: Option<R>,
    /// A request message that waits for the window.
    held: Option<Bytes>,
    deliveries: Deliveries,
    /// The application was told the end.
    told: bool,
    life: Life,
    linger: Duration,
    /// The bytes read of the socket that the session knows of.
    bytes_read: u64,
    timer: Pin<Box<Sleep>>,
    timer_at: Option<Instant>,
}

/// Where a connection is in its life.
///
/// ```text
///   Open ── it takes no more data ──▶ ReadOnly ── its end, or the linger ──▶ Closing
///     └───────── the gateway's close frame, its fault, or the end ──────────────▲
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// Frames go both ways.
    Open,
    /// The connection takes no more data. What the gateway said before is read to its end, which tells how the call
    /// ended. If nothing comes, the connection is lost at `give_up_at`.
    ReadOnly { give_up_at: Option<Instant> },
    /// The closing handshake is done, or cannot be: FIN is sent, and what comes is discarded.
    Closing,
}

impl Life {
    /// Something was read: the end of a connection that takes no more data may still be on its way.
    const fn heard(&mut self) {
        if let Self::ReadOnly { give_up_at } = self {
            *give_up_at = None;
        }
    }
}

impl<R: Requests> Driver<R> {
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        self.heed_application(cx, now);
        let mut more = self.poll_inbound(cx, now);
        if self.session.poll_timeout().is_some_and(|due| due <= now) {
            self.handle_timeout(now);
        }
        more |= self.poll_outbound(cx, now);
        if let Some(status) = self.session.outcome() {
            if !std::mem::replace(&mut self.told, true) {
                self.deliveries.push(Item::End(status.clone()));
            }
            if self.session.is_closed() || self.poll_ending(cx).is_ready() {
                return Poll::Ready(());
            }
        }
        if !self.session.is_live() {
            // The source of the requests is dropped at once, so that it makes no more.
            self.requests = None;
            self.held = None;
        }
        if more {
            cx.waker().wake_by_ref();
        }
        self.poll_timer(cx)
    }

    fn handle_timeout(&mut self, now: Instant) {
        let was_live = self.session.is_live();
        self.session.handle_timeout(self.socket.progress(), now);
        // Of all that time ends, only the gateway's silence ends with this code.
        if was_live && self.session.outcome().is_some_and(|status| status.code() == Code::Unavailable) {
            self.socket.retire();
        }
    }

    fn heed_application(&mut self, cx: &Context<'_>, now: Instant) {
        let (taken, wish) = self.deliveries.poll_wish(cx);
        if taken > 0 {
            self.session.message_taken(taken);
        }
        match wish {
            Wish::GoOn => {}
            Wish::Cancel => self.session.cancel(now),
            Wish::Drop => self.session.abort(cancelled(), now),
        }
    }

    /// Says what is left to say, then ends the connection. The session's linger time bounds all of it.
    fn poll_ending(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.session.all_is_said() {
            // The turn ended before all was said. A blocked socket wakes the task; any other needs a nudge.
            if !self.socket.is_blocked() {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        match self.socket.poll_flush(cx) {
            Poll::Ready(()) if self.life == Life::Closing => self.socket.poll_finish(cx),
            _ => Poll::Pending,
        }
    }

    /// Arms the timer for what the session waits for next. A timer that fires early costs one poll, so it is only
    /// set anew where it would be late.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let give_up_at = match self.life {
            Life::ReadOnly { give_up_at } => give_up_at,
            Life::Open | Life::Closing => None,
        };
        let due = [self.session.poll_timeout(), give_up_at].into_iter().flatten().min();
        let Some(due) = due else { return Poll::Pending };
        if self.timer_at.is_none_or(|at| due < at) {
            self.timer.as_mut().reset(due.into());
            self.timer_at = Some(due);
        }
        if self.timer.as_mut().poll(cx).is_ready() {
            // What is due is done by another turn.
            self.timer_at = None;
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

impl<R: Requests> Future for Driver<R> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.get_mut().poll_once(cx)
    }
}
