//! The configuration file of the gateway.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use grpcws::routes::ExtraRoute;
use serde::{Deserialize, Deserializer};

use super::ServeError;
use super::generic_route::GenericRouteSetting;
use super::proxy_protocol::ProxyProtocolSetting;
use super::reflection::ReflectionSetting;
use super::unknown_parameters::UnknownParametersSetting;
use crate::values::{deserialize_address, deserialize_size};

/// What a configuration file may say. What the command line says too counts there, and lists are joined.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct Config {
    #[serde(deserialize_with = "deserialize_address")]
    pub(super) listen: Option<SocketAddr>,
    pub(super) prefix: Option<String>,
    pub(super) generic_route: Option<GenericRouteSetting>,
    pub(super) unknown_parameters: Option<UnknownParametersSetting>,
    pub(super) allow_origin: Vec<String>,
    pub(super) allow_any_origin: bool,
    pub(super) hosts: Vec<String>,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) proxy_protocol: Option<ProxyProtocolSetting>,
    pub(super) fallback: Option<String>,
    #[serde(deserialize_with = "duration")]
    pub(super) fallback_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) fallback_idle_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) grace: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) ping_period: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) pong_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) init_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) write_stall_timeout: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) linger: Option<Duration>,
    #[serde(deserialize_with = "duration")]
    pub(super) max_linger: Option<Duration>,
    pub(super) workers: Option<NonZeroUsize>,
    pub(super) max_connections: Option<usize>,
    pub(super) max_streams: Option<usize>,
    #[serde(deserialize_with = "deserialize_size")]
    pub(super) max_header_size: Option<u64>,
    #[serde(deserialize_with = "deserialize_size")]
    pub(super) max_message_size: Option<u64>,
    #[serde(deserialize_with = "deserialize_size")]
    pub(super) max_response_size: Option<u64>,
    pub(super) strict_any: bool,
    #[serde(deserialize_with = "deserialize_size")]
    pub(super) receive_window: Option<u64>,
    #[serde(deserialize_with = "deserialize_size")]
    pub(super) receive_window_max: Option<u64>,
    #[serde(deserialize_with = "deserialize_size")]
    pub(super) receive_window_budget: Option<u64>,
    pub(super) upstream: Vec<UpstreamConfig>,
    pub(super) descriptors: DescriptorsConfig,
    pub(super) route: Vec<RouteConfig>,
}

/// `[[upstream]]`: a gRPC server, for all services or for some.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct UpstreamConfig {
    /// `http://HOST:PORT`, `https://HOST:PORT` or `unix:/PATH`.
    pub(super) url: String,
    /// The services of this upstream, by name or by the packages in front of it; the longest counts. Without any,
    /// it gets all that no other one has.
    #[serde(default)]
    pub(super) services: Vec<String>,
    pub(super) authority: Option<String>,
    pub(super) max_streams_per_connection: Option<usize>,
    #[serde(default, deserialize_with = "deserialize_size")]
    pub(super) max_header_list_size: Option<u64>,
    pub(super) max_connections: Option<usize>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) connect_wait: Option<Duration>,
    #[serde(default, deserialize_with = "duration")]
    pub(super) keep_alive: Option<Duration>,
    /// PEM files.
    pub(super) ca: Option<PathBuf>,
    pub(super) cert: Option<PathBuf>,
    pub(super) key: Option<PathBuf>,
    /// The name in the upstream's certificate.
    pub(super) server_name: Option<String>,
    /// What goes with server reflection.
    #[serde(default)]
    pub(super) reflection_headers: BTreeMap<String, String>,
}

/// `[descriptors]`: where the descriptors come from, if not from server reflection.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(super) struct DescriptorsConfig {
    pub(super) sets: Vec<PathBuf>,
    pub(super) protos: Vec<PathBuf>,
    pub(super) includes: Vec<PathBuf>,
    pub(super) reflection: Option<ReflectionSetting>,
    #[serde(deserialize_with = "duration")]
    pub(super) reflection_interval: Option<Duration>,
    pub(super) max_bytes: Option<usize>,
    pub(super) max_declarations: Option<usize>,
}

/// `[[route]]`: a path of its own for a method.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RouteConfig {
    /// A template as in `google.api.http`: `/v1/games/{game_id}/subscribe`.
    pub(super) path: String,
    /// `package.Service/Method`
    pub(super) method: String,
    /// `*` where the first message is the whole request, or the field that it is.
    pub(super) body: Option<String>,
    /// The field of a response that clients of JSON get.
    pub(super) response_body: Option<String>,
    /// Fields of the request with a value of their own.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, toml::Value>,
}

/// A configuration file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}", .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// The file is not TOML, or has a key or a value that does not exist; the message shows the place.
    #[error("{}: {}", .0.display(), .1)]
    Parse(PathBuf, toml::de::Error),
}

