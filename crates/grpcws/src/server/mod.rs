//! An accept loop with safe limits, for HTTP/1.1 and HTTP/2 with WebSockets over both (RFC 8441).
//!
//! `axum::serve` serves WebSockets too, but it waits for request headers without end, accepts any number
//! of connections, and does not wait for WebSockets when it shuts down. This loop has a header timeout, a
//! limit of connections that upgraded ones count against as well, and an end that is graceful for them.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! use axum::{Router, routing::get};
//! use grpcws::Shutdown;
//! use grpcws::server::{ServerOptions, serve};
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
//! let app = Router::new().route("/", get(|| async { "hello" }));
//! let shutdown = Shutdown::new();
//! serve(listener, app, ServerOptions::default(), shutdown).await;
//! # Ok(())
//! # }
//! ```

mod accept;
mod arrival;
mod connection;
mod options;
mod overload;
mod patience;
mod proxies;
mod proxy_protocol;
mod sharing;
mod workers;

pub use accept::{serve, serve_on};
pub use connection::Connection;
pub use options::{ServerOptions, ServerOptionsBuilder};
pub use proxies::TrustedProxies;
pub use proxy_protocol::ProxyProtocol;
pub use workers::Workers;
