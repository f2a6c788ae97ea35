//! Requests made of paths and queries.

mod common_protos;

use bytes::Bytes;
use common_protos::library;
use grpcws::json::{MarshalOptions, UnmarshalOptions};
use grpcws::routes::{ExtraRoute, RouteErrorReason};
use grpcws::services::Services;
use grpcws::{Code, Status};
use proptest::prelude::*;

fn services() -> Services {
    Services::from_file_descriptor_set(&library()).expect("a descriptor set")
}

/// The library with one more route.
fn with_route(route: ExtraRoute) -> Services {
    services().with_routes(&[route]).expect("a good route")
}

fn watch() -> Services {
    with_route(ExtraRoute::new("/watch", "library.v1.Library/WatchShelf"))
}

/// `METHOD JSON` of the request that a target makes by itself.
fn bound(services: &Services, target: &str) -> Result<String, Status> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let route = services.routes().find(path).ok_or_else(|| Status::new(Code::NotFound, "no route"))?;
    let message = route.bind(query)?.message();
    let mut json = Vec::new();
    let options = MarshalOptions::default();
    route.method().request().to_json(&message, &options, &mut json).expect("it is a request");
    Ok(format!("{} {}", route.method().name(), String::from_utf8(json).expect("UTF-8")))
}

fn refused(services: &Services, target: &str) -> String {
    let status = bound(services, target).expect_err(target);
    assert_eq!(status.code(), Code::InvalidArgument, "{target}: {status}");
    status.message().to_owned()
}

