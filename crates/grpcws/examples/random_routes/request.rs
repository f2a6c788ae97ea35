//! Random HTTP requests for a rule: most of them good, some with what is known to be different, some with faults.

use fastrand::Rng;

use super::difference::Difference;
use super::json::{message, value};
use super::schema::{Body, ENUM, Field, Label, Rule, Scalar, Schema, Segment, Type, pick};

/// How many messages may be in each other.
const DEPTH: u32 = 3;

#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) parameters: Vec<String>,
    pub(crate) body: Option<String>,
    /// What of it is known to be treated differently.
    pub(crate) differences: Vec<Difference>,
    /// Fields of parameters, with the names that they have there.
    names: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn query(&self) -> String {
        self.parameters.join("&")
    }

    pub(crate) fn target(&self) -> String {
        if self.parameters.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, self.query()) }
    }

    pub(crate) fn random(rng: &mut Rng, schema: &Schema, rule: &Rule) -> Self {
        let mut request = Self {
            path: String::new(),
            parameters: Vec::new(),
            body: None,
            differences: Vec::new(),
            names: Vec::new(),
        };
        request.make_path(rng, rule);
        for _ in 0..rng.usize(..5) {
            request.add_parameter(rng, schema, rule);
        }
        let body = match &rule.body {
            Body::None => None,
            Body::Whole => Some(message(rng, schema, rule.request, DEPTH)),
            Body::Field(field) => {
                if !matches!((field.ty, field.label), (Type::Message(_), Label::Singular)) {
                    request.differences.push(Difference::ScalarBody);
                }
                Some(value(rng, schema, field, DEPTH))
            }
        };
        request.body = body.map(|body| match rng.u8(..20) {
            0 => "{".to_owned(),
            1 => "true false".to_owned(),
            _ => body.to_string(),
        });
        request
    }

    fn make_path(&mut self, rng: &mut Rng, rule: &Rule) {
        for part in &rule.parts {
            let is_single = part.segments == [Segment::Any];
            for segment in &part.segments {
                match segment {
                    Segment::Literal(literal) => {
                        self.path.push('/');
                        self.literal(rng, literal);
                    }
                    Segment::Any => {
                        self.path.push('/');
                        let text = match &part.variable {
                            Some(variable) if is_single => {
                                if variable.path.contains('.') && variable.field.label == Label::Repeated {
                                    self.differences.push(Difference::ListInside);
                                }
                                self.path_value(rng, &variable.field)
                            }
                            _ => self.segment(rng),
                        };
                        self.path.push_str(&text);
                    }
                    Segment::Rest => {
                        let count = rng.usize(..4);
                        if count == 0 && part.segments.len() > 1 {
                            self.differences.push(Difference::RestOfNothing);
                        }
                        for _ in 0..count {
                            self.path.push('/');
                            let text = self.segment(rng);
                            self.path.push_str(&text);
                        }
                    }
                }
            }
        }
        if let Some(suffix) = &rule.suffix {
            self.path.push(':');
            self.literal(rng, suffix);
        } else if rng.u8(..30) == 0 {
            self.path.push_str(":other");
        }
        if rng.u8(..40) == 0 {
            self.path.push('/');
            self.differences.push(Difference::EmptySegment);
        }
    }

    fn literal(&mut self, rng: &mut Rng, literal: &str) {
        if rng.u8(..40) == 0 {
            self.differences.push(Difference::EscapedLiteral);
            self.path.push_str(&literal.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>());
        } else {
            self.path.push_str(literal);
        }
    }

    /// A segment of a variable of several, or of none.
    fn segment(&mut self, rng: &mut Rng) -> String {
        match rng.u8(..24) {
            0 => {
                self.differences.push(Difference::EmptySegment);
                String::new()
            }
            1 => {
                self.differences.push(Difference::DotSegment);
                (*pick(rng, &[".", "..", "%2e", "%2E%2E", "a%2F.."])).to_owned()
            }
            2 => {
                self.differences.push(Difference::ReservedEscape);
                (*pick(rng, &["a%3Ab", "%40", "x%2Cy", "%5Bz"])).to_owned()
            }
            3 => {
                self.differences.push(Difference::ReservedEscape);
                "a%2Fb".to_owned()
            }
            4 => "%zz".to_owned(),
            5 => "%C3%BC%20x".to_owned(),
            _ => (*pick(rng, &["a", "7", "books", "x.y", "-", "a:b", "%61", "cancel"])).to_owned(),
        }
    }

    /// The text of a variable of one segment.
    fn path_value(&mut self, rng: &mut Rng, field: &Field) -> String {
        if rng.u8(..40) == 0 {
            self.differences.push(Difference::EmptySegment);
            return String::new();
        }
        let count = if field.label == Label::Repeated { rng.usize(1..4) } else { 1 };
        let texts: Vec<String> = (0..count).map(|_| self.text(rng, field.ty, true)).collect();
        let text = texts.join(",");
        if text.is_empty() {
            self.differences.push(Difference::EmptySegment);
        }
        if text.split('/').any(|part| part == "." || part == "..") {
            self.differences.push(Difference::DotSegment);
        }
        encoded(rng, &text, false)
    }

    fn add_parameter(&mut self, rng: &mut Rng, schema: &Schema, rule: &Rule) {
        if matches!(rule.body, Body::Whole) {
            self.differences.push(Difference::QueryBesideWhole);
        }
        if rng.u8(..12) == 0 {
            let unknown = ["utm_source=mail", "access_token=abc", "_=17", "nope.x=1", "nope[a]=1", "x", "=1"];
            return self.parameters.push((*pick(rng, &unknown)).to_owned());
        }
        let (mut message, mut proto_path, mut path) = (rule.request, String::new(), String::new());
        for depth in 0..DEPTH {
            let field = pick(rng, schema.fields(message)).clone();
            let is_body = |body: &Body| matches!(body, Body::Field(body) if body.name == field.name);
            if depth == 0 && is_body(&rule.body) {
                self.differences.push(Difference::SetTwice);
            }
            proto_path.push_str(&field.name);
            path.push_str(&name(rng, &field));
            let variables = rule.parts.iter().filter_map(|part| part.variable.as_ref());
            let overlaps = |bound: &str| {
                let begins = |long: &str, short: &str| {
                    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                };
                begins(&proto_path, bound) || begins(bound, &proto_path)
            };
            let is_bound = variables.map(|variable| variable.path.clone()).any(|bound| overlaps(&bound));
            match (field.ty, field.label) {
                (Type::Message(inner), Label::Singular | Label::Optional | Label::Oneof)
                    if rng.u8(..10) > 0 =>
                {
                    proto_path.push('.');
                    path.push('.');
                    message = inner;
                }
                _ => {
                    if is_bound {
                        self.differences.push(Difference::SetTwice);
                    }
                    let other_name = |(known, name): &(String, String)| *known == proto_path && *name != path;
                    if field.label == Label::Repeated && self.names.iter().any(other_name) {
                        self.differences.push(Difference::TwoNames);
                    }
                    let is_map = matches!(field.label, Label::Map(..));
                    if is_map && self.names.iter().any(|(known, _)| *known == proto_path) {
                        self.differences.push(Difference::KeyTwice);
                    }
                    self.names.push((proto_path, path.clone()));
                    return self.add_values(rng, &path, &field);
                }
            }
        }
    }

    fn add_values(&mut self, rng: &mut Rng, path: &str, field: &Field) {
        if let Label::Map(_, key) = field.label {
            let key = scalar_text(rng, key);
            if key.contains('[') {
                self.differences.push(Difference::BracketsInKey);
            }
            let text = self.text(rng, field.ty, false);
            let brackets = if rng.u8(..10) == 0 { "" } else { "[]" };
            let name = match brackets {
                "" => {
                    self.differences.push(Difference::MapWithoutKey);
                    path.to_owned()
                }
                _ => format!("{path}[{}]", encoded(rng, &key, true)),
            };
            return self.parameters.push(format!("{name}={}", encoded(rng, &text, true)));
        }
        let count = match field.label {
            Label::Repeated => rng.usize(1..4),
            _ => 1 + usize::from(rng.u8(..20) == 0),
        };
        let brackets = match rng.u8(..25) {
            0 => "[]",
            1 => "[k]",
            _ => "",
        };
        if brackets == "[]" {
            self.differences.push(Difference::EmptyBrackets);
        }
        for _ in 0..count {
            let text = self.text(rng, field.ty, false);
            self.parameters.push(format!("{path}{brackets}={}", encoded(rng, &text, true)));
        }
    }

    /// A text for a type, now and then one that is none.
    fn text(&mut self, rng: &mut Rng, ty: Type, in_path: bool) -> String {
        match rng.u8(..25) {
            0 if !in_path => {
                self.differences.push(Difference::EmptyValue);
                return String::new();
            }
            1 => {
                self.differences.extend(match ty {
                    Type::Enum => Some(Difference::EnumNumber),
                    Type::WellKnown("FieldMask", _) => Some(Difference::MaskNames),
                    Type::WellKnown("Duration", _) => Some(Difference::DurationUnits),
                    _ => None,
                });
                return (*pick(
                    rng,
                    &["junk", "1.5", "-1", "99999999999999999999", "0x10", "1_0", "+7", "TRUE", "nan"],
                ))
                .to_owned();
            }
            _ => {}
        }
        match ty {
            Type::Scalar(_, scalar) | Type::WellKnown(_, Some(scalar)) => scalar_text(rng, scalar),
            Type::Enum => match rng.u8(..8) {
                0 => {
                    self.differences.push(Difference::EnumNumber);
                    "17".to_owned()
                }
                1..4 => pick(rng, &ENUM).1.to_string(),
                _ => pick(rng, &ENUM).0.to_owned(),
            },
            Type::WellKnown("Timestamp", None) => {
                let odd = [
                    "2024-02-29T12:00:00,5Z",
                    "2024-01-01 00:00:00Z",
                    "2024-01-01T24:00:00Z",
                    "2023-02-29T00:00:00Z",
                ];
                if rng.u8(..8) == 0 {
                    self.differences.push(Difference::TimestampForms);
                    return (*pick(rng, &odd)).to_owned();
                }
                (*pick(
                    rng,
                    &["2024-02-29T12:00:00Z", "1969-12-31T23:59:59.123456789Z", "2024-01-01T01:00:00+01:00"],
                ))
                .to_owned()
            }
            Type::WellKnown("Duration", None) => {
                if rng.u8(..6) == 0 {
                    self.differences.push(Difference::DurationUnits);
                    return (*pick(rng, &["1m30s", "1.5h", "10ms", "0", "400000000s"])).to_owned();
                }
                (*pick(rng, &["1s", "1.5s", "-0.25s", "0s", "3600.000000001s"])).to_owned()
            }
            Type::WellKnown("FieldMask", None) => {
                if rng.u8(..6) == 0 {
                    self.differences.push(Difference::MaskNames);
                    return (*pick(rng, &["displayName", "a,,b", "a b", "*", "a.", "x_1"])).to_owned();
                }
                (*pick(rng, &["a", "a,b.c", "display_name,shelf.id"])).to_owned()
            }
            Type::WellKnown("Struct", None) => {
                (*pick(rng, &["{}", r#"{"a":[1,null]}"#, "[1]", "{"])).to_owned()
            }
            Type::WellKnown("Value", None) => {
                (*pick(rng, &["null", "5", r#""x""#, r#"{"a":true}"#, "[", "x"])).to_owned()
            }
            Type::WellKnown("Empty", None) => (*pick(rng, &["{}", "{}", "x"])).to_owned(),
            Type::WellKnown(..) | Type::Message(_) => "x".to_owned(),
        }
    }
}

pub(crate) fn name(rng: &mut Rng, field: &Field) -> String {
    match &field.json_name {
        Some(json_name) if rng.bool() => json_name.clone(),
        None if rng.bool() => camel_case(&field.name),
        _ => field.name.clone(),
    }
}

fn camel_case(name: &str) -> String {
    let mut upper = false;
    let mut text = String::new();
    for character in name.chars() {
        match character {
            '_' => upper = true,
            character if upper => {
                text.push(character.to_ascii_uppercase());
                upper = false;
            }
            character => text.push(character),
        }
    }
    text
}

pub(crate) fn scalar_text(rng: &mut Rng, scalar: Scalar) -> String {
    match scalar {
        Scalar::Signed(32) => pick(rng, &["0", "7", "-5", "2147483647", "-2147483648", "007"]).to_string(),
        Scalar::Signed(_) => {
            pick(rng, &["0", "12", "-9223372036854775808", "9223372036854775807"]).to_string()
        }
        Scalar::Unsigned(32) => pick(rng, &["0", "7", "4294967295", "08"]).to_string(),
        Scalar::Unsigned(_) => pick(rng, &["0", "12", "18446744073709551615"]).to_string(),
        Scalar::Float => {
            pick(rng, &["0", "1.5", "-2e3", "NaN", "Infinity", "-Infinity", "1e300", "0.1"]).to_string()
        }
        Scalar::Bool => pick(rng, &["true", "false", "1", "0", "T", "False"]).to_string(),
        Scalar::String => {
            pick(rng, &["a", "a b", "ü€", "x/y", "a,b", "100%", "a+b", "&=?#", "[k]", "a:b", ";"]).to_string()
        }
        Scalar::Bytes => pick(rng, &["AQI=", "AQI", "/+8=", "_-8", "AQID"]).to_string(),
    }
}

/// The text with the escapes that it needs, and with some that it does not need.
fn encoded(rng: &mut Rng, text: &str, in_query: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric()
            || b"-_.~".contains(&byte)
            || (!in_query && b":,@!$'*".contains(&byte));
        if in_query && byte == b' ' && rng.bool() {
            out.push('+');
        } else if plain && rng.u8(..20) > 0 {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
