//! Options of a connection.

use std::time::Duration;

use grpcws_json::{MarshalOptions, UnmarshalOptions};
use grpcws_proto::Mode;
use grpcws_proto::handshake::OriginPolicy;
use grpcws_proto::metadata::MetadataPolicy;
use grpcws_proto::session::SessionOptions;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;

use crate::handshake::single;

/// Options of the connections of a route: times, limits, JSON options, who may connect.
///
/// ```
/// use std::time::Duration;
/// use grpcws::ConnectionOptions;
///
/// let options = ConnectionOptions::default()
///     .ping_period(Some(Duration::from_secs(10)))
///     .max_message_size(64 * 1024)
///     .allow_origin("https://app.example.com");
/// # let _ = options;
/// ```
///
/// A connection holds at most [`receive_window`](SessionOptions::receive_window) and two messages of
/// [`max_message_size`](SessionOptions::max_message_size) from the client, and 16 KiB and one message of
/// [`max_response_size`](Self::max_response_size) towards it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectionOptions {
    /// Times and limits of the session.
    pub session: SessionOptions,
    /// The largest response message of the upstream, in bytes of protobuf. A larger one ends the call with
    /// code 8. Default: 4 MiB.
    pub max_response_size: usize,
    /// The most bytes that the headers of a handshake may have, names and values together. Larger ones are
    /// refused with 431. Default: 16 KiB.
    pub max_header_size: usize,
    /// The codecs that a client may choose from by sub-protocol. Default: all.
    pub modes: Vec<Mode>,
    /// How responses are written as JSON.
    pub marshal: MarshalOptions,
    /// How requests are read from JSON.
    pub unmarshal: UnmarshalOptions,
    /// Which origins are accepted. Default: the same origin only.
    pub origin: OriginPolicy,
    /// Which headers of the handshake become metadata of the call.
    pub metadata: MetadataPolicy,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            session: SessionOptions::default(),
            max_response_size: 4 * 1024 * 1024,
            max_header_size: 16 * 1024,
            modes: vec![Mode::Seed, Mode::V1Json, Mode::V1Proto],
            marshal: MarshalOptions::default(),
            unmarshal: UnmarshalOptions::default(),
            origin: OriginPolicy::default(),
            metadata: MetadataPolicy::default(),
        }
    }
}

impl ConnectionOptions {
    /// The time between two pings; `None` for no pings. Default: 30 s.
    #[must_use]
    pub fn ping_period(mut self, period: Option<Duration>) -> Self {
        self.session.ping_period = period;
        self
    }

    /// How long a client may be silent before its call is cancelled; `None` for ever. Default: 90 s.
    #[must_use]
    pub fn pong_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.session.pong_timeout = timeout;
        self
    }

    /// How long a write may make no progress before the call is cancelled; `None` for ever. Default: 60 s.
    #[must_use]
    pub fn write_stall_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.session.write_stall_timeout = timeout;
        self
    }

    /// The largest message of a client, in bytes of its frames' payload. Default: 4 MiB.
    #[must_use]
    pub fn max_message_size(mut self, bytes: u64) -> Self {
        self.session.max_message_size = bytes;
        self
    }

    /// The largest response message of the upstream, in bytes of protobuf. Default: 4 MiB.
    #[must_use]
    pub fn max_response_size(mut self, bytes: usize) -> Self {
        self.max_response_size = bytes;
        self
    }

    /// How many bytes of the client are read ahead of the upstream. Default: 64 KiB.
    #[must_use]
    pub fn receive_window(mut self, bytes: u64) -> Self {
        self.session.receive_window = bytes;
        self
    }

    /// The codecs that a client may choose from. Default: all.
    #[must_use]
    pub fn modes(mut self, modes: impl IntoIterator<Item = Mode>) -> Self {
        self.modes = modes.into_iter().collect();
        self
    }

    /// How responses are written as JSON.
    #[must_use]
    pub fn marshal(mut self, options: MarshalOptions) -> Self {
        self.marshal = options;
        self
    }

    /// How requests are read from JSON.
    #[must_use]
    pub fn unmarshal(mut self, options: UnmarshalOptions) -> Self {
        self.unmarshal = options;
        self
    }

    /// Accepts one more origin besides the same one, as `scheme://host[:port]`.
    #[must_use]
    pub fn allow_origin(mut self, origin: impl Into<String>) -> Self {
        self.origin = self.origin.allow(origin);
        self
    }

    /// Which headers of the handshake become metadata of the call.
    #[must_use]
    pub fn metadata(mut self, policy: MetadataPolicy) -> Self {
        self.metadata = policy;
        self
    }

    /// Whether these options accept the origin of a request (PROTOCOL §10). The handlers and the bridge check it by
    /// themselves; it is for what shares a port with them.
    #[must_use]
    pub fn accepts_origin(&self, request: &Parts) -> bool {
        let mut origins = request.headers.get_all(ORIGIN).iter();
        let (first, second) = (origins.next(), origins.next());
        // An origin that is no text, or two of them, is one that nobody can vouch for.
        let origin = match (first, second) {
            (Some(_), Some(_)) => Some(""),
            (Some(value), None) => Some(value.to_str().unwrap_or("")),
            (None, _) => None,
        };
        let authority = request.uri.authority().map(Authority::as_str);
        let host = authority.or_else(|| single(&request.headers, HOST)?.to_str().ok());
        self.origin.accepts(origin, host, None)
    }
}
