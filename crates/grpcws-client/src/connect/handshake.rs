//! What a handshake says, whatever carries it, and how its answer is checked.

use grpcws_proto::handshake::subprotocols;
use grpcws_proto::metadata::format_timeout;
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, USER_AGENT};
use tokio::time::Instant;

use super::{Connector, Failure, OpenRequest};
use crate::{Code, Status};

/// The largest answer to a handshake that is read, headers and body each.
pub(super) const MAX_HEAD: usize = 16 * 1024;

const AGENT: &str = concat!("grpcws-client/", env!("CARGO_PKG_VERSION"));

/// The headers of a handshake, but for those that the version of HTTP adds.
pub(super) fn headers(connector: &Connector, request: &OpenRequest) -> Result<HeaderMap, Status> {
    let mut metadata = request.metadata.clone();
    if let Some(deadline) = request.deadline {
        // The gateway counts from the handshake, so the time until here is taken off.
        let left = deadline.saturating_duration_since(Instant::now());
        metadata.insert("grpc-timeout", number(format_timeout(left)));
    }
    if let Some(credit) = connector.options.credit {
        metadata.insert("grpcws-credit", number(credit.to_string()));
    }
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    for name in connector.options.headers.keys() {
        headers.remove(name);
        for value in connector.options.headers.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    headers.insert(SEC_WEBSOCKET_PROTOCOL, subprotocols(request.mode, &metadata)?);
    Ok(headers)
}

fn number(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("digits and letters are visible ASCII")
}

/// The gateway echoes the name of the mode alone (PROTOCOL §3.2).
pub(super) fn check_selected(request: &OpenRequest, headers: &HeaderMap) -> Result<(), Failure> {
    let wanted = request.mode.subprotocol().unwrap_or_default();
    let selected = headers.get(SEC_WEBSOCKET_PROTOCOL).map(HeaderValue::as_bytes);
    if selected == Some(wanted.as_bytes()) {
        return Ok(());
    }
    Err(violation(format!("it did not select the sub-protocol {wanted}")))
}

/// The answer is none to this handshake: whoever answers is no gateway.
pub(super) fn violation(what: impl std::fmt::Display) -> Failure {
    let text = format!("the answer to the handshake is not that of a gateway: {what}");
    Failure::Refused(Status::new(Code::Internal, text))
}
