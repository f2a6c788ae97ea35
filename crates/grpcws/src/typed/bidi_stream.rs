//! Bidi streaming: any number of requests and responses, independent of each other.

use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use axum::extract::Request;
use axum::handler::Handler;
use axum::response::Response;
use grpcws_proto::{MethodKind, Status};

use super::answers::IntoResponses;
use super::call::{Create, TypedCall, create as create_call};
use super::requests::{Requests, channel};
use super::route::{Route, refuse};
use super::{GrpcWs, ProtoMessage};
use crate::codec::UnknownMessage;
use crate::context::CallContext;
use crate::route::Opened;

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
        let route = ws.route::<Req, R::Message>(MethodKind::Bidi)?;
        Ok(Self(StreamingHandler { route, create: create_call(create) }))
    }
}

/// What the two kinds of handler with a stream of requests have in common.
pub(super) struct StreamingHandler<Req> {
    pub(super) route: Route,
    pub(super) create: Create<Requests<Req>>,
}

impl<Req> Clone for StreamingHandler<Req> {
    fn clone(&self) -> Self {
        Self { route: self.route.clone(), create: Arc::clone(&self.create) }
    }
}

impl<Req: ProtoMessage> StreamingHandler<Req> {
    pub(super) fn respond(&self, request: Request) -> Response {
        let (mut parts, _) = request.into_parts();
        let Opened { opening, metadata } = match self.route.open(&mut parts) {
            Ok(opened) => opened,
            Err(refusal) => return refuse(refusal, &parts),
        };
        let call = metadata.map(|metadata| {
            let context = opening.context(&parts, metadata);
            let (sender, requests) = channel(self.route.receive_window());
            TypedCall::new((self.create)(requests, context), Some(sender))
        });
        self.route.accept(&parts, opening, call)
    }
}

impl<Req> Clone for BidiStreamHandler<Req> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<Req> std::fmt::Debug for BidiStreamHandler<Req> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BidiStreamHandler").field("route", &self.0.route).finish_non_exhaustive()
    }
}

impl<Req: ProtoMessage, S: Send + Sync + 'static> Handler<(PhantomData<Req>,), S> for BidiStreamHandler<Req> {
    type Future = std::future::Ready<Response>;

    fn call(self, request: Request, _: S) -> Self::Future {
        std::future::ready(self.0.respond(request))
    }
}
