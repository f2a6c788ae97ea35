//! Limits of the accept loop.

use std::time::Duration;

/// Limits of the accept loop.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ServerOptions {
    /// How long a client may take to send the headers of its first request, and of each one after it.
    /// Default: 10 s.
    pub header_timeout: Duration,
    /// How many connections are served at once, upgraded ones included. More get 503. Default: 10,000.
    pub max_connections: usize,
    /// The most bytes that the headers of a request may have. Default: 16 KiB.
    pub max_header_size: u32,
    /// How many streams, and so how many WebSockets, one HTTP/2 connection may have open. Each may hold 64 KiB that
    /// were not read. Default: 1,000.
    pub max_concurrent_streams: u32,
    /// The time between two HTTP/2 keep-alive pings. Default: 30 s.
    pub http2_keep_alive: Duration,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            max_connections: 10_000,
            max_header_size: 16 * 1024,
            max_concurrent_streams: 1_000,
            http2_keep_alive: Duration::from_secs(30),
        }
    }
}

impl ServerOptions {
    /// How long a client may take to send the headers of a request.
    #[must_use]
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// How many connections are served at once.
    #[must_use]
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.max_connections = connections;
        self
    }
}
