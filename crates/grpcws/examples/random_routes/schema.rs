//! Random messages and rules of `google.api.http`, as a `.proto` file and as a model of it.

use std::collections::HashSet;
use std::fmt::Write as _;

use fastrand::Rng;

/// How many message types there are.
const MESSAGES: usize = 8;

/// A scalar type, by what a text has to be for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    Signed(u32),
    Unsigned(u32),
    Float,
    Bool,
    String,
    Bytes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Scalar(&'static str, Scalar),
    Enum,
    /// A well-known type: its name below `google.protobuf`, and the scalar of a wrapper.
    WellKnown(&'static str, Option<Scalar>),
    /// One of the messages of the schema.
    Message(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Label {
    Singular,
    Optional,
    Repeated,
    /// With keys of this type.
    Map(&'static str, Scalar),
    Oneof,
}

#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) json_name: Option<String>,
    pub(crate) ty: Type,
    pub(crate) label: Label,
}

/// What a segment of a template is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    Any,
    Rest,
}

/// A part of a template: segments, of which a variable may take the text.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) variable: Option<Variable>,
    pub(crate) segments: Vec<Segment>,
}

#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) path: String,
    pub(crate) field: Field,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    None,
    Whole,
    Field(Field),
}

#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub(crate) verb: &'static str,
    pub(crate) parts: Vec<Part>,
    pub(crate) suffix: Option<String>,
    pub(crate) body: Body,
    pub(crate) request: usize,
}

pub(crate) struct Schema {
    pub(crate) messages: Vec<Vec<Field>>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) proto: String,
}

const SCALARS: [(&str, Scalar); 15] = [
    ("int32", Scalar::Signed(32)),
    ("sint32", Scalar::Signed(32)),
    ("sfixed32", Scalar::Signed(32)),
    ("int64", Scalar::Signed(64)),
    ("sint64", Scalar::Signed(64)),
    ("sfixed64", Scalar::Signed(64)),
    ("uint32", Scalar::Unsigned(32)),
    ("fixed32", Scalar::Unsigned(32)),
    ("uint64", Scalar::Unsigned(64)),
    ("fixed64", Scalar::Unsigned(64)),
    ("double", Scalar::Float),
    ("float", Scalar::Float),
    ("bool", Scalar::Bool),
    ("string", Scalar::String),
    ("bytes", Scalar::Bytes),
];

const WELL_KNOWN: [(&str, Option<Scalar>); 15] = [
    ("Timestamp", None),
    ("Duration", None),
    ("FieldMask", None),
    ("Struct", None),
    ("Value", None),
    ("Empty", None),
    ("DoubleValue", Some(Scalar::Float)),
    ("FloatValue", Some(Scalar::Float)),
    ("Int64Value", Some(Scalar::Signed(64))),
    ("UInt64Value", Some(Scalar::Unsigned(64))),
    ("Int32Value", Some(Scalar::Signed(32))),
    ("UInt32Value", Some(Scalar::Unsigned(32))),
    ("BoolValue", Some(Scalar::Bool)),
    ("StringValue", Some(Scalar::String)),
    ("BytesValue", Some(Scalar::Bytes)),
];

/// The names of the enum's values; the last two have one number.
pub(crate) const ENUM: [(&str, i32); 4] = [("E_ZERO", 0), ("E_ONE", 1), ("E_MANY", 40), ("E_BELOW", -3)];

pub(crate) fn pick<'a, T>(rng: &mut Rng, choices: &'a [T]) -> &'a T {
    choices.get(rng.usize(..choices.len())).expect("there is a choice")
}

impl Schema {
    /// A schema with so many rules.
    pub(crate) fn random(rng: &mut Rng, rules: usize) -> Self {
        let messages: Vec<Vec<Field>> = (0..MESSAGES).map(|index| message(rng, index)).collect();
        let mut schema = Self { messages, rules: Vec::new(), proto: String::new() };
        let mut group = 0;
        while schema.rules.len() < rules {
            schema.group(rng, group);
            group += 1;
        }
        schema.proto = schema.text(rng);
        schema
    }

