//! Handshakes that are refused, and why: over HTTP/1.1, by hand.

mod common;

use common::raw::{Handshake, Raw, serve_app, text_frame};
use common::{Bridge, Received, app};
use grpcws::server::ServerOptions;
use grpcws::{ConnectionOptions, GrpcWs, Mode, Shutdown};

const PATH: &str = "/ws/test/bidi";
const PIPELINED: &str = "GET /ws/test/bidi HTTP/1.1\r\nHost: example.com\r\n\r\n";

/// Sends the handshake with a request behind it, which must not be answered.
async fn refused(bridge: &Bridge, handshake: &Handshake) -> common::raw::Answer {
    let (answer, mut raw) = handshake.clone().then(PIPELINED).send(bridge.address).await;
    // What stands in `Upgrade` has to be named in `Connection` (RFC 9110 §7.8).
    let (connection, upgrade) =
        if answer.status == 426 { ("upgrade, close", Some("websocket")) } else { ("close", None) };
    assert_eq!(answer.header("connection").as_deref(), Some(connection), "{answer:?}");
    assert_eq!(answer.header("upgrade").as_deref(), upgrade, "{answer:?}");
    let rest = raw.rest().await;
    assert!(rest.is_empty(), "{:?} after {answer:?}", String::from_utf8_lossy(&rest));
    answer
}

#[tokio::test]
async fn what_is_no_handshake_is_refused_with_a_reason_and_a_closed_connection() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let good = || Handshake::new(PATH);
    let cases = [
        (good().line("POST /ws/test/bidi HTTP/1.1"), 426, "method is not GET"),
        (good().line("GET /ws/test/bidi HTTP/1.0"), 426, "HTTP/1.0"),
        (good().without("Upgrade"), 426, "Upgrade: websocket"),
        (good().replace("Upgrade", "h2c"), 426, "Upgrade: websocket"),
        (good().without("Connection"), 400, "Connection: Upgrade"),
        (good().replace("Connection", "keep-alive"), 400, "Connection: Upgrade"),
        (good().without("Host"), 400, "Host"),
        (good().with("Host", "example.com"), 400, "Host"),
        (good().with("Host", "evil.example"), 400, "Host"),
        (good().replace("Host", ""), 400, "Host"),
        (good().replace("Host", "user@example.com"), 400, "Host"),
        (good().replace("Host", "example.com/path"), 400, "Host"),
        (good().without("Host").line("GET http://example.com/ws/test/bidi HTTP/1.1"), 400, "Host"),
        (good().without("Sec-WebSocket-Version"), 426, "use 13"),
        (good().replace("Sec-WebSocket-Version", "8"), 426, "use 13"),
        (good().with("Sec-WebSocket-Version", "13"), 426, "use 13"),
        (good().without("Sec-WebSocket-Key"), 400, "Sec-WebSocket-Key"),
        (good().replace("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ"), 400, "Sec-WebSocket-Key"),
        (good().replace("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZSE="), 400, "Sec-WebSocket-Key"),
        (good().replace("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25j!Q=="), 400, "Sec-WebSocket-Key"),
        (good().with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), 400, "Sec-WebSocket-Key"),
        (good().with("Content-Length", "5").then("hello"), 400, "it has a body"),
        (good().with("Transfer-Encoding", "chunked").then("0\r\n\r\n"), 400, "it has a body"),
    ];
    for (handshake, status, reason) in cases {
        let answer = refused(&bridge, &handshake).await;
        assert_eq!(answer.status, status, "{reason}: {answer:?}");
        assert!(answer.body.contains(reason), "{reason}: {answer:?}");
        let version = answer.header("sec-websocket-version");
        assert_eq!(version.as_deref(), (status == 426).then_some("13"), "{reason}: {answer:?}");
    }
    assert_eq!(bridge.service.stats().started, 0);
}

