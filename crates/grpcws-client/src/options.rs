//! Options of a client and of a call.

use std::time::Duration;

use grpcws_proto::metadata::MAX_SAFE_INTEGER;
use grpcws_proto::{OptionsError, check_number, options};
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

options! {
    /// Options of a [`Client`](crate::Client).
    ///
    /// ```
    /// use std::time::Duration;
    /// use grpcws_client::{ClientOptions, HttpVersion};
    ///
    /// let options = ClientOptions::builder()
    ///     .http_version(HttpVersion::Http2)
    ///     .connect_timeout(Duration::from_secs(3))
    ///     .build()?;
    /// # let _ = options;
    /// # Ok::<(), grpcws_client::OptionsError>(())
    /// ```
    ClientOptions, ClientOptionsBuilder {
        /// Which HTTP carries the WebSockets. Default: HTTP/1.1.
        value http_version: HttpVersion = HttpVersion::Http1;
        /// Certificates, for `wss` URLs. Default: the roots of the system.
        held tls: TlsOptions = TlsOptions::default();
        /// Headers of every handshake, for proxies on the way: these are not metadata. Default: none.
        held headers: HeaderMap = HeaderMap::new();
        /// How long one attempt to connect may take, from the look-up of the name to the end of the handshake. Cannot
        /// be turned off. Default: 10 s.
        duration connect_timeout = Duration::from_secs(10);
        /// The largest frame of a response message, in bytes; a larger one ends the call with code 8. Default: 16 MiB,
        /// in which the JSON of a gateway's default of 4 MiB has room. A tonic client has a limit of its own, 4 MiB.
        number max_message_size [1..=MAX_SAFE_INTEGER]: u64 = 16 * 1024 * 1024;
        /// How many bytes of response messages may lie ready for the application, from 1 to 2^53 − 1. The gateway is
        /// told so, and sends more when the application takes some. One message may overdraw it, so a call holds at
        /// most this and [`max_message_size`](Self::max_message_size). `None` makes no offer: then the socket is not
        /// read while 64 KiB lie ready, TCP holds the gateway, and a gateway takes a client that reads nothing for
        /// 60 s for stalled. Default: 1 MiB.
        value credit: Option<u64> = Some(1024 * 1024);
        /// The time between two `ping` messages, which keep proxies on the way from closing an idle call. Off (`None`
        /// or zero): no pings. Default: off, since a gateway sends pings of its own.
        time ping_period = None;
        /// How long the gateway may be silent before a call ends with code 14: a connection that was lost without a
        /// word is found by this alone. It counts where either side sends pings, and is never shorter than three ping
        /// periods of the gateway where only that does. Off (`None` or zero): for ever. Default: 90 s.
        time pong_timeout = Some(Duration::from_secs(90));
        /// How long a cancelled call waits for the gateway's last word, and an ended one for its close. Cannot be
        /// turned off. Default: 2 s.
        duration linger = Duration::from_secs(2);
        /// The most calls on one HTTP/2 connection, at least 1; the gateway may permit fewer. Default: 100, which
        /// holds what the connection's calls buffer in HTTP/2 below 6.4 MiB.
        number max_streams_per_connection [1..=usize::MAX]: usize = 100;
        /// How long new calls leave a gateway alone that cannot be reached.
        held backoff: BackoffOptions = BackoffOptions::default();
        /// Whether a call waits for a gateway that cannot be reached, up to its deadline, in place of ending with code
        /// 14. A call may override it. Default: off.
        value wait_for_ready: bool = false;
    }
}

impl ClientOptions {
    fn check(&self) -> Result<(), OptionsError> {
        if let Some(credit) = self.credit {
            check_number("credit", credit, &(1..=MAX_SAFE_INTEGER))?;
        }
        let BackoffOptions { initial, multiplier, max, jitter } = self.backoff;
        let reason = if initial.is_zero() {
            "initial is 0 s, which is no time: use 1 ms or more".to_owned()
        } else if max < initial {
            format!("max, {max:?}, is shorter than initial, {initial:?}: raise it")
        } else if !multiplier.is_finite() || multiplier < 1.0 {
            format!("multiplier is {multiplier}: use 1 or more")
        } else if !(0.0..=1.0).contains(&jitter) {
            format!("jitter is {jitter}: use 0 to 1")
        } else {
            return Ok(());
        };
        Err(OptionsError::new("backoff", reason))
    }

    /// [`max_message_size`](Self::max_message_size) as the length of what is in memory.
    pub(crate) fn message_limit(&self) -> usize {
        usize::try_from(self.max_message_size).unwrap_or(usize::MAX)
    }
}

/// How long new calls leave a gateway alone that cannot be reached: the first time for `initial`, then for
/// `multiplier` times as long after each failure, up to `max`. A success resets it. [`ClientOptionsBuilder::build`]
/// checks it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BackoffOptions {
    /// The time after the first failure, above zero. Default: 1 s.
    pub initial: Duration,
    /// By what the time grows with each failure, at least 1. Default: 1.6.
    pub multiplier: f64,
    /// The longest time, no shorter than `initial`. Default: 30 s.
    pub max: Duration,
    /// The share of the time by which chance makes it shorter or longer, so that clients do not all come back in the
    /// same moment; from 0 to 1. Default: 0.2.
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn refused(builder: ClientOptionsBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_name_and_the_remedy() {
        let options = ClientOptions::builder;
        let backoff = |change: fn(BackoffOptions) -> BackoffOptions| {
            refused(options().backoff(change(BackoffOptions::default())))
        };
        for (error, name, remedy) in [
            (refused(options().connect_timeout(Duration::ZERO)), "connect_timeout", "use 1 ms or more"),
            (refused(options().max_message_size(0)), "max_message_size", "use 1 to"),
            (refused(options().credit(Some(0))), "credit", "use 1 to 9007199254740991"),
            (refused(options().credit(Some(1 << 53))), "credit", "use 1 to 9007199254740991"),
            (refused(options().linger(Duration::ZERO)), "linger", "use 1 ms or more"),
            (refused(options().max_streams_per_connection(0)), "max_streams_per_connection", "use 1 to"),
            (backoff(|backoff| backoff.initial(Duration::ZERO)), "backoff", "use 1 ms or more"),
            (backoff(|backoff| backoff.max(Duration::from_millis(1))), "backoff", "raise it"),
            (backoff(|backoff| backoff.multiplier(0.5)), "backoff", "use 1 or more"),
            (backoff(|backoff| backoff.multiplier(f64::NAN)), "backoff", "use 1 or more"),
            (backoff(|backoff| backoff.jitter(1.5)), "backoff", "use 0 to 1"),
        ] {
            assert!(error.starts_with(&format!("{name}: ")) && error.contains(remedy), "{error}");
        }
    }

    #[test]
    fn none_and_zero_turn_a_time_off() {
        let options =
            ClientOptions::builder().ping_period(Duration::ZERO).pong_timeout(None).build().unwrap();
        assert_eq!((options.ping_period(), options.pong_timeout()), (None, None));
    }
}
