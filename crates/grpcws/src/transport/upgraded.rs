//! Takes the connection back from hyper after an upgrade.

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use hyper_util::server::conn::auto::upgrade::downcast;
use tokio::net::TcpStream;

use super::{Tcp, Transport, UNSENT};
#[cfg(feature = "server")]
use crate::server::Connection;

/// The connection under an upgrade, and what was read of it already.
///
/// Where hyper runs on a TCP connection of `axum::serve` or of this crate's server, that very connection
/// comes back; everything else stays behind hyper's own type.
pub(crate) fn unwrap_upgraded(upgraded: Upgraded) -> (Transport, Bytes) {
    #[cfg(feature = "server")]
    let upgraded = match downcast::<TokioIo<Connection>>(upgraded) {
        Ok(parts) => {
            let (tcp, left) = parts.io.into_inner().into_parts();
            // hyper reads more at once than there can be left.
            let read = if left.is_empty() { parts.read_buf } else { [parts.read_buf, left].concat().into() };
            return (Transport::tcp(tcp), read);
        }
        Err(upgraded) => upgraded,
    };
    match downcast::<TokioIo<TcpStream>>(upgraded) {
        Ok(parts) => {
            let stream = parts.io.into_inner();
            grpcws_tcp::limit_unsent(&stream, UNSENT);
            (Transport::tcp(Tcp::new(stream, None)), parts.read_buf)
        }
        Err(upgraded) => (Transport::upgraded(TokioIo::new(upgraded)), Bytes::new()),
    }
}
