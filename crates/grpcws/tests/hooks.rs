//! What hooks are told, in which order, for each way in which a stream ends.

mod common;

use std::time::Duration;

use common::raw::{Handshake, Raw};
use common::recorder::{Recorded, recorder};
use common::{Bridge, Received};
use futures_util::SinkExt;
use grpcws::ConnectionOptions;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

const DATA: &str = r#"{"type":"data","data":{"sequence":"7"}}"#;

async fn start(options: ConnectionOptions) -> (Bridge, Recorded) {
    let (hooks, recorded) = recorder();
    (Bridge::start_with(options, |ws| ws.hooks(hooks)).await, recorded)
}

/// Everything ends soon after the stream does.
fn short_linger() -> ConnectionOptions {
    ConnectionOptions::builder().linger(Duration::from_millis(50)).build().expect("valid options")
}

/// No hook is called after the end.
async fn assert_silent(bridge: &Bridge, recorded: &mut Recorded) {
    bridge.settle().await;
    assert_eq!(recorded.left(), []);
}

#[tokio::test]
async fn of_a_stream_that_ends_with_ok() {
    let (bridge, mut recorded) = start(ConnectionOptions::default()).await;
    for (subprotocol, path) in [("", "/bidi"), ("grpcws.v1.json", "/bidi")] {
        let mut client = bridge.connect("bidi", subprotocol).await;
        client.send(DATA).await;
        let answer = loop {
            match client.next().await {
                Received::Text(text) if text.contains("requestSequence") => break text,
                Received::Text(_) => {}
                other => panic!("{other:?}"),
            }
        };
        client.send(r#"{"type":"end_send"}"#).await;
        client.rest().await;
        drop(client);
        let (sent, received) = (answer.len(), DATA.len());
        assert_eq!(
            recorded.until_close(path).await,
            [
                "start".to_owned(),
                format!("received {received}"),
                format!("sent {sent}"),
                format!("close Upstream 0 1000; sent 1/{sent}, received 1/{received}"),
            ]
        );
        assert_silent(&bridge, &mut recorded).await;
    }
}

#[tokio::test]
async fn of_binary_messages_their_length_is_told_an_empty_one_too() {
    let (bridge, mut recorded) = start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("client-stream", "grpcws.v1.proto").await;
    for message in [&[][..], &[0x08, 0x01]] {
        client.socket.send(Message::binary(message.to_vec())).await.expect("open");
    }
    client.send(r#"{"type":"end_send"}"#).await;
    while client.next().await != Received::Close(1000, "OK".to_owned()) {}
    drop(client);
    let events = recorded.until_close("/client-stream").await;
    assert_eq!(events[..3], ["start", "received 0", "received 2"], "{events:?}");
    assert!(events[4].ends_with("received 2/2"), "{events:?}");
}

#[tokio::test]
async fn of_a_stream_that_ends_with_an_error() {
    let (bridge, mut recorded) = start(ConnectionOptions::default()).await;
    let mut client = bridge.connect("server-stream?count=2&fail.code=5&fail.after=1", "").await;
    let (texts, ..) = client.rest().await;
    drop(client);
    let sent = texts[0].len();
    assert_eq!(
        recorded.until_close("/server-stream").await,
        [
            "start".to_owned(),
            format!("sent {sent}"),
            "error 5".to_owned(),
            format!("close Upstream 5 4005; sent 1/{sent}, received 0/0"),
        ]
    );
    assert_silent(&bridge, &mut recorded).await;
}

#[tokio::test]
async fn of_a_refused_call() {
    let (bridge, mut recorded) = start(ConnectionOptions::default()).await;
    bridge.connect("server-stream?nonsense=1", "grpcws.v1.json").await.rest().await;
    assert_eq!(
        recorded.until_close("/server-stream").await,
        ["start", "error 3", "close Refused 3 4003; sent 0/0, received 0/0"]
    );
    assert_silent(&bridge, &mut recorded).await;
}

#[tokio::test]
async fn of_a_client_that_cancels_closes_or_is_lost() {
    let (bridge, mut recorded) = start(short_linger()).await;
    for (way, end) in
        [("cancel", "Cancelled 1 1000"), ("close", "ClientClosed 1 0"), ("lost", "ConnectionLost 1 0")]
    {
        let mut client = bridge.connect("bidi", "").await;
        client.send(DATA).await;
        let Received::Text(answer) = client.next().await else { panic!("no answer") };
        match way {
            "cancel" => client.send(r#"{"type":"cancel"}"#).await,
            "close" => {
                let frame = CloseFrame { code: 4000.into(), reason: "".into() };
                client.socket.send(Message::Close(Some(frame))).await.expect("open");
            }
            _ => drop(client),
        }
        let (sent, received) = (answer.len(), DATA.len());
        assert_eq!(
            recorded.until_close("/bidi").await,
            [
                "start".to_owned(),
                format!("received {received}"),
                format!("sent {sent}"),
                "error 1".to_owned(),
                format!("close {end}; sent 1/{sent}, received 1/{received}"),
            ],
            "{way}"
        );
        assert_silent(&bridge, &mut recorded).await;
    }
}

#[tokio::test]
async fn of_a_deadline() {
    let (bridge, mut recorded) = start(short_linger()).await;
    let handshake = Handshake::new("/ws/test/bidi").with("Grpc-Timeout", "50m");
    handshake.open(bridge.address).await.rest().await;
    assert_eq!(
        recorded.until_close("/bidi").await,
        ["start", "timeout Deadline", "error 4", "close Deadline 4 4004; sent 0/0, received 0/0"]
    );
    assert_silent(&bridge, &mut recorded).await;
}

#[tokio::test]
async fn of_the_heartbeat() {
    let options = ConnectionOptions::builder()
        .ping_period(Some(Duration::from_millis(20)))
        .build()
        .expect("valid options");
    let (bridge, mut recorded) = start(options).await;
    let mut client = bridge.connect("bidi", "").await;
    // Reading is what makes the client's WebSocket answer the ping frame.
    let Received::Text(ping) = client.next().await else { panic!("no ping") };
    assert_eq!(ping, r#"{"type":"ping","pingId":1}"#);
    client.send(r#"{"type":"pong","pingId":1}"#).await;
    assert_eq!(recorded.next("/bidi").await, "start");
    assert_eq!(recorded.next("/bidi").await, "ping 1");
    let mut pings = 1;
    let mut pongs = 0;
    // The message, then the frame.
    while pongs < 2 {
        let event = tokio::select! {
            event = recorded.next("/bidi") => event,
            other = client.next() => { assert!(matches!(other, Received::Text(_)), "{other:?}"); continue }
        };
        match event.as_str() {
            "pong" => pongs += 1,
            ping => {
                pings += 1;
                assert_eq!(ping, format!("ping {pings}"));
            }
        }
    }
}

#[tokio::test]
async fn of_a_heartbeat_timeout() {
    let options = short_linger()
        .to_builder()
        .ping_period(Duration::from_millis(40))
        .pong_timeout(Duration::from_millis(100))
        .build()
        .expect("valid options");
    let (bridge, mut recorded) = start(options).await;
    // A client that never reads answers no ping.
    let mut raw = Raw::connect(bridge.address).await;
    raw.send(Handshake::new("/ws/test/bidi").bytes()).await;
    let events = recorded.until_close("/bidi").await;
    let (pings, end) = events[1..].split_at(events.len() - 4);
    assert!(!pings.is_empty() && pings.iter().all(|ping| ping.starts_with("ping")), "{events:?}");
    assert_eq!(
        end,
        ["timeout HeartbeatTimeout", "error 14", "close HeartbeatTimeout 14 4408; sent 0/0, received 0/0"]
    );
    assert_silent(&bridge, &mut recorded).await;
}

#[tokio::test]
async fn of_a_write_stall() {
    let options = short_linger().to_builder().write_stall_timeout(Duration::from_millis(200));
    let options = options.build().expect("valid options");
    let (bridge, mut recorded) = start(options).await;
    let mut raw = Raw::connect(bridge.address).await;
    let path = "/ws/test/server-stream?count=100000&size=16384";
    raw.send(Handshake::new(path).bytes()).await;
    let events = recorded.until_close("/server-stream").await;
    let [start, sent @ .., timeout, error, close] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!([start.as_str(), timeout, error], ["start", "timeout Policy", "error 8"]);
    let bytes: usize = sent
        .iter()
        .map(|event| event.strip_prefix("sent ").expect("all are sent").parse::<usize>().expect("a number"))
        .sum();
    assert_eq!(*close, format!("close Policy 8 1008; sent {}/{bytes}, received 0/0", sent.len()));
    assert_silent(&bridge, &mut recorded).await;
}
