//! The service.

use std::fmt;
use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use grpcws_proto::Status;
use http::header::HeaderValue;
use http::uri::{Authority, Scheme};
use http::{Request, Response};
use http_body::Body;
use tokio::sync::watch;
use tower_service::Service;

use crate::call::{Retries, call};
use crate::dial::Dialer;
use crate::endpoint::Endpoint;
use crate::error::UpstreamError;
use crate::options::UpstreamOptions;
use crate::pool::Pool;
use crate::request::Heads;
use crate::response::UpstreamBody;
use crate::stats::UpstreamStats;
use crate::status::BoxError;
use crate::tls::Tls;

/// A gRPC server behind a pool of HTTP/2 connections. A clone is cheap and shares the pool.
///
/// It is a tower service for gRPC requests, of which it uses the method, the path, the headers and the body. It is
/// always ready; a call waits in its future. It connects with the first call, and has to be called in a tokio
/// runtime; all calls have to be in the same one.
///
/// When the last clone is dropped and no call waits for its response's head, connections are closed as soon as the
/// calls on them have ended.
#[derive(Clone)]
pub struct Upstream(Arc<Server>);

/// What the clones share. A future has it too, so that a call that waits keeps the pool open.
pub(crate) struct Server {
    pub(crate) pool: Arc<Pool>,
    heads: Heads,
    pub(crate) retries: Retries,
}

/// The response to come. To drop it is to cancel the call.
pub type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<UpstreamBody>, Status>> + Send>>;

impl Upstream {
    /// An upstream at `http://host:port`, `https://host:port` or `unix:/path`. Nothing is connected yet.
    ///
    /// # Errors
    /// Where the endpoint or the options can never work. That nobody listens there is no error.
    pub fn new(endpoint: &str, options: UpstreamOptions) -> Result<Self, UpstreamError> {
        let parsed = Endpoint::parse(endpoint)?;
        let authority = match &options.authority {
            Some(text) => read_authority(text)?,
            None => parsed.authority,
        };
        let user_agent = HeaderValue::from_str(&options.user_agent)
            .expect("the options were built, which checks the user agent");
        let (scheme, tls) = if parsed.tls {
            (Scheme::HTTPS, Some(Tls::new(&options.tls, authority.host())?))
        } else if options.tls.is_default() {
            (Scheme::HTTP, None)
        } else {
            // Whoever asks for TLS must not get plain text.
            return Err(UpstreamError::NoTls(endpoint.to_owned()));
        };
        let dialer = Dialer::new(&options, tls);
        let pool = Pool::new(parsed.target, dialer, &options);
        let buffer = usize::try_from(options.retry_buffer).unwrap_or(usize::MAX);
        let retries = Retries { most: options.retries, buffer };
        Ok(Self(Arc::new(Server { pool, heads: Heads { scheme, authority, user_agent }, retries })))
    }

    /// What the upstream is doing.
    #[must_use]
    pub fn stats(&self) -> UpstreamStats {
        self.0.pool.stats()
    }

    /// A number that goes up whenever what answers may be another server than before, or another version of it: a
    /// connection was lost or ended by GOAWAY, the address of one is gone from the host name, or the first one after
    /// there was none was made.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.pool.counters.changes.subscribe()
    }

    /// Ends the upstream for all clones: calls that wait for a connection, and new ones, fail with UNAVAILABLE;
    /// connections are closed as soon as the calls on them have ended.
    pub fn close(&self) {
        self.0.pool.close();
    }

    /// Waits until all connections are closed, after [`close`](Self::close).
    pub async fn closed(&self) {
        self.0.pool.closed().await;
    }
}

fn read_authority(text: &str) -> Result<Authority, UpstreamError> {
    let invalid = || UpstreamError::Authority(text.to_owned());
    let authority: Authority = text.parse().map_err(|_| invalid())?;
    if authority.host().is_empty() || text.contains('@') {
        return Err(invalid());
    }
    Ok(authority)
}

impl<B> Service<Request<B>> for Upstream
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<UpstreamBody>;
    type Error = Status;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let (parts, body) = request.into_parts();
        match self.0.heads.head(parts) {
            Ok(head) => Box::pin(call(Arc::clone(&self.0), head, body)),
            Err(status) => Box::pin(ready(Err(status))),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.pool.close();
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("authority", &self.0.heads.authority).finish_non_exhaustive()
    }
}
