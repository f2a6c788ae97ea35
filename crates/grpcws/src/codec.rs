//! Between the payload of a frame and the bytes of a protobuf message.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use grpcws_json::{
    FieldDescriptor, FromJsonError, MarshalOptions, Message, MissingType, MissingTypes, Table, ToJsonError,
    UnmarshalOptions,
};
use grpcws_proto::message::data;
use grpcws_proto::session::Payload;
use grpcws_proto::{DebugDetail, Status};
use prost::Message as _;
use serde_json::value::RawValue;

use crate::services::{Descriptors, Side, WantedType};

/// A message type is not in the table; add its file to the `FileDescriptorSet` that the table is made from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not in the descriptor table")]
pub struct UnknownMessage(String);

/// Transcodes the messages of one method between frames and protobuf bytes. The handlers use it; a program
/// needs it by itself only to read or write frames outside of them, as in tests or in a log.
///
/// It does the half of a frame that depends on the method: `data`. The other half is in
/// [`proto::message`](crate::proto::message): [`ClientMessage::parse`] reads an envelope, and one function
/// for each other type writes it.
///
/// ```
/// use grpcws::json::Table;
/// use grpcws::proto::message::{self, ClientMessage};
/// use grpcws::proto::session::Payload;
/// use grpcws::{Code, Codec, Status};
///
/// // Every table has the well-known types; your own come from your `FileDescriptorSet`.
/// let table = Table::from_file_descriptor_set(&[])?;
/// let codec = Codec::new(&table, "google.protobuf.Duration", "google.protobuf.Timestamp")?;
///
/// let frame = r#"{"type":"data","data":"1.5s"}"#;
/// let ClientMessage::Data { value, offset } = ClientMessage::parse(frame)? else { panic!("not data") };
/// let request = codec.decode_request(Payload::Json { value, frame, offset })?;
/// assert_eq!(request, b"\x08\x01\x10\x80\xca\xb5\xee\x01".as_slice());
///
/// let mut text = Vec::new();
/// codec.encode_data(b"\x08\x01", &mut text)?;
/// assert_eq!(text, br#"{"type":"data","data":"1970-01-01T00:00:01Z"}"#);
///
/// // The codec shows the error details whose types its table knows.
/// let text = message::error(&Status::new(Code::NotFound, "no game"), &codec);
/// assert!(text.starts_with(r#"{"type":"error","error":"rpc error: code = NotFound desc = no game","code":5"#));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// [`ClientMessage::parse`]: crate::proto::message::ClientMessage::parse
#[derive(Debug, Clone)]
pub struct Codec {
    request: RequestType,
    response: Message,
    /// The field of a response that `data` is; none if it is the whole of it.
    response_field: Option<FieldDescriptor>,
    /// Where the types of error details are looked up.
    table: Table,
    marshal: MarshalOptions,
    unmarshal: UnmarshalOptions,
    /// Where types come from that the table lacks.
    types: Option<TypeSource>,
}

/// Where the types of a method's messages come from, also those that the descriptors do not have yet.
#[derive(Debug, Clone)]
pub(crate) struct TypeSource {
    pub(crate) descriptors: Descriptors,
    /// `package.Service/Method`
    pub(crate) method: Arc<str>,
}

/// Types that are being looked up; `false` where no answer came in time.
pub(crate) type Lookup = Pin<Box<dyn Future<Output = bool> + Send>>;

/// What the `data` of a client is.
#[derive(Debug, Clone)]
enum RequestType {
    Message(Message),
    /// The value of a field. It becomes a message that has nothing but that.
    Field(FieldDescriptor),
    /// It is refused, whatever it is.
    Unread,
}

impl Codec {
    /// A codec for a method with these message types, by their full names, and the default JSON options.
    ///
    /// # Errors
    ///
    /// [`UnknownMessage`] where a type is not in the table.
    pub fn new(table: &Table, request: &str, response: &str) -> Result<Self, UnknownMessage> {
        let message = |name: &str| table.message(name).ok_or_else(|| UnknownMessage(name.to_owned()));
        Ok(Self::of(&message(request)?, &message(response)?))
    }

