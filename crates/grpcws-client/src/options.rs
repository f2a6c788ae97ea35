//! Options of a client and of a call.

use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::Status;

/// Which HTTP carries the WebSockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum HttpVersion {
    /// The upgrade of HTTP/1.1: each call has a connection of its own. Every gateway and every proxy on the way
    /// that knows WebSocket can do this.
    #[default]
    Http1,
    /// The extended CONNECT of HTTP/2 (RFC 8441): many calls share a connection. Without TLS the gateway has to
    /// speak HTTP/2 from the first byte; with TLS it is negotiated by ALPN.
    Http2,
}

/// Options of a [`Client`](crate::Client).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientOptions {
    /// Which HTTP carries the WebSockets. Default: HTTP/1.1.
    pub http_version: HttpVersion,
    /// Certificates, for `wss` URLs. Default: the roots of the system.
    pub tls: TlsOptions,
    /// Headers of every handshake, for proxies on the way: these are not metadata. Default: none.
    pub headers: HeaderMap,
    /// How long one attempt to connect may take, from the look-up of the name to the end of the handshake.
    /// Default: 10 s.
    pub connect_timeout: Duration,
    /// The largest frame of a response message, in bytes; a larger one ends the call with code 8. Default: 16 MiB,
    /// in which the JSON of a gateway's default of 4 MiB has room. A tonic client has a limit of its own, 4 MiB.
    pub max_message_size: usize,
    /// How many bytes of response messages may lie ready for the application. The gateway is told so, and sends more
    /// when the application takes some. One message may overdraw it, so a call holds at most this and
    /// [`max_message_size`](Self::max_message_size). `None` makes no offer: then the socket is not read while 64 KiB
    /// lie ready, TCP holds the gateway, and a gateway takes a client that reads nothing for 60 s for stalled.
    /// Default: 1 MiB.
    pub credit: Option<u64>,
    /// The time between two `ping` messages, which keep proxies on the way from closing an idle call. Default: none,
    /// since a gateway sends pings of its own.
    pub ping_period: Option<Duration>,
    /// How long the gateway may be silent before a call ends with code 14: a connection that was lost without a word
    /// is found by this alone. It counts where either side sends pings, and is never shorter than three ping periods
    /// of the gateway where only that does. With [`ping_period`](Self::ping_period) it has to be longer than that.
    /// `None` is for ever. Default: 90 s.
    pub pong_timeout: Option<Duration>,
    /// How long a cancelled call waits for the gateway's last word, and an ended one for its close. Default: 2 s.
    pub linger: Duration,
    /// The most calls on one HTTP/2 connection; the gateway may permit fewer. Default: 100, which holds what the
    /// connection's calls buffer in HTTP/2 below 6.4 MiB.
    pub max_streams_per_connection: usize,
    /// How long new calls leave a gateway alone that cannot be reached.
    pub backoff: BackoffOptions,
    /// Whether a call waits for a gateway that cannot be reached, up to its deadline, in place of ending with code
    /// 14. A call may override it. Default: off.
    pub wait_for_ready: bool,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            http_version: HttpVersion::Http1,
            tls: TlsOptions::default(),
            headers: HeaderMap::new(),
            connect_timeout: Duration::from_secs(10),
            max_message_size: 16 * 1024 * 1024,
            credit: Some(1024 * 1024),
            ping_period: None,
            pong_timeout: Some(Duration::from_secs(90)),
            linger: Duration::from_secs(2),
            max_streams_per_connection: 100,
            backoff: BackoffOptions::default(),
            wait_for_ready: false,
        }
    }
}

impl ClientOptions {
    /// Sets [`http_version`](Self::http_version).
    #[must_use]
    pub fn http_version(mut self, version: HttpVersion) -> Self {
        self.http_version = version;
        self
    }

    /// Sets [`tls`](Self::tls).
    #[must_use]
    pub fn tls(mut self, tls: TlsOptions) -> Self {
        self.tls = tls;
        self
    }

    /// Sets [`headers`](Self::headers).
    #[must_use]
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Sets [`connect_timeout`](Self::connect_timeout).
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Sets [`max_message_size`](Self::max_message_size).
    #[must_use]
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.max_message_size = bytes;
        self
    }

    /// Sets [`credit`](Self::credit).
    #[must_use]
    pub fn credit(mut self, bytes: Option<u64>) -> Self {
        self.credit = bytes;
        self
    }

    /// Sets [`ping_period`](Self::ping_period).
    #[must_use]
    pub fn ping_period(mut self, period: Option<Duration>) -> Self {
        self.ping_period = period;
        self
    }

    /// Sets [`pong_timeout`](Self::pong_timeout).
    #[must_use]
    pub fn pong_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.pong_timeout = timeout;
        self
    }

    /// Sets [`linger`](Self::linger).
    #[must_use]
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self
    }

    /// Sets [`max_streams_per_connection`](Self::max_streams_per_connection); at least 1.
    #[must_use]
    pub fn max_streams_per_connection(mut self, streams: usize) -> Self {
        self.max_streams_per_connection = streams.max(1);
        self
    }

    /// Sets [`backoff`](Self::backoff).
    #[must_use]
    pub fn backoff(mut self, backoff: BackoffOptions) -> Self {
        self.backoff = backoff;
        self
    }

    /// Sets [`wait_for_ready`](Self::wait_for_ready).
    #[must_use]
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = wait;
        self
    }
}

