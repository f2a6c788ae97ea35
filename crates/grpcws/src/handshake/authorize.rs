//! The program's authorization check.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use grpcws_proto::Status;
use grpcws_proto::close::Cause;

use super::Handshake;
use super::panics::guarded;
use crate::context::CallContext;

/// Decides whether a call may start. The call does not start, and no socket is opened, before the decision.
///
/// It runs once for each handshake that is well formed and comes from an allowed origin, and for each probe of one
/// ([`CallContext::is_probe`]), and sees all of
/// it: method, kind and mode, the HTTP request with its headers and extensions, the client's address, and the
/// metadata of the call. A credential is in the metadata, whether a header or the sub-protocol `grpcws.bearer.`
/// carried it; [`CallContext::bearer`] finds the token.
///
/// To let the call start, return the context. The call goes on with the
/// [`metadata`](CallContext::metadata), the [`deadline`](CallContext::deadline) and the
/// [`request`](CallContext::request) that are in it then, so a check may add metadata for the upstream. The
/// [`principal`](CallContext::principal) that it names is shown to the hooks of the stream. Changes of the other
/// fields have no effect.
///
/// To refuse the call, return a status. Clients of the v1 sub-protocols get it as an `error` message, others as
/// the HTTP status that stands for its code: 401 for UNAUTHENTICATED, 403 for PERMISSION_DENIED.
///
/// A check that panics refuses its own handshake with INTERNAL, HTTP status 500, and disturbs no other stream. When
/// the client goes away, or the deadline of its call passes, the future is dropped. There is no other time limit: a
/// check that waits for another server has to have its own. Over HTTP/1.1 a client that has sent frames ahead of the
/// answer is noticed to be gone only after the decision.
///
/// Closures are checks:
///
/// ```
/// use grpcws::{CallContext, Code, GrpcWs, Status};
/// use grpcws::json::Table;
///
/// async fn user_of(token: &str) -> Option<String> {
///     # let _ = token;
///     Some("alice".to_owned()) // ask a session store
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let ws = GrpcWs::new(Table::from_file_descriptor_set(&[])?).authorize(|mut call: CallContext| async move {
///     let token = call.bearer().ok_or_else(|| Status::new(Code::Unauthenticated, "a token is required"))?;
///     let user = user_of(token).await;
///     let user = user.ok_or_else(|| Status::new(Code::Unauthenticated, "the token is not valid"))?;
///     call.metadata.remove("authorization");
///     call.metadata.insert("x-user", user.parse().map_err(|_| Status::new(Code::Internal, "odd name"))?);
///     call.principal = Some(user.into());
///     Ok(call)
/// });
/// # let _ = ws;
/// # Ok(())
/// # }
/// ```
pub trait Authorize: Send + Sync + 'static {
    /// Returns the context of a call that may start, or the status of one that may not.
    fn authorize(&self, call: CallContext) -> impl Future<Output = Result<CallContext, Status>> + Send;
}

impl<F, Fut> Authorize for F
where
    F: Fn(CallContext) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<CallContext, Status>> + Send,
{
    fn authorize(&self, call: CallContext) -> impl Future<Output = Result<CallContext, Status>> + Send {
        self(call)
    }
}

/// An [`Authorize`] without its type.
pub(crate) trait Authorizer: Send + Sync {
    fn authorize(self: Arc<Self>, call: CallContext) -> Authorizing;
}

type Authorizing = Pin<Box<dyn Future<Output = Result<CallContext, Status>> + Send>>;

impl<A: Authorize> Authorizer for A {
    fn authorize(self: Arc<Self>, call: CallContext) -> Authorizing {
        Box::pin(async move { Authorize::authorize(&*self, call).await })
    }
}

impl Handshake {
    /// Runs the authorization check, if there is one.
    pub(crate) async fn authorize(
        &mut self,
        call: Result<CallContext, Status>,
    ) -> Result<CallContext, Status> {
        let call = call?;
        let Some(authorizer) = self.endpoint.authorizer.clone() else { return Ok(call) };
        let decision = self.run(async { authorizer.authorize(call).await }).await?;
        let call = decision.map_err(Status::into_error)?;
        self.info.principal.clone_from(&call.principal);
        self.deadline = call.deadline;
        Ok(call)
    }

    /// Runs code of the program for no longer than the call may take. A panic of it becomes a status.
    pub(crate) async fn run<F: Future>(&self, code: F) -> Result<F::Output, Status> {
        let code = guarded(code);
        match self.deadline {
            Some(deadline) => {
                let in_time = tokio::time::timeout_at(deadline.into(), code).await;
                in_time.unwrap_or_else(|_| Err(Cause::Deadline.status()))
            }
            None => code.await,
        }
    }
}
