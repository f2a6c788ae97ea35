//! Serves the demo: WebSocket, REST, SSE, the page and gRPC on one listener, gRPC alone on another.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::Response;
use grpcws::bridge::Bridge;
use grpcws::server::ServerOptions;
use grpcws::services::Services;
use grpcws::{ConnectionOptions, GrpcWs, Shutdown};
use tokio::net::TcpListener;
use tonic::server::NamedService;
use tower_service::Service;

use super::json::TABLE;
use super::proto::FILE_DESCRIPTOR_SET;
use super::proto::game_service_server::GameServiceServer;
use super::proto::picture_service_server::PictureServiceServer;
use super::service::GameService;
use super::{router, websocket};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Where and how the demo is served.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DemoOptions {
    /// The address of the page, of WebSocket, REST and SSE.
    pub listen: SocketAddr,
    /// The address of gRPC.
    pub grpc_listen: SocketAddr,
    /// How long streams may go on after the shutdown has begun.
    pub grace: Duration,
    /// Options of the WebSocket connections.
    pub connection: ConnectionOptions,
}

impl DemoOptions {
    /// The demo on these addresses, with default options and a grace of 2 s.
    #[must_use]
    pub fn new(listen: SocketAddr, grpc_listen: SocketAddr) -> Self {
        let grace = Duration::from_secs(2);
        Self { listen, grpc_listen, grace, connection: ConnectionOptions::default() }
    }
}

/// Serves the demo until a signal ends it: SIGTERM or SIGINT begin the shutdown, a second one hurries it.
///
/// # Errors
///
/// An address that cannot be listened on.
pub async fn serve(options: DemoOptions) -> Result<(), BoxError> {
    let listener = bind(options.listen).await?;
    let grpc_listener = bind(options.grpc_listen).await?;
    let page = listener.local_addr()?;
    crate::announce(&format!(
        "listening ws://{page}\nlistening grpc://{}\nplay at http://{page}/ in two tabs; stop with Ctrl-C\n",
        grpc_listener.local_addr()?
    ));

    let service = GameService::default();
    let shutdown = Shutdown::new();
    crate::signals::shut_down_on_signal(&shutdown, options.grace)?;
    let ws = GrpcWs::new(TABLE.clone()).options(options.connection.clone()).shutdown(shutdown.clone());
    let grpc_app = grpc(service.clone())?;
    let bridge = Bridge::new(grpc_app.clone())
        .descriptors(Services::from_file_descriptor_set(FILE_DESCRIPTOR_SET)?)
        .prefix("/ws")
        .options(options.connection)
        .shutdown(shutdown.clone());
    let app = router(service.clone())
        .merge(websocket::router(&ws, &service)?)
        .route_service("/ws/{service}/{method}", bridge)
        .merge(grpc_app);
    tokio::join!(
        grpcws::server::serve(listener, app, ServerOptions::default(), shutdown.clone()),
        grpcws::server::serve(grpc_listener, grpc(service)?, ServerOptions::default(), shutdown.clone()),
    );
    Ok(())
}

/// The services with server reflection, v1 and v1alpha. A path that is none of theirs is left to others, so
/// that it can share its port; a gRPC client reads the 404 as UNIMPLEMENTED.
fn grpc(service: GameService) -> Result<Router, BoxError> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
    };
    let pictures = PictureServiceServer::new(service.pictures());
    Ok(Router::new()
        .merge(methods_of(GameServiceServer::new(service)))
        .merge(methods_of(pictures))
        .merge(methods_of(reflection().build_v1()?))
        .merge(methods_of(reflection().build_v1alpha()?)))
}

/// One service of tonic at the paths of its methods.
fn methods_of<S>(service: S) -> Router
where
    S: Service<Request, Response = Response<tonic::body::Body>, Error = Infallible>,
    S: NamedService + Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    Router::new().route_service(&format!("/{}/{{method}}", S::NAME), service)
}

async fn bind(address: SocketAddr) -> Result<TcpListener, BoxError> {
    crate::listener::bind(address).map_err(|error| format!("cannot listen on {address}: {error}").into())
}
