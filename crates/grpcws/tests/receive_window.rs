//! An upload over a long way, by a client that keeps to its receive window.

mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::{Bridge, Client, Received, http2};
use futures_util::SinkExt as _;
use grpcws::ConnectionOptions;
use grpcws::proto::session::WindowBudget;
use grpcws_test::pb::ClientStreamRequest;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

/// The time from one end of the way to the other.
const DELAY: Duration = Duration::from_millis(50);

const UPLOAD: usize = 4 * 1024 * 1024;
const MESSAGE: usize = 16 * 1024;

/// A TCP relay that holds all bytes back for [`DELAY`], and carries any number of them.
async fn long_way_to(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let relay = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(address).await.expect("the bridge listens");
            for stream in [&client, &server] {
                stream.set_nodelay(true).expect("a socket option");
            }
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(pass(from_client, to_server));
            tokio::spawn(pass(from_server, to_client));
        }
    });
    relay
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    // More chunks than are ever on the way.
    let (sender, mut receiver) = mpsc::channel::<(Instant, Bytes)>(16 * 1024);
    let reading = async move {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let chunk = Bytes::copy_from_slice(buffer.get(..length).unwrap_or_default());
            if sender.send((Instant::now() + DELAY, chunk)).await.is_err() {
                break;
            }
        }
    };
    let writing = async move {
        while let Some((due, chunk)) = receiver.recv().await {
            tokio::time::sleep_until(due.into()).await;
            if to.write_all(&chunk).await.is_err() {
                break;
            }
        }
        let _ = to.shutdown().await;
    };
    tokio::join!(reading, writing);
}

/// Uploads over HTTP/1.1.
async fn upload(address: SocketAddr) -> (Duration, i64) {
    let url = format!("ws://{address}/ws/test/client-stream");
    let mut request = url.into_client_request().expect("a URL");
    request.headers_mut().insert("sec-websocket-protocol", "grpcws.v1.proto".parse().expect("a value"));
    upload_by(Client::open(request).await).await
}

/// Uploads without ever sending beyond the window. Returns the time from the open socket to the close frame, and the
/// window that the client has at the end.
async fn upload_by(mut client: Client<impl AsyncRead + AsyncWrite + Unpin>) -> (Duration, i64) {
    let begin = Instant::now();
    let message = ClientStreamRequest { payload: vec![0; MESSAGE].into(), ..Default::default() };
    let message = Bytes::from(message.encode_to_vec());
    let (mut window, mut left, mut half_closed) = (0, UPLOAD / MESSAGE, false);
    let code = loop {
        while window > 0 && left > 0 {
            client.socket.feed(Message::Binary(message.clone())).await.expect("the socket is open");
            window -= i64::try_from(message.len()).expect("short");
            left -= 1;
        }
        client.socket.flush().await.expect("the socket is open");
        if left == 0 && !std::mem::replace(&mut half_closed, true) {
            client.send(r#"{"type":"end_send"}"#).await;
        }
        match client.next().await {
            Received::Text(text) => window += granted(&text),
            Received::Binary(_) => {}
            Received::Close(code, _) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 1000);
    (begin.elapsed(), window)
}

/// How much more the client may send after this message.
fn granted(text: &str) -> i64 {
    [r#""receiveWindow":"#, r#"{"type":"credit","bytes":"#]
        .iter()
        .find_map(|member| {
            let (_, rest) = text.split_once(member)?;
            rest.split([',', '}']).next()?.parse().ok()
        })
        .unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_window_grows_with_the_round_trip() {
    let budget = WindowBudget::default();
    let options = ConnectionOptions::builder().receive_window_budget(budget.clone());
    let bridge = Bridge::start(options.build().expect("valid options")).await;
    let (time, window) = upload(long_way_to(bridge.address).await).await;
    println!("4 MiB up at a round trip of 100 ms: {time:?}; {window} bytes of the window are left");
    // 64 round trips with a window of 64 KiB, and 7 on a quiet machine.
    assert!(time < Duration::from_secs(3), "{time:?}");
    assert!(window > 256 * 1024, "the window has not grown: {window} bytes of it are left");
    bridge.settle().await;
    assert_eq!(budget.used(), 0, "what the window has grown by is paid back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_whose_largest_size_is_the_first_keeps_it() {
    let budget = WindowBudget::default();
    let options = ConnectionOptions::builder()
        .receive_window(512 * 1024)
        .receive_window_max(512 * 1024)
        .receive_window_budget(budget.clone())
        .build()
        .expect("valid options");
    let bridge = Bridge::start(options).await;
    let (_, window) = upload(long_way_to(bridge.address).await).await;
    assert!(window <= 512 * 1024, "{window} bytes of the window are left");
    assert_eq!(budget.used(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_holds_an_upload_back_no_more_than_http1() {
    let budget = WindowBudget::default();
    let options = ConnectionOptions::builder().receive_window_budget(budget.clone());
    let bridge = Bridge::start(options.build().expect("valid options")).await;
    let address = long_way_to(bridge.address).await;
    let mut connection = http2::connect(address).await;
    let client = http2::open(&mut connection, address, "/ws/test/client-stream", "grpcws.v1.proto").await;
    let (time, window) = upload_by(client).await;
    println!(
        "4 MiB up over HTTP/2 at a round trip of 100 ms: {time:?}; {window} bytes of the window are left"
    );
    // 64 round trips with a stream of 64 KiB, whatever the receive window is.
    assert!(time < Duration::from_secs(3), "{time:?}");
    bridge.settle().await;
    assert_eq!(budget.used(), 0, "nothing is borrowed by a client that keeps to its window");
}
