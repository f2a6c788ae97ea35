//! Limits of the accept loop.

use std::time::Duration;

use grpcws_proto::{OptionsError, options};
use tokio::sync::Semaphore;

use super::{ProxyProtocol, TrustedProxies};
use crate::options::MIN_HEADER_SIZE;

/// What HTTP/2 begins with, in round numbers.
const MIN_STREAM_WINDOW: u32 = 64 * 1024;

/// RFC 9113 §6.9.1.
const MAX_STREAM_WINDOW: u32 = (1 << 31) - 1;

options! {
    /// Limits of the accept loop.
    ///
    /// ```
    /// use std::time::Duration;
    /// use grpcws::server::ServerOptions;
    ///
    /// let options = ServerOptions::builder()
    ///     .max_connections(50_000)
    ///     .http2_keep_alive(Duration::from_secs(60))
    ///     .build()?;
    /// # let _ = options;
    /// # Ok::<(), grpcws::OptionsError>(())
    /// ```
    ServerOptions, ServerOptionsBuilder {
        /// How long a client may take to send the headers of its first request, and of each one after it. Off (`None`
        /// or zero): for ever, so that silent clients can take up all connections. Default: 10 s.
        time header_timeout = Some(Duration::from_secs(10));
        /// How many connections are served at once, upgraded ones included. More get 503. An idle connection takes a
        /// file descriptor and a few KB; the streams of HTTP/2 are counted by
        /// [`max_streams`](crate::ConnectionOptions::max_streams). Default: 10,000.
        number max_connections [1..=Semaphore::MAX_PERMITS]: usize = 10_000;
        /// The most bytes that the headers of a request may have, from 256 to 2^32 − 1. HTTP/1.1 takes 8 KiB in any
        /// case. The cookies of some sign-in services have 20 KB by themselves. Default: 64 KiB.
        number max_header_size [MIN_HEADER_SIZE..=u64::from(u32::MAX)]: u64 = 64 * 1024;
        /// How many streams, and so how many WebSockets, one HTTP/2 connection may have open, at least 1. Each may
        /// hold [`http2_stream_window`](Self::http2_stream_window) that was not read. Default: 1,000.
        number max_concurrent_streams [1..=u32::MAX]: u32 = 1_000;
        /// How many bytes a client may send on one stream of HTTP/2 before they are read, from 64 KiB to 2^31 − 1. They
        /// are kept in memory. A WebSocket sends no more than this in a round trip, so it should be at least as large
        /// as the [`receive_window_max`](crate::ConnectionOptions::receive_window_max) of the uploads. What a WebSocket
        /// that is not read may hold beyond 64 KiB is borrowed from
        /// [`receive_window_budget`](crate::ConnectionOptions::receive_window_budget); a stream for which that has
        /// nothing left ends with status 8. Default: 1 MiB.
        number http2_stream_window [MIN_STREAM_WINDOW..=MAX_STREAM_WINDOW]: u32 = 1024 * 1024;
        /// The time between two HTTP/2 keep-alive pings; a connection that does not answer within 20 s is closed. Off
        /// (`None` or zero): no pings, so that a client that is lost without a word is found by TCP alone.
        /// Default: 30 s.
        time http2_keep_alive = Some(Duration::from_secs(30));
        /// The proxies whose `x-forwarded-for` and `x-forwarded-proto` are believed. Default: none.
        held trusted_proxies: TrustedProxies = TrustedProxies::default();
        /// Whether the connections of trusted proxies begin with a header of the PROXY protocol. Default: off.
        value proxy_protocol: ProxyProtocol = ProxyProtocol::Off;
    }
}

impl ServerOptionsBuilder {
    /// Adds one network or address to [`trusted_proxies`](ServerOptions::trusted_proxies):
    /// [`TrustedProxies::trust`] has the forms.
    pub fn trust(mut self, network: impl AsRef<str>) -> Self {
        match std::mem::take(&mut self.options.trusted_proxies).trust(network) {
            Ok(proxies) => self.options.trusted_proxies = proxies,
            Err(error) => _ = self.refused.get_or_insert(error),
        }
        self
    }
}

impl ServerOptions {
    /// Checks what depends on more than one option.
    fn check(&self) -> Result<(), OptionsError> {
        if self.proxy_protocol != ProxyProtocol::Off && self.trusted_proxies.is_empty() {
            let text = "no proxy is trusted, and others are not believed: give trusted_proxies";
            return Err(OptionsError::new("proxy_protocol", text));
        }
        Ok(())
    }

    /// [`max_header_size`](Self::max_header_size) as HTTP/2 has it.
    pub(super) fn header_list_size(&self) -> u32 {
        u32::try_from(self.max_header_size).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_work_is_refused_with_its_name_and_the_remedy() {
        let refused =
            |builder: ServerOptionsBuilder| builder.build().expect_err("it cannot work").to_string();
        let options = ServerOptions::builder;
        for (error, name) in [
            (refused(options().max_connections(0)), "max_connections: 0 "),
            (refused(options().max_connections(usize::MAX)), "max_connections: "),
            (refused(options().max_header_size(0)), "max_header_size: 0 "),
            (refused(options().max_header_size(1 << 32)), "max_header_size: "),
            (refused(options().max_concurrent_streams(0)), "max_concurrent_streams: 0 "),
            (refused(options().http2_stream_window(1000)), "http2_stream_window: 1000 "),
        ] {
            assert!(error.starts_with(name) && error.contains("is out of range: use "), "{error}");
        }
        assert!(options().max_connections(Semaphore::MAX_PERMITS).build().is_ok());
    }
}
