//! Options of a connection.

use grpcws_json::{MarshalOptions, UnmarshalOptions};
use grpcws_proto::handshake::{OriginError, OriginPolicy, Target};
use grpcws_proto::metadata::{MAX_SAFE_INTEGER, MetadataPolicy};
use grpcws_proto::session::{SessionOptions, SessionOptionsBuilder, WindowBudget};
use grpcws_proto::{Mode, OptionsError, options};
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;

use crate::forwarded::{LocalAddress, is_secure};
use crate::handshake::single;

/// The fewest bytes of headers that a limit may leave room for: a handshake from a browser has more.
pub(crate) const MIN_HEADER_SIZE: u64 = 256;

/// What becomes of a query parameter whose name no field of a bound route's request has.
///
/// It sets nothing either way, so the question is only whether somebody is told. A page that is opened with `utm_source` or
/// `fbclid` passes them on, a proxy adds its token, a browser's form has more fields than the request: there the call is
/// meant. A client that writes its own queries wants to hear of a name that it got wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum UnknownParameters {
    /// Ignored in seed mode, where a page cannot read why a handshake was refused; refused with status 3 in v1.
    #[default]
    RefusedInV1,
    /// Ignored in every mode, as gRPC-Gateway does.
    Ignored,
    /// Refused in every mode: with status 3, or HTTP 400 in seed mode.
    Refused,
}

impl UnknownParameters {
    /// Returns whether a handshake in this mode is refused.
    pub(crate) fn refused_in(self, mode: Mode) -> bool {
        match self {
            Self::RefusedInV1 => mode.is_v1(),
            Self::Ignored => false,
            Self::Refused => true,
        }
    }
}

options! {
    /// Options of the connections of a route: times, limits, JSON options, who may connect.
    ///
    /// ```
    /// use std::time::Duration;
    /// use grpcws::ConnectionOptions;
    ///
    /// let options = ConnectionOptions::builder()
    ///     .ping_period(Duration::from_secs(10))
    ///     .max_message_size(64 * 1024)
    ///     .allow_origin("https://app.example.com")
    ///     .build()?;
    /// assert_eq!(options.session().max_message_size(), 64 * 1024);
    /// # Ok::<(), grpcws::OptionsError>(())
    /// ```
    ///
    /// A connection holds at most its receive window and two messages of
    /// [`max_message_size`](SessionOptions::max_message_size) from the client; towards it 32 KiB (64 KiB where messages
    /// are large) and one message of [`max_response_size`](Self::max_response_size) with its JSON text.
    ConnectionOptions, ConnectionOptionsBuilder {
        /// The largest response message of the upstream, in bytes of protobuf, from 1 to 2^53 − 1. A larger one ends
        /// the call with code 8, and so does one whose JSON text has more than 16 bytes for each of these, and 64 KiB:
        /// names of enums, say, can be far longer than their numbers. Default: 4 MiB.
        number max_response_size [1..=MAX_SAFE_INTEGER]: u64 = 4 * 1024 * 1024;
        /// The most bytes that the headers of a handshake may have, names and values together, from 256. Larger ones
        /// are refused with 431. Cookies, which make no metadata by themselves, do not count. The server in front has a limit of its own, such as
        /// [`ServerOptions::max_header_size`](crate::server::ServerOptions::max_header_size). Default: 16 KiB.
        number max_header_size [MIN_HEADER_SIZE..=MAX_SAFE_INTEGER]: u64 = 16 * 1024;
        /// How many streams there may be at once, over all routes that share a [`Shutdown`](crate::Shutdown). More
        /// are refused with 503.
        ///
        /// It bounds the memory of a server: at worst, where every upstream and every client reads nothing, that is
        /// this times the sum of PROTOCOL §7.3. With the defaults an idle stream takes about 10 KB, so 1 GB for
        /// 100,000 of them, and a stalled one up to 8 MiB for its requests and as much as one response. Lower it, or
        /// [`max_message_size`](SessionOptions::max_message_size), where clients are not trusted. Default: 100,000.
        number max_streams [1..=usize::MAX]: usize = 100_000;
        /// The codecs that a client may choose from by sub-protocol, at least one. Default: all.
        own modes: Vec<Mode> = vec![Mode::Seed, Mode::V1Json, Mode::V1Proto];
        /// What becomes of query parameters whose names no field of a bound route's request has. Default: ignored in
        /// seed mode, refused in v1.
        held unknown_parameters: UnknownParameters = UnknownParameters::default();
        /// How responses are written as JSON.
        held marshal: MarshalOptions = MarshalOptions::default();
        /// How requests are read from JSON.
        held unmarshal: UnmarshalOptions = UnmarshalOptions::default();
        /// Which origins are accepted. Default: the same origin only.
        held origin: OriginPolicy = OriginPolicy::default();
        /// Which headers of the handshake become metadata of the call.
        held metadata: MetadataPolicy = MetadataPolicy::default();
    }
    group {
        /// Times and limits of the session.
        session: SessionOptions, SessionOptionsBuilder {
            time ping_period;
            time pong_timeout;
            value require_json_pong: bool;
            time init_timeout;
            time write_stall_timeout;
            duration linger;
            duration max_linger;
            number receive_window: u64;
            number receive_window_max: u64;
            held receive_window_budget: WindowBudget;
            number max_message_size: u64;
        }
    }
}

