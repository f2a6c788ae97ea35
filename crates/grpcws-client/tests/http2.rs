//! Many calls on one connection.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use common::{Gateway, app, method, options, soon};
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_client::{Client, ClientOptions, Code, HttpVersion, JsonCall, JsonEvent};
use grpcws_test::TestService;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A server that counts connections, and can tell all of them to take no more streams.
struct Server {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
    go_away: watch::Sender<usize>,
    service: TestService,
}

impl Server {
    async fn start(with: impl FnOnce(&mut auto::Builder<TokioExecutor>)) -> Self {
        let (service, shutdown) = (TestService::default(), Shutdown::new());
        let app: Router = app(&service, ConnectionOptions::default(), &shutdown);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let connections = Arc::new(AtomicUsize::new(0));
        let (go_away, told) = watch::channel(0);
        let mut http = auto::Builder::new(TokioExecutor::new());
        with(&mut http);
        let counter = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).expect("an option");
                counter.fetch_add(1, Ordering::SeqCst);
                let (http, app, mut told) = (http.clone(), app.clone(), told.clone());
                tokio::spawn(async move {
                    told.mark_unchanged();
                    let service = TowerToHyperService::new(app);
                    let connection = http.serve_connection_with_upgrades(TokioIo::new(stream), service);
                    tokio::pin!(connection);
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        _ = told.changed() => connection.as_mut().graceful_shutdown(),
                    }
                    let _ = connection.await;
                });
            }
        });
        Self { address, connections, go_away, service }
    }

    fn client(&self, options: ClientOptions) -> Client {
        let options = options.http_version(HttpVersion::Http2);
        Client::new(&format!("ws://{}", self.address), options).expect("a valid URL")
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A bidi call that has had an answer, so that its stream is open.
async fn open(client: &Client) -> JsonCall {
    let mut call = client.json_call(&method("Bidi"), options());
    echo(&mut call).await;
    call
}

async fn echo(call: &mut JsonCall) {
    soon(call.send("{}")).await.expect("it is sent");
    let answer = soon(call.message()).await.expect("the call goes on");
    assert!(answer.expect("an answer").contains("requestSequence"));
}

async fn finish(mut call: JsonCall) {
    call.half_close();
    assert_eq!(soon(call.message()).await.expect("it ends with OK"), None);
}

async fn end(call: &mut JsonCall) -> grpcws_client::Status {
    loop {
        if let Some(JsonEvent::End(status)) = soon(call.next()).await {
            return status;
        }
    }
}

#[tokio::test]
async fn calls_share_a_connection_up_to_the_limit_of_either_side() {
    let permits = Server::start(|http| {
        http.http2().enable_connect_protocol().max_concurrent_streams(3);
    })
    .await;
    let all = Server::start(|http| {
        http.http2().enable_connect_protocol();
    })
    .await;
    for (server, most) in [(&permits, 100), (&all, 3)] {
        let client = server.client(ClientOptions::default().max_streams_per_connection(most));
        let mut calls = Vec::new();
        for expected in [1, 1, 1, 2, 2, 2, 3] {
            calls.push(open(&client).await);
            assert_eq!(server.connections(), expected);
        }
        for call in &mut calls {
            echo(call).await;
        }
        // A place is free when its call is over.
        finish(calls.remove(0)).await;
        soon(async {
            while server.service.stats().live != 6 {
                tokio::task::yield_now().await;
            }
        })
        .await;
        for call in calls {
            finish(call).await;
        }
        for _ in 0..5 {
            finish(open(&client).await).await;
        }
        assert_eq!(server.connections(), 3);
        assert_eq!(server.service.stats().completed, 12);
    }
}

#[tokio::test]
async fn many_calls_that_start_at_once_open_no_connection_too_many() {
    let server = Server::start(|http| {
        http.http2().enable_connect_protocol();
    })
    .await;
    let client = server.client(ClientOptions::default());
    let calls = (0..80).map(|_| {
        let client = client.clone();
        tokio::spawn(async move { finish(open(&client).await).await })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.expect("each succeeds");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_that_is_going_away_keeps_its_calls_and_gets_no_new_ones() {
    let server = Server::start(|http| {
        http.http2().enable_connect_protocol();
    })
    .await;
    let client = server.client(ClientOptions::default());
    let mut total = 0;
    for round in 1..=20 {
        let mut old = open(&client).await;
        assert_eq!(server.connections(), round);
        server.go_away.send_replace(round);
        // Until the client has heard of it, calls may still begin there; none of them fails.
        let mut calls = 0;
        while server.connections() == round {
            finish(open(&client).await).await;
            calls += 1;
            assert!(calls < 1_000, "the connection is used for ever");
        }
        total += calls + 1;
        echo(&mut old).await;
        finish(old).await;
        // The next round begins with the connection of the new call.
        assert_eq!(server.connections(), round + 1);
    }
    assert_eq!(server.service.stats().completed, total);
}

#[tokio::test]
async fn a_server_without_websockets_over_http2_says_so() {
    let server = Server::start(|_| {}).await;
    let client = server.client(ClientOptions::default());
    let status = end(&mut client.json_call(&method("Unary"), options())).await;
    assert_eq!(status.code(), Code::Unimplemented);
    assert!(status.message().contains("HttpVersion::Http1"), "{status:?}");

    // Nor does one that speaks something else.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"220 ready\r\n").await;
        }
    });
    let client =
        Client::new(&url, ClientOptions::default().http_version(HttpVersion::Http2)).expect("a valid URL");
    let status = end(&mut client.json_call(&method("Unary"), options())).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn refusals_over_http2_have_their_text() {
    let gateway = Gateway::start().await;
    let url = format!("ws://{}/elsewhere", gateway.address);
    let client =
        Client::new(&url, ClientOptions::default().http_version(HttpVersion::Http2)).expect("a valid URL");
    let status = end(&mut client.json_call(&method("Unary"), options())).await;
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    assert!(status.message().contains("HTTP 404"), "{status:?}");
}

#[tokio::test]
async fn a_gateway_that_takes_no_more_connections_still_takes_calls_on_those_there_are() {
    let gateway = Gateway::start().await;
    let client = gateway
        .client(ClientOptions::default().http_version(HttpVersion::Http2).max_streams_per_connection(2));
    let (first, second) = (open(&client).await, open(&client).await);
    // The accept loop goes, the streams stay for half the grace.
    gateway.shutdown.begin(std::time::Duration::from_secs(60));
    soon(async {
        while tokio::net::TcpStream::connect(gateway.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let status = end(&mut client.json_call(&method("Bidi"), options())).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    let mut calls = [first, second];
    for call in &mut calls {
        echo(call).await;
    }
    for call in calls {
        finish(call).await;
    }
}
