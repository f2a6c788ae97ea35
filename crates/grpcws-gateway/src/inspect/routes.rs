//! `grpcws routes`.

use std::path::PathBuf;

use clap::Args;
use grpcws::MethodKind;
use grpcws::proto::ErrorChain;
use grpcws::routes::{RouteEntry, RouteError};
use serde_json::{Map, Value, json};

use super::arguments::{Format, SourceArguments};
use super::error::InspectError;
use super::load::load_with;
use super::{describe, json};
use crate::serve;
use crate::terminal::printable;

/// The options of `grpcws routes`.
#[derive(Debug, Args)]
pub struct RoutesArguments {
    #[command(flatten)]
    source: SourceArguments,

    /// A configuration file of the gateway (TOML), whose routes are shown as well.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

/// Shown after the help of `routes`.
pub(crate) const ROUTES_EXAMPLES: &str = "Examples:
  grpcws routes --upstream http://127.0.0.1:50051
  grpcws routes --descriptor-set api.binpb --config grpcws.toml --format json

Each line has an HTTP method of google.api.http, a path, and what is called there. Of several methods with the same
paths a client gets the first, and the others by a query such as ?method=POST. Routes that no client can reach, and
why, come last.

The exit code is that of `grpcws list`.";

/// Prints the routes by annotations and by the configuration file, and what is not bound.
///
/// # Errors
///
/// The descriptors or the configuration file cannot be had.
pub async fn routes(arguments: RoutesArguments) -> Result<(), InspectError> {
    let extra = arguments.config.as_deref().map(serve::routes_of_file).transpose();
    let extra = extra.map_err(|error| InspectError::Config(Box::new(error)))?.unwrap_or_default();
    let loaded = load_with(&arguments.source, None, extra).await?;
    let found = loaded.services.routes();
    let mut entries: Vec<RouteEntry<'_>> = found.entries().collect();
    // Those with the same paths stay in their order.
    entries.sort_by_key(|entry| entry.path);
    let unbound: Vec<&RouteError> = loaded.routes.iter().chain(found.problems()).collect();
    let text = match arguments.source.format {
        Format::Text => text(&entries, &unbound),
        Format::Json => json::text(&document(&entries, &unbound)),
    };
    describe::print(&text)
}

fn text(entries: &[RouteEntry<'_>], unbound: &[&RouteError]) -> String {
    let rows: Vec<[String; 4]> = entries.iter().map(row).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(widths.into_iter().chain([0])) {
            text.push_str(&format!("{cell:width$}  "));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    if !unbound.is_empty() {
        text.push_str(&format!("\n{} not bound:\n", unbound.len()));
    }
    for error in unbound {
        text.push_str(&format!("  {}\n", printable(&ErrorChain(*error).to_string())));
    }
    text
}

/// The HTTP method, the path, the method, and what is to be known of it.
fn row(entry: &RouteEntry<'_>) -> [String; 4] {
    let mut notes = Vec::new();
    if let (false, Some(verb)) = (entry.is_default, entry.verb) {
        notes.push(format!("?method={verb}"));
    }
    if entry.method.kind() != MethodKind::Unary {
        notes.push(kind(entry.method.kind()).to_owned());
    }
    notes.extend(entry.body.map(|body| format!("body {body}")));
    notes.extend(entry.response_body.map(|body| format!("response {body}")));
    [
        printable(entry.verb.unwrap_or("any")),
        printable(entry.path),
        printable(entry.method.path().trim_start_matches('/')),
        printable(&notes.join(", ")),
    ]
}

const fn kind(kind: MethodKind) -> &'static str {
    match kind {
        MethodKind::Unary => "unary",
        MethodKind::ClientStreaming => "client streaming",
        MethodKind::ServerStreaming => "server streaming",
        MethodKind::Bidi => "bidi",
    }
}

fn document(entries: &[RouteEntry<'_>], unbound: &[&RouteError]) -> Value {
    let routes = entries.iter().map(|entry| {
        let mut route = Map::new();
        route.extend(entry.verb.map(|verb| ("verb".to_owned(), verb.into())));
        route.insert("path".to_owned(), entry.path.into());
        route.insert("method".to_owned(), entry.method.path().trim_start_matches('/').into());
        route.insert("kind".to_owned(), kind(entry.method.kind()).into());
        route.extend(entry.body.map(|body| ("body".to_owned(), body.into())));
        route.extend(entry.response_body.map(|body| ("responseBody".to_owned(), body.into())));
        route.insert("default".to_owned(), entry.is_default.into());
        Value::Object(route)
    });
    let unbound = unbound.iter().map(|error| {
        json!({"verb": error.verb, "path": error.path, "method": error.method, "reason": error.reason.to_string()})
    });
    json!({"routes": routes.collect::<Vec<_>>(), "unbound": unbound.collect::<Vec<_>>()})
}
