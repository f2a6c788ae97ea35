//! `flows.json` and `races.json`: whole streams, step by step.

use std::time::Duration;

use grpcws_proto::close::Cause;
use grpcws_proto::session::{SessionOptions, Start};
use grpcws_proto::{Code, Status};
use serde_json::{Value, json};

use super::messages::{Known, status};
use super::support::{FromClient, FromUpstream, Gateway, Message, ToClient, ToUpstream};
use super::{each_row, hex, kind, metadata, mode, number, text};

#[test]
fn the_numbered_flows_run_as_written() {
    run_all("flows.json");
}

#[test]
fn races_end_as_written() {
    run_all("races.json");
}

fn run_all(name: &str) {
    each_row(name, "flows", run);
}

fn run(flow: &Value) {
    let steps: Vec<(&String, &Value)> = flow["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step.as_object().unwrap().iter().next().unwrap())
        .collect();
    let mut gateway = gateway(flow);
    gateway.takes_at_once = steps.iter().all(|(name, _)| *name != "upstream_takes");
    let mut at = 0;
    loop {
        let outputs = steps[at..].iter().take_while(|(name, _)| is_output(name)).count();
        expect(&mut gateway, &steps[at..at + outputs], &place(flow, &steps, at));
        at += outputs;
        let Some((name, value)) = steps.get(at) else { return };
        at += 1;
        // Whether a payload fits its type shows as soon as it is read.
        if let Some((_, text)) = steps.get(at).filter(|(next, _)| *next == "transcode_error") {
            gateway.misfit = text.as_str().map(str::to_owned);
            at += 1;
        }
        input(&mut gateway, name, value);
    }
}

fn place(flow: &Value, steps: &[(&String, &Value)], at: usize) -> String {
    let before = at.checked_sub(1).map(|before| steps[before]);
    format!("{}, after step {at} {before:?}", text(flow, "name"))
}

fn gateway(flow: &Value) -> Gateway {
    let mode = mode(text(flow, "mode"));
    let given = &flow["options"];
    let milliseconds = |member: &str| given[member].as_u64().map(Duration::from_millis);
    let mut options = SessionOptions::default();
    if let Some(window) = given["receive_window"].as_u64() {
        options.receive_window = window;
    }
    if let Some(window) = given["receive_window_max"].as_u64() {
        options.receive_window_max = window;
    }
    if let Some(timeout) = milliseconds("pong_timeout_ms") {
        options.pong_timeout = Some(timeout);
    }
    if let Some(period) = milliseconds("ping_period_ms") {
        assert_eq!(period, Duration::ZERO, "only off is used");
        options.ping_period = None;
        options.pong_timeout = None;
    }
    let mut start = Start::new(mode, kind(text(flow, "kind")))
        .credit(given["credit"].as_u64())
        .timeout(milliseconds("deadline_ms"));
    let bound = flow.get("bound_request").map(|request| message(mode.is_json(), request));
    if bound.is_some() {
        start = start.request_bound();
    }
    let mut gateway = Gateway::new(options, start, bound);
    gateway.debug = Box::new(Known(json!({ "google.rpc.RetryInfo": r#"{"retryDelay":"5s"}"# })));
    gateway
}

fn message(is_json: bool, value: &Value) -> Message {
    if is_json {
        Message::Json(text(value, "json").to_owned())
    } else {
        Message::Proto(hex(text(value, "proto")))
    }
}

fn is_output(name: &str) -> bool {
    name.starts_with("gateway_")
        || matches!(
            name,
            "upstream_starts" | "upstream_receives" | "upstream_half_closed" | "upstream_cancelled"
        )
}

fn input(gateway: &mut Gateway, name: &str, value: &Value) {
    let answer = |gateway: &mut Gateway, answer| gateway.upstream.push_back(answer);
    match name {
        "client_text" => gateway.socket.push_back(FromClient::Text(value.as_str().unwrap().to_owned())),
        "client_binary" => gateway.socket.push_back(FromClient::Binary(hex(value.as_str().unwrap()))),
        "client_too_large" => gateway.socket.push_back(FromClient::TooLarge(value.as_u64().unwrap())),
        "client_pong_frame" => gateway.socket.push_back(FromClient::Pong),
        "client_lost" => gateway.socket.push_back(FromClient::Lost),
        "client_close" => {
            let code = u16::try_from(number(value, "code")).unwrap();
            gateway.socket.push_back(FromClient::Close(Some(code).filter(|code| *code != 1005)));
        }
        "upstream_headers" => answer(gateway, FromUpstream::Headers(metadata(value))),
        "upstream_message" => {
            let message = gateway.message(text(value, "json"), &hex(text(value, "proto")));
            answer(gateway, FromUpstream::Message(message));
        }
        "upstream_status" => answer(gateway, FromUpstream::End(status(value))),
        "upstream_lost" => {
            let lost = Status::new(Code::Unavailable, value.as_str().unwrap());
            answer(gateway, FromUpstream::End(lost));
        }
        "upstream_takes" => {
            for _ in 0..value.as_u64().unwrap() {
                assert!(gateway.take(), "there is no message to take");
            }
        }
        "time_ms" => gateway.advance(Duration::from_millis(value.as_u64().unwrap())),
        "drain" => gateway.drain(),
        "refuse" => {
            let code = Code::from_number(value["code"].as_i64().unwrap());
            gateway.fail(Cause::Refused(Status::new(code, text(value, "message"))));
        }
        other => panic!("no step is called {other:?}"),
    }
    gateway.pump();
}

fn expect(gateway: &mut Gateway, steps: &[(&String, &Value)], place: &str) {
    let sent = std::mem::take(&mut gateway.to_client);
    let seen = std::mem::take(&mut gateway.to_upstream);
    let (to_client, to_upstream): (Vec<_>, Vec<_>) =
        steps.iter().partition(|(name, _)| name.starts_with("gateway_"));
    assert_eq!(sent.len(), to_client.len(), "{place}: {sent:#?}");
    for (sent, (name, value)) in sent.iter().zip(to_client) {
        assert!(is_frame(sent, name, value), "{place}: {sent:?} is not {name} {value}");
    }
    let wanted: Vec<ToUpstream> = to_upstream
        .iter()
        .map(|(name, value)| match name.as_str() {
            "upstream_starts" => ToUpstream::Start,
            "upstream_receives" => {
                ToUpstream::Message(gateway.message(text(value, "json"), &hex(text(value, "proto"))))
            }
            "upstream_half_closed" => ToUpstream::HalfClose,
            _ => ToUpstream::Cancel,
        })
        .collect();
    assert_eq!(seen, wanted, "{place}");
}

fn is_frame(sent: &ToClient, name: &str, value: &Value) -> bool {
    match (sent, name) {
        (ToClient::Text(text), "gateway_text") => value == text,
        (ToClient::Binary(bytes), "gateway_binary") => *bytes == hex(value.as_str().unwrap()),
        (ToClient::Ping, "gateway_ping_frame") => value == "",
        (ToClient::Close { code, reason }, "gateway_close") => {
            number(value, "code") == u64::from(*code) && text(value, "reason") == reason
        }
        (ToClient::Close { code, .. }, "gateway_close_code") => value == *code,
        (ToClient::Text(text), "gateway_error") => {
            let sent: Value = serde_json::from_str(text).unwrap();
            sent["type"] == "error" && sent["code"] == value["code"]
        }
        _ => false,
    }
}
