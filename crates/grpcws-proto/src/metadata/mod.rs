//! Metadata: what of a handshake becomes metadata of the call, and how metadata is written in JSON.
//!
//! Metadata is an [`http::HeaderMap`]: lower-case names, each with any number of values; the values of
//! names that end in `-bin` are base64, as in gRPC over HTTP/2.

mod json;
mod policy;
mod request;
mod timeout;

pub use json::{MAX_VALUES, MetadataError, parse_object, unwritable};
pub(crate) use json::{append_value, parse_received, push_string, write_object};
pub(crate) use policy::is_reserved;
pub use policy::{MetadataPolicy, MetadataPolicyBuilder};
pub use request::{MAX_SAFE_INTEGER, RequestMetadata};
pub use timeout::{format_timeout, parse_timeout};