#[tokio::test]
async fn a_handshake_for_a_path_that_is_no_route_closes_the_connection_as_well() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    assert_eq!(refused(&bridge, &Handshake::new("/nowhere")).await.status, 404);

    // An ordinary request for it does not.
    let mut raw = Raw::connect(bridge.address).await;
    for _ in 0..2 {
        raw.send("GET /nowhere HTTP/1.1\r\nHost: example.com\r\n\r\n").await;
        assert_eq!(raw.answer().await.status, 404);
    }
}

#[tokio::test]
async fn a_handshake_with_unusual_but_valid_headers_is_accepted() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    for handshake in [
        Handshake::new(PATH).replace("Upgrade", "WebSocket"),
        Handshake::new(PATH).replace("Upgrade", "h2c, websocket"),
        Handshake::new(PATH).replace("Connection", "UPGRADE"),
        Handshake::new(PATH).replace("Connection", "keep-alive").with("Connection", "upgrade"),
        Handshake::new(PATH).with("Content-Length", "0"),
    ] {
        let (answer, _) = handshake.send(bridge.address).await;
        assert_eq!(answer.status, 101, "{answer:?}");
        assert_eq!(answer.header("upgrade").as_deref(), Some("websocket"));
        // The example of RFC 6455 §1.3.
        assert_eq!(answer.header("sec-websocket-accept").as_deref(), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    }
}

