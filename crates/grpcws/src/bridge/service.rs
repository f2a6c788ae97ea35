//! The bridge as a tower service: handshakes in, calls of the wrapped service out.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::MethodKind;
use http::request::Parts;
use http::{HeaderMap, Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use super::target::{Bound, Target};
use crate::forwarded::set_forwarded;
use crate::grpc::{CallRequest, Encoding, GrpcCall, RequestBody};
use crate::hooks::StreamHooks;
use crate::options::ConnectionOptions;
use crate::route::{Opened, Route, refuse};
use crate::services::Descriptors;
use crate::shutdown::Shutdown;
use crate::upgrade::Refusal;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A whole gRPC service over WebSocket: a tower service that answers handshakes.
///
/// See the [module](crate::bridge) for what it serves and where.
#[derive(Debug, Clone)]
pub struct Bridge<S> {
    service: S,
    settings: Arc<Settings>,
}

/// Behind one pointer, since a router clones its services for every request.
#[derive(Debug, Clone, Default)]
struct Settings {
    route: Route,
    prefix: String,
    descriptors: Option<Descriptors>,
    request_encoding: Option<Encoding>,
}

impl<S> Bridge<S> {
    /// A bridge to this service with default options, at the root and without descriptors.
    #[must_use]
    pub fn new(service: S) -> Self {
        Self { service, settings: Arc::default() }
    }

    /// What the methods and messages of the service are, for the JSON modes: a
    /// [`Services`](crate::services::Services), or a handle on those that come later.
    #[must_use]
    pub fn descriptors(self, descriptors: impl Into<Descriptors>) -> Self {
        self.with(|settings| settings.descriptors = Some(descriptors.into()))
    }

    /// The path in front of `/package.Service/Method`, such as `/ws`. Not to be set where a router strips it, as
    /// axum's `nest_service` does.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into().trim_end_matches('/').to_owned();
        self.with(|settings| settings.prefix = prefix)
    }

    /// Options of the connections.
    #[must_use]
    pub fn options(self, options: ConnectionOptions) -> Self {
        self.with(|settings| settings.route.options = Arc::new(options))
    }

    /// Hooks that watch the streams.
    #[must_use]
    pub fn hooks(self, hooks: impl StreamHooks) -> Self {
        self.with(|settings| settings.route.hooks = Some(Arc::new(hooks)))
    }

    /// The handle that ends the streams.
    #[must_use]
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        self.with(|settings| settings.route.shutdown = shutdown)
    }

    /// Compresses every request message on its way to the service. Default: none is compressed, since few
    /// services share a narrow link with their gateway. Compressed responses are read whatever this says.
    #[must_use]
    pub fn compress_requests(self, encoding: Encoding) -> Self {
        self.with(|settings| settings.request_encoding = Some(encoding))
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(Arc::make_mut(&mut self.settings));
        self
    }
}

impl<S, B> Bridge<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// Answers a handshake: with an upgrade and a task that bridges the call, or with a refusal.
    fn respond(&self, mut parts: Parts) -> Response<Full<Bytes>> {
        let Settings { route, prefix, descriptors, .. } = &*self.settings;
        let path = parts.uri.path().strip_prefix(prefix.as_str()).unwrap_or_default();
        let Some(target) = Target::find(path, parts.uri.query(), descriptors.as_ref()) else {
            return refuse(Refusal::NoRoute, &parts);
        };
        // A method that is not known may be of any kind, and bidi is the one that forbids nothing.
        let opened = route.open(&mut parts, target.kind().unwrap_or(MethodKind::Bidi));
        let Opened { mut opening, metadata } = match opened {
            Ok(opened) => opened,
            Err(refusal) => return refuse(refusal, &parts),
        };
        let codec = target.codec(opening.handshake.mode, &route.options);
        if matches!(&target.bound, Some(Ok(Bound { complete: true, .. }))) {
            opening.start = opening.start.request_bound();
        }
        let (call, codec) = match codec.and_then(|codec| Ok((codec, metadata?))) {
            Ok((codec, metadata)) => {
                (Ok(self.call(target, &parts, metadata, opening.deadline)), codec.map(Arc::new))
            }
            Err(status) => (Err(status), None),
        };
        route.accept(&parts, opening, codec, call)
    }

    fn call(
        &self,
        target: Target,
        parts: &Parts,
        mut metadata: HeaderMap,
        deadline: Option<Instant>,
    ) -> GrpcCall<B> {
        let kind = target.kind();
        set_forwarded(parts, &mut metadata);
        let request =
            CallRequest { path: target.path, metadata, deadline, encoding: self.settings.request_encoding };
        let call = GrpcCall::new(self.service.clone(), request, kind, &self.settings.route.options);
        match target.bound {
            Some(Ok(Bound { request, complete: true, .. })) => call.with_request(request.message()),
            Some(Ok(Bound { request, .. })) => call.bound(request),
            Some(Err(_)) | None => call,
        }
    }
}

impl<S, B, ReqBody> Service<Request<ReqBody>> for Bridge<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    /// Always ready: the wrapped service is asked in the task of each call, which may wait for it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // A body of a handshake is refused by its headers.
        let (parts, _) = request.into_parts();
        ready(Ok(self.respond(parts)))
    }
}

/// A tonic `Channel`, as a service that a [`Bridge`] can wrap.
///
/// A channel is one HTTP/2 connection: calls beyond the server's limit of streams wait without an error.
#[cfg(feature = "tonic")]
#[derive(Debug, Clone)]
pub struct TonicChannel<C>(pub C);

#[cfg(feature = "tonic")]
impl<C: Service<Request<tonic::body::Body>>> Service<Request<RequestBody>> for TonicChannel<C> {
    type Response = C::Response;
    type Error = C::Error;
    type Future = C::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> C::Future {
        self.0.call(request.map(tonic::body::Body::new))
    }
}
