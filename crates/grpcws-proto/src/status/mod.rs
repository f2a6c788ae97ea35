//! The status of a call: code, message, details, trailers.

mod code;
mod details;
#[cfg(feature = "tonic")]
mod tonic;
mod trailers;

use bytes::Bytes;
use http::HeaderMap;

pub use code::Code;
pub use details::DebugDetail;
pub(crate) use details::write_details;

/// How a call ended (gRPC's status).
///
/// `details` are the bytes of a `google.rpc.Status`, which is what `grpc-status-details-bin` carries;
/// empty where there are none. `metadata` is what else the trailers say.
#[derive(Debug, Clone, Default)]
pub struct Status(Box<Parts>);

/// Boxed, so that a `Result` with a status in it stays small.
#[derive(Debug, Clone, Default)]
struct Parts {
    code: Code,
    message: String,
    details: Bytes,
    shown_details: Option<Box<str>>,
    metadata: HeaderMap,
}

impl Status {
    /// A status with a code and a message.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Parts { code, message: message.into(), ..Parts::default() }))
    }

    /// The status of a call that succeeded.
    #[must_use]
    pub fn ok() -> Self {
        Self::default()
    }

    /// A status with code 3: the client is to blame, and the message says for what.
    #[must_use]
    pub fn invalid_argument(message: impl Into<String>) -> Self {
        Self::new(Code::InvalidArgument, message)
    }

    /// The same status with details: the bytes of a `google.rpc.Status`.
    #[must_use]
    pub fn with_details(mut self, details: Bytes) -> Self {
        self.0.details = details;
        self
    }

    /// The same status with what the gateway showed of the details.
    #[must_use]
    pub(crate) fn with_shown_details(mut self, json: Option<Box<str>>) -> Self {
        self.0.shown_details = json;
        self
    }

    /// The same status with trailers.
    #[must_use]
    pub fn with_metadata(mut self, metadata: HeaderMap) -> Self {
        self.0.metadata = metadata;
        self
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The message for people, in English.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The bytes of a `google.rpc.Status`, empty where the call gave none.
    #[must_use]
    pub fn details(&self) -> &Bytes {
        &self.0.details
    }

    /// The member `details` of the gateway's `error`, a JSON array of objects with `type`, `value` and, where the gateway
    /// knows the type, `debug`: the detail as protojson. `None` where the gateway sent none, as in `grpcws.v1.proto`.
    ///
    /// It is for people and may differ from [`details`](Self::details), which are what the upstream sent.
    #[must_use]
    pub fn shown_details(&self) -> Option<&str> {
        self.0.shown_details.as_deref()
    }

    /// The trailers of the call.
    #[must_use]
    pub fn metadata(&self) -> &HeaderMap {
        &self.0.metadata
    }

    /// The status of a call that failed with this one: code OK, which is no error, becomes INTERNAL.
    #[must_use]
    pub fn into_error(mut self) -> Self {
        if self.is_ok() {
            self.0.code = Code::Internal;
            if self.0.message.is_empty() {
                "the call failed with status OK".clone_into(&mut self.0.message);
            }
        }
        self
    }

    /// Whether the call succeeded.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        matches!(self.0.code, Code::Ok)
    }
}

/// The text that grpc-go prints for a status, which is what clients of the Go package know.
impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "rpc error: code = {} desc = {}", self.0.code.go_name(), self.0.message)
    }
}

impl std::error::Error for Status {}
