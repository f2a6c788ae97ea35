//! Limits and times of an upstream.

use std::time::Duration;

use crate::tls::TlsOptions;

/// The least time between two keep-alive pings.
const MIN_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// The largest window that HTTP/2 has.
pub(crate) const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Limits and times of an [`Upstream`](crate::Upstream).
///
/// The crate's documentation has a table of the defaults, and says what they cost in memory.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct UpstreamOptions {
    /// How many calls share a connection at most. Where the upstream permits fewer, that counts.
    /// Default: 100. The product with [`stream_window`](Self::stream_window) is kept below 2 GiB.
    pub max_streams_per_connection: usize,
    /// How many connections there are at once, over all addresses; those that only finish their calls after a
    /// GOAWAY are not counted. Each takes a file descriptor. Default: 1,024.
    pub max_connections: usize,
    /// How long a call waits for a connection that can take it, or for the end of another call, before it fails
    /// with UNAVAILABLE. Default: 10 s.
    pub connect_wait: Duration,
    /// How many calls wait at once; more fail with UNAVAILABLE. Default: 10,000.
    pub max_waiting: usize,
    /// How long connecting may take: TCP, TLS, and the upstream's HTTP/2 settings together. Default: 20 s.
    pub dial_timeout: Duration,
    /// The shortest time from one failed attempt to connect to an address until the next. It grows by 1.6 with
    /// each failure, and varies by 20 %. Meanwhile calls fail at once if there is no other address. Default: 1 s.
    pub backoff: Duration,
    /// The longest time between two attempts. Default: 120 s.
    pub max_backoff: Duration,
    /// How long the addresses of a host name are used before they are looked up again by the next call.
    /// Independent of that they are looked up before connecting anew. Default: 30 s.
    pub resolve_interval: Duration,
    /// How long a connection without calls is kept, if there is another one to the same address. Default: 5 min.
    pub idle_timeout: Duration,
    /// How many bytes of responses the upstream may send ahead on each call, which is also what is kept in memory
    /// for a call that is not read. Default: 128 KiB.
    pub stream_window: u32,
    /// The most bytes that the headers, or the trailers, of a response may have. Default: 64 KiB.
    pub max_header_list_size: u32,
    /// How often a call is tried anew that the upstream has provably not seen. Default: 4.
    pub retries: u32,
    /// How many bytes of a request are kept until the response begins, to try anew; a call that has sent more is
    /// not. Default: 64 KiB.
    pub retry_buffer: usize,
    /// How often it is looked whether a connection has shown a sign of life since, so that it is checked by an HTTP/2
    /// PING where it has not. At least 10 s; better 5 min or more, since many servers end connections that are pinged
    /// more often, and with them all their calls.
    /// Default: none, so there are no pings.
    pub keep_alive_interval: Option<Duration>,
    /// How long the upstream may take to answer a ping before the connection counts as lost. Default: 20 s.
    pub keep_alive_timeout: Duration,
    /// Whether connections without calls are pinged too. Default: no.
    pub keep_alive_while_idle: bool,
    /// The time without data after which the kernel probes a TCP connection. Default: 60 s.
    pub tcp_keep_alive: Option<Duration>,
    /// The `:authority` of requests, and the name in the upstream's certificate unless
    /// [`TlsOptions::server_name`] says another. Default: none, so it is that of the endpoint; `localhost` for a
    /// unix socket.
    pub authority: Option<String>,
    /// The `user-agent` of requests that have none. Default: `grpcws/` and the version.
    pub user_agent: String,
    /// The certificates of an upstream with `https`. Default: the system's roots, no client certificate.
    pub tls: TlsOptions,
}

impl Default for UpstreamOptions {
    fn default() -> Self {
        Self {
            max_streams_per_connection: 100,
            max_connections: 1_024,
            connect_wait: Duration::from_secs(10),
            max_waiting: 10_000,
            dial_timeout: Duration::from_secs(20),
            backoff: Duration::from_secs(1),
            max_backoff: Duration::from_secs(120),
            resolve_interval: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(5 * 60),
            stream_window: 128 * 1024,
            max_header_list_size: 64 * 1024,
            retries: 4,
            retry_buffer: 64 * 1024,
            keep_alive_interval: None,
            keep_alive_timeout: Duration::from_secs(20),
            keep_alive_while_idle: false,
            tcp_keep_alive: Some(Duration::from_secs(60)),
            authority: None,
            user_agent: concat!("grpcws/", env!("CARGO_PKG_VERSION")).to_owned(),
            tls: TlsOptions::default(),
        }
    }
}

