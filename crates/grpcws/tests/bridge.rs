//! Every kind of method of a service that has no code here, in every mode.

mod common;

use common::whole::{Whole, open};
use common::{Client, Received};
use futures_util::SinkExt as _;
use grpcws::ConnectionOptions;
use grpcws::bridge::{Bridge, TonicChannel};
use grpcws::services::Descriptors;
use grpcws_test::pb::{BidiRequest, BidiResponse, ServerStreamRequest, UnaryRequest, UnaryResponse};
use prost::Message as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

const JSON: &str = "grpcws.v1.json";
const PROTO: &str = "grpcws.v1.proto";
const END_SEND: &str = r#"{"type":"end_send"}"#;

fn data(json: &str) -> String {
    format!(r#"{{"type":"data","data":{json}}}"#)
}

async fn send_proto(client: &mut Client<TcpStream>, message: &impl prost::Message) {
    client.socket.send(Message::binary(message.encode_to_vec())).await.expect("the socket is open");
}

/// The binary frames and the last text until the close frame.
async fn binary_rest(client: &mut Client<TcpStream>) -> (Vec<Vec<u8>>, String, u16) {
    let (mut messages, mut terminal) = (Vec::new(), String::new());
    loop {
        match client.next().await {
            Received::Binary(message) => messages.push(message),
            Received::Text(text) => terminal = text,
            Received::Close(code, _) => return (messages, terminal, code),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn all_four_kinds_in_json() {
    let bridge = Whole::start(ConnectionOptions::default()).await;

    let mut unary = bridge.open("Unary", JSON).await;
    unary.send(&data(r#"{"sequence":"7","payload":"AQI="}"#)).await;
    let (texts, code, reason) = unary.rest().await;
    assert!(
        texts[0].starts_with(r#"{"type":"open""#) && texts[1].starts_with(r#"{"type":"headers""#),
        "{texts:?}"
    );
    assert_eq!(
        texts[2..],
        [data(r#"{"sequence":"7","payload":"AQI="}"#), r#"{"type":"stream_end"}"#.to_owned()]
    );
    assert_eq!((code, &*reason), (1000, "OK"));

    let mut server_stream = bridge.open("ServerStream", "").await;
    server_stream.send(&data(r#"{"count":"3","firstSequence":"5"}"#)).await;
    let (texts, code, _) = server_stream.rest().await;
    let sequence = |number: u32| data(&format!(r#"{{"sequence":"{number}"}}"#));
    assert_eq!(texts, [sequence(5), sequence(6), sequence(7), r#"{"type":"stream_end"}"#.to_owned()]);
    assert_eq!(code, 1000);

    let mut client_stream = bridge.open("ClientStream", "").await;
    client_stream.send(&data(r#"{"sequence":"1","payload":"AA=="}"#)).await;
    client_stream.send(&data(r#"{"sequence":"2"}"#)).await;
    client_stream.send(END_SEND).await;
    let (texts, _, _) = client_stream.rest().await;
    assert!(texts[0].contains(r#""messages":"2","bytes":"1""#), "{texts:?}");
    assert_eq!(texts.len(), 2);

    let mut bidi = bridge.open("Bidi", "").await;
    for number in 1..=3 {
        bidi.send(&data(&format!(r#"{{"sequence":"{number}"}}"#))).await;
        let Received::Text(text) = bidi.next().await else { panic!("an answer") };
        assert!(text.contains(&format!(r#""requestSequence":"{number}""#)), "{text}");
    }
    bidi.send(END_SEND).await;
    assert_eq!(bidi.rest().await.0, [r#"{"type":"stream_end"}"#]);
}

#[tokio::test]
async fn all_four_kinds_in_binary_need_no_descriptors() {
    let bridge = Whole::start_with(ConnectionOptions::default(), |bridge| bridge).await;

    let mut unary = bridge.open("Unary", PROTO).await;
    send_proto(&mut unary, &UnaryRequest { sequence: 7, ..Default::default() }).await;
    unary.send(END_SEND).await;
    let (messages, terminal, code) = binary_rest(&mut unary).await;
    let response = UnaryResponse::decode(&*messages[0]).expect("a response");
    assert_eq!((response.sequence, messages.len(), code), (7, 1, 1000));
    assert_eq!(terminal, r#"{"type":"stream_end"}"#);

    let mut bidi = bridge.open("Bidi", PROTO).await;
    for sequence in 1..=100 {
        send_proto(&mut bidi, &BidiRequest { sequence, ..Default::default() }).await;
    }
    bidi.send(END_SEND).await;
    let (messages, _, _) = binary_rest(&mut bidi).await;
    let numbers: Vec<i64> = messages
        .iter()
        .map(|message| BidiResponse::decode(&**message).expect("a response").sequence)
        .collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1) && numbers.len() == 100, "{numbers:?}");

    let mut json = bridge.open("Unary", JSON).await;
    let (texts, code, _) = json.rest().await;
    assert!(texts[1].contains("use grpcws.v1.proto"), "{texts:?}");
    assert_eq!(code, 4012);
}

#[tokio::test]
async fn a_channel_can_be_bridged_and_empty_messages_too() {
    let upstream = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = upstream.local_addr().expect("it is bound");
    tokio::spawn(grpcws_test::serve(upstream, Default::default(), Default::default()));
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{address}"))
        .expect("a valid address")
        .connect_lazy();
    let bridge = Bridge::new(TonicChannel(channel)).prefix("/ws/").descriptors(common::whole::services());
    let app = axum::Router::new().fallback_service(bridge);
    let (address, _) = common::raw::serve_app(app, Default::default(), &grpcws::Shutdown::new()).await;
    let path = "/ws/grpcws.test.v1.TestService";
    for kind in ["Unary", "ServerStream"] {
        let mut client = open(address, &format!("{path}/{kind}"), JSON).await;
        client.send(&data("{}")).await;
        assert_eq!(client.rest().await.1, 1000, "{kind}");
    }
    for kind in ["ClientStream", "Bidi"] {
        let mut client = open(address, &format!("{path}/{kind}"), PROTO).await;
        client.send(END_SEND).await;
        assert_eq!(binary_rest(&mut client).await.2, 1000, "{kind}");
    }
}

#[tokio::test]
async fn a_failure_arrives_whole() {
    let bridge = Whole::start(ConnectionOptions::default()).await;
    let mut client = bridge.open("ServerStream", JSON).await;
    client
        .send(&data(
            r#"{"count":"1","responseHeaders":{"x-h":{"values":["1","2"]}},"responseTrailers":{"x-t-bin":{"values":["/w"]}},
               "fail":{"code":5,"message":"kein Spiel ☺","after":"1","details":[{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}]}}"#,
        ))
        .await;
    let (texts, code, reason) = client.rest().await;
    assert!(texts[1].contains(r#""x-h":["1","2"]"#), "{texts:?}");
    assert_eq!(texts[2], data("{}"));
    let error = &texts[3];
    for member in [
        r#""error":"rpc error: code = NotFound desc = kein Spiel ☺""#,
        r#""code":5,"status":"NOT_FOUND","message":"kein Spiel ☺""#,
        r#""details":[{"type":"google.protobuf.Duration","value":"CAE","debug":"1s"}]"#,
        r#""x-t-bin":["/w"]"#,
        r#""grpc-status-details-bin":["CAU"#,
    ] {
        assert!(error.contains(member), "{member} in {error}");
    }
    assert_eq!((code, &*reason), (4005, "NOT_FOUND: kein Spiel ☺"));
}

#[tokio::test]
async fn the_upstream_gets_the_metadata_and_what_is_left_of_the_deadline() {
    let bridge = Whole::start(ConnectionOptions::default()).await;
    // {"x-game":"g1","grpc-timeout":"30S","x-a-bin":["_w","AQ"]}
    let metadata =
        "grpcws.metadata.eyJ4LWdhbWUiOiJnMSIsImdycGMtdGltZW91dCI6IjMwUyIsIngtYS1iaW4iOlsiX3ciLCJBUSJdfQ";
    let mut client = bridge.open("Unary", &format!("{JSON}, {metadata}, grpcws.bearer.dG9rZW4")).await;
    client.send(&data(r#"{"echoMetadata":["ECHO_METADATA_MESSAGE"]}"#)).await;
    let (texts, _, _) = client.rest().await;
    for member in [
        r#""x-game":{"values":["g1"]}"#,
        r#""x-a-bin":{"values":["/w","AQ"]}"#,
        r#""authorization":{"values":["Bearer token"]}"#,
        r#""x-forwarded-for":{"values":["127.0.0.1"]}"#,
        r#""x-forwarded-host":{"values":["example.com"]}"#,
    ] {
        assert!(texts[2].contains(member), "{member} in {}", texts[2]);
    }
}

#[tokio::test]
async fn a_deadline_ends_a_call_that_hangs_and_cancels_it() {
    let bridge = Whole::start(ConnectionOptions::default()).await;
    // {"grpc-timeout":"100m"}
    let metadata = "grpcws.metadata.eyJncnBjLXRpbWVvdXQiOiIxMDBtIn0";
    let mut client = bridge.open("Bidi", &format!("{JSON}, {metadata}")).await;
    let (texts, code, _) = client.rest().await;
    assert!(texts.last().is_some_and(|text| text.contains(r#""code":4"#)), "{texts:?}");
    assert_eq!(code, 4004);
    settle(&bridge).await;
    assert_eq!(bridge.service.stats().cancelled, 1);
}

#[tokio::test]
async fn a_cancel_reaches_the_upstream_in_every_kind() {
    let bridge = Whole::start(ConnectionOptions::default()).await;
    for (method, request) in [
        ("Unary", r#"{"initialDelayMs":60000}"#),
        ("ServerStream", r#"{"count":"1","holdOpenMs":"-1"}"#),
        ("ClientStream", "{}"),
        ("Bidi", "{}"),
    ] {
        for cancel in [true, false] {
            let before = bridge.service.stats().cancelled;
            let mut client = bridge.open(method, JSON).await;
            client.send(&data(request)).await;
            while bridge.service.stats().live == 0 {
                tokio::task::yield_now().await;
            }
            if cancel {
                client.send(r#"{"type":"cancel"}"#).await;
                let (texts, code, _) = client.rest().await;
                assert!(texts.last().is_some_and(|text| text.contains(r#""code":1"#)), "{method}: {texts:?}");
                assert_eq!(code, 1000);
            }
            drop(client);
            settle(&bridge).await;
            assert_eq!(bridge.service.stats().cancelled, before + 1, "{method}");
        }
    }
}

#[tokio::test]
async fn what_does_not_exist_is_refused() {
    let bridge = Whole::start(ConnectionOptions::default()).await;
    let (texts, code, _) = bridge.open("Nothing", JSON).await.rest().await;
    assert!(texts[0].contains(r#""type":"open""#) && texts[1].contains("grpcws.test.v1.TestService/Nothing"));
    assert_eq!((texts.len(), code), (2, 4012));

    // In binary the upstream itself answers.
    let mut unknown = bridge.open("Nothing", PROTO).await;
    let (texts, code, _) = unknown.rest().await;
    assert!(texts.last().is_some_and(|text| text.contains(r#""code":12"#)), "{texts:?}");
    assert_eq!(code, 4012);

    let refused = |path: &'static str| {
        let address = bridge.address;
        async move { common::raw::Handshake::new(path).send(address).await.0.status }
    };
    assert_eq!(refused("/ws/grpcws.test.v1.TestService/Nothing").await, 404, "seed mode says it by HTTP");
    for path in ["/ws/grpcws.test.v1.TestService/Unary/", "/ws/a%2fb/c", "/ws/a/b;c", "/ws/..%2f/x", "/ws"] {
        assert_eq!(refused(path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn a_method_that_may_still_come_is_refused_for_now_and_others_for_good() {
    let services = common::whole::services();
    let incomplete = services.clone().incomplete(|service| service.starts_with("game."));
    let descriptors = Descriptors::new(incomplete);
    let handle = descriptors.clone();
    let bridge =
        Whole::start_with(ConnectionOptions::default(), |bridge| bridge.descriptors(descriptors)).await;
    let code = async |path: &str| {
        let (texts, close, _) = open(bridge.address, path, JSON).await.rest().await;
        assert!(texts.last().is_some_and(|text| text.contains("\"type\":\"error\"")), "{texts:?}");
        close
    };
    assert_eq!(code("/ws/game.v1.Game/Get").await, 4014);
    assert_eq!(code("/ws/v1/games/7").await, 4014);
    assert_eq!(code("/ws/other.v1.Other/Get").await, 4012);
    let requested = tokio::time::timeout(std::time::Duration::from_secs(20), handle.requested()).await;
    requested.expect("the call tells that it needs descriptors");
    handle.replace(services);
    assert_eq!(code("/ws/game.v1.Game/Get").await, 4012);
}

#[tokio::test]
async fn descriptors_may_come_later() {
    let descriptors = Descriptors::pending();
    let handle = descriptors.clone();
    let bridge =
        Whole::start_with(ConnectionOptions::default(), |bridge| bridge.descriptors(descriptors)).await;
    let (texts, code, _) = bridge.open("Unary", JSON).await.rest().await;
    assert!(texts[1].contains(r#""code":14"#) && code == 4014, "{texts:?}");
    let requested = tokio::time::timeout(std::time::Duration::from_secs(20), handle.requested()).await;
    requested.expect("the call tells that it needs descriptors");
    handle.replace(common::whole::services());
    let mut client = bridge.open("Unary", JSON).await;
    client.send(&data("{}")).await;
    assert_eq!(client.rest().await.1, 1000);
}

#[tokio::test]
async fn requests_and_responses_may_be_compressed() {
    use grpcws::bridge::Encoding;
    for encoding in [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd] {
        let service =
            grpcws_test::pb::test_service_server::TestServiceServer::new(grpcws_test::TestService::default())
                .accept_compressed(tonic_encoding(encoding))
                .send_compressed(tonic_encoding(encoding));
        let bridge = Bridge::new(tonic::service::Routes::new(service)).compress_requests(encoding);
        let app = axum::Router::new().nest_service("/ws", bridge);
        let (address, _) = common::raw::serve_app(app, Default::default(), &grpcws::Shutdown::new()).await;
        let mut client = open(address, "/ws/grpcws.test.v1.TestService/ServerStream", PROTO).await;
        let request = ServerStreamRequest { count: 2, size: 100_000, ..Default::default() };
        send_proto(&mut client, &request).await;
        client.send(END_SEND).await;
        let (messages, terminal, _) = binary_rest(&mut client).await;
        assert_eq!(messages.len(), 2, "{encoding:?} {terminal}");
        assert!(messages.iter().all(|message| message.len() > 100_000), "{encoding:?}");
    }
}

fn tonic_encoding(encoding: grpcws::bridge::Encoding) -> tonic::codec::CompressionEncoding {
    match encoding.name() {
        "gzip" => tonic::codec::CompressionEncoding::Gzip,
        "deflate" => tonic::codec::CompressionEncoding::Deflate,
        _ => tonic::codec::CompressionEncoding::Zstd,
    }
}

async fn settle(bridge: &Whole) {
    let settled = async {
        while bridge.service.stats().live > 0 || bridge.shutdown.streams() > 0 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(common::SOON, settled).await.expect("no call is left");
}

/// A bridge with routes besides the generic ones.
async fn routed() -> Whole {
    use grpcws::routes::ExtraRoute;
    let method = |name: &str| format!("grpcws.test.v1.TestService/{name}");
    let routes = [
        ExtraRoute::new("/count/{count}", method("ServerStream")).field("first_sequence", "5"),
        ExtraRoute::new("/echo/{tag}", method("Unary")).body("*"),
        ExtraRoute::new("/talk/{sequence}", method("Bidi")),
    ];
    let services = common::whole::services().with_routes(&routes).expect("valid routes");
    Whole::start_with(ConnectionOptions::default(), |bridge| bridge.descriptors(services)).await
}

#[tokio::test]
async fn path_and_query_are_the_request_or_stand_in_every_message() {
    let bridge = routed().await;
    let mut client = open(bridge.address, "/ws/count/2?stamp=false", "").await;
    let (texts, _, _) = client.rest().await;
    assert_eq!(
        texts,
        [data(r#"{"sequence":"5"}"#), data(r#"{"sequence":"6"}"#), r#"{"type":"stream_end"}"#.to_owned()]
    );

    let mut client = open(bridge.address, "/ws/echo/t?sequence=9", JSON).await;
    client.send(&data(r#"{"sequence":"1","payload":"AQ=="}"#)).await;
    assert_eq!(client.rest().await.0[2], data(r#"{"sequence":"9","payload":"AQ=="}"#));

    let mut client = open(bridge.address, "/ws/talk/4", PROTO).await;
    for sequence in [1, 2] {
        send_proto(&mut client, &BidiRequest { sequence, ..Default::default() }).await;
    }
    client.send(END_SEND).await;
    let (messages, _, _) = binary_rest(&mut client).await;
    for message in messages {
        assert_eq!(BidiResponse::decode(&*message).expect("a response").request_sequence, Some(4));
    }
}

#[tokio::test]
async fn a_request_that_does_not_bind_is_told_by_the_protocol_or_by_http() {
    let bridge = routed().await;
    for (path, text) in
        [("/ws/count/x", "count"), ("/ws/count/2?rate=many", "rate"), ("/ws/count/%zz", "%zz")]
    {
        let mut client = open(bridge.address, path, JSON).await;
        let (texts, code, _) = client.rest().await;
        assert!(texts[1].contains(r#""code":3"#) && texts[1].contains(text), "{path}: {texts:?}");
        assert_eq!(code, 4003);
        let answer = common::raw::Handshake::new(path).send(bridge.address).await.0;
        assert_eq!(answer.status, 400, "{path}");
    }
}