/// How long new calls leave a gateway alone that cannot be reached: the first time for `initial`, then for
/// `multiplier` times as long after each failure, up to `max`. A success resets it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BackoffOptions {
    /// The time after the first failure. Default: 1 s.
    pub initial: Duration,
    /// By what the time grows with each failure. Default: 1.6.
    pub multiplier: f64,
    /// The longest time. Default: 30 s.
    pub max: Duration,
    /// The share of the time by which chance makes it shorter or longer, so that clients do not all come back in the
    /// same moment. Default: 0.2.
    pub jitter: f64,
}

impl Default for BackoffOptions {
    fn default() -> Self {
        Self { initial: Duration::from_secs(1), multiplier: 1.6, max: Duration::from_secs(30), jitter: 0.2 }
    }
}

impl BackoffOptions {
    /// Sets [`initial`](Self::initial).
    #[must_use]
    pub fn initial(mut self, initial: Duration) -> Self {
        self.initial = initial;
        self
    }

    /// Sets [`multiplier`](Self::multiplier).
    #[must_use]
    pub fn multiplier(mut self, multiplier: f64) -> Self {
        self.multiplier = multiplier;
        self
    }

    /// Sets [`max`](Self::max).
    #[must_use]
    pub fn max(mut self, max: Duration) -> Self {
        self.max = max;
        self
    }

    /// Sets [`jitter`](Self::jitter).
    #[must_use]
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.jitter = jitter;
        self
    }
}

/// Certificates for `wss` URLs. All of them are PEM.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct TlsOptions {
    /// The certificates that the gateway's has to come from, in place of the system's roots. Default: none.
    pub ca_certificates: Option<Vec<u8>>,
    /// The client's certificate with its chain, and its private key, for gateways that ask for one. Default: none.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// The name that the gateway's certificate has to have, in place of the URL's host. Default: none.
    pub server_name: Option<String>,
}

impl TlsOptions {
    /// Sets [`ca_certificates`](Self::ca_certificates).
    #[must_use]
    pub fn ca_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_certificates = Some(pem.into());
        self
    }

    /// Sets [`identity`](Self::identity).
    #[must_use]
    pub fn identity(mut self, certificates: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity = Some((certificates.into(), key.into()));
        self
    }

    /// Sets [`server_name`](Self::server_name).
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }
}

impl std::fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A private key is not printed.
        f.debug_struct("TlsOptions")
            .field("ca_certificates", &self.ca_certificates.is_some())
            .field("identity", &self.identity.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}

/// Options of one call.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct CallOptions {
    /// The request metadata. Values of names that end in `-bin` are base64, as in gRPC over HTTP/2. Names that belong
    /// to the transport, such as `te` and `content-type`, are not sent.
    pub metadata: HeaderMap,
    /// How long the call may take, connecting included. The gateway is told, and both sides enforce it: the call
    /// then ends with code 4. Default: for ever.
    pub timeout: Option<Duration>,
    /// Overrides [`ClientOptions::wait_for_ready`].
    pub wait_for_ready: Option<bool>,
}

impl CallOptions {
    /// Sets [`metadata`](Self::metadata).
    #[must_use]
    pub fn metadata(mut self, metadata: HeaderMap) -> Self {
        self.metadata = metadata;
        self
    }

    /// Adds one value to the metadata.
    ///
    /// # Errors
    ///
    /// A status with code 3 for what is not a header's name and value.
    pub fn with(mut self, name: &str, value: &str) -> Result<Self, Status> {
        let name = HeaderName::try_from(name)
            .map_err(|_| Status::invalid_argument(format!("{name:?} is not a metadata name")))?;
        let value = HeaderValue::try_from(value)
            .map_err(|_| Status::invalid_argument(format!("the value of {name} is not printable ASCII")))?;
        self.metadata.append(name, value);
        Ok(self)
    }

    /// Sets [`timeout`](Self::timeout).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets [`wait_for_ready`](Self::wait_for_ready).
    #[must_use]
    pub fn wait_for_ready(mut self, wait: bool) -> Self {
        self.wait_for_ready = Some(wait);
        self
    }
}
