//! What the gateway does, from the command line and the configuration file.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;
use std::time::Duration;

use grpcws::ConnectionOptions;
use grpcws::bridge::GenericRoute;
use grpcws::routes::ExtraRoute;
use grpcws_upstream::{TlsOptions, UpstreamOptions};

use super::ServeError;
use super::arguments::ServeArguments;
use super::config::{Config, RouteConfig, UpstreamConfig};
use crate::descriptors::DescriptorOptions;

/// What the gateway does.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) listen: SocketAddr,
    pub(super) prefix: String,
    pub(super) generic_route: GenericRoute,
    pub(super) upstreams: Vec<UpstreamSettings>,
    pub(super) descriptors: DescriptorOptions,
    pub(super) fallback: Option<String>,
    pub(super) connection: ConnectionOptions,
    pub(super) max_connections: Option<usize>,
    pub(super) grace: Duration,
    /// How many threads serve connections.
    pub(super) workers: NonZeroUsize,
}

/// One gRPC server.
#[derive(Debug)]
pub(super) struct UpstreamSettings {
    pub(super) url: String,
    /// Empty for all that no other upstream has.
    pub(super) services: Vec<String>,
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
        let prefix = arguments.prefix.or(config.prefix).unwrap_or_else(|| "/ws".to_owned());
        let routes = config.route.iter().map(RouteConfig::to_route).collect::<Result<Vec<_>, _>>()?;
        routes.iter().try_for_each(ExtraRoute::check)?;
        let mut descriptors = DescriptorOptions::default().routes(routes);
        descriptors.descriptor_sets = [arguments.descriptor_set, config.descriptors.sets].concat();
        descriptors.protos = [arguments.proto, config.descriptors.protos].concat();
        descriptors.includes = [arguments.include, config.descriptors.includes].concat();
        Ok(Self {
            listen: arguments
                .listen
                .or(config.listen)
                .unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 8080))),
            prefix: checked_prefix(prefix)?,
            generic_route: arguments
                .generic_route
                .or(config.generic_route)
                .map(GenericRoute::from)
                .unwrap_or_default(),
            workers: workers(arguments.workers.or(config.workers), &upstreams),
            upstreams,
            descriptors,
            fallback: arguments.fallback.or(config.fallback),
            connection,
            max_connections: config.max_connections,
            grace: arguments.grace.or(config.grace).unwrap_or(Duration::from_secs(30)),
        })
    }
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
    let limits = upstreams.iter().filter_map(|upstream| NonZeroUsize::new(upstream.options.max_connections));
    limits.fold(wanted, NonZeroUsize::min)
}

fn connection(arguments: &ServeArguments, config: &Config) -> Result<ConnectionOptions, ServeError> {
    let mut options = ConnectionOptions::default();
    for origin in arguments.allow_origin.iter().chain(&config.allow_origin) {
        if grpcws::proto::handshake::parse_origin(origin).is_none() {
            let text = format!("{origin:?} is not an origin: it has the form https://app.example.com");
            return Err(ServeError::Usage(text));
        }
        options = options.allow_origin(origin);
    }
    if let Some(size) = arguments.max_message_size.or(config.max_message_size) {
        options = options.max_message_size(size);
    }
    if let Some(size) = arguments.max_response_size.or(config.max_response_size) {
        options = options.max_response_size(size);
    }
    if let Some(window) = config.receive_window {
        options = options.receive_window(window);
    }
    if let Some(period) = arguments.ping_period.or(config.ping_period) {
        options = options.ping_period(Some(period));
    }
    if let Some(timeout) = config.pong_timeout {
        options = options.pong_timeout(Some(timeout));
    }
    Ok(options)
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
        let mut options = UpstreamOptions::default().tls(tls);
        if let Some(authority) = &arguments.upstream_authority {
            options = options.authority(authority);
        }
        upstreams.push(UpstreamSettings { url, services: service.into_iter().collect(), options });
    }
    for config in configured {
        let options = options(&config)?;
        upstreams.push(UpstreamSettings { url: config.url, services: config.services, options });
    }
    if upstreams.is_empty() {
        return Err(ServeError::Usage("there is no upstream: add --upstream http://HOST:PORT".to_owned()));
    }
    Ok(upstreams)
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
    let mut options = UpstreamOptions::default().tls(tls);
    if let Some(authority) = &config.authority {
        options = options.authority(authority);
    }
    if let Some(streams) = config.max_streams_per_connection {
        options = options.max_streams_per_connection(streams);
    }
    if let Some(connections) = config.max_connections {
        options = options.max_connections(connections);
    }
    if let Some(wait) = config.connect_wait {
        options = options.connect_wait(wait);
    }
    if let Some(interval) = config.keep_alive {
        options = options.keep_alive_interval(interval);
    }
    Ok(options)
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
