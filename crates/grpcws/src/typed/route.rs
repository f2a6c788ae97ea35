//! What all typed handlers of a program share, and what is particular to the route of each.

use std::future::Future;
use std::sync::Arc;

use axum::response::Response;
use grpcws_json::Table;
use grpcws_proto::close::Cause;
use grpcws_proto::{MethodKind, Status};
use http::HeaderMap;
use http::request::Parts;

use super::ProtoMessage;
use crate::call::Call;
use crate::codec::{Codec, UnknownMessage};
use crate::context::CallContext;
use crate::hooks::StreamHooks;
use crate::options::ConnectionOptions;
use crate::route::{self, Opened, Opening};
use crate::shutdown::Shutdown;
use crate::upgrade::Refusal;

/// What the handlers of a program share: the descriptors of their messages, connection options, hooks, and
/// the handle that shuts them down.
#[derive(Clone)]
pub struct GrpcWs {
    table: Table,
    route: route::Route,
}

impl GrpcWs {
    /// Handlers with default options, for messages of this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table, route: route::Route::default() }
    }

    /// The same with connection options. Handlers that are made already keep theirs.
    #[must_use]
    pub fn options(mut self, options: ConnectionOptions) -> Self {
        self.route.options = Arc::new(options);
        self
    }

    /// The same with hooks.
    #[must_use]
    pub fn hooks(mut self, hooks: impl StreamHooks) -> Self {
        self.route.hooks = Some(Arc::new(hooks));
        self
    }

    /// The same with the handle that ends its streams.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.route.shutdown = shutdown;
        self
    }

    pub(super) fn route<Req: ProtoMessage, Resp: ProtoMessage>(
        &self,
        kind: MethodKind,
    ) -> Result<Route, UnknownMessage> {
        let options = &self.route.options;
        let codec = Codec::new(&self.table, &Req::full_name(), &Resp::full_name())?
            .marshal(options.bounded_marshal())
            .unmarshal(options.unmarshal.clone());
        Ok(Route { route: self.route.clone(), kind, codec: Arc::new(codec) })
    }
}

impl std::fmt::Debug for GrpcWs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcWs").field("options", &self.route.options).finish_non_exhaustive()
    }
}

/// One method at one place of an app.
#[derive(Debug, Clone)]
pub(super) struct Route {
    route: route::Route,
    kind: MethodKind,
    codec: Arc<Codec>,
}

impl Route {
    /// How many bytes of requests may lie ready.
    pub(super) fn receive_window(&self) -> u64 {
        self.route.options.session.receive_window()
    }

    /// Checks the handshake.
    pub(super) fn open(&self, parts: &mut Parts) -> Result<Opened, Refusal> {
        self.route.open(parts, self.kind)
    }

    /// Answers the handshake with an upgrade, or refuses a call that failed.
    pub(super) fn accept<C>(&self, parts: &Parts, opening: Opening, call: Result<C, Status>) -> Response
    where
        C: Call + Unpin + 'static,
    {
        self.route.accept(parts, opening, Some(Arc::clone(&self.codec)), call).map(axum::body::Body::new)
    }
}

impl Opening {
    /// What the handler is told of a handshake with this metadata.
    pub(super) fn context(&self, parts: &Parts, metadata: HeaderMap) -> CallContext {
        CallContext { metadata, request: parts.clone(), deadline: self.deadline }
    }

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

/// The HTTP answer to a refused handshake.
pub(super) fn refuse(refusal: Refusal, parts: &Parts) -> Response {
    route::refuse(refusal, parts).map(axum::body::Body::new)
}
