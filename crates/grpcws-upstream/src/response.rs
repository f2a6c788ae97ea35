//! The body of a response.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use grpcws_proto::Status;
use h2::{Reason, RecvStream, SendStream};
use http_body::{Body, Frame, SizeHint};
use tokio::task::AbortHandle;

use crate::connection::Connection;
use crate::pool::Slot;
use crate::pump::Shared;

/// How many bytes are read before the upstream may send as many more. h2 tells it only about half a window at a
/// time, so this spares locks and delays nothing.
const RELEASE: usize = 8 * 1024;

/// The body of a response: messages as they come from the upstream, then its trailers.
///
/// The upstream may send ahead what fits in the stream's window; to read is to permit more. A body that is dropped
/// before its end cancels the call: the stream is reset with CANCEL.
pub struct UpstreamBody(Option<Live>);

/// A response that has not ended.
struct Live {
    recv: RecvStream,
    /// Whether only the trailers are left.
    data_ended: bool,
    /// Bytes that were read and that the upstream was not told of.
    unreleased: usize,
    upload: Upload,
}

/// What has become of the request.
pub(crate) enum Upload {
    /// It was sent. The stream is there to reset it.
    Sent(SendStream<Bytes>, Slot),
    /// A task sends it.
    Task(Option<AbortHandle>, Arc<Shared>),
}

impl Upload {
    fn connection(&self) -> &Connection {
        match self {
            Self::Sent(_, slot) => slot.connection(),
            Self::Task(_, shared) => shared.slot.connection(),
        }
    }

    fn failure(&self) -> Option<&Status> {
        match self {
            Self::Sent(..) => None,
            Self::Task(_, shared) => shared.failure(),
        }
    }

    /// Ends the request: the response has ended, or the call is cancelled.
    fn end(&mut self, over: bool) {
        match self {
            Self::Sent(stream, _) if !over => stream.send_reset(Reason::CANCEL),
            Self::Sent(..) => {}
            Self::Task(task, shared) => {
                if over {
                    shared.set_over();
                }
                if let Some(task) = task {
                    task.abort();
                }
            }
        }
    }
}

impl UpstreamBody {
    /// The body of a response without one.
    pub(crate) fn empty() -> Self {
        Self(None)
    }

    pub(crate) fn new(recv: RecvStream, upload: Upload) -> Self {
        Self(Some(Live { recv, data_ended: false, unreleased: 0, upload }))
    }

    /// Ends the body, and tells why.
    fn fail(&mut self, error: &h2::Error) -> Option<Status> {
        let mut live = self.0.take()?;
        // The stream is over already; this stops the request.
        live.upload.end(false);
        let failure = live.upload.failure().cloned();
        Some(failure.unwrap_or_else(|| live.upload.connection().status(error)))
    }

    /// Ends the body as the upstream wants it.
    fn end(&mut self) {
        if let Some(mut live) = self.0.take() {
            live.upload.end(true);
        }
    }
}

impl Live {
    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, h2::Error>>> {
        let polled = self.recv.poll_data(cx);
        if let Poll::Ready(Some(Ok(data))) = &polled {
            self.unreleased = self.unreleased.saturating_add(data.len());
        }
        if self.unreleased > 0 && (self.unreleased >= RELEASE || polled.is_pending()) {
            // It fails only for more than was read.
            let _ = self.recv.flow_control().release_capacity(self.unreleased);
            self.unreleased = 0;
        }
        polled
    }
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Some(live) = &mut self.0 else { return Poll::Ready(None) };
        while !live.data_ended {
            match ready!(live.poll_data(cx)) {
                // The end often comes as an empty frame.
                Some(Ok(data)) if data.is_empty() => {}
                Some(Ok(data)) => return Poll::Ready(Some(Ok(Frame::data(data)))),
                Some(Err(error)) => return Poll::Ready(self.fail(&error).map(Err)),
                None => live.data_ended = true,
            }
        }
        match ready!(live.recv.poll_trailers(cx)) {
            Ok(trailers) => {
                let limit = &live.upload.connection().header_limit;
                let checked = trailers.as_ref().map_or(Ok(()), |fields| limit.check("trailers", fields));
                self.end();
                if let Err(status) = checked {
                    return Poll::Ready(Some(Err(status)));
                }
                Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
            }
            Err(error) => Poll::Ready(self.fail(&error).map(Err)),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0.as_ref().is_none_or(|live| live.recv.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.0.is_none() { SizeHint::with_exact(0) } else { SizeHint::default() }
    }
}

impl Drop for UpstreamBody {
    fn drop(&mut self) {
        if let Some(live) = &mut self.0 {
            live.upload.end(false);
        }
    }
}

impl fmt::Debug for UpstreamBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamBody").field("ended", &self.0.is_none()).finish()
    }
}
