//! Gateways that a client should not meet, and what it makes of them.

mod common;

use std::time::Duration;

use common::script::{OPEN, Peer, serve};
use common::{method, options, soon};
use grpcws_client::{Client, ClientOptions, Code, JsonCall, JsonEvent, Status};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

async fn call(address: std::net::SocketAddr, client_options: ClientOptions) -> JsonCall {
    let client = Client::new(&format!("ws://{address}"), client_options).expect("a valid URL");
    client.json_call(&method("Bidi"), options())
}

async fn rest(call: &mut JsonCall) -> (Vec<String>, Status) {
    let mut messages = Vec::new();
    loop {
        match soon(call.next()).await.expect("an end comes first") {
            JsonEvent::Message(message) => messages.push(message),
            JsonEvent::End(status) => return (messages, status),
            _ => {}
        }
    }
}

/// What the client makes of a gateway that does this, and how it says goodbye.
async fn outcome<F, R>(script: F) -> (Vec<String>, Status, String)
where
    F: Fn(Peer) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Peer> + Send + 'static,
{
    let (sender, mut goodbye) = mpsc::channel(1);
    let address = serve(move |mut peer: Peer| {
        let (script, sender) = (script.clone(), sender.clone());
        async move {
            peer.text(OPEN).await;
            let mut peer = script(peer).await;
            let said = peer.next().await;
            sender.send(said).await.expect("the test listens");
        }
    })
    .await;
    let mut call =
        call(address, ClientOptions::builder().max_message_size(100).build().expect("valid options")).await;
    let (messages, status) = rest(&mut call).await;
    let said = soon(goodbye.recv()).await.expect("it says something");
    (messages, status, said)
}

