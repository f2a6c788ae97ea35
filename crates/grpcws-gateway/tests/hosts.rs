//! What a page of a foreign site reaches through a name that it lets resolve to 127.0.0.1 (DNS rebinding): nothing.

mod common;

use common::{Demo, Gateway};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The status and the body of the answer to a request with this `Host`.
async fn ask(address: &str, path: &str, host: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.expect("the gateway listens");
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nGrpcws-Protocol: grpcws.v1.json\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers in text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), body.to_owned())
}

#[tokio::test]
async fn the_fallback_answers_hosts_of_the_gateways_own_only() {
    let demo = Demo::start("1").await;
    let upstream = format!("http://{}", demo.grpc_address);
    let fallback = format!("http://{}", demo.address);
    let arguments = ["--upstream", &upstream, "--fallback", &fallback, "--hosts", "app.example.com"];
    let gateway = Gateway::start(&arguments).await;
    for host in [gateway.address.as_str(), "localhost", "app.example.com", "APP.example.com:8080"] {
        assert_eq!(ask(&gateway.address, "/", host).await.0, 200, "{host}");
    }
    for host in ["evil.test", "evil.test:8080", "example.com"] {
        let (status, body) = ask(&gateway.address, "/", host).await;
        assert_eq!(status, 403, "{host}");
        assert!(body.contains("--hosts"), "{body}");
    }
}

#[tokio::test]
async fn probes_are_answered_for_hosts_of_the_gateways_own_only() {
    let gateway = Gateway::start(&["--upstream", "http://127.0.0.1:2"]).await;
    let (status, body) = ask(&gateway.address, "/ws/a.B/C", "localhost").await;
    assert!(status != 403 && !body.is_empty(), "{status} {body}");
    let (status, body) = ask(&gateway.address, "/ws/a.B/C", "evil.test").await;
    assert_eq!(status, 403);
    assert!(body.contains("add it to hosts"), "{body}");
    let two = "localhost\r\nHost: evil.test";
    assert_ne!(ask(&gateway.address, "/ws/a.B/C", two).await.0 / 100, 2);
}

#[tokio::test]
async fn any_origin_is_allowed_if_that_is_said_and_nothing_else() {
    let gateway = Gateway::start(&["--upstream", "http://127.0.0.1:2", "--allow-any-origin"]).await;
    let host = "evil.test\r\nOrigin: https://other.test";
    let (status, body) = ask(&gateway.address, "/ws/a.B/C", host).await;
    assert_ne!(status, 403, "{body}");
}
