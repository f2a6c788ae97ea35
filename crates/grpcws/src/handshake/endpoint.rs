//! What all handlers of a program share.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body_util::Full;

use super::{Authorizer, Client, Refusal};
use crate::hooks::{RefusedHandshake, StreamHooks};
use crate::options::ConnectionOptions;
use crate::shutdown::Shutdown;

/// What all handlers of a program share: connection options, hooks, the authorization check, and the handle that ends
/// their streams.
#[derive(Clone, Default)]
pub(crate) struct Endpoint {
    pub(crate) options: Arc<ConnectionOptions>,
    pub(crate) hooks: Option<Arc<dyn StreamHooks>>,
    pub(crate) authorizer: Option<Arc<dyn Authorizer>>,
    pub(crate) shutdown: Shutdown,
}

impl Endpoint {
    /// Refuses a handshake by HTTP, or tells a probe that it would be refused. The hooks hear of handshakes alone.
    pub(crate) fn refuse(&self, refusal: &Refusal, client: &Client<'_>) -> Response<Full<Bytes>> {
        if let Some(probe) = client.probe {
            tracing::debug!(path = client.path, %refusal, "a probe was told that a handshake is refused");
            return probe.refused(refusal, client.version);
        }
        let response = refusal.response(client.version);
        self.report(refusal, client, response.status());
        response
    }

    /// Tells the log and the hooks that a handshake is refused with this HTTP status.
    pub(super) fn report(&self, refusal: &Refusal, client: &Client<'_>, http_status: StatusCode) {
        tracing::debug!(path = client.path, %refusal, "handshake refused");
        let Some(hooks) = &self.hooks else { return };
        let reason = refusal.to_string();
        let refused = RefusedHandshake {
            path: client.path,
            method: client.method.filter(|method| !method.is_empty()),
            peer: client.peer,
            http_status,
            status: refusal.status(),
            reason: &reason,
        };
        // The hook gets shared references only, and what it may have left half done is the program's own.
        if catch_unwind(AssertUnwindSafe(|| hooks.on_refused(&refused))).is_err() {
            tracing::error!(path = client.path, "a hook panicked at a refused handshake");
        }
    }
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("options", &self.options).finish_non_exhaustive()
    }
}
