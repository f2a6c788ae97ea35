//! Calls with JSON and with bytes, without generated code.

mod common;

use common::{Gateway, method, options, soon};
use futures_util::StreamExt;
use grpcws_client::{CallEvent, Code, JsonCall, JsonEvent, Status};
use grpcws_test::pb::{ServerStreamRequest, ServerStreamResponse};
use http::HeaderMap;
use prost::Message as _;

/// The headers, the messages and the end of a call.
async fn rest(call: &mut JsonCall) -> (Option<HeaderMap>, Vec<String>, Status) {
    let (mut headers, mut messages) = (None, Vec::new());
    loop {
        match soon(call.next()).await.expect("an end comes first") {
            JsonEvent::Headers(metadata) => assert!(headers.replace(metadata).is_none(), "headers come once"),
            JsonEvent::Message(message) => messages.push(message),
            JsonEvent::End(status) => {
                assert!(soon(call.next()).await.is_none(), "nothing comes after the end");
                return (headers, messages, status);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn all_four_kinds_work_in_json() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Default::default());

    let mut unary = client.json_call(&method("Unary"), options());
    soon(unary.send(r#" {"sequence": "7", "payload": "AQI="} "#)).await.expect("it is sent");
    unary.half_close();
    let (headers, messages, status) = rest(&mut unary).await;
    assert!(headers.is_some() && status.is_ok(), "{status:?}");
    assert_eq!(messages, [r#"{"sequence":"7","payload":"AQI="}"#]);

    let mut server_stream = client.json_call(&method("ServerStream"), options());
    let request = serde_json::json!({"count": 2, "firstSequence": "5"});
    soon(server_stream.send_value(&request)).await.expect("it is sent");
    assert_eq!(
        soon(server_stream.message()).await.expect("it goes on").as_deref(),
        Some(r#"{"sequence":"5"}"#)
    );
    assert_eq!(
        soon(server_stream.message()).await.expect("it goes on").as_deref(),
        Some(r#"{"sequence":"6"}"#)
    );
    assert_eq!(soon(server_stream.message()).await.expect("OK"), None);

    let mut client_stream = client.json_call(&method("ClientStream"), options());
    for sequence in 1..=3 {
        soon(client_stream.send_value(&serde_json::json!({"sequence": sequence}))).await.expect("it is sent");
    }
    client_stream.half_close();
    let (_, messages, status) = rest(&mut client_stream).await;
    assert!(
        status.is_ok() && messages.len() == 1 && messages[0].contains(r#""messages":"3""#),
        "{messages:?}"
    );

    let (mut requests, mut responses) = client.json_call(&method("Bidi"), options()).split();
    let writer = tokio::spawn(async move {
        for sequence in 1..=200 {
            requests.send(&format!(r#"{{"sequence":"{sequence}"}}"#)).await.expect("it is sent");
        }
        requests.half_close();
    });
    let mut sequence = 0;
    while let Some(event) = soon(responses.next()).await {
        match event {
            JsonEvent::Message(message) => {
                sequence += 1;
                assert!(message.contains(&format!(r#""requestSequence":"{sequence}""#)), "{message}");
            }
            JsonEvent::End(status) => assert!(status.is_ok(), "{status:?}"),
            _ => {}
        }
    }
    assert_eq!(sequence, 200);
    writer.await.expect("it does not panic");
    gateway.settle().await;
    assert_eq!(gateway.service.stats().completed, 4);
}

#[tokio::test]
async fn metadata_trailers_and_details_pass() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Default::default());
    let call_options = options()
        .with("authorization", "Bearer t")
        .and_then(|options| options.with("x-room", "blue"))
        .expect("valid metadata");
    let mut call = client.json_call(&method("ServerStream"), call_options);
    let request = serde_json::json!({
        "count": 1,
        "echoMetadata": ["ECHO_METADATA_HEADERS"],
        "responseTrailers": {"x-sum-bin": {"values": ["CP8"]}},
        "fail": {"code": 5, "message": "no", "after": 1, "details": [
            {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "5s"},
        ]},
    });
    soon(call.send_value(&request)).await.expect("it is sent");
    let (headers, messages, status) = rest(&mut call).await;
    let headers = headers.expect("headers");
    assert_eq!(
        (&headers["echo-x-room"], &headers["echo-authorization"]),
        (&"blue".parse().unwrap(), &"Bearer t".parse().unwrap())
    );
    assert_eq!(messages.len(), 1);
    assert_eq!((status.code(), status.message()), (Code::NotFound, "no"));
    assert_eq!(status.metadata()["x-sum-bin"], "CP8");
    assert!(status.details().ends_with(&[8, 5]), "{:?}", status.details());
}

#[tokio::test]
async fn what_the_client_can_tell_is_wrong_is_not_sent() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Default::default());
    let mut call = client.json_call(&method("Bidi"), options());
    for text in ["", "{", r#"1},"type":"cancel""#, "1 2"] {
        let error = soon(call.send(text)).await.expect_err(text);
        assert_eq!(error.code(), Code::InvalidArgument, "{error}");
    }
    soon(call.send("{}")).await.expect("the call goes on");
    call.half_close();
    assert_eq!(soon(call.send("{}")).await.expect_err("half-closed").code(), Code::FailedPrecondition);
    assert!(rest(&mut call).await.2.is_ok());
}

#[tokio::test]
async fn what_the_gateway_refuses_has_its_reason() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Default::default());
    let mut unknown = client.json_call("grpcws.test.v1.TestService/Nope", options());
    let status = rest(&mut unknown).await.2;
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");

    let mut misfit = client.json_call(&method("Unary"), options());
    soon(misfit.send(r#"{"sequense":"1"}"#)).await.expect("it is JSON");
    let status = rest(&mut misfit).await.2;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("sequense"), "{}", status.message());

    let mut nothing = client.json_call("", options());
    assert_eq!(rest(&mut nothing).await.2.code(), Code::InvalidArgument);

    let elsewhere = format!("ws://{}/elsewhere", gateway.address);
    let elsewhere = grpcws_client::Client::new(&elsewhere, Default::default()).expect("a valid URL");
    let status = rest(&mut elsewhere.json_call(&method("Unary"), options())).await.2;
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("HTTP 404"), "{}", status.message());
}

#[tokio::test]
async fn a_cancelled_call_says_so_and_a_dropped_one_is_cancelled() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Default::default());
    let mut call = client.json_call(&method("Bidi"), options());
    soon(call.send("{}")).await.expect("it is sent");
    gateway.live(1).await;
    call.cancel();
    assert_eq!(rest(&mut call).await.2.code(), Code::Cancelled);
    gateway.settle().await;

    // A program that fails in the middle of its messages is not one that has sent them all.
    let (mut requests, mut responses) = client.json_call(&method("ClientStream"), options()).split();
    soon(requests.send("{}")).await.expect("it is sent");
    gateway.live(1).await;
    drop(requests);
    let mut last = None;
    while let Some(event) = soon(responses.next()).await {
        last = Some(event);
    }
    assert!(matches!(last, Some(JsonEvent::End(status)) if status.code() == Code::Cancelled));
    gateway.settle().await;

    let (requests, responses) = client.json_call(&method("Bidi"), options()).split();
    gateway.live(1).await;
    drop(responses);
    gateway.settle().await;
    drop(requests);
    assert_eq!(gateway.service.stats().cancelled, 3);
}

#[tokio::test]
async fn bytes_pass_as_they_are() {
    let gateway = Gateway::start().await;
    let client = gateway.client(Default::default());
    let mut call = client.call(&method("ServerStream"), options());
    let request = ServerStreamRequest { count: 3, first_sequence: 1, ..Default::default() };
    soon(call.send(request.encode_to_vec())).await.expect("it is sent");
    call.half_close();
    let mut sequences = Vec::new();
    while let Some(event) = soon(StreamExt::next(&mut call)).await {
        match event {
            CallEvent::Message(bytes) => {
                sequences.push(ServerStreamResponse::decode(bytes).expect("a response").sequence);
            }
            CallEvent::End(status) => assert!(status.is_ok(), "{status:?}"),
            _ => {}
        }
    }
    assert_eq!(sequences, [1, 2, 3]);
}

#[test]
fn a_call_outside_of_a_runtime_ends_at_once() {
    let client = grpcws_client::Client::new("ws://127.0.0.1:1", Default::default()).expect("a valid URL");
    let mut call = client.json_call(&method("Unary"), options());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let event = runtime.block_on(call.next());
    assert!(matches!(event, Some(JsonEvent::End(status)) if status.code() == Code::Internal));
}
