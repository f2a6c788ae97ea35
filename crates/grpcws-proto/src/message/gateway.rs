//! The messages that the gateway sends, all but `data`.

use std::fmt::Write as _;

use http::HeaderMap;

use crate::metadata::{push_string, write_object};
use crate::status::write_details;
use crate::{DebugDetail, Status};

/// What the gateway says of itself in the first message of the v1 protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Open {
    /// The message types beyond the basic ones that the gateway understands.
    pub features: Vec<String>,
    /// The largest message that the gateway accepts, in bytes.
    pub max_message_bytes: u64,
    /// How many payload bytes the client may have sent and not yet got back by `credit`.
    pub receive_window: u64,
    /// The time between two pings of the gateway, in milliseconds; 0 where it sends none.
    pub ping_period_ms: u64,
}

impl Open {
    /// What a gateway with these limits says.
    #[must_use]
    pub fn new(max_message_bytes: u64, receive_window: u64, ping_period_ms: u64) -> Self {
        Self { features: vec!["credit".to_owned()], max_message_bytes, receive_window, ping_period_ms }
    }

    /// The text of the message.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = r#"{"type":"open","features":["#.to_owned();
        for (index, feature) in self.features.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            push_string(feature, &mut text);
        }
        let Self { max_message_bytes, receive_window, ping_period_ms, .. } = self;
        push(
            &mut text,
            format_args!(
                r#"],"maxMessageBytes":{max_message_bytes},"receiveWindow":{receive_window},"pingPeriodMs":{ping_period_ms}}}"#
            ),
        );
        text
    }
}

/// The text of `headers`: the upstream's response headers.
#[must_use]
pub fn headers(metadata: &HeaderMap) -> String {
    let mut text = r#"{"type":"headers","headers":"#.to_owned();
    if !write_object(metadata, &mut text) {
        text.push_str("{}");
    }
    text.push('}');
    text
}

/// The text of `stream_end`.
#[must_use]
pub fn stream_end(trailers: &HeaderMap) -> String {
    let mut text = r#"{"type":"stream_end""#.to_owned();
    push_trailers(trailers, &mut text);
    text.push('}');
    text
}

/// The text of `error`.
#[must_use]
pub fn error(status: &Status, debug: &dyn DebugDetail) -> String {
    let mut text = r#"{"type":"error","error":"#.to_owned();
    push_string(&status.to_string(), &mut text);
    push(
        &mut text,
        format_args!(r#","code":{},"status":"{}","message":"#, status.code().number(), status.code().name()),
    );
    push_string(status.message(), &mut text);
    if let Some(details) = write_details(status.details(), debug) {
        push(&mut text, format_args!(r#","details":{details}"#));
    }
    let mut trailers = status.metadata().clone();
    if !status.details().is_empty() {
        let value = crate::encoding::base64_encode(status.details());
        if let Ok(value) = value.try_into() {
            // `insert` panics where the map can take no more names.
            let _ = trailers.try_insert("grpc-status-details-bin", value);
        }
    }
    push_trailers(&trailers, &mut text);
    text.push('}');
    text
}

/// The text of `ping`.
#[must_use]
pub fn ping(ping_id: u64) -> String {
    format!(r#"{{"type":"ping","pingId":{ping_id}}}"#)
}

/// The text of `pong`.
#[must_use]
pub fn pong(ping_id: u64) -> String {
    format!(r#"{{"type":"pong","pingId":{ping_id}}}"#)
}

/// The text of `credit`.
#[must_use]
pub fn credit(bytes: u64) -> String {
    format!(r#"{{"type":"credit","bytes":{bytes}}}"#)
}

fn push_trailers(trailers: &HeaderMap, text: &mut String) {
    let before = text.len();
    text.push_str(r#","trailers":"#);
    if !write_object(trailers, text) {
        text.truncate(before);
    }
}

fn push(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // Writing to a `String` cannot fail.
    let _ = text.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::HeaderValue;

    use super::*;
    use crate::Code;

    #[test]
    fn an_error_has_all_its_members_in_order() {
        let mut metadata = HeaderMap::new();
        metadata.append("x-a", HeaderValue::from_static("1"));
        metadata.append("x-a", HeaderValue::from_static("2"));
        let status = Status::new(Code::NotFound, "no \"game\"")
            .with_details(Bytes::from_static(b"\x08\x05\x1a\x07\x0a\x05t/a.B"))
            .with_metadata(metadata);
        assert_eq!(
            error(&status, &()),
            concat!(
                r#"{"type":"error","error":"rpc error: code = NotFound desc = no \"game\"","code":5,"#,
                r#""status":"NOT_FOUND","message":"no \"game\"","details":[{"type":"a.B","value":""}],"#,
                r#""trailers":{"x-a":["1","2"],"grpc-status-details-bin":["CAUaBwoFdC9hLkI"]}}"#
            )
        );
    }

    #[test]
    fn empty_members_are_left_out() {
        assert_eq!(stream_end(&HeaderMap::new()), r#"{"type":"stream_end"}"#);
        assert_eq!(headers(&HeaderMap::new()), r#"{"type":"headers","headers":{}}"#);
        assert_eq!(
            Open::new(1, 2, 3).to_text(),
            r#"{"type":"open","features":["credit"],"maxMessageBytes":1,"receiveWindow":2,"pingPeriodMs":3}"#
        );
    }
}
