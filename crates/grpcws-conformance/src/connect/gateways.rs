//! The gateways between the client under test and the runner's servers, in the same process.

use std::collections::HashMap;
use std::net::TcpListener;

use grpcws::Shutdown;
use grpcws::bridge::{Bridge, Encoding};
use grpcws::server::{ServerOptions, serve};
use grpcws::services::Services;
use grpcws_client::{Client, ClientOptions};
use grpcws_upstream::{Upstream, UpstreamOptions};

use crate::Error;

/// Where a gateway leads, and how it sends requests there.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Destination {
    pub(crate) host: String,
    pub(crate) port: u32,
    pub(crate) gzip: bool,
}

/// One gateway for each destination, started when it is first needed and served to the end of the process.
pub(crate) struct Gateways {
    services: Services,
    clients: HashMap<Destination, Client>,
}

impl Gateways {
    pub(crate) fn new(services: Services) -> Self {
        Self { services, clients: HashMap::new() }
    }

    /// A client of the gateway to this destination. It has to be called on a tokio runtime.
    pub(crate) fn client(&mut self, destination: Destination) -> Result<Client, Error> {
        if let Some(client) = self.clients.get(&destination) {
            return Ok(client.clone());
        }
        let endpoint = format!("http://{}:{}", destination.host, destination.port);
        let upstream = Upstream::new(&endpoint, UpstreamOptions::default())?;
        let mut bridge = Bridge::new(upstream).descriptors(self.services.clone()).prefix("/ws");
        if destination.gzip {
            bridge = bridge.compress_requests(Encoding::Gzip);
        }
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        tokio::spawn(serve(listener, bridge, ServerOptions::default(), Shutdown::new()));
        let client = Client::new(&format!("ws://{address}"), ClientOptions::default())?;
        self.clients.insert(destination, client.clone());
        Ok(client)
    }
}
