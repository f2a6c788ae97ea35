//! What all handlers of a program share, and the way from a request to a stream.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use axum::response::Response;
use grpcws_json::Table;
use grpcws_proto::close::Cause;
use grpcws_proto::session::Start;
use grpcws_proto::{MethodKind, Status};
use http::request::Parts;

use super::ProtoMessage;
use crate::call::Call;
use crate::codec::{Codec, UnknownMessage};
use crate::context::CallContext;
use crate::hooks::StreamHooks;
use crate::options::ConnectionOptions;
use crate::shutdown::Shutdown;
use crate::upgrade::{Accepted, Handshake, Refusal, accept};

/// What the handlers of a program share: the descriptors of their messages, connection options, hooks, and
/// the handle that shuts them down.
#[derive(Clone)]
pub struct GrpcWs {
    table: Table,
    options: Arc<ConnectionOptions>,
    hooks: Option<Arc<dyn StreamHooks>>,
    shutdown: Shutdown,
}

impl GrpcWs {
    /// Handlers with default options, for messages of this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table, options: Arc::default(), hooks: None, shutdown: Shutdown::default() }
    }

    /// The same with connection options. Handlers that are made already keep theirs.
    #[must_use]
    pub fn options(mut self, options: ConnectionOptions) -> Self {
        self.options = Arc::new(options);
        self
    }

    /// The same with hooks.
    #[must_use]
    pub fn hooks(mut self, hooks: impl StreamHooks) -> Self {
        self.hooks = Some(Arc::new(hooks));
        self
    }

    /// The same with the handle that ends its streams.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    pub(super) fn route<Req: ProtoMessage, Resp: ProtoMessage>(
        &self,
        kind: MethodKind,
    ) -> Result<Route, UnknownMessage> {
        let codec = Codec::new(&self.table, &Req::full_name(), &Resp::full_name())?
            .marshal(self.options.marshal.clone())
            .unmarshal(self.options.unmarshal.clone());
        Ok(Route { ws: self.clone(), kind, codec: Arc::new(codec) })
    }
}

impl std::fmt::Debug for GrpcWs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcWs").field("options", &self.options).finish_non_exhaustive()
    }
}

/// One method at one place of an app.
#[derive(Debug, Clone)]
pub(super) struct Route {
    ws: GrpcWs,
    kind: MethodKind,
    codec: Arc<Codec>,
}

/// A handshake that was checked, and what it says of the call.
pub(super) struct Opened {
    pub(super) opening: Opening,
    pub(super) context: Result<CallContext, Status>,
}

/// A handshake that was checked, with what its stream begins with.
pub(super) struct Opening {
    pub(super) handshake: Handshake,
    pub(super) start: Start,
    /// When the call is ended.
    pub(super) deadline: Option<Instant>,
}

impl Opening {
    /// Runs a part of the handshake for no longer than the call may take.
    pub(super) async fn within_deadline<F: Future>(&self, future: F) -> Result<F::Output, Status> {
        match self.deadline {
            Some(deadline) => {
                let timed_out = |_| Cause::Deadline.status();
                tokio::time::timeout_at(deadline.into(), future).await.map_err(timed_out)
            }
            None => Ok(future.await),
        }
    }
}

impl Route {
    /// Checks the handshake.
    pub(super) fn open(&self, parts: &mut Parts) -> Result<Opened, Refusal> {
        let now = Instant::now();
        if self.ws.shutdown.is_draining() {
            return Err(Refusal::Draining);
        }
        let handshake = Handshake::check(parts, &self.ws.options)?;
        let metadata = handshake.metadata(&parts.headers, &self.ws.options.metadata);
        let mut start = Start::new(handshake.mode, self.kind);
        let mut deadline = None;
        let context = metadata.map(|request| {
            start = start.clone().credit(request.credit);
            deadline = request.timeout.and_then(|timeout| now.checked_add(timeout));
            CallContext { metadata: request.metadata, request: parts.clone(), deadline }
        });
        Ok(Opened { opening: Opening { handshake, start, deadline }, context })
    }

    /// Answers the handshake with an upgrade; a call that failed is told by the protocol, or by HTTP in
    /// seed mode.
    pub(super) fn accept<C>(&self, parts: &Parts, opening: Opening, call: Result<C, Status>) -> Response
    where
        C: Call + Unpin + 'static,
    {
        let Opening { handshake, start, deadline } = opening;
        match call {
            Err(status) if !handshake.mode.is_v1() => {
                Refusal::Status(status).into_response(parts.version).map(axum::body::Body::new)
            }
            call => accept(Accepted {
                handshake,
                kind: self.kind,
                start,
                deadline,
                call,
                codec: Arc::clone(&self.codec),
                options: Arc::clone(&self.ws.options),
                hooks: self.ws.hooks.clone(),
                shutdown: self.ws.shutdown.clone(),
                path: parts.uri.path().to_owned(),
            })
            .map(axum::body::Body::new),
        }
    }
}

/// The HTTP answer to a refused handshake.
pub(super) fn refuse(refusal: Refusal, parts: &Parts) -> Response {
    tracing::debug!(path = parts.uri.path(), %refusal, "handshake refused");
    refusal.into_response(parts.version).map(axum::body::Body::new)
}
