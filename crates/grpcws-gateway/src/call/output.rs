//! What the user sees: messages on stdout, all else on stderr.

#![allow(clippy::print_stderr, reason = "the status of a call belongs there")]

use std::io::{self, IsTerminal as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grpcws_client::{Code, Status};
use http::HeaderMap;
use prost::Message as _;
use prost_types::Any;
use serde_json::{Map, Value, json};

use super::arguments::{CallArguments, Format};
use super::json_text::{Style, format};

/// What of `google.rpc.Status` the call itself does not say.
#[derive(Clone, PartialEq, prost::Message)]
struct RpcStatus {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// Shows a call to its user.
pub(super) struct Output {
    format: Format,
    verbose: bool,
    messages: Style,
    /// Whether the status is coloured.
    colour: bool,
}

impl Output {
    pub(super) fn new(arguments: &CallArguments) -> Self {
        let text = arguments.format == Format::Text;
        let colours = text && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let terminal = io::stdout().is_terminal();
        Self {
            format: arguments.format,
            verbose: arguments.verbose,
            messages: Style { pretty: text && terminal, colour: colours && terminal },
            colour: colours && io::stderr().is_terminal(),
        }
    }

    /// Prints a JSON message at once. The error is that nobody reads stdout any more.
    pub(super) fn json(&self, message: &str) -> io::Result<()> {
        print(&format(message, self.messages))
    }

    /// Prints a protobuf message at once.
    pub(super) fn proto(&self, message: &[u8]) -> io::Result<()> {
        print(&STANDARD.encode(message))
    }

    pub(super) fn headers(&self, headers: &HeaderMap) {
        if !self.verbose {
            return;
        }
        match self.format {
            Format::Json => eprintln!("{}", json!({ "headers": metadata(headers) })),
            Format::Text => lines("header", headers),
        }
    }

    pub(super) fn status(&self, status: &Status) {
        let details = RpcStatus::decode(status.details().clone()).unwrap_or_default().details;
        match self.format {
            Format::Json => eprintln!("{}", object(status, &details)),
            Format::Text => {
                for detail in &details {
                    eprintln!("detail {}: {}", type_name(detail), STANDARD.encode(&detail.value));
                }
                if self.verbose {
                    lines("trailer", status.metadata());
                }
                eprintln!("{}", self.line(status));
            }
        }
    }

    fn line(&self, status: &Status) -> String {
        let name = status.code().name();
        let name = match (self.colour, status.code()) {
            (false, _) => name.to_owned(),
            (true, Code::Ok) => format!("\x1b[32m{name}\x1b[0m"),
            (true, _) => format!("\x1b[31m{name}\x1b[0m"),
        };
        // What the gateway says may hold anything; a terminal is to get text.
        let message: String =
            status.message().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
        if message.is_empty() { name } else { format!("{name}: {message}") }
    }
}

/// Tells somebody who types what to do.
pub(super) fn hint(proto_mode: bool) {
    let form = if proto_mode { "base64" } else { "JSON" };
    eprintln!("type one {form} message a line; Ctrl-D half-closes the call, Ctrl-C cancels it");
}

/// Tells somebody who types that a message was not sent.
pub(super) fn not_sent(reason: &str) {
    eprintln!("not sent: {reason}");
}

/// Writes a line and flushes, so that a pipe gets each message when it comes.
fn print(line: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.write_all(b"\n")?;
    stdout.flush()
}

fn lines(kind: &str, metadata: &HeaderMap) {
    for (name, value) in metadata {
        eprintln!("{kind} {name}: {}", String::from_utf8_lossy(value.as_bytes()));
    }
}

fn type_name(detail: &Any) -> &str {
    detail.type_url.rsplit('/').next().unwrap_or_default()
}

fn metadata(metadata: &HeaderMap) -> Value {
    let values = |name| {
        let values = metadata.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect::<Vec<_>>()
    };
    metadata.keys().map(|name| (name.as_str().to_owned(), json!(values(name)))).collect::<Map<_, _>>().into()
}

fn object(status: &Status, details: &[Any]) -> Value {
    let details: Vec<Value> = details
        .iter()
        .map(|detail| json!({ "type": type_name(detail), "value": STANDARD.encode(&detail.value) }))
        .collect();
    json!({
        "code": status.code().number(),
        "status": status.code().name(),
        "message": status.message(),
        "details": details,
        "trailers": metadata(status.metadata()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_an_object_with_all_members() {
        let text = object(&Status::new(Code::NotFound, "no"), &[]).to_string();
        assert_eq!(text, r#"{"code":5,"details":[],"message":"no","status":"NOT_FOUND","trailers":{}}"#);
    }
}
