//! Makes [`ServicesData`] from a descriptor set.

use std::collections::HashMap;

use grpcws_json::{Message, Table};
use grpcws_proto::MethodKind;
use prost::Message as _;

use super::descriptor::{FileDescriptorSet, MethodDescriptor, ServiceDescriptor};
use super::error::ServicesError;
use super::method::Method;
use super::rule::rules;
use super::service::{Service, ServicesData};

pub(super) fn build(bytes: &[u8]) -> Result<ServicesData, ServicesError> {
    let set = FileDescriptorSet::decode(bytes)?;
    let table = Table::from_file_descriptor_set(bytes)?;
    let mut services = Vec::new();
    let mut by_name = HashMap::new();
    for file in &set.file {
        for descriptor in &file.service {
            let service = service(descriptor, &file.package, &table)?;
            insert(&mut by_name, service.full_name(), services.len(), "")?;
            services.push(service);
        }
    }
    Ok(ServicesData { tables: vec![table], services, by_name })
}

fn service(descriptor: &ServiceDescriptor, package: &str, table: &Table) -> Result<Service, ServicesError> {
    let full_name = match package {
        "" => descriptor.name.clone(),
        package => format!("{package}.{}", descriptor.name),
    };
    let mut methods = Vec::with_capacity(descriptor.method.len());
    let mut by_name = HashMap::with_capacity(descriptor.method.len());
    for found in &descriptor.method {
        insert(&mut by_name, &found.name, methods.len(), &full_name)?;
        methods.push(method(found, &full_name, table)?);
    }
    let deprecated = descriptor.options.as_ref().is_some_and(|options| options.deprecated);
    Ok(Service { full_name: full_name.into(), deprecated, methods, by_name })
}

fn method(descriptor: &MethodDescriptor, service: &str, table: &Table) -> Result<Method, ServicesError> {
    let message = |type_name: &str| {
        find(table, service, type_name).ok_or_else(|| ServicesError::UnresolvedType {
            method: format!("{service}.{}", descriptor.name),
            type_name: type_name.strip_prefix('.').unwrap_or(type_name).to_owned(),
        })
    };
    let options = descriptor.options.as_ref();
    Ok(Method {
        path: format!("/{service}/{}", descriptor.name).into(),
        name_at: service.len() + 2,
        kind: MethodKind::from_streaming(descriptor.client_streaming, descriptor.server_streaming),
        request: message(&descriptor.input_type)?,
        response: message(&descriptor.output_type)?,
        deprecated: options.is_some_and(|options| options.deprecated),
        http_rules: options.and_then(|options| options.http.as_ref()).map(rules).unwrap_or_default().into(),
    })
}

/// The message that a name stands for: one without a leading dot is looked for in the scope and in those around it.
fn find(table: &Table, scope: &str, type_name: &str) -> Option<Message> {
    if let Some(full_name) = type_name.strip_prefix('.') {
        return table.message(full_name);
    }
    let scopes = std::iter::successors(Some(scope), |scope| Some(scope.rsplit_once('.')?.0));
    let mut names = scopes.map(|scope| format!("{scope}.{type_name}"));
    names.find_map(|name| table.message(&name)).or_else(|| table.message(type_name))
}

fn insert(
    names: &mut HashMap<Box<str>, usize>,
    name: &str,
    index: usize,
    scope: &str,
) -> Result<(), ServicesError> {
    match names.insert(name.into(), index) {
        None => Ok(()),
        Some(_) if scope.is_empty() => Err(ServicesError::DuplicateName { name: name.to_owned() }),
        Some(_) => Err(ServicesError::DuplicateName { name: format!("{scope}.{name}") }),
    }
}
