//! Which method a path means, by the descriptors.

use std::sync::Arc;

use grpcws_json::Message;

use super::GenericRoute;
use crate::codec::{Codec, TypeSource};
use crate::handshake::{Resolved, Unresolved};
use crate::options::ConnectionOptions;
use crate::services::{Descriptors, Method, Services};

/// Finds the methods of paths.
#[derive(Debug, Clone, Default)]
pub(super) struct Resolver {
    pub(super) prefix: String,
    pub(super) descriptors: Option<Descriptors>,
    pub(super) generic_route: GenericRoute,
}

impl Resolver {
    /// What is known of the method that a path means; `None` for a path that is no route. It is the path of a method,
    /// `/package.Service/Method`, or one that a template matches.
    pub(super) fn resolve(
        &self,
        path: &str,
        query: Option<&str>,
        options: &ConnectionOptions,
    ) -> Option<Resolved> {
        let path = path.strip_prefix(self.prefix.as_str())?;
        let generic = generic(path);
        let callable = self.generic_route == GenericRoute::Open;
        let Some(descriptors) = &self.descriptors else {
            let closed = self.generic_route == GenericRoute::Off;
            let reason = if closed { Unresolved::Closed } else { Unresolved::NoDescriptors };
            return generic.map(|generic| unresolved(generic.method, reason));
        };
        let Some(services) = descriptors.current() else {
            descriptors.request();
            // A template may match the path when the descriptors are there, or they may close the generic route.
            let reason = Unresolved::Pending { callable: callable && generic.is_some() };
            return Some(unresolved(generic.map_or("", |generic| generic.method), reason));
        };
        let method = generic.and_then(|generic| services.method(generic.service, generic.name));
        match method.filter(|method| self.generic_route.is_open(method, &services)) {
            Some(method) => Some(resolved(method, method.request(), options, descriptors)),
            None => by_template(&services, path, query, options, descriptors).or_else(|| {
                let to_come = match generic {
                    Some(generic) => services.may_come(generic.service),
                    // A template of a service that is to come may match.
                    None => !services.is_complete(),
                };
                if to_come && method.is_none() {
                    descriptors.request();
                    let reason = Unresolved::Pending { callable: callable && generic.is_some() };
                    return Some(unresolved(generic.map_or("", |generic| generic.method), reason));
                }
                if generic.is_some() && method.is_none() {
                    // The upstream may have it by now.
                    descriptors.request();
                }
                let closed = method.is_some() || self.generic_route == GenericRoute::Off;
                let reason = if closed { Unresolved::Closed } else { Unresolved::Absent { callable } };
                generic.map(|generic| unresolved(generic.method, reason))
            }),
        }
    }
}

fn by_template(
    services: &Services,
    path: &str,
    query: Option<&str>,
    options: &ConnectionOptions,
    descriptors: &Descriptors,
) -> Option<Resolved> {
    let found = services.routes().find(path)?;
    let method = found.method();
    Some(match found.bind(query) {
        Ok(bound) => {
            let resolved = resolved(method, found.payload(), options, descriptors);
            Resolved { bound: Some(bound), complete: found.is_complete(), ..resolved }
        }
        Err(status) => {
            Resolved { kind: Some(method.kind()), ..unresolved(name(method), Unresolved::Unbindable(status)) }
        }
    })
}

/// What is known of a method whose request messages come in frames.
fn resolved(
    method: &Method,
    payload: &Message,
    options: &ConnectionOptions,
    descriptors: &Descriptors,
) -> Resolved {
    let name: Arc<str> = name(method).into();
    let types = TypeSource { descriptors: descriptors.clone(), method: Arc::clone(&name) };
    let codec = codec(method, payload, options).types(Some(types));
    Resolved {
        method: name,
        kind: Some(method.kind()),
        codec: Ok(Arc::new(codec)),
        bound: None,
        complete: false,
    }
}

fn unresolved(method: &str, reason: Unresolved) -> Resolved {
    Resolved { method: method.into(), kind: None, codec: Err(reason), bound: None, complete: false }
}

/// What transcodes messages of this type, and the method's responses.
fn codec(method: &Method, payload: &Message, options: &ConnectionOptions) -> Codec {
    Codec::of(payload, method.response())
        .marshal(options.bounded_marshal())
        .unmarshal(options.unmarshal.clone())
}

/// `package.Service/Method`
fn name(method: &Method) -> &str {
    method.path().trim_start_matches('/')
}

/// The method that a path names by itself.
#[derive(Debug, Clone, Copy)]
struct Generic<'a> {
    /// `package.Service/Method`
    method: &'a str,
    service: &'a str,
    name: &'a str,
}

fn generic(path: &str) -> Option<Generic<'_>> {
    let method = path.strip_prefix('/')?;
    let (service, name) = method.split_once('/')?;
    (is_service(service) && is_identifier(name)).then_some(Generic { method, service, name })
}

/// Whether a text is a full name: identifiers with dots between them. Nothing else reaches an upstream's path.
fn is_service(name: &str) -> bool {
    name.split('.').all(is_identifier)
}

fn is_identifier(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_methods_are_paths() {
        let resolver = Resolver::default();
        let path = |path: &str| {
            resolver.resolve(path, None, &ConnectionOptions::default()).map(|resolved| resolved.method)
        };
        assert_eq!(path("/a.b.C/D").as_deref(), Some("a.b.C/D"));
        assert_eq!(path("/Plain/D_1").as_deref(), Some("Plain/D_1"));
        for other in [
            "",
            "/",
            "/a",
            "a.B/C",
            "/a.B/",
            "//C",
            "/a.B/C/",
            "/a.B/C/D",
            "/a..B/C",
            "/.B/C",
            "/a.B%2fC/D",
            "/a.B/%43",
            "/a.B;x/C",
            "/a.B/C;x",
            "/../C",
            "/a.B/..",
            "/1a/C",
            "/a.B/C\0",
            "/a.B/Ç",
            "/a b/C",
        ] {
            assert_eq!(path(other), None, "{other:?}");
        }
    }
}
