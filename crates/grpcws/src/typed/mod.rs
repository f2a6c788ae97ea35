//! Typed handlers: one gRPC method per route of an axum app.
//!
//! A handler is made from a closure that starts the call: a call of a tonic client, or any async function
//! that returns a stream of responses. Handlers are ordinary axum handlers; mount them with
//! [`axum::routing::any`], since a WebSocket is opened by GET over HTTP/1.1 and by CONNECT over HTTP/2.

mod answers;
mod bidi_stream;
mod call;
mod client_stream;
mod message;
#[cfg(feature = "tonic")]
mod propagate_cancel;
mod queue;
mod request_parser;
mod requests;
mod route;
mod server_stream;

pub use answers::{IntoResponse, IntoResponses};
pub use bidi_stream::BidiStreamHandler;
pub use client_stream::ClientStreamHandler;
pub use message::{DecodeError, ProtoMessage};
#[cfg(feature = "tonic")]
pub use propagate_cancel::PropagateCancel;
pub use request_parser::{IntoParsed, RequestParser};
pub use requests::{ClientRequests, Requests};
pub use route::GrpcWs;
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
