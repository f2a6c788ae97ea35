//! From a URL to an open WebSocket.

mod backoff;
mod handshake;
mod http1;
mod http2;
mod refusal;
mod tcp;
mod tls;
mod transport;

use bytes::Bytes;
use grpcws_proto::Mode;
use http::HeaderMap;
use http::uri::PathAndQuery;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

pub(crate) use transport::{Io, Transport};

use crate::endpoint::Endpoint;
use crate::{ClientError, ClientOptions, Code, HttpVersion, Status};
use backoff::Backoff;

/// A WebSocket to be opened.
#[derive(Debug)]
pub(crate) struct OpenRequest {
    pub(crate) path: PathAndQuery,
    pub(crate) mode: Mode,
    pub(crate) metadata: HeaderMap,
    pub(crate) deadline: Option<Instant>,
    pub(crate) wait_for_ready: bool,
}

/// An open WebSocket, before the first frame.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) transport: Transport,
    /// What came behind the answer to the handshake in one piece with it.
    pub(crate) already_read: Bytes,
}

/// Why a WebSocket did not open.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The gateway cannot be reached, or says that it has no room: later calls may leave it alone for a while.
    Unreachable(Status),
    /// The gateway answered, and refused this call.
    Refused(Status),
}

/// Opens WebSockets to one gateway.
pub(crate) struct Connector {
    endpoint: Endpoint,
    tls: Option<TlsConnector>,
    options: ClientOptions,
    backoff: Backoff,
    http2: http2::Pool,
}

impl Connector {
    pub(crate) fn new(url: &str, options: ClientOptions) -> Result<Self, ClientError> {
        let endpoint = Endpoint::parse(url)?;
        let tls = if endpoint.tls { Some(tls::connector(&options)?) } else { None };
        let backoff = Backoff::new(options.backoff.clone());
        Ok(Self { endpoint, tls, backoff, http2: http2::Pool::new(&options), options })
    }

    pub(crate) const fn options(&self) -> &ClientOptions {
        &self.options
    }

    pub(crate) const fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens a WebSocket, or says why there is none. With `wait_for_ready` it tries until it can be dropped.
    pub(crate) async fn open(&self, request: &OpenRequest) -> Result<Opened, Status> {
        // A stream of a connection that is there needs no permission to connect, but for a second try.
        let mut connected = self.options.http_version == HttpVersion::Http2 && self.http2.has_room();
        loop {
            let attempt = if std::mem::take(&mut connected) {
                None
            } else {
                Some(self.backoff.admit(request.wait_for_ready).await?)
            };
            let attempted = self.attempt(request, Instant::now());
            let limited = tokio::time::timeout(self.options.connect_timeout, attempted).await;
            let result = limited.unwrap_or_else(|_| Err(self.timed_out()));
            match (&result, attempt) {
                (Err(Failure::Unreachable(status)), Some(attempt)) => attempt.fail(status),
                (Err(Failure::Unreachable(status)), None) => self.backoff.note(status),
                // Whoever refuses is there.
                (Ok(_) | Err(Failure::Refused(_)), Some(attempt)) => attempt.succeed(),
                (Ok(_) | Err(Failure::Refused(_)), None) => {}
            }
            match result {
                Ok(opened) => return Ok(opened),
                Err(Failure::Unreachable(status)) if request.wait_for_ready => {
                    tracing::debug!(gateway = %self.endpoint.authority, error = %status.message(), "cannot connect");
                }
                Err(Failure::Refused(status) | Failure::Unreachable(status)) => return Err(status),
            }
        }
    }

    async fn attempt(&self, request: &OpenRequest, began: Instant) -> Result<Opened, Failure> {
        let headers = handshake::headers(self, request).map_err(Failure::Refused)?;
        match self.options.http_version {
            HttpVersion::Http1 => http1::open(self, request, headers).await,
            HttpVersion::Http2 => self.http2.open(self, request, headers, began).await,
        }
    }

    fn timed_out(&self) -> Failure {
        let Endpoint { authority, .. } = &self.endpoint;
        Failure::unreachable(format!("{authority} did not answer within {:?}", self.options.connect_timeout))
    }

    /// A connection to the gateway, encrypted where the URL asks for it.
    async fn dial(&self) -> Result<Transport, Failure> {
        let stream = tcp::connect(&self.endpoint).await?;
        match &self.tls {
            Some(tls) => tls::handshake(tls, self, stream).await,
            None => Ok(Transport::from(Io::Tcp(stream))),
        }
    }
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Headers of the handshake may hold credentials.
        f.debug_struct("Connector").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl Failure {
    fn unreachable(text: impl Into<String>) -> Self {
        Self::Unreachable(Status::new(Code::Unavailable, text))
    }
}
