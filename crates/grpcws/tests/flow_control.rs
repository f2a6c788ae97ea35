//! Nothing is lost, and nothing is held without bound, however slow either side is.

mod common;

use std::time::{Duration, Instant};

use common::{Bridge, Client, Received, SOON};
use futures_util::{SinkExt, StreamExt};
use grpcws::ConnectionOptions;
use grpcws_test::pb::call::Outcome;
use socket2::SockRef;
use tikv_jemalloc_ctl::{epoch, stats};
use tokio::sync::Mutex;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Tests that measure the memory of the process have it for themselves.
static ALONE: Mutex<()> = Mutex::const_new(());

const MILLION: u64 = 1_000_000;
const MIB: usize = 1024 * 1024;

/// How many bytes the process has allocated.
fn allocated() -> usize {
    epoch::advance().expect("jemalloc is the allocator");
    stats::allocated::read().expect("jemalloc is the allocator")
}

/// The number in `"sequence":"N"`, or 0 where protojson leaves the zero out.
fn sequence(text: &str) -> u64 {
    let Some((_, rest)) = text.split_once(r#""sequence":""#) else { return 0 };
    rest.split('"').next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Waits until something no longer changes for half a second, and returns it.
async fn steady<T: PartialEq + Copy>(read: impl Fn() -> T) -> T {
    let mut last = read();
    let mut since = Instant::now();
    while since.elapsed() < Duration::from_millis(500) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        let now = read();
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_responses_arrive_in_order() {
    let _alone = ALONE.lock().await;
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let path = format!("server-stream?count={MILLION}&first_sequence=1");
    let mut client = bridge.connect(&path, "").await;
    for expected in 1..=MILLION {
        match client.socket.next().await {
            Some(Ok(Message::Text(text))) => assert_eq!(sequence(&text), expected),
            other => panic!("{other:?} in place of {expected}"),
        }
    }
    assert_eq!(client.rest().await, (vec![r#"{"type":"stream_end"}"#.to_owned()], 1000, "OK".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_million_requests_arrive_in_order() {
    let _alone = ALONE.lock().await;
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("client-stream", "").await;
    for number in 1..=MILLION {
        let text = format!(r#"{{"type":"data","data":{{"sequence":"{number}"}}}}"#);
        if let Err(error) = client.socket.feed(Message::text(text)).await {
            panic!("{error} at {number}: {:?}", client.rest().await);
        }
    }
    client.send(r#"{"type":"end_send"}"#).await;
    let (texts, code, _) = client.rest().await;
    assert_eq!(code, 1000, "{texts:?}");
    for part in [
        r#""messages":"1000000""#,
        r#""firstSequence":"1""#,
        r#""lastSequence":"1000000""#,
        r#""inOrder":true"#,
    ] {
        assert!(texts[0].contains(part), "no {part} in {}", texts[0]);
    }
    assert!(!texts[0].contains("gaps"), "{}", texts[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_for_30_s_holds_the_server_back() {
    let _alone = ALONE.lock().await;
    const COUNT: u64 = 200_000;
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let path = format!("server-stream?count={COUNT}&first_sequence=1&size=1000&tag=stopped");
    let mut client = bridge.connect(&path, "grpcws.v1.proto").await;
    let sent = || bridge.service.stats_of("stopped", 1).recent.first().map_or(0, |call| call.sent);

    let stopped_at = Instant::now();
    let sent_when_held = steady(sent).await;
    let memory_when_held = allocated();
    // What lies in buffers on the way: the kernel's, two HTTP/2 windows and a frame or two.
    assert!(sent_when_held < 20_000, "{sent_when_held} messages were taken from the server");
    tokio::time::sleep_until((stopped_at + Duration::from_secs(30)).into()).await;
    assert_eq!(sent(), sent_when_held, "the server went on");
    let grown = allocated().saturating_sub(memory_when_held);
    assert!(grown < MIB, "{grown} bytes more while the reader stood still");

    let mut expected = 1;
    while expected <= COUNT {
        match client.next().await {
            Received::Binary(message) => {
                let mut wanted = vec![0x08];
                prost::encoding::encode_varint(expected, &mut wanted);
                assert_eq!(message.get(..wanted.len()), Some(wanted.as_slice()), "in place of {expected}");
                expected += 1;
            }
            Received::Text(text) => {
                assert!(text.contains("open") || text.contains("headers") || text.contains("ping"))
            }
            other => panic!("{other:?} in place of {expected}"),
        }
    }
    let (_, code, _) = client.rest().await;
    assert_eq!(code, 1000);
}

/// A call whose server reads nothing, and a client that has sent `bytes` in messages of 1 KiB.
async fn unread(bridge: &Bridge, tag: &str, bytes: usize) -> Client {
    let mut request = bridge.request("client-stream", "grpcws.v1.json");
    let script = format!("tag={tag}&ignore_input=true&hold_open_ms=600000");
    request.headers_mut().insert("grpc-metadata-test-script", script.parse().expect("a header"));
    let mut client = Client::open(request).await;
    assert!(matches!(client.next().await, Received::Text(open) if open.contains("receiveWindow")));
    let payload = "A".repeat(1000);
    for number in 0..bytes / 1024 {
        let text = format!(r#"{{"type":"data","data":{{"sequence":"{number}","payload":"{payload}"}}}}"#);
        let sent =
            tokio::time::timeout(Duration::from_millis(500), client.socket.send(Message::text(text))).await;
        let Ok(sent) = sent else { break };
        sent.expect("the socket is open");
    }
    while bridge.service.stats_of(tag, 0).started == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    client
}

/// How soon the call with this tag is cancelled.
async fn cancelled_after(bridge: &Bridge, tag: &str) -> Duration {
    let started = Instant::now();
    loop {
        let stats = bridge.service.stats_of(tag, 1);
        if let Some(call) = stats.recent.iter().find(|call| call.ended_at.is_some()) {
            assert_eq!(call.outcome(), Outcome::Cancelled);
            return started.elapsed();
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{tag}: the call goes on");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Two HTTP/2 windows and this much more: the upstream has stopped, and the client is within its window.
const WITHIN: usize = 100 * 1024;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_within_its_window_is_heard_though_the_upstream_reads_nothing() {
    let _alone = ALONE.lock().await;
    let bridge = Bridge::start(ConnectionOptions::default()).await;

    let mut client = unread(&bridge, "cancel", WITHIN).await;
    client.send(r#"{"type":"cancel"}"#).await;
    assert!(cancelled_after(&bridge, "cancel").await < Duration::from_millis(100));
    let (texts, code, _) = client.rest().await;
    assert!(texts.last().is_some_and(|text| text.contains(r#""code":1,"#)), "{texts:?}");
    assert_eq!(code, 1000);

    let mut client = unread(&bridge, "close", WITHIN).await;
    client.socket.close(None).await.expect("the socket is open");
    assert!(cancelled_after(&bridge, "close").await < Duration::from_millis(100));

    let client = unread(&bridge, "reset", WITHIN).await;
    reset(client);
    assert!(cancelled_after(&bridge, "reset").await < Duration::from_millis(100));
    bridge.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_beyond_its_window_is_held_by_tcp() {
    let _alone = ALONE.lock().await;
    let period = Duration::from_millis(200);
    let options = ConnectionOptions::builder()
        .ping_period(Some(period))
        .pong_timeout(Some(Duration::from_secs(1)))
        .build()
        .expect("valid options");
    let bridge = Bridge::start(options).await;
    let client = unread(&bridge, "beyond", 64 * MIB).await;
    let memory = allocated();
    assert!(memory < 32 * MIB, "{memory} bytes are held of what the upstream does not read");

    // Three times the pong timeout: the gateway does not read, so it does not blame the client.
    tokio::time::sleep(Duration::from_secs(3)).await;
    let stats = bridge.service.stats_of("beyond", 1);
    assert_eq!(
        (stats.live, stats.cancelled),
        (1, 0),
        "the heartbeat was counted against a client that is held"
    );
    let grown = allocated().saturating_sub(memory);
    assert!(grown < MIB, "{grown} bytes more while the client is held");

    reset(client);
    assert!(cancelled_after(&bridge, "beyond").await < Duration::from_millis(100));
    bridge.settle().await;
}

fn reset(mut client: Client) {
    let MaybeTlsStream::Plain(stream) = client.socket.get_mut() else { panic!("not a TCP stream") };
    SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_takes_nothing_for_the_write_stall_time_is_cut_off() {
    let options = ConnectionOptions::builder()
        .write_stall_timeout(Some(Duration::from_millis(500)))
        .build()
        .expect("valid options");
    let bridge = Bridge::start(options).await;
    let path = "server-stream?count=1000000&size=10000&tag=stalled";
    let client = bridge.connect(path, "grpcws.v1.proto").await;
    let started = Instant::now();
    cancelled_after(&bridge, "stalled").await;
    assert!(started.elapsed() >= Duration::from_millis(500));
    bridge.settle().await;
    drop(client);
}

#[tokio::test]
async fn a_client_with_credit_gets_one_message_for_each_grant_and_the_end_without_one() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut request = bridge.request("server-stream?count=2&first_sequence=1&tag=credit", "grpcws.v1.json");
    request.headers_mut().insert("grpcws-credit", "1".parse().expect("a header"));
    let mut client = Client::open(request).await;
    let mut data = 0;
    while data < 1 {
        if let Received::Text(text) = client.next().await {
            data += usize::from(text.contains(r#""type":"data""#));
        }
    }
    let silence = tokio::time::timeout(Duration::from_millis(300), client.socket.next()).await;
    assert!(silence.is_err(), "{silence:?} without credit");
    client.send(r#"{"type":"credit","bytes":100}"#).await;
    let (texts, code, _) = client.rest().await;
    assert_eq!(texts, [r#"{"type":"data","data":{"sequence":"2"}}"#, r#"{"type":"stream_end"}"#]);
    assert_eq!(code, 1000);
}

#[tokio::test]
async fn a_deadline_reaches_a_client_without_credit() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let mut request = bridge.request("server-stream?count=100&tag=deadline", "grpcws.v1.json");
    request.headers_mut().insert("grpcws-credit", "1".parse().expect("a header"));
    request.headers_mut().insert("grpc-timeout", "400m".parse().expect("a header"));
    let mut client = Client::open(request).await;
    let (texts, code, _) = client.rest().await;
    assert!(
        texts.last().is_some_and(|text| text.contains(r#""code":4,"status":"DEADLINE_EXCEEDED""#)),
        "{texts:?}"
    );
    assert_eq!(code, 4004);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_pings_from_a_client_that_reads_nothing_takes_no_memory() {
    let _alone = ALONE.lock().await;
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    // The socket is full of responses before the pings come.
    let path = "server-stream?count=1000000&size=10000&tag=pings";
    let mut client = bridge.connect(path, "grpcws.v1.proto").await;
    steady(|| bridge.service.stats_of("pings", 1).recent.first().map_or(0, |call| call.sent)).await;
    let memory = allocated();
    let payload = vec![b'p'; 125];
    // Written past the client's own codec, which would read, and so make room.
    let MaybeTlsStream::Plain(stream) = client.socket.get_mut() else { panic!("not a TCP stream") };
    let mut frames = Vec::new();
    for _ in 0..1_000 {
        frames.extend([0x89, 0x80 | 125, 0, 0, 0, 0]);
        frames.extend(&payload);
    }
    for _ in 0..200 {
        let sent = tokio::time::timeout(SOON, tokio::io::AsyncWriteExt::write_all(stream, &frames)).await;
        sent.expect("pings are read").expect("the socket is open");
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let grown = allocated().saturating_sub(memory);
    assert!(grown < MIB, "{grown} bytes more after 25 MB of pings");
    reset(client);
    bridge.settle().await;
}
