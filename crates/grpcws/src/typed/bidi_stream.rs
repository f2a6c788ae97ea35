//! Bidi streaming: any number of requests and responses, independent of each other.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use grpcws_proto::{MethodKind, Status};

use super::answers::IntoResponses;
use super::call::{Create, TypedCall, create as create_call};
use super::method::TypedMethod;
use super::requests::{Requests, channel};
use super::{GrpcWs, ProtoMessage};
use crate::codec::UnknownMessage;
use crate::context::CallContext;
use crate::handshake::{Handshake, ResponseFuture};

/// A handler of a bidi-streaming method, for [`axum::routing::any`].
///
/// The RPC starts when the socket opens, so a server that speaks first is heard.
pub struct BidiStreamHandler<Req>(StreamingHandler<Req>);

impl<Req: ProtoMessage> BidiStreamHandler<Req> {
    /// A handler that starts the call with `create`.
    ///
    /// # Errors
    ///
    /// [`UnknownMessage`] where a message type is not in the table of `ws`.
    pub fn new<F, Fut, R, E, RM>(ws: &GrpcWs, create: F) -> Result<Self, UnknownMessage>
    where
        F: Fn(Requests<Req>, CallContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        R: IntoResponses<RM>,
        E: Into<Status>,
    {
        let method = ws.method::<Req, R::Message>(MethodKind::Bidi)?;
        Ok(Self(StreamingHandler { method, create: create_call(create) }))
    }
}

/// What the two kinds of handler with a stream of requests have in common.
pub(super) struct StreamingHandler<Req> {
    pub(super) method: TypedMethod,
    pub(super) create: Create<Requests<Req>>,
}

impl<Req> Clone for StreamingHandler<Req> {
    fn clone(&self) -> Self {
        Self { method: self.method.clone(), create: Arc::clone(&self.create) }
    }
}

impl<Req: ProtoMessage> StreamingHandler<Req> {
    pub(super) fn respond(self, request: Request) -> ResponseFuture<Response> {
        let (parts, _) = request.into_parts();
        let (mut handshake, context) = match self.method.open(parts) {
            Ok(opened) => opened,
            Err(refused) => return ResponseFuture::ready(refused),
        };
        if !handshake.needs_authorization() {
            return ResponseFuture::ready(self.accept(handshake, context));
        }
        ResponseFuture::waiting(async move {
            let context = handshake.authorize(context).await;
            self.accept(handshake, context)
        })
    }

    fn accept(&self, handshake: Handshake, context: Result<CallContext, Status>) -> Response {
        let accepted = handshake.accept(context, |_, context| {
            let (sender, requests) = channel(self.method.receive_window());
            Ok(TypedCall::new((self.create)(requests, context), Some(sender)))
        });
        accepted.map(Body::new)
    }
}

impl<Req> Clone for BidiStreamHandler<Req> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Req> std::fmt::Debug for BidiStreamHandler<Req> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BidiStreamHandler").field("method", &self.0.method).finish_non_exhaustive()
    }
}

impl<Req: ProtoMessage, S: Send + Sync + 'static> Handler<(PhantomData<Req>,), S> for BidiStreamHandler<Req> {
    type Future = ResponseFuture<Response>;

    fn call(self, request: Request, _: S) -> Self::Future {
        self.0.respond(request)
    }
}
