//! The readable view of `grpc-status-details-bin`, in the form of the Connect protocol.

use serde_json::value::RawValue;

use crate::encoding::base64_encode;

/// Renders a detail message as protojson, for the `debug` member of an error detail.
///
/// `()` knows no types, and so leaves `debug` out.
pub trait DebugDetail {
    /// The protojson of `value`, or `None` where the type is not known or the bytes do not fit it.
    fn debug(&self, type_name: &str, value: &[u8]) -> Option<Box<RawValue>>;
}

impl DebugDetail for () {
    fn debug(&self, _: &str, _: &[u8]) -> Option<Box<RawValue>> {
        None
    }
}

#[derive(serde::Serialize)]
struct Detail<'a> {
    r#type: &'a str,
    value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    debug: Option<Box<RawValue>>,
}

/// The `details` array of a serialized `google.rpc.Status`, or `None` where there is nothing in it.
///
/// Bytes that are not a `google.rpc.Status` yield what could be read: the view is for people, the exact
/// bytes are in the trailers.
pub(crate) fn write_details(status: &[u8], debug: &dyn DebugDetail) -> Option<String> {
    let details: Vec<Detail<'_>> = Fields(status)
        .filter(|field| field.number == 3)
        .map(|any| {
            let (mut url, mut value): (&str, &[u8]) = ("", &[]);
            for field in Fields(any.bytes) {
                match field.number {
                    1 => url = std::str::from_utf8(field.bytes).unwrap_or_default(),
                    2 => value = field.bytes,
                    _ => {}
                }
            }
            let type_name = url.rsplit('/').next().unwrap_or(url);
            Detail { r#type: type_name, value: base64_encode(value), debug: debug.debug(type_name, value) }
        })
        .collect();
    if details.is_empty() {
        return None;
    }
    serde_json::to_string(&details).ok()
}

/// A length-delimited field of a protobuf message.
struct Field<'a> {
    number: u64,
    bytes: &'a [u8],
}

/// The length-delimited fields of a message, up to the first byte that does not parse.
struct Fields<'a>(&'a [u8]);

impl<'a> Iterator for Fields<'a> {
    type Item = Field<'a>;

    fn next(&mut self) -> Option<Field<'a>> {
        loop {
            let key = varint(&mut self.0)?;
            match key & 7 {
                0 => _ = varint(&mut self.0)?,
                1 => self.0 = self.0.get(8..)?,
                2 => {
                    let length = usize::try_from(varint(&mut self.0)?).ok()?;
                    let (bytes, rest) = self.0.split_at_checked(length)?;
                    self.0 = rest;
                    return Some(Field { number: key >> 3, bytes });
                }
                5 => self.0 = self.0.get(4..)?,
                _ => return None,
            }
        }
    }
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `google.rpc.Status { code: 5, message: "m", details: [Any { "t/a.B", [1, 2] }] }`
    const STATUS: &[u8] = b"\x08\x05\x12\x01m\x1a\x0b\x0a\x05t/a.B\x12\x02\x01\x02";

    #[test]
    fn details_have_the_form_of_connect() {
        assert_eq!(write_details(STATUS, &()).as_deref(), Some(r#"[{"type":"a.B","value":"AQI"}]"#));
    }

    #[test]
    fn bytes_that_are_no_status_are_not_fatal() {
        assert_eq!(write_details(b"", &()), None);
        assert_eq!(write_details(b"\x1a\xff\xff\xff\xff\x0f", &()), None);
        assert_eq!(write_details(b"\xff", &()), None);
    }
}
