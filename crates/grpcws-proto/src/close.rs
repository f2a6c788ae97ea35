//! Why a stream ends, and what its client is told: the one table of codes (PROTOCOL §6).

use crate::{Code, Mode, Status};

/// A WebSocket close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: the call ended with OK, or was cancelled by the client.
    pub const NORMAL: Self = Self(1000);
    /// 1002: the peer breaks RFC 6455.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: a kind of frame that the mode does not know.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1007: a text frame that is not UTF-8.
    pub const INVALID_UTF8: Self = Self(1007);
    /// 1008: a limit of the gateway's policy.
    pub const POLICY: Self = Self(1008);
    /// 1009: a client's message over the limit.
    pub const TOO_LARGE: Self = Self(1009);
    /// 1011: a fault of the gateway.
    pub const FAULT: Self = Self(1011);
    /// 1012: the gateway is shutting down.
    pub const DRAIN: Self = Self(1012);
    /// 4408: nothing was heard of the client for the pong timeout.
    pub const HEARTBEAT: Self = Self(4408);

    /// The close code for a status of the call: 1000 for OK, 4000 + code for all others.
    #[must_use]
    pub fn for_status(code: Code) -> Self {
        if matches!(code, Code::Ok) { Self::NORMAL } else { Self(4000 + u16::from(code.number())) }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

/// A close frame: code and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Close {
    /// The code.
    pub code: CloseCode,
    /// The reason, at most 123 bytes.
    pub reason: String,
}

/// Why a stream ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Cause {
    /// The upstream ended the call with this status, or could not be reached.
    Upstream(Status),
    /// The gateway refuses the call with this status: an unknown method, a request that does not bind,
    /// credentials.
    Refused(Status),
    /// The client sent `cancel`.
    Cancelled,
    /// The call's deadline passed.
    Deadline,
    /// The client's message is malformed or out of place; the text names the place.
    InvalidMessage(String),
    /// The client's message is larger than this many bytes.
    MessageTooLarge(u64),
    /// The upstream's message is larger than this many bytes.
    ResponseTooLarge(u64),
    /// A kind of frame that the mode does not know; the text says which.
    WrongFrame(String),
    /// The client breaks RFC 6455; the text says how.
    ProtocolViolation(String),
    /// A text frame of the client is not UTF-8.
    InvalidUtf8,
    /// No request message came within the init timeout; the text says so.
    InitTimeout(String),
    /// The gateway shuts down.
    Drain,
    /// The client takes no data, or another limit of policy is reached; the text says which.
    Policy(String),
    /// Nothing was heard of the client; the text says for how long.
    HeartbeatTimeout(String),
    /// A fault of the gateway or of a hook; the text may be shown to the client.
    Fault(String),
    /// The client closed the socket, with this code where it gave one.
    ClientClosed(Option<u16>),
    /// The connection broke without a close frame.
    ConnectionLost,
}

