//! Accepts connections and serves each in a task of its own.

use std::any::Any;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower_service::Service;

use super::arrival::Arrival;
use super::overload::Overload;
use super::patience::{PatientSleep, PatientTimer};
use super::proxy_protocol::{self, Greeting};
use super::sharing::Sharing;
use super::{Connection, ProxyProtocol, ServerOptions, Workers};
use crate::handshake::{close_connection, is_handshake};
use crate::shutdown::Shutdown;
use crate::transport::UNSENT;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The largest that there is. A smaller one could be used up by one WebSocket that is not read, which would hold up
/// all others of the connection; and h2 ends a connection whose unread small frames exceed half of it.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// What is queued on one stream of HTTP/2 for a socket that does not take it. hyper's 400 KB for each of a hundred
/// WebSockets are more than the processor's cache holds.
const SEND_BUFFER: usize = 32 * 1024;

/// Whether a connection has the options of its listener, which spares a system call for each.
const INHERITED: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// How long the loop rests when the process can accept nothing: out of file descriptors, or of memory.
const BACK_OFF: Duration = Duration::from_millis(100);

/// How long connections may take to end after the grace of a shutdown is over, or was cut short.
const AFTER_GRACE: Duration = Duration::from_secs(5);

/// Serves an app, an axum `Router` for one, until the shutdown begins, and then until all connections and
/// streams have ended, or the grace and 5 s are over. [`Shutdown::hurry`] cuts the grace short.
pub async fn serve<S, B>(listener: TcpListener, app: S, options: ServerOptions, shutdown: Shutdown)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    serve_on(listener, Workers::here(app), options, shutdown).await;
}

/// [`serve`] on several runtimes. The limits are those of all together.
pub async fn serve_on<S, B>(
    listener: TcpListener,
    workers: Workers<S>,
    options: ServerOptions,
    shutdown: Shutdown,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + Sync + 'static,
    S::Future: Send,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    set_options(&listener);
    let connections = Arc::new(Semaphore::new(options.max_connections));
    let overload = Overload::default();
    let tasks = TaskTracker::new();
    let server = Arc::new(Server {
        http: http(&options),
        options,
        shutdown: shutdown.clone(),
        abort: CancellationToken::new(),
        warned: AtomicBool::new(false),
    });
    loop {
        let (stream, peer) = tokio::select! {
            biased;
            () = shutdown.begun() => break,
            accepted = accept(&listener) => accepted,
        };
        match Arc::clone(&connections).try_acquire_owned() {
            Ok(permit) => {
                let worker = workers.least_busy();
                let (server, app) = (Arc::clone(&server), worker.app.clone());
                let guard = (permit, worker.count());
                let serve =
                    move |stream| async move { server.serve_connection(app, stream, peer, guard).await };
                if let Err(error) = worker.spawn(&tasks, stream, serve) {
                    tracing::error!(%error, "cannot hand a connection over");
                }
            }
            Err(_) => overload.refuse(stream).await,
        }
    }
    drop(listener);
    tasks.close();
    let all = async {
        tasks.wait().await;
        shutdown.finished().await;
    };
    let over = async {
        tokio::select! {
            () = tokio::time::sleep(shutdown.grace()) => {}
            () = shutdown.hurried() => {}
        }
        tokio::time::sleep(AFTER_GRACE).await;
    };
    tokio::select! {
        () = all => {}
        () = over => {
            let (connections, streams) = (tasks.len(), shutdown.streams());
            tracing::warn!(connections, streams, "some connections outlived the grace");
        }
    }
    // Responses without an end, such as SSE, are cut off here.
    server.abort.cancel();
}

/// Sets the options that the connections of a listener inherit. Small frames are the normal case here, and none of them
/// is to wait for more.
fn set_options(listener: &TcpListener) {
    let _ = SockRef::from(listener).set_tcp_nodelay(true);
    grpcws_tcp::limit_unsent(listener, UNSENT);
}

/// The next connection. Errors of a single connection are passed over; those of the process make it rest,
/// so that it neither ends nor spins.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if !INHERITED {
                    let _ = stream.set_nodelay(true);
                    grpcws_tcp::limit_unsent(&stream, UNSENT);
                }
                return (stream, peer);
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections");
                tokio::time::sleep(BACK_OFF).await;
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

fn http(options: &ServerOptions) -> auto::Builder<TokioExecutor> {
    let mut http = auto::Builder::new(TokioExecutor::new());
    let buffer = usize::try_from(options.max_header_size).unwrap_or(usize::MAX).max(8 * 1024);
    http.http1().timer(PatientTimer).header_read_timeout(options.header_timeout).max_buf_size(buffer);
    http.http2()
        .timer(PatientTimer)
        .enable_connect_protocol()
        .max_header_list_size(options.header_list_size())
        .max_concurrent_streams(options.max_concurrent_streams)
        .initial_stream_window_size(options.http2_stream_window)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(options.http2_keep_alive);
    http
}

