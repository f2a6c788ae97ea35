//! What all routes of a program share, and the way from a request to a stream.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::session::Start;
use grpcws_proto::{MethodKind, Status};
use http::request::Parts;
use http::{HeaderMap, Response};
use http_body_util::Full;

use crate::call::Call;
use crate::codec::Codec;
use crate::hooks::StreamHooks;
use crate::options::ConnectionOptions;
use crate::shutdown::Shutdown;
use crate::upgrade::{Accepted, Handshake, Refusal, accept};

/// What all routes of a program share: connection options, hooks, and the handle that ends their streams.
#[derive(Clone, Default)]
pub(crate) struct Route {
    pub(crate) options: Arc<ConnectionOptions>,
    pub(crate) hooks: Option<Arc<dyn StreamHooks>>,
    pub(crate) shutdown: Shutdown,
}

/// A handshake that was checked, and what it says of the call.
pub(crate) struct Opened {
    pub(crate) opening: Opening,
    pub(crate) metadata: Result<HeaderMap, Status>,
}

/// A handshake that was checked, with what its stream begins with.
pub(crate) struct Opening {
    pub(crate) handshake: Handshake,
    pub(crate) start: Start,
    /// When the call is ended.
    pub(crate) deadline: Option<Instant>,
}

impl Route {
    /// Checks a handshake that opens a stream of a method of this kind.
    pub(crate) fn open(&self, parts: &mut Parts, kind: MethodKind) -> Result<Opened, Refusal> {
        let now = Instant::now();
        if self.shutdown.is_draining() {
            return Err(Refusal::Draining);
        }
        let handshake = Handshake::check(parts, &self.options)?;
        let metadata = handshake.metadata(&parts.headers, &self.options.metadata);
        let mut start = Start::new(handshake.mode, kind);
        let mut deadline = None;
        let metadata = metadata.map(|request| {
            start = start.clone().credit(request.credit);
            deadline = request.timeout.and_then(|timeout| now.checked_add(timeout));
            request.metadata
        });
        Ok(Opened { opening: Opening { handshake, start, deadline }, metadata })
    }

    /// Answers a handshake with an upgrade; a call that failed is told by the protocol, or by HTTP in seed
    /// mode. `codec` is `None` where the messages are not transcoded.
    pub(crate) fn accept<C>(
        &self,
        parts: &Parts,
        opening: Opening,
        codec: Option<Arc<Codec>>,
        call: Result<C, Status>,
    ) -> Response<Full<Bytes>>
    where
        C: Call + Unpin + 'static,
    {
        let Opening { handshake, start, deadline } = opening;
        match call {
            Err(status) if !handshake.mode.is_v1() => Refusal::Status(status).into_response(parts.version),
            call => {
                let Some(registration) = self.shutdown.register_below(self.options.max_streams) else {
                    return refuse(Refusal::Streams, parts);
                };
                accept(Accepted {
                    handshake,
                    start,
                    deadline,
                    call,
                    codec,
                    options: Arc::clone(&self.options),
                    hooks: self.hooks.clone(),
                    registration,
                    path: parts.uri.path().to_owned(),
                })
            }
        }
    }
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Route").field("options", &self.options).finish_non_exhaustive()
    }
}

/// The HTTP answer to a refused handshake.
pub(crate) fn refuse(refusal: Refusal, parts: &Parts) -> Response<Full<Bytes>> {
    tracing::debug!(path = parts.uri.path(), %refusal, "handshake refused");
    refusal.into_response(parts.version)
}
