//! A server of HTTP/2 streams that does what a test says.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::message;

type Handle = dyn Fn(usize, Request<RecvStream>, SendResponse<Bytes>) -> Pin<Box<dyn Future<Output = ()> + Send>>
    + Send
    + Sync;

/// What the server does with a request; it is told the number of the connection, from 0.
#[derive(Clone)]
pub struct Handler(Arc<Handle>);

impl Handler {
    pub fn new<F, R>(handle: F) -> Self
    where
        F: Fn(usize, Request<RecvStream>, SendResponse<Bytes>) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        Self(Arc::new(move |connection, request, respond| Box::pin(handle(connection, request, respond))))
    }

    /// Reads the request and answers each call with one empty message.
    pub fn unary() -> Self {
        Self::new(|_, mut request, respond| async move {
            if read(request.body_mut()).await.is_ok() {
                answer(respond);
            }
        })
    }

    /// Begins a response without an end.
    pub fn endless() -> Self {
        Self::new(|_, _request, mut respond| async move {
            let mut stream = respond.send_response(head(), false).unwrap();
            stream.send_data(message(b""), false).unwrap();
            std::future::poll_fn(|cx| stream.poll_reset(cx)).await.ok();
        })
    }
}

pub fn head() -> Response<()> {
    Response::builder().header("content-type", "application/grpc").body(()).unwrap()
}

/// One empty message and status OK.
pub fn answer(mut respond: SendResponse<Bytes>) {
    // The client may be gone.
    let Ok(mut stream) = respond.send_response(head(), false) else { return };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let _ = stream.send_data(message(b""), false);
    let _ = stream.send_trailers(trailers);
}

/// The whole body of a request, or how it was reset.
pub async fn read(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        read.extend_from_slice(&data);
    }
    Ok(read)
}

/// The server. To drop it is to kill it: listener, connections and streams.
pub struct Own {
    pub address: SocketAddr,
    /// Connections that are open.
    pub open: Arc<AtomicUsize>,
    /// Connections that there ever were.
    pub accepted: Arc<AtomicUsize>,
    _task: AbortOnDrop,
}

/// A task that ends with its owner.
pub struct AbortOnDrop(pub JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How the server treats its connections.
#[derive(Clone, Default)]
pub struct Manners {
    /// Ends a connection gracefully after this many requests.
    pub requests: Option<usize>,
    /// How much a client may send ahead on a stream.
    pub window: Option<u32>,
    pub max_concurrent_streams: Option<u32>,
}

impl Own {
    pub async fn start(handler: Handler) -> Self {
        Self::with(TcpListener::bind("127.0.0.1:0").await.unwrap(), Manners::default(), handler)
    }

    pub async fn mannered(manners: Manners, handler: Handler) -> Self {
        Self::with(TcpListener::bind("127.0.0.1:0").await.unwrap(), manners, handler)
    }

    pub fn with(listener: TcpListener, manners: Manners, handler: Handler) -> Self {
        let address = listener.local_addr().unwrap();
        let (open, accepted) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counts = (Arc::clone(&open), Arc::clone(&accepted));
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (io, _) = listener.accept().await.unwrap();
                io.set_nodelay(true).unwrap();
                let number = counts.1.fetch_add(1, Ordering::SeqCst);
                let open = Open::new(&counts.0);
                let (manners, handler) = (manners.clone(), handler.clone());
                connections.spawn(async move {
                    let _open = open;
                    let io = io.into_std().unwrap();
                    let mut rest = TcpStream::from_std(io.try_clone().unwrap()).unwrap();
                    serve(TcpStream::from_std(io).unwrap(), number, manners, handler).await;
                    // As gRPC's servers do: a connection that is dropped with unread bytes, of a window's update
                    // say, is reset, and the reset destroys what the client has not read yet.
                    let mut nowhere = tokio::io::sink();
                    let drained = tokio::io::copy(&mut rest, &mut nowhere);
                    let _ = tokio::time::timeout(Duration::from_secs(1), drained).await;
                });
            }
        });
        Self { address, open, accepted, _task: AbortOnDrop(task) }
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Counts a connection for as long as it is there.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Serves one connection to its end.
pub async fn serve<T>(io: T, number: usize, manners: Manners, handler: Handler)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let mut builder = Builder::new();
    if let Some(window) = manners.window {
        builder.initial_window_size(window);
    }
    if let Some(streams) = manners.max_concurrent_streams {
        builder.max_concurrent_streams(streams);
    }
    let Ok(mut connection) = builder.handshake(io).await else { return };
    let mut streams = JoinSet::new();
    let mut requests = 0;
    while let Some(accepted) = connection.accept().await {
        let Ok((request, respond)) = accepted else { return };
        streams.spawn((handler.0)(number, request, respond));
        requests += 1;
        if manners.requests.is_some_and(|most| requests == most) {
            connection.graceful_shutdown();
        }
    }
}
