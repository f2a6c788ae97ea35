//! From an address to a connection that speaks HTTP/2.

mod ahead;
mod error;
mod frames;
mod io;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

pub(crate) use error::{DialError, Failure};
pub(crate) use io::{Io, Notes};

use frames::{Frames, MAX_BLOCK};

use crate::options::{MAX_WINDOW, UpstreamOptions};
use crate::resolve::Address;
use crate::tls::Tls;

/// The number of permitted streams before the upstream has sent its settings. It is not the one that settings
/// without a limit make (`usize::MAX`), and no limit that settings can have, so its change tells that they came.
const NO_SETTINGS_YET: usize = usize::MAX - 1;

/// How many resets h2 remembers, and how long, so that what the upstream had sent before it saw the reset is
/// passed over. A stream that is forgotten earlier costs a second RST_STREAM.
const REMEMBERED_RESETS: usize = 1_000;
const REMEMBER_RESETS: Duration = Duration::from_secs(10);

/// What h2 charges at most for a DATA frame that is not read, less the one byte that it has at least.
const FRAME_CHARGE: usize = 255;

/// How many bytes of a request are queued in h2 for a socket that does not take them.
const SEND_BUFFER: usize = 64 * 1024;

/// How connections to one upstream are made.
#[derive(Clone)]
pub(crate) struct Dialer {
    tls: Option<Tls>,
    timeout: Duration,
    tcp_keep_alive: Option<Duration>,
    /// The most bytes that h2 is let read as one block of headers.
    max_block: usize,
    http2: Builder,
}

/// A connection that is ready for requests, and has to be driven.
pub(crate) struct Dialed {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) http2: Connection<Io, Bytes>,
    pub(crate) notes: Arc<Notes>,
}

impl Dialer {
    pub(crate) fn new(options: &UpstreamOptions, tls: Option<Tls>) -> Self {
        let window = options.window();
        let unread =
            usize::try_from(window).unwrap_or(usize::MAX).saturating_mul(options.max_streams_per_connection);
        let max_block = options.header_list_size().max(MAX_BLOCK);
        let mut http2 = Builder::new();
        http2
            .enable_push(false)
            .initial_window_size(window)
            // Stalled streams fill their own windows, never that of the connection.
            .initial_connection_window_size(MAX_WINDOW)
            // Even if each of them is full of frames of one byte, h2 must not end the connection.
            .data_frame_budget(unread.saturating_mul(FRAME_CHARGE))
            .max_header_list_size(u32::try_from(header_list(options, max_block)).unwrap_or(u32::MAX))
            .max_send_buffer_size(SEND_BUFFER)
            .initial_max_send_streams(NO_SETTINGS_YET)
            .max_concurrent_reset_streams(REMEMBERED_RESETS)
            .reset_stream_duration(REMEMBER_RESETS)
            // h2 counts what arrives for a stream that it has forgotten over the whole life of a connection, and
            // would end it after 1,024: a long-lived connection with many cancelled calls gets there.
            .max_local_error_reset_streams(None);
        Self { tls, timeout: options.dial_timeout, tcp_keep_alive: options.tcp_keep_alive, max_block, http2 }
    }

    /// Connects, up to and including the upstream's HTTP/2 settings.
    pub(crate) async fn dial(&self, address: &Address) -> Result<Dialed, DialError> {
        let deadline = Instant::now() + self.timeout;
        let notes = Arc::new(Notes::default());
        let io = self.connect(address, deadline, &notes).await?;
        let (send, http2) = match timeout_at(deadline, self.http2(io, &notes)).await {
            Ok(ready) => ready?,
            Err(_) => return Err(DialError::timeout(self.tls.is_some()).into()),
        };
        Ok(Dialed { send, http2, notes })
    }

    async fn connect(
        &self,
        address: &Address,
        deadline: Instant,
        notes: &Arc<Notes>,
    ) -> Result<Io, DialError> {
        let frames = Frames::new(self.max_block);
        let address = match address {
            Address::Tcp(address) => *address,
            Address::Unix(path) => return connect_unix(path, deadline, frames, notes).await,
        };
        let tcp = match timeout_at(deadline, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(DialError::connect)?,
            Err(_) => return Err(Failure::ConnectTimeout.into()),
        };
        self.set_options(&tcp, address);
        let Some(tls) = &self.tls else { return Ok(Io::tcp(tcp, frames, notes)) };
        let stream = match timeout_at(deadline, tls.connector.connect(tls.name.clone(), tcp)).await {
            Ok(connected) => connected.map_err(DialError::tls)?,
            Err(_) => return Err(Failure::TlsTimeout.into()),
        };
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(Failure::NoAlpn.into());
        }
        Ok(Io::tls(stream, frames, notes))
    }

    /// What is refused here costs latency or detection of a lost peer, but not the connection.
    fn set_options(&self, tcp: &TcpStream, address: SocketAddr) {
        if let Err(error) = tcp.set_nodelay(true) {
            tracing::debug!(%address, %error, "cannot set TCP_NODELAY");
        }
        if let Some(time) = self.tcp_keep_alive {
            let keep_alive = socket2::TcpKeepalive::new().with_time(time);
            if let Err(error) = socket2::SockRef::from(tcp).set_tcp_keepalive(&keep_alive) {
                tracing::debug!(%address, %error, "cannot set the TCP keep-alive");
            }
        }
    }

    /// Shakes hands, and waits for the upstream's settings: only they tell that it is there and speaks HTTP/2.
    async fn http2(
        &self,
        io: Io,
        notes: &Notes,
    ) -> Result<(SendRequest<Bytes>, Connection<Io, Bytes>), DialError> {
        let tls = self.tls.is_some();
        let (send, mut http2) =
            self.http2.handshake(io).await.map_err(|error| DialError::http2(error, notes.failure(), tls))?;
        std::future::poll_fn(|cx| match Future::poll(std::pin::Pin::new(&mut http2), cx) {
            Poll::Ready(Ok(())) => {
                Poll::Ready(Err(notes.failure().unwrap_or_else(|| DialError::closed(tls)).into()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(DialError::http2(error, notes.failure(), tls))),
            Poll::Pending if send.current_max_send_streams() == NO_SETTINGS_YET => Poll::Pending,
            Poll::Pending => Poll::Ready(Ok(())),
        })
        .await?;
        Ok((send, http2))
    }
}

/// The limit of headers that h2 itself has. What is beyond it h2 drops from trailers without a word, so it is no limit
/// that is ever met in silence: where it cuts, more than our own limit is left.
///
/// It cuts before the field that goes beyond it. A field of a block has at most 8/5 of the block's bytes (the shortest
/// codes of HPACK have five bits), or 4 KiB from the table of the connection.
fn header_list(options: &UpstreamOptions, max_block: usize) -> usize {
    max_block.saturating_mul(2).saturating_add(options.header_list_size())
}

#[cfg(unix)]
async fn connect_unix(
    path: &Path,
    deadline: Instant,
    frames: Frames,
    notes: &Arc<Notes>,
) -> Result<Io, DialError> {
    match timeout_at(deadline, tokio::net::UnixStream::connect(path)).await {
        Ok(connected) => Ok(Io::unix(connected.map_err(DialError::connect)?, frames, notes)),
        Err(_) => Err(Failure::ConnectTimeout.into()),
    }
}

#[cfg(not(unix))]
async fn connect_unix(_: &Path, _: Instant, _: Frames, _: &Arc<Notes>) -> Result<Io, DialError> {
    Err(Failure::Other.into())
}
