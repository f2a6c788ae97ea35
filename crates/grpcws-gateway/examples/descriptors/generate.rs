//! Descriptors that are made up.

use std::fmt::Write as _;
use std::io;
use std::path::Path;

use prost::Message;

/// How many of everything there are: as in `googleapis`, which has 7,227 files, 1,739 services and 12,344 methods.
pub(crate) struct Shape {
    pub(crate) files: usize,
    pub(crate) messages: usize,
    pub(crate) fields: usize,
    /// Every so many files have a service.
    pub(crate) service_every: usize,
    pub(crate) methods: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { files: 7_000, messages: 8, fields: 6, service_every: 4, methods: 7 }
    }
}

#[derive(Clone, PartialEq, Message)]
struct Set {
    #[prost(message, repeated, tag = "1")]
    files: Vec<File>,
}

#[derive(Clone, PartialEq, Message)]
struct File {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    package: String,
    #[prost(string, repeated, tag = "3")]
    imports: Vec<String>,
    #[prost(message, repeated, tag = "4")]
    messages: Vec<Type>,
    #[prost(message, repeated, tag = "6")]
    services: Vec<Service>,
    #[prost(string, tag = "12")]
    syntax: String,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
struct Field {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int32, tag = "3")]
    number: i32,
    #[prost(int32, tag = "4")]
    label: i32,
    #[prost(int32, tag = "5")]
    kind: i32,
    #[prost(string, tag = "6")]
    type_name: String,
    #[prost(string, tag = "10")]
    json_name: String,
}

#[derive(Clone, PartialEq, Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, repeated, tag = "2")]
    methods: Vec<Method>,
}

#[derive(Clone, PartialEq, Message)]
struct Method {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    input: String,
    #[prost(string, tag = "3")]
    output: String,
    #[prost(message, tag = "4")]
    options: Option<Options>,
}

#[derive(Clone, PartialEq, Message)]
struct Options {
    #[prost(message, tag = "72295728")]
    http: Option<Http>,
}

#[derive(Clone, PartialEq, Message)]
struct Http {
    #[prost(string, tag = "2")]
    get: String,
}

/// A serialized `FileDescriptorSet`.
pub(crate) fn set(shape: &Shape) -> Vec<u8> {
    Set { files: (0..shape.files).map(|number| file(shape, number)).collect() }.encode_to_vec()
}

fn package(number: usize) -> String {
    format!("made.up.cloud.service{number}.v1")
}

fn file_name(number: usize) -> String {
    format!("made/up/cloud/service{number}/v1/resources{number}.proto")
}

/// Each file imports the one before, as long as that is of the same ten.
fn imported(number: usize) -> Option<usize> {
    number.checked_sub(1).filter(|before| before / 10 == number / 10)
}

fn file(shape: &Shape, number: usize) -> File {
    let package = package(number);
    let other = imported(number);
    let message = |index: usize| Type {
        name: format!("ResourceOfTheService{index}"),
        fields: (0..shape.fields).map(|field| self::field(&package, other, index, field)).collect(),
    };
    let method = |index: usize| Method {
        name: format!("GetResourceOfTheService{index}"),
        input: format!(".{package}.ResourceOfTheService{}", index % shape.messages),
        output: format!(".{package}.ResourceOfTheService0"),
        options: Some(Options {
            http: Some(Http { get: format!("/v1/service{number}/resources{index}/{{the_field_0}}") }),
        }),
    };
    let service =
        || Service { name: "ResourceService".to_owned(), methods: (0..shape.methods).map(method).collect() };
    File {
        name: file_name(number),
        package: package.clone(),
        imports: other.map(file_name).into_iter().collect(),
        messages: (0..shape.messages).map(message).collect(),
        services: number.is_multiple_of(shape.service_every).then(service).into_iter().collect(),
        syntax: "proto3".to_owned(),
    }
}

fn field(package: &str, other: Option<usize>, message: usize, index: usize) -> Field {
    let (name, json_name) = (format!("the_field_{index}"), format!("theField{index}"));
    let number = i32::try_from(index + 1).unwrap_or(1);
    let type_name = match (message, index, other) {
        (1, 1, Some(other)) => format!(".{}.ResourceOfTheService0", self::package(other)),
        (2.., 1, _) => format!(".{package}.ResourceOfTheService{}", message - 1),
        _ => String::new(),
    };
    let kind = if type_name.is_empty() { 9 } else { 11 };
    Field { name, number, label: 1, kind, type_name, json_name }
}

