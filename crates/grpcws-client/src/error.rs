//! What can be wrong with a client before it calls anything.

/// Why a client cannot be made. What goes wrong with a call is a [`Status`](crate::Status) instead.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The URL is not `ws://HOST[:PORT][/PREFIX]` or `wss://…`.
    #[error("{url:?} is not the URL of a gateway: {reason}; write ws://HOST:PORT or wss://HOST/PREFIX")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The certificates or the key in [`TlsOptions`](crate::TlsOptions) cannot be used.
    #[error("the TLS options cannot be used: {reason}")]
    Tls {
        /// Which of them.
        reason: &'static str,
        /// What rustls says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The system has no root certificates, and the options name none.
    #[error("the system has no root certificates: set TlsOptions::ca_certificates")]
    NoRoots,
}
