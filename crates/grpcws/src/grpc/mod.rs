//! A call of any gRPC service: gRPC's framing over HTTP/2 bodies, without a message object.
//!
//! ```text
//!   call ── message ─▶ queue ─▶ request_body ── DATA ─▶ tower service
//!   call ◀─ message ── decompress ◀─ framing ◀─ response ◀── DATA, trailers ── tower service
//! ```

mod call;
mod compression;
mod error;
mod request_body;
mod response;

pub(crate) use call::{CallRequest, GrpcCall};
pub use compression::Encoding;
pub use request_body::RequestBody;
