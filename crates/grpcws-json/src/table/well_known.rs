//! The messages of `google.protobuf` that have a JSON form of their own.

use super::Kind;

/// How a message type looks in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// An object with a member per field.
    Object,
    Any,
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    /// The value of its one field, which is of this type.
    Wrapper(Kind),
}

/// Each of them; `Empty` has the plain form, but an `Any` wraps it as it wraps the others.
pub(super) const WELL_KNOWN: [(&str, Shape); 17] = [
    ("google.protobuf.Any", Shape::Any),
    ("google.protobuf.Timestamp", Shape::Timestamp),
    ("google.protobuf.Duration", Shape::Duration),
    ("google.protobuf.FieldMask", Shape::FieldMask),
    ("google.protobuf.Struct", Shape::Struct),
    ("google.protobuf.Value", Shape::Value),
    ("google.protobuf.ListValue", Shape::ListValue),
    ("google.protobuf.Empty", Shape::Object),
    ("google.protobuf.DoubleValue", Shape::Wrapper(Kind::Double)),
    ("google.protobuf.FloatValue", Shape::Wrapper(Kind::Float)),
    ("google.protobuf.Int64Value", Shape::Wrapper(Kind::Int64)),
    ("google.protobuf.UInt64Value", Shape::Wrapper(Kind::Uint64)),
    ("google.protobuf.Int32Value", Shape::Wrapper(Kind::Int32)),
    ("google.protobuf.UInt32Value", Shape::Wrapper(Kind::Uint32)),
    ("google.protobuf.BoolValue", Shape::Wrapper(Kind::Bool)),
    ("google.protobuf.StringValue", Shape::Wrapper(Kind::String)),
    ("google.protobuf.BytesValue", Shape::Wrapper(Kind::Bytes)),
];

impl Shape {
    pub(super) fn of(full_name: &str) -> Self {
        WELL_KNOWN.iter().find(|(name, _)| *name == full_name).map_or(Self::Object, |&(_, shape)| shape)
    }
}
