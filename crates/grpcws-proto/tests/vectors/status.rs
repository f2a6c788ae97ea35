//! `status.json` and `close_codes.json`.

use std::time::Instant;

use grpcws_proto::close::{Cause, code_for_close};
use grpcws_proto::session::{Session, SessionOptions, Start, Transmit};
use grpcws_proto::{Code, MethodKind, Mode, Status};
use serde_json::Value;

use super::{number, rows, text};

fn code(row: &Value, member: &str) -> Code {
    Code::from_number(row[member].as_i64().expect(member))
}

#[test]
fn codes_have_the_names_of_their_rows() {
    let codes = rows("status.json", "codes");
    assert_eq!(codes.len(), 17);
    for row in codes {
        let code = code(&row, "code");
        assert_eq!(u64::from(code.number()), number(&row, "code"));
        assert_eq!((code.name(), code.go_name()), (text(&row, "status"), text(&row, "go")));
        assert_eq!(Code::from_name(text(&row, "status")), Some(code));
    }
    for row in rows("status.json", "upstream_codes") {
        assert_eq!(u64::from(code(&row, "code").number()), number(&row, "becomes"), "{row}");
    }
}

#[test]
fn error_texts_and_reasons_are_those_of_their_rows() {
    for row in rows("status.json", "error_text") {
        let status = Status::new(code(&row, "code"), text(&row, "message"));
        assert_eq!(status.to_string(), text(&row, "text"), "{}", text(&row, "name"));
    }
    for row in rows("status.json", "reasons") {
        let status = Status::new(code(&row, "code"), text(&row, "message"));
        let close = Cause::Upstream(status).close().expect("an upstream's status closes the socket");
        assert_eq!(close.reason, text(&row, "reason"), "{}", text(&row, "name"));
        assert!(close.reason.len() <= 123);
    }
}

#[test]
fn a_client_reads_a_close_as_its_row_says() {
    for row in rows("close_codes.json", "client_reading") {
        let close = row["close"].as_u64().map(|code| u16::try_from(code).unwrap());
        assert_eq!(u64::from(code_for_close(close).number()), number(&row, "status"), "{row}");
    }
}

#[test]
fn a_cause_ends_a_stream_as_its_row_says() {
    for row in rows("close_codes.json", "causes") {
        for (member, mode) in [("v1", Mode::V1Json), ("v1", Mode::V1Proto), ("seed", Mode::Seed)] {
            let wanted = &row[member];
            if !matches!(text(wanted, "terminal"), "stream_end" | "error" | "none") {
                continue;
            }
            let name = format!("{} in {mode:?}", text(&row, "name"));
            let now = Instant::now();
            let mut session =
                Session::new(SessionOptions::default(), Start::new(mode, MethodKind::Bidi), now);
            let opened = session.poll_transmit().is_some();
            assert_eq!(opened, mode.is_v1(), "{name}");
            session.fail(cause(text(&row, "name")), now);
            match text(wanted, "terminal") {
                "none" => {}
                terminal => {
                    let Some(Transmit::Text(sent)) = session.poll_transmit() else { panic!("{name}") };
                    let sent: Value = serde_json::from_str(&sent).unwrap();
                    assert_eq!(sent["type"], terminal, "{name}");
                    assert_eq!(sent.get("code"), wanted.get("code"), "{name}");
                }
            }
            let Some(Transmit::Close(close)) = session.poll_transmit() else { panic!("{name}") };
            assert_eq!(u64::from(close.code.number()), number(&row, "close"), "{name}");
            assert_eq!(session.poll_transmit(), None, "{name}");
        }
    }
}

fn cause(name: &str) -> Cause {
    let why = || "why".to_owned();
    if let Some(number) = name.strip_prefix("upstream status ") {
        let code = if number == "OK" { Code::Ok } else { Code::from_number(number.parse().unwrap()) };
        return Cause::Upstream(Status::new(code, ""));
    }
    match name {
        "cancel" => Cause::Cancelled,
        "deadline" => Cause::Deadline,
        "init timeout" => Cause::InitTimeout(why()),
        "malformed text frame"
        | "data does not fit the message"
        | "second request message"
        | "data after end_send"
        | "end_send before the request message"
        | "invalid credit"
        | "unknown type" => Cause::InvalidMessage(why()),
        "client frame too large" => Cause::MessageTooLarge(1),
        "upstream message too large" => Cause::ResponseTooLarge(1),
        "wrong frame kind" => Cause::WrongFrame(why()),
        "websocket protocol violation" => Cause::ProtocolViolation(why()),
        "invalid UTF-8" => Cause::InvalidUtf8,
        "upstream unreachable or lost" => Cause::Upstream(Status::new(Code::Unavailable, "why")),
        "unauthenticated" => Cause::Refused(Status::new(Code::Unauthenticated, "why")),
        "permission denied" => Cause::Refused(Status::new(Code::PermissionDenied, "why")),
        "unknown method" => Cause::Refused(Status::new(Code::Unimplemented, "why")),
        "drain" => Cause::Drain,
        "write stall" | "policy limit" => Cause::Policy(why()),
        "heartbeat timeout" => Cause::HeartbeatTimeout(why()),
        "gateway fault" => Cause::Fault(why()),
        other => panic!("no cause is called {other:?}"),
    }
}