impl Config {
    /// Reads a file. Paths in it are relative to its folder.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|error| ConfigError::Read(path.to_owned(), error))?;
        let mut config: Self =
            toml::from_str(&text).map_err(|error| ConfigError::Parse(path.to_owned(), error))?;
        config.resolve(path.parent().unwrap_or(Path::new("")));
        Ok(config)
    }

    fn resolve(&mut self, folder: &Path) {
        let DescriptorsConfig { sets, protos, includes, .. } = &mut self.descriptors;
        let listed = sets.iter_mut().chain(protos).chain(includes);
        let pems = self.upstream.iter_mut().flat_map(|upstream| {
            [&mut upstream.ca, &mut upstream.cert, &mut upstream.key].into_iter().flatten()
        });
        for path in listed.chain(pems) {
            *path = folder.join(&*path);
        }
    }
}

impl RouteConfig {
    /// The route, with its fields as the query parameters that they stand for.
    pub(super) fn to_route(&self) -> Result<ExtraRoute, ServeError> {
        let mut route = ExtraRoute::new(&self.path, &self.method);
        if let Some(body) = &self.body {
            route = route.body(body);
        }
        if let Some(field) = &self.response_body {
            route = route.response_body(field);
        }
        for (name, value) in &self.fields {
            let values = match value {
                toml::Value::Array(values) => values.as_slice(),
                value => std::slice::from_ref(value),
            };
            for value in values {
                let text = text_of(value).ok_or_else(|| {
                    let path = &self.path;
                    ServeError::Usage(format!(
                        "route {path}: {name} is no text, number, boolean or list of these"
                    ))
                })?;
                route = route.field(name, text);
            }
        }
        Ok(route)
    }
}

fn text_of(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(value) => Some(value.to_string()),
        toml::Value::Datetime(time) => Some(time.to_string()),
        toml::Value::Array(_) | toml::Value::Table(_) => None,
    }
}

/// A duration as people write it: `30s`, `500ms`, `5m`.
fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    humantime::parse_duration(&text).map(Some).map_err(|error| {
        serde::de::Error::custom(format!("{error}: a duration is written as 500ms, 30s or 5m"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        toml::from_str(text).map_err(|error: toml::de::Error| error.to_string())
    }

    #[test]
    fn a_whole_file_is_read() {
        let mut config = parse(
            r#"
            listen = "0.0.0.0:8080"
            prefix = "/ws"
            generic-route = "unbound"
            allow-origin = ["https://app.example.com"]
            hosts = ["api.example.com"]
            trusted-proxies = ["10.0.0.0/8"]
            proxy-protocol = "optional"
            fallback = "http://127.0.0.1:8081"
            grace = "30s"
            ping-period = "500ms"
            max-message-size = "1MiB"
            receive-window = 32768
            receive-window-max = 2097152
            receive-window-budget = 134217728

            [[upstream]]
            url = "https://games.internal:443"
            services = ["game.v1"]
            ca = "ca.pem"
            keep-alive = "5m"

            [upstream.reflection-headers]
            authorization = "Bearer secret"

            [descriptors]
            sets = ["all.binpb"]
            reflection = "always"
            reflection-interval = "5m"
            max-bytes = 1048576
            max-declarations = 1000

            [[route]]
            path = "/v1/games/{game_id}/subscribe"
            method = "game.v1.GameService/Subscribe"
            [route.fields]
            max_events = 100
            "#,
        )
        .expect("a valid file");
        config.resolve(Path::new("/etc/grpcws"));
        assert_eq!(config.generic_route, Some(GenericRouteSetting::Unbound));
        assert_eq!(config.grace, Some(Duration::from_secs(30)));
        assert_eq!(config.max_message_size, Some(1 << 20));
        assert_eq!(
            (config.receive_window, config.receive_window_max, config.receive_window_budget),
            (Some(32 << 10), Some(2 << 20), Some(128 << 20))
        );
        assert_eq!(config.upstream[0].ca.as_deref(), Some(Path::new("/etc/grpcws/ca.pem")));
        assert_eq!(config.upstream[0].reflection_headers["authorization"], "Bearer secret");
        assert_eq!(config.descriptors.reflection, Some(ReflectionSetting::Always));
        assert_eq!(config.descriptors.reflection_interval, Some(Duration::from_secs(300)));
        assert_eq!(config.descriptors.sets, [Path::new("/etc/grpcws/all.binpb")]);
        assert_eq!(config.route[0].fields["max_events"].as_integer(), Some(100));
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        let unknown = parse("listen = \"127.0.0.1:1\"\nalow-origin = []\n").expect_err("a typing error");
        assert!(
            unknown.contains("line 2") && unknown.contains("alow-origin") && unknown.contains("allow-origin")
        );
        let duration = parse("grace = \"30 parsecs\"").expect_err("no duration");
        assert!(duration.contains("line 1") && duration.contains("30s"), "{duration}");
        let size = parse("max-message-size = \"4 parsecs\"").expect_err("no size");
        assert!(size.contains("line 1") && size.contains("4MiB"), "{size}");
        let listen = parse("listen = \"8080\"").expect_err("no address");
        assert!(listen.contains("line 1") && listen.contains("localhost:8080"), "{listen}");
        let closed = parse("generic-route = \"closed\"").expect_err("no such value");
        assert!(closed.contains("line 1") && closed.contains("`unbound`"), "{closed}");
    }
}
