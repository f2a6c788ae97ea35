//! Services and types for programs.

use grpcws::MethodKind;
use grpcws::json::MarshalOptions;
use grpcws::services::{HttpRule, Method, Service, Services};
use prost::Message;
use serde_json::{Map, Value, json};

pub(super) fn service(service: &Service) -> Value {
    json!({
        "service": service.full_name(),
        "deprecated": service.is_deprecated(),
        "methods": service.methods().map(method).collect::<Vec<_>>(),
    })
}

pub(super) fn method(method: &Method) -> Value {
    let kind = method.kind();
    json!({
        "name": method.name(),
        "path": method.path(),
        "request": method.request().full_name(),
        "response": method.response().full_name(),
        "clientStreaming": kind.is_client_streaming(),
        "serverStreaming": matches!(kind, MethodKind::ServerStreaming | MethodKind::Bidi),
        "deprecated": method.is_deprecated(),
        "http": method.http_rules().iter().map(rule).collect::<Vec<_>>(),
    })
}

fn rule(rule: &HttpRule) -> Value {
    let mut members = Map::new();
    members.insert("verb".to_owned(), rule.verb().into());
    members.insert("path".to_owned(), rule.path().into());
    for (name, value) in [("body", rule.body()), ("responseBody", rule.response_body())] {
        if let Some(value) = value {
            members.insert(name.to_owned(), value.into());
        }
    }
    members.into()
}

/// A descriptor of this type in its own JSON form. The types of descriptors are among those that every table here has.
pub(super) fn descriptor(services: &Services, type_name: &str, descriptor: &impl Message) -> Value {
    let mut text = Vec::new();
    let printed = services
        .message(type_name)
        .map(|message| message.to_json(&descriptor.encode_to_vec(), &MarshalOptions::default(), &mut text));
    match printed {
        Some(Ok(())) => serde_json::from_slice(&text).unwrap_or_default(),
        _ => Value::Null,
    }
}

/// The text of a value, with a line break at its end.
pub(super) fn text(value: &Value) -> String {
    format!("{value:#}\n")
}
