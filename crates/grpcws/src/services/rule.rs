//! What `google.api.http` says of a method.

use super::descriptor;

/// One binding of a method to an HTTP verb and a path: an annotation `google.api.http`, or one of its
/// `additional_bindings`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpRule {
    verb: Box<str>,
    path: Box<str>,
    body: Box<str>,
    response_body: Box<str>,
}

impl HttpRule {
    /// The HTTP method: `GET`, `PUT`, `POST`, `DELETE`, `PATCH`, or the kind of a custom pattern.
    #[must_use]
    pub fn verb(&self) -> &str {
        &self.verb
    }

    /// The path template: `/v1/{name=shelves/*}:archive`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The field that the body of a request is, `*` where it is the whole message, or `None` where a request has no
    /// body.
    #[must_use]
    pub fn body(&self) -> Option<&str> {
        Some(&*self.body).filter(|body| !body.is_empty())
    }

    /// The field that the body of a response is, or `None` where it is the whole message.
    #[must_use]
    pub fn response_body(&self) -> Option<&str> {
        Some(&*self.response_body).filter(|body| !body.is_empty())
    }
}

/// The rule and its additional bindings, in this order. A binding without a pattern binds nothing and is left out.
/// Bindings of additional bindings are too: `google/api/http.proto` rules them out.
pub(super) fn rules(rule: &descriptor::HttpRule) -> Vec<HttpRule> {
    std::iter::once(rule).chain(&rule.additional_bindings).filter_map(one).collect()
}

fn one(rule: &descriptor::HttpRule) -> Option<HttpRule> {
    use descriptor::Pattern;

    let (verb, path) = match rule.pattern.as_ref()? {
        Pattern::Get(path) => ("GET", path),
        Pattern::Put(path) => ("PUT", path),
        Pattern::Post(path) => ("POST", path),
        Pattern::Delete(path) => ("DELETE", path),
        Pattern::Patch(path) => ("PATCH", path),
        Pattern::Custom(custom) => (custom.kind.as_str(), &custom.path),
    };
    Some(HttpRule {
        verb: verb.into(),
        path: path.as_str().into(),
        body: rule.body.as_str().into(),
        response_body: rule.response_body.as_str().into(),
    })
}
