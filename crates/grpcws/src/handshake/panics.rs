//! Panics of the program's own code during a handshake.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use grpcws_proto::{Code, Status};

/// Runs code of the program. A panic becomes a status: it would end the whole HTTP connection otherwise, which over
/// HTTP/2 carries other streams.
pub(super) async fn guarded<F: Future>(future: F) -> Result<F::Output, Status> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        // A future that has panicked is not polled again, and what it left half done is the program's own.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(cx))) {
            Ok(polled) => polled.map(Ok),
            Err(_) => {
                tracing::error!("the program panicked during a handshake");
                Poll::Ready(Err(Status::new(Code::Internal, "internal error")))
            }
        }
    })
    .await
}
