//! Which method a path means.

use grpcws_json::Message;
use grpcws_proto::{Code, MethodKind, Mode, Status};
use http::uri::PathAndQuery;

use crate::codec::Codec;
use crate::options::ConnectionOptions;
use crate::routes::BoundRequest;
use crate::services::{Descriptors, Method, Services};

/// The method that a handshake asks for, and what its path and query make of the request.
#[derive(Debug)]
pub(super) struct Target {
    /// `/package.Service/Method`
    pub(super) path: PathAndQuery,
    pub(super) method: Known,
    /// What the path and the query of a bound route set, or why they do not fit.
    pub(super) bound: Option<Result<Bound, Status>>,
}

/// A request that path and query have made, or begun.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) request: BoundRequest,
    /// Whether nothing of the request is left to come.
    pub(super) complete: bool,
    /// The type of what comes.
    payload: Message,
}

/// What is known of a method.
#[derive(Debug)]
pub(super) enum Known {
    Method(Services, Method),
    /// There are descriptors, and it is not in them.
    Absent,
    /// The descriptors are not there yet.
    Pending,
    /// There never will be any.
    Nothing,
}

impl Target {
    /// The method of a path without its prefix; `None` for a path that is no route. It is the path of a method,
    /// `/package.Service/Method`, or one that a template matches.
    pub(super) fn find(path: &str, query: Option<&str>, descriptors: Option<&Descriptors>) -> Option<Self> {
        let generic = generic(path);
        let known = match descriptors.map(Descriptors::current) {
            None => Known::Nothing,
            Some(None) => Known::Pending,
            Some(Some(services)) => {
                match generic.and_then(|(service, name)| services.method(service, name)).cloned() {
                    Some(method) => Known::Method(services, method),
                    None => match Self::by_template(&services, path, query) {
                        Some(target) => return Some(target),
                        None => Known::Absent,
                    },
                }
            }
        };
        if let (Known::Pending, Some(descriptors)) = (&known, descriptors) {
            descriptors.request();
        }
        // A template may match it when the descriptors are there.
        let waits = matches!(known, Known::Pending);
        let path = match generic {
            Some(_) => path.parse().ok()?,
            None if waits => PathAndQuery::from_static("/"),
            None => return None,
        };
        Some(Self { path, method: known, bound: None })
    }

    fn by_template(services: &Services, path: &str, query: Option<&str>) -> Option<Self> {
        let found = services.routes().find(path)?;
        let bound = found.bind(query).map(|request| Bound {
            request,
            complete: found.is_complete(),
            payload: found.payload().clone(),
        });
        let method = found.method().clone();
        let path = method.path().parse().ok()?;
        Some(Self { path, method: Known::Method(services.clone(), method), bound: Some(bound) })
    }

    /// The kind of the method, where it is known.
    pub(super) fn kind(&self) -> Option<MethodKind> {
        match &self.method {
            Known::Method(_, method) => Some(method.kind()),
            _ => None,
        }
    }

    /// What transcodes the messages, or why the call cannot be made in this mode. A mode that is not JSON needs
    /// nothing to be known of a method, and an upstream answers for itself what it does not have.
    pub(super) fn codec(&self, mode: Mode, options: &ConnectionOptions) -> Result<Option<Codec>, Status> {
        let method = self.path.path().trim_start_matches('/');
        match &self.method {
            Known::Method(services, method) => {
                let payload = match &self.bound {
                    Some(Ok(bound)) => &bound.payload,
                    Some(Err(status)) => return Err(status.clone()),
                    None => method.request(),
                };
                let codec = Codec::of(services.table(), payload, method.response());
                Ok(Some(codec.marshal(options.bounded_marshal()).unmarshal(options.unmarshal.clone())))
            }
            Known::Pending if mode.is_json() || method.is_empty() => {
                Err(Status::new(Code::Unavailable, "the descriptors of the upstream are not there yet"))
            }
            _ if !mode.is_json() => Ok(None),
            Known::Absent | Known::Pending => {
                Err(Status::new(Code::Unimplemented, format!("the descriptors have no method {method}")))
            }
            Known::Nothing => {
                let text = "there are no descriptors for JSON here: use grpcws.v1.proto";
                Err(Status::new(Code::Unimplemented, text))
            }
        }
    }
}

/// The service and the method that a path names by itself.
fn generic(path: &str) -> Option<(&str, &str)> {
    let (service, name) = path.strip_prefix('/')?.split_once('/')?;
    (is_service(service) && is_identifier(name)).then_some((service, name))
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
        let path = |path: &str| Target::find(path, None, None).map(|target| target.path.to_string());
        assert_eq!(path("/a.b.C/D").as_deref(), Some("/a.b.C/D"));
        assert_eq!(path("/Plain/D_1").as_deref(), Some("/Plain/D_1"));
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
