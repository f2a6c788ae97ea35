//! Random messages of a schema as wire bytes: mostly as an encoder writes them, now and then in another order, in parts,
//! or with fields that the schema does not have.

use fastrand::Rng;

use crate::bytes::{Wire, wire};
use crate::schema::{Field, Kind, Scalar, Schema, Shape, WELL_KNOWN};

const VARINT: u32 = 0;

impl Schema {
    pub(crate) fn message(&self, index: usize, random: &mut Rng, depth: u32) -> Vec<u8> {
        let message = &self.messages[index];
        let mut chosen: Vec<Option<u32>> = vec![None; message.oneofs];
        for field in &message.fields {
            if let Shape::Oneof(oneof) = field.shape
                && random.bool()
            {
                chosen[oneof] = Some(field.number);
            }
        }
        let mut parts: Vec<Vec<u8>> = Vec::new();
        for field in &message.fields {
            let present = match field.shape {
                Shape::Required => true,
                Shape::Oneof(oneof) => chosen[oneof] == Some(field.number),
                _ => random.bool(),
            };
            if present && (depth > 0 || matches!(field.kind, Kind::Scalar(_) | Kind::Enum(_))) {
                parts.extend(self.field(field, random, depth));
            }
        }
        match random.u8(..12) {
            0 => random.shuffle(&mut parts),
            1 => parts.push(self.unknown_field(random)),
            2 if depth > 2 => parts.push(self.message(index, random, 1)),
            _ => {}
        }
        parts.concat()
    }

    fn unknown_field(&self, random: &mut Rng) -> Vec<u8> {
        let number = random.u32(3000..4000);
        match random.u8(..4) {
            0 => wire().varint(number, random.u64(..)),
            1 => wire().bytes(number, "unknown"),
            2 => wire().fixed64(number, random.u64(..)),
            _ => wire().group(number, wire().varint(1, 2).fixed32(2, 3)),
        }
        .0
    }

    /// The records of a field.
    fn field(&self, field: &Field, random: &mut Rng, depth: u32) -> Vec<Vec<u8>> {
        let count = random.usize(..4);
        match field.shape {
            // The Python package prints an extension that is packed and empty, but no other field that is.
            Shape::Repeated if field.packed && (count > 0 || !field.extension) => {
                let values = (0..count).map(|_| self.value(field.kind, random, depth).0);
                vec![wire().bytes(field.number, values.collect::<Vec<_>>().concat()).0]
            }
            Shape::Repeated => (0..count).map(|_| self.record(field, random, depth)).collect(),
            Shape::Map(key) => (0..count).map(|_| self.entry(field, key, random, depth)).collect(),
            // What has no presence is not written where it is zero.
            Shape::Implicit => {
                let value = self.value(field.kind, random, depth).0;
                if value.iter().all(|&byte| byte == 0) {
                    return Vec::new();
                }
                vec![wire().tag(field.number, wire_type(field.kind)).raw(&value).0]
            }
            _ => vec![self.record(field, random, depth)],
        }
    }

    fn record(&self, field: &Field, random: &mut Rng, depth: u32) -> Vec<u8> {
        if let Kind::Group(index) = field.kind {
            return wire().group(field.number, Wire(self.message(index, random, depth.saturating_sub(1)))).0;
        }
        let value = self.value(field.kind, random, depth).0;
        wire().tag(field.number, wire_type(field.kind)).raw(&value).0
    }

    fn entry(&self, field: &Field, key: Scalar, random: &mut Rng, depth: u32) -> Vec<u8> {
        let key_tag = wire().tag(1, wire_type(Kind::Scalar(key)));
        let key = key_tag.raw(&scalar(key, random).0).0;
        let value = wire().tag(2, wire_type(field.kind)).raw(&self.value(field.kind, random, depth).0).0;
        let entry = match random.u8(..20) {
            0 => [value, key],
            // A `Value` that is empty has no JSON form, except for the Python package, which prints `null`; and a
            // message of the schema may have required fields.
            1 if !matches!(field.kind, Kind::Message(_) | Kind::WellKnown("Value")) => [key, Vec::new()],
            2 => [Vec::new(), value],
            _ => [key, value],
        };
        wire().bytes(field.number, entry.concat()).0
    }

