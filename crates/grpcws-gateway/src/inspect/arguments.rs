//! The command lines of `grpcws list` and `grpcws describe`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::descriptors::{LimitArguments, ReflectionHeader};

/// The options of `grpcws list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    #[command(flatten)]
    pub(super) source: SourceArguments,

    /// The service whose methods are listed, as in game.v1.GameService. Without it, the services are.
    #[arg(value_name = "SERVICE", value_parser = name)]
    pub(super) service: Option<String>,
}

/// The options of `grpcws describe`.
#[derive(Debug, Args)]
pub struct DescribeArguments {
    #[command(flatten)]
    pub(super) source: SourceArguments,

    /// A service, method, message or enum by its full name, as in game.v1.GameService/Subscribe or
    /// google.rpc.BadRequest.
    #[arg(value_name = "SYMBOL", value_parser = name)]
    pub(super) symbol: String,
}

/// Where the descriptors come from, and how what they say is shown.
#[derive(Debug, Args)]
pub(super) struct SourceArguments {
    /// The gRPC server: http://HOST:PORT, https://HOST:PORT or unix:/PATH. It is asked by server reflection.
    #[arg(long, value_name = "URL", required_unless_present_any = ["descriptor_set", "proto"])]
    pub(super) upstream: Option<String>,

    /// Descriptors, as written by protoc --descriptor_set_out --include_imports or buf build. No server is asked then.
    #[arg(long, value_name = "FILE")]
    pub(super) descriptor_set: Vec<PathBuf>,

    /// A .proto file to compile, a folder with such files, or a pattern such as 'api/**/*.proto'. No server is asked then.
    #[arg(long, value_name = "FILE")]
    pub(super) proto: Vec<PathBuf>,

    /// A folder that .proto files and their imports are looked up in.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    pub(super) include: Vec<PathBuf>,

    /// What goes with server reflection, such as "authorization: Bearer TOKEN". May be given more than once.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = ReflectionHeader::parse)]
    pub(super) headers: Vec<ReflectionHeader>,

    #[command(flatten)]
    pub(super) limits: LimitArguments,

    /// How the answer is written.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,

    /// How long the server may take.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "10s")]
    pub(super) timeout: Duration,

    /// Certificates that sign the server's (PEM), in place of the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) upstream_ca: Option<PathBuf>,

    /// The certificate to show to the server (PEM).
    #[arg(long, value_name = "FILE", requires = "upstream_key")]
    pub(super) upstream_cert: Option<PathBuf>,

    /// The key of that certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "upstream_cert")]
    pub(super) upstream_key: Option<PathBuf>,

    /// The name of the server in requests and in its certificate, where it is not the one of the URL.
    #[arg(long, value_name = "NAME")]
    pub(super) upstream_authority: Option<String>,
}

impl SourceArguments {
    /// Whether the descriptors come from files.
    pub(super) fn has_files(&self) -> bool {
        !(self.descriptor_set.is_empty() && self.proto.is_empty())
    }
}

/// A name, and not the server that somebody may have put in its place.
fn name(text: &str) -> Result<String, String> {
    match text.contains("://") {
        true => Err(format!("that is no name: give the server with --upstream {text}")),
        false => Ok(text.to_owned()),
    }
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people: names, or the source of a .proto file.
    Text,
    /// For programs.
    Json,
}

/// Shown after the help of `list`.
pub(crate) const LIST_EXAMPLES: &str = "Examples:
  grpcws list --upstream http://127.0.0.1:50051
  grpcws list --upstream http://127.0.0.1:50051 game.v1.GameService
  grpcws list --proto game.proto -I protos --format json

The exit code is that of the gRPC status where the server fails (14 where it cannot be reached), 5 where there is no
such service, 64 for wrong usage, and 74 where the answer cannot be written.";

/// Shown after the help of `describe`.
pub(crate) const DESCRIBE_EXAMPLES: &str = "Examples:
  grpcws describe --upstream http://127.0.0.1:50051 game.v1.GameService
  grpcws describe --upstream http://127.0.0.1:50051 game.v1.GameService/Subscribe
  grpcws describe --descriptor-set api.binpb game.v1.GameEvent --format json

The exit code is that of the gRPC status where the server fails (14 where it cannot be reached), 5 where there is no
such symbol, 64 for wrong usage, and 74 where the answer cannot be written.";
