//! The messages between connectrpc/conformance's runner and a client under test, as far as this client uses them.
//!
//! A field whose content only passes through is `bytes`, which stands for any message on the wire.

use bytes::Bytes;
use prost::{Enumeration, Message, Oneof};

/// One call to make.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientCompatRequest {
    #[prost(string, tag = "1")]
    pub(crate) test_name: String,
    #[prost(enumeration = "Compression", tag = "5")]
    pub(crate) compression: i32,
    #[prost(string, tag = "6")]
    pub(crate) host: String,
    #[prost(uint32, tag = "7")]
    pub(crate) port: u32,
    #[prost(string, tag = "11")]
    pub(crate) service: String,
    #[prost(string, tag = "12")]
    pub(crate) method: String,
    #[prost(enumeration = "StreamType", tag = "13")]
    pub(crate) stream_type: i32,
    #[prost(message, repeated, tag = "15")]
    pub(crate) request_headers: Vec<Header>,
    #[prost(message, repeated, tag = "16")]
    pub(crate) request_messages: Vec<Any>,
    #[prost(uint32, optional, tag = "17")]
    pub(crate) timeout_ms: Option<u32>,
    #[prost(uint32, tag = "18")]
    pub(crate) request_delay_ms: u32,
    #[prost(message, optional, tag = "19")]
    pub(crate) cancel: Option<Cancel>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum Compression {
    Unspecified = 0,
    Identity = 1,
    Gzip = 2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub(crate) enum StreamType {
    Unspecified = 0,
    Unary = 1,
    ClientStream = 2,
    ServerStream = 3,
    HalfDuplexBidiStream = 4,
    FullDuplexBidiStream = 5,
}

/// A name with its values, in order. Those of `-bin` names are base64.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Header {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) value: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Any {
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) value: Bytes,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Cancel {
    #[prost(oneof = "CancelTiming", tags = "1, 2, 3")]
    pub(crate) timing: Option<CancelTiming>,
}

/// When to cancel; where it does not say, that is right after the half-close.
#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum CancelTiming {
    /// In place of the half-close.
    #[prost(message, tag = "1")]
    BeforeCloseSend(()),
    /// So long after the half-close.
    #[prost(uint32, tag = "2")]
    AfterCloseSendMs(u32),
    /// After so many responses.
    #[prost(uint32, tag = "3")]
    AfterNumResponses(u32),
}

/// What came of a call.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientCompatResponse {
    #[prost(string, tag = "1")]
    pub(crate) test_name: String,
    #[prost(oneof = "Outcome", tags = "2, 3")]
    pub(crate) outcome: Option<Outcome>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(crate) enum Outcome {
    #[prost(message, tag = "2")]
    Response(ClientResponseResult),
    /// The call could not be made as asked.
    #[prost(message, tag = "3")]
    Error(ClientErrorResult),
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientResponseResult {
    #[prost(message, repeated, tag = "1")]
    pub(crate) response_headers: Vec<Header>,
    /// Each is a `ConformancePayload`.
    #[prost(bytes = "bytes", repeated, tag = "2")]
    pub(crate) payloads: Vec<Bytes>,
    #[prost(message, optional, tag = "3")]
    pub(crate) error: Option<CallError>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) response_trailers: Vec<Header>,
    #[prost(int32, tag = "5")]
    pub(crate) num_unsent_requests: i32,
}

/// The status of a call that failed.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct CallError {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, optional, tag = "2")]
    pub(crate) message: Option<String>,
    /// Each is a `google.protobuf.Any`.
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(crate) details: Vec<Bytes>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ClientErrorResult {
    #[prost(string, tag = "1")]
    pub(crate) message: String,
}

/// Every response message of the service.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AnyResponse {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) payload: Bytes,
}

/// `google.rpc.Status`, of which the details are all that is not known otherwise.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct RpcStatus {
    #[prost(bytes = "bytes", repeated, tag = "3")]
    pub(crate) details: Vec<Bytes>,
}
