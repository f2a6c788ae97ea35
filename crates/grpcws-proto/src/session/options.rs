//! Limits and times of a session.

use std::time::Duration;

use super::WindowBudget;
use crate::metadata::MAX_SAFE_INTEGER;
use crate::{MethodKind, Mode, OptionsError, options};

options! {
    /// Limits and times of a session.
    ///
    /// ```
    /// use std::time::Duration;
    /// use grpcws_proto::session::SessionOptions;
    ///
    /// let options = SessionOptions::builder().ping_period(Duration::from_secs(10)).build()?;
    /// assert_eq!(options.ping_period(), Some(Duration::from_secs(10)));
    ///
    /// let error = SessionOptions::builder().receive_window(0).build().unwrap_err();
    /// assert_eq!(error.to_string(), "receive_window: 0 is out of range: use 1 to 9007199254740991");
    /// # Ok::<(), grpcws_proto::OptionsError>(())
    /// ```
    SessionOptions, SessionOptionsBuilder {
        /// The time between two pings of the gateway. Off (`None` or zero): no pings, and then no
        /// [`pong_timeout`](Self::pong_timeout). Default: 30 s.
        time ping_period = Some(Duration::from_secs(30));
        /// How long the oldest ping may stay without a sign of life before the call is cancelled. Bytes from the client
        /// are a sign of life, and bytes that its TCP acknowledges are one until the ping itself is acknowledged. It may
        /// be shorter than the ping period. Off (`None` or zero): a client that is gone is found by TCP alone.
        /// Default: 90 s.
        time pong_timeout = Some(Duration::from_secs(90));
        /// Whether only the JSON `pong` counts as a sign of life, so that a page that hangs while its browser still
        /// answers is taken for dead. Default: off, all bytes count.
        value require_json_pong: bool = false;
        /// How long a unary or server-streaming call waits for its request message. Bytes of the message start the wait
        /// again. Off (`None` or zero): no limit. Default: 30 s.
        time init_timeout = Some(Duration::from_secs(30));
        /// How long data may wait for a client of which no byte is acknowledged before the call is cancelled. Off
        /// (`None` or zero): no limit, which keeps the memory of a client that reads nothing until its connection is
        /// lost. Default: 60 s.
        time write_stall_timeout = Some(Duration::from_secs(60));
        /// How long the client may send nothing between the gateway's close frame, once it is acknowledged, and its own.
        /// Not above [`max_linger`](Self::max_linger). Cannot be turned off: a connection that is closed at once can
        /// lose its last message. Default: 10 s.
        duration linger = Duration::from_secs(10);
        /// How long the client's close frame is waited for in all, after the gateway's is acknowledged. Default: 5 min.
        duration max_linger = Duration::from_secs(300);
        /// How many payload bytes of the client are read ahead of the upstream, until the window grows, from 1 to
        /// 2^53 − 1. One message may overdraw it, and one more is read before the socket is left alone, so a client can
        /// make the gateway hold the window and two messages. Default: 64 KiB.
        number receive_window [1..=MAX_SAFE_INTEGER]: u64 = 64 * 1024;
        /// The size up to which the receive window grows if the round trip to the client is what holds an upload back
        /// (PROTOCOL §7.2): about twice what the link carries in a round trip is enough. It grows for client-streaming
        /// and bidi calls of clients that keep to their window (v1). Not above
        /// [`receive_window`](Self::receive_window) for a window that keeps its size. At most 2^53 − 1. Default: 1 MiB.
        number receive_window_max [0..=MAX_SAFE_INTEGER]: u64 = 1024 * 1024;
        /// What the windows of all streams may grow by, together. Clones of these options share it; options that are
        /// made separately share it if they are given clones of one budget. Default: 256 MiB.
        held receive_window_budget: WindowBudget = WindowBudget::default();
        /// The largest message of a client, in bytes of its frames' payload, from 1 to 2^53 − 1. A larger one ends
        /// the call with code 8. Default: 4 MiB.
        number max_message_size [1..=MAX_SAFE_INTEGER]: u64 = 4 * 1024 * 1024;
    }
}

impl SessionOptions {
    /// Checks what depends on more than one option.
    fn check(&self) -> Result<(), OptionsError> {
        let Self { linger, max_linger, .. } = self;
        if linger > max_linger {
            let reason =
                format!("{linger:?} is above max_linger, which is {max_linger:?}: lower it, or raise that");
            return Err(OptionsError::new("linger", reason));
        }
        Ok(())
    }
}

