//! Typed handlers: one gRPC method per route of an axum app.
//!
//! A handler is made from a closure that starts the call: a call of a tonic client, or any async function
//! that returns a stream of responses. Handlers are ordinary axum handlers; mount them with
//! [`axum::routing::any`], since a WebSocket is opened by GET over HTTP/1.1 and by CONNECT over HTTP/2.
//!
//! ```
//! use axum::{Router, extract::Path, routing::any};
//! use grpcws::{BidiStreamHandler, ClientStreamHandler, GrpcWs, ServerStreamHandler};
//! use grpcws::UnknownMessage;
//! # use grpcws_test::pb::ServerStreamRequest as WatchRequest;
//! # use grpcws_test::pb::test_service_client::TestServiceClient as Client;
//! use tonic::transport::Channel;
//!
//! fn routes(ws: &GrpcWs, client: Client<Channel>) -> Result<Router, UnknownMessage> {
//!     let (watching, sending, talking) = (client.clone(), client.clone(), client);
//!     let watch = ServerStreamHandler::new(
//!         ws,
//!         move |request: WatchRequest, call| {
//!             let mut client = watching.clone();
//!             async move { client.server_stream(call.request(request)).await }
//!         },
//!         |Path(count): Path<i64>| async move { WatchRequest { count, ..Default::default() } },
//!     )?;
//!     let send = ClientStreamHandler::new(ws, move |requests, call| {
//!         let mut client = sending.clone();
//!         async move { client.client_stream(call.streaming_request(requests)).await }
//!     })?;
//!     let talk = BidiStreamHandler::new(ws, move |requests, call| {
//!         let mut client = talking.clone();
//!         async move { client.bidi(call.streaming_request(requests)).await }
//!     })?;
//!     Ok(Router::new()
//!         .route("/ws/watch/{count}", any(watch))
//!         .route("/ws/send", any(send))
//!         .route("/ws/talk", any(talk)))
//! }
//! ```
//!
//! # Who may call
//!
//! Browsers exempt WebSockets from the same-origin policy: a page of any site can open one, and the browser
//! sends the user's cookies along. So each handler checks the `Origin` header before the call is made or the
//! request parser runs:
//!
//! - An origin whose host and port are those of the request (`Host`, or `:authority`) is accepted. The scheme
//!   is not compared, since a server behind a proxy that ends TLS does not know its own. The proxy has to
//!   pass the `Host` of the request on; where it does not, allow the origin by name.
//! - An origin on the list of [`ConnectionOptions::origin`](crate::ConnectionOptions::origin) is
//!   accepted, scheme included.
//! - A request without the header comes from no browser, and is accepted. So the check protects users from
//!   other sites; it does not tell a user from a stranger.
//! - Every other one gets 403, in all modes.
//!   [`OriginPolicy::any`](crate::proto::handshake::OriginPolicy::any) turns the check off, and is for
//!   services that know no users.
//!
//! A call gets no header of the handshake as metadata but `authorization`, `x-request-id`, `traceparent`,
//! `tracestate` and those that begin with `grpc-metadata-`;
//! [`MetadataPolicy`](crate::proto::metadata::MetadataPolicy) changes the list. Cookies never pass, nor does
//! what belongs to the transport. A client of the v1 sub-protocols may send any other metadata, and
//! credentials, as sub-protocols; neither is echoed or logged.
//!
//! Check credentials with [`GrpcWs::authorize`], before the socket opens and the request parser runs. The token is in
//! the [`CallContext`](crate::CallContext) whether a header or a sub-protocol carried it; a layer in front of the route
//! sees only the header. [`Authorize`](crate::Authorize) documents the effects of the decision.
//!
//! ```
//! use grpcws::json::Table;
//! use grpcws::proto::metadata::MetadataPolicy;
//! use grpcws::{CallContext, Code, ConnectionOptions, GrpcWs, Status};
//!
//! let options = ConnectionOptions::builder()
//!     .allow_origin("https://app.example.com")
//!     .metadata(MetadataPolicy::builder().prefix("").build()?) // no header passes under another name
//!     .build()?;
//!
//! async fn check(mut call: CallContext) -> Result<CallContext, Status> {
//!     if call.bearer() != Some("my-token") {
//!         return Err(Status::new(Code::Unauthenticated, "a token is required"));
//!     }
//!     call.principal = Some("the owner of the token".into());
//!     Ok(call)
//! }
//! let ws = GrpcWs::new(Table::from_file_descriptor_set(&[])?).options(options).authorize(check);
//! # let _ = ws;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod answers;
mod bidi_stream;
mod call;
mod client_stream;
mod grpc_ws;
mod message;
mod method;
mod request_parser;
mod requests;
mod server_stream;

pub use crate::handshake::ResponseFuture;
pub use answers::{IntoResponse, IntoResponses};
pub use bidi_stream::BidiStreamHandler;
pub use client_stream::ClientStreamHandler;
pub use grpc_ws::GrpcWs;
pub use message::{DecodeError, ProtoMessage};
pub use request_parser::{IntoParsed, RequestParser};
pub use requests::{ClientRequests, Requests};
pub use server_stream::ServerStreamHandler;

/// Which implementation of a trait applies; inferred, and never named by users.
pub mod marker {
    /// A value as it is.
    #[derive(Debug)]
    pub enum Plain {}
    /// A `Result`.
    #[derive(Debug)]
    pub enum Fallible {}
    /// A `Result` with a status.
    #[derive(Debug)]
    pub enum Status {}
    /// A tonic response.
    #[derive(Debug)]
    pub enum Tonic {}
}
