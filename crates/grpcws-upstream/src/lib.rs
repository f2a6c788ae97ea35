#![doc = include_str!("../README.md")]
//!
//! # The path of a call
//!
//! ```text
//! request ─▶ head ─▶ pool: a slot ─▶ stream of h2 ◀─ pump ◀─ request body
//! response ◀─ UpstreamBody ◀─ stream of h2
//! ```
//!
//! A call takes a slot, which is the right to one stream on one connection. What its body has ready is sent with the
//! head, and the rest while the response is awaited. Only a request that goes on beside its response gets a task.
//! Each connection has a task; the pool has one for each attempt to connect, and for closing what is idle.
//!
//! # Limits and defaults
//!
//! | what | default | option |
//! | --- | --- | --- |
//! | calls on a connection, if the server permits as many | 100 | [`max_streams_per_connection`](UpstreamOptions::max_streams_per_connection) |
//! | connections | 1,024 | [`max_connections`](UpstreamOptions::max_connections) |
//! | waiting for a connection, or for the end of another call | 10 s | [`connect_wait`](UpstreamOptions::connect_wait) |
//! | calls that wait | 10,000 | [`max_waiting`](UpstreamOptions::max_waiting) |
//! | connecting, with TLS and the server's settings | 20 s | [`dial_timeout`](UpstreamOptions::dial_timeout) |
//! | back-off | 1 s to 120 s, × 1.6, ± 20 % | [`backoff`](UpstreamOptions::backoff), [`max_backoff`](UpstreamOptions::max_backoff) |
//! | age of looked-up addresses | 30 s | [`resolve_interval`](UpstreamOptions::resolve_interval) |
//! | connection without calls, beside another one | 5 min | [`idle_timeout`](UpstreamOptions::idle_timeout) |
//! | response bytes ahead of the reader, for each call | 128 KiB | [`stream_window`](UpstreamOptions::stream_window) |
//! | headers or trailers of a response | 1 MiB | [`max_header_list_size`](UpstreamOptions::max_header_list_size) |
//! | new attempts of a call that was not seen | 4 | [`retries`](UpstreamOptions::retries) |
//! | request bytes that are kept for that | 64 KiB | [`retry_buffer`](UpstreamOptions::retry_buffer) |
//! | HTTP/2 keep-alive pings | none | [`keep_alive_interval`](UpstreamOptions::keep_alive_interval) |
//! | TCP keep-alive | 60 s | [`tcp_keep_alive`](UpstreamOptions::tcp_keep_alive) |
//!
//! # Memory
//!
//! For each call, at most:
//!
//! | | |
//! | --- | --- |
//! | responses that are not read | `stream_window`, 128 KiB. Each DATA frame of them takes about 260 bytes more, so a server that sends a frame for each tiny message can take several times the window |
//! | the request, taken from its body and not sent | 16 KiB and one frame of the body |
//! | the request, sent and not written to the socket | 64 KiB; a body that has ended is handed over as a whole |
//! | the request, until the response begins | `retry_buffer`, 64 KiB, shared with the body's own bytes where they are large |
//! | headers or trailers | `max_header_list_size`, 1 MiB. Until it is seen that they are larger, h2 may hold 4 MiB more of them, as HTTP/2 counts |
//!
//! A connection reads into 64 KiB, which it holds while it has read part of a frame; each thread keeps as much for the
//! next read.
//!
//! The window of a connection is the largest that there is, so that stalled calls fill only their own, and the budget
//! of h2 for small frames is what all windows can take at once: no number of stalled readers makes h2 end the
//! connection. A bound for all responses is `max_connections` × `max_streams_per_connection` × what a call takes.
//!
//! # Which calls are tried anew
//!
//! Those that the server has provably not processed, if their response has not begun and all that was sent is still
//! there: the stream was refused (`REFUSED_STREAM`), or a GOAWAY names an earlier stream as the last. Neither a lost
//! connection nor a status of the server is a reason; a retry policy belongs to the caller.
//!
//! # Addresses
//!
//! A host name is looked up before connecting, if that was done more than 1 s ago; after a connection was lost; and
//! when a call comes and the addresses are older than `resolve_interval`. Each address gets a connection once calls
//! come. A connection to an address that is gone finishes its calls. If the look-up fails,
//! or takes longer than 500 ms, known addresses stay in use.
//!
//! # Cancellation
//!
//! To drop the response future or the [`UpstreamBody`] resets the stream with `CANCEL`, and a request body that ends
//! with an error does too: the call then has the [`Status`](grpcws_proto::Status) in the causes of that error, or
//! CANCELLED. A request that is not over when its response is gets `NO_ERROR`.
//!
//! # Errors
//!
//! Every error is a [`Status`](grpcws_proto::Status), and its text names no address: that is in the log (`tracing`).
//! Resets have the codes of [`Code::from_http2_error`](grpcws_proto::Code::from_http2_error); a lost connection, and
//! none at all, is UNAVAILABLE. HTTP statuses and `grpc-status` are left to the caller. A client that
//! tonic has generated takes these errors for UNKNOWN; with [`Answering`] they are responses, so it has their codes.
//!
//! # Limitations
//!
//! - Headers or trailers beyond `max_header_list_size` end their call with RESOURCE_EXHAUSTED. Those of more than 2 MiB, as
//!   they are sent, or more than that limit, if it is higher, end the connection too, with all its calls.
//! - Some errors that RFC 9113 has for a stream end the connection, since that is what h2 does: a name that is empty, or has
//!   an upper-case letter, a blank or another character that no name has; a value with a control character; a `:status`
//!   that is not three digits; a pseudo-header that there is none of. So do more than 100 DATA frames
//!   that have nothing but padding, over the life of a connection, and more than 400 CONTINUATION frames in a row.
//! - An upload that is not read counts as stuck after 250 ms without progress; calls that were put on the same connection
//!   before that may have to wait for it, if the server's connection window is no larger than that of a stream. New calls
//!   get one more connection for each address then; if that is stuck too, they share the less loaded one, and may wait.
//! - HTTP proxies (`CONNECT`) are not supported.

mod answering;
mod backoff;
mod call;
mod connection;
mod dial;
mod driver;
mod endpoint;
mod error;
mod header_limit;
mod options;
mod pool;
mod pump;
mod request;
mod resolve;
mod response;
mod router;
mod stats;
mod status;
mod tls;
mod upstream;

pub use answering::{Answering, AnsweringBody, AnsweringFuture};
pub use error::UpstreamError;
pub use grpcws_proto::OptionsError;
pub use options::{UpstreamOptions, UpstreamOptionsBuilder};
pub use response::UpstreamBody;
pub use router::Router;
pub use stats::UpstreamStats;
pub use status::status_of_error;
pub use tls::TlsOptions;
pub use upstream::{ResponseFuture, Upstream};
