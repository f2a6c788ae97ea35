//! `grpcws list`.

use grpcws::MethodKind;
use grpcws::services::{Method, Service};

use super::arguments::{Format, ListArguments};
use super::error::InspectError;
use super::load::load;
use super::nearest::Suggestions;
use super::{describe, json};
use crate::terminal::printable;

/// Prints the services, or the methods of one.
///
/// # Errors
///
/// The descriptors cannot be had, or there is no such service.
pub async fn list(arguments: ListArguments) -> Result<(), InspectError> {
    let loaded = load(&arguments.source, None).await?;
    // Why has been told.
    if loaded.services.iter().next().is_none() && !loaded.omitted.is_empty() && arguments.source.has_files() {
        return Err(InspectError::Incomplete);
    }
    let format = arguments.source.format;
    let text = match arguments.service {
        Some(name) => {
            let name = name.strip_prefix('.').unwrap_or(&name);
            let found = loaded.services.service(name).ok_or_else(|| InspectError::NoService {
                name: name.to_owned(),
                suggestions: Suggestions::of(name, loaded.services.iter().map(Service::full_name)),
            })?;
            methods(found, format)
        }
        None => {
            let mut found: Vec<_> = loaded.services.iter().collect();
            found.sort_by_key(|service| service.full_name());
            services(&found, format)
        }
    };
    describe::print(&text)
}

fn services(services: &[&Service], format: Format) -> String {
    match format {
        Format::Text => services.iter().map(|service| printable(service.full_name()) + "\n").collect(),
        Format::Json => json::text(&services.iter().map(|service| json::service(service)).collect()),
    }
}

/// In the form in which `grpcws call` takes them, with their kinds behind.
fn methods(service: &Service, format: Format) -> String {
    match format {
        Format::Text => {
            let name = |method: &Method| printable(&format!("{}/{}", method.service(), method.name()));
            let width =
                service.methods().map(|method| name(method).chars().count()).max().unwrap_or_default();
            let line = |method: &Method| format!("{:width$}  {}\n", name(method), kind(method.kind()));
            service.methods().map(line).collect()
        }
        Format::Json => json::text(&json::service(service)),
    }
}

fn kind(kind: MethodKind) -> &'static str {
    match kind {
        MethodKind::Unary => "unary",
        MethodKind::ServerStreaming => "server streaming",
        MethodKind::ClientStreaming => "client streaming",
        MethodKind::Bidi => "bidi streaming",
    }
}
