//! Metadata: what of a handshake becomes metadata of the call, and how metadata is written in JSON.
//!
//! Metadata is an [`http::HeaderMap`]: lower-case names, each with any number of values; the values of
//! names that end in `-bin` are base64, as in gRPC over HTTP/2.

mod json;
mod policy;
mod request;
mod timeout;

pub use json::{MetadataError, parse_object};
pub(crate) use json::{push_string, write_object};
pub use policy::MetadataPolicy;
pub(crate) use policy::is_reserved;
pub(crate) use request::MAX_SAFE_INTEGER;
pub use request::RequestMetadata;
pub use timeout::{format_timeout, parse_timeout};
