//! Between the payload of a frame and the bytes of a protobuf message.

use bytes::Bytes;
use grpcws_json::{MarshalOptions, Message, UnmarshalOptions};
use grpcws_proto::DebugDetail;
use grpcws_proto::message::data;
use grpcws_proto::session::Payload;
use serde_json::value::RawValue;

/// Transcodes the messages of one method. Cheap to share; made once per route.
#[derive(Debug, Clone)]
pub(crate) struct MethodCodec {
    pub(crate) request: Message,
    pub(crate) response: Message,
    /// Where the types of error details are looked up.
    pub(crate) table: grpcws_json::Table,
    pub(crate) marshal: MarshalOptions,
    pub(crate) unmarshal: UnmarshalOptions,
}

impl MethodCodec {
    /// The bytes of a request message, or what is wrong with it and where in its frame.
    ///
    /// `frame` is the buffer that the payload of a binary frame is a view of.
    pub(crate) fn decode(&self, payload: Payload<'_>, frame: &Bytes) -> Result<Bytes, String> {
        match payload {
            Payload::Proto(bytes) => Ok(frame.slice_ref(bytes)),
            Payload::Json { value, frame, offset } => {
                let mut message = Vec::with_capacity(value.len() / 2);
                let (document, offset) = match offset {
                    Some(offset) => (frame, offset),
                    None => (value, 0),
                };
                self.request
                    .from_json_in(
                        document.as_bytes(),
                        offset..offset + value.len(),
                        &self.unmarshal,
                        &mut message,
                    )
                    .map_err(|error| error.to_string())?;
                Ok(message.into())
            }
        }
    }

    /// The text of a `data` message around a response message.
    pub(crate) fn encode_json(&self, message: &[u8], capacity: usize) -> Result<Vec<u8>, String> {
        let mut text = Vec::with_capacity(capacity);
        text.extend_from_slice(data::PREFIX);
        self.response.to_json(message, &self.marshal, &mut text).map_err(|error| error.to_string())?;
        text.extend_from_slice(data::SUFFIX);
        Ok(text)
    }
}

impl DebugDetail for MethodCodec {
    fn debug(&self, type_name: &str, value: &[u8]) -> Option<Box<RawValue>> {
        let mut json = Vec::new();
        self.table.message(type_name)?.to_json(value, &self.marshal, &mut json).ok()?;
        RawValue::from_string(String::from_utf8(json).ok()?).ok()
    }
}
