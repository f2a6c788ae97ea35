//! Which of several methods at one path a client gets.

use grpcws_proto::Status;

use super::binding::Binding;
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

/// The values of the parameter in a query, as they stand there. Escapes are not decoded: what a proxy in front finds under
/// this name is what counts here.
pub(super) fn asked_for(query: Option<&str>) -> impl Iterator<Item = &str> {
    let parameters = query.unwrap_or_default().split('&').filter_map(|parameter| parameter.split_once('='));
    parameters.filter_map(|(name, value)| (name == PARAMETER && !value.is_empty()).then_some(value))
}

/// The refusal of a query that asks for an HTTP method more than once.
pub(super) fn asked_twice() -> Status {
    Status::invalid_argument(format!("query parameter {PARAMETER:?}: it is given more than once"))
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
