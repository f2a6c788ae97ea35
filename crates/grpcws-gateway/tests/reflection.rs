//! Descriptors from upstreams that describe themselves, well or badly.

mod scripted;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpcws::Code;
use grpcws::routes::ExtraRoute;
use grpcws_gateway::descriptors::{
    DescriptorError, DescriptorOptions, GrpcUpstream, Loaded, Loader, Trigger, refresh,
};
use prost::Message as _;
use prost_types::FileDescriptorProto;
use scripted::{Scripted, files, not_found, services, shop, shop_server};
use tonic::Status;
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::server::Builder;

async fn load(upstream: impl GrpcUpstream, options: DescriptorOptions) -> Result<Loaded, DescriptorError> {
    Loader::new(options).upstream("the upstream", upstream).load().await
}

async fn loaded(upstream: impl GrpcUpstream) -> Loaded {
    load(upstream, DescriptorOptions::default()).await.expect("it describes itself")
}

/// Options with which upstreams are asked again only where there is a reason.
fn without_timer() -> DescriptorOptions {
    DescriptorOptions::default().refresh_interval(None)
}

fn methods(loaded: &Loaded) -> Vec<&str> {
    loaded.services.methods().map(|method| method.path()).collect()
}

fn tonic_server() -> Builder<'static> {
    Builder::configure().register_encoded_file_descriptor_set(grpcws_test::FILE_DESCRIPTOR_SET)
}

const TEST_METHODS: [&str; 5] = [
    "/grpcws.test.v1.TestService/Unary",
    "/grpcws.test.v1.TestService/ServerStream",
    "/grpcws.test.v1.TestService/ClientStream",
    "/grpcws.test.v1.TestService/Bidi",
    "/grpcws.test.v1.TestService/Stats",
];

#[tokio::test]
async fn both_versions_are_spoken() {
    let v1 = loaded(Routes::new(tonic_server().build_v1().expect("it builds"))).await;
    let v1alpha = loaded(Routes::new(tonic_server().build_v1alpha().expect("it builds"))).await;
    for loaded in [v1, v1alpha] {
        let methods = methods(&loaded);
        for method in TEST_METHODS {
            assert!(methods.contains(&method), "{methods:?}");
        }
        assert!(loaded.services.message("google.rpc.BadRequest").is_some());
        assert_eq!(loaded.omitted, []);
    }
}

#[tokio::test]
async fn an_upstream_without_reflection_is_told_of() {
    let loaded = loaded(Routes::default()).await;
    assert_eq!(loaded.services.iter().count(), 0);
    let [error] = loaded.failed.as_slice() else { panic!("{:?}", loaded.failed) };
    assert!(matches!(error, DescriptorError::NoReflection { .. }), "{error:?}");
    assert_eq!(error.upstream_code(), Some(Code::Unimplemented));
    assert_eq!(
        error.to_string(),
        "the upstream has no server reflection: give its descriptors with --descriptor-set or --proto"
    );
}

#[tokio::test]
async fn annotations_survive() {
    let loaded = loaded(shop_server(&[]).routes()).await;
    let route = loaded.services.routes().find("/v1/items/7").expect("a route");
    assert_eq!(route.method().path(), "/shop.v1.Shop/GetItem");
}

#[tokio::test]
async fn an_import_that_is_used_for_options_only_need_not_be_there() {
    let loaded = loaded(shop_server(&["google/api/annotations.proto"]).routes()).await;
    assert_eq!(loaded.omitted, []);
    assert!(loaded.services.routes().find("/v1/items/7").is_some());
}

#[tokio::test]
async fn a_file_whose_types_are_missing_is_left_out_and_the_rest_works() {
    let shop = shop_server(&["item.proto"]);
    let test = Routes::new(tonic_server().build_v1().expect("it builds"));
    let loaded = Loader::new(DescriptorOptions::default())
        .upstream("shop", shop.routes())
        .upstream("test", test)
        .load()
        .await
        .expect("one of them is complete");
    let [omitted] = loaded.omitted.as_slice() else { panic!("{:?}", loaded.omitted) };
    assert_eq!(omitted.file, "shop.proto");
    assert_eq!(omitted.services, ["shop.v1.Shop"]);
    assert_eq!(omitted.reason, "it uses shop.v1.Kind, which is in none of the files");
    assert!(loaded.services.service("shop.v1.Shop").is_none());
    assert!(loaded.services.service("grpcws.test.v1.TestService").is_some());
}

