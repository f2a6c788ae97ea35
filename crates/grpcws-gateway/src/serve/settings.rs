//! What the gateway does, from the command line and the configuration file.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::Duration;

use grpcws::bridge::GenericRoute;
use grpcws::json::{MarshalOptions, UnmarshalOptions};
use grpcws::proto::session::WindowBudget;
use grpcws::routes::ExtraRoute;
use grpcws::server::ServerOptions;
use grpcws::{ConnectionOptions, UnknownParameters};
use grpcws_upstream::{TlsOptions, UpstreamOptions};
use http::{HeaderMap, Uri};

use super::ServeError;
use super::arguments::ServeArguments;
use super::config::{Config, RouteConfig, UpstreamConfig};
use super::fallback::FallbackTimeouts;
use crate::descriptors::{DescriptorOptions, ReflectionHeader, metadata};

/// What the gateway does.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) prefix: String,
    pub(super) generic_route: GenericRoute,
    pub(super) upstreams: Vec<UpstreamSettings>,
    pub(super) descriptors: DescriptorOptions,
    pub(super) fallback: Option<FallbackSettings>,
    /// Whether nothing is served.
    pub(super) check: bool,
    pub(super) connection: ConnectionOptions,
    pub(super) server: ServerOptions,
    pub(super) grace: Duration,
    /// How many threads serve connections.
    pub(super) workers: NonZeroUsize,
}

/// The server that gets what is no call.
#[derive(Debug)]
pub(super) struct FallbackSettings {
    pub(super) url: String,
    pub(super) timeouts: FallbackTimeouts,
}

/// One gRPC server.
#[derive(Debug, Clone)]
pub(super) struct UpstreamSettings {
    pub(super) url: String,
    /// Empty for all that no other upstream has.
    pub(super) services: Vec<String>,
    /// What goes with server reflection.
    pub(super) reflection: HeaderMap,
    pub(super) options: UpstreamOptions,
}

impl Settings {
    /// Reads the configuration file that the arguments name, and puts both together.
    pub(super) fn read(arguments: ServeArguments) -> Result<Self, ServeError> {
        let mut config = match &arguments.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        let upstreams = upstreams(&arguments, std::mem::take(&mut config.upstream))?;
        let connection = connection(&arguments, &config)?;
        let server = server(&arguments, &config, &connection)?;
        let listen =
            arguments.listen.or(config.listen).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
        let fallback = arguments.fallback.or(config.fallback);
        check_fallback(fallback.as_deref(), listen)?;
        let timeouts = FallbackTimeouts::new(
            arguments.fallback_timeout.or(config.fallback_timeout),
            arguments.fallback_idle_timeout.or(config.fallback_idle_timeout),
        );
        let fallback = fallback.map(|url| FallbackSettings { url, timeouts });
        let prefix = arguments.prefix.or(config.prefix).unwrap_or_else(|| "/ws".to_owned());
        let routes = routes(&config.route)?;
        let mut descriptors = DescriptorOptions::default().routes(routes);
        descriptors.descriptor_sets = [arguments.descriptor_set, config.descriptors.sets].concat();
        descriptors.protos = [arguments.proto, config.descriptors.protos].concat();
        descriptors.includes = [arguments.include, config.descriptors.includes].concat();
        if let Some(reflection) = arguments.reflection.or(config.descriptors.reflection) {
            descriptors.reflection = reflection.into();
        }
        if let Some(interval) = arguments.reflection_interval.or(config.descriptors.reflection_interval) {
            descriptors = descriptors.refresh_interval(interval);
        }
        descriptors.max_bytes = config.descriptors.max_bytes.unwrap_or(descriptors.max_bytes);
        descriptors.max_declarations =
            config.descriptors.max_declarations.unwrap_or(descriptors.max_declarations);
        arguments.limits.apply(&mut descriptors);
        Ok(Self {
            listen,
            check: arguments.check,
            prefix: checked_prefix(prefix)?,
            generic_route: arguments
                .generic_route
                .or(config.generic_route)
                .map(GenericRoute::from)
                .unwrap_or_default(),
            workers: workers(arguments.workers.or(config.workers), &upstreams),
            upstreams,
            descriptors,
            fallback,
            connection,
            server,
            grace: arguments.grace.or(config.grace).unwrap_or(Duration::from_secs(30)),
        })
    }
}

