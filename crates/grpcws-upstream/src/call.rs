//! One call: a stream is acquired, the request sent, the response awaited; anew where the upstream has provably
//! not seen it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use grpcws_proto::{Code, Status};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream};
use http::{Request, Response};
use http_body::Body;

use crate::pool::Slot;
use crate::pump::{Pump, PumpTask, Shared};
use crate::request::Outgoing;
use crate::response::{Upload, UpstreamBody};
use crate::status::BoxError;
use crate::upstream::Server;

/// How often a connection may turn out to be unusable before anything was sent. Each time it was taken out of use,
/// so more than a few are a sign of something else.
const UNSENT: u32 = 16;

/// What a call does when the upstream has not seen it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retries {
    pub(crate) most: u32,
    pub(crate) buffer: usize,
}

/// Makes a call.
///
/// The future may wait for hours, and keeps room for what it was made with until it ends, even for what it has given
/// away by then. So it is made with what it needs for that long, and moves the exchange into no other future.
///
/// # Cancel safety
/// To drop the future is to cancel the call: the stream is reset at once.
pub(crate) fn call<B>(
    server: Arc<Server>,
    mut head: Request<()>,
    body: B,
) -> impl Future<Output = Result<Response<UpstreamBody>, Status>> + Send
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    let mut outgoing = Outgoing::new(body, server.retries.buffer);
    async move {
        let (mut unsent, mut unseen) = (0, 0);
        loop {
            let slot = server.pool.acquire().await?;
            let empty = outgoing.ended() && outgoing.queued() == 0;
            // The copy is the one that is kept: it has no room for more headers than it has.
            let copy = head.clone();
            let sent = std::mem::replace(&mut head, copy);
            let (response, stream) = match slot.connection().send(sent, empty) {
                Ok(begun) => begun,
                Err(error) => {
                    let connection = slot.connection();
                    unsent += 1;
                    if unsent > UNSENT || !connection.is_going_away(&mut Context::from_waker(Waker::noop())) {
                        return Err(connection.status(&error));
                    }
                    // The driver has not seen yet that this connection takes no more.
                    server.pool.going_away(connection);
                    continue;
                }
            };
            server.pool.counters.calls.count();
            let pump = Pump::new(stream, outgoing, empty, slot.connection());
            let mut exchange = Exchange { response, pump, slot };
            let result = poll_fn(|cx| exchange.poll(cx)).await;
            match exchange.answer(result) {
                Answer::Response(response) => return Ok(response),
                Answer::Failed(status) => return Err(status),
                Answer::Unseen(rest, status) => {
                    unseen += 1;
                    match rest {
                        Some(rest) if unseen <= server.retries.most => outgoing = rest,
                        _ => return Err(status),
                    }
                    server.pool.counters.retries.count();
                }
            }
        }
    }
}

/// A request that was begun, and its response that has not.
struct Exchange<B> {
    response: ResponseFuture,
    pump: Pump<B>,
    slot: Slot,
}

/// How an exchange has gone.
enum Answer<B> {
    Response(Response<UpstreamBody>),
    Failed(Status),
    /// The upstream has provably not seen the request. The body is there if it can be sent anew.
    Unseen(Option<Outgoing<B>>, Status),
}

impl<B> Exchange<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn answer(self, result: Result<Result<Response<RecvStream>, h2::Error>, Status>) -> Answer<B> {
        match result {
            Ok(Ok(response)) => {
                match self.slot.connection().header_limit.check("headers", response.headers()) {
                    Ok(()) => Answer::Response(self.begin(response)),
                    // Dropping the stream resets it.
                    Err(status) => Answer::Failed(status),
                }
            }
            Ok(Err(error)) => self.failed(&error),
            Err(status) => Answer::Failed(status),
        }
    }

    /// The response, or the error of the request's body. The request is sent meanwhile.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Result<Response<RecvStream>, h2::Error>, Status>> {
        if !self.pump.is_done()
            && let Poll::Ready(Err(status)) = self.pump.poll(cx)
        {
            return Poll::Ready(Err(status));
        }
        Future::poll(std::pin::Pin::new(&mut self.response), cx).map(Ok)
    }

    /// The response has begun. What is left of the request goes on in a task.
    fn begin(self, response: Response<RecvStream>) -> Response<UpstreamBody> {
        let Self { mut pump, slot, .. } = self;
        let (head, recv) = response.into_parts();
        let body = if recv.is_end_stream() {
            // A response without messages leaves nothing to wait for.
            pump.stop(Reason::NO_ERROR);
            drop(pump.into_stream());
            UpstreamBody::empty()
        } else {
            UpstreamBody::new(recv, upload(pump, slot))
        };
        Response::from_parts(head, body)
    }

    fn failed(self, error: &h2::Error) -> Answer<B> {
        let status = self.slot.connection().status(error);
        if !unseen(error) {
            return Answer::Failed(status);
        }
        let rest = self.pump.into_outgoing().and_then(|mut rest| rest.rewind().then_some(rest));
        Answer::Unseen(rest, status)
    }
}

fn upload<B>(mut pump: Pump<B>, slot: Slot) -> Upload
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    pump.answered();
    if !pump.is_done() {
        let pool = Arc::clone(slot.pool());
        let shared = Shared::new(slot);
        let task = pool.spawn(PumpTask::new(pump, Arc::clone(&shared)));
        return Upload::Task(task, shared);
    }
    match pump.into_stream() {
        Some(stream) => Upload::Sent(stream, slot),
        None => Upload::Task(None, Shared::new(slot)),
    }
}

/// Whether the upstream has not processed the request: it refused the stream (RFC 9113 §8.7), or its GOAWAY names
/// an earlier stream as the last. Streams up to that one fail with an I/O error where the connection ends early.
fn unseen(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// A method that no upstream is configured for.
pub(crate) fn no_upstream(service: &str) -> Status {
    Status::new(Code::Unimplemented, format!("no upstream serves {service:?}"))
}
