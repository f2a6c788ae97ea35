//! The command line of `grpcws`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use grpcws::ConnectionOptions;

use crate::call::{self, CallArguments};
use crate::demo::DemoOptions;
use crate::inspect::{self, DescribeArguments, ListArguments};
use crate::serve::{self, ServeArguments};

/// gRPC streaming for everything that can open a WebSocket.
#[derive(Debug, Parser)]
#[command(name = "grpcws", version, about)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `grpcws` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve a small real-time game, as gRPC and over WebSocket, with a page to play it.
    #[command(after_help = "Examples:
  grpcws demo
  grpcws demo --listen 0.0.0.0:8080 --allow-origin https://games.example.com")]
    Demo(DemoArguments),

    /// Serve every method of a gRPC server over WebSocket.
    #[command(after_help = serve::EXAMPLES)]
    Serve(Box<ServeArguments>),

    /// Call a method through a gateway, with messages as JSON lines on stdin and stdout.
    #[command(after_help = call::EXAMPLES)]
    Call(Box<CallArguments>),

    /// List the services of a gRPC server, or the methods of one.
    #[command(after_help = inspect::LIST_EXAMPLES)]
    List(Box<ListArguments>),

    /// Show a service, method, message or enum of a gRPC server as the source of a .proto file.
    #[command(after_help = inspect::DESCRIBE_EXAMPLES)]
    Describe(Box<DescribeArguments>),
}

/// The options of `grpcws demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// The address of the page, WebSocket, REST and SSE; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The address of gRPC with reflection; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051")]
    grpc_listen: SocketAddr,

    /// An origin that may open WebSockets besides the page's own. May be given more than once.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    allow_origin: Vec<String>,

    /// The time between two pings to a client, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 30_000, value_parser = clap::value_parser!(u64).range(1..))]
    ping_period_ms: u64,

    /// How long streams may go on after SIGTERM or Ctrl-C, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    grace: u64,
}

impl From<DemoArguments> for DemoOptions {
    fn from(arguments: DemoArguments) -> Self {
        let mut options = Self::new(arguments.listen, arguments.grpc_listen);
        options.grace = Duration::from_secs(arguments.grace);
        let period = Duration::from_millis(arguments.ping_period_ms);
        options.connection = arguments
            .allow_origin
            .into_iter()
            .fold(ConnectionOptions::default().ping_period(Some(period)), ConnectionOptions::allow_origin);
        options
    }
}

pub(crate) fn origin(text: &str) -> Result<String, String> {
    match grpcws::proto::handshake::parse_origin(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("an origin has the form https://app.example.com or http://localhost:3000".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn an_origin_with_a_path_is_refused() {
        assert!(Cli::try_parse_from(["grpcws", "demo", "--allow-origin", "https://a.example/x"]).is_err());
        assert!(Cli::try_parse_from(["grpcws", "demo", "--allow-origin", "https://a.example"]).is_ok());
    }
}
