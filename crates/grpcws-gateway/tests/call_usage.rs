//! What `grpcws call` makes of its arguments, and what it shows of errors, before a gateway of the test service.

mod common;

use common::call::run;
use common::serve::serve;
use common::{Gateway, SOON};

const UNARY: &str = "grpcws.test.v1.TestService/Unary";
const CLIENT_STREAM: &str = "grpcws.test.v1.TestService/ClientStream";

/// A gateway of the test service that knows its methods, and its URL.
async fn gateway() -> (Gateway, String) {
    let upstream = serve(grpcws_test::routes(grpcws_test::TestService::default())).await;
    let gateway = Gateway::start(&["--upstream", &upstream]).await;
    let url = format!("ws://{}", gateway.address);
    let known = async { while run(&[&url, UNARY, "-d", "{}"], "").await.0 != Some(0) {} };
    tokio::time::timeout(SOON, known).await.expect("reflection answers");
    (gateway, url)
}

#[tokio::test]
async fn data_may_be_given_more_than_once_and_has_the_messages_in_order() {
    let (_gateway, url) = gateway().await;
    let file = tempfile::NamedTempFile::new().expect("a file");
    // As Windows writes it.
    std::fs::write(file.path(), "\u{feff}{\"sequence\":\"3\"}\r\n{\"sequence\":\"4\"}\r\n")
        .expect("it can be written");
    let path = format!("@{}", file.path().display());
    let arguments =
        [&url, CLIENT_STREAM, "-d", r#"{"sequence":"1"}{"sequence":"2"}"#, "-d", &path, "--data", "@-"];
    let (code, lines, stderr) = run(&arguments, r#"{"sequence":"5"}"#).await;
    assert_eq!(code, Some(0), "{stderr}");
    let summary: serde_json::Value = serde_json::from_str(&lines[0]).expect("JSON");
    assert_eq!((&summary["messages"], &summary["inOrder"]), (&"5".into(), &true.into()), "{summary}");

    let (code, _, stderr) = run(&[&url, CLIENT_STREAM, "-d", "{}", "-d", "@-"], "{}\n{").await;
    assert_eq!(code, Some(3));
    assert!(stderr.starts_with("INVALID_ARGUMENT: stdin: message at line 2: "), "{stderr}");
}

#[tokio::test]
async fn a_method_may_have_a_dot_in_place_of_its_slash() {
    let (_gateway, url) = gateway().await;
    let (code, lines, stderr) = run(&[&url, "grpcws.test.v1.TestService.Unary", "-d", "{}"], "").await;
    assert_eq!((code, lines.len()), (Some(0), 1), "{stderr}");
}

#[tokio::test]
async fn a_call_that_lacks_its_message_says_how_to_give_one() {
    let (_gateway, url) = gateway().await;
    let (code, _, stderr) = run(&[&url, UNARY], "").await;
    assert_eq!(code, Some(3));
    assert!(
        stderr.starts_with("INVALID_ARGUMENT: no message was given: -d '{}' sends an empty one"),
        "{stderr}"
    );
    // A method that takes none is not told so.
    let (code, lines, stderr) = run(&[&url, CLIENT_STREAM], "").await;
    assert_eq!((code, lines.len(), &*stderr), (Some(0), 1, "OK\n"));
}

#[tokio::test]
async fn details_of_errors_are_shown_as_the_gateway_reads_them() {
    let (_gateway, url) = gateway().await;
    let request = r#"{"fail":{"code":5,"message":"gone","details":[
        {"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MOVED","domain":"a\u009bb"},
        {"@type":"type.googleapis.com/acme.Unknown","@value":"CAE="}]}}"#;
    let (code, _, stderr) = run(&[&url, UNARY, "-d", request], "").await;
    assert_eq!(code, Some(5));
    assert_eq!(
        stderr,
        "detail google.rpc.ErrorInfo: {\"reason\":\"MOVED\",\"domain\":\"a\\u009bb\"}\ndetail acme.Unknown: CAE=\n\
         NOT_FOUND: gone\n"
    );
    let (_, _, stderr) = run(&[&url, UNARY, "-d", request, "--format", "json"], "").await;
    let status: serde_json::Value = serde_json::from_str(&stderr).expect("JSON");
    let [known, unknown] = status["details"].as_array().expect("details").as_slice() else {
        panic!("two: {status}");
    };
    assert_eq!(
        (&known["type"], &known["debug"]["reason"]),
        (&"google.rpc.ErrorInfo".into(), &"MOVED".into())
    );
    assert_eq!(*unknown, serde_json::json!({"type": "acme.Unknown", "value": "CAE="}));
}

#[tokio::test]
async fn what_a_terminal_would_obey_is_escaped_in_messages() {
    let (_gateway, url) = gateway().await;
    let request = "{\"values\":{\"stringValue\":\"a\u{9b}2Jb\u{202e}c\u{7f}\"}}";
    let (code, lines, stderr) = run(&[&url, UNARY, "-d", request], "").await;
    assert_eq!(code, Some(0), "{stderr}");
    assert!(lines[0].contains(r"a\u009b2Jb\u202ec\u007f"), "{lines:?}");
}

#[tokio::test]
async fn wrong_usage_is_64_and_the_text_says_what_is_right() {
    let folder = format!("@{}", env!("CARGO_MANIFEST_DIR"));
    for (arguments, text) in [
        (&[UNARY, "-d", ""][..], "an empty message is '{}'"),
        (&[UNARY, "-d", " \n"], "an empty message is '{}'"),
        (&[UNARY, "-d", &folder], "it is a folder"),
        (&[UNARY, "-d", "{}", "-d", "@/nowhere"], "cannot read /nowhere"),
        (&[UNARY, "-H", "x: é"], "base64 under x-bin"),
        (&["Unary", "-d", "{}"], "package.Service/Method"),
    ] {
        let (code, lines, stderr) = run(&[&["ws://127.0.0.1:1"], arguments].concat(), "").await;
        assert_eq!((code, lines.len()), (Some(64), 0), "{arguments:?}: {stderr}");
        assert!(stderr.contains(text), "{arguments:?}: {stderr}");
    }
}