/// A by-value setter for each field.
macro_rules! setters {
    ($($(#[$docs:meta])* $field:ident: $type:ty => $value:expr;)*) => {
        $(
            $(#[$docs])*
            #[must_use]
            pub fn $field(mut self, $field: $type) -> Self {
                self.$field = $value;
                self
            }
        )*
    };
}

impl UpstreamOptions {
    setters! {
        /// Sets [`max_streams_per_connection`](Self::max_streams_per_connection).
        max_streams_per_connection: usize => max_streams_per_connection;
        /// Sets [`max_connections`](Self::max_connections).
        max_connections: usize => max_connections;
        /// Sets [`connect_wait`](Self::connect_wait).
        connect_wait: Duration => connect_wait;
        /// Sets [`max_waiting`](Self::max_waiting).
        max_waiting: usize => max_waiting;
        /// Sets [`dial_timeout`](Self::dial_timeout).
        dial_timeout: Duration => dial_timeout;
        /// Sets [`backoff`](Self::backoff).
        backoff: Duration => backoff;
        /// Sets [`max_backoff`](Self::max_backoff).
        max_backoff: Duration => max_backoff;
        /// Sets [`resolve_interval`](Self::resolve_interval).
        resolve_interval: Duration => resolve_interval;
        /// Sets [`idle_timeout`](Self::idle_timeout).
        idle_timeout: Duration => idle_timeout;
        /// Sets [`stream_window`](Self::stream_window).
        stream_window: u32 => stream_window;
        /// Sets [`max_header_list_size`](Self::max_header_list_size).
        max_header_list_size: u32 => max_header_list_size;
        /// Sets [`retries`](Self::retries).
        retries: u32 => retries;
        /// Sets [`retry_buffer`](Self::retry_buffer).
        retry_buffer: usize => retry_buffer;
        /// Sets [`keep_alive_interval`](Self::keep_alive_interval).
        keep_alive_interval: Duration => Some(keep_alive_interval);
        /// Sets [`keep_alive_timeout`](Self::keep_alive_timeout).
        keep_alive_timeout: Duration => keep_alive_timeout;
        /// Sets [`keep_alive_while_idle`](Self::keep_alive_while_idle).
        keep_alive_while_idle: bool => keep_alive_while_idle;
        /// Sets [`tcp_keep_alive`](Self::tcp_keep_alive); with none the kernel does not probe.
        tcp_keep_alive: Option<Duration> => tcp_keep_alive;
        /// Sets [`authority`](Self::authority).
        authority: impl Into<String> => Some(authority.into());
        /// Sets [`user_agent`](Self::user_agent).
        user_agent: impl Into<String> => user_agent.into();
        /// Sets [`tls`](Self::tls).
        tls: TlsOptions => tls;
    }

    /// The window of a stream, within what HTTP/2 permits.
    pub(crate) fn window(&self) -> u32 {
        self.stream_window.clamp(1, MAX_WINDOW)
    }

    /// The limit of streams, low enough that the connection's window never holds a stream up.
    pub(crate) fn streams(&self) -> usize {
        let fit = usize::try_from(MAX_WINDOW / self.window()).unwrap_or(usize::MAX).max(1);
        self.max_streams_per_connection.clamp(1, fit)
    }

    /// The time between two pings, no shorter than is decent.
    pub(crate) fn ping_interval(&self) -> Option<Duration> {
        self.keep_alive_interval.map(|interval| interval.max(MIN_KEEP_ALIVE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_never_outgrow_the_window_of_the_connection() {
        let options = UpstreamOptions::default();
        assert_eq!(options.streams(), 100);
        let wide = options.clone().stream_window(u32::MAX).max_streams_per_connection(10);
        assert_eq!((wide.window(), wide.streams()), (MAX_WINDOW, 1));
        assert_eq!(options.max_streams_per_connection(0).streams(), 1);
    }
}
