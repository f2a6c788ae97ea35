//! A gateway that starts late, dies and comes back.

mod common;

use std::time::Duration;

use common::{Gateway, method, options, soon};
use grpcws::ConnectionOptions;
use grpcws_client::HttpVersion::{Http1, Http2};
use grpcws_client::{BackoffOptions, Client, ClientOptions, Code, JsonEvent, Status};
use tokio::net::{TcpListener, TcpSocket};

async fn end(client: &Client, wait: bool) -> Status {
    let mut call = client.json_call(&method("Unary"), options().wait_for_ready(wait));
    soon(call.send("{}")).await.ok();
    loop {
        if let Some(JsonEvent::End(status)) = soon(call.next()).await {
            return status;
        }
    }
}

/// A port where nobody listens yet.
async fn address() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    listener.local_addr().expect("it is bound")
}

fn listen(address: std::net::SocketAddr) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("the port is still free");
    socket.listen(128).expect("it listens")
}

#[tokio::test]
async fn calls_work_when_the_gateway_comes() {
    for version in [Http1, Http2] {
        let address = address().await;
        let backoff = BackoffOptions::default().initial(Duration::from_millis(50)).jitter(0.0);
        let client_options =
            ClientOptions::builder().http_version(version).backoff(backoff).build().expect("valid options");
        let client = Client::new(&format!("ws://{address}"), client_options).expect("a valid URL");
        let status = end(&client, false).await;
        assert_eq!(status.code(), Code::Unavailable);
        // The failure is remembered, and told to calls that do not wait.
        let waiting = tokio::spawn({
            let client = client.clone();
            async move { end(&client, true).await }
        });
        let status = end(&client, false).await;
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("cannot connect"), "{status:?}");

        let gateway = Gateway::start_on(listen(address), ConnectionOptions::default());
        assert!(soon(waiting).await.expect("it does not panic").is_ok());
        assert!(end(&client, false).await.is_ok());
        gateway.settle().await;
    }
}

#[tokio::test]
async fn a_call_that_waits_ends_at_its_deadline() {
    let address = address().await;
    let client = Client::new(&format!("ws://{address}"), ClientOptions::default()).expect("a valid URL");
    let call_options = options().wait_for_ready(true).timeout(Duration::from_millis(100));
    let mut call = client.json_call(&method("Unary"), call_options);
    loop {
        if let Some(JsonEvent::End(status)) = soon(call.next()).await {
            assert_eq!(status.code(), Code::DeadlineExceeded);
            return;
        }
    }
}

#[tokio::test]
async fn a_running_call_is_lost_with_its_gateway_and_the_next_one_connects_again() {
    for version in [Http1, Http2] {
        let gateway = Gateway::start().await;
        let client =
            gateway.client(ClientOptions::builder().http_version(version).build().expect("valid options"));
        let mut call = client.json_call(&method("Bidi"), options());
        soon(call.send("{}")).await.expect("it is sent");
        assert!(soon(call.message()).await.expect("it goes on").is_some());
        gateway.shutdown.begin(Duration::ZERO);
        let status = soon(call.message()).await.expect_err("the gateway goes");
        assert_eq!((status.code(), status.message()), (Code::Unavailable, "the gateway is shutting down"));
        soon(async {
            // The port is free when the accept loop is gone.
            while tokio::net::TcpStream::connect(gateway.address).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await;
        let again = Gateway::start_on(listen(gateway.address), ConnectionOptions::default());
        assert!(end(&client, true).await.is_ok());
        again.settle().await;
    }
}
