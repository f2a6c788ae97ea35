//! Upstreams that do not behave: what their clients are told.

mod common;

use bytes::Bytes;
use common::whole::{Script, open};
use grpcws::ConnectionOptions;
use grpcws::json::MarshalOptions;

type Header = (&'static str, &'static str);

const GRPC: Header = ("content-type", "application/grpc");
/// A `UnaryResponse` with the sequence number 7, in its frame.
const SEVEN: Bytes = Bytes::from_static(b"\0\0\0\0\x02\x08\x07");

/// The terminal message and the close code of a call of `Unary`, with the number of `data` messages before.
async fn answer(script: Script) -> (String, u16, usize) {
    let address = script
        .serve(ConnectionOptions::builder().max_response_size(1000).build().expect("valid options"))
        .await;
    let mut client = open(address, "/ws/grpcws.test.v1.TestService/Unary", "grpcws.v1.json").await;
    client.send(r#"{"type":"data","data":{}}"#).await;
    let (mut texts, code, _) = client.rest().await;
    let terminal = texts.pop().expect("a terminal message");
    (terminal, code, texts.iter().filter(|text| text.starts_with(r#"{"type":"data""#)).count())
}

fn script(status: u16, headers: &[Header]) -> Script {
    Script { status, headers: headers.to_vec(), ..Script::default() }
}

impl Script {
    fn body(mut self, chunks: &[Bytes]) -> Self {
        self.body = chunks.to_vec();
        self
    }

    fn trailers(mut self, trailers: &[Header]) -> Self {
        self.trailers = Some(trailers.to_vec());
        self
    }
}

#[tokio::test]
async fn http_statuses_are_mapped_where_there_is_no_grpc_status() {
    for (status, code) in [
        (400, 13),
        (401, 16),
        (403, 7),
        (404, 12),
        (429, 14),
        (502, 14),
        (503, 14),
        (504, 14),
        (500, 2),
        (204, 2),
    ] {
        let (terminal, close, _) = answer(script(status, &[("content-type", "text/html")])).await;
        assert!(terminal.contains(&format!(r#""code":{code},"#)), "{status}: {terminal}");
        assert!(terminal.contains(&format!("HTTP status {status}")), "{terminal}");
        assert_eq!(close, 4000 + code);
    }
    let with_both = script(503, &[GRPC, ("grpc-status", "5"), ("grpc-message", "gone")]);
    assert!(answer(with_both).await.0.contains(r#""code":5,"#), "the grpc-status counts");
}

#[tokio::test]
async fn what_is_no_grpc_is_an_error() {
    for (content_type, code) in
        [("text/html", 2), ("", 2), ("application/grpc+json", 13), ("application/grpc-web", 2)]
    {
        let odd =
            script(200, &[("content-type", content_type)]).body(&[SEVEN]).trailers(&[("grpc-status", "0")]);
        let (terminal, _, messages) = answer(odd).await;
        assert!(terminal.contains(&format!(r#""code":{code},"#)), "{content_type:?}: {terminal}");
        assert_eq!(messages, 0);
    }
    let fine = script(200, &[("content-type", "Application/gRPC+proto; charset=utf-8")])
        .body(&[SEVEN])
        .trailers(&[("grpc-status", "0"), ("x-t", "1")]);
    let (terminal, close, messages) = answer(fine).await;
    assert_eq!((&*terminal, close, messages), (r#"{"type":"stream_end","trailers":{"x-t":["1"]}}"#, 1000, 1));
}

#[tokio::test]
async fn an_end_without_a_status_is_never_a_success() {
    let ended = script(200, &[GRPC]).body(&[SEVEN]);
    let no_status = ended.clone().trailers(&[("x-t", "1")]);
    let truncated = script(200, &[GRPC]).body(&[SEVEN, Bytes::from_static(b"\0\0\0\0\x02\x08")]);
    let truncated_ok = truncated.clone().trailers(&[("grpc-status", "0")]);
    for (script, text) in [
        (ended, "without a grpc-status"),
        (no_status, "without a grpc-status"),
        (truncated, "in the middle of a message"),
        (truncated_ok, "in the middle of a message"),
    ] {
        let (terminal, close, messages) = answer(script).await;
        assert!(terminal.contains(r#""code":13"#) && terminal.contains(text), "{terminal}");
        assert_eq!((close, messages), (4013, 1));
    }
}

#[tokio::test]
async fn a_method_with_one_response_has_exactly_one() {
    let two = script(200, &[GRPC]).body(&[SEVEN, SEVEN]).trailers(&[("grpc-status", "0")]);
    assert!(answer(two).await.0.contains(r#""code":12"#));
    let none = script(200, &[GRPC]).trailers(&[("grpc-status", "0")]);
    assert!(answer(none).await.0.contains(r#""code":12"#));
    let trailers_only = script(200, &[GRPC, ("grpc-status", "0")]);
    assert!(answer(trailers_only).await.0.contains(r#""code":12"#));
    let failed = script(200, &[GRPC]).trailers(&[("grpc-status", "9"), ("grpc-message", "a%20b%")]);
    let (terminal, _, _) = answer(failed).await;
    assert!(terminal.contains(r#""code":9"#) && terminal.contains(r#""message":"a b%""#), "{terminal}");
}

#[tokio::test]
async fn a_status_in_the_head_counts_where_no_message_and_no_other_status_follows() {
    let head = script(200, &[GRPC, ("grpc-status", "8"), ("grpc-message", "in the head")]);
    let with_message = head.clone().body(&[SEVEN]);
    let with_trailers = head.clone().trailers(&[("grpc-status", "9")]);
    let with_others = head.clone().trailers(&[("x-proxy", "p")]);
    for (script, code) in [(head, 8), (with_message, 13), (with_trailers, 9), (with_others, 8)] {
        let (terminal, close, _) = answer(script).await;
        assert!(terminal.contains(&format!(r#""code":{code},"#)), "{terminal}");
        assert_eq!(close, 4000 + code);
    }
}

#[tokio::test]
async fn the_trailers_behind_a_status_in_the_head_are_shown_and_the_head_is_not_shown_twice() {
    let head = script(200, &[GRPC, ("grpc-status", "5"), ("grpc-message", "none"), ("x-head", "h")]);
    let address = head.trailers(&[("x-proxy", "p")]).serve(ConnectionOptions::default()).await;
    let mut client = open(address, "/ws/grpcws.test.v1.TestService/Unary", "grpcws.v1.json").await;
    client.send(r#"{"type":"data","data":{}}"#).await;
    let (texts, _, _) = client.rest().await;
    let end = r#""code":5,"status":"NOT_FOUND","message":"none","trailers":{"x-proxy":["p"]}}"#;
    assert!(texts.last().is_some_and(|text| text.ends_with(end)), "{texts:?}");
}

#[tokio::test]
async fn malformed_and_oversized_messages_end_the_call() {
    let cases: [(&[Header], &'static [u8], u16, &str); 5] = [
        (&[], b"\x02\0\0\0\0", 13, "compressed flag"),
        (&[], b"\x01\0\0\0\x01x", 13, "without a grpc-encoding"),
        (&[("grpc-encoding", "gzip")], b"\x01\0\0\0\x01x", 13, "gzip"),
        (&[("grpc-encoding", "br")], b"\x01\0\0\0\x01x", 13, "not offered"),
        (&[], b"\0\x7f\xff\xff\xff", 8, "larger than 1000"),
    ];
    for (headers, body, code, text) in cases {
        let script = script(200, &[&[GRPC], headers].concat())
            .body(&[Bytes::from_static(body)])
            .trailers(&[("grpc-status", "0")]);
        let (terminal, close, _) = answer(script).await;
        assert!(terminal.contains(&format!(r#""code":{code},"#)) && terminal.contains(text), "{terminal}");
        assert_eq!(close, 4000 + code);
    }
    let undecodable = script(200, &[GRPC])
        .body(&[Bytes::from_static(b"\0\0\0\0\x02\xff\xff")])
        .trailers(&[("grpc-status", "0")]);
    assert!(answer(undecodable).await.0.contains(r#""code":13"#));
}

#[tokio::test]
async fn odd_statuses_are_errors() {
    for (status, code) in [("17", 2), ("abc", 2), ("-1", 2), ("16", 16)] {
        let script = script(200, &[GRPC]).body(&[SEVEN]).trailers(&[("grpc-status", status)]);
        let (terminal, close, messages) = answer(script).await;
        assert!(terminal.contains(&format!(r#""code":{code},"#)), "{status}: {terminal}");
        assert_eq!((close, messages), (4000 + code, 1));
    }
}

#[tokio::test]
async fn the_headers_of_an_answer_that_is_no_grpc_are_not_shown() {
    let answered = script(
        302,
        &[
            ("location", "http://10.1.2.3:9999/login"),
            ("set-cookie", "SESSION=abc"),
            ("server", "internal-lb-7"),
        ],
    );
    let (terminal, close, _) = answer(answered).await;
    assert!(terminal.contains(r#""code":2,"#) && !terminal.contains("trailers"), "{terminal}");
    for secret in ["10.1.2.3", "abc", "internal-lb-7"] {
        assert!(!terminal.contains(secret), "{terminal}");
    }
    assert_eq!(close, 4002);
}

#[tokio::test]
async fn odd_trailers_do_not_spoil_a_success() {
    let odd = script(200, &[GRPC, ("x!h", "1"), ("x-h-bin", "not*base64")]).body(&[SEVEN]).trailers(&[
        ("grpc-status", "0"),
        ("x!y", "1"),
        ("x-bin", "not*base64"),
        ("x-kept", "1"),
        ("proxy-authenticate", "Basic"),
    ]);
    let address = odd.serve(ConnectionOptions::default()).await;
    let mut client = open(address, "/ws/grpcws.test.v1.TestService/Unary", "grpcws.v1.json").await;
    client.send(r#"{"type":"data","data":{}}"#).await;
    let (texts, code, _) = client.rest().await;
    // A name that gRPC does not have is left out; what is not base64 is taken for the bytes.
    assert_eq!(texts[1], r#"{"type":"headers","headers":{"x-h-bin":["bm90KmJhc2U2NA"]}}"#);
    let end = r#"{"type":"stream_end","trailers":{"x-bin":["bm90KmJhc2U2NA"],"x-kept":["1"]}}"#;
    assert_eq!((texts.last().map(String::as_str), code), (Some(end), 1000), "{texts:?}");
}

#[tokio::test]
async fn a_response_whose_json_is_too_long_is_refused() {
    // Two bytes each, of which all fields are printed.
    let calls = |count: usize| {
        let body = [0x4a, 0x00].repeat(count);
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        let message = Bytes::from([&[0], &length[..], &body].concat());
        script(200, &[GRPC]).body(&[message]).trailers(&[("grpc-status", "0")])
    };
    let call = async |script: Script| {
        let options = ConnectionOptions::builder()
            .max_response_size(10_000)
            .marshal(MarshalOptions::default().emit_unpopulated(true))
            .build()
            .expect("valid options");
        let address = script.serve(options).await;
        let mut client = open(address, "/ws/grpcws.test.v1.TestService/Stats", "").await;
        client.send(r#"{"type":"data","data":{}}"#).await;
        client.rest().await
    };
    let (texts, code, _) = call(calls(500)).await;
    assert_eq!((texts.len(), code), (2, 1000), "{texts:?}");
    let (texts, code, _) = call(calls(5000)).await;
    let text = "response message is larger than 225536 bytes as JSON";
    assert!(texts[0].contains(r#""code":8,"#) && texts[0].contains(text), "{texts:?}");
    assert_eq!((texts.len(), code), (1, 4008));
}
