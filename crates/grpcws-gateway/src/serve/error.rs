//! Why the gateway does not start.

use grpcws::OptionsError;

use super::config::ConfigError;
use super::fallback::FallbackError;
use crate::descriptors::DescriptorError;

/// Why the gateway does not start, or has ended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The command line or the configuration file asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// An option that cannot work: the key of the configuration file, which is the flag of the command line too.
    #[error("{place}{key}: {reason}")]
    Option {
        /// Whose option it is, where there may be several: `upstream URL: `.
        place: String,
        /// The key: `receive-window`.
        key: String,
        /// What is wrong with the value, and what works.
        reason: String,
    },
    /// The configuration file cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A `[[route]]` that can never work, or whose method is in none of the descriptor files.
    #[error(transparent)]
    Route(#[from] grpcws::routes::RouteError),
    /// A descriptor set or a `.proto` file cannot be used.
    #[error(transparent)]
    Descriptors(#[from] DescriptorError),
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

impl From<OptionsError> for ServeError {
    fn from(error: OptionsError) -> Self {
        Self::option(String::new(), error)
    }
}

impl ServeError {
    /// An option of one of several upstreams.
    pub(super) fn upstream_option(url: &str, error: OptionsError) -> Self {
        Self::option(format!("upstream {url}: "), error)
    }

    fn option(place: String, error: OptionsError) -> Self {
        let key = match error.option {
            "keep_alive_interval" => "keep-alive".to_owned(),
            name => name.replace('_', "-"),
        };
        Self::Option { place, key, reason: error.reason }
    }

    pub(super) fn signals(error: std::io::Error) -> Self {
        Self::System("cannot watch signals".to_owned(), error)
    }

    /// Whether the user has to change what was asked for.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        !matches!(self, Self::System(..))
    }
}
