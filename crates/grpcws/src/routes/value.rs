//! Values of fields from text: what the text of a path or a query is, as protobuf bytes.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use grpcws_json::{EnumDescriptor, FieldDescriptor, FieldKind, Message, UnmarshalOptions};
use prost::encoding::{WireType, encode_key, encode_varint};

use super::error::{FieldError, shortened};

/// With or without padding, and with stray bits at the end, as protojson reads it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How a message is written as one text.
enum TextForm {
    /// As a JSON string, without its quotes.
    JsonString,
    /// As JSON.
    Json,
    /// Nothing, or JSON's `{}`.
    Empty,
    FieldMask,
    /// As the value of its field.
    Wrapper(FieldDescriptor),
}

fn text_form(message: &Message) -> Option<TextForm> {
    match message.full_name() {
        "google.protobuf.Timestamp" | "google.protobuf.Duration" => Some(TextForm::JsonString),
        "google.protobuf.Struct" | "google.protobuf.Value" | "google.protobuf.ListValue" => {
            Some(TextForm::Json)
        }
        "google.protobuf.Empty" => Some(TextForm::Empty),
        "google.protobuf.FieldMask" => Some(TextForm::FieldMask),
        "google.protobuf.DoubleValue"
        | "google.protobuf.FloatValue"
        | "google.protobuf.Int64Value"
        | "google.protobuf.UInt64Value"
        | "google.protobuf.Int32Value"
        | "google.protobuf.UInt32Value"
        | "google.protobuf.BoolValue"
        | "google.protobuf.StringValue"
        | "google.protobuf.BytesValue" => {
            let field = message.field("value")?;
            let is_scalar = !field.is_repeated() && !matches!(field.kind(), FieldKind::Message(_));
            is_scalar.then_some(TextForm::Wrapper(field))
        }
        _ => None,
    }
}

/// Whether a text can set the field at all: a map only if there is a key.
pub(super) fn check(field: &FieldDescriptor) -> Result<(), FieldError> {
    let name = || field.name().to_owned();
    if field.is_map() {
        return Err(FieldError::Map { name: name() });
    }
    match field.kind() {
        FieldKind::Message(message) if text_form(&message).is_none() => {
            Err(FieldError::Message { name: name(), message: message.full_name().to_owned() })
        }
        _ => Ok(()),
    }
}

/// The fields of a map's entries: the key, and the value, if a text can set that.
pub(super) fn entry_fields(
    field: &FieldDescriptor,
) -> Result<(FieldDescriptor, FieldDescriptor), FieldError> {
    let error = || FieldError::NotMap { name: field.name().to_owned() };
    let FieldKind::Message(entry) = field.kind() else { return Err(error()) };
    let fields = entry.field("key").zip(entry.field("value"));
    let (key, value) = fields.filter(|_| field.is_map()).ok_or_else(error)?;
    check(&value)?;
    Ok((key, value))
}

/// Whether an empty text is a value. Forms send one for what was not filled in.
pub(super) fn can_be_empty(field: &FieldDescriptor) -> bool {
    match field.kind() {
        FieldKind::String | FieldKind::Bytes => true,
        FieldKind::Message(message) => match text_form(&message) {
            Some(TextForm::FieldMask | TextForm::Empty) => true,
            Some(TextForm::Wrapper(field)) => can_be_empty(&field),
            Some(TextForm::JsonString | TextForm::Json) | None => false,
        },
        _ => false,
    }
}

/// Writes the field with its tag. A zero is written too, since it is said; a list gets one record for each value.
pub(super) fn put(field: &FieldDescriptor, text: &str, out: &mut Vec<u8>) -> Result<(), FieldError> {
    let number = field.number();
    match field.kind() {
        FieldKind::Int32 => {
            put_varint(number, i64::from(parse::<i32>(text, "an int32")?).cast_unsigned(), out)
        }
        FieldKind::Int64 => put_varint(number, parse::<i64>(text, "an int64")?.cast_unsigned(), out),
        FieldKind::Uint32 => put_varint(number, unsigned::<u32>(text, "a uint32")?.into(), out),
        FieldKind::Uint64 => put_varint(number, unsigned(text, "a uint64")?, out),
        FieldKind::Sint32 => put_varint(number, zigzag(parse::<i32>(text, "a sint32")?.into()), out),
        FieldKind::Sint64 => put_varint(number, zigzag(parse(text, "a sint64")?), out),
        FieldKind::Fixed32 => put_fixed32(number, unsigned::<u32>(text, "a fixed32")?.to_le_bytes(), out),
        FieldKind::Sfixed32 => put_fixed32(number, parse::<i32>(text, "an sfixed32")?.to_le_bytes(), out),
        FieldKind::Fixed64 => put_fixed64(number, unsigned::<u64>(text, "a fixed64")?.to_le_bytes(), out),
        FieldKind::Sfixed64 => put_fixed64(number, parse::<i64>(text, "an sfixed64")?.to_le_bytes(), out),
        FieldKind::Float => {
            put_fixed32(number, float::<f32>(text, "a float", f32::is_finite)?.to_le_bytes(), out)
        }
        FieldKind::Double => {
            put_fixed64(number, float::<f64>(text, "a double", f64::is_finite)?.to_le_bytes(), out);
        }
        FieldKind::Bool => put_varint(number, u64::from(boolean(text)?), out),
        FieldKind::String => put_bytes(number, text.as_bytes(), out),
        FieldKind::Bytes => put_bytes(number, &bytes(text)?, out),
        FieldKind::Enum(found) => {
            put_varint(number, i64::from(enumeration(&found, text)?).cast_unsigned(), out)
        }
        FieldKind::Message(message) => put_message(field, number, &message_bytes(&message, text)?, out),
        kind => return Err(invalid(format!("a type that is known, not {kind:?}"), text)),
    }
    Ok(())
}

