//! Why nothing can be told.

use std::path::PathBuf;

use grpcws::Code;
use grpcws_upstream::UpstreamError;

use super::nearest::Suggestions;
use crate::descriptors::DescriptorError;
use crate::serve::ServeError;
use crate::terminal::NOT_WRITTEN;

/// The exit code for wrong usage (`EX_USAGE`), since 1 to 16 are those of gRPC statuses.
const USAGE: u8 = 64;

/// Why nothing can be told.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The server's URL or its certificates are not usable.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
    /// A file with a certificate or a key cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// The descriptors cannot be loaded.
    #[error(transparent)]
    Descriptors(#[from] DescriptorError),
    /// Files were given, and none of their services is complete.
    #[error("no service of the files is complete")]
    Incomplete,
    /// The routes of the configuration file cannot be used.
    #[error(transparent)]
    Config(Box<ServeError>),
    /// There is no such service.
    #[error("there is no service {name:?}{suggestions}")]
    NoService {
        /// What was asked for.
        name: String,
        /// Similar names, if there are some.
        suggestions: Suggestions,
    },
    /// There is no such symbol.
    #[error("there is no service, method, message or enum {name:?}{suggestions}")]
    NoSymbol {
        /// What was asked for.
        name: String,
        /// Similar names, if there are some.
        suggestions: Suggestions,
    },
    /// The answer cannot be written.
    #[error("cannot write the answer")]
    Output(#[source] std::io::Error),
}

impl InspectError {
    /// The exit code of the program.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Upstream(_) | Self::Read { .. } | Self::Incomplete | Self::Config(_) => USAGE,
            Self::Descriptors(error) => error.upstream_code().map_or(USAGE, Code::number),
            Self::NoService { .. } | Self::NoSymbol { .. } => Code::NotFound.number(),
            Self::Output(_) => NOT_WRITTEN,
        }
    }
}
