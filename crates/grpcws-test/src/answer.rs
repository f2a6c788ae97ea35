//! Headers, trailers and status as a caller asks for them.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderValue};
use prost::Message as _;
use prost_types::Any;
use tonic::metadata::MetadataMap;
use tonic::{Code, Response, Status};

use crate::metadata;
use crate::pb::{EchoMetadata, Failure, MetadataValues};
use crate::trailing::{RAW_STATUS, Trailers};

/// The knobs that every method has.
#[derive(Debug, Default)]
pub(crate) struct AnswerKnobs {
    pub(crate) fail: Option<Failure>,
    pub(crate) echo: Vec<i32>,
    pub(crate) headers: BTreeMap<String, MetadataValues>,
    pub(crate) trailers: BTreeMap<String, MetadataValues>,
}

/// Everything in a response that is not a message.
#[derive(Debug)]
pub(crate) struct Answer {
    headers: HeaderMap,
    trailers: HeaderMap,
    /// The metadata for the first message.
    pub(crate) echoed: BTreeMap<String, MetadataValues>,
    failure: Option<Failure>,
}

impl Answer {
    pub(crate) fn new(knobs: AnswerKnobs, request: &MetadataMap) -> Result<Self, Status> {
        let request: &HeaderMap = request.as_ref();
        let mut headers = HeaderMap::new();
        let mut trailers = HeaderMap::new();
        let mut echoed = BTreeMap::new();
        metadata::append(&knobs.headers, &mut headers)?;
        metadata::append(&knobs.trailers, &mut trailers)?;
        for place in knobs.echo {
            match EchoMetadata::try_from(place).unwrap_or_default() {
                EchoMetadata::Headers => metadata::echo(request, &mut headers)?,
                EchoMetadata::Trailers => metadata::echo(request, &mut trailers)?,
                EchoMetadata::Message => echoed = metadata::to_values(request),
                EchoMetadata::Unspecified => {}
            }
        }
        Ok(Self { headers, trailers, echoed, failure: knobs.fail })
    }

    /// The number of messages after which the call fails.
    pub(crate) fn fails_after(&self) -> Option<i64> {
        self.failure.as_ref().map(|failure| failure.after.max(0))
    }

    /// Whether the call is over before it has sent anything.
    pub(crate) fn is_trailers_only(&self) -> bool {
        self.headers.is_empty() && self.fails_after() == Some(0)
    }

    /// The status to end with, where that is not OK. Its trailers come with it only where the response has
    /// nothing but trailers; [`Trailing`](crate::Trailing) adds them to all others.
    pub(crate) fn status(&self, trailers_only: bool) -> Option<Status> {
        let failure = self.failure.as_ref().filter(|failure| failure.code != 0)?;
        let mut trailers = match trailers_only {
            true => self.trailers.clone(),
            false => HeaderMap::new(),
        };
        if !(0..=16).contains(&failure.code) {
            trailers.insert(RAW_STATUS, HeaderValue::from(failure.code));
        }
        let details = match failure.details.is_empty() {
            true => Vec::new(),
            false => RpcStatus::from(failure).encode_to_vec(),
        };
        Some(Status::with_details_and_metadata(
            Code::from_i32(failure.code),
            &failure.message,
            details.into(),
            MetadataMap::from_headers(trailers),
        ))
    }

    /// The response with its headers, and with its trailers for [`Trailing`](crate::Trailing) to add.
    pub(crate) fn response<T>(self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        *response.metadata_mut() = MetadataMap::from_headers(self.headers);
        response.extensions_mut().insert(Trailers(self.trailers));
        response
    }
}

/// `google.rpc.Status`, the content of `grpc-status-details-bin`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

impl From<&Failure> for RpcStatus {
    fn from(failure: &Failure) -> Self {
        Self { code: failure.code, message: failure.message.clone(), details: failure.details.clone() }
    }
}
