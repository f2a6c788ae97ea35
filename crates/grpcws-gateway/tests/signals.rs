//! What the process does on SIGTERM: every stream is told, and the exit code is 0.

mod common;

use std::time::Duration;

use common::{Demo, SOON};
use futures_util::StreamExt;
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Sockets on streams that do not end by themselves.
async fn sockets(demo: &Demo, count: usize) -> Vec<Socket> {
    let mut sockets = Vec::new();
    for path in ["subscribe", "sync", "commands"].into_iter().cycle().take(count) {
        let url = format!("ws://{}/ws/v1/games/drained/{path}", demo.address);
        sockets.push(connect_async(url).await.expect("the handshake succeeds").0);
    }
    sockets
}

/// Reads until the close frame: the last message and the close code.
async fn end(mut socket: Socket) -> (String, u16) {
    let mut last = String::new();
    let read = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => last = text.to_string(),
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(_)) => {}
                other => panic!("{other:?} before a close frame"),
            }
        }
    };
    let code = tokio::time::timeout(SOON, read).await.expect("the stream ends");
    (last, code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_tells_200_streams_and_exits_with_0() {
    let demo = Demo::start("2").await;
    let sockets = sockets(&demo, 200).await;
    demo.terminate();
    let ends: Vec<_> = sockets.into_iter().map(|socket| tokio::spawn(end(socket))).collect();
    for ended in ends {
        let (terminal, code) = ended.await.expect("a terminal message and a close frame");
        assert!(
            terminal.starts_with(r#"{"type":"error""#) && terminal.contains(r#""code":14"#),
            "{terminal}"
        );
        assert_eq!(code, 1012);
    }
    assert_eq!(demo.exit().await.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_ends_at_once_with_close_frames() {
    let demo = Demo::start("600").await;
    let sockets = sockets(&demo, 3).await;
    demo.terminate();
    // The listener closes when the first signal has been taken.
    while TcpStream::connect(&demo.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    demo.terminate();
    for socket in sockets {
        let (terminal, code) = end(socket).await;
        assert!(terminal.contains(r#""code":14"#), "{terminal}");
        assert_eq!(code, 1012);
    }
    assert_eq!(demo.exit().await.code(), Some(0));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let demo = Demo::start("1").await;
    let output = Command::new(env!("CARGO_BIN_EXE_grpcws"))
        .args(["demo", "--listen", &demo.address])
        .output()
        .await
        .expect("the binary is built");
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with(&format!("grpcws: cannot listen on {}: ", demo.address)), "{text}");
}
