//! Client streaming: any number of requests, one response.

use std::future::Future;
use std::marker::PhantomData;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use grpcws_proto::{MethodKind, Status};

use super::answers::IntoResponse;
use super::bidi_stream::StreamingHandler;
use super::call::create as create_call;
use super::requests::Requests;
use super::{GrpcWs, ProtoMessage};
use crate::codec::UnknownMessage;
use crate::context::CallContext;
use crate::handshake::ResponseFuture;

/// A handler of a client-streaming method, for [`axum::routing::any`].
///
/// The client sends `data` messages, then `end_send`; it gets one `data` and `stream_end`.
pub struct ClientStreamHandler<Req>(StreamingHandler<Req>);

impl<Req: ProtoMessage> ClientStreamHandler<Req> {
    /// A handler that starts the call with `create`.
    ///
    /// # Errors
    ///
    /// [`UnknownMessage`] where a message type is not in the table of `ws`.
    pub fn new<F, Fut, R, E, RM>(ws: &GrpcWs, create: F) -> Result<Self, UnknownMessage>
    where
        F: Fn(Requests<Req>, CallContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        R: IntoResponse<RM>,
        E: Into<Status>,
    {
        let method = ws.method::<Req, R::Message>(MethodKind::ClientStreaming)?;
        Ok(Self(StreamingHandler { method, create: create_call(create) }))
    }
}

impl<Req> Clone for ClientStreamHandler<Req> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Req> std::fmt::Debug for ClientStreamHandler<Req> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientStreamHandler").field("method", &self.0.method).finish_non_exhaustive()
    }
}

impl<Req: ProtoMessage, S: Send + Sync + 'static> Handler<(PhantomData<Req>,), S>
    for ClientStreamHandler<Req>
{
    type Future = ResponseFuture<Response>;

    fn call(self, request: Request, _: S) -> Self::Future {
        self.0.respond(request)
    }
}
