//! A gRPC service that behaves as its caller asks, for the tests and benches of grpcws.
//!
//! `proto/grpcws/test/v1/test.proto` documents every knob. In a test the service runs in the same process:
//!
//! ```
//! use grpcws_test::pb::test_service_client::TestServiceClient;
//! use grpcws_test::pb::ServerStreamRequest;
//! use grpcws_test::{ServeOptions, TestService};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let service = TestService::default();
//! tokio::spawn(grpcws_test::serve(listener, service.clone(), ServeOptions::default()));
//!
//! let mut client = TestServiceClient::connect(format!("http://{address}")).await?;
//! let request = ServerStreamRequest { count: 3, ..Default::default() };
//! let mut responses = client.server_stream(request).await?.into_inner();
//! while let Some(response) = responses.message().await? {
//!     println!("{}", response.sequence);
//! }
//! assert_eq!(service.stats().completed, 1);
//! # Ok(())
//! # }
//! ```
//!
//! As a program it is `cargo run -p grpcws-test -- --listen 127.0.0.1:0`, which prints
//! `listening grpc://ADDR` once it is ready.
//!
//! # The path of a call
//! [`service`](TestService) reads the knobs, [`script`](from_query) turns them into a plan, the modules
//! `server_stream` and `bidi` send what the plan says, `trailing` adds the trailers, and `stats` keeps the books.

mod answer;
mod bidi;
mod metadata;
mod pace;
mod query;
mod script;
mod serve;
mod server_stream;
mod service;
mod stats;
mod trailing;

pub use bidi::BidiResponses;
pub use query::{QueryError, from_query};
pub use serve::{ServeOptions, routes, serve, serve_with_shutdown};
pub use server_stream::ServerStreamResponses;
pub use service::TestService;
pub use trailing::Trailing;

/// The messages, client and server of `grpcws.test.v1`, generated from its proto.
#[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
pub mod pb {
    tonic::include_proto!("grpcws.test.v1");
}

/// The encoded `google.protobuf.FileDescriptorSet` of `grpcws.test.v1` and all that it imports.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/grpcws_test.binpb"));
