//! What is known of the method that a handshake asks for.

use std::sync::Arc;

use grpcws_proto::{Code, MethodKind, Mode, Status};

use crate::codec::Codec;
use crate::routes::BoundRequest;

/// What is known of the method that a handshake asks for, before anything else of the request is looked at.
#[derive(Debug)]
pub(crate) struct Resolved {
    /// `package.Service/Method`, or the route of a typed handler. Empty if it is not known yet.
    pub(crate) method: Arc<str>,
    /// `None` if the descriptors do not have the method.
    pub(crate) kind: Option<MethodKind>,
    /// What transcodes the messages, or why there is nothing that could.
    pub(crate) codec: Result<Arc<Codec>, Unresolved>,
    /// What path and query set in every request message.
    pub(crate) bound: Option<BoundRequest>,
    /// Whether the request comes with the handshake, so that no request message follows.
    pub(crate) complete: bool,
    /// What a request message that comes all the same does; the call waits a moment for one. `None` if there can be none.
    pub(crate) unexpected: Option<OnMessage>,
    /// Why the query is refused in the modes that are strict with the names of parameters.
    pub(crate) unknown_parameter: Option<Status>,
}

/// What a request message does if the request is complete without one.
#[derive(Debug)]
pub(crate) enum OnMessage {
    /// It is the request, with these fields.
    Taken(BoundRequest),
    /// The call ends, since the client may have meant another method.
    Refused(Status),
}

/// Why the messages of a method cannot be transcoded, or the method cannot be called at all.
#[derive(Debug)]
pub(crate) enum Unresolved {
    /// The descriptors have not been loaded yet. `callable` says whether the path names a method by itself.
    Pending { callable: bool },
    /// The descriptors do not have the method. `callable` says whether it may be called nevertheless.
    Absent { callable: bool },
    /// There are no descriptors, and there never will be.
    NoDescriptors,
    /// The generic route of the method is closed.
    Closed,
    /// The path or the query does not fit the route.
    Unbindable(Status),
}

impl Unresolved {
    /// Returns whether the method can be called in this mode all the same. A mode without JSON needs no descriptors:
    /// the upstream answers calls of a method that it does not have.
    pub(super) fn permits(&self, mode: Mode) -> bool {
        match self {
            Self::Pending { callable } | Self::Absent { callable } => *callable && !mode.is_json(),
            Self::NoDescriptors => !mode.is_json(),
            Self::Closed | Self::Unbindable(_) => false,
        }
    }

    /// The status of a call that is refused for this.
    pub(super) fn status(&self, method: &str) -> Status {
        match self {
            Self::Pending { .. } => {
                Status::new(Code::Unavailable, "the descriptors of the upstream are not there yet")
            }
            Self::Absent { .. } => {
                Status::new(Code::Unimplemented, format!("the descriptors have no method {method}"))
            }
            Self::NoDescriptors => {
                let text = "there are no descriptors for JSON here: use grpcws.v1.proto";
                Status::new(Code::Unimplemented, text)
            }
            Self::Closed => {
                let text =
                    format!("the generic route of {method} is closed: open a route that is bound to it");
                Status::new(Code::Unimplemented, text)
            }
            Self::Unbindable(status) => status.clone(),
        }
    }
}
