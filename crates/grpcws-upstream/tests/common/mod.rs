//! What the tests of the upstream share.
#![allow(dead_code, unreachable_pub, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

pub mod own;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use grpcws_test::pb::test_service_client::TestServiceClient;
use grpcws_test::{ServeOptions, TestService};
use grpcws_upstream::{Upstream, UpstreamBody, UpstreamOptions};
use http::{Request, Response};
use http_body_util::Full;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tower_service::Service as _;

/// A server that runs until it is dropped.
pub struct Server {
    pub address: SocketAddr,
    pub service: TestService,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(options: ServeOptions) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, options)
    }

    pub fn on(listener: TcpListener, options: ServeOptions) -> Self {
        let address = listener.local_addr().unwrap();
        let service = TestService::default();
        let served = service.clone();
        let task = tokio::spawn(async move {
            grpcws_test::serve(listener, served, options).await.unwrap();
        });
        Self { address, service, task }
    }

    pub fn upstream(&self, options: UpstreamOptions) -> Upstream {
        upstream(self.address, options)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn upstream(address: SocketAddr, options: UpstreamOptions) -> Upstream {
    Upstream::new(&format!("http://{address}"), options).unwrap()
}

pub fn client(upstream: &Upstream) -> TestServiceClient<Upstream> {
    TestServiceClient::new(upstream.clone())
}

/// One gRPC message of these bytes.
pub fn message(payload: &[u8]) -> Bytes {
    let mut message = BytesMut::new();
    message.put_u8(0);
    message.put_u32(u32::try_from(payload.len()).unwrap());
    message.put_slice(payload);
    message.freeze()
}

/// A request to a server of the test's own.
pub fn request<B>(body: B) -> Request<B> {
    Request::post("/own.v1.Own/Call").header("content-type", "application/grpc").body(body).unwrap()
}

/// A unary call with an empty message.
pub async fn call(upstream: &Upstream) -> Result<Response<UpstreamBody>, grpcws_proto::Status> {
    upstream.clone().call(request(Full::new(message(b"")))).await
}

/// Waits until something is so; fails after 20 s.
pub async fn eventually(what: &str, mut so: impl FnMut() -> bool) {
    let waiting = async {
        while !so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
