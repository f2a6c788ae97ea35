//! Flow control from end to end: a bridge over the gateway's own pool of connections.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use grpcws::bridge::Bridge;
use grpcws::server::ServerOptions;
use grpcws::services::Services;
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_test::{FILE_DESCRIPTOR_SET, ServeOptions, TestService};
use grpcws_upstream::{Upstream, UpstreamOptions};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Longer than anything takes that works.
const SOON: Duration = Duration::from_secs(30);

/// The window of an upstream's stream, and of what is read ahead of a client.
const WINDOW: i64 = 64 * 1024;

struct World {
    address: SocketAddr,
    service: TestService,
    shutdown: Shutdown,
}

impl World {
    async fn start(server: ServeOptions) -> Self {
        let service = TestService::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        tokio::spawn(grpcws_test::serve(listener, service.clone(), server));
        let upstream = Upstream::new(&url, UpstreamOptions::default()).expect("a URL");
        let shutdown = Shutdown::new();
        let services = Services::from_file_descriptor_set(FILE_DESCRIPTOR_SET).expect("own descriptors");
        let bridge = Bridge::new(upstream)
            .prefix("/ws")
            .descriptors(services)
            .options(ConnectionOptions::default())
            .shutdown(shutdown.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let app = axum::Router::new().fallback_service(bridge);
        tokio::spawn(grpcws::server::serve(listener, app, ServerOptions::default(), shutdown.clone()));
        Self { address, service, shutdown }
    }

    async fn open(&self, method: &str, headers: &[(&'static str, &str)]) -> Socket {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        self.open_on(stream, method, headers).await
    }

    /// Opens a socket whose kernel buffers are small, so that it is stalled soon if it is not read.
    async fn open_narrow(&self, method: &str) -> Socket {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("an option of every system");
        let stream = socket.connect(self.address).await.expect("it listens");
        self.open_on(stream, method, &[]).await
    }

    async fn open_on(&self, stream: TcpStream, method: &str, headers: &[(&'static str, &str)]) -> Socket {
        let url = format!("ws://{}/ws/grpcws.test.v1.TestService/{method}", self.address);
        let mut request = url.into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", "grpcws.v1.json".parse().expect("a value"));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        client_async(request, MaybeTlsStream::Plain(stream)).await.expect("the handshake succeeds").0
    }

    /// Waits until a number of calls is alive upstream.
    async fn live(&self, count: i64) {
        let reached = async {
            while self.service.stats().live != count {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(SOON, reached).await.is_err() {
            panic!("{} calls are alive in place of {count}", self.service.stats().live);
        }
    }
}

async fn send(socket: &mut Socket, data: &str) {
    let text = format!(r#"{{"type":"data","data":{data}}}"#);
    socket.send(Message::text(text)).await.expect("the socket is open");
}

/// The next text or the code of the close frame.
async fn next(socket: &mut Socket) -> Result<String, u16> {
    loop {
        let message = tokio::time::timeout(SOON, socket.next()).await.expect("the bridge answers");
        match message.expect("a close frame").expect("a frame") {
            Message::Text(text) => return Ok(text.to_string()),
            Message::Close(frame) => return Err(frame.expect("with a code").code.into()),
            _ => {}
        }
    }
}

async fn next_data(socket: &mut Socket) -> String {
    loop {
        let text = next(socket).await.expect("no close frame");
        if text.starts_with(r#"{"type":"data""#) {
            return text;
        }
        assert!(!text.starts_with(r#"{"type":"error""#), "{text}");
    }
}

/// A client with a window for one message, and a service that has more of them than any window.
async fn with_one_credit(world: &World, headers: &[(&'static str, &str)]) -> (Socket, usize) {
    let headers = [&[("grpcws-credit", "1")], headers].concat();
    let mut socket = world.open("ServerStream", &headers).await;
    send(
        &mut socket,
        r#"{"count":"100000","size":1000,"firstSequence":"1","flushEach":true,"tag":"credit"}"#,
    )
    .await;
    let first = next_data(&mut socket).await;
    assert!(first.contains(r#""sequence":"1""#));
    let silence = tokio::time::timeout(Duration::from_millis(300), socket.next()).await;
    assert!(silence.is_err(), "{silence:?} without credit");
    (socket, first.len())
}

#[tokio::test]
async fn without_credit_the_upstream_stands_after_one_window() {
    let world = World::start(ServeOptions::default()).await;
    let (mut socket, overdrawn) = with_one_credit(&world, &[("grpc-timeout", "2S")]).await;
    let grant = format!(r#"{{"type":"credit","bytes":{overdrawn}}}"#);
    socket.send(Message::text(grant)).await.expect("the socket is open");
    assert!(next_data(&mut socket).await.contains(r#""sequence":"2""#), "the window is at 1 again");
    let terminal = next(&mut socket).await.expect("a terminal message needs no credit");
    assert!(terminal.contains(r#""code":4,"#), "{terminal}");
    assert_eq!(next(&mut socket).await, Err(4004));
    world.live(0).await;
    let sent = world.service.stats_of("credit", 1).recent[0].sent;
    // The two that were delivered, one that is held, the window, and a chunk that the server has begun.
    assert!(
        sent * 1000 < WINDOW + 2 * 32 * 1024,
        "{sent} messages of 1,000 bytes were taken of the upstream"
    );
}

#[tokio::test]
async fn a_drain_reaches_a_client_without_credit() {
    let world = World::start(ServeOptions::default()).await;
    let (mut socket, _) = with_one_credit(&world, &[]).await;
    world.shutdown.begin(Duration::ZERO);
    let terminal = next(&mut socket).await.expect("a terminal message needs no credit");
    assert!(terminal.contains(r#""code":14,"#), "{terminal}");
    assert_eq!(next(&mut socket).await, Err(1012));
    world.live(0).await;
}

#[tokio::test]
async fn a_client_within_its_window_can_always_cancel() {
    let world = World::start(ServeOptions::default()).await;
    for method in ["Bidi", "ClientStream"] {
        let script = r#"{"script":{"ignoreInput":true,"holdOpenMs":"-1"}}"#;
        let mut socket = world.open(method, &[]).await;
        send(&mut socket, script).await;
        world.live(1).await;
        // Sends for as long as it has credit: until upstream, pump and queue are full.
        let payload = "QUJD".repeat(1000);
        let data = format!(r#"{{"payload":"{payload}"}}"#);
        let cost = i64::try_from(data.len() + r#"{"type":"data","data":}"#.len()).expect("short");
        let mut window = WINDOW - i64::try_from(script.len() + 23).expect("short");
        let mut sent = 0;
        while window > 0 {
            send(&mut socket, &data).await;
            window -= cost;
            sent += 1;
            // What was granted meanwhile.
            while let Ok(message) = tokio::time::timeout(Duration::from_millis(20), socket.next()).await {
                let text = message.expect("it is open").expect("a frame").to_string();
                if let Some(bytes) = text.strip_prefix(r#"{"type":"credit","bytes":"#) {
                    window += bytes.trim_end_matches('}').parse::<i64>().expect("a number");
                }
            }
            assert!(sent < 1000, "an upstream that reads nothing holds its client");
        }
        let since = Instant::now();
        socket.send(Message::text(r#"{"type":"cancel"}"#)).await.expect("the socket is open");
        loop {
            match next(&mut socket).await {
                Ok(text) if text.contains(r#""type":"error""#) => {
                    assert!(text.contains(r#""code":1,"#), "{text}")
                }
                Ok(_) => {}
                Err(code) => break assert_eq!(code, 1000),
            }
        }
        world.live(0).await;
        assert!(since.elapsed() < Duration::from_secs(1), "{method}: {:?}", since.elapsed());
    }
    assert_eq!(world.service.stats().cancelled, 2);
}

/// The 99th percentile of the time that an answer takes.
async fn p99(world: &World) -> Duration {
    let mut socket = world.open("Bidi", &[]).await;
    let mut times = Vec::new();
    for sequence in 0..1000 {
        let since = Instant::now();
        send(&mut socket, &format!(r#"{{"sequence":"{sequence}"}}"#)).await;
        next_data(&mut socket).await;
        times.push(since.elapsed());
    }
    socket.send(Message::text(r#"{"type":"end_send"}"#)).await.expect("the socket is open");
    while next(&mut socket).await.is_ok() {}
    times.sort_unstable();
    times.get(990).copied().expect("a thousand times")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_stalled_readers_do_not_hold_a_healthy_call_up() {
    let world = World::start(ServeOptions::default()).await;
    let before = p99(&world).await;
    let mut stalled = Vec::new();
    for number in 0..200 {
        let mut socket = world.open_narrow("ServerStream").await;
        // Small frames cost HTTP/2 the most, and fill the buffers of the kernel the slowest.
        let size = if number % 10 == 0 { 100 } else { 10_000 };
        let request = format!(r#"{{"count":"10000000","size":{size},"flushEach":true,"tag":"stalled"}}"#);
        send(&mut socket, &request).await;
        stalled.push(socket);
    }
    world.live(200).await;
    // Until all of them stand: the kernel's buffers are full as well.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(world.service.stats_of("stalled", 0).live, 200);
    // The figures are for the reader; what must hold on any machine is that no call is held up or fails. The buffers
    // of the kernel may still be filling at first.
    let (started, mut best) = (Instant::now(), Duration::MAX);
    while best >= before * 2 && started.elapsed() < Duration::from_secs(20) {
        let measured = p99(&world).await;
        println!("p99 of a healthy call: {before:?} alone, {measured:?} beside 200 stalled readers");
        best = best.min(measured);
    }
    assert!(
        best < Duration::from_millis(250),
        "{before:?} alone, {best:?} at best beside 200 stalled readers"
    );
    assert_eq!(world.service.stats().failed + world.service.stats().cancelled, 0);
    drop(stalled);
    world.live(0).await;
}

/// A thousand sockets and what carries them are more files than most systems let a process open by default.
fn raise_open_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).expect("the maximum is permitted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_long_streams_are_served_whatever_the_upstream_limits() {
    raise_open_files();
    for limit in [1, 10, 100] {
        let world = World::start(ServeOptions::default().max_concurrent_streams(limit)).await;
        let mut sockets = Vec::new();
        for _ in 0..1000 {
            let mut socket = world.open("ServerStream", &[]).await;
            send(&mut socket, r#"{"count":"1","firstSequence":"7","holdOpenMs":"-1"}"#).await;
            sockets.push(socket);
        }
        for socket in &mut sockets {
            assert!(next_data(socket).await.contains(r#""sequence":"7""#));
        }
        world.live(1000).await;
        drop(sockets);
        world.live(0).await;
    }
}