impl ConnectionOptionsBuilder {
    /// Sets [`modes`](ConnectionOptions::modes).
    pub fn modes(mut self, modes: impl IntoIterator<Item = Mode>) -> Self {
        self.options.modes = modes.into_iter().collect();
        self
    }

    /// Adds one origin to [`origin`](ConnectionOptions::origin): [`OriginPolicy::allow`] has the forms.
    pub fn allow_origin(mut self, origin: impl AsRef<str>) -> Self {
        match std::mem::take(&mut self.options.origin).allow(origin) {
            Ok(policy) => self.options.origin = policy,
            Err(error) => _ = self.refused.get_or_insert(error),
        }
        self
    }

    /// Sets [`origin`](ConnectionOptions::origin) to [`OriginPolicy::any`]: every page of every site may then call.
    pub fn allow_any_origin(mut self) -> Self {
        self.options.origin = OriginPolicy::any();
        self
    }

    /// Adds one host of the server's own to [`origin`](ConnectionOptions::origin), as [`OriginPolicy::host`] does.
    pub fn host(mut self, host: impl AsRef<str>) -> Self {
        match std::mem::take(&mut self.options.origin).host(host) {
            Ok(policy) => self.options.origin = policy,
            Err(error) => _ = self.refused.get_or_insert(error),
        }
        self
    }
}

impl ConnectionOptions {
    fn check(&self) -> Result<(), OptionsError> {
        if self.modes.is_empty() {
            let text = "without any no client can connect: give at least one, such as Mode::Seed";
            return Err(OptionsError::new("modes", text));
        }
        Ok(())
    }

    /// [`marshal`](Self::marshal), with the limit that follows from [`max_response_size`](Self::max_response_size).
    ///
    /// Numbers, strings and bytes take up to 8 times their size; a packed enum takes the length of its names.
    pub(crate) fn bounded_marshal(&self) -> MarshalOptions {
        let most = self.max_response_size.saturating_mul(16).saturating_add(64 * 1024);
        self.marshal.clone().max_size(self.marshal.max_size.min(most))
    }

    /// [`max_response_size`](Self::max_response_size) as the length of what is in memory.
    pub(crate) fn response_limit(&self) -> usize {
        usize::try_from(self.max_response_size).unwrap_or(usize::MAX)
    }

    /// Whether these options accept the origin of a request (PROTOCOL §10). The handlers and the bridge check it by
    /// themselves; it is for what shares a port with them.
    #[must_use]
    pub fn accepts_origin(&self, request: &Parts) -> bool {
        self.check_origin(request).is_ok()
    }

    /// Whether the host that a request asks for is the server's own ([`OriginPolicy::accepts_host`]).
    #[must_use]
    pub fn accepts_host(&self, request: &Parts) -> bool {
        // Two hosts, and one that is no text, are of nobody.
        let unreadable = request.headers.contains_key(HOST)
            && single(&request.headers, HOST).is_none_or(|host| host.to_str().is_err());
        !unreadable && self.origin.accepts_host(target(request))
    }