impl Cause {
    /// The status of the call that this cause means.
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Upstream(status) | Self::Refused(status) => status.clone(),
            Self::Cancelled => Status::new(Code::Cancelled, "call cancelled by the client"),
            Self::Deadline => Status::new(Code::DeadlineExceeded, "deadline exceeded"),
            Self::InvalidMessage(text) | Self::WrongFrame(text) => Status::new(Code::InvalidArgument, text),
            Self::MessageTooLarge(limit) => {
                Status::new(Code::ResourceExhausted, format!("message is larger than {limit} bytes"))
            }
            Self::ResponseTooLarge(limit) => {
                Status::new(Code::ResourceExhausted, format!("response message is larger than {limit} bytes"))
            }
            Self::ProtocolViolation(text) => Status::new(Code::Internal, text),
            Self::InvalidUtf8 => Status::new(Code::Internal, "text frame is not UTF-8"),
            Self::InitTimeout(text) => Status::new(Code::DeadlineExceeded, text),
            Self::Drain => Status::new(Code::Unavailable, "the gateway is shutting down"),
            Self::Policy(text) => Status::new(Code::ResourceExhausted, text),
            Self::HeartbeatTimeout(text) => Status::new(Code::Unavailable, text),
            Self::Fault(text) => Status::new(Code::Internal, text),
            Self::ClientClosed(_) => Status::new(Code::Cancelled, "the client closed the socket"),
            Self::ConnectionLost => Status::new(Code::Cancelled, "the connection was lost"),
        }
    }

    /// Whether the cause is the call's own end, which waits for the data before it; all others discard
    /// what is not delivered yet.
    #[must_use]
    pub const fn is_upstream(&self) -> bool {
        matches!(self, Self::Upstream(_))
    }

    /// Whether the client is sent a terminal message.
    #[must_use]
    pub const fn has_terminal(&self, mode: Mode) -> bool {
        match self {
            Self::ProtocolViolation(_) | Self::InvalidUtf8 | Self::ClientClosed(_) | Self::ConnectionLost => {
                false
            }
            Self::Cancelled | Self::WrongFrame(_) => mode.is_v1(),
            _ => true,
        }
    }

    /// The close frame that the client is sent, unless it is gone.
    #[must_use]
    pub fn close(&self) -> Option<Close> {
        let status = self.status();
        let code = match self {
            Self::Upstream(_)
            | Self::Refused(_)
            | Self::Deadline
            | Self::InitTimeout(_)
            | Self::InvalidMessage(_)
            | Self::ResponseTooLarge(_) => CloseCode::for_status(status.code()),
            Self::Cancelled => CloseCode::NORMAL,
            Self::MessageTooLarge(_) => CloseCode::TOO_LARGE,
            Self::WrongFrame(_) => CloseCode::UNSUPPORTED,
            Self::ProtocolViolation(_) => CloseCode::PROTOCOL,
            Self::InvalidUtf8 => CloseCode::INVALID_UTF8,
            Self::Drain => CloseCode::DRAIN,
            Self::Policy(_) => CloseCode::POLICY,
            Self::HeartbeatTimeout(_) => CloseCode::HEARTBEAT,
            Self::Fault(_) => CloseCode::FAULT,
            Self::ClientClosed(_) | Self::ConnectionLost => return None,
        };
        Some(Close { code, reason: reason(&status) })
    }
}

/// The most bytes that a close frame's reason may have (RFC 6455 §5.5).
const MAX_REASON: usize = 123;

/// `STATUS_NAME: message`, cut on a character boundary; the bare name where there is no message, and for OK, beside
/// which some servers put one that says nothing.
fn reason(status: &Status) -> String {
    let mut text = status.code().name().to_owned();
    if !status.is_ok() && !status.message().is_empty() {
        text.push_str(": ");
        text.push_str(status.message());
    }
    text.truncate(text.floor_char_boundary(MAX_REASON));
    text
}

/// What a client makes of a close without a terminal message; `None` is a connection that broke.
#[must_use]
pub fn code_for_close(close_code: Option<u16>) -> Code {
    match close_code {
        Some(1000 | 1002 | 1007 | 1011) => Code::Internal,
        Some(1003) => Code::InvalidArgument,
        Some(1008 | 1009) => Code::ResourceExhausted,
        Some(number @ 4001..=4016) => Code::from_number(i64::from(number) - 4000),
        _ => Code::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_cut_on_a_character_boundary() {
        let status = Status::new(Code::NotFound, "é".repeat(100));
        let reason = reason(&status);
        assert!(reason.starts_with("NOT_FOUND: é") && reason.len() <= MAX_REASON && reason.len() >= 122);
        assert_eq!(super::reason(&Status::ok()), "OK");
        assert_eq!(super::reason(&Status::new(Code::Ok, "OK")), "OK");
    }

    #[test]
    fn a_close_without_a_terminal_is_never_a_success() {
        assert_eq!(code_for_close(Some(1000)), Code::Internal);
        assert_eq!(code_for_close(Some(4005)), Code::NotFound);
        assert_eq!(code_for_close(Some(4017)), Code::Unavailable);
        assert_eq!(code_for_close(None), Code::Unavailable);
        assert!((0..=5000).all(|code| code_for_close(Some(code)) != Code::Ok));
    }
}
