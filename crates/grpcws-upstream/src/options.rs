//! Limits and times of an upstream.

use std::time::Duration;

use grpcws_proto::{OptionsError, options};
use http::HeaderValue;

use crate::tls::TlsOptions;

/// The least time between two keep-alive pings.
const MIN_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The largest window that HTTP/2 has.
pub(crate) const MAX_WINDOW: u32 = (1 << 31) - 1;

options! {
    /// Limits and times of an [`Upstream`](crate::Upstream).
    ///
    /// The crate's documentation has a table of the defaults, and says what they cost in memory.
    ///
    /// ```
    /// use std::time::Duration;
    /// use grpcws_upstream::UpstreamOptions;
    ///
    /// let options = UpstreamOptions::builder().max_connections(8).build()?;
    /// assert_eq!(options.max_connections(), 8);
    ///
    /// let often = UpstreamOptions::builder().keep_alive_interval(Duration::from_secs(1)).build();
    /// assert!(often.unwrap_err().to_string().starts_with("keep_alive_interval: 1s is too often: use 10 s or more"));
    /// # Ok::<(), grpcws_upstream::OptionsError>(())
    /// ```
    UpstreamOptions, UpstreamOptionsBuilder {
        /// How many calls share a connection at most, at least 1. Where the upstream permits fewer, that counts. The
        /// product with [`stream_window`](Self::stream_window) has to be below 2 GiB, the window of the connection.
        /// Default: 100.
        number max_streams_per_connection [1..=usize::MAX]: usize = 100;
        /// How many connections there are at once, over all addresses, at least 1; those that only finish their calls
        /// after a GOAWAY are not counted. Each takes a file descriptor. Default: 1,024.
        number max_connections [1..=usize::MAX]: usize = 1024;
        /// Where to begin among the addresses, sorted, where there are more than
        /// [`max_connections`](Self::max_connections). Pools of one process that share the connections among themselves
        /// leave no address out if each begins behind those of the one before. Default: 0.
        value address_offset: usize = 0;
        /// How long a call waits for a connection that can take it, or for the end of another call, before it fails
        /// with UNAVAILABLE. Cannot be turned off: the first call to each address waits. Default: 10 s.
        duration connect_wait = Duration::from_secs(10);
        /// How many calls wait at once, at least 1; more fail with UNAVAILABLE. Default: 10,000.
        number max_waiting [1..=usize::MAX]: usize = 10_000;
        /// How long connecting may take: TCP, TLS, and the upstream's HTTP/2 settings together. Cannot be turned off.
        /// Default: 20 s.
        duration dial_timeout = Duration::from_secs(20);
        /// The shortest time from one failed attempt to connect to an address until the next. It grows by 1.6 with
        /// each failure, and varies by 20 %. Meanwhile calls fail at once if there is no other address. Cannot be
        /// turned off. Default: 1 s.
        duration backoff = Duration::from_secs(1);
        /// The longest time between two attempts, no shorter than [`backoff`](Self::backoff). Default: 120 s.
        duration max_backoff = Duration::from_secs(120);
        /// How long the addresses of a host name are used before they are looked up again by the next call.
        /// Independent of that they are looked up before connecting again. Off (`None` or zero): until then.
        /// Default: 30 s.
        time resolve_interval = Some(Duration::from_secs(30));
        /// How long a connection without calls is kept, if there is another one to the same address. Off (`None` or
        /// zero): until it is lost. Default: 5 min.
        time idle_timeout = Some(Duration::from_secs(5 * 60));
        /// How many bytes of responses the upstream may send ahead on each call, which is also what is kept in memory
        /// for a call that is not read; from 1 to 2^31 − 1. Default: 128 KiB.
        number stream_window [1..=u64::from(MAX_WINDOW)]: u64 = 128 * 1024;
        /// The most bytes that the headers, or the trailers, of a response may have, from 256 to 2^30; each counts 32
        /// bytes more than its name and value, as in HTTP/2. A call that gets more ends with RESOURCE_EXHAUSTED.
        /// Default: 1 MiB.
        number max_header_list_size [256..=1 << 30]: u64 = 1024 * 1024;
        /// How many more attempts there are for a call that the upstream has provably not seen; 0 for none.
        /// Default: 4.
        value retries: u32 = 4;
        /// How many bytes of a request are kept until the response begins, for another attempt; a call that has sent
        /// more has none. 0 keeps nothing. Default: 64 KiB.
        value retry_buffer: u64 = 64 * 1024;
        /// How often it is looked whether a connection has shown a sign of life since, so that it is checked by an
        /// HTTP/2 PING where it has not. At least 10 s; better 5 min or more, since many servers end connections that
        /// are pinged more often, and with them all their calls. Off (`None` or zero): no pings. Default: off.
        time keep_alive_interval = None;
        /// How long the upstream may take to answer a ping before the connection counts as lost. Cannot be turned
        /// off; turn [`keep_alive_interval`](Self::keep_alive_interval) off in its place. Default: 20 s.
        duration keep_alive_timeout = Duration::from_secs(20);
        /// Whether connections without calls are pinged too. Default: no.
        value keep_alive_while_idle: bool = false;
        /// The time without data after which the kernel probes a TCP connection, at least 1 s. Off (`None` or zero):
        /// the kernel does not probe. Default: 60 s.
        time tcp_keep_alive = Some(Duration::from_secs(60));
        /// The `:authority` of requests, and the name in the upstream's certificate unless
        /// [`TlsOptions::server_name`] says another. Default: none, so it is that of the endpoint; `localhost` for a
        /// unix socket.
        own authority: Option<String> = None;
        /// The `user-agent` of requests that have none. Default: `grpcws/` and the version.
        held user_agent: String = concat!("grpcws/", env!("CARGO_PKG_VERSION")).to_owned();
        /// The certificates to trust and to show, for `https`.
        held tls: TlsOptions = TlsOptions::default();
    }
}