    /// Checks the origin of a request, as [`accepts_origin`](Self::accepts_origin) does.
    ///
    /// # Errors
    ///
    /// Why it is not accepted.
    pub fn check_origin(&self, request: &Parts) -> Result<(), OriginError> {
        let mut origins = request.headers.get_all(ORIGIN).iter();
        let (first, second) = (origins.next(), origins.next());
        // An origin that is no text, or two of them, is one that nobody can vouch for.
        let origin = match (first, second) {
            (Some(_), Some(_)) => Some(""),
            (Some(value), None) => Some(value.to_str().unwrap_or("")),
            (None, _) => None,
        };
        self.origin.check(origin, target(request))
    }
}

/// The host that a request asks for. Whether the client's connection is encrypted is known only if a trusted proxy tells:
/// another one may end TLS.
fn target(request: &Parts) -> Target<'_> {
    let authority = request.uri.authority().map(Authority::as_str);
    let host = authority.or_else(|| single(&request.headers, HOST)?.to_str().ok());
    let secure = is_secure(request);
    let local = request.extensions.get::<LocalAddress>();
    Target { host, secure, loopback: local.is_some_and(|local| local.0.ip().to_canonical().is_loopback()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn refused(builder: ConnectionOptionsBuilder) -> String {
        builder.build().expect_err("it cannot work").to_string()
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_name_and_the_remedy() {
        let options = ConnectionOptions::builder;
        for (error, name, remedy) in [
            (refused(options().receive_window(0)), "receive_window", "use 1 to 9007199254740991"),
            (refused(options().receive_window(1 << 53)), "receive_window", "use 1 to 9007199254740991"),
            (refused(options().max_message_size(0)), "max_message_size", "use 1 to"),
            (refused(options().max_message_size(u64::MAX)), "max_message_size", "use 1 to"),
            (refused(options().max_response_size(0)), "max_response_size", "use 1 to"),
            (refused(options().max_header_size(255)), "max_header_size", "use 256 to"),
            (refused(options().max_streams(0)), "max_streams", "use 1 to"),
            (refused(options().modes([])), "modes", "Mode::Seed"),
            (refused(options().linger(Duration::ZERO)), "linger", "use 1 ms or more"),
            (refused(options().ping_period(Duration::from_micros(500))), "ping_period", "use 1 ms to"),
            (refused(options().ping_period(Duration::MAX)), "ping_period", "use 1 ms to"),
            (
                refused(options().allow_origin("https://a.example/")),
                "allow_origin",
                "use \"https://a.example\"",
            ),
            (refused(options().allow_origin("a.example")), "allow_origin", "use \"https://a.example\""),
            (refused(options().allow_origin("*")), "allow_origin", "use allow_any_origin"),
        ] {
            assert!(error.starts_with(&format!("{name}: ")) && error.contains(remedy), "{error}");
        }
    }

    #[test]
    fn none_and_zero_turn_a_time_off() {
        let zero = ConnectionOptions::builder()
            .ping_period(Duration::ZERO)
            .pong_timeout(Some(Duration::ZERO))
            .init_timeout(None)
            .write_stall_timeout(Duration::ZERO)
            .build()
            .expect("times that are off");
        let session = zero.session();
        let times = [
            session.ping_period(),
            session.pong_timeout(),
            session.init_timeout(),
            session.write_stall_timeout(),
        ];
        assert_eq!(times, [None; 4]);
        // A pong timeout is no longer than a ping period has to be.
        let rare = ConnectionOptions::builder().ping_period(Duration::from_secs(300)).build();
        assert_eq!(rare.expect("valid").session().pong_timeout(), Some(Duration::from_secs(90)));
    }

    #[test]
    fn a_set_that_is_taken_over_can_still_be_changed() {
        let session = SessionOptions::builder().receive_window(1).max_message_size(2).build().expect("valid");
        let options =
            ConnectionOptions::builder().session(&session).max_message_size(3).build().expect("valid");
        assert_eq!((options.session().receive_window(), options.session().max_message_size()), (1, 3));
        let changed = options.to_builder().receive_window(0).build();
        assert_eq!(changed.expect_err("no window").option, "receive_window");
    }
}
