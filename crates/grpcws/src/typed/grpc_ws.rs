//! What all typed handlers of a program share.

use std::sync::Arc;

use grpcws_json::Table;
use grpcws_proto::MethodKind;

use super::ProtoMessage;
use super::method::TypedMethod;
use crate::codec::{Codec, UnknownMessage};
use crate::handshake::{Authorize, Endpoint};
use crate::hooks::StreamHooks;
use crate::options::ConnectionOptions;
use crate::shutdown::Shutdown;

/// What the handlers of a program share: the descriptors of their messages, connection options, hooks, the
/// authorization check, and the handle that shuts them down.
#[derive(Clone)]
pub struct GrpcWs {
    table: Table,
    endpoint: Endpoint,
}

impl GrpcWs {
    /// Handlers with default options, for messages of this table.
    #[must_use]
    pub fn new(table: Table) -> Self {
        Self { table, endpoint: Endpoint::default() }
    }

    /// The same with connection options. Handlers that are made already keep theirs.
    #[must_use]
    pub fn options(mut self, options: ConnectionOptions) -> Self {
        self.endpoint.options = Arc::new(options);
        self
    }

    /// The same with hooks.
    #[must_use]
    pub fn hooks(mut self, hooks: impl StreamHooks) -> Self {
        self.endpoint.hooks = Some(Arc::new(hooks));
        self
    }

    /// The same with an authorization check: see [`Authorize`]. Default: every call is allowed.
    #[must_use]
    pub fn authorize(mut self, authorize: impl Authorize) -> Self {
        self.endpoint.authorizer = Some(Arc::new(authorize));
        self
    }

    /// The same with the handle that ends its streams.
    #[must_use]
    pub fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.endpoint.shutdown = shutdown;
        self
    }

    /// A method of this kind with these messages.
    pub(super) fn method<Req: ProtoMessage, Resp: ProtoMessage>(
        &self,
        kind: MethodKind,
    ) -> Result<TypedMethod, UnknownMessage> {
        let options = &self.endpoint.options;
        let codec = Codec::new(&self.table, &Req::full_name(), &Resp::full_name())?
            .marshal(options.bounded_marshal())
            .unmarshal(options.unmarshal.clone());
        Ok(TypedMethod::new(self.endpoint.clone(), kind, codec))
    }
}

impl std::fmt::Debug for GrpcWs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GrpcWs").field("options", &self.endpoint.options).finish_non_exhaustive()
    }
}
