//! `grpcws list`.

use grpcws::services::Service;

use super::arguments::{Format, ListArguments};
use super::error::InspectError;
use super::load::load;
use super::nearest::Suggestions;
use super::{describe, json};

/// Prints the services, or the methods of one.
///
/// # Errors
///
/// The descriptors cannot be had, or there is no such service.
pub async fn list(arguments: ListArguments) -> Result<(), InspectError> {
    let loaded = load(&arguments.source, None).await?;
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
        Format::Text => services.iter().map(|service| format!("{}\n", service.full_name())).collect(),
        Format::Json => json::text(&services.iter().map(|service| json::service(service)).collect()),
    }
}

/// In the form in which `grpcws call` takes them.
fn methods(service: &Service, format: Format) -> String {
    match format {
        Format::Text => {
            service.methods().map(|method| format!("{}/{}\n", method.service(), method.name())).collect()
        }
        Format::Json => json::text(&json::service(service)),
    }
}
