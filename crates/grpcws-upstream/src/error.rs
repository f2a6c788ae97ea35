//! What is wrong with the configuration of an upstream.

/// The configuration of an upstream is wrong.
///
/// Only what can never work is an error here: an upstream that cannot be reached is none, since it may come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UpstreamError {
    /// The endpoint has another form than `http://host:port`, `https://host:port` or `unix:/path`.
    #[error("the endpoint {endpoint:?} cannot be used: {why}")]
    Endpoint {
        /// The endpoint as it was given.
        endpoint: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The authority is not the host, or the host and port, of a URI.
    #[error("the authority {0:?} is not a host with or without a port")]
    Authority(String),
    /// The PEM text of certificates or of a key cannot be read.
    #[error("the PEM of {part} cannot be used: {why}")]
    Pem {
        /// Which PEM text it is.
        part: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The name to check the upstream's certificate for is neither a DNS name nor an IP address.
    #[error("the server name {0:?} is neither a DNS name nor an IP address")]
    ServerName(String),
    /// There are certificates or a server name for an endpoint that has no TLS, so they would have no effect.
    #[error(
        "the endpoint {0:?} has no TLS, so it cannot have certificates or a server name; only https:// can"
    )]
    NoTls(String),
    /// The system has no certificates to trust; give those of the upstream's authority instead.
    #[error("the system has no root certificates: {0}")]
    NoRoots(String),
    /// TLS cannot be set up with these certificates.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
}
