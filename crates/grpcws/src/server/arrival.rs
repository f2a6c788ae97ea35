//! What the server tells of a connection, in the extensions of its requests.

use std::net::SocketAddr;

use http::uri::Scheme;
use http::{Request, Version};

use super::proxy_protocol::Proxied;
use super::{Connection, ServerOptions, TrustedProxies};
use crate::forwarded::{ClientScheme, LocalAddress, PeerAddress, TrustedProxy};
use crate::handshake::is_handshake;
use crate::transport::Http2Connection;

/// Where requests come from: the two ends of a connection.
#[derive(Debug)]
pub(super) struct Arrival {
    peer: SocketAddr,
    /// Not known of a connection that is gone.
    local: Option<LocalAddress>,
    scheme: Option<Scheme>,
    proxies: TrustedProxies,
    http2: Http2Connection,
}

impl Arrival {
    /// The ends of a connection of `peer`, or of the client that its proxy names.
    pub(super) fn new(
        connection: &Connection,
        peer: SocketAddr,
        proxied: Option<Proxied>,
        options: &ServerOptions,
    ) -> Self {
        let direct = || (peer, connection.local_address(), None);
        let (peer, local, scheme) =
            proxied.map_or_else(direct, |proxied| (proxied.client, Some(proxied.local), proxied.scheme));
        Self {
            peer,
            local: local.map(LocalAddress),
            scheme,
            proxies: options.trusted_proxies.clone(),
            http2: Http2Connection { stream_window: options.http2_stream_window, tcp: connection.progress() },
        }
    }

    /// Puts it into the extensions of a request.
    pub(super) fn tell<B>(&self, request: &mut Request<B>) {
        let told = self.proxies.told(self.peer, request.headers());
        let over_http2 = request.version() == Version::HTTP_2 && is_handshake(request);
        let extensions = request.extensions_mut();
        let (mut client, mut scheme) = (self.peer, self.scheme.clone());
        if let Some(told) = told {
            client = told.address;
            scheme = told.scheme.or(scheme);
            extensions.insert(TrustedProxy);
        }
        if let Some(scheme) = scheme {
            extensions.insert(ClientScheme(scheme));
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
