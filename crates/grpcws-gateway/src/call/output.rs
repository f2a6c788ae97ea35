//! What the user sees: messages on stdout, all else on stderr.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use grpcws_client::{Code, Status};
use http::HeaderMap;
use prost::Message as _;
use prost_types::Any;
use serde_json::value::RawValue;
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
        let details = details(status);
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

/// A detail of an error.
struct Detail {
    type_name: String,
    value: Vec<u8>,
    /// The protojson of the value, if the gateway knows the type.
    debug: Option<Box<RawValue>>,
}

/// A detail as the gateway shows it.
#[derive(serde::Deserialize)]
struct Shown<'a> {
    #[serde(borrow, rename = "type")]
    type_name: Cow<'a, str>,
    debug: Option<Box<RawValue>>,
}

/// The details of a status: the upstream's bytes, each with what the gateway shows of it.
fn details(status: &Status) -> Vec<Detail> {
    let sent = RpcStatus::decode(status.details().clone()).unwrap_or_default().details;
    let shown: Vec<Shown<'_>> =
        status.shown_details().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let mut shown = shown.into_iter();
    sent.into_iter()
        .map(|Any { type_url, value }| {
            let type_name = type_url.rsplit('/').next().unwrap_or_default().to_owned();
            let debug =
                shown.next().filter(|shown| shown.type_name == type_name).and_then(|shown| shown.debug);
            Detail { type_name, value, debug }
        })
        .collect()
}

fn detail_line(detail: &Detail) -> String {
    let value = match &detail.debug {
        Some(json) => format(json.get(), Style { pretty: false, colour: false }),
        None => STANDARD.encode(&detail.value),
    };
    format!("detail {}: {}", printable(&detail.type_name), printable(&value))
}

fn metadata(metadata: &HeaderMap) -> Value {
    let values = |name| {
        let values = metadata.get_all(name).iter();
        values.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect::<Vec<_>>()
    };
    metadata.keys().map(|name| (name.as_str().to_owned(), json!(values(name)))).collect::<Map<_, _>>().into()
}

fn object(status: &Status, details: &[Detail]) -> Value {
    let details: Vec<Value> = details
        .iter()
        .map(|detail| {
            let mut object = Map::new();
            object.insert("type".to_owned(), detail.type_name.as_str().into());
            object.insert("value".to_owned(), STANDARD.encode(&detail.value).into());
            // It is as deep as the gateway made it, and so may be deeper than what can be read here.
            if let Some(Ok(debug)) = detail.debug.as_ref().map(|json| serde_json::from_str(json.get())) {
                object.insert("debug".to_owned(), debug);
            }
            object.into()
        })
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
        let type_name = "a.\x1b[2JB\n".to_owned();
        let detail = Detail { type_name, value: b"x".to_vec(), debug: None };
        assert_eq!(detail_line(&detail), "detail a. [2JB : eA==");
    }
}
