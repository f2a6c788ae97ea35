//! The check of a handshake, and what it says of the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::handshake::OriginError;
use grpcws_proto::metadata::RequestMetadata;
use grpcws_proto::session::Start;
use grpcws_proto::{MethodKind, Mode, Status};
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, PROXY_AUTHORIZATION, SEC_WEBSOCKET_PROTOCOL};
use http::request::Parts;
use http::{HeaderMap, Response, Version};
use http_body_util::Full;

use super::probe::{Probe, is_foreign, preflight};
#[cfg(feature = "axum")]
use super::refusal::close_connection;
use super::request::{Upgrade, check, check_headers};
use super::{Client, Endpoint, OnMessage, Refusal, Resolved, Unresolved};
use crate::codec::Codec;
use crate::context::CallContext;
use crate::forwarded::peer;
use crate::hooks::StreamInfo;
use crate::routes::BoundRequest;

/// A handshake that is well formed and comes from an origin that is allowed, or a probe of one.
pub(crate) struct Handshake {
    pub(super) endpoint: Endpoint,
    /// What answers with an upgrade; `None` for a probe.
    pub(super) upgrade: Option<Upgrade>,
    pub(super) probe: Option<Probe>,
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
    /// What a request message does that comes all the same.
    pub(crate) unexpected: Option<OnMessage>,
    /// Why the query is refused in the modes that are strict with the names of parameters.
    unknown_parameter: Option<Status>,
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
        if let Some(answer) = preflight(&parts, &self.options) {
            return Err(answer);
        }
        let probe = Probe::of(&mut parts, &self.options);
        let checked = if self.shutdown.is_draining() {
            Err(Refusal::Draining)
        } else if probe.is_none() {
            check(&mut parts, &self.options).map(|(upgrade, mode, offer)| (Some(upgrade), mode, offer))
        } else if is_foreign(&parts.headers) {
            Err(Refusal::Origin(OriginError::NotAllowed))
        } else if !parts.headers.contains_key(ORIGIN) && !self.options.accepts_host(&parts) {
            // A page of the same origin sends no `Origin` with a GET, and can read the answer.
            Err(Refusal::Origin(OriginError::Host))
        } else {
            check_headers(&parts, &self.options).map(|(mode, offer)| (None, mode, offer))
        };
        let (upgrade, mode, offer) = checked.map_err(|refusal| {
            let method = Some(&*resolved.method);
            let client = Client { method, probe: probe.as_ref(), ..Client::of(&parts) };
            self.refuse(&refusal, &client)
        })?;
        mark_sensitive(&mut parts.headers);
        let Resolved { method, kind, codec, bound, complete, unexpected, unknown_parameter } = resolved;
        // A method that is not known may be of any kind, and bidi is the one that forbids nothing.
        let mut start = Start::new(mode, kind.unwrap_or(MethodKind::Bidi));
        if complete {
            start = if unexpected.is_some() { start.request_optional() } else { start.request_bound() };
        }
        let info = StreamInfo {
            id: next_id(),
            path: parts.uri.path().to_owned(),
            method,
            mode,
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
        let handshake = Handshake {
            endpoint,
            upgrade,
            probe,
            version,
            start,
            deadline,
            codec,
            info,
            bound,
            complete,
            unexpected,
            unknown_parameter,
            kind,
        };
        Ok((handshake, call))
    }

    /// Answers a request whose path is no route.
    pub(crate) fn no_route(&self, mut parts: Parts) -> Response<Full<Bytes>> {
        if let Some(answer) = preflight(&parts, &self.options) {
            return answer;
        }
        let probe = Probe::of(&mut parts, &self.options);
        self.refuse(&Refusal::NoRoute, &Client { probe: probe.as_ref(), ..Client::of(&parts) })
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

    /// Whether it only asks what a handshake would get.
    #[cfg(feature = "axum")]
    pub(crate) fn is_probe(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether there is an authorization check.
    pub(crate) fn needs_authorization(&self) -> bool {
        self.endpoint.authorizer.is_some()
    }

    /// Checks that the call can be made in this mode, with what is known of its method.
    pub(crate) fn check_callable(&self) -> Result<(), Status> {
        match &self.codec {
            Err(unresolved) if !unresolved.permits(self.mode()) => Err(unresolved.status(&self.info.method)),
            _ => self.check_parameters(),
        }
    }

    fn check_parameters(&self) -> Result<(), Status> {
        match &self.unknown_parameter {
            Some(status) if self.endpoint.options.unknown_parameters.refused_in(self.mode()) => {
                Err(status.clone())
            }
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
            probe: self.probe.as_ref(),
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
