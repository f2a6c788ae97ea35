//! Messages from the text of a URL's query.

use std::sync::LazyLock;

use base64::Engine as _;
use percent_encoding::percent_decode_str;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, ReflectMessage as _, Value};

use crate::FILE_DESCRIPTOR_SET;
use crate::metadata::BASE64;

static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build script compiled this descriptor set")
});

/// Why a query is not a message.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueryError {
    /// The message has no such field.
    #[error("no field {field:?} in {message}")]
    UnknownField {
        /// The full name of the message.
        message: String,
        /// The name in the query.
        field: String,
    },
    /// The text is not a value of the field's type.
    #[error("{value:?} is not a value for the field {field}")]
    InvalidValue {
        /// The full name of the field.
        field: String,
        /// The text in the query.
        value: String,
    },
    /// The field has no form in a query: a map, or a whole message.
    #[error("the field {field} cannot be set from a query")]
    Unsupported {
        /// The full name of the field.
        field: String,
    },
}

/// Reads a message of `grpcws.test.v1` from the text of a URL's query.
///
/// Names are those of the proto, with a dot before the fields of a nested message; a repeated field takes one
/// pair for each element: `count=3&fail.code=5&echo_metadata=ECHO_METADATA_MESSAGE`.
///
/// # Errors
/// Names the first pair that does not fit the message.
///
/// # Examples
/// ```
/// use grpcws_test::pb::ServerStreamRequest;
///
/// let request: ServerStreamRequest = grpcws_test::from_query("count=3&fail.code=5")?;
/// assert_eq!(request.count, 3);
/// assert_eq!(request.fail.map(|failure| failure.code), Some(5));
/// # Ok::<(), grpcws_test::QueryError>(())
/// ```
pub fn from_query<M: prost::Message + prost::Name + Default>(query: &str) -> Result<M, QueryError> {
    let descriptor = POOL.get_message_by_name(&M::full_name()).expect("a message of grpcws.test.v1");
    let mut message = DynamicMessage::new(descriptor);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        set(&mut message, &decoded(name), &decoded(value))?;
    }
    Ok(message.transcode_to().expect("the descriptor is that of the type"))
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

fn set(message: &mut DynamicMessage, path: &str, text: &str) -> Result<(), QueryError> {
    let (name, rest) = match path.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let descriptor = message.descriptor();
    let field = descriptor.get_field_by_name(name).ok_or_else(|| QueryError::UnknownField {
        message: descriptor.full_name().to_owned(),
        field: name.to_owned(),
    })?;
    let unsupported = || QueryError::Unsupported { field: field.full_name().to_owned() };
    if let Some(rest) = rest {
        let nested = message.get_field_mut(&field).as_message_mut().ok_or_else(unsupported)?;
        return set(nested, rest, text);
    }
    if field.is_map() || matches!(field.kind(), Kind::Message(_)) {
        return Err(unsupported());
    }
    let value = parse(&field, text)?;
    match message.get_field_mut(&field) {
        Value::List(list) => list.push(value),
        single => *single = value,
    }
    Ok(())
}

fn parse(field: &FieldDescriptor, text: &str) -> Result<Value, QueryError> {
    let value = match field.kind() {
        Kind::Double => text.parse().ok().map(Value::F64),
        Kind::Float => text.parse().ok().map(Value::F32),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => text.parse().ok().map(Value::I32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => text.parse().ok().map(Value::I64),
        Kind::Uint32 | Kind::Fixed32 => text.parse().ok().map(Value::U32),
        Kind::Uint64 | Kind::Fixed64 => text.parse().ok().map(Value::U64),
        Kind::Bool => text.parse().ok().map(Value::Bool),
        Kind::String => Some(Value::String(text.to_owned())),
        Kind::Bytes => BASE64.decode(text).ok().map(|bytes| Value::Bytes(bytes.into())),
        Kind::Enum(kind) => match text.parse() {
            Ok(number) => Some(Value::EnumNumber(number)),
            Err(_) => kind.get_value_by_name(text).map(|value| Value::EnumNumber(value.number())),
        },
        Kind::Message(_) => None,
    };
    value.ok_or_else(|| QueryError::InvalidValue {
        field: field.full_name().to_owned(),
        value: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb::{EchoMetadata, Script, ServerStreamRequest};

    #[test]
    fn every_simple_kind_is_read() {
        let request: ServerStreamRequest = from_query(
            "count=-2&size=7&rate=2.5&flush_each=true&tag=a%20b+c&values.bytes_value=AAE\
             &values.colour=COLOUR_BLUE&values.int64_list=1&values.int64_list=2&fail.code=5\
             &echo_metadata=ECHO_METADATA_HEADERS&echo_metadata=3",
        )
        .unwrap();
        assert_eq!((request.count, request.size, request.rate), (-2, 7, 2.5));
        assert!(request.flush_each);
        assert_eq!(request.tag, "a b c");
        assert_eq!(request.fail.unwrap().code, 5);
        assert_eq!(request.echo_metadata, [EchoMetadata::Headers as i32, EchoMetadata::Message as i32]);
        let values = request.values.unwrap();
        assert_eq!(values.bytes_value.as_ref(), [0, 1]);
        assert_eq!(values.colour, 3);
        assert_eq!(values.int64_list, [1, 2]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let text = |query: &str| from_query::<Script>(query).unwrap_err().to_string();
        assert_eq!(text("speak=1"), r#"no field "speak" in grpcws.test.v1.Script"#);
        assert_eq!(text("size=-1"), r#""-1" is not a value for the field grpcws.test.v1.Script.size"#);
        assert_eq!(text("fail=x"), "the field grpcws.test.v1.Script.fail cannot be set from a query");
        assert_eq!(text("tag.x=1"), "the field grpcws.test.v1.Script.tag cannot be set from a query");
        assert_eq!(
            text("response_headers=x"),
            "the field grpcws.test.v1.Script.response_headers cannot be set from a query"
        );
    }
}