#[tokio::test]
async fn frames_in_the_packet_of_the_request_are_answered() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let handshake = Handshake::new(PATH)
        .then(text_frame(r#"{"type":"data","data":{"sequence":"7"}}"#))
        .then(text_frame(r#"{"type":"end_send"}"#));
    let (texts, code, _) = handshake.open(bridge.address).await.rest().await;
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains(r#""requestSequence":"7""#), "{texts:?}");
    assert_eq!((texts[1].as_str(), code), (r#"{"type":"stream_end"}"#, 1000));
}

#[tokio::test]
async fn headers_over_the_limit_are_refused() {
    let options = ConnectionOptions::builder().max_header_size(1024).build().expect("valid options");
    let bridge = Bridge::start(options).await;
    let padded = |bytes: usize| Handshake::new(PATH).with("X-Padding", &"a".repeat(bytes));
    assert_eq!(padded(700).send(bridge.address).await.0.status, 101);
    let answer = refused(&bridge, &padded(1024)).await;
    assert_eq!((answer.status, answer.body.trim()), (431, "handshake headers are larger than 1024 bytes"));
    // Cookies are not counted, as no page can leave them out.
    let cookies = Handshake::new(PATH).with("Cookie", &"c".repeat(20_000));
    assert_eq!(cookies.send(bridge.address).await.0.status, 101);
    // Here it is the server that refuses, whatever the route allows.
    let (answer, _) = padded(100_000).send(bridge.address).await;
    assert_eq!(answer.status, 431);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused() {
    let bridge = Bridge::start(
        ConnectionOptions::builder()
            .allow_origin("https://app.example.net")
            .host("example.com")
            .host("[2001:db8::1]")
            .build()
            .expect("valid options"),
    )
    .await;
    let from = |host: &str, origin: &str| Handshake::new(PATH).replace("Host", host).with("Origin", origin);
    for (host, origin) in [
        ("example.com", "https://example.com"),
        ("example.com:8080", "http://example.com:8080"),
        ("Example.COM", "HTTPS://EXAMPLE.com"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("[2001:DB8::1]", "https://[2001:db8::1]"),
        ("example.com", "https://app.example.net"),
        ("example.com", "https://APP.example.net:443"),
    ] {
        let (answer, _) = from(host, origin).send(bridge.address).await;
        assert_eq!(answer.status, 101, "{origin} for {host}: {answer:?}");
    }
    for (host, origin) in [
        ("example.com", "https://evil.example"),
        ("example.com", "null"),
        ("example.com", ""),
        ("example.com", "https://example.com:444"),
        ("example.com", "https://user@example.com"),
        ("example.com", "https://example.com.evil.example"),
        ("example.com", "http://app.example.net"),
        ("[::1]:8080", "http://[::2]:8080"),
    ] {
        let answer = refused(&bridge, &from(host, origin)).await;
        assert_eq!((answer.status, answer.body.trim()), (403, "origin not allowed"), "{origin} for {host}");
    }
    for two in [
        from("example.com", "https://example.com").with("Origin", "https://evil.example"),
        from("example.com", "https://example.com").with("Origin", "https://example.com"),
    ] {
        assert_eq!(refused(&bridge, &two).await.status, 403);
    }
    // In the v1 protocol too: the page must not learn more.
    let v1 = from("example.com", "https://evil.example").with("Sec-WebSocket-Protocol", "grpcws.v1.json");
    assert_eq!(refused(&bridge, &v1).await.status, 403);
}

/// DNS rebinding: the name of the page's own site resolves to 127.0.0.1.
#[tokio::test]
async fn pages_reach_a_server_on_loopback_by_names_of_loopback_only() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let of =
        |host: &str| Handshake::new(PATH).replace("Host", host).with("Origin", &format!("http://{host}"));
    for host in ["localhost:8080", "127.0.0.1", "app.localhost", "[::1]:8080"] {
        let (answer, _) = of(host).send(bridge.address).await;
        assert_eq!(answer.status, 101, "{host}: {answer:?}");
    }
    for host in ["evil.test", "127.0.0.1.evil.test", "192.0.2.1:8080"] {
        let answer = refused(&bridge, &of(host)).await;
        assert_eq!(answer.status, 403, "{host}");
        assert!(answer.body.contains("add it to hosts"), "{}", answer.body);
    }
    // What is no browser is not asked.
    let (answer, _) = Handshake::new(PATH).replace("Host", "evil.test").send(bridge.address).await;
    assert_eq!(answer.status, 101);
}

#[tokio::test]
async fn the_scheme_of_the_page_is_that_which_a_trusted_proxy_names() {
    let server = ServerOptions::builder().trust("127.0.0.1").build().expect("valid options");
    let bridge = Bridge::start_on(ConnectionOptions::default(), server).await;
    let of = |proto: &str, origin: &str| {
        let handshake = Handshake::new(PATH).replace("Host", "localhost").with("Origin", origin);
        if proto.is_empty() { handshake } else { handshake.with("X-Forwarded-Proto", proto) }
    };
    for (proto, origin) in [
        ("https", "https://localhost"),
        ("http", "http://localhost"),
        ("", "https://localhost"),
        ("", "http://localhost"),
    ] {
        let (answer, _) = of(proto, origin).send(bridge.address).await;
        assert_eq!(answer.status, 101, "{origin} by {proto:?}: {answer:?}");
    }
    for (proto, origin) in [("https", "http://localhost"), ("http", "https://localhost")] {
        assert_eq!(refused(&bridge, &of(proto, origin)).await.status, 403, "{origin} by {proto}");
    }
}

#[tokio::test]
async fn an_offer_of_unknown_sub_protocols_is_told_what_to_offer() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    for offer in [
        "chat",
        "GRPCWS.V1.JSON",
        "grpc-websockets",
        "grpcws.bearer.c2VjcmV0LXRva2Vu",
        "grpcws.Bearer.c2VjcmV0LXRva2Vu",
        "GRPCWS.metadata.c2VjcmV0LXRva2Vu",
    ] {
        let answer = refused(&bridge, &Handshake::new(PATH).with("Sec-WebSocket-Protocol", offer)).await;
        assert_eq!(answer.status, 400, "{offer}");
        let text = &answer.body;
        assert!(text.contains("grpcws.v1.json or grpcws.v1.proto, or none"), "{text}");
        assert!(!text.contains("c2Vj"), "{text}");
    }
    let options = ConnectionOptions::builder().modes([Mode::V1Proto]).build().expect("valid options");
    let bridge = Bridge::start(options).await;
    let answer = refused(&bridge, &Handshake::new(PATH)).await;
    assert_eq!((answer.status, answer.body.contains("offer grpcws.v1.proto\n")), (400, true), "{answer:?}");
}

#[tokio::test]
async fn the_sub_protocols_of_several_lines_are_one_list() {
    let bridge = Bridge::start(ConnectionOptions::default()).await;
    let handshake = Handshake::new(PATH)
        .with("Sec-WebSocket-Protocol", "chat,,")
        .with("Sec-WebSocket-Protocol", "grpcws.bearer.c2VjcmV0LXRva2Vu ,\tgrpcws.v1.proto")
        .with("Sec-WebSocket-Protocol", "grpcws.v1.json");
    let (answer, raw) = handshake.send(bridge.address).await;
    assert_eq!(answer.header("sec-websocket-protocol").as_deref(), Some("grpcws.v1.proto"), "{answer:?}");
    let mut client = raw.into_client().await;
    assert!(matches!(client.next().await, Received::Text(text) if text.starts_with(r#"{"type":"open""#)));
    // Without an offer nothing is selected.
    let (answer, _) = Handshake::new(PATH).send(bridge.address).await;
    assert!(!answer.names().contains(&"sec-websocket-protocol".to_owned()), "{answer:?}");
}

#[tokio::test]
async fn a_draining_route_refuses_with_a_time_to_come_back() {
    let shutdown = Shutdown::new();
    let of_route = shutdown.clone();
    let bridge =
        Bridge::start_with(ConnectionOptions::default(), move |ws: GrpcWs| ws.shutdown(of_route)).await;
    assert_eq!(Handshake::new(PATH).send(bridge.address).await.0.status, 101);
    shutdown.begin(std::time::Duration::from_secs(60));
    let answer = refused(&bridge, &Handshake::new(PATH)).await;
    assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")), "{answer:?}");
}

#[tokio::test]
async fn one_stream_too_many_is_refused_in_every_mode() {
    let options = ConnectionOptions::builder().max_streams(2).build().expect("valid options");
    let bridge = Bridge::start(options).await;
    let handshakes =
        [Handshake::new(PATH), Handshake::new(PATH).with("Sec-WebSocket-Protocol", "grpcws.v1.json")];
    let mut first = handshakes[0].open(bridge.address).await;
    let second = handshakes[1].open(bridge.address).await;
    for handshake in &handshakes {
        let answer = refused(&bridge, handshake).await;
        assert_eq!((answer.status, answer.header("retry-after").as_deref()), (503, Some("1")), "{answer:?}");
        assert_eq!(answer.body.trim(), "too many streams: try again later");
    }
    assert_eq!(bridge.shutdown.streams(), 2);

    // The place of a stream is free once it has ended, whoever ends it.
    first.send(r#"{"type":"cancel"}"#).await;
    first.rest().await;
    drop((first, second));
    bridge.settle().await;
    let _both = [handshakes[0].open(bridge.address).await, handshakes[1].open(bridge.address).await];
    assert_eq!(refused(&bridge, &handshakes[0]).await.status, 503);
}

#[tokio::test]
async fn a_server_without_upgrades_is_told_so() {
    // A service that takes the means to upgrade away, as a server without them does.
    let ws = app::grpcws(ConnectionOptions::default(), &Shutdown::new());
    let channel = tonic::transport::Endpoint::from_static("http://127.0.0.1:1").connect_lazy();
    let take = |mut request: axum::extract::Request, next: axum::middleware::Next| async move {
        request.extensions_mut().remove::<hyper::upgrade::OnUpgrade>();
        next.run(request).await
    };
    let app = app::app(&ws, channel).expect("known").layer(axum::middleware::from_fn(take));
    let (address, _) = serve_app(app, ServerOptions::default(), &Shutdown::new()).await;
    let (answer, _) = Handshake::new(PATH).send(address).await;
    assert_eq!(answer.status, 426);
    assert!(answer.body.contains("does not support upgrades"), "{answer:?}");
}
