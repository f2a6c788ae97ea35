//! However a client leaves, its call is cancelled at once, and nothing of it is left.

mod common;

use std::time::{Duration, Instant, SystemTime};

use common::{Bridge, Client, Received};
use futures_util::SinkExt;
use grpcws::ConnectionOptions;
use grpcws_test::pb::call::Outcome;
use socket2::SockRef;
use tokio::io::AsyncWriteExt;
use tokio_tungstenite::MaybeTlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

/// How soon a call has to be cancelled after its client has left.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The ways in which a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leave {
    Close(Option<u16>),
    Fin,
    Reset,
    Cancel,
}

const WAYS: [Leave; 8] = [
    Leave::Close(Some(1000)),
    Leave::Close(Some(1001)),
    Leave::Close(None),
    Leave::Close(Some(1008)),
    Leave::Close(Some(4000)),
    Leave::Fin,
    Leave::Reset,
    Leave::Cancel,
];

async fn leave(mut client: Client, way: Leave) {
    match way {
        Leave::Close(code) => {
            let frame = code.map(|code| CloseFrame { code: code.into(), reason: "".into() });
            client.socket.send(Message::Close(frame)).await.expect("the socket is open");
        }
        Leave::Cancel => client.send(r#"{"type":"cancel"}"#).await,
        Leave::Fin | Leave::Reset => {
            let MaybeTlsStream::Plain(stream) = client.socket.get_mut() else { panic!("not a TCP stream") };
            if let Leave::Reset = way {
                SockRef::from(&*stream).set_linger(Some(Duration::ZERO)).expect("a socket option");
                return; // dropping it resets the connection
            }
            stream.shutdown().await.expect("FIN is sent");
        }
    }
    // The socket lives on: what was sent has to be enough.
    while !matches!(client.next().await, Received::End | Received::Lost(_)) {}
}

async fn bidi(bridge: &Bridge, tag: &str) -> Client {
    let mut client = bridge.connect("bidi", "").await;
    client.send(&format!(r#"{{"type":"data","data":{{"sequence":1,"script":{{"tag":"{tag}"}}}}}}"#)).await;
    assert!(matches!(client.next().await, Received::Text(text) if text.contains("requestSequence")));
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_upstream_is_cancelled_within_100_ms() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    for (number, way) in WAYS.into_iter().enumerate() {
        let tag = format!("way-{number}");
        let client = bidi(&bridge, &tag).await;
        let left_at = SystemTime::now();
        tokio::spawn(leave(client, way));
        let started = Instant::now();
        let call = loop {
            let stats = bridge.service.stats_of(&tag, 1);
            if let Some(call) = stats.recent.into_iter().find(|call| call.ended_at.is_some()) {
                break call;
            }
            assert!(started.elapsed() < Duration::from_secs(5), "{way:?}: the call goes on");
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let outcome = call.outcome();
        let ended_at = SystemTime::try_from(call.ended_at.expect("it has ended")).expect("a time of today");
        let after = ended_at.duration_since(left_at).unwrap_or_default();
        assert!(after < AT_ONCE, "{way:?}: cancelled after {after:?}");
        // Not completed: a client that is gone has not half-closed.
        assert_eq!(outcome, Outcome::Cancelled, "{way:?}");
    }
    bridge.settle().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tasks_return_to_the_start_after_a_thousand_of_each() {
    const EACH: usize = 1_000;
    const AT_ONCE: usize = 50;
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    // The connection to the upstream has tasks of its own, which stay.
    leave(bidi(&bridge, "first").await, Leave::Close(Some(1000))).await;
    bridge.settle().await;
    let before = settled_tasks(usize::MAX).await;
    for way in WAYS {
        for _ in 0..EACH / AT_ONCE {
            let mut clients = Vec::new();
            for _ in 0..AT_ONCE {
                clients.push(bidi(&bridge, "many").await);
            }
            let leaving: Vec<_> =
                clients.into_iter().map(|client| tokio::spawn(leave(client, way))).collect();
            for left in leaving {
                left.await.expect("leaving does not panic");
            }
        }
        bridge.settle().await;
        let after = settled_tasks(before).await;
        assert!(after <= before, "{way:?}: {before} tasks before, {after} after");
    }
    let stats = bridge.service.stats();
    assert_eq!(stats.cancelled, i64::try_from(EACH * WAYS.len() + 1).expect("a small number"), "{stats:?}");
}

/// How many tasks are alive, once they are few enough or have not become fewer for a while.
async fn settled_tasks(enough: usize) -> usize {
    let metrics = tokio::runtime::Handle::current().metrics();
    let mut fewest = usize::MAX;
    for _ in 0..100 {
        fewest = fewest.min(metrics.num_alive_tasks());
        if enough != usize::MAX && fewest <= enough {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fewest
}
