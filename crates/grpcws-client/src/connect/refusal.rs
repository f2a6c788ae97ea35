//! A handshake that is refused by HTTP status (PROTOCOL §3.4).

use http::StatusCode;

use super::Failure;
use crate::{Code, Status};

/// How many bytes of a refusal's body become part of the status message.
pub(super) const MAX_BODY: usize = 1024;

/// The status for a refusal, with what the body says, as far as it is text.
pub(super) fn failure(status: StatusCode, body: &[u8]) -> Failure {
    let code = match status.as_u16() {
        // The gateway's limit for headers, which hold the metadata.
        431 => Code::ResourceExhausted,
        _ => Code::from_http_status(status),
    };
    let mut text = format!("the gateway refused the handshake with HTTP {status}");
    let said = String::from_utf8_lossy(body.get(..MAX_BODY).unwrap_or(body));
    let said: String = said.trim().chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    if !said.is_empty() {
        text.push_str(": ");
        text.push_str(&said);
    }
    let refusal = Status::new(code, text);
    if code == Code::Unavailable { Failure::Unreachable(refusal) } else { Failure::Refused(refusal) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_the_gateway_said() {
        let Failure::Refused(status) = failure(StatusCode::NOT_FOUND, b"no such\r\nroute\n") else {
            panic!("the gateway is there")
        };
        assert_eq!(status.code(), Code::Unimplemented);
        assert_eq!(
            status.message(),
            "the gateway refused the handshake with HTTP 404 Not Found: no such  route"
        );
        assert!(matches!(failure(StatusCode::SERVICE_UNAVAILABLE, b""), Failure::Unreachable(_)));
        let Failure::Refused(status) = failure(StatusCode::BAD_REQUEST, &[b'x'; 5000]) else {
            panic!("the gateway is there")
        };
        assert!(status.message().len() < 1200);
    }
}
