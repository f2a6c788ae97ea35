//! The gateway in front of a gRPC server that it has no code for: the demo's, in another process.

mod common;

use std::time::{Duration, Instant};

use common::{Demo, Gateway, SOON};
use futures_util::{SinkExt as _, StreamExt as _};
use grpcws_gateway::demo::proto::game_service_client::GameServiceClient;
use grpcws_gateway::demo::proto::{SubscribeRequest, game_event};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const SUBSCRIBE: &str = "/ws/game.v1.GameService/Subscribe";

async fn connect(address: &str, path: &str, subprotocol: &str) -> Socket {
    let mut request = format!("ws://{address}{path}").into_client_request().expect("a URL");
    if !subprotocol.is_empty() {
        request.headers_mut().insert("sec-websocket-protocol", subprotocol.parse().expect("a value"));
    }
    connect_async(request).await.expect("the handshake succeeds").0
}

async fn next(socket: &mut Socket) -> Option<Message> {
    tokio::time::timeout(SOON, socket.next())
        .await
        .expect("the gateway answers")
        .map(|message| message.expect("a frame"))
}

/// The texts until the close frame, and its code.
async fn rest(socket: &mut Socket) -> (Vec<String>, u16) {
    let mut texts = Vec::new();
    loop {
        match next(socket).await.expect("a close frame") {
            Message::Text(text) => texts.push(text.to_string()),
            Message::Close(frame) => return (texts, frame.expect("with a code").code.into()),
            _ => {}
        }
    }
}

/// Calls `Subscribe` for one event.
async fn subscribe_once(address: &str) -> (Vec<String>, u16) {
    let mut socket = connect(address, SUBSCRIBE, "grpcws.v1.json").await;
    let request = r#"{"type":"data","data":{"gameId":"g1","maxEvents":1}}"#;
    socket.send(Message::text(request)).await.expect("the socket is open");
    rest(&mut socket).await
}

