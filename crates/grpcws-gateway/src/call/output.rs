//! What the user sees: messages on stdout, all else on stderr.

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
use crate::terminal::{printable, tell};

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

    /// Prints a JSON message at once. The error is that it could not be written.
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
            Format::Json => tell(&json!({ "headers": metadata(headers) }).to_string()),
            Format::Text => lines("header", headers),
        }
    }

    pub(super) fn status(&self, status: &Status) {
        let details = RpcStatus::decode(status.details().clone()).unwrap_or_default().details;
        match self.format {
            Format::Json => tell(&object(status, &details).to_string()),
            Format::Text => {
                for detail in &details {
                    tell(&detail_line(detail));
                }
                if self.verbose {
                    lines("trailer", status.metadata());
                }
                tell(&self.line(status));
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
        let message = printable(status.message());
        if message.is_empty() { name } else { format!("{name}: {message}") }
    }
}

/// Tells somebody who types what to do.
pub(super) fn hint(proto_mode: bool) {
    let form = if proto_mode { "base64" } else { "JSON" };
    tell(&format!("type one {form} message a line; Ctrl-D half-closes the call, Ctrl-C cancels it"));
}

/// Tells somebody who types that a message was not sent.
pub(super) fn not_sent(reason: &str) {
    tell(&format!("not sent: {}", printable(reason)));
}

/// Tells that messages were lost.
pub(super) fn not_written(error: &io::Error) {
    tell(&format!("grpcws: cannot write the messages to stdout: {error}; the call was cancelled"));
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
        tell(&format!("{kind} {name}: {}", printable(&String::from_utf8_lossy(value.as_bytes()))));
    }
}

fn detail_line(detail: &Any) -> String {
    format!("detail {}: {}", printable(type_name(detail)), STANDARD.encode(&detail.value))
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

    #[test]
    fn the_type_of_a_detail_is_printed_without_control_characters() {
        let type_url = "type.googleapis.com/a.\x1b[2JB\n".to_owned();
        let detail = Any { type_url, value: b"x".to_vec() };
        assert_eq!(detail_line(&detail), "detail a. [2JB : eA==");
    }
}