#[tokio::test]
async fn a_service_without_a_descriptor_hides_no_other_one() {
    // One answers with an error, the other one ends the stream, as tonic does.
    for ends in [false, true] {
        let shop = shop();
        let server = Scripted::new(move |asked| match asked {
            MessageRequest::ListServices(_) => services(&["a.A", "shop.v1.Shop", "z.Z"]),
            MessageRequest::FileContainingSymbol(name) if name == "shop.v1.Shop" => {
                files(shop.values().cloned().collect())
            }
            MessageRequest::FileContainingSymbol(name) if ends => Err(Status::not_found(name)),
            MessageRequest::FileContainingSymbol(name) => not_found(&name),
            other => panic!("everything was sent at once: {other:?}"),
        });
        let loaded = loaded(server.routes()).await;
        assert_eq!(loaded.services.iter().count(), 1);
        assert_eq!(loaded.omitted, []);
    }
}

#[tokio::test]
async fn a_type_that_no_service_needs_can_be_asked_for() {
    let options = DescriptorOptions::default().symbol("extra.E").symbol("extra.Missing");
    let extra = FileDescriptorProto {
        name: Some("extra.proto".to_owned()),
        package: Some("extra".to_owned()),
        message_type: vec![prost_types::DescriptorProto {
            name: Some("E".to_owned()),
            ..prost_types::DescriptorProto::default()
        }],
        ..FileDescriptorProto::default()
    };
    let server = Scripted::new(move |asked| match asked {
        MessageRequest::ListServices(_) => services(&[]),
        MessageRequest::FileContainingSymbol(name) if name == "extra.E" => files(vec![extra.encode_to_vec()]),
        _ => Err(Status::not_found("no")),
    });
    let loaded = load(server.routes(), options).await.expect("it describes itself");
    assert!(loaded.services.message("extra.E").is_some());
}

/// A file that imports the next one.
fn link(number: usize) -> Vec<u8> {
    let name = |number| format!("{number}.proto");
    FileDescriptorProto {
        name: Some(name(number)),
        dependency: vec![name(number + 1)],
        ..FileDescriptorProto::default()
    }
    .encode_to_vec()
}

