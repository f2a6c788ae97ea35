//! Trailers on every response, whatever its status.
//!
//! tonic sends custom trailers only with an error, and only with one of the codes that it knows.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tonic::server::NamedService;
use tower_service::Service;

/// The metadata in which a status carries a code that tonic does not know.
pub(crate) const RAW_STATUS: &str = "test-raw-status";

/// The response extension with the trailers to add.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trailers(pub(crate) HeaderMap);

/// The service with its trailers: what [`TestService::into_service`](crate::TestService::into_service) returns.
#[derive(Clone, Debug)]
pub struct Trailing<S>(pub(crate) S);

impl<S: NamedService> NamedService for Trailing<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Trailing<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            let trailers = response.extensions_mut().remove::<Trailers>().unwrap_or_default().0;
            apply_raw_status(response.headers_mut());
            Ok(response.map(|body| with_trailers(body, trailers)))
        })
    }
}

fn with_trailers(body: Body, trailers: HeaderMap) -> Body {
    let mut added = Some(trailers);
    Body::new(body.map_frame(move |mut frame| {
        if let Some(sent) = frame.trailers_mut() {
            apply_raw_status(sent);
            sent.extend(added.take().unwrap_or_default());
        }
        frame
    }))
}

fn apply_raw_status(sent: &mut HeaderMap) {
    if let Some(code) = sent.remove(RAW_STATUS) {
        sent.insert("grpc-status", code);
    }
}
