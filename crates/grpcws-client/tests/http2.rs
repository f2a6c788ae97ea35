//! Many calls on one connection.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use common::{Gateway, app, method, options, soon};
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_client::{BackoffOptions, Client, ClientOptions, Code, HttpVersion, JsonCall, JsonEvent};
use grpcws_test::TestService;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
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
        let options = options.to_builder().http_version(HttpVersion::Http2).build().expect("valid options");
        Client::new(&format!("ws://{}", self.address), options).expect("a valid URL")
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Carries bytes between clients and a server, until it is told to fall silent on the connections there are.
struct Wire {
    address: SocketAddr,
    silence: watch::Sender<()>,
}

impl Wire {
    async fn start(to: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (silence, told) = watch::channel(());
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut told = told.clone();
                told.mark_unchanged();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(to).await.expect("the server is there");
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
                        // Both stay open, and nobody reads or writes.
                        _ = told.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { address, silence }
    }

    fn client(&self, options: ClientOptions) -> Client {
        let backoff = BackoffOptions::default().initial(Duration::from_millis(10));
        let options =
            options.to_builder().http_version(HttpVersion::Http2).wait_for_ready(true).backoff(backoff);
        let options = options.build().expect("valid options");
        Client::new(&format!("ws://{}", self.address), options).expect("a valid URL")
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
        let client = server.client(
            ClientOptions::builder().max_streams_per_connection(most).build().expect("valid options"),
        );
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
    let client = Client::new(
        &url,
        ClientOptions::builder().http_version(HttpVersion::Http2).build().expect("valid options"),
    )
    .expect("a valid URL");
    let status = end(&mut client.json_call(&method("Unary"), options())).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn refusals_over_http2_have_their_text() {
    let gateway = Gateway::start().await;
    let url = format!("ws://{}/elsewhere", gateway.address);
    let client = Client::new(
        &url,
        ClientOptions::builder().http_version(HttpVersion::Http2).build().expect("valid options"),
    )
    .expect("a valid URL");
    let status = end(&mut client.json_call(&method("Unary"), options())).await;
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
    assert!(status.message().contains("HTTP 404"), "{status:?}");
}

#[tokio::test]
async fn a_gateway_that_takes_no_more_connections_still_takes_calls_on_those_there_are() {
    let gateway = Gateway::start().await;
    let client = gateway.client(
        ClientOptions::builder()
            .http_version(HttpVersion::Http2)
            .max_streams_per_connection(2)
            .build()
            .expect("valid options"),
    );
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

/// A server behind a wire.
async fn wired() -> (Server, Wire) {
    let server = Server::start(|http| {
        http.http2().enable_connect_protocol();
    })
    .await;
    let wire = Wire::start(server.address).await;
    (server, wire)
}

#[tokio::test]
async fn a_connection_on_which_no_handshake_is_answered_gets_no_more_calls() {
    let (server, wire) = wired().await;
    let client = wire.client(
        ClientOptions::builder().connect_timeout(Duration::from_secs(1)).build().expect("valid options"),
    );
    finish(open(&client).await).await;
    wire.silence.send_replace(());
    // The same call waits in vain once, and then gets a connection that works.
    finish(open(&client).await).await;
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn calls_that_give_up_early_do_not_keep_a_silent_connection() {
    let (server, wire) = wired().await;
    let client = wire.client(
        ClientOptions::builder().connect_timeout(Duration::from_secs(1)).build().expect("valid options"),
    );
    finish(open(&client).await).await;
    wire.silence.send_replace(());
    let impatient = async {
        loop {
            let timeout = options().timeout(Duration::from_millis(200));
            let mut call = client.json_call(&method("Unary"), timeout);
            // Whether it is sent is seen by the end.
            let _ = call.send("{}").await;
            call.half_close();
            if end(&mut call).await.is_ok() {
                return;
            }
        }
    };
    soon(impatient).await;
    assert!(server.connections() > 1);
}

#[tokio::test]
async fn a_call_that_is_cancelled_early_leaves_a_good_connection_in_use() {
    let (server, wire) = wired().await;
    let client = wire.client(ClientOptions::default());
    finish(open(&client).await).await;
    for _ in 0..50 {
        let call = client.json_call(&method("Bidi"), options());
        tokio::task::yield_now().await;
        drop(call);
    }
    finish(open(&client).await).await;
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_connection_on_which_a_call_heard_nothing_gets_no_more_calls() {
    let (server, wire) = wired().await;
    let client_options = ClientOptions::builder()
        .connect_timeout(Duration::from_secs(60))
        .ping_period(Some(Duration::from_millis(100)))
        .pong_timeout(Some(Duration::from_secs(1)))
        .build()
        .expect("valid options");
    let client = wire.client(client_options);
    let mut call = open(&client).await;
    wire.silence.send_replace(());
    let status = end(&mut call).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    finish(open(&client).await).await;
    assert_eq!(server.connections(), 2);
}

/// Speaks as much HTTP/2 as a client waits for, then answers a request with DATA on stream 0 (RFC 9113 §6.1).
async fn break_http2(mut stream: TcpStream) -> std::io::Result<()> {
    const SETTINGS_WITH_EXTENDED_CONNECT: [u8; 15] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 1];
    stream.write_all(&SETTINGS_WITH_EXTENDED_CONNECT).await?;
    stream.read_exact(&mut [0; 24]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).expect("it is small")];
        stream.read_exact(&mut payload).await?;
        match (head[3], head[4]) {
            (1, _) => stream.write_all(&[0, 0, 1, 0, 0, 0, 0, 0, 0, 0]).await?,
            (4, 0) => stream.write_all(&[0, 0, 0, 4, 1, 0, 0, 0, 0]).await?,
            (6, 0) => {
                stream.write_all(&[0, 0, 8, 6, 1, 0, 0, 0, 0]).await?;
                stream.write_all(&payload).await?;
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_gateway_that_breaks_http2_is_not_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counter.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(break_http2(stream));
        }
    });
    let client = Client::new(
        &url,
        ClientOptions::builder().http_version(HttpVersion::Http2).build().expect("valid options"),
    )
    .expect("a valid URL");
    let status = end(&mut client.json_call(&method("Unary"), options())).await;
    assert_eq!((status.code(), connections.load(Ordering::SeqCst)), (Code::Unavailable, 1), "{status:?}");
}
