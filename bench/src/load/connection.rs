//! One socket of the generator.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::ext::Protocol;
use h2::{RecvStream, SendStream};
use http::{Method as HttpMethod, Request, StatusCode, Version};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::format::{Format, Method, Reader, Received};
use super::frame::Parser;
use super::handshake;
use crate::pb::SubscribeRequest;

/// Where a target is, and how it is spoken to.
#[derive(Clone)]
pub(crate) struct Endpoint {
    pub(crate) address: SocketAddr,
    pub(crate) format: Format,
    /// What its paths begin with.
    pub(crate) prefix: &'static str,
    /// The connection that all sockets share, for RFC 8441.
    pub(crate) http2: Option<SendRequest<Bytes>>,
}

/// One socket.
pub(crate) struct Connection {
    transport: Transport,
    /// What came with the answer to the handshake.
    pending: Vec<u8>,
    parser: Parser,
    reader: Reader,
}

enum Transport {
    Tcp(TcpStream),
    Http2 { send: SendStream<Bytes>, receive: RecvStream },
}

/// All sockets read into one buffer, so that thousands cost no memory; what is not whole stays in the parser.
const SCRATCH: usize = 256 * 1024;

/// HTTP/2 windows that never hold a target back.
const WINDOW: u32 = 16 * 1024 * 1024;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SCRATCH]);
}

/// Opens the connection that the sockets of RFC 8441 share.
pub(crate) async fn http2(address: SocketAddr) -> io::Result<SendRequest<Bytes>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(WINDOW).initial_connection_window_size(u32::MAX >> 1);
    let (send, connection) = builder.handshake(stream).await.map_err(io::Error::other)?;
    tokio::task::spawn_local(connection);
    let mut send = send.ready().await.map_err(io::Error::other)?;
    // The settings, which allow extended CONNECT, come before the answer to any request.
    let request = Request::builder().version(Version::HTTP_2).uri(format!("http://{address}/nowhere"));
    let request = request.body(()).map_err(io::Error::other)?;
    let (response, _) = send.send_request(request, true).map_err(io::Error::other)?;
    response.await.map_err(io::Error::other)?;
    Ok(send)
}

impl Connection {
    /// Opens a socket for a call, with all that has to be said before its first message.
    pub(crate) async fn open(
        endpoint: &Endpoint,
        method: Method,
        request: &SubscribeRequest,
    ) -> io::Result<Self> {
        let path = endpoint.format.path(endpoint.prefix, method, request);
        let mut pending = Vec::new();
        let transport = match &endpoint.http2 {
            Some(connection) => open_http2(endpoint, connection.clone(), &path).await?,
            None => {
                let mut stream = TcpStream::connect(endpoint.address).await?;
                stream.set_nodelay(true)?;
                pending = handshake::request(&mut stream, &path, endpoint.format.subprotocol()).await?;
                Transport::Tcp(stream)
            }
        };
        let (parser, reader) = (Parser::client(), Reader::new(endpoint.format));
        let mut connection = Self { transport, pending, parser, reader };
        let opening = endpoint.format.opening(method, request);
        if !opening.is_empty() {
            connection.write(&opening).await?;
        }
        Ok(connection)
    }

    /// Waits for bytes and hands what they hold to `sink`; false at the end of the connection.
    pub(crate) async fn read(&mut self, mut sink: impl FnMut(Received<'_>)) -> io::Result<bool> {
        let Self { transport, pending, parser, reader } = self;
        if !pending.is_empty() {
            let bytes = std::mem::take(pending);
            parser.feed(&bytes, |opcode, payload| reader.read(opcode, payload, &mut sink));
            return Ok(true);
        }
        match transport {
            Transport::Tcp(stream) => loop {
                stream.readable().await?;
                let read = BUFFER.with_borrow_mut(|buffer| {
                    let read = stream.try_read(buffer)?;
                    let bytes = buffer.get(..read).unwrap_or_default();
                    parser.feed(bytes, |opcode, payload| reader.read(opcode, payload, &mut sink));
                    Ok::<_, io::Error>(read)
                });
                match read {
                    Ok(read) => return Ok(read > 0),
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(error) => return Err(error),
                }
            },
            Transport::Http2 { receive, .. } => {
                let Some(chunk) = receive.data().await else { return Ok(false) };
                let chunk = chunk.map_err(io::Error::other)?;
                receive.flow_control().release_capacity(chunk.len()).map_err(io::Error::other)?;
                parser.feed(&chunk, |opcode, payload| reader.read(opcode, payload, &mut sink));
                Ok(true)
            }
        }
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.transport {
            Transport::Tcp(stream) => stream.write_all(bytes).await,
            // What the scenarios send over HTTP/2 is far below its windows.
            Transport::Http2 { send, .. } => {
                send.send_data(Bytes::copy_from_slice(bytes), false).map_err(io::Error::other)
            }
        }
    }

    /// Writes `bytes` so many times and then `last`, and reads until `sink` returns true.
    pub(crate) async fn upload(
        &mut self,
        bytes: &[u8],
        times: u64,
        last: &[u8],
        mut sink: impl FnMut(Received<'_>) -> bool,
    ) -> io::Result<()> {
        let Self { transport: Transport::Tcp(stream), parser, reader, .. } = self else {
            return Err(io::Error::other("uploads over HTTP/2 are not measured"));
        };
        let (mut read_half, mut write_half) = stream.split();
        let writing = async {
            for _ in 0..times {
                write_half.write_all(bytes).await?;
            }
            write_half.write_all(last).await
        };
        let reading = async {
            let (mut buffer, mut over) = ([0; 4096], false);
            while !over {
                let read = read_half.read(&mut buffer).await?;
                let bytes = buffer.get(..read).filter(|bytes| !bytes.is_empty());
                let bytes = bytes.ok_or_else(|| io::Error::other("the target has closed"))?;
                parser.feed(bytes, |opcode, payload| {
                    reader.read(opcode, payload, |received| over |= sink(received));
                });
            }
            Ok(())
        };
        tokio::select! {
            result = reading => result,
            Err(error) = writing => Err(error),
        }
    }
}

async fn open_http2(
    endpoint: &Endpoint,
    connection: SendRequest<Bytes>,
    path: &str,
) -> io::Result<Transport> {
    let mut request = Request::builder()
        .version(Version::HTTP_2)
        .method(HttpMethod::CONNECT)
        .uri(format!("http://{}{path}", endpoint.address))
        .header("sec-websocket-version", "13")
        .extension(Protocol::from_static("websocket"));
    if let Some(subprotocol) = endpoint.format.subprotocol() {
        request = request.header("sec-websocket-protocol", subprotocol);
    }
    let request = request.body(()).map_err(io::Error::other)?;
    let mut connection = connection.ready().await.map_err(io::Error::other)?;
    let (response, send) = connection.send_request(request, false).map_err(io::Error::other)?;
    let response = response.await.map_err(io::Error::other)?;
    if response.status() != StatusCode::OK {
        return Err(io::Error::other(format!("{path}: HTTP status {}", response.status())));
    }
    Ok(Transport::Http2 { send, receive: response.into_body() })
}