#[test]
fn paths_make_requests() {
    let services = services();
    for (target, expected) in [
        ("/v1/shelves/7/books/2", r#"GetBook {"name":"shelves/7/books/2"}"#),
        ("/v1/shelves/a%20b/books/c%2Fd", r#"GetBook {"name":"shelves/a b/books/c%2Fd"}"#),
        ("/v1/books/c%2Fd", r#"GetBook {"name":"c/d"}"#),
        ("/v1/books/%C3%BC?view=VIEW_FULL", r#"GetBook {"name":"ü","view":"VIEW_FULL"}"#),
        ("/v1/books/x?readMask=name,shelf.id", r#"GetBook {"name":"x","readMask":"name,shelf.id"}"#),
        ("/v1/shelves/7:watch", r#"WatchShelf {"shelf":{"id":"7"}}"#),
        ("/v1/shelves/7%3Awatch:watch", r#"WatchShelf {"shelf":{"id":"7:watch"}}"#),
        (
            "/v1/shelves/7:watch?shelf.number=5&shelf.parent.tags=a&shelf.parent.tags=b",
            r#"WatchShelf {"shelf":{"id":"7","number":"5","parent":{"tags":["a","b"]}}}"#,
        ),
        ("/v1/uploads", r#"Upload {}"#),
        ("/v1/uploads/", r#"Upload {}"#),
        ("/v1/uploads/a/b%2Fc//d", r#"Upload {"path":"a/b%2Fc//d"}"#),
    ] {
        assert_eq!(bound(&services, target).as_deref().map_err(Status::message), Ok(expected), "{target}");
    }
}

#[test]
fn paths_that_no_template_has_have_no_route() {
    let services = services();
    for path in
        ["", "/", "/v1", "/v1/shelves/7", "/v1/shelves/7/books/", "/v1/shelves//books/1", "/v2/books/x"]
    {
        assert!(services.routes().find(path).is_none(), "{path}");
    }
}

#[test]
fn faulty_paths_are_refused_with_the_fault() {
    let services = services();
    for (target, expected) in [
        ("/v1/books/%zz", "path segment \"%zz\": it has a \"%\" without two hexadecimal digits"),
        ("/v1/books/..", "path segment \"..\": it has a segment \".\" or \"..\""),
        ("/v1/books/a%2F..%2Fb", "path segment \"a%2F..%2Fb\": it has a segment \".\" or \"..\""),
        ("/v1/shelves/%2e%2e/books/1", "path segment \"%2e%2e\": it has a segment \".\" or \"..\""),
        ("/v1/uploads/a/../b", "path segment \"..\": it has a segment \".\" or \"..\""),
        ("/v1/books/a%00b", "path segment \"a%00b\": it has a NUL"),
        ("/v1/books/%ff", "path segment \"%ff\": it is not UTF-8"),
    ] {
        assert_eq!(refused(&services, target), expected, "{target}");
    }
}

#[test]
fn parameters_set_fields_of_every_type() {
    let services = watch();
    for (query, expected) in [
        ("", "{}"),
        ("&&", "{}"),
        ("maxEvents=-5", r#"{"maxEvents":-5}"#),
        ("max_events=0", r#"{"maxEvents":0}"#),
        ("replay=false", r#"{"replay":false}"#),
        ("big=18446744073709551615", r#"{"big":"18446744073709551615"}"#),
        ("shelf.number=-9223372036854775808", r#"{"shelf":{"number":"-9223372036854775808"}}"#),
        ("factor=1e-3&ratio=-2.5", r#"{"factor":0.001,"ratio":-2.5}"#),
        ("factor=-Infinity&ratio=NaN", r#"{"factor":"-Infinity","ratio":"NaN"}"#),
        ("authors=a&authors=&authors=b%26+c%2B", r#"{"authors":["a","","b& c+"]}"#),
        ("views=VIEW_FULL&views=1&views=77", r#"{"views":["VIEW_FULL","VIEW_BASIC",77]}"#),
        ("cursor=-_8", r#"{"cursor":"+/8="}"#),
        ("cursor=%2B%2F8%3D", r#"{"cursor":"+/8="}"#),
        ("cursor=%2B/8=", r#"{"cursor":"+/8="}"#),
        ("since=2024-02-29T12:00:00.5%2B01:00", r#"{"since":"2024-02-29T11:00:00.500Z"}"#),
        ("interval=1.5s&pauses=1s&pauses=-0.25s", r#"{"interval":"1.500s","pauses":["1s","-0.250s"]}"#),
        ("tag=x+y&flag=true&blob=AQI", r#"{"tag":"x y","flag":true,"blob":"AQI="}"#),
        ("tag=", r#"{"tag":""}"#),
        ("maxBytes=12", r#"{"maxBytes":"12"}"#),
        ("hl=de", r#"{"hl":"de"}"#),
        ("lang=de", r#"{"hl":"de"}"#),
        ("hl=a=b", r#"{"hl":"a=b"}"#),
        // An empty string is said in the bytes, and not printed where the field has no presence.
        ("hl", "{}"),
        ("%68l=x", r#"{"hl":"x"}"#),
        ("labels[a]=1&labels%5Bb.c%5D=&labels[]=2", r#"{"labels":{"a":"1","b.c":"","":"2"}}"#),
        ("authors[]=a&authors[]=b&authors=c", r#"{"authors":["a","b","c"]}"#),
        ("replay=1&flag=F", r#"{"replay":true,"flag":false}"#),
        ("extra={\"a\":[1,null]}&anything=null", r#"{"extra":{"a":[1,null]},"anything":null}"#),
        // Forms send what was not filled in.
        ("maxEvents=&views=&since=&maxBytes=&factor=&flag=&replay=&extra=&shelf.number=", "{}"),
    ] {
        let found = bound(&services, &format!("/watch?{query}"));
        let expected = format!("WatchShelf {expected}");
        assert_eq!(found.as_deref().map_err(Status::message), Ok(&*expected), "{query}");
    }
}

#[test]
fn parameters_that_set_nothing_are_refused() {
    let services = watch();
    for (query, expected) in [
        ("nope=1", r#""nope": library.v1.WatchShelfRequest has no field "nope""#),
        ("Shelf.id=1", r#""Shelf.id": library.v1.WatchShelfRequest has no field "Shelf""#),
        ("shelf.nope=1", r#""shelf.nope": library.v1.Shelf has no field "nope""#),
        ("=1", r#""": library.v1.WatchShelfRequest has no field """#),
        ("shelf.=1", r#""shelf.": library.v1.Shelf has no field """#),
        ("shelf=1", r#""shelf": "shelf" is a library.v1.Shelf: set its fields by paths like shelf.field"#),
        ("extra=1", r#""extra": expected the JSON of a google.protobuf.Struct, found "1""#),
        ("anything={", r#""anything": expected the JSON of a google.protobuf.Value, found "{""#),
        ("labels=1", r#""labels": "labels" is a map: set its entries by parameters like labels[key]=value"#),
        (
            "labels.key=1",
            r#""labels.key": "labels" is a map: set its entries by parameters like labels[key]=value"#,
        ),
        ("labels[a]=1&labels[a]=2", r#""labels[a]": the key "a" is given twice"#),
        ("lang[a]=1", r#""lang[a]": "lang" is not a map and has no keys"#),
        ("lang[]=1", r#""lang[]": "lang" is not a map and has no keys"#),
        ("authors[1]=1", r#""authors[1]": "authors" is not a map and has no keys"#),
        ("nope[a]=1", r#""nope[a]": library.v1.WatchShelfRequest has no field "nope[a]""#),
        (
            "more_shelves[]=1",
            r#""more_shelves[]": "more_shelves" is a library.v1.Shelf: set its fields by paths like more_shelves.field"#,
        ),
        ("more_shelves.id=1", r#""more_shelves.id": "more_shelves" is repeated"#),
        ("hl.x=1", r#""hl.x": "lang" is not a message and has no fields"#),
        ("maxEvents=1&max_events=2", r#""max_events": it is already set by the query"#),
        ("maxEvents=1&maxBytes=2", r#""maxBytes": another field of its oneof is already set"#),
        ("tag=1&tag.value=2", r#""tag.value": it is already set by the query"#),
        ("tag.value=1&tag=2", r#""tag": it is already set by the query"#),
        ("maxEvents=1.0", r#""maxEvents": expected an int32, found "1.0""#),
        ("maxEvents=2147483648", r#""maxEvents": expected an int32, found "2147483648""#),
        ("big=-1", r#""big": expected a uint64, found "-1""#),
        ("replay=yes", r#""replay": expected true or false, found "yes""#),
        ("factor=inf", r#""factor": expected a double, found "inf""#),
        ("factor=1e999", r#""factor": expected a double, found "1e999""#),
        ("ratio=1e39", r#""ratio": expected a float, found "1e39""#),
        ("cursor=*", r#""cursor": expected base64, found "*""#),
        ("views=view_full", r#""views": expected a value of enum library.v1.View, found "view_full""#),
        ("since=yesterday", r#""since": expected a google.protobuf.Timestamp, found "yesterday""#),
        (
            "since=2024-01-01T00:00:00+01:00",
            r#""since": expected a google.protobuf.Timestamp, found "2024-01-01T00:00:00 01:00""#,
        ),
        ("interval=1", r#""interval": expected a google.protobuf.Duration, found "1""#),
        ("interval=%22", r#""interval": expected a google.protobuf.Duration, found "\"""#),
        ("hl=%zz", r#""hl": it has a "%" without two hexadecimal digits"#),
        ("hl=%ff", r#""hl": it is not UTF-8"#),
        ("%ff=1", r#""%ff": it is not UTF-8"#),
    ] {
        assert_eq!(
            refused(&services, &format!("/watch?{query}")),
            format!("query parameter {expected}"),
            "{query}"
        );
    }
}

#[test]
fn huge_names_and_depths_are_refused_shortly() {
    let services = watch();
    let long = "x".repeat(100_000);
    assert!(refused(&services, &format!("/watch?{long}=1")).len() < 400);
    assert!(refused(&services, &format!("/watch?maxEvents={long}")).len() < 400);
    let deep = format!("/watch?shelf.{}id=1", "parent.".repeat(10_000));
    assert!(refused(&services, &deep).ends_with(": it nests too deeply"));
    let possible = format!("/watch?shelf.{}id=1", "parent.".repeat(90));
    assert!(bound(&services, &possible).is_ok());
}

#[test]
fn a_parameter_cannot_set_what_the_path_or_the_route_sets() {
    let services = services();
    assert_eq!(
        refused(&services, "/v1/books/x?name=y"),
        r#"query parameter "name": it is already set by the path"#
    );
    assert_eq!(
        refused(&services, "/v1/shelves/7:watch?shelf.id=8"),
        r#"query parameter "shelf.id": it is already set by the path"#
    );
    let route = ExtraRoute::new("/watch/{shelf.id}", "library.v1.Library/WatchShelf")
        .field("authors", "a")
        .field("authors", "b")
        .field("shelf.number", "3")
        .field("max_events", "0");
    let services = with_route(route);
    assert_eq!(
        bound(&services, "/watch/9").expect("it is good"),
        r#"WatchShelf {"shelf":{"id":"9","number":"3"},"authors":["a","b"],"maxEvents":0}"#
    );
    for parameter in ["authors=c", "shelf.number=4", "maxEvents=9"] {
        let name = parameter.split('=').next().unwrap_or_default();
        assert_eq!(
            refused(&services, &format!("/watch/9?{parameter}")),
            format!("query parameter {name:?}: it is already set by the route")
        );
    }
    assert_eq!(
        refused(&services, "/watch/9?maxBytes=1"),
        r#"query parameter "maxBytes": another field of its oneof is already set"#
    );
}

/// The request that a client's message makes on a route, both as JSON.
fn merged(services: &Services, target: &str, payload: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let route = services.routes().find(path).expect("a route");
    let mut wire = Vec::new();
    route
        .payload()
        .from_json(payload.as_bytes(), &UnmarshalOptions::default(), &mut wire)
        .expect("a payload");
    let message = route.bind(Some(query)).expect("it is good").merge(wire.into()).expect("a message");
    let mut json = Vec::new();
    route.method().request().to_json(&message, &MarshalOptions::default(), &mut json).expect("a request");
    String::from_utf8(json).expect("UTF-8")
}

#[test]
fn path_and_query_take_the_place_of_what_the_message_has() {
    let services = services()
        .with_routes(&[
            ExtraRoute::new("/watch/{shelf.id}", "library.v1.Library/WatchShelf").body("*"),
            ExtraRoute::new("/books/{book.name=shelves/*/books/*}", "library.v1.Library/CreateBook")
                .body("book"),
        ])
        .expect("good routes");
    for (target, payload, expected) in [
        ("/watch/7", "{}", r#"{"shelf":{"id":"7"}}"#),
        (
            "/watch/7",
            r#"{"shelf":{"id":"8","number":"5","parent":{"id":"9"}},"hl":"de"}"#,
            r#"{"shelf":{"id":"7","number":"5","parent":{"id":"9"}},"hl":"de"}"#,
        ),
        (
            "/watch/7?authors=x&since=1970-01-01T00:00:05Z&hl=&tag=",
            r#"{"authors":["a","b"],"since":"2024-01-01T00:00:00.5Z","hl":"de","tag":"y"}"#,
            r#"{"shelf":{"id":"7"},"since":"1970-01-01T00:00:05Z","authors":["x"],"tag":""}"#,
        ),
        // Of a oneof, what the query sets is left.
        ("/watch/7?maxBytes=3", r#"{"maxEvents":4}"#, r#"{"shelf":{"id":"7"},"maxBytes":"3"}"#),
        // The body is a field, and the path sets another one, or one in it.
        (
            "/v1/shelves/7/books?request_id=r",
            r#"{"title":"T"}"#,
            r#"{"shelf":"7","book":{"title":"T"},"requestId":"r"}"#,
        ),
        (
            "/books/shelves/1/books/2?shelf=1",
            r#"{"name":"other","pages":3}"#,
            r#"{"shelf":"1","book":{"name":"shelves/1/books/2","pages":3}}"#,
        ),
        // Every message of a client stream is in the place that the path says.
        ("/v1/uploads/a/b", r#"{"path":"elsewhere","data":"AQ=="}"#, r#"{"path":"a/b","data":"AQ=="}"#),
    ] {
        assert_eq!(merged(&services, target, payload), expected, "{target} {payload}");
    }
    let route = services.routes().find("/v1/shelves/7/books").expect("a route");
    let status = route.bind(Some("book.title=x")).expect_err("the body has it");
    assert_eq!(status.message(), r#"query parameter "book.title": it is part of the body"#);
}

#[test]
fn groups_and_closed_enums_are_bound_as_proto2_has_them() {
    let services = Services::from_file_descriptor_set(&common_protos::compiled("legacy.proto"))
        .expect("a descriptor set")
        .with_routes(&[ExtraRoute::new("/send/{item.first}", "legacy.v1.Legacy/Send").body("*")])
        .expect("a good route");
    assert_eq!(
        merged(&services, "/send/7?closed=TWO", r#"{"item":{"first":1,"second":2},"[legacy.v1.extra]":5}"#),
        r#"{"item":{"first":7,"second":2},"closed":"TWO","[legacy.v1.extra]":5}"#
    );
    assert_eq!(
        refused(&services, "/send/7?closed=3"),
        r#"query parameter "closed": expected a value of enum legacy.v1.Closed, found "3""#
    );
    assert_eq!(
        refused(&services, "/send/7?[legacy.v1.extra]=3"),
        r#"query parameter "[legacy.v1.extra]": legacy.v1.Request has no field "[legacy""#
    );
}

#[test]
fn bytes_that_are_no_message_are_the_clients_fault() {
    let services = services();
    let bound = services.routes().find("/v1/uploads/a").expect("a route").bind(None).expect("it is good");
    for bytes in [&b"\xff"[..], b"\x0a\x05ab", b"\x0c", b"\x13", &[0x80; 20]] {
        let status = bound.merge(Bytes::copy_from_slice(bytes)).expect_err("no message");
        assert_eq!(status.code(), Code::InvalidArgument);
    }
}

#[test]
fn a_route_without_variables_leaves_messages_alone() {
    let services = with_route(ExtraRoute::new("/talk", "library.v1.Library/Talk"));
    let route = services.routes().find("/talk").expect("a route");
    assert!(!route.is_complete());
    let payload = Bytes::from_static(b"not looked at");
    assert_eq!(route.bind(None).expect("it is good").merge(payload.clone()).expect("as it is"), payload);
}

#[test]
fn calls_without_a_body_are_complete() {
    let services = services()
        .with_routes(&[
            ExtraRoute::new("/get", "library.v1.Library.GetBook"),
            ExtraRoute::new("/get-with-body", "library.v1.Library.GetBook").body("*"),
            ExtraRoute::new("/talk", "library.v1.Library.Talk"),
        ])
        .expect("good routes");
    let facts = |path| {
        let route = services.routes().find(path).expect(path);
        (route.template(), route.is_complete(), route.payload().full_name())
    };
    for expected in [
        ("/get", true, "library.v1.GetBookRequest"),
        ("/get-with-body", false, "library.v1.GetBookRequest"),
        ("/talk", false, "library.v1.Chunk"),
    ] {
        assert_eq!(facts(expected.0), expected);
    }
    assert_eq!(facts("/v1/shelves/7/books"), ("/v1/shelves/{shelf}/books", false, "library.v1.Book"));
    assert_eq!(facts("/v1/books/7"), ("/v1/books/{name}", true, "library.v1.GetBookRequest"));
}

#[test]
fn methods_of_one_path_are_chosen_by_their_http_methods_but_an_extra_route_has_it_alone() {
    let services = services();
    let chosen = |services: &Services, path: &str, query| {
        let route = services
            .routes()
            .choose(path, query)
            .expect("a route")
            .map_err(|status| status.message().to_owned());
        route.map(|route| format!("{} {}", route.verb().unwrap_or("-"), route.method().name()))
    };
    let path = "/v1/shelves/1/books/2";
    assert!(services.routes().problems().is_empty());
    assert_eq!(chosen(&services, path, None).as_deref(), Ok("GET GetBook"));
    assert_eq!(chosen(&services, path, Some("x=1&method=PATCH")).as_deref(), Ok("PATCH PatchBook"));
    assert_eq!(
        chosen(&services, path, Some("method=PUT")).expect_err("there is none"),
        "query parameter \"method\": no method of this path is bound to \"PUT\"; there is GET for \
         library.v1.Library.GetBook, PATCH for library.v1.Library.PatchBook"
    );
    // What a proxy in front finds under the name is what counts.
    for (query, expected) in [
        ("%6dethod=PATCH", Ok("GET GetBook")),
        ("method=", Ok("GET GetBook")),
        ("method=GET&method=PATCH", Err("query parameter \"method\": it is given more than once")),
    ] {
        let found = chosen(&services, path, Some(query));
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{query}");
    }
    assert!(chosen(&services, path, Some("method=PATC%48")).is_err());
    let shown = |services: &Services| {
        let entries = services.routes().entries().filter(|entry| entry.path.contains("*/"));
        entries.map(|entry| (entry.verb.map(str::to_owned), entry.is_default)).collect::<Vec<_>>()
    };
    assert_eq!(shown(&services), [(Some("GET".to_owned()), true), (Some("PATCH".to_owned()), false)]);

    // Whoever restricts a path by an extra route has restricted it for every HTTP method.
    let extra = ExtraRoute::new("/v1/shelves/*/{title=books}/*", "library.v1.Library/PatchBook");
    let services = services.with_routes(&[extra]).expect("a good route");
    for query in [None, Some("method=GET"), Some("method=PATCH"), Some("method=X")] {
        assert_eq!(chosen(&services, path, query).as_deref(), Ok("- PatchBook"), "{query:?}");
    }
    let problems: Vec<_> = services.routes().problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "route GET /v1/{name=shelves/*/books/*} of library.v1.Library.GetBook: the path is that of \
             library.v1.Library.PatchBook",
            "route PATCH /v1/{name=shelves/*/books/*} of library.v1.Library.PatchBook: the path is that of \
             library.v1.Library.PatchBook"
        ]
    );
}

#[test]
fn a_list_in_a_path_has_commas() {
    let services = with_route(ExtraRoute::new("/by/{authors}/{views}", "library.v1.Library/WatchShelf"));
    assert_eq!(
        bound(&services, "/by/a,b%2Cc/1,VIEW_FULL").expect("it is good"),
        r#"WatchShelf {"authors":["a","b","c"],"views":["VIEW_BASIC","VIEW_FULL"]}"#
    );
    let problem = "path variable \"views\": expected a value of enum library.v1.View, found \"\"";
    assert_eq!(refused(&services, "/by/a/1,"), problem);
}

#[test]
fn faulty_routes_are_told_when_they_are_loaded() {
    let fault = |route: ExtraRoute| {
        let error = services().with_routes(&[route]).expect_err("a fault");
        // The text has the reason: a second one by way of `source` would be shown twice.
        assert!(std::error::Error::source(&error).is_none());
        error.to_string()
    };
    let watch = |path: &str| ExtraRoute::new(path, "library.v1.Library/WatchShelf");
    for (route, expected) in [
        (watch("/a/{shelf.id"), "a variable without \"}\" (at byte 4 of the template)"),
        (watch("/a/{nope}"), "\"nope\": library.v1.WatchShelfRequest has no field \"nope\""),
        (
            watch("/a/{labels}"),
            "\"labels\": \"labels\" is a map: set its entries by parameters like labels[key]=value",
        ),
        (
            watch("/a/{shelf}"),
            "\"shelf\": \"shelf\" is a library.v1.Shelf: set its fields by paths like shelf.field",
        ),
        (watch("/a/{hl}"), "\"hl\": \"hl\" is the name in JSON: write \"lang\", as in the .proto file"),
        (watch("/a/{lang}/{lang}"), "a variable occurs twice (at byte 11 of the template)"),
        (watch("/a/{max_events}/{max_bytes}"), "\"max_bytes\": another field of its oneof is already set"),
        (watch("/a/{lang}").field("hl", "x"), "\"lang\": it is already set by the route"),
        (watch("/a").field("max_events", "x"), "\"max_events\": expected an int32, found \"x\""),
        (watch("/a").field("nope", "x"), "\"nope\": library.v1.WatchShelfRequest has no field \"nope\""),
        (watch("/a").body("nope"), "the request has no field \"nope\", which is to be its body"),
        (watch("/a").body("hl"), "the request has no field \"hl\", which is to be its body"),
        (watch("/a").response_body("nope"), "the response has no field \"nope\", which is to be its body"),
    ] {
        let path = route.path.clone();
        assert_eq!(fault(route), format!("route {path} of library.v1.Library/WatchShelf: {expected}"));
    }
    for method in ["Nope", "library.v1.Library/Nope", "library.v1.Nope/WatchShelf", "library.v1.Library"] {
        assert_eq!(
            fault(ExtraRoute::new("/a", method)),
            format!("route /a of {method}: there is no such method")
        );
    }
    let error = services().with_routes(&[watch("/a/{lang}"), watch("/a/*")]).expect_err("a conflict");
    assert_eq!(*error.reason, RouteErrorReason::Taken { method: "library.v1.Library.WatchShelf".to_owned() });
}

proptest! {
    /// Whatever a client asks for is a request or a refusal, and what a request has set stays set.
    #[test]
    fn any_target_is_bound_or_refused(
        path in "/v1/(books|shelves|uploads)/[a-c%0-9:/.]{0,12}",
        query in "((shelf\\.id|maxEvents|hl|authors|since|name|path)=[a-z0-9%+=.]{0,6}&?){0,4}",
    ) {
        let _ = bound(&SERVICES, &format!("{path}?{query}"));
        let _ = bound(&WATCH, &format!("/watch?{query}"));
    }

    #[test]
    fn texts_arrive_as_they_are(id in "\\PC{1,20}", tags in prop::collection::vec("\\PC{0,10}", 1..4)) {
        let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        prop_assume!(!id.split('/').any(|part| part == "." || part == ".."));
        let query: Vec<_> = tags.iter().map(|tag| format!("shelf.tags={}", encode(tag))).collect();
        let target = format!("/v1/shelves/{}:watch?{}", encode(&id), query.join("&"));
        let expected = format!(
            "WatchShelf {}",
            serde_json::json!({"shelf": {"id": id, "tags": tags}})
        );
        prop_assert_eq!(bound(&SERVICES, &target).expect("it is good"), expected);
    }

    #[test]
    fn no_payload_makes_merging_panic(payload in prop::collection::vec(any::<u8>(), 0..40)) {
        let route = SERVICES.routes().find("/v1/shelves/7:watch").expect("a route");
        let bound = route.bind(Some("shelf.parent.id=1&authors=a")).expect("it is good");
        let _ = bound.merge(payload.into());
    }
}

static SERVICES: std::sync::LazyLock<Services> = std::sync::LazyLock::new(services);
static WATCH: std::sync::LazyLock<Services> = std::sync::LazyLock::new(watch);