#[tokio::test]
async fn an_upstream_that_never_comes_to_an_end_is_stopped_by_the_limits() {
    let endless = || {
        let mut number = 0;
        Scripted::new(move |asked| match asked {
            MessageRequest::ListServices(_) => services(&["a.A"]),
            _ => {
                number += 1;
                files(vec![link(number)])
            }
        })
        .routes()
    };
    let options = DescriptorOptions::default();
    let error = load(endless(), options.clone().max_files(50)).await.expect_err("no end");
    assert_eq!(error.to_string(), "the descriptors of the upstream exceed the limit of 50 files");
    let error = load(endless(), options.clone().max_bytes(500)).await.expect_err("no end");
    assert_eq!(error.to_string(), "the descriptors of the upstream exceed the limit of 500 bytes");
    assert_eq!(error.upstream_code(), Some(Code::ResourceExhausted));

    let many = Scripted::new(|_| services(&["a.A"; 51])).routes();
    let error = load(many, options.clone().max_files(50)).await.expect_err("too many");
    assert_eq!(error.to_string(), "the descriptors of the upstream exceed the limit of 50 services");

    let huge = Scripted::new(|_| services(&[&"a".repeat(2000)])).routes();
    let error = load(huge, options.max_bytes(1000)).await.expect_err("too large");
    assert!(matches!(error, DescriptorError::Reflection { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_does_not_answer_runs_into_the_timeout() {
    // Nobody serves: the call waits for ever.
    let silent = tower::service_fn(|_: http::Request<tonic::body::Body>| async {
        std::future::pending::<Result<http::Response<tonic::body::Body>, std::convert::Infallible>>().await
    });
    let error = load(silent, DescriptorOptions::default().timeout(Duration::from_secs(3)))
        .await
        .expect_err("silence");
    assert_eq!(error.to_string(), "the upstream did not give its descriptors within 3 s");
    assert_eq!(error.upstream_code(), Some(Code::DeadlineExceeded));
}

#[tokio::test]
async fn answers_that_break_the_protocol_are_the_upstreams_fault() {
    let wrong = Scripted::new(|_| files(vec![])).routes();
    let garbage = Scripted::new(|asked| match asked {
        MessageRequest::ListServices(_) => services(&["a.A"]),
        _ => files(vec![b"garbage".to_vec()]),
    })
    .routes();
    let refused = Scripted::new(|_| Err(Status::permission_denied("not you"))).routes();
    let no_list = Scripted::new(|_| not_found("services")).routes();
    for (upstream, code) in [
        (wrong, Code::Internal),
        (garbage, Code::Internal),
        (refused, Code::PermissionDenied),
        (no_list, Code::NotFound),
    ] {
        let error = load(upstream, DescriptorOptions::default()).await.expect_err("it is broken");
        assert_eq!(error.upstream_code(), Some(code), "{error:?}");
    }
}

#[tokio::test]
async fn routes_that_fit_are_added_and_the_others_are_told_of() {
    let options = DescriptorOptions::default().routes(vec![
        ExtraRoute::new("/a", "shop.v1.Shop/WatchItems"),
        ExtraRoute::new("/b", "shop.v1.Shop/Gone"),
        ExtraRoute::new("/c", "shop.v1.Shop/Haggle"),
    ]);
    let loaded = load(shop_server(&[]).routes(), options).await.expect("it describes itself");
    let found = |path| loaded.services.routes().find(path).map(|route| route.method().name());
    assert_eq!([found("/a"), found("/b"), found("/c")], [Some("WatchItems"), None, Some("Haggle")]);
    let [error] = loaded.routes.as_slice() else { panic!("{:?}", loaded.routes) };
    assert_eq!(error.to_string(), "route /b of shop.v1.Shop/Gone: there is no such method");
}

#[tokio::test]
async fn one_upstream_that_is_down_takes_nothing_from_the_others() {
    let up = Arc::new(Mutex::new(true));
    let flag = Arc::clone(&up);
    let shop = shop();
    let shaky = Scripted::new(move |asked| match asked {
        _ if !*flag.lock().expect("no panic") => Err(Status::unavailable("gone")),
        MessageRequest::ListServices(_) => services(&["shop.v1.Shop"]),
        _ => files(shop.values().cloned().collect()),
    });
    let test = Routes::new(tonic_server().build_v1().expect("it builds"));
    let mut loader =
        Loader::new(DescriptorOptions::default()).upstream("shaky", shaky.routes()).upstream("test", test);
    let first = loader.load().await.expect("both are up");
    assert!(first.failed.is_empty());
    *up.lock().expect("no panic") = false;
    let second = loader.load().await.expect("one is up");
    assert_eq!(second.sets, first.sets, "what it gave before is kept");
    let [error] = second.failed.as_slice() else { panic!("{:?}", second.failed) };
    assert_eq!(error.to_string(), "server reflection at shaky failed");
}

/// Says how often it was asked for its services.
fn counted(
    answer: impl Fn() -> Result<MessageResponse, Status> + Send + 'static,
) -> (Routes, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let server = Scripted::new(move |_| {
        counter.fetch_add(1, Ordering::Relaxed);
        answer()
    });
    (server.routes(), count)
}

#[tokio::test(start_paused = true)]
async fn an_upstream_without_reflection_is_asked_again_only_where_there_is_a_reason() {
    let (server, asked) = counted(|| Err(Status::unimplemented("no reflection")));
    let descriptors = grpcws::services::Descriptors::pending();
    let trigger = Arc::new(Trigger::default());
    let loader = Loader::new(without_timer()).upstream("the upstream", server);
    let refreshing = tokio::spawn(refresh(loader, descriptors.clone(), Arc::clone(&trigger)));

    tokio::time::sleep(Duration::from_secs(3600)).await;
    // Clients hear that there is no such method, and not that it may come.
    assert_eq!(descriptors.current().expect("an empty set").iter().count(), 0);
    // The other version of the protocol gets no answer from this server.
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    trigger.changed();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    refreshing.abort();
}

#[tokio::test(start_paused = true)]
async fn upstreams_that_end_many_connections_are_not_asked_for_each() {
    let (server, asked) = counted(|| services(&[]));
    let descriptors = grpcws::services::Descriptors::pending();
    let trigger = Arc::new(Trigger::default());
    let loader = Loader::new(without_timer()).upstream("the upstream", server);
    let refreshing = tokio::spawn(refresh(loader, descriptors.clone(), Arc::clone(&trigger)));
    descriptors.loaded().await;
    for _ in 0..600 {
        trigger.changed();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // The last of them are answered for too.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let minute = asked.load(Ordering::Relaxed);
    assert!((5..=8).contains(&minute), "{minute} times in a minute");

    // Who asks for it gets it at once: sooner than the 10 s that the others wait.
    for _ in 0..3 {
        let before = asked.load(Ordering::Relaxed);
        let since = tokio::time::Instant::now();
        trigger.now();
        while asked.load(Ordering::Relaxed) == before {
            assert!(since.elapsed() < Duration::from_secs(5), "it is asked for and not loaded");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    refreshing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_call_that_meets_no_descriptors_lets_them_be_asked_for() {
    let (server, asked) = counted(|| Err(Status::unavailable("down")));
    let descriptors = grpcws::services::Descriptors::pending();
    let loader = Loader::new(without_timer()).upstream("the upstream", server);
    let refreshing = tokio::spawn(refresh(loader, descriptors.clone(), Arc::default()));
    // Without a call, as often as the delays have it.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let alone = asked.swap(0, Ordering::Relaxed);
    assert!((10..=20).contains(&alone), "{alone} times in a minute");
    // The last attempt is long enough ago that the first call's is at once.
    while asked.load(Ordering::Relaxed) == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    asked.store(0, Ordering::Relaxed);
    descriptors.request();
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // Many calls do not make many attempts.
    for _ in 0..1000 {
        descriptors.request();
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let busy = asked.load(Ordering::Relaxed);
    assert!((15..=22).contains(&busy), "{busy} times in 10 s");
    refreshing.abort();
}

#[tokio::test(start_paused = true)]
async fn descriptors_come_when_the_upstream_does_and_follow_it() {
    let present: Arc<Mutex<Option<&[&str]>>> = Arc::default();
    let (flag, shop) = (Arc::clone(&present), shop());
    let server = Scripted::new(move |asked| match (asked, *flag.lock().expect("no panic")) {
        (_, None) => Err(Status::unavailable("down")),
        (MessageRequest::ListServices(_), Some(names)) => services(names),
        (MessageRequest::FileContainingSymbol(name), _) if name == "shop.v1.Shop" => {
            files(shop.values().cloned().collect())
        }
        (MessageRequest::FileContainingSymbol(_), _) => files(vec![link(1)]),
        (MessageRequest::FileByFilename(name), _) => not_found(&name),
        (other, _) => panic!("{other:?}"),
    });
    let set = |names| *present.lock().expect("no panic") = names;
    let descriptors = grpcws::services::Descriptors::pending();
    let trigger = Arc::new(Trigger::default());
    let loader = Loader::new(without_timer()).upstream("the upstream", server.routes());
    let refreshing = tokio::spawn(refresh(loader, descriptors.clone(), Arc::clone(&trigger)));

    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(descriptors.current().is_none(), "the upstream is down");
    set(Some(&["a.A"]));
    let first =
        tokio::time::timeout(Duration::from_secs(40), descriptors.loaded()).await.expect("a retry finds it");
    assert!(first.service("shop.v1.Shop").is_none());

    // Nothing is asked again without a reason.
    set(Some(&["shop.v1.Shop"]));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(descriptors.current().expect("it stays").service("shop.v1.Shop").is_none());
    trigger.changed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(descriptors.current().expect("it stays").service("shop.v1.Shop").is_some());

    // A refresh that fails leaves what there is.
    set(None);
    trigger.changed();
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert!(descriptors.current().expect("it stays").service("shop.v1.Shop").is_some());
    refreshing.abort();
}
