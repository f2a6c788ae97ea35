//! gRPC over pooled HTTP/2 connections, as a tower service: stream limits, back-off, GOAWAY, TLS, unix sockets.

mod backoff;
mod call;
mod connection;
mod dial;
mod driver;
mod endpoint;
mod error;
mod options;
mod pool;
mod pump;
mod request;
mod resolve;
mod response;
mod router;
mod stats;
mod status;
mod tls;
mod upstream;

pub use error::UpstreamError;
pub use options::UpstreamOptions;
pub use response::UpstreamBody;
pub use router::Router;
pub use stats::UpstreamStats;
pub use status::{code_of_reason, status_of_error};
pub use tls::TlsOptions;
pub use upstream::{ResponseFuture, Upstream};
