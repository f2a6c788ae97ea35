#![doc = include_str!("../README.md")]
//!
//! # With a generated client
//!
//! [`Client`] is a tower service that looks like a gRPC channel:
//!
//! ```rust
//! use grpcws_client::{Client, ClientOptions};
//! use grpcws_test::pb::UnaryRequest;
//! use grpcws_test::pb::test_service_client::TestServiceClient;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use grpcws::{Shutdown, bridge::Bridge, server::{ServerOptions, serve}};
//! # let routes = tonic::service::Routes::new(grpcws_test::TestService::default().into_service());
//! # let app = axum::Router::new().nest_service("/ws", Bridge::new(routes));
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! # let url = format!("ws://{}", listener.local_addr()?);
//! # tokio::spawn(serve(listener, app, ServerOptions::default(), Shutdown::new()));
//! let channel = Client::new(&url, ClientOptions::default())?;
//! let mut client = TestServiceClient::new(channel);
//! let request = UnaryRequest { sequence: 7, ..Default::default() };
//! let response = client.unary(request).await?.into_inner();
//! assert_eq!(response.sequence, 7);
//! # Ok(())
//! # }
//! ```
//!
//! # The path of a message
//!
//! ```text
//!  tonic ── HTTP body ─▶ service/deframe ─┐
//!  program ── send ────▶ call/requests ───┴▶ driver/outbound ─▶ session ─▶ socket ─▶ connect/transport ─▶ gateway
//!  program ◀── next ──── call ────────────┬─ call/queue ◀─ driver/inbound ◀─ session ◀─ socket ◀─ transport ◀─┘
//!  tonic ◀── HTTP body ── service/body ───┘
//! ```
//!
//! Each call is one WebSocket and one task, which opens it, and ends with it. The session is the one of the crate
//! `grpcws-proto`. A message is a protobuf message, or the text of a JSON value, as bytes; nothing is decoded here.
//!
//! # Outcome
//!
//! A call ends with exactly one [`Status`]. The gateway's terminal message decides; its metadata are the trailers, its
//! details the bytes of a `google.rpc.Status`. Without a terminal message the close code decides, and neither a
//! clean close nor a lost connection is a success. A handshake that is refused ends the call with the code for
//! its HTTP status, and what the refusal says; a gateway that cannot be reached is code 14. As a tower service
//! the client never fails: each of these is a response with `grpc-status`.
//!
//! # Cancellation and deadlines
//!
//! Dropping a call, its response, or the future of its response cancels it: the gateway is told at once, however much
//! data is on its way, and cancels the call at the service. So does a request body that fails, and a [`CallRequests`]
//! that is dropped before [`half_close`](CallRequests::half_close): half an upload never looks like a whole one.
//!
//! The deadline ([`CallOptions::timeout`], or tonic's `Request::set_timeout`) begins with the call and includes the
//! time to connect. The gateway gets what is left of it, and the client ends the call by itself when it has passed.
//!
//! # Connections
//!
//! Over HTTP/1.1 each call has a connection. Over HTTP/2 ([`HttpVersion::Http2`]) calls share connections: another one
//! opens when the gateway's limit of streams, or [`ClientOptions::max_streams_per_connection`], is used up. A
//! connection that is going away keeps its calls and gets no new ones, and a call that a gateway has
//! provably not seen goes to another connection.
//!
//! A failure to connect is remembered by the client and its clones. Until its back-off is over, new calls end with code
//! 14 at once; with [`ClientOptions::wait_for_ready`] they wait. Then one call tries again, and the others go by how that
//! ends. A running call is never repeated.
//!
//! # Limits and defaults
//!
//! | option | default | |
//! | --- | --- | --- |
//! | `http_version` | HTTP/1.1 | |
//! | `connect_timeout` | 10 s | name, TCP, TLS and handshake together |
//! | `max_message_size` | 16 MiB | a larger response message ends the call with code 8 |
//! | `credit` | 1 MiB | response messages that lie ready for the application; one more may overdraw it |
//! | `ping_period` | off | the gateway sends pings of its own |
//! | `pong_timeout` | 90 s | a gateway that is silent for so long is lost, code 14 |
//! | `linger` | 2 s | for the gateway's last word, and its close |
//! | `max_streams_per_connection` | 100 | HTTP/2 only |
//! | `backoff` | 1 s × 1.6 up to 30 s, ± 20 % | after each failure to connect |
//! | answer to a handshake | 16 KiB | not an option |
//!
//! For one call the client holds at most `credit` and one message of responses that the application has not taken,
//! two request messages, 16 KiB of frames that are not written yet, and 4 KiB of what was read. Over HTTP/2
//! 64 KiB more may lie in the connection. The largest request message and the window for requests are the gateway's
//! to say, and it says so when the WebSocket is open.
//!
//! # Limitations
//!
//! - Request messages go uncompressed. A tonic client that is told to compress gets code 12.
//! - Metadata is printable ASCII, as in gRPC. What a gateway got from its service otherwise arrives percent-encoded.
//! - The roots of the system are read when a client is made; certificates are not reloaded.
//! - A call needs a tokio runtime.
//! - Proxies that the environment names are not used, and `Retry-After` of a refusal is not looked at.

mod call;
mod client;
mod connect;
mod driver;
mod endpoint;
mod error;
mod options;
mod service;
mod socket;

pub use call::{
    Call, CallEnded, CallEvent, CallRequests, CallResponses, JsonCall, JsonEvent, JsonRequests, JsonResponses,
};
pub use client::Client;
pub use error::ClientError;
pub use grpcws_proto::{Code, OptionsError, Status};
pub use options::{
    BackoffOptions, CallOptions, ClientOptions, ClientOptionsBuilder, HttpVersion, TlsOptions,
};
pub use service::{ResponseBody, ResponseFuture};
