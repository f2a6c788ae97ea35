//! The bridge as a tower service: handshakes in, calls of the wrapped service out.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use grpcws_proto::{Code, Status};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response};
use http_body::Body;
use http_body_util::Full;
use tower_service::Service;

use super::GenericRoute;
use super::resolver::Resolver;
use crate::context::CallContext;
use crate::forwarded::set_forwarded;
use crate::grpc::{CallRequest, Encoding, GrpcCall, RequestBody};
use crate::handshake::{Authorize, Endpoint, Handshake, ResponseFuture};
use crate::hooks::StreamHooks;
use crate::options::ConnectionOptions;
use crate::services::Descriptors;
use crate::shutdown::Shutdown;

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
    endpoint: Endpoint,
    resolver: Resolver,
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
        self.with(|settings| settings.resolver.descriptors = Some(descriptors.into()))
    }

    /// The path in front of `/package.Service/Method`, such as `/ws`. Not to be set where a router strips it, as
    /// axum's `nest_service` does.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        let prefix = prefix.into().trim_end_matches('/').to_owned();
        self.with(|settings| settings.resolver.prefix = prefix)
    }

    /// Which methods can be called at `/package.Service/Method`. Default: all.
    #[must_use]
    pub fn generic_route(self, generic_route: GenericRoute) -> Self {
        self.with(|settings| settings.resolver.generic_route = generic_route)
    }

    /// Options of the connections.
    #[must_use]
    pub fn options(self, options: ConnectionOptions) -> Self {
        self.with(|settings| settings.endpoint.options = Arc::new(options))
    }

    /// Hooks that watch the streams.
    #[must_use]
    pub fn hooks(self, hooks: impl StreamHooks) -> Self {
        self.with(|settings| settings.endpoint.hooks = Some(Arc::new(hooks)))
    }

    /// The program's authorization check: see [`Authorize`]. Default: every call is allowed.
    #[must_use]
    pub fn authorize(self, authorize: impl Authorize) -> Self {
        self.with(|settings| settings.endpoint.authorizer = Some(Arc::new(authorize)))
    }

    /// The handle that ends the streams.
    #[must_use]
    pub fn shutdown(self, shutdown: Shutdown) -> Self {
        self.with(|settings| settings.endpoint.shutdown = shutdown)
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
    fn respond(&self, parts: Parts) -> BridgeFuture {
        let Settings { endpoint, resolver, .. } = &*self.settings;
        let resolved = resolver.resolve(parts.uri.path(), parts.uri.query(), &endpoint.options);
        let Some(resolved) = resolved else {
            return answered(endpoint.no_route(parts));
        };
        let (mut handshake, context) = match endpoint.open(parts, resolved) {
            Ok(opened) => opened,
            Err(refused) => return answered(refused),
        };
        if !handshake.needs_authorization() {
            return answered(self.accept(handshake, context));
        }
        let bridge = self.clone();
        ResponseFuture::waiting(async move {
            let context = handshake.authorize(context).await;
            Ok(bridge.accept(handshake, context))
        })
    }

    fn accept(&self, handshake: Handshake, context: Result<CallContext, Status>) -> Response<Full<Bytes>> {
        let callable = context.and_then(|context| handshake.check_callable().map(|()| context));
        handshake.accept(callable, |handshake, context| self.call(handshake, context))
    }

    fn call(&self, handshake: &mut Handshake, context: CallContext) -> Result<GrpcCall<B>, Status> {
        let CallContext { mut metadata, request, deadline, .. } = context;
        set_forwarded(&request, &mut metadata);
        let path = PathAndQuery::from_maybe_shared(Bytes::from(format!("/{}", handshake.method())));
        let path = path.map_err(|_| Status::new(Code::Internal, "the method's name is not a path"))?;
        let request = CallRequest { path, metadata, deadline, encoding: self.settings.request_encoding };
        let call =
            GrpcCall::new(self.service.clone(), request, handshake.kind, &self.settings.endpoint.options);
        Ok(match handshake.bound.take() {
            Some(bound) if handshake.complete => match handshake.unexpected.take() {
                Some(on_message) => call.waiting_for_message(bound.message(), on_message),
                None => call.with_request(bound.message()),
            },
            Some(bound) => call.bound(bound),
            None => call,
        })
    }
}

/// What a bridge answers, at once or after the program's check.
type BridgeFuture = ResponseFuture<Result<Response<Full<Bytes>>, Infallible>>;

fn answered(response: Response<Full<Bytes>>) -> BridgeFuture {
    ResponseFuture::ready(Ok(response))
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
    type Future = ResponseFuture<Result<Self::Response, Infallible>>;

    /// Always ready: the wrapped service is asked in the task of each call, which may wait for it.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        // A body of a handshake is refused by its headers.
        let (parts, _) = request.into_parts();
        self.respond(parts)
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
