//! The check of a handshake, and what it says of the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::metadata::RequestMetadata;
use grpcws_proto::session::Start;
use grpcws_proto::{MethodKind, Mode, Status};
use http::header::{AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::{HeaderMap, Response, Version};
use http_body_util::Full;

#[cfg(feature = "axum")]
use super::refusal::close_connection;
use super::request::{Upgrade, check};
use super::{Client, Endpoint, Refusal, Resolved, Unresolved};
use crate::codec::Codec;
use crate::context::CallContext;
use crate::forwarded::peer;
use crate::hooks::StreamInfo;
use crate::routes::BoundRequest;

/// A handshake that is well formed and comes from an origin that is allowed.
pub(crate) struct Handshake {
    pub(super) endpoint: Endpoint,
    pub(super) upgrade: Upgrade,
    pub(super) version: Version,
    pub(super) start: Start,
    /// When the call is ended.
    pub(super) deadline: Option<Instant>,
    pub(super) codec: Result<Arc<Codec>, Unresolved>,
    pub(super) info: StreamInfo,
    /// What path and query set in every request message.
    pub(crate) bound: Option<BoundRequest>,
    /// Whether the request comes with the handshake.
    pub(crate) complete: bool,
    /// The kind of the method, if it is known.
    pub(crate) kind: Option<MethodKind>,
}

/// A handshake, and the context of its call or the status that refuses it.
pub(crate) type Begun = (Handshake, Result<CallContext, Status>);

impl Endpoint {
    /// Checks a handshake: that it is one, its origin, its mode. Returns it with the context of its call, or with why
    /// there will be no call; or the answer to a handshake that is refused by HTTP in every mode.
    #[expect(clippy::result_large_err, reason = "an answer is returned by value everywhere")]
    pub(crate) fn open(&self, mut parts: Parts, resolved: Resolved) -> Result<Begun, Response<Full<Bytes>>> {
        let now = Instant::now();
        let checked = if self.shutdown.is_draining() {
            Err(Refusal::Draining)
        } else {
            check(&mut parts, &self.options)
        };
        let (upgrade, offer) = checked.map_err(|refusal| {
            let client = Client { method: Some(&resolved.method), ..Client::of(&parts) };
            self.refuse(&refusal, &client)
        })?;
        mark_sensitive(&mut parts.headers);
        let Resolved { method, kind, codec, bound, complete } = resolved;
        // A method that is not known may be of any kind, and bidi is the one that forbids nothing.
        let mut start = Start::new(upgrade.mode, kind.unwrap_or(MethodKind::Bidi));
        if complete {
            start = start.request_bound();
        }
        let info = StreamInfo {
            id: next_id(),
            path: parts.uri.path().to_owned(),
            method,
            mode: upgrade.mode,
            kind: start.kind,
            peer: peer(&parts),
            principal: None,
        };
        let (version, mut deadline) = (parts.version, None);
        let collected = RequestMetadata::collect(&parts.headers, &offer, &self.options.metadata);
        let call = collected.map(|collected| {
            start = start.clone().credit(collected.credit);
            deadline = collected.timeout.and_then(|timeout| now.checked_add(timeout));
            CallContext {
                method: Arc::clone(&info.method),
                kind,
                mode: info.mode,
                peer: info.peer,
                metadata: collected.metadata,
                request: parts,
                deadline,
                principal: None,
            }
        });
        let endpoint = self.clone();
        let handshake =
            Handshake { endpoint, upgrade, version, start, deadline, codec, info, bound, complete, kind };
        Ok((handshake, call))
    }
}

impl Handshake {
    /// The mode that was selected.
    pub(crate) fn mode(&self) -> Mode {
        self.start.mode
    }

    /// `package.Service/Method`, or the route of a typed handler.
    pub(crate) fn method(&self) -> &str {
        &self.info.method
    }

    /// Whether there is an authorization check.
    pub(crate) fn needs_authorization(&self) -> bool {
        self.endpoint.authorizer.is_some()
    }

    /// Checks that the call can be made in this mode, with what is known of its method.
    pub(crate) fn check_callable(&self) -> Result<(), Status> {
        match &self.codec {
            Err(unresolved) if !unresolved.permits(self.mode()) => Err(unresolved.status(&self.info.method)),
            _ => Ok(()),
        }
    }

    /// The answer of the program's own to a handshake that it refuses.
    #[cfg(feature = "axum")]
    pub(crate) fn reject<B>(&self, mut answer: Response<B>, status: Option<Status>) -> Response<B> {
        let refusal = status.map_or_else(|| Refusal::Rejected(answer.status()), Refusal::Status);
        self.endpoint.report(&refusal, &self.client(), answer.status());
        close_connection(&mut answer, self.version);
        answer
    }

    pub(super) fn client(&self) -> Client<'_> {
        Client {
            path: &self.info.path,
            method: Some(&self.info.method),
            peer: self.info.peer,
            version: self.version,
        }
    }
}

/// Keeps credentials out of what the program and its layers print of the request.
fn mark_sensitive(headers: &mut HeaderMap) {
    for (name, value) in headers {
        if [AUTHORIZATION, COOKIE, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL].contains(name) {
            value.set_sensitive(true);
        }
    }
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
