//! Typed handlers in front of a gRPC server that is not ours.
//!
//! `cargo run -p grpcws --example typed_bridge -- --upstream http://127.0.0.1:50051` serves the streaming
//! methods of `grpcws.test.v1` at `/ws/test/server-stream`, `/ws/test/client-stream` and `/ws/test/bidi`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Parser;
use grpcws::server::{ServerOptions, serve};
use grpcws::{ConnectionOptions, Shutdown};
use tokio::net::TcpListener;
use tonic::transport::Endpoint;

#[path = "../tests/common/app.rs"]
mod app;

#[derive(Parser)]
struct Arguments {
    /// The gRPC server, as `http://HOST:PORT`.
    #[arg(long)]
    upstream: String,
    /// The address to serve on; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// The time between two pings, in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    ping_period_ms: u64,
    /// How long a client may be silent, in milliseconds.
    #[arg(long, default_value_t = 90_000)]
    pong_timeout_ms: u64,
    /// The largest message of a client, in bytes.
    #[arg(long, default_value_t = 4 * 1024 * 1024)]
    max_message_size: u64,
    /// How long a write may make no progress, in milliseconds.
    #[arg(long, default_value_t = 60_000)]
    write_stall_ms: u64,
    /// An origin that is accepted besides the same one. May be given more than once.
    #[arg(long)]
    allow_origin: Vec<String>,
    /// How long streams may go on after SIGTERM, in milliseconds.
    #[arg(long, default_value_t = 0)]
    grace_ms: u64,
}

#[tokio::main]
#[allow(clippy::print_stdout, reason = "the address is what the caller waits for")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let arguments = Arguments::parse();
    let mut options = ConnectionOptions::builder()
        .ping_period(Some(Duration::from_millis(arguments.ping_period_ms)))
        .pong_timeout(Some(Duration::from_millis(arguments.pong_timeout_ms)))
        .write_stall_timeout(Some(Duration::from_millis(arguments.write_stall_ms)))
        .max_message_size(arguments.max_message_size);
    for origin in arguments.allow_origin {
        options = options.allow_origin(origin);
    }
    let options = options.build()?;
    let shutdown = Shutdown::new();
    let channel = Endpoint::from_shared(arguments.upstream)?.connect_lazy();
    let app = app::app(&app::grpcws(options, &shutdown), channel)?;
    let listener = TcpListener::bind(arguments.listen).await?;
    println!("listening ws://{}", listener.local_addr()?);

    let on_signal = shutdown.clone();
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        on_signal.begin(Duration::from_millis(arguments.grace_ms));
    });
    serve(listener, app, ServerOptions::default(), shutdown).await;
    Ok(())
}
