//! TCP.

use tokio::net::TcpStream;

use super::Failure;
use crate::endpoint::Endpoint;

/// How many bytes the kernel keeps that it has not sent. A ping, or a cancel, waits behind them.
const UNSENT: u32 = 128 * 1024;

/// Connects to the first address of the gateway's name that answers.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<TcpStream, Failure> {
    let Endpoint { host, port, authority, .. } = endpoint;
    let stream = TcpStream::connect((host.as_str(), *port))
        .await
        .map_err(|error| Failure::unreachable(format!("cannot connect to {authority}: {error}")))?;
    // Frames are gathered here; a small one that waits for an acknowledgement would only be late.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    grpcws_tcp::limit_unsent(&stream, UNSENT);
    Ok(stream)
}
