//! The command line of `grpcws serve`.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::generic_route::GenericRouteSetting;
use super::proxy_protocol::ProxyProtocolSetting;
use super::reflection::ReflectionSetting;
use super::unknown_parameters::UnknownParametersSetting;
use crate::descriptors::{LimitArguments, ReflectionHeader};
use crate::values::{listen_address, size, workers};

/// The options of `grpcws serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// A gRPC server: http://HOST:PORT, https://HOST:PORT or unix:/PATH. With PREFIX= in front it gets the services
    /// whose name begins with that, as in game.v1=http://games:50051. May be given more than once.
    #[arg(long, value_name = "[PREFIX=]URL")]
    pub(super) upstream: Vec<String>,

    /// The address of the gateway: 127.0.0.1:8080, localhost:8080, or :8080 for every address of the machine; port 0 takes a
    /// free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", value_parser = listen_address)]
    pub(super) listen: Option<SocketAddr>,

    /// A configuration file (TOML). What is given here as well counts more than what it says.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,

    /// Descriptors, as written by protoc --descriptor_set_out --include_imports or buf build. Without any, and
    /// without --proto, they come from server reflection.
    #[arg(long, value_name = "FILE")]
    pub(super) descriptor_set: Vec<PathBuf>,

    /// A .proto file to compile, a folder with such files, or a pattern such as 'api/**/*.proto'.
    #[arg(long, value_name = "FILE")]
    pub(super) proto: Vec<PathBuf>,

    /// A folder that .proto files and their imports are looked up in.
    #[arg(short = 'I', long = "include", value_name = "DIR")]
    pub(super) include: Vec<PathBuf>,

    /// Whether upstreams are asked by server reflection [default: without-files]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub(super) reflection: Option<ReflectionSetting>,

    /// What goes with server reflection, such as "authorization: Bearer TOKEN", to every --upstream. May be given more
    /// than once.
    #[arg(long, value_name = "NAME: VALUE", value_parser = ReflectionHeader::parse)]
    pub(super) reflection_header: Vec<ReflectionHeader>,

    /// How often server reflection is asked anew without another reason; 0s for never [default: 10m]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) reflection_interval: Option<Duration>,

    #[command(flatten)]
    pub(super) limits: LimitArguments,

    /// Reads all of that, says what is wrong with it, and does not serve. Servers are not asked.
    #[arg(long)]
    pub(super) check: bool,

    /// The path in front of /package.Service/Method [default: /ws]
    #[arg(long, value_name = "PATH")]
    pub(super) prefix: Option<String>,

    /// Which methods can be called at /package.Service/Method [default: open]
    ///
    /// A proxy in front that authorizes by the path needs "unbound" or "off".
    #[arg(long, value_name = "WHICH", value_enum)]
    pub(super) generic_route: Option<GenericRouteSetting>,

    /// What becomes of query parameters whose names no field of a bound route's request has [default: refused-in-v1]
    ///
    /// Pages and proxies add parameters of their own, such as utm_source or access_token.
    #[arg(long, value_name = "WHAT", value_enum)]
    pub(super) unknown_parameters: Option<UnknownParametersSetting>,

    /// An origin that may open WebSockets besides the gateway's own: `https://app.example.com`, `https://*.example.com`.
    /// May be given more than once.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) allow_origin: Vec<String>,

    /// Let the pages of every site open WebSockets: only for services that hold nothing of a user's
    #[arg(long, conflicts_with_all = ["allow_origin", "hosts"])]
    pub(super) allow_any_origin: bool,

    /// The hosts of the gateway's own, whose pages may open WebSockets [default: every host; on loopback connections
    /// localhost, *.localhost, 127.0.0.0/8 and [::1]]. May be given more than once, or as a list with commas.
    ///
    /// Behind a proxy on the same machine that passes "Host: example.com" on, example.com is to be given.
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(super) hosts: Vec<String>,

    /// The networks of proxies whose x-forwarded-for and x-forwarded-proto are believed: "10.0.0.0/8". May be given more
    /// than once, or as a list with commas.
    #[arg(long, value_name = "NETWORK", value_delimiter = ',')]
    pub(super) trusted_proxies: Vec<String>,

    /// Whether the connections of trusted proxies begin with the PROXY protocol, which names the client [default: off]
    #[arg(long, value_name = "WHEN", value_enum)]
    pub(super) proxy_protocol: Option<ProxyProtocolSetting>,

    /// A server that gets every request that is no call: REST, SSE, pages.
    #[arg(long, value_name = "URL")]
    pub(super) fallback: Option<String>,

    /// How long that server may take to answer a request that it has; 0s for ever [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) fallback_timeout: Option<Duration>,

    /// How long a request or a response of that server may stand still before its end; 0s for ever [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) fallback_idle_timeout: Option<Duration>,

    /// The largest message of a client, as in 64KiB or 4MiB [default: 4MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_message_size: Option<u64>,

    /// The largest message of an upstream [default: 4MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_response_size: Option<u64>,

    /// End a call with an error where an Any holds a type that is not among the descriptors, as protojson has it; by
    /// default the client gets its bytes in base64
    #[arg(long)]
    pub(super) strict_any: bool,

    /// The most bytes that the headers of a request may have; more get 431 [default: 64 KiB, and 16 KiB without cookies]
    #[arg(long, value_name = "BYTES")]
    pub(super) max_header_size: Option<u64>,

    /// How many connections there may be at once; more get 503 [default: 10000]
    #[arg(long, value_name = "NUMBER")]
    pub(super) max_connections: Option<usize>,

    /// How many streams there may be at once, over all connections; more get 503 [default: 100000]
    #[arg(long, value_name = "NUMBER")]
    pub(super) max_streams: Option<usize>,

    /// How many bytes of a client are read ahead of the upstream at first, per stream [default: 64 KiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) receive_window: Option<u64>,

    /// The bytes up to which that grows where the round trip to a client holds its upload back [default: 1 MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) receive_window_max: Option<u64>,

    /// The bytes by which it may grow for all streams together [default: 256 MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) receive_window_budget: Option<u64>,

    /// The time between two pings to a client; 0s for no pings [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) ping_period: Option<Duration>,

    /// How long a client may be silent, where there are pings; 0s for ever [default: 90s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) pong_timeout: Option<Duration>,

    /// How long a method with one request waits for it; 0s for ever [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) init_timeout: Option<Duration>,

    /// How long a write to a client may make no progress; 0s for ever [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) write_stall_timeout: Option<Duration>,

    /// How long a client may be silent that owes its close frame [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) linger: Option<Duration>,

    /// How long a client's close frame is waited for in all [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) max_linger: Option<Duration>,

    /// How long streams may go on after SIGTERM or Ctrl-C [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) grace: Option<Duration>,

    /// How many threads serve connections [default: one for each core]
    #[arg(long, value_name = "NUMBER", value_parser = workers)]
    pub(super) workers: Option<NonZeroUsize>,

    /// Certificates that sign the upstream's (PEM), in place of the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) upstream_ca: Option<PathBuf>,

    /// The gateway's certificate for the upstream (PEM).
    #[arg(long, value_name = "FILE", requires = "upstream_key")]
    pub(super) upstream_cert: Option<PathBuf>,

    /// The key of the gateway's certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "upstream_cert")]
    pub(super) upstream_key: Option<PathBuf>,

    /// The name of the upstream in requests and in its certificate, where it is not the one of the URL.
    #[arg(long, value_name = "NAME")]
    pub(super) upstream_authority: Option<String>,

    /// The most bytes that the headers or the trailers of a response may have; a call that gets more ends with
    /// RESOURCE_EXHAUSTED [default: 1048576]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_header_list_size: Option<u64>,
}

/// Shown after the help.
pub(crate) const EXAMPLES: &str = "Examples:
  grpcws serve --upstream http://127.0.0.1:50051
  grpcws serve --upstream https://grpc.example.com --descriptor-set api.binpb --allow-origin https://app.example.com
  grpcws serve --upstream game.v1=http://games:50051 --upstream http://rest:50052 --fallback http://127.0.0.1:8081
  grpcws serve --config grpcws.toml

A client then opens ws://127.0.0.1:8080/ws/package.Service/Method. SIGHUP reads the descriptors anew.";
