//! What the server tells of a connection, in the extensions of its requests.

use std::net::SocketAddr;

use http::uri::Scheme;
use http::{Request, Version};

use super::proxy_protocol::Greeting;
use super::{Connection, ServerOptions, TrustedProxies};
use crate::forwarded::{ClientScheme, LocalAddress, PeerAddress};
use crate::handshake::is_handshake;
use crate::transport::{Http2Connection, TcpProgress};

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
        greeting: Greeting,
        options: &ServerOptions,
    ) -> Self {
        let local = connection.local_address();
        let proxies = options.trusted_proxies.clone();
        let (peer, local, scheme, proxies) = match greeting {
            Greeting::None => (peer, local, None, proxies),
            // The proxy passes bytes, so what stands in the headers is its client's.
            Greeting::Own => (peer, local, None, TrustedProxies::default()),
            Greeting::Client(client) => (client.client, Some(client.local), client.scheme, proxies),
        };
        Self {
            peer: canonical(peer),
            local: local.map(LocalAddress),
            scheme,
            proxies,
            http2: Http2Connection { stream_window: options.http2_stream_window, tcp: connection.progress() },
        }
    }

    /// Who shares the connection: kept by each request over HTTP/2 until its response is written.
    pub(super) fn share(&self) -> TcpProgress {
        self.http2.tcp.clone()
    }

    /// Puts it into the extensions of a request.
    pub(super) fn annotate<B>(&self, request: &mut Request<B>) {
        let forwarded = self.proxies.forwarded(self.peer, request.headers());
        let over_http2 = request.version() == Version::HTTP_2 && is_handshake(request);
        let extensions = request.extensions_mut();
        let (mut client, mut scheme) = (self.peer, self.scheme.clone());
        if let Some(forwarded) = forwarded {
            client = forwarded.address;
            scheme = forwarded.scheme.or(scheme);
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

/// An IPv4 address as itself, on a listener for both versions too.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}
