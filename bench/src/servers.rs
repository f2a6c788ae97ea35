//! The programs of the benchmark that are part of this one: backend, in-process library, bare echo.

use std::error::Error;
use std::future::pending;

use grpcws::bridge::Bridge;
use grpcws::server::ServerOptions;
use grpcws::services::Services;
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_upstream::{Upstream, UpstreamOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tonic::transport::server::TcpIncoming;

use crate::load::frame::{self, Opcode, Parser};
use crate::load::handshake;
use crate::service::routes;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// More sockets than any scenario opens.
const MAX_CONNECTIONS: usize = 100_000;

/// The service as a gRPC server.
pub(crate) async fn backend(listen: &str) -> Result {
    let listener = TcpListener::bind(listen).await?;
    println!("listening grpc://{}", listener.local_addr()?);
    tonic::transport::Server::builder()
        .max_concurrent_streams(MAX_STREAMS)
        .add_routes(routes())
        .serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true)))
        .await?;
    Ok(())
}

/// As grpc-go, the backend has no limit of streams that matters: what is measured is not the pool.
const MAX_STREAMS: u32 = 100_000;

/// The service in the same process as the bridge.
pub(crate) async fn library(listen: &str) -> Result {
    serve(listen, axum::Router::new().nest_service("/ws", with_options(Bridge::new(routes()))?)).await
}

/// The library in front of a gRPC server: the gateway without all that is not the bridge, to tell one from the
/// other.
pub(crate) async fn bridge(listen: &str, upstream: &str) -> Result {
    let upstream = Upstream::new(upstream, UpstreamOptions::default())?;
    serve(listen, axum::Router::new().nest_service("/ws", with_options(Bridge::new(upstream))?)).await
}

fn with_options<S>(bridge: Bridge<S>) -> Result<Bridge<S>> {
    let services = Services::from_file_descriptor_set(crate::FILE_DESCRIPTOR_SET)?;
    Ok(bridge.descriptors(services).options(ConnectionOptions::default()))
}

async fn serve(listen: &str, app: axum::Router) -> Result {
    let listener = TcpListener::bind(listen).await?;
    println!("listening ws://{}", listener.local_addr()?);
    let options = ServerOptions::builder().max_connections(MAX_CONNECTIONS).build().expect("valid options");
    grpcws::server::serve(listener, app, options, Shutdown::new()).await;
    pending().await
}

/// A WebSocket that sends back what it gets: what any bridge pays for its socket. It reads and writes as much at
/// once as there is.
pub(crate) async fn echo(listen: &str) -> Result {
    let listener = TcpListener::bind(listen).await?;
    println!("listening ws://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A client that goes away is no fault of the echo's.
            let _ = echo_socket(stream).await;
        });
    }
}

async fn echo_socket(mut stream: TcpStream) -> Result {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 16 * 1024];
    handshake::answer(&mut stream).await?;
    let mut parser = Parser::server();
    let mut output = Vec::with_capacity(buffer.len());
    loop {
        let read = stream.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        parser.feed(bytes, |opcode, payload| {
            if matches!(opcode, Opcode::TEXT | Opcode::BINARY) {
                frame::append(opcode, payload, None, &mut output);
            }
        });
        stream.write_all(&output).await?;
        output.clear();
    }
}
