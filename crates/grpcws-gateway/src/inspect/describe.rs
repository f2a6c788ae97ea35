//! `grpcws describe`.

use std::io::Write as _;

use grpcws::services::Method;
use serde_json::json;

use super::arguments::{DescribeArguments, Format};
use super::comments::Comments;
use super::error::InspectError;
use super::json;
use super::load::load;
use super::nearest::Suggestions;
use super::proto::Writer;
use super::style::Style;
use super::symbol::{self, Declaration, Symbol};
use crate::descriptors::Loaded;

/// Prints a service, method, message or enum.
///
/// # Errors
///
/// The descriptors cannot be had, or there is no such symbol.
pub async fn describe(arguments: DescribeArguments) -> Result<(), InspectError> {
    let name = arguments.symbol.trim_start_matches(['.', '/']);
    // Reflection knows methods by their names with dots.
    let loaded = load(&arguments.source, Some(&name.replace('/', "."))).await?;
    let symbols = symbol::all(&loaded.files);
    let Some(symbol) = symbols.iter().find(|symbol| symbol.is(name)) else {
        let known = symbols.iter().map(|symbol| &*symbol.full_name);
        return Err(InspectError::NoSymbol {
            name: name.to_owned(),
            suggestions: Suggestions::of(name, known),
        });
    };
    print(&match arguments.source.format {
        Format::Text => source(symbol, &symbols, &loaded, Style::of_stdout()),
        Format::Json => json::text(&value(symbol, &loaded)),
    })
}

/// The source of a `.proto` file that declares the symbol.
fn source(symbol: &Symbol<'_>, symbols: &[Symbol<'_>], loaded: &Loaded, style: Style) -> String {
    let mut writer = Writer::new(style);
    writer.comment(&format!("{} in {}", symbol.full_name, symbol.file.name()));
    declaration(symbol, loaded, &mut writer);
    if let Some((service, name)) = symbol.full_name.split_once('/')
        && let Some(method) = loaded.services.method(service, name)
    {
        let request = method.request().full_name();
        let response = method.response().full_name();
        let types = [request, response];
        for type_name in types.iter().take(if request == response { 1 } else { 2 }) {
            if let Some(found) = symbols.iter().find(|symbol| symbol.is(type_name)) {
                writer.gap();
                writer.comment(&format!("{} in {}", found.full_name, found.file.name()));
                declaration(found, loaded, &mut writer);
            }
        }
    }
    writer.finish()
}

fn declaration(symbol: &Symbol<'_>, loaded: &Loaded, writer: &mut Writer) {
    let (service, method) = symbol.full_name.split_once('/').unwrap_or((&symbol.full_name, ""));
    writer.from(Comments::of(symbol.file), &symbol.path);
    writer.comments();
    match symbol.declaration {
        Declaration::Service(descriptor) | Declaration::Method(descriptor) => {
            if let Some(service) = loaded.services.service(service) {
                let all = method.is_empty();
                let asked = service.methods().filter(|found| all || found.name() == method);
                let index = |found: &Method| {
                    (0..).zip(&descriptor.method).find(|(_, method)| method.name() == found.name())
                };
                writer
                    .service(service, asked.map(|found| (index(found).map_or(0, |(index, _)| index), found)));
            }
        }
        Declaration::Message(message) => writer.message(message, symbol.file.descriptor().syntax()),
        Declaration::Enum(found) => writer.enumeration(found),
    }
}

fn value(symbol: &Symbol<'_>, loaded: &Loaded) -> serde_json::Value {
    let services = &loaded.services;
    let described = |kind: &str, descriptor: serde_json::Value| json!({"kind": kind, "name": symbol.full_name, "file": symbol.file.name(), "descriptor": descriptor});
    let service = symbol.full_name.split('/').next().unwrap_or_default();
    match symbol.declaration {
        Declaration::Service(_) => {
            described("service", loaded.services.service(service).map(json::service).unwrap_or_default())
        }
        Declaration::Method(_) => {
            let name = symbol.full_name.rsplit('/').next().unwrap_or_default();
            described("method", loaded.services.method(service, name).map(json::method).unwrap_or_default())
        }
        Declaration::Message(message) => {
            described("message", json::descriptor(services, "google.protobuf.DescriptorProto", message))
        }
        Declaration::Enum(found) => {
            described("enum", json::descriptor(services, "google.protobuf.EnumDescriptorProto", found))
        }
    }
}

/// Writes to stdout. That nobody reads any more is no error, as in `grpcws list … | head -1`.
pub(super) fn print(text: &str) -> Result<(), InspectError> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(InspectError::Output(error)),
        _ => Ok(()),
    }
}
