//! The end of a stream reaches its client, however slow the client is and whatever it says meanwhile.

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::raw::{Handshake, text_frame};
use common::{Bridge, SOON};
use grpcws::proto::session::{Delivery, Outcome};
use grpcws::{ConnectionOptions, StreamHooks, StreamInfo, StreamMetrics};
use socket2::{Domain, Socket, Type};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
const CLOSE: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8];

/// A client that reads by hand, so that it can be slow, with a receive buffer so small that TCP holds the gateway back.
struct SlowClient {
    stream: TcpStream,
    received: Vec<u8>,
}

/// What the frames of a gateway were.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    data: usize,
    terminal: Option<String>,
    close: Option<u16>,
}

impl SlowClient {
    async fn open(address: SocketAddr, path: &str, subprotocol: &str) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket.set_recv_buffer_size(16 * 1024).expect("a socket option");
        socket.connect(&address.into()).expect("the server listens");
        socket.set_nonblocking(true).expect("a socket option");
        let mut stream = TcpStream::from_std(socket.into()).expect("a runtime");
        let mut handshake = Handshake::new(&format!("/ws/test/{path}"));
        if !subprotocol.is_empty() {
            handshake = handshake.with("Sec-WebSocket-Protocol", subprotocol);
        }
        stream.write_all(&handshake.bytes()).await.expect("the server reads");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.expect("a whole answer"));
        }
        assert!(head.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&head));
        Self { stream, received: Vec::new() }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("the connection is open");
    }

    /// Reads so many bytes a second, and says something every 100 ms, until `until` holds or the connection ends.
    /// Returns whether it ended.
    async fn read_slowly(
        &mut self,
        rate: usize,
        say: &[u8],
        until: impl Fn(&Seen, Duration) -> bool,
    ) -> bool {
        let begin = Instant::now();
        let mut buffer = vec![0; rate / 20];
        for turn in 0.. {
            if until(&self.seen(), begin.elapsed()) {
                return false;
            }
            if turn % 2 == 0 && !say.is_empty() && self.stream.write_all(say).await.is_err() {
                return true;
            }
            let read = tokio::time::timeout(Duration::from_millis(50), self.stream.read(&mut buffer)).await;
            match read {
                Ok(Ok(0) | Err(_)) => return true,
                Ok(Ok(bytes)) => self.received.extend(buffer.iter().take(bytes)),
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        true
    }

    /// Waits for FIN or RST.
    async fn end(&mut self) {
        let mut rest = Vec::new();
        let read = tokio::time::timeout(SOON, self.stream.read_to_end(&mut rest)).await;
        let _ = read.expect("the gateway closes the connection");
        self.received.extend(rest);
    }

    /// Sends the close frame, and checks that FIN comes after it and not before.
    async fn close_before_fin(&mut self) {
        let early = tokio::time::timeout(Duration::from_millis(300), self.stream.read_u8()).await;
        assert!(early.is_err(), "{early:?} before the client's close frame");
        self.send(&CLOSE).await;
        let began = Instant::now();
        self.end().await;
        assert!(began.elapsed() < Duration::from_secs(2), "FIN after {:?}", began.elapsed());
    }

    /// The whole frames that were received.
    fn seen(&self) -> Seen {
        let (mut seen, mut rest) = (Seen::default(), self.received.as_slice());
        while let [first, length, after @ ..] = rest {
            let (length, after) = match (length, after) {
                (126, [a, b, after @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), after),
                (127, [a, b, c, d, e, f, g, h, after @ ..]) => {
                    (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), after)
                }
                (126 | 127, _) => break,
                (length, after) => (u64::from(*length), after),
            };
            let length = usize::try_from(length).expect("a frame that fits");
            let Some((payload, after)) = after.split_at_checked(length) else { break };
            match first {
                0x81 if payload.starts_with(br#"{"type":"data""#) => seen.data += 1,
                0x81 if payload.starts_with(br#"{"type":"stream_end""#)
                    || payload.starts_with(br#"{"type":"error""#) =>
                {
                    seen.terminal = Some(String::from_utf8_lossy(payload).into_owned());
                }
                0x82 => seen.data += 1,
                0x88 => seen.close = payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
                _ => {}
            }
            rest = after;
        }
        seen
    }
}

/// Tells what became of each stream.
struct Outcomes(mpsc::Sender<(u16, Delivery)>);

impl StreamHooks for Outcomes {
    fn on_close(&self, _: &StreamInfo, outcome: Option<&Outcome>, _: &StreamMetrics) {
        let outcome = outcome.expect("the stream ends");
        let close = outcome.close.as_ref().map_or(0, |close| close.code.number());
        self.0.try_send((close, outcome.delivery)).expect("there is room");
    }
}

async fn start(options: ConnectionOptions) -> (Bridge, mpsc::Receiver<(u16, Delivery)>) {
    let (sender, outcomes) = mpsc::channel(100);
    (Bridge::start_with(options, |ws| ws.hooks(Outcomes(sender))).await, outcomes)
}

/// Times that are so short that a slow client needs longer than all of them.
fn short() -> ConnectionOptions {
    ConnectionOptions::builder()
        .ping_period(Duration::from_millis(200))
        .pong_timeout(Duration::from_millis(600))
        .write_stall_timeout(Duration::from_millis(800))
        .linger(Duration::from_millis(200))
        .build()
        .expect("valid options")
}

const LONG: &str = "server-stream?count=20&size=60000";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_client_gets_everything_whatever_it_says() {
    let (bridge, _outcomes) = start(short()).await;
    // A client that says nothing is given up where pings ask for an answer.
    let without_pings = short().to_builder().ping_period(None).build().expect("valid options");
    let (silent, _silent_outcomes) = start(without_pings).await;
    let ping = text_frame(r#"{"type":"ping","pingId":1}"#);
    let says: [(&Bridge, &[u8]); 4] = [(&silent, &[]), (&bridge, &PONG), (&bridge, &PING), (&bridge, &ping)];
    let clients = says.map(|(bridge, say)| {
        let (address, say) = (bridge.address, say.to_owned());
        tokio::spawn(async move {
            let mut client = SlowClient::open(address, LONG, "").await;
            // 1.2 MB, for about 3 s.
            client.read_slowly(400_000, &say, |seen, _| seen.close.is_some()).await;
            client.seen()
        })
    });
    for client in clients {
        let seen = client.await.expect("no panic");
        assert_eq!((seen.data, seen.close), (20, Some(1000)), "{seen:?}");
        assert!(seen.terminal.is_some_and(|terminal| terminal.contains("stream_end")));
    }
}

#[tokio::test]
async fn fin_comes_behind_the_clients_close_frame_and_not_before() {
    let (bridge, mut outcomes) = start(ConnectionOptions::default()).await;
    let mut client = SlowClient::open(bridge.address, "server-stream?count=1", "grpcws.v1.json").await;
    assert!(!client.read_slowly(1_000_000, &[], |seen, _| seen.close.is_some()).await);
    client.close_before_fin().await;
    assert_eq!(outcomes.recv().await, Some((1000, Delivery::Confirmed)));
}

/// A frame of text over the limit, and all of it is sent.
fn too_large(length: usize) -> Vec<u8> {
    let head = [&[0x81, 0xff][..], &u64::try_from(length).expect("it fits").to_be_bytes(), &[0; 4]].concat();
    // It is no UTF-8 either, which nobody looks at.
    [head, vec![0xff; length]].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_close_frame_behind_a_message_over_the_limit_is_seen() {
    let (bridge, mut outcomes) = start(ConnectionOptions::default()).await;
    let mut client = SlowClient::open(bridge.address, "client-stream", "grpcws.v1.json").await;
    // All of it, before anything is read.
    client.send(&too_large(10_000_000)).await;
    assert!(!client.read_slowly(1_000_000, &PING, |seen, _| seen.close.is_some()).await);
    let seen = client.seen();
    assert_eq!(seen.close, Some(1009));
    assert!(seen.terminal.is_some_and(|terminal| terminal.contains("RESOURCE_EXHAUSTED")));
    client.close_before_fin().await;
    assert_eq!(outcomes.recv().await, Some((1009, Delivery::Confirmed)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_frame_between_the_fragments_of_a_message_over_the_limit_is_seen() {
    let (bridge, mut outcomes) = start(ConnectionOptions::default()).await;
    let mut client = SlowClient::open(bridge.address, "client-stream", "grpcws.v1.json").await;
    let mut fragment = too_large(5_000_000);
    fragment[0] = 0x01;
    client.send(&fragment).await;
    client.read_slowly(1_000_000, &[], |seen, _| seen.close.is_some()).await;
    client.send(&CLOSE).await;
    client.end().await;
    assert_eq!(outcomes.recv().await, Some((1009, Delivery::Confirmed)));
}

#[tokio::test]
async fn fin_comes_at_once_where_no_frame_can_be_read_any_more() {
    let (bridge, mut outcomes) = start(ConnectionOptions::default()).await;
    for (violation, code) in [(&[0x83, 0x80, 0, 0, 0, 0][..], 1002), (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007)]
    {
        let mut client = SlowClient::open(bridge.address, "client-stream", "grpcws.v1.json").await;
        client.send(violation).await;
        let began = Instant::now();
        client.end().await;
        assert!(began.elapsed() < Duration::from_secs(1), "FIN after {:?}", began.elapsed());
        assert_eq!(client.seen().close, Some(code));
        drop(client);
        assert_eq!(outcomes.recv().await.map(|(close, _)| close), Some(code));
    }
}

#[tokio::test]
async fn a_client_that_never_closes_is_left_after_the_linger() {
    let (bridge, mut outcomes) = start(short()).await;
    let mut client = SlowClient::open(bridge.address, "server-stream?count=1", "").await;
    let began = Instant::now();
    client.end().await;
    let after = began.elapsed();
    assert!(after >= Duration::from_millis(200), "{after:?}");
    assert_eq!(client.seen().close, Some(1000));
    // After FIN the client's own is waited for, for 2 s.
    assert_eq!(outcomes.recv().await, Some((1000, Delivery::Acknowledged)));
}

#[tokio::test]
async fn a_client_that_leaves_in_the_middle_has_lost_the_rest() {
    let (bridge, mut outcomes) = start(ConnectionOptions::default()).await;
    let client = SlowClient::open(bridge.address, LONG, "").await;
    socket2::SockRef::from(&client.stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
    drop(client);
    assert_eq!(outcomes.recv().await.map(|(_, delivery)| delivery), Some(Delivery::Lost));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_message_on_a_slow_way_up_is_a_sign_of_life() {
    let (bridge, mut outcomes) = start(short()).await;
    let mut client = SlowClient::open(bridge.address, "client-stream", "").await;
    let text = format!(r#"{{"type":"data","data":{{"payload":"{}"}}}}"#, "A".repeat(300_000));
    let length = u64::try_from(text.len()).expect("it fits");
    let mut frame = [&[0x81, 0xff][..], &length.to_be_bytes(), &[0; 4], text.as_bytes()].concat();
    frame.extend(text_frame(r#"{"type":"end_send"}"#));
    // 100 KB/s: five times the pong timeout.
    for piece in frame.chunks(5_000) {
        client.send(piece).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.read_slowly(1_000_000, &[], |seen, _| seen.close.is_some()).await;
    assert_eq!(client.seen().close, Some(1000), "{:?}", client.seen());
    drop(client);
    assert_eq!(outcomes.recv().await.map(|(close, _)| close), Some(1000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_steady_reader_does_not_stall_and_one_that_stops_does() {
    let (bridge, mut outcomes) = start(short()).await;
    let mut client = SlowClient::open(bridge.address, "server-stream?count=100000&size=1000", "").await;
    let ended = client.read_slowly(60_000, &PONG, |_, elapsed| elapsed > Duration::from_secs(4)).await;
    assert!(!ended, "cut off while it reads: {:?}", client.seen());
    let stopped = Instant::now();
    let (close, delivery) = outcomes.recv().await.expect("it ends");
    assert!([1008, 4408].contains(&close), "{close}");
    assert_eq!(delivery, Delivery::Lost);
    let after = stopped.elapsed();
    assert!(after >= Duration::from_millis(500), "cut off after {after:?}");
}