    /// Adds rules below one prefix, each with an HTTP method of its own.
    fn group(&mut self, rng: &mut Rng, number: usize) {
        let mut verbs = vec!["GET", "POST", "PUT", "PATCH", "DELETE", "PURGE"];
        rng.shuffle(&mut verbs);
        verbs.truncate(rng.usize(1..=4));
        for verb in verbs {
            let request = rng.usize(..MESSAGES);
            let mut taken = HashSet::new();
            let body = self.body(rng, verb, request, &mut taken);
            let mut parts =
                vec![Part { variable: None, segments: vec![Segment::Literal(format!("g{number}"))] }];
            for _ in 0..rng.usize(..4) {
                let part = self.part(rng, request, &body, &mut taken);
                let ends = part.segments.last() == Some(&Segment::Rest);
                parts.push(part);
                if ends {
                    break;
                }
            }
            let suffix = (rng.u8(..4) == 0).then(|| (*pick(rng, &["cancel", "watch", "x-y"])).to_owned());
            self.rules.push(Rule { verb, parts, suffix, body, request });
        }
    }

    fn body(&self, rng: &mut Rng, verb: &str, request: usize, taken: &mut HashSet<String>) -> Body {
        if !matches!(verb, "POST" | "PUT" | "PATCH") {
            return Body::None;
        }
        match rng.u8(..4) {
            0 => Body::None,
            1 => Body::Whole,
            _ => {
                let field = pick(rng, self.fields(request)).clone();
                taken.insert(field.name.clone());
                Body::Field(field)
            }
        }
    }

    fn part(&self, rng: &mut Rng, request: usize, body: &Body, taken: &mut HashSet<String>) -> Part {
        let segment = |rng: &mut Rng, last: bool| match rng.u8(..8) {
            0 | 1 => Segment::Any,
            2 if last => Segment::Rest,
            _ => Segment::Literal((*pick(rng, &["books", "a.b", "x-y", "v1~", "A_B", "s"])).to_owned()),
        };
        if rng.u8(..3) == 0 {
            return Part { variable: None, segments: vec![segment(rng, true)] };
        }
        let Some(variable) = self.variable(rng, request, body, taken) else {
            return Part { variable: None, segments: vec![segment(rng, true)] };
        };
        let is_text =
            matches!(variable.field.ty, Type::Scalar("string", _)) && variable.field.label != Label::Repeated;
        let segments = if !is_text || rng.bool() {
            vec![Segment::Any]
        } else {
            let count = rng.usize(1..4);
            (1..=count).map(|index| segment(rng, index == count)).collect()
        };
        Part { variable: Some(variable), segments }
    }

    /// A field that a path can set and nothing else sets.
    fn variable(
        &self,
        rng: &mut Rng,
        request: usize,
        body: &Body,
        taken: &mut HashSet<String>,
    ) -> Option<Variable> {
        let (mut message, mut path) = (request, String::new());
        for depth in 0..3 {
            let field = pick(rng, self.fields(message)).clone();
            // `{book.name}` beside the body `book` is the usual PATCH.
            let in_body =
                matches!((body, field.ty), (Body::Field(body), Type::Message(_)) if body.name == field.name);
            if depth == 0 && !taken.insert(field.name.clone()) && !in_body || field.label == Label::Oneof {
                return None;
            }
            path.push_str(&field.name);
            match (field.ty, field.label) {
                // What gRPC-Gateway generates for it does not compile.
                (Type::Enum | Type::Scalar("bytes", _), Label::Optional) => return None,
                (Type::Message(inner), Label::Singular | Label::Optional) => {
                    path.push('.');
                    message = inner;
                }
                (Type::Scalar(..) | Type::Enum, Label::Singular | Label::Optional | Label::Repeated)
                | (Type::WellKnown("Timestamp" | "Duration", _), Label::Singular)
                | (Type::WellKnown(_, Some(_)), Label::Singular) => return Some(Variable { path, field }),
                _ => return None,
            }
        }
        None
    }

    pub(crate) fn fields(&self, message: usize) -> &[Field] {
        self.messages.get(message).expect("it is a message of the schema")
    }

    fn text(&self, rng: &mut Rng) -> String {
        let mut text = String::from(
            "syntax = \"proto3\";\npackage rules;\noption go_package = \"grpcws.test/routes/rules;rules\";\n\
             import \"google/api/annotations.proto\";\n",
        );
        for file in ["duration", "empty", "field_mask", "struct", "timestamp", "wrappers"] {
            writeln!(text, "import \"google/protobuf/{file}.proto\";").expect("a String takes all");
        }
        text.push_str("enum E {\n");
        for (name, number) in ENUM {
            writeln!(text, "  {name} = {number};").expect("a String takes all");
        }
        text.push_str("}\nmessage Reply {}\n");
        for (index, fields) in self.messages.iter().enumerate() {
            writeln!(text, "message M{index} {{").expect("a String takes all");
            for (number, field) in fields.iter().enumerate() {
                field.write(number + 1, &mut text);
            }
            text.push_str("}\n");
        }
        text.push_str("service Rules {\n");
        for (index, rule) in self.rules.iter().enumerate() {
            let stream = if rng.u8(..3) == 0 { "stream " } else { "" };
            let (request, rule) = (rule.request, rule.text());
            writeln!(text, "  rpc R{index}(M{request}) returns ({stream}Reply) {{ {rule} }}")
                .expect("a String takes all");
        }
        text.push_str("}\n");
        text
    }
}

