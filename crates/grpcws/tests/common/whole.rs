//! A bridge of a whole service, and one that answers as a test says.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use bytes::Bytes;
use grpcws::bridge::{Bridge, RequestBody};
use grpcws::server::ServerOptions;
use grpcws::services::Services;
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_test::{FILE_DESCRIPTOR_SET, TestService};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, StreamBody};
use tonic::service::Routes;

use super::Client;
use super::raw::{Handshake, serve_app};

/// A bridge, below `/ws`.
pub(crate) struct Whole {
    pub(crate) address: SocketAddr,
    pub(crate) service: TestService,
    pub(crate) shutdown: Shutdown,
}

pub(crate) fn services() -> Services {
    Services::from_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("own descriptors")
}

impl Whole {
    /// The test service in the same process.
    pub(crate) async fn start(options: ConnectionOptions) -> Self {
        Self::start_with(options, |bridge| bridge.descriptors(services())).await
    }

    pub(crate) async fn start_with(
        options: ConnectionOptions,
        with: impl FnOnce(Bridge<Routes>) -> Bridge<Routes>,
    ) -> Self {
        let service = TestService::default();
        let shutdown = Shutdown::new();
        let bridge = with(
            Bridge::new(Routes::new(service.clone().into_service()))
                .options(options)
                .shutdown(shutdown.clone()),
        );
        let app = Router::new().nest_service("/ws", bridge);
        let (address, _) = serve_app(app, ServerOptions::default(), &shutdown).await;
        Self { address, service, shutdown }
    }

    /// Opens a socket for a method of the test service.
    pub(crate) async fn open(&self, method: &str, subprotocols: &str) -> Client<tokio::net::TcpStream> {
        open(self.address, &format!("/ws/grpcws.test.v1.TestService/{method}"), subprotocols).await
    }
}

pub(crate) async fn open(
    address: SocketAddr,
    path: &str,
    subprotocols: &str,
) -> Client<tokio::net::TcpStream> {
    let mut handshake = Handshake::new(path);
    if !subprotocols.is_empty() {
        handshake = handshake.with("Sec-WebSocket-Protocol", subprotocols);
    }
    let (answer, raw) = handshake.send(address).await;
    assert_eq!(answer.status, 101, "{answer:?}");
    raw.into_client().await
}

/// What an upstream answers to every call.
#[derive(Clone, Default)]
pub(crate) struct Script {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, &'static str)>,
    pub(crate) body: Vec<Bytes>,
    pub(crate) trailers: Option<Vec<(&'static str, &'static str)>>,
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, Infallible>;

fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value")))
        .collect()
}

impl Script {
    fn response(&self) -> Response<Body> {
        let data = self.body.clone().into_iter().map(|chunk| Ok(http_body::Frame::data(chunk)));
        let trailers = self.trailers.iter().map(|pairs| Ok(http_body::Frame::trailers(map(pairs))));
        let frames: Vec<Result<_, Infallible>> = data.chain(trailers).collect();
        let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed_unsync());
        *response.status_mut() = self.status.try_into().expect("a status");
        *response.headers_mut() = map(&self.headers);
        response
    }

    /// A bridge in front of an upstream that answers this.
    pub(crate) async fn serve(self, options: ConnectionOptions) -> SocketAddr {
        let service = tower::service_fn(move |request: Request<RequestBody>| {
            let response = self.response();
            async move {
                // Reads the request, as an upstream would.
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(response)
            }
        });
        let bridge = Bridge::new(service).descriptors(services()).options(options);
        let app = Router::new().nest_service("/ws", bridge);
        serve_app(app, ServerOptions::default(), &Shutdown::new()).await.0
    }
}