/// What the handshake settled of a session.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Start {
    /// The mode that was selected.
    pub mode: Mode,
    /// The kind of the method.
    pub kind: MethodKind,
    /// Whether the one request message came with the handshake (path and query).
    pub request_bound: bool,
    /// Whether that request is replaced by a message of the client, if one comes before the call half-closes.
    pub request_optional: bool,
    /// The client's `grpc-timeout`.
    pub timeout: Option<Duration>,
    /// The client's `grpcws-credit`; `None` is unlimited.
    pub credit: Option<u64>,
}

impl Start {
    /// A session for a method of this kind, without deadline and credit, its requests sent as messages.
    #[must_use]
    pub const fn new(mode: Mode, kind: MethodKind) -> Self {
        Self { mode, kind, request_bound: false, request_optional: false, timeout: None, credit: None }
    }

    /// Whether the client gets credit for the messages that the upstream takes (PROTOCOL §7.2).
    pub(super) const fn grants_credit(&self) -> bool {
        self.mode.is_v1() && self.kind.is_client_streaming()
    }

    /// The same, with the request bound by the handshake.
    #[must_use]
    pub const fn request_bound(mut self) -> Self {
        self.request_bound = true;
        self
    }

    /// The same, with a request that the handshake made and that a message of the client may replace. When the call no
    /// longer waits for one, it half-closes by itself.
    #[must_use]
    pub const fn request_optional(mut self) -> Self {
        self.request_optional = true;
        self
    }

    /// The same with a deadline that is so far away.
    #[must_use]
    pub const fn timeout(mut self, timeout: Option<Duration>) -> Self {
        self.timeout = timeout;
        self
    }

    /// The same with an initial credit; `None` is unlimited.
    #[must_use]
    pub const fn credit(mut self, credit: Option<u64>) -> Self {
        self.credit = credit;
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::Progress;
    use crate::session::{Event, Frame, Session};

    #[test]
    fn without_pings_there_is_no_pong_timeout() {
        let now = Instant::now();
        for options in [
            SessionOptions::builder().ping_period(None),
            SessionOptions::builder().ping_period(Duration::ZERO).pong_timeout(Duration::from_millis(1)),
            SessionOptions::builder().ping_period(None).pong_timeout(Duration::ZERO),
        ] {
            let options = options.build().expect("times that are off");
            let mut session = Session::new(options, Start::new(Mode::V1Json, MethodKind::Bidi), now);
            assert_eq!(session.poll_timeout(), None);
            session.handle_timeout(Progress::default(), now + Duration::from_secs(86_400));
            assert!(session.is_live());
        }
    }

    #[test]
    fn a_pong_timeout_can_be_off_while_there_are_pings() {
        let now = Instant::now();
        let options = SessionOptions::builder().pong_timeout(Duration::ZERO).build().expect("it is off");
        let mut session = Session::new(options, Start::new(Mode::V1Json, MethodKind::Bidi), now);
        for _ in 0..1000 {
            let due = session.poll_timeout().expect("there are pings");
            session.handle_timeout(Progress::default(), due);
            while session.poll_transmit().is_some() {}
        }
        assert!(session.is_live());
    }

    #[test]
    fn a_request_that_is_optional_is_a_message_or_end_send_and_not_waited_for() {
        let now = Instant::now();
        let session = || {
            let start = Start::new(Mode::V1Json, MethodKind::Unary).request_optional();
            Session::new(SessionOptions::default(), start, now)
        };
        let (data, end_send) =
            (Frame::Text(r#"{"type":"data","data":{}}"#), Frame::Text(r#"{"type":"end_send"}"#));
        let mut with_message = session();
        assert!(matches!(with_message.receive(data, now), Event::Message { last: true, .. }));
        assert_eq!(with_message.receive(end_send, now), Event::None);
        assert!(with_message.is_live());
        with_message.receive(data, now);
        assert!(!with_message.is_live(), "there is one request");

        let mut without = session();
        assert_eq!(without.receive(end_send, now), Event::HalfClose);
        without.receive(data, now);
        assert!(!without.is_live(), "nothing comes behind end_send");

        let mut silent = session();
        silent.handle_timeout(Progress::default(), now + Duration::from_secs(31));
        assert!(silent.is_live());
    }
}