fn message(rng: &mut Rng, index: usize) -> Vec<Field> {
    let mut oneof = false;
    let count = rng.usize(6..15);
    let fields = (0..count).map(|number| {
        let word = pick(rng, &["id", "page_size", "camelCase", "Upper", "x", "_lead"]);
        let name = format!("{word}_{number}");
        let json_name = (rng.u8(..6) == 0).then(|| format!("json{number}"));
        let ty = match rng.u8(..12) {
            0..6 => pick_scalar(rng),
            6 => Type::Enum,
            7..10 => {
                let (name, scalar) = *pick(rng, &WELL_KNOWN);
                Type::WellKnown(name, scalar)
            }
            _ if index + 1 < MESSAGES => Type::Message(rng.usize(index + 1..MESSAGES)),
            _ => Type::Enum,
        };
        let label = match rng.u8(..10) {
            0 | 1 => Label::Repeated,
            2 => {
                let keys = ["int32", "uint64", "bool", "string"];
                let key = *pick(rng, &keys);
                let scalar = SCALARS.iter().find(|(name, _)| *name == key).expect("it is a scalar").1;
                Label::Map(key, scalar)
            }
            3 if !matches!(ty, Type::Message(_)) => Label::Optional,
            // The fields of a oneof are the last two of a message.
            _ if number + 2 >= count => {
                oneof = true;
                Label::Oneof
            }
            _ => Label::Singular,
        };
        Field { name, json_name, ty, label }
    });
    fields.collect()
}

fn pick_scalar(rng: &mut Rng) -> Type {
    let (name, scalar) = *pick(rng, &SCALARS);
    Type::Scalar(name, scalar)
}

impl Type {
    fn name(self) -> String {
        match self {
            Self::Scalar(name, _) => name.to_owned(),
            Self::Enum => "E".to_owned(),
            Self::WellKnown(name, _) => format!("google.protobuf.{name}"),
            Self::Message(index) => format!("M{index}"),
        }
    }
}

impl Field {
    fn write(&self, number: usize, text: &mut String) {
        let (ty, name) = (self.ty.name(), &self.name);
        let json_name = self.json_name.as_ref().map(|name| format!(" [json_name = \"{name}\"]"));
        let json_name = json_name.unwrap_or_default();
        let declared = match self.label {
            Label::Singular => format!("{ty} {name} = {number}{json_name};"),
            Label::Optional => format!("optional {ty} {name} = {number}{json_name};"),
            Label::Repeated => format!("repeated {ty} {name} = {number}{json_name};"),
            Label::Map(key, _) => format!("map<{key}, {ty}> {name} = {number}{json_name};"),
            // Each message has one, which its last fields are in.
            Label::Oneof => format!(
                "oneof one_{number} {{ {ty} {name} = {number}{json_name}; bool other_{number} = {}; }}",
                number + 50
            ),
        };
        text.push_str("  ");
        text.push_str(&declared);
        text.push('\n');
    }
}

impl Rule {
    pub(crate) fn template(&self) -> String {
        let mut text = String::new();
        for part in &self.parts {
            let segments: Vec<&str> = part.segments.iter().map(Segment::text).collect();
            let segments = segments.join("/");
            text.push('/');
            match &part.variable {
                None => text.push_str(&segments),
                Some(variable) if segments == "*" => text.push_str(&format!("{{{}}}", variable.path)),
                Some(variable) => text.push_str(&format!("{{{}={segments}}}", variable.path)),
            }
        }
        if let Some(suffix) = &self.suffix {
            text.push(':');
            text.push_str(suffix);
        }
        text
    }

    pub(crate) fn text(&self) -> String {
        let template = self.template();
        let pattern = match self.verb {
            "PURGE" => format!("custom {{ kind: \"PURGE\" path: \"{template}\" }}"),
            verb => format!("{}: \"{template}\"", verb.to_ascii_lowercase()),
        };
        let body = match &self.body {
            Body::None => String::new(),
            Body::Whole => " body: \"*\"".to_owned(),
            Body::Field(field) => format!(" body: \"{}\"", field.name),
        };
        format!("option (google.api.http) = {{ {pattern}{body} }};")
    }
}

impl Segment {
    fn text(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Any => "*",
            Self::Rest => "**",
        }
    }
}