/// The routes of a configuration file.
pub(super) fn routes(configured: &[RouteConfig]) -> Result<Vec<ExtraRoute>, ServeError> {
    let routes = configured.iter().map(RouteConfig::to_route).collect::<Result<Vec<_>, _>>()?;
    routes.iter().try_for_each(ExtraRoute::check)?;
    Ok(routes)
}

fn checked_prefix(prefix: String) -> Result<String, ServeError> {
    let prefix = prefix.trim_end_matches('/');
    if !prefix.is_empty() && (!prefix.starts_with('/') || prefix.contains(['?', '#', '%', ' '])) {
        return Err(ServeError::Usage(format!("the prefix {prefix:?} is not a path: write it as /ws")));
    }
    Ok(prefix.to_owned())
}

/// One thread for each core unless another number is asked for, and no more than an upstream may have connections,
/// since each thread has its own.
fn workers(asked: Option<NonZeroUsize>, upstreams: &[UpstreamSettings]) -> NonZeroUsize {
    let wanted = asked.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN);
    let limits =
        upstreams.iter().filter_map(|upstream| NonZeroUsize::new(upstream.options.max_connections()));
    limits.fold(wanted, NonZeroUsize::min)
}

/// Calls a setter of a builder where there is a value.
macro_rules! set {
    ($builder:ident, $($option:ident = $value:expr;)*) => {
        $(
            if let Some(value) = $value {
                $builder = $builder.$option(value);
            }
        )*
    };
}

fn connection(arguments: &ServeArguments, config: &Config) -> Result<ConnectionOptions, ServeError> {
    let opaque_any = !(arguments.strict_any || config.strict_any);
    let mut options = ConnectionOptions::builder()
        .marshal(MarshalOptions::default().opaque_any(opaque_any))
        .unmarshal(UnmarshalOptions::default().opaque_any(opaque_any));
    let unknown_parameters = arguments.unknown_parameters.or(config.unknown_parameters);
    let budget = arguments.receive_window_budget.or(config.receive_window_budget);
    for origin in arguments.allow_origin.iter().chain(&config.allow_origin) {
        options = options.allow_origin(origin);
    }
    if arguments.allow_any_origin || config.allow_any_origin {
        let others = [&arguments.allow_origin, &config.allow_origin, &arguments.hosts, &config.hosts];
        if others.iter().any(|list| !list.is_empty()) {
            let text = "allow-any-origin: every origin is allowed by it: leave allow-origin and hosts out";
            return Err(ServeError::Usage(text.to_owned()));
        }
        options = options.allow_any_origin();
    }
    for host in arguments.hosts.iter().chain(&config.hosts) {
        options = options.host(host);
    }
    set! { options,
        unknown_parameters = unknown_parameters.map(UnknownParameters::from);
        max_header_size = arguments.max_header_size.or(config.max_header_size);
        max_message_size = arguments.max_message_size.or(config.max_message_size);
        max_response_size = arguments.max_response_size.or(config.max_response_size);
        max_streams = arguments.max_streams.or(config.max_streams);
        receive_window = arguments.receive_window.or(config.receive_window);
        receive_window_max = arguments.receive_window_max.or(config.receive_window_max);
        // One for all threads: each of them gets a clone of these options.
        receive_window_budget = budget.map(WindowBudget::new);
        ping_period = arguments.ping_period.or(config.ping_period);
        pong_timeout = arguments.pong_timeout.or(config.pong_timeout);
        init_timeout = arguments.init_timeout.or(config.init_timeout);
        write_stall_timeout = arguments.write_stall_timeout.or(config.write_stall_timeout);
        linger = arguments.linger.or(config.linger);
        max_linger = arguments.max_linger.or(config.max_linger);
    }
    Ok(options.build()?)
}

fn server(
    arguments: &ServeArguments,
    config: &Config,
    connection: &ConnectionOptions,
) -> Result<ServerOptions, ServeError> {
    let mut options = ServerOptions::builder().http2_stream_window(http2_stream_window(connection));
    set! { options,
        max_connections = arguments.max_connections.or(config.max_connections);
        max_header_size = arguments.max_header_size.or(config.max_header_size);
        proxy_protocol = arguments.proxy_protocol.or(config.proxy_protocol).map(Into::into);
    }
    for network in arguments.trusted_proxies.iter().chain(&config.trusted_proxies) {
        options = options.trust(network);
    }
    Ok(options.build()?)
}