/// Calls until it succeeds; reflection may not have answered yet.
async fn subscribe_soon(address: &str) -> Duration {
    let since = Instant::now();
    loop {
        let (texts, code) = subscribe_once(address).await;
        if code == 1000 {
            return since.elapsed();
        }
        assert_eq!(code, 4014, "{texts:?}");
        assert!(since.elapsed() < SOON, "{texts:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Sends a request of HTTP/1.1 and reads until the answer contains `until`, or its end.
async fn http(address: &str, request: &str, until: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(request.as_bytes()).await.expect("it reads");
    let mut answer = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&answer).contains(until)
            && stream.read_buf(&mut answer).await.expect("it answers") > 0
        {}
    };
    tokio::time::timeout(SOON, read).await.expect("it answers");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn methods_are_served_by_reflection() {
    let demo = Demo::start("1").await;
    let gateway = Gateway::start(&["--upstream", &format!("http://{}", demo.grpc_address)]).await;
    subscribe_soon(&gateway.address).await;
    let (texts, code) = subscribe_once(&gateway.address).await;
    assert_eq!(code, 1000, "{texts:?}");
    assert!(texts[2].starts_with(r#"{"type":"data","data":{"#) && texts[2].contains("g1"), "{texts:?}");
    gateway.terminate();
    assert_eq!(gateway.exit().await.code(), Some(0));
}

#[tokio::test]
async fn an_upstream_may_come_late_go_and_come_back() {
    let port =
        std::net::TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("it is bound");
    let gateway = Gateway::start(&["--upstream", &format!("http://{port}")]).await;
    let (texts, code) = subscribe_once(&gateway.address).await;
    assert_eq!(code, 4014, "{texts:?}");

    let demo = Demo::start_on(&port.to_string(), "1").await;
    subscribe_soon(&gateway.address).await;

    let mut running = connect(&gateway.address, SUBSCRIBE, "grpcws.v1.json").await;
    running.send(Message::text(r#"{"type":"data","data":{"gameId":"g1"}}"#)).await.expect("it is open");
    assert!(next(&mut running).await.is_some_and(|message| message.is_text()));
    demo.kill().await;
    let (texts, code) = rest(&mut running).await;
    assert_eq!(code, 4014, "a lost upstream is unavailable: {texts:?}");

    let _demo = Demo::start_on(&port.to_string(), "1").await;
    // The back-off is 1 s and a fifth.
    assert!(subscribe_soon(&gateway.address).await < Duration::from_secs(5));
}

#[tokio::test]
async fn the_config_file_has_routes_and_the_fallback_gets_the_rest() {
    let demo = Demo::start("1").await;
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("grpcws.toml");
    let text = format!(
        r#"
        fallback = "http://{}"
        [[upstream]]
        url = "http://{}"
        [[route]]
        path = "/watch/{{game_id}}"
        method = "game.v1.GameService/Subscribe"
        [route.fields]
        max_events = 1
        "#,
        demo.address, demo.grpc_address
    );
    std::fs::write(&config, text).expect("it can be written");
    let gateway = Gateway::start(&["--config", config.to_str().expect("a path")]).await;
    subscribe_soon(&gateway.address).await;

    let (texts, code) = rest(&mut connect(&gateway.address, "/ws/watch/g1", "").await).await;
    assert_eq!((code, texts.len()), (1000, 2), "{texts:?}");
    let (texts, code) =
        rest(&mut connect(&gateway.address, "/ws/watch/g1?nothing=1", "grpcws.v1.json").await).await;
    assert!(code == 4003 && texts[1].contains("nothing"), "{texts:?}");

    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    let page = http(&gateway.address, &get("/"), "</html>").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("</html>"), "{page}");
    // SSE: the first event arrives though the response has no end.
    let events = http(&gateway.address, &get("/v1/games/g1/events"), "\ndata:").await;
    assert!(events.contains("text/event-stream") && events.contains("data:"), "{events}");
    // The demo's own WebSocket at a path that is not below the gateway's prefix… is below it here, so it is not
    // passed; a path that nobody has is the fallback's to refuse.
    let missing = http(&gateway.address, &get("/nothing"), "\r\n\r\n").await;
    assert!(missing.starts_with("HTTP/1.1 404"), "{missing}");
}

#[tokio::test]
async fn a_probe_is_answered_beside_a_fallback_that_has_the_other_requests() {
    let demo = Demo::start("1").await;
    let upstream = format!("http://{}", demo.grpc_address);
    let fallback = format!("http://{}", demo.address);
    let arguments =
        ["--upstream", &upstream, "--fallback", &fallback, "--allow-origin", "https://app.example"];
    let gateway = Gateway::start(&arguments).await;
    subscribe_soon(&gateway.address).await;

    let ask = async |line: &str, headers: &str| {
        let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n");
        http(&gateway.address, &request, "\r\n\r\n").await.to_ascii_lowercase()
    };
    let get = format!("GET {SUBSCRIBE}");
    let from_app = "Origin: https://app.example\r\n";
    let probe = format!("{from_app}Grpcws-Protocol: grpcws.v1.json\r\n");
    let accepted = ask(&get, &probe).await;
    assert!(accepted.starts_with("http/1.1 426"), "{accepted}");
    assert!(accepted.contains("access-control-allow-origin: https://app.example\r\n"), "{accepted}");
    let unknown = ask(&format!("{get}Nothing"), &probe).await;
    assert!(unknown.starts_with("http/1.1 404") && unknown.contains("application/json"), "{unknown}");
    let preflight =
        "Access-Control-Request-Method: GET\r\nAccess-Control-Request-Headers: grpcws-protocol\r\n";
    let preflight = ask(&format!("OPTIONS {SUBSCRIBE}"), &format!("{from_app}{preflight}")).await;
    assert!(preflight.starts_with("http/1.1 204"), "{preflight}");

    // Without the header, and outside of the prefix, it is the fallback that answers: the demo, which does not allow
    // this origin.
    for (line, headers, status) in [(&*get, from_app, "403"), ("GET /nothing", &*probe, "404")] {
        let passed = ask(line, headers).await;
        assert!(passed.starts_with(&format!("http/1.1 {status}")), "{passed}");
        assert!(!passed.contains("access-control-"), "{passed}");
    }
}

/// The close code of a call of `Subscribe` at its generic route, in every mode that has one.
async fn generic_codes(address: &str) -> [u16; 2] {
    let mut codes = [0; 2];
    for (code, mode) in codes.iter_mut().zip(["grpcws.v1.json", "grpcws.v1.proto"]) {
        let mut socket = connect(address, SUBSCRIBE, mode).await;
        // max_events (field 3) = 1, game_id = "g1"
        let request = match mode {
            "grpcws.v1.json" => Message::text(r#"{"type":"data","data":{"gameId":"g1","maxEvents":1}}"#),
            _ => Message::binary(b"\x0a\x02g1\x18\x01".to_vec()),
        };
        // It may have been refused already.
        let _ = socket.send(request).await;
        *code = rest(&mut socket).await.1;
    }
    codes
}

#[tokio::test]
async fn generic_routes_can_be_closed() {
    let demo = Demo::start("1").await;
    let upstream = format!("http://{}", demo.grpc_address);
    let folder = tempfile::tempdir().expect("a folder");
    let written = |name: &str, head: &str| {
        let path = folder.path().join(name);
        let route = "[[route]]\npath = \"/watch/{game_id}\"\nmethod = \"game.v1.GameService/Subscribe\"\n\
                     [route.fields]\nmax_events = 1\n";
        std::fs::write(&path, format!("{head}{route}")).expect("it can be written");
        path.to_str().expect("a path").to_owned()
    };
    let route = written("route.toml", "");
    let unbound = written("unbound.toml", "generic-route = \"unbound\"\n");
    let seed = format!(
        "GET {SUBSCRIBE} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    for (arguments, status, code) in [
        (&["--config", &route] as &[&str], "101", 1000),
        (&["--config", &unbound], "404", 4012),
        (&["--config", &route, "--generic-route", "unbound"], "404", 4012),
        (&["--config", &route, "--generic-route", "off"], "404", 4012),
        // The command line counts.
        (&["--config", &unbound, "--generic-route", "open"], "101", 1000),
        // Without a route of its own it is open.
        (&["--generic-route", "unbound"], "101", 1000),
    ] {
        let gateway = Gateway::start(&[&["--upstream", &upstream], arguments].concat()).await;
        // Until the descriptors are there, calls get another status.
        let since = Instant::now();
        while generic_codes(&gateway.address).await.contains(&4014) && since.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(generic_codes(&gateway.address).await, [code; 2], "{arguments:?}");
        let answer = http(&gateway.address, &seed, "\r\n\r\n").await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{arguments:?}: {answer}");
        if arguments.contains(&"--config") {
            let (texts, code) = rest(&mut connect(&gateway.address, "/ws/watch/g1", "").await).await;
            assert_eq!(code, 1000, "{arguments:?}: {texts:?}");
        }
    }
}

#[tokio::test]
async fn grpc_and_grpc_web_on_the_same_port_reach_the_upstream() {
    let demo = Demo::start("1").await;
    let gateway = Gateway::start(&["--upstream", &format!("http://{}", demo.grpc_address)]).await;
    let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{}", gateway.address));
    let mut client = GameServiceClient::new(endpoint.expect("a URL").connect_lazy());
    let request = SubscribeRequest { game_id: "g1".into(), max_events: 1, ..Default::default() };
    let mut events = client.subscribe(request).await.expect("it is passed on").into_inner();
    let event = events.message().await.expect("a message").expect("one event");
    assert!(event.event.is_some_and(|event| matches!(event, game_event::Event::Snapshot(_))));
    assert!(events.message().await.expect("status OK").is_none());

    // max_events (field 3) = 1, game_id = "g1"
    let body = "\0\0\0\0\x06\x0a\x02g1\x18\x01";
    let request = format!(
        "POST /game.v1.GameService/Subscribe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/grpc-web+proto\r\n\
         X-Grpc-Web: 1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let answer = http(&gateway.address, &request, "grpc-status:").await;
    assert!(answer.contains("application/grpc-web") && answer.contains("grpc-status:0"), "{answer}");

    let elsewhere = "OPTIONS /game.v1.GameService/Subscribe HTTP/1.1\r\nHost: localhost\r\nOrigin: https://evil.example\r\n\
         Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type,x-grpc-web\r\n\
         Connection: close\r\n\r\n";
    let answer = http(&gateway.address, elsewhere, "\r\n\r\n").await.to_ascii_lowercase();
    assert!(!answer.contains("access-control-allow-origin"), "{answer}");
}

/// Runs the gateway with arguments that are wrong; what it says has to have the text.
async fn refused(arguments: &[&str], text: &str) -> String {
    refused_at("127.0.0.1:0", arguments, text).await
}

async fn refused_at(listen: &str, arguments: &[&str], text: &str) -> String {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grpcws"));
    command.arg("serve").args(["--listen", listen]).args(arguments).kill_on_drop(true);
    let output = tokio::time::timeout(SOON, command.output()).await.expect("it ends").expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains(text), "{arguments:?}: {error}");
    assert_eq!(output.status.code(), Some(64), "{error}");
    assert!(output.stdout.is_empty(), "it says that it listens");
    error
}

const NOBODY: [&str; 2] = ["--upstream", "http://127.0.0.1:1"];

#[tokio::test]
async fn what_is_wrong_is_told_before_anything_listens() {
    refused(&[], "--upstream").await;
    refused(&["--upstream", "ftp://x"], "ftp://x").await;
    for (arguments, text) in [
        (["--config", "/nonexistent.toml"], "/nonexistent.toml"),
        (["--fallback", "https://x"], "fallback"),
        (["--prefix", "ws"], "prefix"),
        (["--generic-route", "closed"], "unbound"),
    ] {
        refused(&[NOBODY, arguments].concat(), text).await;
    }
}

#[tokio::test]
async fn values_of_options_that_cannot_be_read_are_told_with_their_form() {
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("empty.proto");
    std::fs::write(&empty, "syntax = \"proto3\"; message M {}").expect("it can be written");
    let empty = empty.to_str().expect("a path");
    for (arguments, text) in [
        (["--max-message-size", "4 parsecs"], "4MiB"),
        (["--workers", "0"], "use a number from 1"),
        (["--proto", empty], "no service that is complete"),
    ] {
        refused(&[NOBODY, arguments].concat(), text).await;
    }
    for listen in ["8080", "localhost", "http://localhost:8080"] {
        refused_at(listen, &NOBODY, "localhost:8080").await;
    }
}

/// What is wrong is told as without `--check`; what is right listens nowhere.
#[tokio::test]
async fn a_configuration_can_be_checked() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let listen = taken.local_addr().expect("it is bound").to_string();
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto/shop.proto");
    for source in [&["--proto", shop][..], &[]] {
        let arguments = [&["serve", "--check", "--listen", &listen][..], &NOBODY, source].concat();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grpcws"));
        let output = command.args(&arguments).kill_on_drop(true).output();
        let output = tokio::time::timeout(SOON, output).await.expect("it ends").expect("it runs");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout), "the configuration can work\n");
    }
    let error =
        refused_at(&listen, &[&NOBODY[..], &["--check", "--proto", "no.proto"]].concat(), "no.proto").await;
    assert!(error.contains("there is no such file"), "{error}");
}

#[tokio::test]
async fn every_address_and_a_name_can_be_listened_on() {
    for (listen, bound) in [("localhost:0", "127.0.0.1:"), (":0", ":")] {
        let gateway = Gateway::start_on(listen, &NOBODY).await;
        assert!(gateway.address.contains(bound), "{}", gateway.address);
        let (_, port) = gateway.address.rsplit_once(':').expect("a port");
        TcpStream::connect(format!("127.0.0.1:{port}")).await.expect("it listens there too");
    }
}

/// Each is refused as a flag, where there is one, and as a key, with the name and what works.
#[tokio::test]
async fn options_that_cannot_work_are_told_before_anything_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("grpcws.toml");
    let path = config.to_str().expect("a path");
    let range = "is out of range: use 1 to 9007199254740991";
    for (key, value, remedy) in [
        ("receive-window", "0", range),
        ("receive-window", "9007199254740992", range),
        ("max-message-size", "0", range),
        ("max-message-size", "9007199254740992", range),
        ("max-response-size", "0", range),
        ("max-connections", "0", "use 1 to"),
        ("max-connections", "4611686018427387904", "use 1 to"),
        ("max-streams", "0", "use 1 to"),
        ("linger", "0s", "use 1 ms or more"),
        ("ping-period", "1us", "use 1 ms to"),
        ("allow-origin", "https://app.example.com/", "use \"https://app.example.com\""),
        ("allow-origin", "app.example.com", "use \"https://app.example.com\""),
        ("allow-origin", "https://*.com", "list each origin"),
        ("allow-origin", "*", "use allow_any_origin"),
        ("hosts", "https://app.example.com", "use \"app.example.com\""),
        ("trusted-proxies", "10.0.0.1/8", "use \"10.0.0.0/8\""),
        ("proxy-protocol", "optional", "give trusted"),
    ] {
        let expected = format!("{key}: ");
        let flag = format!("--{key}");
        let error = refused(&[&NOBODY, &[&flag, value] as &[&str]].concat(), &expected).await;
        assert!(error.contains(remedy), "{error}");
        let written = match value.parse::<u64>() {
            Ok(_) => value.to_owned(),
            Err(_) if ["allow-origin", "hosts", "trusted-proxies"].contains(&key) => format!("[{value:?}]"),
            Err(_) => format!("{value:?}"),
        };
        std::fs::write(&config, format!("{key} = {written}\n")).expect("it can be written");
        refused(&[&NOBODY, &["--config", path] as &[&str]].concat(), &expected).await;
    }
    for (upstream, expected) in [
        ("keep-alive = \"1s\"", "upstream http://127.0.0.1:2: keep-alive: 1s is too often: use 10 s"),
        ("max-connections = 0", "upstream http://127.0.0.1:2: max-connections: 0 is out of range: use 1 to"),
        (
            "max-header-list-size = 0",
            "upstream http://127.0.0.1:2: max-header-list-size: 0 is out of range: use 256",
        ),
        ("max-streams-per-connection = 0", "upstream http://127.0.0.1:2: max-streams-per-connection: 0 "),
        ("connect-wait = \"0s\"", "upstream http://127.0.0.1:2: connect-wait: "),
        ("services = [\"\"]", "upstream http://127.0.0.1:2: \"\" is not the name of a package"),
        ("services = [\"a v1!\"]", "upstream http://127.0.0.1:2: \"a v1!\" is not the name of a package"),
    ] {
        let text = format!("[[upstream]]\nurl = \"http://127.0.0.1:2\"\n{upstream}\n");
        std::fs::write(&config, text).expect("it can be written");
        refused(&["--config", path], expected).await;
    }
    let twice = ["--upstream", "a.v1=http://127.0.0.1:1", "--upstream", "a.v1=http://127.0.0.1:2"];
    refused(&twice, "upstream http://127.0.0.1:2: http://127.0.0.1:1 has a.v1 already").await;
}

#[tokio::test]
async fn a_gateway_is_not_its_own_fallback() {
    for (listen, fallback) in [
        ("127.0.0.1:65432", "http://127.0.0.1:65432"),
        ("127.0.0.1:65432", "http://localhost:65432/app"),
        ("0.0.0.0:65432", "http://127.0.0.1:65432"),
        ("[::1]:65432", "http://[::1]:65432"),
        ("127.0.0.1:80", "http://127.0.0.1"),
    ] {
        let arguments = [&NOBODY, &["--fallback", fallback] as &[&str]].concat();
        refused_at(listen, &arguments, "that is the gateway itself").await;
    }
}

/// Times that are off, and a ping period beyond the pong timeout, are accepted.
#[tokio::test]
async fn times_can_be_off() {
    let demo = Demo::start("1").await;
    let off = ["--pong-timeout", "0s", "--init-timeout", "0s", "--write-stall-timeout", "0s"];
    for period in ["0s", "2m"] {
        let upstream = format!("http://{}", demo.grpc_address);
        let arguments = [&["--upstream", &upstream, "--ping-period", period] as &[&str], &off].concat();
        let gateway = Gateway::start(&arguments).await;
        subscribe_soon(&gateway.address).await;
    }
}

#[tokio::test]
async fn descriptor_files_and_routes_that_are_wrong_are_told_before_anything_listens() {
    let folder = tempfile::tempdir().expect("a folder");
    let written = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("it can be written");
        path.to_str().expect("a path").to_owned()
    };
    let broken = written("broken.proto", "syntax = \"proto3\";\nmessage M {\n");
    let shop = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto/shop.proto");
    let route = |name: &str, path: &str, method: &str| {
        written(name, &format!("[[route]]\npath = \"{path}\"\nmethod = \"{method}\"\n"))
    };
    let template = route("template.toml", "/a/{b", "shop.v1.Shop/GetItem");
    let no_method = route("no-method.toml", "/a", "GetItem");
    let unknown = route("unknown.toml", "/a", "shop.v1.Shop/GetItems");
    for (arguments, text) in [
        (&["--descriptor-set", "missing.binpb"] as &[&str], "missing.binpb"),
        (&["--descriptor-set", shop], "shop.proto is not a file descriptor set"),
        (&["--proto", &broken], "broken.proto"),
        // No server has to be asked to see these.
        (&["--config", &template], "route /a/{b of shop.v1.Shop/GetItem: "),
        (&["--config", &no_method], "route /a of GetItem: there is no such method"),
        (
            &["--proto", shop, "--config", &unknown],
            "route /a of shop.v1.Shop/GetItems: there is no such method",
        ),
    ] {
        refused(&[&NOBODY, arguments].concat(), text).await;
    }
}
