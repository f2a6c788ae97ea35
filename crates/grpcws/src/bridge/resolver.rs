//! Which method a path means, by the descriptors.

use std::borrow::Cow;
use std::sync::Arc;

use grpcws_proto::Status;

use super::GenericRoute;
use crate::codec::{Codec, TypeSource};
use crate::handshake::{OnMessage, Resolved, Unresolved};
use crate::options::ConnectionOptions;
use crate::routes::{RouteMatch, Unexpected, decode};
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
        let generic = generic.as_ref().map(Generic::parts);
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
            Some(method) => {
                let codec = Codec::of(method.request(), method.response());
                Some(resolved(method, codec, options, descriptors))
            }
            None => by_template(&services, path, query, options, descriptors).or_else(|| {
                let to_come = match generic {
                    // A name without a package, like the `v1` of `/v1/books`, may be a part of a template.
                    Some(generic) if generic.service.contains('.') => services.may_come(generic.service),
                    // A template of a service that is to come may match.
                    _ => !services.is_complete(),
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
    let found = match services.routes().choose(path, query)? {
        Ok(found) => found,
        // A service that is to come may have the HTTP method.
        Err(_) if !services.is_complete() => return None,
        Err(status) => return Some(unresolved("", Unresolved::Unbindable(status))),
    };
    let method = found.method();
    Some(match bind(&found, query, options, descriptors) {
        Ok(resolved) => resolved,
        Err(status) => {
            Resolved { kind: Some(method.kind()), ..unresolved(name(method), Unresolved::Unbindable(status)) }
        }
    })
}

fn bind(
    found: &RouteMatch<'_>,
    query: Option<&str>,
    options: &ConnectionOptions,
    descriptors: &Descriptors,
) -> Result<Resolved, Status> {
    let (bound, unknown_parameter) = found.bind_known(query)?;
    let (codec, unexpected) = match found.unexpected() {
        None => (found.codec(), None),
        Some(Unexpected::Refused(status)) => {
            (found.codec().without_request(), Some(OnMessage::Refused(status)))
        }
        Some(Unexpected::Taken(other)) => match other.bind_known(query) {
            // What the answer is does not depend on what was sent.
            Ok((bound, _)) => {
                let codec = other.codec().response_field(found.response_body().cloned());
                (codec, Some(OnMessage::Taken(bound)))
            }
            Err(status) => (found.codec().without_request(), Some(OnMessage::Refused(status))),
        },
    };
    Ok(Resolved {
        bound: Some(bound),
        complete: found.is_complete(),
        unexpected,
        unknown_parameter,
        ..resolved(found.method(), codec, options, descriptors)
    })
}

/// What is known of a method whose request messages come in frames.
fn resolved(
    method: &Method,
    codec: Codec,
    options: &ConnectionOptions,
    descriptors: &Descriptors,
) -> Resolved {
    let name: Arc<str> = name(method).into();
    let types = TypeSource { descriptors: descriptors.clone(), method: Arc::clone(&name) };
    let codec =
        codec.marshal(options.bounded_marshal()).unmarshal(options.unmarshal.clone()).types(Some(types));
    Resolved {
        method: name,
        kind: Some(method.kind()),
        codec: Ok(Arc::new(codec)),
        bound: None,
        complete: false,
        unexpected: None,
        unknown_parameter: None,
    }
}

fn unresolved(method: &str, reason: Unresolved) -> Resolved {
    Resolved {
        method: method.into(),
        kind: None,
        codec: Err(reason),
        bound: None,
        complete: false,
        unexpected: None,
        unknown_parameter: None,
    }
}

/// `package.Service/Method`
fn name(method: &Method) -> &str {
    method.path().trim_start_matches('/')
}

/// The method that a path names by itself.
#[derive(Debug, Clone, Copy)]
struct GenericParts<'a> {
    /// `package.Service/Method`
    method: &'a str,
    service: &'a str,
    name: &'a str,
}

/// `package.Service/Method`, without escapes, and where the slash is.
struct Generic<'a> {
    method: Cow<'a, str>,
    slash: usize,
}

impl Generic<'_> {
    fn parts(&self) -> GenericParts<'_> {
        let (service, name) = self.method.split_at_checked(self.slash).unwrap_or_default();
        GenericParts { method: &self.method, service, name: name.trim_start_matches('/') }
    }
}

/// The names of a path. Escapes in them are decoded, as URLs with and without are the same (RFC 3986 §6.2.2.2); what is
/// decoded is part of a name or no route at all.
fn generic(path: &str) -> Option<Generic<'_>> {
    let raw = path.strip_prefix('/')?;
    let (service, name) = raw.split_once('/')?;
    let (service, name) = (decode::segment(service).ok()?, decode::segment(name).ok()?);
    if !is_service(&service) || !is_identifier(&name) {
        return None;
    }
    let slash = service.len();
    let method = if raw.contains('%') { Cow::Owned(format!("{service}/{name}")) } else { Cow::Borrowed(raw) };
    Some(Generic { method, slash })
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
        assert_eq!(path("/a%2Eb.%43/%44").as_deref(), Some("a.b.C/D"));
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
            "/a.B%2fC",
            "/a.B/C%00",
            "/a.B/%zz",
            "/a.B/C%3Bx",
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