impl UpstreamOptionsBuilder {
    /// Sets [`authority`](UpstreamOptions::authority).
    pub fn authority(mut self, authority: impl Into<String>) -> Self {
        self.options.authority = Some(authority.into());
        self
    }
}

impl UpstreamOptions {
    fn check(&self) -> Result<(), OptionsError> {
        let most = usize::try_from(u64::from(MAX_WINDOW) / self.stream_window).unwrap_or(usize::MAX);
        if self.max_streams_per_connection > most {
            let (streams, window) = (self.max_streams_per_connection, self.stream_window);
            let text = format!(
                "{streams} with a stream_window of {window} bytes exceed the 2 GiB of a connection: use 1 to {most}"
            );
            return Err(OptionsError::new("max_streams_per_connection", text));
        }
        if self.backoff > self.max_backoff {
            let text = format!(
                "{:?} is longer than max_backoff, {:?}: raise that too",
                self.backoff, self.max_backoff
            );
            return Err(OptionsError::new("backoff", text));
        }
        if let Some(interval) = self.keep_alive_interval.filter(|interval| *interval < MIN_KEEP_ALIVE) {
            let text = format!(
                "{interval:?} is too often: use 10 s or more, or 0 s for no pings; many servers end connections that \
                 are pinged more often than every 5 min"
            );
            return Err(OptionsError::new("keep_alive_interval", text));
        }
        if let Some(time) = self.tcp_keep_alive.filter(|time| *time < Duration::from_secs(1)) {
            let text =
                format!("{time:?} is shorter than the kernel counts: use 1 s or more, or 0 s for no probes");
            return Err(OptionsError::new("tcp_keep_alive", text));
        }
        if HeaderValue::from_str(&self.user_agent).is_err() {
            let text = format!("{:?} cannot be the value of a header: use printable ASCII", self.user_agent);
            return Err(OptionsError::new("user_agent", text));
        }
        Ok(())
    }

    /// [`stream_window`](Self::stream_window) as HTTP/2 has it.
    pub(crate) fn window(&self) -> u32 {
        u32::try_from(self.stream_window).unwrap_or(MAX_WINDOW)
    }

    /// [`max_header_list_size`](Self::max_header_list_size) in memory.
    pub(crate) fn header_list_size(&self) -> usize {
        usize::try_from(self.max_header_list_size).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn refused(builder: UpstreamOptionsBuilder) -> String {
        builder.build().unwrap_err().to_string()
    }

    #[test]
    fn streams_never_outgrow_the_window_of_the_connection() {
        let wide = || UpstreamOptions::builder().stream_window(u64::from(MAX_WINDOW));
        assert!(wide().max_streams_per_connection(1).build().is_ok());
        let error = refused(wide());
        assert!(
            error.starts_with("max_streams_per_connection: 100 with") && error.ends_with("use 1 to 1"),
            "{error}"
        );
    }

    #[test]
    fn what_cannot_work_is_refused_with_its_name_and_the_remedy() {
        let options = UpstreamOptions::builder;
        let seconds = Duration::from_secs;
        for (error, name, remedy) in [
            (refused(options().max_streams_per_connection(0)), "max_streams_per_connection", "use 1 to"),
            (refused(options().max_connections(0)), "max_connections", "use 1 to"),
            (refused(options().connect_wait(Duration::ZERO)), "connect_wait", "use 1 ms or more"),
            (refused(options().max_waiting(0)), "max_waiting", "use 1 to"),
            (refused(options().dial_timeout(Duration::ZERO)), "dial_timeout", "use 1 ms or more"),
            (refused(options().backoff(seconds(121))), "backoff", "max_backoff, 120s: raise"),
            (refused(options().stream_window(0)), "stream_window", "use 1 to 2147483647"),
            (refused(options().stream_window(1 << 31)), "stream_window", "use 1 to 2147483647"),
            (refused(options().max_header_list_size(0)), "max_header_list_size", "use 256 to 1073741824"),
            (refused(options().keep_alive_interval(seconds(9))), "keep_alive_interval", "use 10 s or more"),
            (
                refused(options().tcp_keep_alive(Duration::from_millis(999))),
                "tcp_keep_alive",
                "use 1 s or more",
            ),
            (refused(options().user_agent("a\nb")), "user_agent", "use printable ASCII"),
        ] {
            assert!(error.starts_with(&format!("{name}: ")) && error.contains(remedy), "{error}");
        }
    }

    #[test]
    fn none_and_zero_turn_a_time_off() {
        let options = UpstreamOptions::builder()
            .resolve_interval(Duration::ZERO)
            .idle_timeout(None)
            .keep_alive_interval(Duration::ZERO)
            .tcp_keep_alive(Some(Duration::ZERO))
            .build()
            .unwrap();
        let times = [
            options.resolve_interval(),
            options.idle_timeout(),
            options.keep_alive_interval(),
            options.tcp_keep_alive(),
        ];
        assert_eq!(times, [None; 4]);
    }
}