    /// A codec for a method with these message types.
    pub(crate) fn of(request: &Message, response: &Message) -> Self {
        Self {
            request: RequestType::Message(request.clone()),
            response: response.clone(),
            response_field: None,
            table: response.table(),
            marshal: MarshalOptions::default(),
            unmarshal: UnmarshalOptions::default(),
            types: None,
        }
    }

    /// Where types come from that the table lacks.
    #[must_use]
    pub(crate) fn types(mut self, types: Option<TypeSource>) -> Self {
        self.types = types;
        self
    }

    /// The same for a client whose `data` is the value of a field.
    pub(crate) fn request_field(mut self, field: FieldDescriptor) -> Self {
        self.request = RequestType::Field(field);
        self
    }

    /// The same for a client whose request messages are refused, so that what they have does not matter.
    pub(crate) fn without_request(mut self) -> Self {
        self.request = RequestType::Unread;
        self
    }

    /// The same for a client that gets a field of the response.
    pub(crate) fn response_field(mut self, field: Option<FieldDescriptor>) -> Self {
        self.response_field = field;
        self
    }

    /// How responses are written as JSON.
    #[must_use]
    pub fn marshal(mut self, options: MarshalOptions) -> Self {
        self.marshal = options;
        self
    }

    /// How requests are read from JSON.
    #[must_use]
    pub fn unmarshal(mut self, options: UnmarshalOptions) -> Self {
        self.unmarshal = options;
        self
    }

    /// The protobuf bytes of a request message. Those of a binary frame are not looked into.
    ///
    /// # Errors
    ///
    /// What in the JSON does not fit the request type, with line, column and field path; the place is one
    /// in the whole frame.
    pub fn decode_request(&self, payload: Payload<'_>) -> Result<Bytes, FromJsonError> {
        let (value, frame, offset) = match payload {
            Payload::Proto(bytes) => return Ok(Bytes::copy_from_slice(bytes)),
            Payload::Json { value, frame, offset: Some(offset) } => (value, frame, offset),
            // An absent member has no place in the frame.
            Payload::Json { value, offset: None, .. } => (value, value, 0),
        };
        let place = offset..offset.saturating_add(value.len());
        let mut message = Vec::with_capacity(value.len() / 2);
        let (frame, options) = (frame.as_bytes(), &self.unmarshal);
        match &self.request {
            RequestType::Message(request) => request.from_json_in(frame, place, options, &mut message)?,
            RequestType::Field(field) => field.from_json_in(frame, place, options, &mut message)?,
            RequestType::Unread => {}
        }
        Ok(message.into())
    }

    /// Appends the text of the `data` message around a response message, given as its protobuf bytes.
    ///
    /// # Errors
    ///
    /// What in the bytes does not fit the response type. `text` is then as it was.
    pub fn encode_data(&self, message: &[u8], text: &mut Vec<u8>) -> Result<(), ToJsonError> {
        self.encode(message, text, None)
    }

    /// As [`encode_data`](Self::encode_data), and notes the types that the table lacks.
    pub(crate) fn encode_data_noting(
        &self,
        message: &[u8],
        text: &mut Vec<u8>,
        missing: &mut MissingTypes,
    ) -> Result<(), ToJsonError> {
        self.encode(message, text, Some(missing))
    }

    #[inline]
    fn encode(
        &self,
        message: &[u8],
        text: &mut Vec<u8>,
        missing: Option<&mut MissingTypes>,
    ) -> Result<(), ToJsonError> {
        let start = text.len();
        text.extend_from_slice(data::PREFIX);
        let printed = match (&self.response_field, missing) {
            (None, None) => self.response.to_json(message, &self.marshal, text),
            (None, Some(missing)) => self.response.to_json_noting(message, &self.marshal, text, missing),
            (Some(field), None) => field.to_json(message, &self.marshal, text),
            (Some(field), Some(missing)) => field.to_json_noting(message, &self.marshal, text, missing),
        };
        if let Err(error) = printed {
            text.truncate(start);
            return Err(error);
        }
        text.extend_from_slice(data::SUFFIX);
        Ok(())
    }