    /// A value without its tag.
    fn value(&self, kind: Kind, random: &mut Rng, depth: u32) -> Wire {
        match kind {
            Kind::Scalar(kind) => scalar(kind, random),
            Kind::Enum(index) => {
                let numbers = &self.enums[index].numbers;
                let known = numbers[random.usize(..numbers.len())];
                let number = if random.u8(..8) == 0 { random.i32(-20..20) } else { known };
                wire().raw_varint(i64::from(number).cast_unsigned())
            }
            Kind::Message(index) | Kind::Group(index) => {
                delimited(&self.message(index, random, depth.saturating_sub(1)))
            }
            Kind::WellKnown(name) => delimited(&self.well_known(name, random, depth.saturating_sub(1))),
        }
    }

    fn well_known(&self, name: &str, random: &mut Rng, depth: u32) -> Vec<u8> {
        let wrapped = |kind: Scalar, random: &mut Rng| {
            let value = scalar(kind, random).0;
            if value.iter().all(|&byte| byte == 0) {
                return Vec::new();
            }
            wire().tag(1, wire_type(Kind::Scalar(kind))).raw(&value).0
        };
        match name {
            "Any" => self.any(random, depth),
            "Timestamp" => time(random.i64(-62_135_596_800..253_402_300_800), nanos(random)),
            "Duration" => {
                let sign = if random.bool() { 1 } else { -1 };
                time(sign * random.i64(0..315_576_000_000), sign * nanos(random))
            }
            "FieldMask" => {
                let paths = ["a", "foo_bar", "foo_bar.baz_qux", "x1.y2", "user.display_name"];
                (0..random.usize(..4)).fold(wire(), |all, _| all.bytes(1, paths[random.usize(..5)])).0
            }
            "Struct" => {
                (0..random.usize(..3))
                    .fold(wire(), |all, _| {
                        let value = Wire(value_of_struct(random, depth));
                        all.message(1, wire().bytes(1, text(random)).message(2, value))
                    })
                    .0
            }
            "ListValue" => {
                (0..random.usize(..3)).fold(wire(), |all, _| all.bytes(1, value_of_struct(random, depth))).0
            }
            "Value" => value_of_struct(random, depth),
            "DoubleValue" => wrapped(Scalar::Double, random),
            "FloatValue" => wrapped(Scalar::Float, random),
            "Int64Value" => wrapped(Scalar::Int64, random),
            "UInt64Value" => wrapped(Scalar::Uint64, random),
            "Int32Value" => wrapped(Scalar::Int32, random),
            "UInt32Value" => wrapped(Scalar::Uint32, random),
            "BoolValue" => wrapped(Scalar::Bool, random),
            "StringValue" => wire().bytes(1, text(random)).0,
            "BytesValue" => wire().bytes(1, bytes(random)).0,
            _ => Vec::new(),
        }
    }

    fn any(&self, random: &mut Rng, depth: u32) -> Vec<u8> {
        let (name, value) = if random.bool() || depth == 0 {
            // Alone among the packages of protobuf, that for Python does not know the member `value` of an `Any` that
            // holds an `Empty`.
            let name = match WELL_KNOWN[random.usize(1..WELL_KNOWN.len())] {
                "Empty" => "Duration",
                name => name,
            };
            (format!("google.protobuf.{name}"), self.well_known(name, random, depth))
        } else {
            let index = random.usize(..self.messages.len());
            (self.full_name(index), self.message(index, random, depth - 1))
        };
        wire().bytes(1, format!("type.googleapis.com/{name}")).bytes(2, value).0
    }
}

fn wire_type(kind: Kind) -> u32 {
    match kind {
        Kind::Scalar(Scalar::Double | Scalar::Fixed64 | Scalar::Sfixed64) => 1,
        Kind::Scalar(Scalar::Float | Scalar::Fixed32 | Scalar::Sfixed32) => 5,
        Kind::Scalar(Scalar::String | Scalar::Bytes)
        | Kind::Message(_)
        | Kind::Group(_)
        | Kind::WellKnown(_) => 2,
        _ => VARINT,
    }
}

fn delimited(content: &[u8]) -> Wire {
    wire().raw_varint(content.len() as u64).raw(content)
}

