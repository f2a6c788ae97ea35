//! Which methods can be called at `/package.Service/Method`, beside the routes that are bound to them.

mod common;

use common::raw::Handshake;
use common::whole::{Whole, open, services};
use common::{Client, Received};
use grpcws::ConnectionOptions;
use grpcws::bridge::GenericRoute;
use grpcws::routes::ExtraRoute;
use grpcws::services::{Descriptors, Services};
use tokio::net::TcpStream;

const MODES: [&str; 3] = ["", "grpcws.v1.json", "grpcws.v1.proto"];

fn method(name: &str) -> String {
    format!("grpcws.test.v1.TestService/{name}")
}

/// `ServerStream` is bound; so is `Bidi`, at the path of its generic route; `ClientStream` would be, but its route is
/// wrong; `Unary` is not.
fn with_routes() -> Services {
    let (services, errors) = services().with_valid_routes(&[
        ExtraRoute::new("/count/{count}", method("ServerStream")),
        ExtraRoute::new("/grpcws.test.v1.TestService/Bidi", method("Bidi")).field("sequence", "9"),
        ExtraRoute::new("/send/{nothing}", method("ClientStream")),
    ]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    services
}

async fn start(generic_route: GenericRoute, descriptors: impl Into<Descriptors>) -> Whole {
    Whole::start_with(ConnectionOptions::default(), |bridge| {
        bridge.descriptors(descriptors).generic_route(generic_route)
    })
    .await
}

/// The text of the error with which a call of a method is refused at its generic route.
async fn refusal(bridge: &Whole, name: &str, mode: &str, code: u16, http_status: u16) -> String {
    let path = format!("/ws/{}", method(name));
    if mode.is_empty() {
        let (answer, _) = Handshake::new(&path).send(bridge.address).await;
        assert_eq!(answer.status, http_status, "{name}: {answer:?}");
        return answer.body;
    }
    let (texts, close, _) = open(bridge.address, &path, mode).await.rest().await;
    assert_eq!((texts.len(), close), (2, 4000 + code), "{name}: {texts:?}");
    texts.concat()
}

async fn assert_open(bridge: &Whole, name: &str) {
    for mode in MODES {
        let mut client: Client<TcpStream> = bridge.open(name, mode).await;
        client.send(r#"{"type":"cancel"}"#).await;
        loop {
            match client.next().await {
                Received::Close(code, reason) => {
                    break assert_eq!(code, 1000, "{name} in {mode:?}: {reason}");
                }
                Received::Text(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn assert_bound_routes_work(bridge: &Whole) {
    let (texts, code, _) = open(bridge.address, "/ws/count/2", "").await.rest().await;
    assert_eq!((texts.len(), code), (3, 1000), "{texts:?}");
}

#[tokio::test]
async fn it_is_open_by_default() {
    let bridge = start(GenericRoute::default(), with_routes()).await;
    for name in ["Unary", "ServerStream", "ClientStream", "Bidi"] {
        assert_open(&bridge, name).await;
    }
    assert_bound_routes_work(&bridge).await;
}

#[tokio::test]
async fn unbound_closes_it_for_methods_with_a_route_of_their_own() {
    let bridge = start(GenericRoute::Unbound, with_routes()).await;
    assert_open(&bridge, "Unary").await;
    assert_bound_routes_work(&bridge).await;
    let before = bridge.service.stats().started;
    for mode in MODES {
        // A route that is wrong closes it too: the method was not to be called without it.
        for name in ["ServerStream", "ClientStream"] {
            let text = refusal(&bridge, name, mode, 12, 404).await;
            assert!(text.contains(&format!("the generic route of {} is closed", method(name))), "{text}");
        }
        // What is not in the descriptors might have a route.
        let text = refusal(&bridge, "Nope", mode, 12, 404).await;
        assert!(text.contains(&format!("the descriptors have no method {}", method("Nope"))), "{text}");
    }
    assert_eq!(bridge.service.stats().started, before);
}

#[tokio::test]
async fn off_closes_it_for_all_methods() {
    let bridge = start(GenericRoute::Off, with_routes()).await;
    assert_bound_routes_work(&bridge).await;
    let before = bridge.service.stats().started;
    for mode in MODES {
        for name in ["Unary", "ServerStream", "ClientStream", "Nope"] {
            let text = refusal(&bridge, name, mode, 12, 404).await;
            assert!(text.contains("is closed"), "{text}");
        }
    }
    assert_eq!(bridge.service.stats().started, before);
    // A path that names no method stays one that is no route.
    let nowhere = Handshake::new("/ws/nowhere").with("Sec-WebSocket-Protocol", "grpcws.v1.json");
    assert_eq!(nowhere.send(bridge.address).await.0.status, 404);
}

#[tokio::test]
async fn a_route_at_the_path_of_the_generic_one_takes_its_place() {
    for generic_route in [GenericRoute::Unbound, GenericRoute::Off] {
        let bridge = start(generic_route, with_routes()).await;
        let mut client = bridge.open("Bidi", "").await;
        client.send(r#"{"type":"data","data":{"sequence":"1"}}"#).await;
        let Received::Text(text) = client.next().await else { panic!("no answer") };
        assert!(text.contains(r#""requestSequence":"9""#), "the route sets the field: {text}");
    }
}

#[tokio::test]
async fn nothing_is_open_while_the_descriptors_that_may_close_it_are_still_to_come() {
    for generic_route in [GenericRoute::Unbound, GenericRoute::Off] {
        let descriptors = Descriptors::pending();
        let bridge = start(generic_route, descriptors.clone()).await;
        for mode in MODES {
            refusal(&bridge, "ServerStream", mode, 14, 503).await;
        }
        descriptors.replace(with_routes());
        for mode in MODES {
            refusal(&bridge, "ServerStream", mode, 12, 404).await;
        }
        assert_eq!(bridge.service.stats().started, 0);
    }
    let bridge = start(GenericRoute::Open, Descriptors::pending()).await;
    let mut client = bridge.open("Bidi", "grpcws.v1.proto").await;
    client.send(r#"{"type":"end_send"}"#).await;
    while !matches!(client.next().await, Received::Close(1000, _)) {}
}

#[tokio::test]
async fn without_descriptors_no_method_is_bound() {
    let options = ConnectionOptions::default;
    let bridge = Whole::start_with(options(), |bridge| bridge.generic_route(GenericRoute::Unbound)).await;
    let mut client = bridge.open("Bidi", "grpcws.v1.proto").await;
    client.send(r#"{"type":"end_send"}"#).await;
    while !matches!(client.next().await, Received::Close(1000, _)) {}

    let bridge = Whole::start_with(options(), |bridge| bridge.generic_route(GenericRoute::Off)).await;
    refusal(&bridge, "Bidi", "grpcws.v1.proto", 12, 404).await;
}