/// The HTTP/2 window of a stream, which must not hold a client back that keeps to its receive window. What it has beyond the
/// smallest is borrowed from the budget: without one, HTTP/2 holds the client back at the smallest.
fn http2_stream_window(connection: &ConnectionOptions) -> u32 {
    const SMALLEST: u32 = 64 * 1024;
    let session = connection.session();
    let window = session.receive_window().max(session.receive_window_max());
    if session.receive_window_budget().size() == 0 {
        return SMALLEST;
    }
    u32::try_from(window).unwrap_or(u32::MAX).clamp(SMALLEST, (1 << 31) - 1)
}

/// The upstreams of the command line, with its TLS options, and those of the file.
fn upstreams(
    arguments: &ServeArguments,
    configured: Vec<UpstreamConfig>,
) -> Result<Vec<UpstreamSettings>, ServeError> {
    let own = [&arguments.upstream_cert, &arguments.upstream_key].into_iter().any(Option::is_some);
    if (own || arguments.upstream_authority.is_some()) && arguments.upstream.len() != 1 {
        let text = "--upstream-cert, -key and -authority are for one --upstream: give each of several its own in \
                    the configuration file";
        return Err(ServeError::Usage(text.to_owned()));
    }
    let mut upstreams = Vec::new();
    for argument in &arguments.upstream {
        let (service, url) = match argument.split_once('=') {
            // A URL may have the sign too, behind its scheme.
            Some((service, url)) if !service.contains(':') => (Some(service.to_owned()), url.to_owned()),
            _ => (None, argument.clone()),
        };
        // Several upstreams may share the authority, and some have no TLS; one alone is told that it has none.
        let tls = if arguments.upstream.len() > 1 && !url.starts_with("https:") {
            TlsOptions::default()
        } else {
            tls(
                arguments.upstream_ca.as_deref(),
                arguments.upstream_cert.as_deref().zip(arguments.upstream_key.as_deref()),
                None,
            )?
        };
        let mut options = UpstreamOptions::builder().tls(tls);
        set! { options,
            authority = &arguments.upstream_authority;
            max_header_list_size = arguments.max_header_list_size;
        }
        let options = options.build().map_err(|error| ServeError::upstream_option(&url, error))?;
        let services = service.into_iter().collect();
        let reflection = metadata(&arguments.reflection_header);
        upstreams.push(UpstreamSettings { url, services, reflection, options });
    }
    for config in configured {
        let options = options(&config)?;
        let reflection = reflection_metadata(&config)?;
        upstreams.push(UpstreamSettings { url: config.url, services: config.services, reflection, options });
    }
    if upstreams.is_empty() {
        return Err(ServeError::Usage("there is no upstream: add --upstream http://HOST:PORT".to_owned()));
    }
    check_services(&upstreams)?;
    Ok(upstreams)
}

fn reflection_metadata(config: &UpstreamConfig) -> Result<HeaderMap, ServeError> {
    let headers = config.reflection_headers.iter();
    let headers =
        headers.map(|(name, value)| ReflectionHeader::new(name, value)).collect::<Result<Vec<_>, _>>();
    let place = |text| ServeError::Usage(format!("upstream {}: reflection-headers: {text}", config.url));
    Ok(metadata(&headers.map_err(place)?))
}

fn options(config: &UpstreamConfig) -> Result<UpstreamOptions, ServeError> {
    let identity = match (&config.cert, &config.key) {
        (Some(cert), Some(key)) => Some((cert.as_path(), key.as_path())),
        (None, None) => None,
        _ => {
            let text = format!("upstream {}: cert and key are needed together", config.url);
            return Err(ServeError::Usage(text));
        }
    };
    let tls = tls(config.ca.as_deref(), identity, config.server_name.as_deref())?;
    let mut options = UpstreamOptions::builder().tls(tls);
    set! { options,
        authority = &config.authority;
        max_streams_per_connection = config.max_streams_per_connection;
        max_header_list_size = config.max_header_list_size;
        max_connections = config.max_connections;
        connect_wait = config.connect_wait;
        keep_alive_interval = config.keep_alive;
    }
    options.build().map_err(|error| ServeError::upstream_option(&config.url, error))
}