/// Small, large and extreme numbers, each often.
fn bits(random: &mut Rng) -> u64 {
    match random.u8(..6) {
        0 => 0,
        1 => u64::from(random.u8(..)),
        2 => u64::MAX - u64::from(random.u8(..)),
        3 => 1 << random.u8(..64),
        4 => (1 << random.u8(..64)) - 1,
        _ => random.u64(..),
    }
}

#[allow(clippy::cast_possible_truncation, reason = "any bits will do")]
fn scalar(kind: Scalar, random: &mut Rng) -> Wire {
    let value = bits(random);
    let low = i64::from((value as u32).cast_signed()).cast_unsigned();
    match kind {
        Scalar::Double => wire().raw(&double(random).to_le_bytes()),
        Scalar::Float => wire().raw(&float(random).to_le_bytes()),
        Scalar::Fixed64 | Scalar::Sfixed64 => wire().raw(&value.to_le_bytes()),
        Scalar::Fixed32 | Scalar::Sfixed32 => wire().raw(&(value as u32).to_le_bytes()),
        Scalar::Int32 => wire().raw_varint(low),
        Scalar::Uint32 | Scalar::Sint32 => wire().raw_varint(value & 0xffff_ffff),
        Scalar::Int64 | Scalar::Uint64 | Scalar::Sint64 => wire().raw_varint(value),
        Scalar::Bool => wire().raw_varint(value & 1),
        Scalar::String => delimited(text(random).as_bytes()),
        Scalar::Bytes => delimited(&bytes(random)),
    }
}

fn double(random: &mut Rng) -> f64 {
    match random.u8(..4) {
        0 => f64::from_bits(random.u64(..)),
        1 => f64::from(random.i32(..)) / 1000.0,
        2 => f64::from(random.i32(-1000..1000)),
        _ => {
            [0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 0.1][random.usize(..8)]
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "any float will do")]
fn float(random: &mut Rng) -> f32 {
    match random.u8(..4) {
        0 => f32::from_bits(random.u32(..)),
        1 => random.i32(-1_000_000..1_000_000) as f32 / 100.0,
        2 => f32::from(random.i16(-1000..1000)),
        // Not the largest one: the Python package prints it rounded up, and refuses to read that again.
        _ => [0.0, -0.0, f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, 1e-45, 0.1][random.usize(..8)],
    }
}

fn text(random: &mut Rng) -> String {
    const CHARACTERS: [char; 20] = [
        'a', 'Z', '"', '\\', '/', '\n', '\u{1}', '\u{7f}', 'é', '漢', '𝄞', ' ', '<', '\u{2028}', '0', '_',
        'x', 'y', 'z', 'e',
    ];
    let plain = random.bool();
    let length = if random.u8(..16) == 0 { random.usize(..200) } else { random.usize(..20) };
    let characters = if plain { &CHARACTERS[14..] } else { &CHARACTERS };
    (0..length).map(|_| characters[random.usize(..characters.len())]).collect()
}

fn bytes(random: &mut Rng) -> Vec<u8> {
    (0..random.usize(..40)).map(|_| random.u8(..)).collect()
}

fn nanos(random: &mut Rng) -> i64 {
    [0, 1, 1000, 1_000_000, 999_999_999, 500_000_000, 123_456_789, 10][random.usize(..8)]
}

fn time(seconds: i64, nanos: i64) -> Vec<u8> {
    let mut all = wire();
    if seconds != 0 {
        all = all.varint(1, seconds.cast_unsigned());
    }
    if nanos != 0 {
        all = all.varint(2, nanos.cast_unsigned());
    }
    all.0
}

fn value_of_struct(random: &mut Rng, depth: u32) -> Vec<u8> {
    match random.u8(..if depth > 0 { 6 } else { 4 }) {
        0 => wire().varint(1, 0),
        1 => wire().fixed64(2, (f64::from(random.i32(..)) / 8.0).to_bits()),
        2 => wire().bytes(3, text(random)),
        3 => wire().varint(4, u64::from(random.bool())),
        4 => {
            let entry = wire().bytes(1, text(random)).bytes(2, value_of_struct(random, depth - 1));
            wire().message(5, wire().message(1, entry))
        }
        _ => wire().message(6, wire().bytes(1, value_of_struct(random, depth - 1))),
    }
    .0
}
