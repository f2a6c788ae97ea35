//! One method of a service.

use grpcws_json::Message;
use grpcws_proto::MethodKind;

use super::rule::HttpRule;

/// A gRPC method, as its descriptor describes it.
#[derive(Debug, Clone)]
pub struct Method {
    /// `/package.Service/Method`.
    pub(super) path: Box<str>,
    /// Where the name begins in `path`.
    pub(super) name_at: usize,
    pub(super) kind: MethodKind,
    pub(super) request: Message,
    pub(super) response: Message,
    pub(super) deprecated: bool,
    pub(super) http_rules: Box<[HttpRule]>,
}

impl Method {
    /// The name within the service: `Subscribe`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.path.get(self.name_at..).unwrap_or_default()
    }

    /// The full name of the service: `game.v1.GameService`.
    #[must_use]
    pub fn service(&self) -> &str {
        self.path.get(1..self.name_at.saturating_sub(1)).unwrap_or_default()
    }

    /// The full name: `game.v1.GameService.Subscribe`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}.{}", self.service(), self.name())
    }

    /// The path of the method's gRPC requests: `/game.v1.GameService/Subscribe`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Which sides send any number of messages.
    #[must_use]
    pub fn kind(&self) -> MethodKind {
        self.kind
    }

    /// The type of the request messages.
    #[must_use]
    pub fn request(&self) -> &Message {
        &self.request
    }

    /// The type of the response messages.
    #[must_use]
    pub fn response(&self) -> &Message {
        &self.response
    }

    /// Whether the option `deprecated` is set.
    #[must_use]
    pub fn is_deprecated(&self) -> bool {
        self.deprecated
    }

    /// The HTTP bindings by `google.api.http`, the additional ones behind the first.
    #[must_use]
    pub fn http_rules(&self) -> &[HttpRule] {
        &self.http_rules
    }
}
