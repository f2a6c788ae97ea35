#![doc = include_str!("../README.md")]
//!
//! The crates [`proto`] and [`json`] are re-exported, since their types are in this one's API.
//!
//! # The path of a message
//!
//! ```text
//! client ── frame ─▶ socket ─▶ session ─▶ codec ─▶ stream of requests ─▶ your closure
//! client ◀─ frame ── socket ◀─ session ◀─ codec ◀─ stream of responses ◀─ your closure
//! ```
//!
//! A handler checks the handshake, asks the program's [`Authorize`] if there is one, calls its closure and answers with
//! the upgrade. From then on one task owns
//! the socket: it decodes frames ([`proto::session::Session`] says what each one means), turns JSON into
//! protobuf bytes ([`Codec`]) and those into your message type, and the same in reverse. Nothing is queued
//! between the hops but what the receive window permits: when the call does not take requests, the client is
//! held back; when the client does not take responses, the call is not polled.
//!
//! [`typed`] says how handlers are made and mounted, and who may call them.
//!
//! # Features
//!
//! All three are on by default.
//!
//! | feature | what it adds |
//! | --- | --- |
//! | `axum` | the typed handlers |
//! | `server` | [`server`], an accept loop with limits and a graceful end |
//! | `tonic` | closures may return tonic's responses, streams and statuses; [`CallContext::request`] and [`CallContext::streaming_request`] make requests for tonic's clients |
//!
//! # Limits and defaults
//!
//! | what | default | option |
//! | --- | --- | --- |
//! | who may connect | pages of the same origin, and clients that are no browsers | [`ConnectionOptions::origin`] |
//! | authorization | every call is allowed | [`GrpcWs::authorize`], [`bridge::Bridge::authorize`] |
//! | methods that a bridge has at `/package.Service/Method` | all | [`bridge::Bridge::generic_route`] |
//! | headers that become metadata | `authorization`, `x-request-id`, `traceparent`, `tracestate`, `grpc-metadata-*` | [`ConnectionOptions::metadata`] |
//! | a client's message | 4 MiB | [`SessionOptions::max_message_size`](proto::session::SessionOptions::max_message_size) |
//! | a response message | 4 MiB | [`ConnectionOptions::max_response_size`] |
//! | requests read ahead of the call | 64 KiB, up to 1 MiB where the round trip holds an upload back | [`SessionOptions::receive_window`](proto::session::SessionOptions::receive_window), [`receive_window_max`](proto::session::SessionOptions::receive_window_max) |
//! | what the windows of all streams grow by | 256 MiB | [`SessionOptions::receive_window_budget`](proto::session::SessionOptions::receive_window_budget) |
//! | nesting of messages | 100 | [`ConnectionOptions::marshal`], [`ConnectionOptions::unmarshal`] |
//! | headers of the handshake, without cookies | 16 KiB | [`ConnectionOptions::max_header_size`] |
//! | time between pings | 30 s | [`SessionOptions::ping_period`](proto::session::SessionOptions::ping_period) |
//! | silence of a client | 90 s | [`SessionOptions::pong_timeout`](proto::session::SessionOptions::pong_timeout) |
//! | a write without progress | 60 s | [`SessionOptions::write_stall_timeout`](proto::session::SessionOptions::write_stall_timeout) |
//! | streams at once | 100,000 | [`ConnectionOptions::max_streams`] |
//! | silence of a client that owes its close frame | 10 s, 5 min in all | [`SessionOptions::linger`](proto::session::SessionOptions::linger) |
//!
//! A connection holds at most the receive window and two messages of a client; towards it 32 KiB (64 KiB where messages
//! are large) and one response message with its JSON text. An option that cannot work is refused by `build`; `None` and
//! zero turn a time off. What passes a limit ends the stream with a status and a close code that name it.
//!
//! # Cancellation
//!
//! A call is cancelled by dropping the future or stream that the closure returned. That happens when the
//! client sends `cancel`, closes the socket with whatever code, or is lost; at the deadline of its
//! `grpc-timeout`; and when a limit or a shutdown ends the stream. A closure that reads [`Requests`] sees an
//! `Err` with code 1 where the client is lost, and the end of the stream only where the client has
//! half-closed: half an upload is never taken for a whole one.
//!
//! [`Shutdown`] ends all streams of a program, each with code 14 and close code 1012.
//!
//! # Limitations
//!
//! - One WebSocket carries one call. Unary methods have no handler of their own.
//! - In seed mode a browser can send no metadata, since JavaScript cannot set headers on a WebSocket.
//! - A tonic `Channel` is one HTTP/2 connection, and each WebSocket is a stream of it: calls beyond the
//!   server's limit of streams (200 by default with hyper) wait without an error. Its windows are the
//!   program's to set: with `initial_stream_window_size(64 * 1024)` and
//!   `initial_connection_window_size((1 << 31) - 1)` a client that does not read holds back no other one.
//! - A request stream of a tonic client can end but not fail: make its request with
//!   [`CallContext::streaming_request`], which resets it when the call is cancelled.
//! - tonic merges the trailers of a client-streaming reply into its headers.
//! - Over HTTP/2 a lost client is seen only by reading. While flow control keeps the socket unread, its call
//!   goes on, until the write stall, a deadline or the end of the connection.
//! - Extensions of WebSocket, permessage-deflate among them, are not negotiated.
//! - `axum::serve` serves the handlers too, but has no header timeout and no limit of connections, and does
//!   not wait for open WebSockets at its end; wait for [`Shutdown::finished`] there.

pub mod bridge;
mod call;
mod codec;
mod context;
mod driver;
mod forwarded;
mod grpc;
mod handshake;
mod hooks;
mod options;
mod queue;
pub mod routes;
#[cfg(feature = "server")]
pub mod server;
pub mod services;
mod shutdown;
mod socket;
mod transport;
#[cfg(feature = "axum")]
pub mod typed;

pub use codec::{Codec, UnknownMessage};
pub use context::CallContext;
pub use forwarded::{ClientScheme, LocalAddress, PeerAddress, set_forwarded};
pub use grpcws_json as json;
pub use grpcws_proto as proto;
pub use grpcws_proto::{Code, MethodKind, Mode, OptionsError, Status};
pub use handshake::{Authorize, is_handshake, is_probe};
pub use hooks::{Direction, RefusedHandshake, StreamHooks, StreamInfo, StreamMetrics};
pub use options::{ConnectionOptions, ConnectionOptionsBuilder, UnknownParameters};
pub use shutdown::{Shutdown, ShutdownGuard};
#[cfg(feature = "axum")]
pub use typed::{
    BidiStreamHandler, ClientStreamHandler, GrpcWs, ProtoMessage, Requests, ServerStreamHandler,
};
