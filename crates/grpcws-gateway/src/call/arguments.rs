//! The command line of `grpcws call`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// The options of `grpcws call`.
#[derive(Debug, Args)]
pub struct CallArguments {
    /// The gateway: ws://HOST:PORT[/PREFIX], or wss:// for TLS. Without a path the prefix is /ws; with a slash alone, as in
    /// ws://HOST:PORT/, there is none.
    pub(super) url: String,

    /// package.Service/Method; or the path of a route below the prefix, with its query, beginning with a slash.
    #[arg(value_parser = method)]
    pub(super) method: String,

    /// The request messages: JSON, @FILE for a file with JSON, or @- for stdin. May be given more than once, and each may
    /// have several messages, one behind the other: '{"a":1} {"a":2}'. Without it the messages come from stdin; from a
    /// terminal, one a line, and Ctrl-D half-closes.
    #[arg(short, long, value_name = "JSON")]
    pub(super) data: Vec<String>,

    /// Request metadata. May be given more than once. Values of names that end in -bin are base64.
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub(super) headers: Vec<(String, String)>,

    /// How long the call may take, as in 500ms, 5s or 2m. The gateway is told.
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub(super) timeout: Option<Duration>,

    /// Sends and prints protobuf messages in place of JSON: base64, one message a line, an empty line for an empty
    /// message. The gateway then needs no descriptors.
    #[arg(long)]
    pub(super) proto_mode: bool,

    /// How messages and status are shown: text for people, with colours on a terminal; json for programs, with the
    /// status as one object on stderr.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: Format,

    /// Shows response headers and trailers on stderr.
    #[arg(short, long)]
    pub(super) verbose: bool,

    /// Uses HTTP/2 (RFC 8441) in place of the upgrade of HTTP/1.1.
    #[arg(long)]
    pub(super) http2: bool,

    /// The authority that the gateway's certificate has to come from, as PEM, in place of the system's.
    #[arg(long, value_name = "FILE")]
    pub(super) ca_certificate: Option<PathBuf>,

    /// The client's certificate with its chain, as PEM.
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) certificate: Option<PathBuf>,

    /// The private key of the client's certificate, as PEM.
    #[arg(long, value_name = "FILE", requires = "certificate")]
    pub(super) key: Option<PathBuf>,

    /// The name that the gateway's certificate has to have, in place of the URL's host.
    #[arg(long, value_name = "NAME")]
    pub(super) server_name: Option<String>,
}

/// How messages and status are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn header(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':').filter(|(name, _)| !name.trim().is_empty()) else {
        return Err("metadata has the form 'name: value'".to_owned());
    };
    let (name, value) = (name.trim(), value.trim());
    if let Some(character) = value.chars().find(|character| !matches!(character, ' '..='~')) {
        return Err(format!(
            "{character:?} is not printable ASCII, which is all that metadata can have: send other text as base64 under \
             {name}-bin"
        ));
    }
    Ok((name.to_owned(), value.to_owned()))
}

/// A method as `package.Service/Method`. A dot in place of the slash is what grpcurl takes too.
fn method(text: &str) -> Result<String, String> {
    if text.contains('/') {
        return Ok(text.to_owned());
    }
    match text.rsplit_once('.') {
        Some((service, method)) if !service.is_empty() && !method.is_empty() => {
            Ok(format!("{service}/{method}"))
        }
        _ => {
            Err("a method is written as package.Service/Method, the path of a route as /v1/items".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_split_at_its_first_colon() {
        assert_eq!(header("a: b: c "), Ok(("a".to_owned(), "b: c".to_owned())));
        assert_eq!(header("a:"), Ok(("a".to_owned(), String::new())));
        assert!(header("a").is_err() && header(": b").is_err());
        assert!(header("a: é").is_err_and(|text| text.contains("a-bin")));
    }

    #[test]
    fn a_dot_may_stand_for_the_slash_of_a_method() {
        assert_eq!(method("a.v1.S/M").as_deref(), Ok("a.v1.S/M"));
        assert_eq!(method("a.v1.S.M").as_deref(), Ok("a.v1.S/M"));
        assert_eq!(method("/v1.0").as_deref(), Ok("/v1.0"));
        for text in ["", "Method", ".Method", "a.S."] {
            assert!(method(text).is_err(), "{text}");
        }
    }
}