/// Whether no two upstreams are for the same services, and each name is one that a service can have.
fn check_services(upstreams: &[UpstreamSettings]) -> Result<(), ServeError> {
    let mut known = HashMap::new();
    for UpstreamSettings { url, services, .. } in upstreams {
        for service in services {
            let name = service.trim_matches('.');
            if !name.split('.').all(is_identifier) {
                return Err(ServeError::Usage(format!(
                    "upstream {url}: {service:?} is not the name of a package or a service: write it as game.v1, or \
                     leave services out for all that no other upstream has"
                )));
            }
            if let Some(other) = known.insert(name, url) {
                return Err(ServeError::Usage(format!(
                    "upstream {url}: {other} has {service} already: one URL has all calls of a service; behind a host \
                     name it may have many addresses"
                )));
            }
        }
    }
    Ok(())
}

fn is_identifier(part: &str) -> bool {
    let other = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    part.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && part.bytes().all(other)
}

/// A gateway that is its own fallback would pass a request to itself until all connections are taken.
fn check_fallback(fallback: Option<&str>, listen: SocketAddr) -> Result<(), ServeError> {
    let Some(uri) = fallback.and_then(|url| url.parse::<Uri>().ok()) else { return Ok(()) };
    let Some(host) = uri.host().filter(|_| uri.port_u16().unwrap_or(80) == listen.port()) else {
        return Ok(());
    };
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
    let local = address.map_or(host.eq_ignore_ascii_case("localhost"), |address| address.is_loopback());
    let every = listen.ip().is_unspecified();
    if address == Some(listen.ip()) || local && (every || listen.ip().is_loopback()) {
        let url = fallback.unwrap_or_default();
        return Err(ServeError::Usage(format!(
            "fallback {url}: that is the gateway itself, at {listen}: give the address of the other server"
        )));
    }
    Ok(())
}

fn tls(
    ca: Option<&Path>,
    identity: Option<(&Path, &Path)>,
    server_name: Option<&str>,
) -> Result<TlsOptions, ServeError> {
    let mut tls = TlsOptions::default();
    if let Some(ca) = ca {
        tls = tls.ca_pem(read(ca)?);
    }
    if let Some((cert, key)) = identity {
        tls = tls.identity_pem(read(cert)?, read(key)?);
    }
    if let Some(name) = server_name {
        tls = tls.server_name(name);
    }
    Ok(tls)
}

fn read(path: &Path) -> Result<Vec<u8>, ServeError> {
    fs::read(path).map_err(|error| ServeError::Usage(format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        serve: ServeArguments,
    }

    fn settings(arguments: &[&str]) -> Settings {
        let cli = Cli::parse_from([&["grpcws", "--upstream", "http://127.0.0.1:1"], arguments].concat());
        Settings::read(cli.serve).expect("they can work")
    }

    #[test]
    fn an_any_of_an_unknown_type_is_passed_on_unless_the_rule_of_protojson_is_asked_for() {
        for (arguments, opaque) in [(&[][..], true), (&["--strict-any"], false)] {
            let connection = settings(arguments).connection;
            assert_eq!(connection.marshal().opaque_any, opaque);
            assert_eq!(connection.unmarshal().opaque_any, opaque);
        }
    }

    #[test]
    fn the_limit_of_the_headers_of_a_request_is_that_of_the_server_and_of_handshakes() {
        for (arguments, server, handshake) in
            [(&[][..], 64 << 10, 16 << 10), (&["--max-header-size", "100000"], 100_000, 100_000)]
        {
            let settings = settings(arguments);
            assert_eq!(settings.server.max_header_size(), server);
            assert_eq!(settings.connection.max_header_size(), handshake);
        }
    }

    #[test]
    fn the_limit_of_headers_is_that_of_the_upstreams_of_the_command_line() {
        let limit = |arguments| settings(arguments).upstreams[0].options.max_header_list_size();
        assert_eq!(limit(&[]), 1024 * 1024);
        assert_eq!(limit(&["--max-header-list-size", "4096"]), 4096);
    }

    #[test]
    fn the_window_of_http2_follows_the_receive_window_and_its_budget() {
        let window = |options: grpcws::ConnectionOptionsBuilder| {
            http2_stream_window(&options.build().expect("valid options"))
        };
        let options = ConnectionOptions::builder;
        assert_eq!(window(options()), 1 << 20);
        assert_eq!(window(options().receive_window_max(8 << 20)), 8 << 20);
        assert_eq!(window(options().receive_window_max(0)), 64 << 10);
        assert_eq!(window(options().receive_window_max(1 << 40)), (1 << 31) - 1);
        assert_eq!(window(options().receive_window_budget(WindowBudget::new(0))), 64 << 10);
    }
}
