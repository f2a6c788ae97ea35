//! The test service behind a bridge, in the same process.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod script;

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use grpcws::bridge::Bridge;
use grpcws::server::{ServerOptions, serve};
use grpcws::services::Services;
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_client::{CallOptions, Client, ClientOptions, HttpVersion};
use grpcws_test::pb::test_service_client::TestServiceClient;
use grpcws_test::{FILE_DESCRIPTOR_SET, TestService};
use tokio::net::TcpListener;
use tonic::service::Routes;

/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A gateway with the test service.
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) service: TestService,
    pub(crate) shutdown: Shutdown,
}

/// The bridge of a test service, below `/ws`.
pub(crate) fn app(service: &TestService, options: ConnectionOptions, shutdown: &Shutdown) -> Router {
    let services = Services::from_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("own descriptors");
    let bridge = Bridge::new(Routes::new(service.clone().into_service()))
        .descriptors(services)
        .options(options)
        .shutdown(shutdown.clone());
    Router::new().nest_service("/ws", bridge)
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::start_with(ConnectionOptions::default()).await
    }

    pub(crate) async fn start_with(options: ConnectionOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::start_on(listener, options)
    }

    pub(crate) fn start_on(listener: TcpListener, options: ConnectionOptions) -> Self {
        let (service, shutdown) = (TestService::default(), Shutdown::new());
        let address = listener.local_addr().expect("it is bound");
        let app = app(&service, options, &shutdown);
        tokio::spawn(serve(listener, app, ServerOptions::default(), shutdown.clone()));
        Self { address, service, shutdown }
    }

    pub(crate) fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn client(&self, options: ClientOptions) -> Client {
        Client::new(&self.url(), options).expect("a valid URL")
    }

    /// A generated client over WebSocket.
    pub(crate) fn tonic(&self, version: HttpVersion) -> TestServiceClient<Client> {
        TestServiceClient::new(
            self.client(ClientOptions::builder().http_version(version).build().expect("valid options")),
        )
    }

    /// Waits until no call is alive upstream and no stream in the gateway.
    pub(crate) async fn settle(&self) {
        let settled = async {
            while self.service.stats().live > 0 || self.shutdown.streams() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(SOON, settled).await.is_err() {
            panic!("{} calls and {} streams are left", self.service.stats().live, self.shutdown.streams());
        }
    }

    /// Waits until so many calls are alive upstream.
    pub(crate) async fn live(&self, calls: i64) {
        soon(async {
            while self.service.stats().live != calls {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
    }
}

/// The full name of a method of the test service.
pub(crate) fn method(name: &str) -> String {
    format!("grpcws.test.v1.TestService/{name}")
}

pub(crate) fn options() -> CallOptions {
    CallOptions::default()
}

pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future).await.expect("it does not hang")
}
