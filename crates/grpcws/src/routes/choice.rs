//! Which of several methods at one path a client gets.

use std::borrow::Cow;

use grpcws_proto::Status;

use super::binding::Binding;
use super::decode;
use super::error::shortened;

/// The parameter by which a client names the HTTP method: that of grpc-websocket-proxy.
pub(super) const PARAMETER: &str = "method";

/// How many routes an error names.
const SHOWN: usize = 10;

/// Why a client gets its route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It has not named an HTTP method.
    Default,
    /// It has named the HTTP method of the route.
    Verb,
}

/// The HTTP method that a query asks for.
pub(super) fn asked_for(query: Option<&str>) -> Option<Cow<'_, str>> {
    query?.split('&').find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let named = decode::query(name).is_ok_and(|name| name == PARAMETER);
        if named { decode::query(value).ok().filter(|value| !value.is_empty()) } else { None }
    })
}

/// The refusal of an HTTP method that no route at the path has.
pub(super) fn no_such_verb(verb: &str, routes: &[&Binding]) -> Status {
    Status::invalid_argument(format!(
        "query parameter {PARAMETER:?}: no method of this path is bound to {:?}; there is {}",
        shortened(verb),
        listed(routes)
    ))
}

/// The refusal of a request message at a path whose method has none, as others of the path have.
pub(super) fn needs_choice(called: &Binding, with_body: &[&Binding]) -> Status {
    Status::invalid_argument(format!(
        "{} is called at this path, and takes no request message; add {PARAMETER}= to the query to choose: {}",
        called.method.full_name(),
        listed(with_body)
    ))
}

/// `GET for a.B.List, POST for a.B.Create`
fn listed(routes: &[&Binding]) -> String {
    let mut texts: Vec<String> = routes.iter().map(|route| described(route)).collect();
    texts.dedup();
    let left_out = texts.len().saturating_sub(SHOWN);
    texts.truncate(SHOWN);
    let text = texts.join(", ");
    if left_out > 0 { format!("{text} and {left_out} more") } else { text }
}

fn described(route: &Binding) -> String {
    match &route.verb {
        Some(verb) => format!("{verb} for {}", route.method.full_name()),
        None => route.method.full_name(),
    }
}