/// Resolves after a time; never where there is none.
async fn passed(time: Option<Duration>) {
    match time {
        Some(time) => PatientSleep::new(time).await,
        None => std::future::pending().await,
    }
}

struct Server {
    http: auto::Builder<TokioExecutor>,
    options: ServerOptions,
    shutdown: Shutdown,
    /// Ends the connections that are left.
    abort: CancellationToken,
    /// A connection was closed for want of a header of the PROXY protocol.
    warned: AtomicBool,
}

impl Server {
    /// Reads what a proxy says of its client first, if this one does. `None` if the connection is to be closed.
    async fn read_proxy_header(&self, stream: &mut TcpStream, peer: SocketAddr) -> Option<(Greeting, Bytes)> {
        let trusted = self.options.trusted_proxies.contains(peer.ip());
        let required = match self.options.proxy_protocol {
            ProxyProtocol::Off => return Some((Greeting::None, Bytes::new())),
            ProxyProtocol::Optional if !trusted => return Some((Greeting::None, Bytes::new())),
            ProxyProtocol::Required if !trusted => {
                self.refused_proxy(peer, &"it is none of the trusted proxies");
                return None;
            }
            header => header == ProxyProtocol::Required,
        };
        if !required {
            // An HTTP proxy opens connections ahead, and may say nothing on them for long.
            tokio::select! {
                _ = stream.readable() => {}
                () = passed(self.options.header_timeout) => return None,
            }
        }
        tokio::select! {
            read = proxy_protocol::read(stream, required) => match read {
                Ok(read) => Some(read),
                Err(error) => {
                    self.refused_proxy(peer, &error);
                    None
                }
            },
            () = PatientSleep::new(proxy_protocol::TIMEOUT) => {
                self.refused_proxy(peer, &"no whole header within 5 s");
                None
            }
        }
    }

    /// Tells that a connection is closed for want of a header of the PROXY protocol: the first time as a warning, since
    /// a wrong network closes them all.
    fn refused_proxy(&self, peer: SocketAddr, reason: &dyn std::fmt::Display) {
        let peer = peer.ip();
        if self.warned.swap(true, Ordering::Relaxed) {
            tracing::debug!(%peer, %reason, "PROXY protocol: connection closed");
        } else {
            tracing::warn!(%peer, %reason, "PROXY protocol: connection closed; more of these are logged at debug");
        }
    }

    /// Serves a connection, which holds `guard` until it is closed.
    async fn serve_connection<S, B>(
        &self,
        app: S,
        mut stream: TcpStream,
        peer: SocketAddr,
        guard: impl Any + Send,
    ) where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        let spoken = Arc::new(AtomicBool::new(false));
        let heard = Arc::clone(&spoken);
        let greeted = tokio::select! {
            greeted = self.read_proxy_header(&mut stream, peer) => greeted,
            () = self.shutdown.begun() => None,
        };
        let Some((greeting, read)) = greeted else { return };
        let stream = Connection::new(stream, guard).after(read);
        let arrival = Arrival::new(&stream, peer, greeting, &self.options);
        let service = service_fn(move |mut request: Request<Incoming>| {
            heard.store(true, Ordering::Relaxed);
            arrival.annotate(&mut request);
            // What follows such a request may be frames, so where it is refused, by whichever part of the app,
            // nothing behind it may be taken for a request.
            let (version, handshake) = (request.version(), is_handshake(&request));
            let share = (version == Version::HTTP_2).then(|| arrival.share());
            let response = app.clone().call(request);
            async move {
                let mut response = response.await?.map(|body| Sharing { body, share });
                if handshake && response.status() != StatusCode::SWITCHING_PROTOCOLS {
                    close_connection(&mut response, version);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let io = TokioIo::new(stream);
        let mut connection = pin!(self.http.serve_connection_with_upgrades(io, service));
        // hyper's own timeout begins with the first byte of a request, and a silent client sends none.
        let mut silence = pin!(passed(self.options.header_timeout));
        let mut draining = false;
        loop {
            tokio::select! {
                result = connection.as_mut() => {
                    if let Err(error) = result {
                        tracing::debug!(%error, "connection ended");
                    }
                    return;
                }
                () = silence.as_mut(), if !spoken.load(Ordering::Relaxed) => {
                    // The timer may be polled once more after the first request has come.
                    if !spoken.load(Ordering::Relaxed) {
                        return;
                    }
                }
                () = self.abort.cancelled() => return,
                () = self.shutdown.begun(), if !draining => {
                    draining = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_frame_waits_for_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        set_options(&listener);
        let client = TcpStream::connect(listener.local_addr().expect("bound"));
        let ((accepted, _), client) = tokio::join!(accept(&listener), client);
        assert!(client.is_ok());
        assert!(accepted.nodelay().expect("a connection"));
    }
}
