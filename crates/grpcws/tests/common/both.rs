//! Typed handlers and a bridge with the same settings, so that a test can ask both for the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use grpcws::routes::ExtraRoute;
use grpcws::server::ServerOptions;
use grpcws::{Authorize, ConnectionOptions, Shutdown, StreamHooks};
use grpcws_test::TestService;
use tonic::service::Routes;

use super::raw::serve_app;
use super::whole::services;
use super::{Bridge, SOON};

/// A server with the routes `server-stream` and `bidi` of the test service.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    prefix: &'static str,
    pub(crate) service: TestService,
    pub(crate) shutdown: Shutdown,
    /// What hooks and checks hear of the method of `bidi`.
    pub(crate) bidi: &'static str,
}

/// Typed handlers, then a bridge.
pub(crate) async fn both(authorize: impl Authorize + Clone, hooks: Arc<dyn StreamHooks>) -> [Server; 2] {
    let (check, watch) = (authorize.clone(), Arc::clone(&hooks));
    let options = ConnectionOptions::default;
    let typed = Bridge::start_with(options(), |ws| ws.authorize(check).hooks(watch)).await;
    let method = |name: &str| format!("grpcws.test.v1.TestService/{name}");
    let routes = [("/server-stream", "ServerStream"), ("/bidi", "Bidi")]
        .map(|(path, name)| ExtraRoute::new(path, method(name)));
    let services = services().with_routes(&routes).expect("valid routes");
    let (service, shutdown) = (TestService::default(), Shutdown::new());
    let bridge = grpcws::bridge::Bridge::new(Routes::new(service.clone().into_service()))
        .prefix("/ws")
        .descriptors(services)
        .authorize(authorize)
        .hooks(hooks)
        .shutdown(shutdown.clone());
    let app = Router::new().route_service("/ws/{*path}", bridge);
    let (address, _) = serve_app(app, ServerOptions::default(), &shutdown).await;
    [
        Server {
            address: typed.address,
            prefix: "/ws/test",
            service: typed.service,
            shutdown: typed.shutdown,
            bidi: "/ws/test/bidi",
        },
        Server { address, prefix: "/ws", service, shutdown, bidi: "grpcws.test.v1.TestService/Bidi" },
    ]
}

impl Server {
    pub(crate) fn path(&self, route: &str) -> String {
        format!("{}/{route}", self.prefix)
    }

    /// Waits until no call is alive upstream, and no stream here.
    pub(crate) async fn settle(&self) {
        let settled = async {
            while self.service.stats().live > 0 || self.shutdown.streams() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(SOON, settled).await.expect("no call is left");
    }
}
