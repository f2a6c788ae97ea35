//! Which part of the gateway answers a request.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use grpcws::bridge::{Bridge, RequestBody};
use grpcws::{ConnectionOptions, Status, is_handshake, is_probe};
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use tower_service::Service;

use super::fallback::Fallback;
use super::grpc::{Kind, Passthrough};
use super::head;

/// Everything on the port of the gateway: WebSockets below the prefix, gRPC and gRPC-Web, and what is left for
/// the fallback.
#[derive(Debug, Clone)]
pub(super) struct App<S> {
    pub(super) prefix: String,
    pub(super) bridge: Bridge<S>,
    pub(super) grpc: Passthrough,
    pub(super) fallback: Option<Fallback>,
    pub(super) options: Arc<ConnectionOptions>,
}

const FOREIGN_HOST: &str = "host not allowed: if it is the gateway's own, start the gateway with --hosts\n";

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;

impl<S, B> Service<Request<Incoming>> for App<S>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Status, Future: Send>,
    S: Clone + Send + Sync + 'static,
    B: http_body::Body<Data = Bytes, Error = Status> + Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Incoming>) -> Answer {
        if let Some(refusal) = head::refuse(&request) {
            return Box::pin(async { Ok(refusal) });
        }
        let request = request.map(Body::new);
        let kind = Kind::of(&request);
        let below_prefix =
            request.uri().path().strip_prefix(&self.prefix).is_some_and(|rest| rest.starts_with('/'));
        if kind != Kind::Other {
            let grpc = self.grpc.clone();
            return Box::pin(async move { Ok(grpc.call(kind, request).await) });
        }
        match &self.fallback {
            Some(fallback) if !(below_prefix && (is_handshake(&request) || is_probe(&request))) => {
                let (fallback, options) = (fallback.clone(), Arc::clone(&self.options));
                Box::pin(async move {
                    let (parts, body) = request.into_parts();
                    // A page of the same origin sends no `Origin` with a GET, so the host is checked.
                    if !options.accepts_host(&parts) {
                        return Ok(refuse(StatusCode::FORBIDDEN, FOREIGN_HOST));
                    }
                    Ok(fallback.call(Request::from_parts(parts, body)).await)
                })
            }
            None if !below_prefix => {
                let text = format!("no such route: calls are at {}/package.Service/Method\n", self.prefix);
                Box::pin(async { Ok(refuse(StatusCode::NOT_FOUND, text)) })
            }
            _ => {
                let answered = self.bridge.call(request);
                Box::pin(async move { Ok(answered.await?.map(Body::new)) })
            }
        }
    }
}

fn refuse(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
}
