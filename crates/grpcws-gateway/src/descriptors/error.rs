//! Why there are no descriptors.

use std::path::PathBuf;
use std::time::Duration;

use grpcws::services::ServicesError;
use grpcws::{Code, Status};

/// Descriptors that could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DescriptorError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: std::io::Error,
    },
    /// A file is not a serialized `google.protobuf.FileDescriptorSet`. Make one with `protoc --include_imports -o FILE`
    /// or `buf build -o FILE`.
    #[error("{} is not a file descriptor set{hint}", path.display())]
    NotADescriptorSet {
        /// The file.
        path: PathBuf,
        /// What it is, behind a colon; empty where that cannot be seen.
        hint: &'static str,
        /// What is wrong with it, where nothing better is known.
        #[source]
        error: Option<prost::DecodeError>,
    },
    /// A `.proto` file is of an edition, which protox does not compile.
    #[error(
        "{} is of an edition: compile it with protoc or buf, and give the descriptor set",
        path.display()
    )]
    Edition {
        /// The file.
        path: PathBuf,
    },
    /// A `.proto` file does not compile. The text has the place.
    #[error("cannot compile {}: {reason}", path.display())]
    Proto {
        /// The file.
        path: PathBuf,
        /// What is wrong, with file, line and column.
        reason: String,
    },
    /// An upstream failed while it was asked for its descriptors.
    #[error("server reflection at {upstream} failed")]
    Reflection {
        /// The upstream.
        upstream: String,
        /// The status of the call.
        #[source]
        status: Status,
    },
    /// An upstream has no server reflection. Enable it there, or give descriptor sets or `.proto` files.
    #[error("{upstream} has no server reflection: give its descriptors with --descriptor-set or --proto")]
    NoReflection {
        /// The upstream.
        upstream: String,
    },
    /// The descriptors of an upstream exceed a limit. Raise it, or ask for less.
    #[error("the descriptors of {upstream} exceed the limit of {limit}")]
    TooLarge {
        /// The upstream.
        upstream: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// A file that was given exceeds a limit.
    #[error("the descriptors of {} exceed the limit of {limit}", path.display())]
    FileTooLarge {
        /// The file.
        path: PathBuf,
        /// The limit, with its unit.
        limit: String,
    },
    /// An upstream refuses to tell its descriptors to whoever has no credentials.
    #[error(
        "{upstream} refuses server reflection ({code}): give it credentials with --reflection-header, or its descriptors \
         with --descriptor-set or --proto"
    )]
    Refused {
        /// The upstream.
        upstream: String,
        /// The code of the status.
        code: Code,
        /// The status of the call.
        #[source]
        status: Status,
    },
    /// An upstream took too long to give its descriptors.
    #[error("{upstream} did not give its descriptors within {} s", timeout.as_secs_f64())]
    Timeout {
        /// The upstream.
        upstream: String,
        /// How long it had.
        timeout: Duration,
    },
    /// The descriptors contradict each other.
    #[error("the descriptors cannot be used")]
    Services(#[from] ServicesError),
    /// Reading files was cut short by the end of the program.
    #[error("reading descriptors was interrupted")]
    Interrupted,
}

impl DescriptorError {
    /// The status that an upstream is to blame for; `None` where the files are.
    #[must_use]
    pub fn upstream_code(&self) -> Option<Code> {
        match self {
            Self::Reflection { status, .. } => Some(status.code()),
            Self::Refused { status, .. } => Some(status.code()),
            Self::NoReflection { .. } => Some(Code::Unimplemented),
            Self::TooLarge { .. } => Some(Code::ResourceExhausted),
            Self::Timeout { .. } => Some(Code::DeadlineExceeded),
            _ => None,
        }
    }
}
