//! What the server tells of a connection, in the extensions of its requests.

use std::net::SocketAddr;

use http::{Request, Version};

use super::{Connection, ServerOptions, TrustedProxies};
use crate::forwarded::{LocalAddress, PeerAddress, TrustedProxy};
use crate::handshake::is_handshake;
use crate::transport::Http2Connection;

/// Where requests come from: the two ends of a connection.
#[derive(Debug)]
pub(super) struct Arrival {
    peer: SocketAddr,
    /// Not known of a connection that is gone.
    local: Option<LocalAddress>,
    proxies: TrustedProxies,
    http2: Http2Connection,
}

impl Arrival {
    pub(super) fn new(connection: &Connection, peer: SocketAddr, options: &ServerOptions) -> Self {
        Self {
            peer,
            local: connection.local_address().map(LocalAddress),
            proxies: options.trusted_proxies.clone(),
            http2: Http2Connection { stream_window: options.http2_stream_window, tcp: connection.progress() },
        }
    }

    /// Puts it into the extensions of a request.
    pub(super) fn tell<B>(&self, request: &mut Request<B>) {
        let told = self.proxies.told(self.peer, request.headers());
        let over_http2 = request.version() == Version::HTTP_2 && is_handshake(request);
        let extensions = request.extensions_mut();
        let mut client = self.peer;
        if let Some(told) = told {
            client = told.address;
            extensions.insert(TrustedProxy { scheme: told.scheme });
        }
        extensions.insert(PeerAddress(client));
        // Where axum's extractors look for it.
        #[cfg(feature = "axum")]
        extensions.insert(axum::extract::ConnectInfo(client));
        if let Some(local) = self.local {
            extensions.insert(local);
        }
        if over_http2 {
            extensions.insert(self.http2.clone());
        }
    }
}
