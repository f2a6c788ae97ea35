//! The command line of `grpcws`.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use grpcws::{ConnectionOptions, ConnectionOptionsBuilder, OptionsError};

use crate::call::{self, CallArguments};
use crate::demo::DemoOptions;
use crate::inspect::{self, DescribeArguments, ListArguments, RoutesArguments};
use crate::serve::{self, ServeArguments};
use crate::values::listen_address;

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

    /// List the paths that annotations and a configuration file bind to methods.
    #[command(after_help = inspect::ROUTES_EXAMPLES)]
    Routes(Box<RoutesArguments>),
}

/// The options of `grpcws demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// The address of the page, WebSocket, REST and SSE; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", value_parser = listen_address)]
    listen: SocketAddr,

    /// The address of gRPC with reflection; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:50051", value_parser = listen_address)]
    grpc_listen: SocketAddr,

    /// An origin that may open WebSockets besides the page's own. May be given more than once.
    #[arg(long, value_name = "ORIGIN")]
    allow_origin: Vec<String>,

    /// The time between two pings to a client, in milliseconds; 0 for no pings.
    #[arg(long, value_name = "MS", default_value_t = 30_000)]
    ping_period_ms: u64,

    /// How long streams may go on after SIGTERM or Ctrl-C, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    grace: u64,
}

impl TryFrom<DemoArguments> for DemoOptions {
    type Error = OptionsError;

    fn try_from(arguments: DemoArguments) -> Result<Self, OptionsError> {
        let mut options = Self::new(arguments.listen, arguments.grpc_listen);
        options.grace = Duration::from_secs(arguments.grace);
        let period = Duration::from_millis(arguments.ping_period_ms);
        let connection = ConnectionOptions::builder().ping_period(period);
        options.connection =
            arguments.allow_origin.iter().fold(connection, ConnectionOptionsBuilder::allow_origin).build()?;
        Ok(options)
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
        let demo = |origin| match Cli::try_parse_from(["grpcws", "demo", "--allow-origin", origin]) {
            Ok(Cli { command: Command::Demo(arguments) }) => DemoOptions::try_from(arguments),
            other => panic!("{other:?}"),
        };
        assert!(
            demo("https://a.example/x").expect_err("a path").to_string().contains("\"https://a.example\"")
        );
        assert!(demo("https://a.example").is_ok());
    }
}
