//! Which method a path means.

use grpcws_json::UnmarshalOptions;
use grpcws_proto::{Code, MethodKind, Mode, Status};
use http::uri::PathAndQuery;

use crate::codec::Codec;
use crate::options::ConnectionOptions;
use crate::services::{Descriptors, Method, Services};

/// The method that a handshake asks for.
#[derive(Debug)]
pub(super) struct Target {
    /// `/package.Service/Method`
    pub(super) path: PathAndQuery,
    pub(super) method: Known,
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
    /// The method of a path without its prefix, `/package.Service/Method`; `None` for a path that is no route.
    pub(super) fn find(path: &str, descriptors: Option<&Descriptors>) -> Option<Self> {
        let (service, name) = path.strip_prefix('/')?.split_once('/')?;
        if !is_service(service) || !is_identifier(name) {
            return None;
        }
        let method = match descriptors.map(Descriptors::current) {
            None => Known::Nothing,
            Some(None) => Known::Pending,
            Some(Some(services)) => match services.method(service, name).cloned() {
                Some(method) => Known::Method(services, method),
                None => Known::Absent,
            },
        };
        Some(Self { path: path.parse().ok()?, method })
    }

    /// The kind of the method, where it is known.
    pub(super) fn kind(&self) -> Option<MethodKind> {
        match &self.method {
            Known::Method(_, method) => Some(method.kind()),
            _ => None,
        }
    }

    /// What transcodes the messages, or why a JSON mode cannot be served. A mode that is not JSON needs nothing
    /// to be known, and an upstream answers for itself what it does not have.
    pub(super) fn codec(&self, mode: Mode, options: &ConnectionOptions) -> Result<Option<Codec>, Status> {
        let method = self.path.path().trim_start_matches('/');
        match &self.method {
            Known::Method(services, method) => {
                let unmarshal: UnmarshalOptions = options.unmarshal.clone();
                let codec = Codec::of(services.table(), method.request(), method.response());
                Ok(Some(codec.marshal(options.marshal.clone()).unmarshal(unmarshal)))
            }
            _ if !mode.is_json() => Ok(None),
            Known::Absent => {
                Err(Status::new(Code::Unimplemented, format!("the descriptors have no method {method}")))
            }
            Known::Pending => {
                Err(Status::new(Code::Unavailable, "the descriptors of the upstream are not there yet"))
            }
            Known::Nothing => {
                let text = "there are no descriptors for JSON here: use grpcws.v1.proto";
                Err(Status::new(Code::Unimplemented, text))
            }
        }
    }
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
        let path = |path: &str| Target::find(path, None).map(|target| target.path.to_string());
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