/// Writes an entry of a map, and returns the bytes of its key.
pub(super) fn put_entry(
    field: &FieldDescriptor,
    key: &str,
    text: &str,
    out: &mut Vec<u8>,
) -> Result<Vec<u8>, FieldError> {
    let (key_field, value_field) = entry_fields(field)?;
    let mut entry = Vec::new();
    put(&key_field, key, &mut entry)?;
    let key = entry.clone();
    put(&value_field, text, &mut entry)?;
    put_bytes(field.number(), &entry, out);
    Ok(key)
}

/// Writes a message field with its tag.
pub(super) fn put_message(field: &FieldDescriptor, number: u32, content: &[u8], out: &mut Vec<u8>) {
    if field.is_delimited() {
        encode_key(number, WireType::StartGroup, out);
        out.extend_from_slice(content);
        encode_key(number, WireType::EndGroup, out);
    } else {
        put_bytes(number, content, out);
    }
}

fn put_varint(number: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

fn put_fixed32(number: u32, value: [u8; 4], out: &mut Vec<u8>) {
    encode_key(number, WireType::ThirtyTwoBit, out);
    out.extend_from_slice(&value);
}

fn put_fixed64(number: u32, value: [u8; 8], out: &mut Vec<u8>) {
    encode_key(number, WireType::SixtyFourBit, out);
    out.extend_from_slice(&value);
}

fn put_bytes(number: u32, value: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}

fn invalid(expected: impl Into<String>, text: &str) -> FieldError {
    FieldError::Value { expected: expected.into(), found: shortened(text) }
}

fn parse<T: std::str::FromStr>(text: &str, expected: &str) -> Result<T, FieldError> {
    text.parse().map_err(|_| invalid(expected, text))
}

/// A number without a sign, which `parse` would take.
fn unsigned<T: std::str::FromStr>(text: &str, expected: &str) -> Result<T, FieldError> {
    if text.starts_with('+') { Err(invalid(expected, text)) } else { parse(text, expected) }
}

/// A number as JSON writes it, or one of the three names that protojson has for what is none.
fn float<T: std::str::FromStr + Copy>(
    text: &str,
    expected: &str,
    is_finite: fn(T) -> bool,
) -> Result<T, FieldError> {
    let is_name = matches!(text, "NaN" | "Infinity" | "-Infinity");
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
    if !is_name && !is_number {
        return Err(invalid(expected, text));
    }
    let value = parse(text, expected)?;
    if is_number && !is_finite(value) { Err(invalid(expected, text)) } else { Ok(value) }
}

/// As JSON writes it, or as Go's `strconv.ParseBool` reads it, which gRPC-Gateway uses: forms send `1`.
fn boolean(text: &str) -> Result<bool, FieldError> {
    match text {
        "true" | "1" | "t" | "T" | "TRUE" | "True" => Ok(true),
        "false" | "0" | "f" | "F" | "FALSE" | "False" => Ok(false),
        _ => Err(invalid("true or false", text)),
    }
}

/// Base64 with either alphabet.
fn bytes(text: &str) -> Result<Vec<u8>, FieldError> {
    let url_safe = text.replace('+', "-").replace('/', "_");
    BASE64.decode(url_safe).map_err(|_| invalid("base64", text))
}

fn enumeration(found: &EnumDescriptor, text: &str) -> Result<i32, FieldError> {
    let by_number = || text.parse().ok().filter(|&number| found.accepts(number));
    let number = found.number(text).or_else(by_number);
    number.ok_or_else(|| invalid(format!("a value of enum {}", found.full_name()), text))
}

fn message_bytes(message: &Message, text: &str) -> Result<Vec<u8>, FieldError> {
    let expected = || invalid(format!("a {}", message.full_name()), text);
    let mut content = Vec::new();
    match text_form(message).ok_or_else(expected)? {
        TextForm::JsonString => {
            let json = serde_json::Value::from(text).to_string();
            message
                .from_json(json.as_bytes(), &UnmarshalOptions::default(), &mut content)
                .map_err(|_| expected())?;
        }
        TextForm::Json => {
            message
                .from_json(text.as_bytes(), &UnmarshalOptions::default(), &mut content)
                .map_err(|_| invalid(format!("the JSON of a {}", message.full_name()), text))?;
        }
        TextForm::Empty if matches!(text, "" | "{}") => {}
        TextForm::Empty => return Err(invalid("nothing or {}", text)),
        TextForm::FieldMask => put_field_mask(text, &mut content).ok_or_else(expected)?,
        TextForm::Wrapper(field) => put(&field, text, &mut content)?,
    }
    Ok(content)
}

/// Field paths with commas between them, in lowerCamelCase as in JSON or as in the `.proto` file.
fn put_field_mask(text: &str, out: &mut Vec<u8>) -> Option<()> {
    for path in text.split(',').filter(|_| !text.is_empty()) {
        let mut snake_case = String::with_capacity(path.len());
        for character in path.chars() {
            match character {
                'A'..='Z' => snake_case.extend(['_', character.to_ascii_lowercase()]),
                'a'..='z' | '0'..='9' | '_' | '.' => snake_case.push(character),
                _ => return None,
            }
        }
        if snake_case.split('.').any(str::is_empty) {
            return None;
        }
        put_bytes(1, snake_case.as_bytes(), out);
    }
    Some(())
}
