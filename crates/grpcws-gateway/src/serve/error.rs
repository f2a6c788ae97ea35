//! Why the gateway does not start.

use super::config::ConfigError;
use super::fallback::FallbackError;

/// Why the gateway does not start, or has ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The command line or the configuration file asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The URL of the fallback is none.
    #[error(transparent)]
    Fallback(#[from] FallbackError),
    /// An upstream's URL or its certificates are not usable.
    #[error(transparent)]
    Upstream(#[from] grpcws_upstream::UpstreamError),
    /// Something in the system does not permit it: the address is in use, say.
    #[error("{0}")]
    System(String, #[source] std::io::Error),
}

impl ServeError {
    pub(super) fn signals(error: std::io::Error) -> Self {
        Self::System("cannot watch signals".to_owned(), error)
    }

    /// Whether the user has to change what was asked for.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::System(..))
    }
}
