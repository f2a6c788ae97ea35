//! Random messages and values as JSON.

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::request::{name, scalar_text};
use super::schema::{ENUM, Field, Label, Scalar, Schema, Type, pick};

pub(crate) fn message(rng: &mut Rng, schema: &Schema, index: usize, depth: u32) -> Value {
    let mut members = Map::new();
    for field in schema.fields(index) {
        if rng.u8(..3) == 0 {
            members.insert(name(rng, field), value(rng, schema, field, depth));
        }
    }
    Value::Object(members)
}

pub(crate) fn value(rng: &mut Rng, schema: &Schema, field: &Field, depth: u32) -> Value {
    match field.label {
        Label::Repeated => (0..rng.usize(..3)).map(|_| single(rng, schema, field.ty, depth)).collect(),
        Label::Map(_, key) => {
            let entries =
                (0..rng.usize(..3)).map(|_| (map_key(rng, key), single(rng, schema, field.ty, depth)));
            Value::Object(entries.collect())
        }
        _ => single(rng, schema, field.ty, depth),
    }
}

fn map_key(rng: &mut Rng, scalar: Scalar) -> String {
    match scalar {
        Scalar::Bool => pick(rng, &["true", "false"]).to_string(),
        Scalar::String => scalar_text(rng, scalar),
        _ => rng.u8(..).to_string(),
    }
}

fn single(rng: &mut Rng, schema: &Schema, ty: Type, depth: u32) -> Value {
    match ty {
        Type::Scalar(_, scalar) | Type::WellKnown(_, Some(scalar)) => match scalar {
            Scalar::Signed(64) | Scalar::Unsigned(64) if rng.bool() => rng.u32(..).to_string().into(),
            Scalar::Signed(_) => rng.i32(..).into(),
            Scalar::Unsigned(_) => rng.u32(..).into(),
            Scalar::Float => json!(rng.i16(..) as f32 / 8.0),
            Scalar::Bool => rng.bool().into(),
            Scalar::String => scalar_text(rng, scalar).into(),
            Scalar::Bytes => (*pick(rng, &["AQI=", "", "/+8="])).into(),
        },
        Type::Enum if rng.bool() => pick(rng, &ENUM).1.into(),
        Type::Enum => pick(rng, &ENUM).0.into(),
        Type::WellKnown("Timestamp", None) => "2024-02-29T12:00:00Z".into(),
        Type::WellKnown("Duration", None) => "1.5s".into(),
        Type::WellKnown("FieldMask", None) => "a,b.cD".into(),
        Type::WellKnown("Value", None) => pick(rng, &[json!(1), json!("x"), json!([true, {"a": 1}])]).clone(),
        Type::WellKnown("Struct", None) => json!({"a": [1, null]}),
        Type::WellKnown(..) => json!({}),
        Type::Message(_) if depth == 0 => json!({}),
        Type::Message(index) => message(rng, schema, index, depth - 1),
    }
}