#[tokio::test]
async fn the_terminal_message_wins_over_the_close_code() {
    let (messages, status, said) = outcome(|mut peer| async {
        peer.text(r#"{"type":"data","data":[1, 2]}"#).await;
        peer.text(r#"{"type":"stream_end","trailers":{"x":["1"]}}"#).await;
        peer.close(4005, "NOT_FOUND").await;
        peer
    })
    .await;
    assert!(status.is_ok() && status.metadata()["x"] == "1", "{status:?}");
    assert_eq!((messages, &*said), (vec!["[1, 2]".to_owned()], "close 4005"));
}

#[tokio::test]
async fn without_a_terminal_message_the_close_code_decides() {
    for (close, code, text) in [
        ((4005, "NOT_FOUND: no game"), Code::NotFound, "no game"),
        ((1000, "OK"), Code::Internal, "close code 1000"),
        ((1011, ""), Code::Internal, "close code 1011"),
        ((1008, ""), Code::ResourceExhausted, "close code 1008"),
        ((1012, "UNAVAILABLE: bye"), Code::Unavailable, "bye"),
        ((4408, ""), Code::Unavailable, "close code 4408"),
    ] {
        let (_, status, said) = outcome(move |mut peer| async move {
            peer.close(close.0, close.1).await;
            peer
        })
        .await;
        assert_eq!(status.code(), code, "{close:?}");
        assert!(status.message().contains(text), "{status:?}");
        assert_eq!(said, format!("close {}", close.0));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_never_a_success() {
    let address = serve(|mut peer: Peer| async move {
        peer.text(OPEN).await;
        peer.text(r#"{"type":"data","data":1}"#).await;
    })
    .await;
    let (messages, status) = rest(&mut call(address, ClientOptions::default()).await).await;
    assert_eq!((messages, status.code()), (vec!["1".to_owned()], Code::Unavailable), "{status:?}");
    assert!(status.message().contains("lost"), "{status:?}");
}

#[tokio::test]
async fn a_gateway_that_breaks_the_protocol_is_left() {
    const BROKEN: [&str; 6] = [
        "no JSON",
        r#"{"type":"headers","headers":{"x":1}}"#,
        r#"{"type":"credit","bytes":0}"#,
        r#"{"type":"data","data":1,"data":2}"#,
        r#"{"type":"stream_end","trailers":{"x":["1"],"x":["2"]}}"#,
        OPEN,
    ];
    for text in BROKEN {
        let (messages, status, said) = outcome(move |mut peer| async move {
            peer.text(text).await;
            peer
        })
        .await;
        assert_eq!((messages.len(), status.code()), (0, Code::Internal), "{text}");
        assert!(status.message().starts_with("the gateway broke the protocol"), "{status:?}");
        assert_eq!(said, r#"{"type":"cancel"}"#, "{text}");
    }
    let (_, status, _) = outcome(|mut peer| async {
        peer.binary(b"{}").await;
        peer
    })
    .await;
    assert_eq!(status.code(), Code::Internal);
}

#[tokio::test]
async fn what_was_said_before_the_connection_broke_is_read_by_who_has_not_read_yet() {
    let (sender, mut said_all) = mpsc::channel(1);
    let data = format!(r#"{{"type":"data","data":"{}"}}"#, "x".repeat(1000));
    let address = serve(move |mut peer: Peer| {
        let (sender, data) = (sender.clone(), data.clone());
        async move {
            peer.text(&OPEN.replace("\"receiveWindow\":100", "\"receiveWindow\":1000000")).await;
            for _ in 0..60 {
                peer.text(&data).await;
            }
            // The client has read up to here, so that the kernel takes the rest, which the client leaves there.
            peer.text(r#"{"type":"ping","pingId":1}"#).await;
            assert_eq!(peer.next().await, r#"{"type":"pong","pingId":1}"#);
            for _ in 0..20 {
                peer.text(&data).await;
            }
            peer.text(r#"{"type":"stream_end"}"#).await;
            sender.send(()).await.expect("the test listens");
            // A socket that is closed with something unread is reset.
            peer.0.get_ref().peek(&mut [0]).await.expect("a message comes");
        }
    })
    .await;
    let mut call = call(address, ClientOptions::builder().credit(None).build().expect("valid options")).await;
    soon(said_all.recv()).await.expect("it says all");
    soon(async { while call.send("1").await.is_ok() {} }).await;
    let (messages, status) = rest(&mut call).await;
    assert_eq!((messages.len(), status.code()), (80, Code::Ok), "{status:?}");
}

#[tokio::test]
async fn limits_and_rfc_6455_have_their_close_codes() {
    let (_, status, said) = outcome(|mut peer| async {
        peer.text(&format!(r#"{{"type":"data","data":"{}"}}"#, "x".repeat(100))).await;
        peer
    })
    .await;
    assert_eq!((status.code(), &*said), (Code::ResourceExhausted, "close 1009"));
    assert_eq!(status.message(), "response message is larger than 100 bytes");

    let (_, status, said) = outcome(|mut peer| async {
        // A reserved bit.
        peer.0.get_mut().write_all(&[0xf1, 0]).await.expect("the socket is open");
        peer
    })
    .await;
    assert_eq!((status.code(), &*said), (Code::Internal, "close 1002"));

    let (_, status, said) = outcome(|mut peer| async {
        peer.0.get_mut().write_all(&[0x81, 1, 0xff]).await.expect("the socket is open");
        peer
    })
    .await;
    assert_eq!((status.code(), &*said), (Code::Internal, "close 1007"));
}

#[tokio::test]
async fn the_close_frame_behind_a_message_over_the_limit_is_waited_for() {
    let (sender, mut rest) = mpsc::channel(1);
    let address = serve(move |mut peer: Peer| {
        let sender = sender.clone();
        async move {
            peer.text(OPEN).await;
            let large = format!(r#"{{"type":"data","data":"{}"}}"#, "x".repeat(1_000_000));
            peer.text(&large).await;
            assert_eq!(peer.next().await, "close 1009");
            // By hand, since tungstenite answers by itself.
            let stream = peer.0.get_mut();
            let early = tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await.is_ok();
            stream.write_all(&[0x88, 2, 0x03, 0xf1]).await.expect("the socket is open");
            let end = soon(stream.read_u8()).await.map_err(|error| error.kind());
            sender.send((early, end)).await.expect("the test listens");
        }
    })
    .await;
    let client_options = ClientOptions::builder().max_message_size(100).build().expect("valid options");
    let (_, status) = self::rest(&mut call(address, client_options).await).await;
    assert_eq!(status.code(), Code::ResourceExhausted);
    let (early, end) = soon(rest.recv()).await.expect("the gateway sees the end");
    assert!(!early, "FIN before the gateway's close frame");
    assert_eq!(end, Err(std::io::ErrorKind::UnexpectedEof));
}

#[tokio::test]
async fn pings_are_answered_and_unknown_messages_passed_over() {
    let address = serve(|mut peer: Peer| async move {
        peer.text(OPEN).await;
        peer.text(r#"{"type":"news","of":"the future"}"#).await;
        peer.text(r#"{"type":"ping","pingId":7}"#).await;
        assert_eq!(peer.next().await, r#"{"type":"pong","pingId":7}"#);
        peer.text(r#"{"type":"stream_end"}"#).await;
        peer.close(1000, "OK").await;
    })
    .await;
    assert!(rest(&mut call(address, ClientOptions::default()).await).await.1.is_ok());
}

#[tokio::test]
async fn a_client_keeps_to_the_limits_that_open_tells() {
    let address = serve(|mut peer: Peer| async move {
        peer.text(OPEN).await;
        // Each frame has 32 bytes, and the window 100: four of them, the last of which overdraws it.
        for _ in 0..4 {
            assert_eq!(peer.next().await, r#"{"type":"data","data":{"n":"1"}}"#);
        }
        // A half-close needs no window, but it comes behind the message that does.
        peer.text(r#"{"type":"ping","pingId":1}"#).await;
        assert_eq!(peer.next().await, r#"{"type":"pong","pingId":1}"#);
        peer.text(r#"{"type":"credit","bytes":29}"#).await;
        assert_eq!(peer.next().await, r#"{"type":"data","data":{"n":"1"}}"#);
        assert_eq!(peer.next().await, r#"{"type":"end_send"}"#);
        peer.text(r#"{"type":"stream_end"}"#).await;
    })
    .await;
    let mut call = call(address, ClientOptions::default()).await;
    for _ in 0..5 {
        soon(call.send(r#"{"n":"1"}"#)).await.expect("it is queued");
    }
    call.half_close();
    assert!(rest(&mut call).await.1.is_ok());
}

#[tokio::test]
async fn a_message_that_the_gateway_would_not_take_is_not_sent() {
    let (sender, mut said) = mpsc::channel(1);
    let address = serve(move |mut peer: Peer| {
        let sender = sender.clone();
        async move {
            peer.text(OPEN).await;
            let text = peer.next().await;
            sender.send(text).await.expect("the test listens");
        }
    })
    .await;
    let mut call = call(address, ClientOptions::default()).await;
    soon(call.send(&format!("{:?}", "x".repeat(1000)))).await.expect("it is queued");
    let (_, status) = rest(&mut call).await;
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().contains("1000 bytes"), "{status:?}");
    assert_eq!(soon(said.recv()).await.as_deref(), Some(r#"{"type":"cancel"}"#));
}

#[tokio::test]
async fn the_window_can_be_full_and_the_call_cancelled() {
    let address = serve(|mut peer: Peer| async move {
        peer.text(OPEN).await;
        for _ in 0..4 {
            assert_eq!(peer.next().await, r#"{"type":"data","data":{"n":"1"}}"#);
        }
        assert_eq!(peer.next().await, r#"{"type":"cancel"}"#);
        peer.text(r#"{"type":"error","code":1,"message":"as you like","error":""}"#).await;
        peer.close(1000, "CANCELLED").await;
        assert_eq!(peer.next().await, "close 1000");
    })
    .await;
    let mut call = call(address, ClientOptions::default()).await;
    for _ in 0..5 {
        soon(call.send(r#"{"n":"1"}"#)).await.expect("it is queued");
    }
    call.cancel();
    let (_, status) = rest(&mut call).await;
    assert_eq!((status.code(), status.message()), (Code::Cancelled, "as you like"));
}

#[tokio::test]
async fn a_gateway_that_ignores_the_cancel_is_left_after_the_linger_time() {
    let (sender, mut goodbye) = mpsc::channel(4);
    let address = serve(move |mut peer: Peer| {
        let sender = sender.clone();
        async move {
            peer.text(OPEN).await;
            for _ in 0..2 {
                let said = peer.next().await;
                sender.send(said).await.expect("the test listens");
            }
        }
    })
    .await;
    let mut call = call(
        address,
        ClientOptions::builder().linger(Duration::from_millis(100)).build().expect("valid options"),
    )
    .await;
    // The end is only known after the WebSocket is open.
    soon(call.send("1")).await.expect("it is queued");
    assert_eq!(soon(goodbye.recv()).await.as_deref(), Some(r#"{"type":"data","data":1}"#));
    call.cancel();
    assert_eq!(rest(&mut call).await.1.code(), Code::Cancelled);
    assert_eq!(soon(goodbye.recv()).await.as_deref(), Some(r#"{"type":"cancel"}"#));
}

#[tokio::test]
async fn a_gateway_that_says_nothing_is_dead() {
    let address = serve(|mut peer: Peer| async move {
        peer.text(OPEN).await;
        while !peer.next().await.starts_with("close") {}
    })
    .await;
    let client_options = ClientOptions::builder()
        .ping_period(Some(Duration::from_millis(20)))
        .pong_timeout(Some(Duration::from_millis(100)))
        .build()
        .expect("valid options");
    let (_, status) = rest(&mut call(address, client_options).await).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("nothing was heard"), "{status:?}");
}

#[tokio::test]
async fn a_gateway_that_announces_pings_and_sends_none_is_dead() {
    let announced = OPEN.replace("\"pingPeriodMs\":0", "\"pingPeriodMs\":20");
    // And one that does not even say `open`.
    for open in [announced, r#"{"type":"news"}"#.to_owned()] {
        let address = serve(move |mut peer: Peer| {
            let open = open.clone();
            async move {
                peer.text(&open).await;
                while !peer.next().await.starts_with("close") {}
            }
        })
        .await;
        let client_options = ClientOptions::builder()
            .pong_timeout(Some(Duration::from_millis(50)))
            .build()
            .expect("valid options");
        let (_, status) = rest(&mut call(address, client_options).await).await;
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("nothing was heard"), "{status:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_answers_pings_lives() {
    let address = serve(|mut peer: Peer| async move {
        peer.text(OPEN).await;
        for ping_id in 1..=10 {
            assert_eq!(peer.next().await, format!(r#"{{"type":"ping","pingId":{ping_id}}}"#));
            peer.text(&format!(r#"{{"type":"pong","pingId":{ping_id}}}"#)).await;
        }
        peer.text(r#"{"type":"stream_end"}"#).await;
    })
    .await;
    let client_options = ClientOptions::builder()
        .ping_period(Some(Duration::from_millis(20)))
        .pong_timeout(Some(Duration::from_secs(20)))
        .build()
        .expect("valid options");
    assert!(rest(&mut call(address, client_options).await).await.1.is_ok());
}

#[tokio::test]
async fn more_than_the_credit_is_a_violation() {
    let (sender, mut goodbye) = mpsc::channel(1);
    let address = serve(move |mut peer: Peer| {
        let sender = sender.clone();
        async move {
            peer.text(OPEN).await;
            // The second one comes though the first has used up the credit.
            peer.text(r#"{"type":"data","data":1}"#).await;
            peer.text(r#"{"type":"data","data":2}"#).await;
            let said = peer.next().await;
            sender.send(said).await.expect("the test listens");
        }
    })
    .await;
    let mut call =
        call(address, ClientOptions::builder().credit(Some(1)).build().expect("valid options")).await;
    // Nothing is taken before the client has seen both.
    assert_eq!(soon(goodbye.recv()).await.as_deref(), Some(r#"{"type":"cancel"}"#));
    let (messages, status) = rest(&mut call).await;
    assert_eq!((messages, status.code()), (vec!["1".to_owned()], Code::Internal));
    assert!(status.message().contains("beyond the credit"), "{status:?}");
}

/// Answers a handshake with text of its own.
async fn answer(text: &'static str) -> Status {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                tokio::io::AsyncReadExt::read_exact(&mut stream, &mut byte).await.expect("a request");
                head.extend(byte);
            }
            stream.write_all(text.as_bytes()).await.expect("the client listens");
            // What it sends after that is read, so that no reset overtakes the answer.
            let _ = stream.shutdown().await;
            let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        }
    });
    let mut call = call(address, ClientOptions::default()).await;
    rest(&mut call).await.1
}

#[tokio::test]
async fn a_refusal_is_a_status_with_its_text() {
    for (line, code) in [
        ("401 Unauthorized", Code::Unauthenticated),
        ("403 Forbidden", Code::PermissionDenied),
        ("404 Not Found", Code::Unimplemented),
        ("429 Too Many Requests", Code::Unavailable),
        ("503 Service Unavailable", Code::Unavailable),
        ("400 Bad Request", Code::Internal),
        ("431 Request Header Fields Too Large", Code::ResourceExhausted),
        ("418 I'm a teapot", Code::Unknown),
    ] {
        let text = format!("HTTP/1.1 {line}\r\ncontent-length: 13\r\nconnection: close\r\n\r\nwhy it is not");
        let status = answer(text.leak()).await;
        assert_eq!(status.code(), code, "{status:?}");
        assert!(
            status.message().contains(&line[..3]) && status.message().ends_with("why it is not"),
            "{status:?}"
        );
    }
}

#[tokio::test]
async fn an_answer_that_is_none_is_internal() {
    for text in [
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    ] {
        let status = answer(text).await;
        assert!(matches!(status.code(), Code::Internal | Code::Unknown), "{status:?}");
    }
    for text in ["garbage\r\n\r\n", "", "HTTP/1.1 101"] {
        let status = answer(text).await;
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
    }
    let long = format!("HTTP/1.1 101 Switching Protocols\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    let status = answer(long.leak()).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn a_deadline_holds_while_connecting() {
    // Accepts and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let client = Client::new(&format!("ws://{address}"), ClientOptions::default()).expect("a valid URL");
    let mut call = client.json_call(&method("Bidi"), options().timeout(Duration::from_millis(100)));
    assert_eq!(rest(&mut call).await.1.code(), Code::DeadlineExceeded);

    let quick =
        ClientOptions::builder().connect_timeout(Duration::from_millis(100)).build().expect("valid options");
    let client = Client::new(&format!("ws://{address}"), quick).expect("a valid URL");
    let mut call = client.json_call(&method("Bidi"), options());
    let status = rest(&mut call).await.1;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(status.message().contains("did not answer within 100ms"), "{status:?}");

    let client = Client::new(&format!("ws://{address}"), ClientOptions::default()).expect("a valid URL");
    let mut call = client.json_call(&method("Bidi"), options());
    call.cancel();
    assert_eq!(rest(&mut call).await.1.code(), Code::Cancelled);
}

#[tokio::test]
async fn a_gateway_cannot_panic_a_client_by_names() {
    // More than a map of headers takes.
    let names: Vec<String> = (0..30_000).map(|number| format!(r#""n{number}":["1"]"#)).collect();
    let object = format!("{{{}}}", names.join(","));
    for message in [
        format!(r#"{{"type":"headers","headers":{object}}}"#),
        format!(r#"{{"type":"stream_end","trailers":{object}}}"#),
        format!(r#"{{"type":"error","code":5,"trailers":{object}}}"#),
    ] {
        let address = serve(move |mut peer: Peer| {
            let message = message.clone();
            async move {
                peer.text(OPEN).await;
                peer.text(&message).await;
                while !peer.next().await.starts_with("close") {}
            }
        })
        .await;
        let (_, status) = rest(&mut call(address, ClientOptions::default()).await).await;
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().contains("more than 8192 values"), "{status:?}");
    }
}

#[tokio::test]
async fn odd_trailers_do_not_spoil_a_success() {
    let address = serve(|mut peer: Peer| async move {
        peer.text(OPEN).await;
        peer.text(r#"{"type":"headers","headers":{"x!h":["1"]}}"#).await;
        let trailers = r#"{"x!y":["1"],"x-bin":["not*base64"],"x-line":["a\nb"],"x-kept":["1"]}"#;
        peer.text(&format!(r#"{{"type":"stream_end","trailers":{trailers}}}"#)).await;
    })
    .await;
    let (_, status) = rest(&mut call(address, ClientOptions::default()).await).await;
    assert!(status.is_ok(), "{status:?}");
    let names: Vec<&str> = status.metadata().keys().map(http::HeaderName::as_str).collect();
    assert_eq!(names, ["x-kept"]);
}
