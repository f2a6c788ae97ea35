//! The test service as a program.
#![allow(clippy::print_stdout, reason = "the line with the address is for whoever started the program")]

use std::error::Error;

use clap::Parser;
use grpcws_test::{ServeOptions, TestService, serve_with_shutdown};
use tokio::net::TcpListener;

/// A gRPC service that behaves as its caller asks (grpcws.test.v1.TestService, with reflection).
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The address to listen on; with port 0 the system chooses one.
    #[arg(long, default_value = "127.0.0.1:50051")]
    listen: String,
    /// How many request bytes a client may send ahead on one stream.
    #[arg(long, value_name = "BYTES")]
    stream_window: Option<u32>,
    /// How many request bytes a client may send ahead on one connection.
    #[arg(long, value_name = "BYTES")]
    connection_window: Option<u32>,
    /// How many calls one connection may have.
    #[arg(long, value_name = "COUNT")]
    max_concurrent_streams: Option<u32>,
    /// The largest frame that a client may send.
    #[arg(long, value_name = "BYTES")]
    max_frame_size: Option<u32>,
    /// How many ended calls `Stats` can list.
    #[arg(long, value_name = "COUNT", default_value_t = 1_024)]
    remember: usize,
}

impl From<&Arguments> for ServeOptions {
    fn from(arguments: &Arguments) -> Self {
        let mut options = Self::default();
        options.stream_window = arguments.stream_window;
        options.connection_window = arguments.connection_window;
        options.max_concurrent_streams = arguments.max_concurrent_streams;
        options.max_frame_size = arguments.max_frame_size;
        options
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    let listener = TcpListener::bind(&arguments.listen).await?;
    println!("listening grpc://{}", listener.local_addr()?);
    let interrupted = async {
        // Without a handler for the signal the program ends when it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    let service = TestService::remembering(arguments.remember);
    serve_with_shutdown(listener, service, ServeOptions::from(&arguments), interrupted).await?;
    Ok(())
}