    /// Whether types that the table lacks can be looked up.
    pub(crate) fn looks_types_up(&self) -> bool {
        self.types.as_ref().is_some_and(|types| types.descriptors.looks_types_up())
    }

    /// Looks up the type without which a request cannot be read, unless it is known not to be there.
    pub(crate) fn look_up_for_request(&self, error: &FromJsonError) -> Option<Lookup> {
        self.look_up([MissingType::of_error(error)?], Side::Client)
    }

    /// Looks up what a response has and the table lacks, unless it is known not to be there.
    pub(crate) fn look_up_for_response(&self, missing: MissingTypes) -> Option<Lookup> {
        self.look_up(missing, Side::Upstream)
    }

    /// Looks up the types of a status's details.
    pub(crate) fn look_up_for_status(&self, status: &Status) -> Option<Lookup> {
        if status.details().is_empty() || !self.looks_types_up() {
            return None;
        }
        let status = RpcStatus::decode(status.details().as_ref()).ok()?;
        let mut missing = MissingTypes::default();
        for Detail { type_url, value } in &status.details {
            match self.table.message(type_url.rsplit('/').next().unwrap_or(type_url)) {
                Some(message) => {
                    let _ = message.to_json_noting(value, &self.marshal, &mut Vec::new(), &mut missing);
                }
                None => missing.note_any(type_url),
            }
        }
        self.look_up(missing, Side::Upstream)
    }

    fn look_up(&self, missing: impl IntoIterator<Item = MissingType>, side: Side) -> Option<Lookup> {
        let types = self.types.as_ref()?;
        let service = types.method.split_once('/').map_or(&*types.method, |(service, _)| service);
        let wanted = missing.into_iter().map(|missing| WantedType { service: service.to_owned(), missing });
        let awaited = types.descriptors.ask_for_types(wanted, side);
        if awaited.is_empty() {
            return None;
        }
        let descriptors = types.descriptors.clone();
        Some(Box::pin(async move { descriptors.types_answered(&awaited).await }))
    }

    /// The same with the types that the descriptors have by now.
    pub(crate) fn renewed(&self) -> Option<Self> {
        let types = self.types.as_ref()?;
        let services = types.descriptors.current()?;
        let (service, name) = types.method.split_once('/')?;
        let method = services.method(service, name)?;
        let table = method.response().table();
        let message = |message: &Message| table.message(message.full_name());
        let field = |field: &FieldDescriptor| message(field.message())?.field(field.name());
        let request = match &self.request {
            RequestType::Message(request) => RequestType::Message(message(request)?),
            RequestType::Field(request) => RequestType::Field(field(request)?),
            RequestType::Unread => RequestType::Unread,
        };
        let response_field = match &self.response_field {
            Some(response) => Some(field(response)?),
            None => None,
        };
        let response = message(&self.response)?;
        Some(Self { request, response, response_field, table, ..self.clone() })
    }

    /// Tells whoever loads the descriptors that the upstream does not have the method, so that they are outdated.
    pub(crate) fn outdated(&self) {
        if let Some(types) = &self.types {
            types.descriptors.request();
        }
    }
}

/// The details of a `google.rpc.Status`.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// A `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "bytes", tag = "2")]
    value: Bytes,
}

impl DebugDetail for Codec {
    fn debug(&self, type_name: &str, value: &[u8]) -> Option<Box<RawValue>> {
        let mut json = Vec::new();
        self.table.message(type_name)?.to_json(value, &self.marshal, &mut json).ok()?;
        RawValue::from_string(String::from_utf8(json).ok()?).ok()
    }
}
