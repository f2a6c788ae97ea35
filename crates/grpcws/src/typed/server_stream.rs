//! Server streaming: one request, from the HTTP request; any number of responses.

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
use super::request_parser::{rejected_status, rejection_status};
use super::{GrpcWs, ProtoMessage, RequestParser};
use crate::codec::UnknownMessage;
use crate::context::CallContext;
use crate::handshake::ResponseFuture;

/// A handler of a server-streaming method, for [`axum::routing::any`].
///
/// The request message comes from the HTTP request: path, query, headers. The RPC starts when the
/// socket opens.
///
/// ```
/// # use axum::extract::Path;
/// # use axum::{Router, routing::any};
/// # use grpcws::{GrpcWs, ServerStreamHandler, Status};
/// # #[derive(Clone, PartialEq, prost::Message)] struct SubscribeRequest { #[prost(string, tag = "1")] game_id: String }
/// # impl prost::Name for SubscribeRequest { const NAME: &'static str = "Timestamp"; const PACKAGE: &'static str = "google.protobuf"; }
/// # #[derive(Clone, PartialEq, prost::Message)] struct GameEvent { #[prost(int64, tag = "1")] number: i64 }
/// # impl prost::Name for GameEvent { const NAME: &'static str = "Timestamp"; const PACKAGE: &'static str = "google.protobuf"; }
/// # fn mount(ws: &GrpcWs) -> Result<Router, grpcws::UnknownMessage> {
/// let subscribe = ServerStreamHandler::new(
///     ws,
///     |request: SubscribeRequest, _call| async move {
///         let events = (0..3).map(|number| Ok::<_, Status>(GameEvent { number }));
///         Ok::<_, Status>(tokio_stream::iter(events))
///     },
///     |Path(game_id): Path<String>| async move { SubscribeRequest { game_id } },
/// )?;
/// let app = Router::new().route("/ws/v1/games/{game_id}/subscribe", any(subscribe));
/// # Ok(app)
/// # }
/// ```
pub struct ServerStreamHandler<Req, P, M> {
    method: TypedMethod,
    create: Create<Req>,
    parse: P,
    marker: PhantomData<fn() -> M>,
}

impl<Req: ProtoMessage, P, M> ServerStreamHandler<Req, P, M> {
    /// A handler that starts the call with `create`, for requests that `parse` makes of HTTP requests.
    ///
    /// # Errors
    ///
    /// [`UnknownMessage`] where a message type is not in the table of `ws`.
    pub fn new<F, Fut, R, E, RM>(ws: &GrpcWs, create: F, parse: P) -> Result<Self, UnknownMessage>
    where
        F: Fn(Req, CallContext) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
        R: IntoResponses<RM>,
        E: Into<Status>,
    {
        let method = ws.method::<Req, R::Message>(MethodKind::ServerStreaming)?;
        Ok(Self { method, create: create_call(create), parse, marker: PhantomData })
    }
}

impl<Req, P: Clone, M> Clone for ServerStreamHandler<Req, P, M> {
    fn clone(&self) -> Self {
        let Self { method, create, parse, marker } = self;
        Self { method: method.clone(), create: Arc::clone(create), parse: parse.clone(), marker: *marker }
    }
}

impl<Req, P, M> std::fmt::Debug for ServerStreamHandler<Req, P, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerStreamHandler").field("method", &self.method).finish_non_exhaustive()
    }
}

impl<Req, P, M, S> Handler<M, S> for ServerStreamHandler<Req, P, M>
where
    Req: ProtoMessage,
    P: RequestParser<Req, S, M>,
    M: 'static,
    S: Send + Sync + 'static,
{
    type Future = ResponseFuture<Response>;

    fn call(self, request: Request, state: S) -> Self::Future {
        let (parts, _) = request.into_parts();
        let (mut handshake, context) = match self.method.open(parts) {
            Ok(opened) => opened,
            Err(refused) => return ResponseFuture::ready(refused),
        };
        ResponseFuture::waiting(async move {
            let request = match handshake.authorize(context).await {
                Err(status) => Err(status),
                Ok(mut context) => {
                    let parsed = handshake.run(self.parse.parse(&mut context.request, &state)).await;
                    match parsed {
                        Ok(Ok(request)) => Ok((request, context)),
                        Ok(Err(rejection)) if !(handshake.mode().is_v1() || handshake.is_probe()) => {
                            let status = rejected_status(&rejection);
                            return handshake.reject(rejection, status);
                        }
                        Ok(Err(rejection)) => Err(rejection_status(rejection).await),
                        Err(status) => Err(status),
                    }
                }
            };
            let accepted = handshake.accept(request, |_, (request, context)| {
                Ok(TypedCall::<Req>::new((self.create)(request, context), None))
            });
            accepted.map(Body::new)
        })
    }
}