/// Writes the same as `.proto` files, and returns their names.
pub(crate) fn protos(shape: &Shape, folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for number in 0..shape.files {
        let file = file(shape, number);
        let path = folder.join(&file.name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, source(&file))?;
        names.push(file.name);
    }
    Ok(names)
}

fn source(file: &File) -> String {
    let mut text = format!("syntax = \"proto3\";\npackage {};\n", file.package);
    text.push_str("import \"google/api/annotations.proto\";\n");
    for import in &file.imports {
        let _ = writeln!(text, "import \"{import}\";");
    }
    for message in &file.messages {
        let _ = writeln!(text, "message {} {{", message.name);
        for field in &message.fields {
            let kind = if field.type_name.is_empty() { "string" } else { &field.type_name };
            let _ = writeln!(text, "  {kind} {} = {};", field.name, field.number);
        }
        text.push_str("}\n");
    }
    for service in &file.services {
        let _ = writeln!(text, "service {} {{", service.name);
        for method in &service.methods {
            let http = method.options.as_ref().and_then(|options| options.http.as_ref());
            let get = http.map_or("", |http| http.get.as_str());
            let (name, input, output) = (&method.name, &method.input, &method.output);
            let option = format!("option (google.api.http) = {{ get: \"{get}\" }};");
            let _ = writeln!(text, "  rpc {name}({input}) returns ({output}) {{ {option} }}");
        }
        text.push_str("}\n");
    }
    text
}

/// Sets of so many bytes that take many times as much memory when they are decoded.
pub(crate) fn hostile(bytes: usize) -> Vec<(&'static str, Vec<u8>)> {
    let repeated = |name, piece: &[u8], within: &[u32]| {
        let mut content = piece.repeat(bytes / piece.len());
        for tag in within.iter().rev() {
            content = delimited(*tag, &content);
        }
        (name, content)
    };
    vec![
        repeated("empty files", b"\x0a\x00", &[]),
        repeated("empty messages", b"\x22\x00", &[1]),
        repeated("empty fields", b"\x12\x00", &[1, 4]),
        repeated("empty enums", b"\x2a\x00", &[1]),
        repeated("empty methods", b"\x12\x00", &[1, 6]),
        repeated("empty imports", b"\x1a\x00", &[1]),
        repeated("empty oneofs", b"\x42\x00", &[1, 4]),
        repeated("empty comments", b"\x0a\x00", &[1, 9]),
        repeated("empty bindings", b"\x5a\x00", &[1, 6, 2, 4, 72_295_728]),
    ]
}

/// Sets with as many declarations as are permitted, each as short as it can be and all of them valid.
pub(crate) fn permitted(count: usize) -> Vec<(&'static str, Vec<u8>)> {
    let name = |number: usize| delimited(1, format!("n{number:x}").as_bytes());
    let all = |one: &dyn Fn(usize) -> Vec<u8>| (0..count).flat_map(one).collect::<Vec<u8>>();
    let file = |content: Vec<u8>| {
        let head = [delimited(1, b"h.proto"), delimited(2, b"h"), delimited(4, &delimited(1, b"M"))].concat();
        delimited(1, &[head, content].concat())
    };
    let field = |number: usize| {
        let mut content = name(number);
        prost::encoding::int32::encode(3, &i32::try_from(number + 1).unwrap_or(1), &mut content);
        prost::encoding::int32::encode(5, &5, &mut content);
        delimited(2, &content)
    };
    let method =
        |number: usize| delimited(2, &[name(number), delimited(2, b".h.M"), delimited(3, b".h.M")].concat());
    let value = |number: usize| {
        let mut content = name(number);
        prost::encoding::int32::encode(2, &i32::try_from(number).unwrap_or(0), &mut content);
        delimited(2, &content)
    };
    vec![
        ("permitted messages", file(all(&|number| delimited(4, &name(number))))),
        ("permitted fields", file(delimited(4, &[delimited(1, b"F"), all(&field)].concat()))),
        ("permitted methods", file(delimited(6, &[delimited(1, b"S"), all(&method)].concat()))),
        ("permitted enum values", file(delimited(5, &[delimited(1, b"E"), all(&value)].concat()))),
        ("permitted imports", file(all(&|number| delimited(3, format!("n{number:x}").as_bytes())))),
    ]
}

fn delimited(tag: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut bytes);
    prost::encoding::encode_varint(content.len().try_into().unwrap_or(u64::MAX), &mut bytes);
    bytes.extend_from_slice(content);
    bytes
}
