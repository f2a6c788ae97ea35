//! The body of a response that shares its connection with others.

use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};

use crate::transport::TcpProgress;

pin_project_lite::pin_project! {
    /// A body that counts among those that share an HTTP/2 connection, until it is written.
    pub(super) struct Sharing<B> {
        #[pin]
        pub(super) body: B,
        pub(super) share: Option<TcpProgress>,
    }
}

impl<B: Body> Body for Sharing<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
