//! The bytes of a WebSocket, over HTTP/1.1 and over HTTP/2.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use crate::failure::Failure;

/// How the bytes of the gateway ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// FIN, or END_STREAM.
    End,
    /// RST, or RST_STREAM.
    Reset,
}

/// What arrives.
#[derive(Debug)]
pub(crate) enum Reader {
    Http1(OwnedReadHalf),
    Http2(RecvStream),
}

impl Reader {
    /// Reads what is there, and at least one byte.
    pub(crate) async fn read(&mut self, into: &mut BytesMut) -> Result<usize, Lost> {
        match self {
            Self::Http1(socket) => match socket.read_buf(into).await {
                Ok(0) => Err(Lost::End),
                Ok(length) => Ok(length),
                Err(_) => Err(Lost::Reset),
            },
            Self::Http2(stream) => loop {
                match stream.data().await {
                    None => return Err(Lost::End),
                    Some(Err(_)) => return Err(Lost::Reset),
                    Some(Ok(data)) if data.is_empty() => {}
                    Some(Ok(data)) => {
                        // An error says that the stream is over, which the next read shows.
                        let _ = stream.flow_control().release_capacity(data.len());
                        into.put_slice(&data);
                        return Ok(data.len());
                    }
                }
            },
        }
    }
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Writer {
    Http1(OwnedWriteHalf),
    Http2(SendStream<Bytes>),
}

impl Writer {
    /// Writes everything, or says that the gateway takes nothing any more.
    pub(crate) async fn write(&mut self, mut bytes: Bytes) -> Result<(), Lost> {
        match self {
            Self::Http1(socket) => socket.write_all(&bytes).await.map_err(|_| Lost::Reset),
            Self::Http2(stream) => {
                while !bytes.is_empty() {
                    let capacity = capacity(stream, bytes.len()).await?;
                    let piece = bytes.split_to(capacity.min(bytes.len()));
                    stream.send_data(piece, false).map_err(|_| Lost::Reset)?;
                }
                Ok(())
            }
        }
    }

    /// Says that nothing more comes, and goes on reading.
    pub(crate) async fn half_close(&mut self) {
        // A gateway that has gone needs to hear nothing.
        let _ = match self {
            Self::Http1(socket) => socket.shutdown().await.map_err(|_| Lost::Reset),
            Self::Http2(stream) => stream.send_data(Bytes::new(), true).map_err(|_| Lost::Reset),
        };
    }

    /// Makes what follows an abort: RST when both halves are dropped, or RST_STREAM now.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Http1(socket) => {
                let _ = socket2::SockRef::from(socket.as_ref()).set_linger(Some(Duration::ZERO));
            }
            Self::Http2(stream) => stream.send_reset(h2::Reason::CANCEL),
        }
    }
}

async fn capacity(stream: &mut SendStream<Bytes>, wanted: usize) -> Result<usize, Lost> {
    stream.reserve_capacity(wanted);
    poll_fn(|cx| {
        loop {
            if stream.capacity() > 0 {
                return Poll::Ready(Ok(stream.capacity()));
            }
            match ready!(stream.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Poll::Ready(Err(Lost::Reset)),
            }
        }
    })
    .await
}

/// Connects from any address of the loopback interface, with a receive buffer of this size, or as the system has it.
pub(crate) async fn tcp(address: SocketAddr, receive_buffer: Option<usize>) -> Result<TcpStream, Failure> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    if address.ip().is_loopback() && address.is_ipv4() {
        socket.bind(&SocketAddr::from((loopback(), 0)).into())?;
    }
    if let Some(size) = receive_buffer {
        // Before it connects: the window that TCP announces follows from it.
        socket.set_recv_buffer_size(size)?;
    }
    let socket = TcpSocket::from_std_stream(socket.into());
    let stream = tokio::time::timeout(Duration::from_secs(20), socket.connect(address)).await??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// One of 249 addresses of this machine. A port is taken for a minute after a connection has ended, and one address has
/// fewer ports than a campaign opens connections in that time.
pub(crate) fn loopback() -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 0, fastrand::u8(2..=250))
}

/// An HTTP/2 connection; its sockets end when it is dropped.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

impl Connection {
    /// Waits for the settings of the gateway, which say that it takes WebSockets.
    pub(crate) async fn open(stream: TcpStream, window: u32) -> Result<Self, Failure> {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(window).initial_connection_window_size(1 << 24).enable_push(false);
        let (sender, mut connection) = builder.handshake::<_, Bytes>(stream).await?;
        let mut pings = connection.ping_pong().ok_or("HTTP/2 pings are taken")?;
        let driver = tokio::spawn(async move {
            // The streams tell how it ended.
            let _ = connection.await;
        });
        let connection = Self { sender, driver };
        // The answer to a ping comes behind the settings.
        tokio::time::timeout(Duration::from_secs(60), pings.ping(h2::Ping::opaque())).await??;
        if !connection.sender.is_extended_connect_protocol_enabled() {
            return Err("no WebSockets over HTTP/2".into());
        }
        Ok(connection)
    }

    /// Opens a WebSocket, and returns the status of the response with its two directions.
    pub(crate) async fn request(&self, request: http::Request<()>) -> Result<(u16, Reader, Writer), Failure> {
        let mut sender = self.sender.clone().ready().await?;
        let (response, writer) = sender.send_request(request, false)?;
        let response = response.await?;
        let status = response.status().as_u16();
        Ok((status, Reader::Http2(response.into_body()), Writer::Http2(writer)))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}
