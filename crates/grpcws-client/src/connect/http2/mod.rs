//! The extended CONNECT of HTTP/2 (RFC 8441): many WebSockets on one connection.

mod connection;
mod pool;
mod stream;

pub(super) use pool::Pool;
pub(crate) use stream::Http2Stream;
