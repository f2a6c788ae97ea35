//! Reflection as the world has it: streams that end, credentials, upstreams that change unseen, descriptors that are made to
//! be dear (findings F7, F8, M1, M6, M14).
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod scripted;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use grpcws::Code;
use grpcws::services::Descriptors;
use grpcws_gateway::descriptors::{
    DescriptorError, DescriptorOptions, GrpcUpstream, Loaded, Loader, Reflection, refresh,
};
use http::{HeaderMap, Request};
use prost::Message as _;
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet};
use scripted::{Scripted, files, services, shop, shop_server, shop_set};
use tonic::Status;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

/// A file with a service whose one method takes and gives its one message.
fn file(name: &str, fields: &[&str]) -> FileDescriptorProto {
    let message = Some(format!(".{name}.M"));
    let method = prost_types::MethodDescriptorProto {
        name: Some("Do".to_owned()),
        input_type: message.clone(),
        output_type: message,
        ..Default::default()
    };
    let field = |(number, name): (i32, &&str)| FieldDescriptorProto {
        name: Some((*name).to_owned()),
        number: Some(number),
        r#type: Some(9),
        ..FieldDescriptorProto::default()
    };
    FileDescriptorProto {
        name: Some(format!("{name}.proto")),
        package: Some(name.to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("M".to_owned()),
            field: (1..).zip(fields).map(field).collect(),
            ..DescriptorProto::default()
        }],
        service: vec![prost_types::ServiceDescriptorProto {
            name: Some("S".to_owned()),
            method: vec![method],
            ..Default::default()
        }],
        ..FileDescriptorProto::default()
    }
}

fn answer(
    file: &FileDescriptorProto,
) -> Result<tonic_reflection::pb::v1::server_reflection_response::MessageResponse, Status> {
    files(vec![file.encode_to_vec()])
}

async fn load(upstream: impl GrpcUpstream, options: DescriptorOptions) -> Result<Loaded, DescriptorError> {
    Loader::new(options).upstream("the upstream", upstream).load().await
}

fn names(loaded: &Loaded) -> Vec<&str> {
    loaded.services.iter().map(grpcws::services::Service::full_name).collect()
}

#[tokio::test]
async fn a_question_that_ends_the_stream_with_whatever_status_costs_itself_alone() {
    for code in 1..=16 {
        let server = Scripted::new(move |asked| match asked {
            MessageRequest::ListServices(_) => services(&["a.S", "gone.S", "b.S"]),
            MessageRequest::FileContainingSymbol(name) if name == "gone.S" => {
                Err(Status::new(tonic::Code::from_i32(code), "an exception"))
            }
            MessageRequest::FileContainingSymbol(name) => answer(&file(name.trim_end_matches(".S"), &["f"])),
            other => panic!("{other:?}"),
        });
        let loaded =
            load(server.routes(), DescriptorOptions::default()).await.expect("two describe themselves");
        assert_eq!(names(&loaded), ["a.S", "b.S"], "code {code}");
    }
}

#[tokio::test]
async fn a_stream_that_ends_with_each_bad_question_is_opened_again_for_every_good_one() {
    // Ten imports of which each second one is not to be had.
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let server = Scripted::new(move |question| {
        counter.fetch_add(1, Ordering::Relaxed);
        match question {
            MessageRequest::ListServices(_) => services(&["a.S"]),
            MessageRequest::FileContainingSymbol(_) => {
                let mut file = file("a", &["f"]);
                file.dependency = (0..10).map(|number| format!("{number}.proto")).collect();
                answer(&file)
            }
            MessageRequest::FileByFilename(name) => match name[..1].parse::<u32>() {
                Ok(number) if number % 2 == 0 => answer(&file(&format!("p{number}"), &[])),
                _ => Err(Status::unknown("cannot read it")),
            },
            other => panic!("{other:?}"),
        }
    });
    let loaded = load(server.routes(), DescriptorOptions::default()).await.expect("it describes itself");
    assert_eq!(names(&loaded), ["a.S"]);
    assert!(loaded.services.message("p8.M").is_some() && loaded.services.message("p1.M").is_none());
    let asked = asked.load(Ordering::Relaxed);
    assert!(asked < 60, "{asked} questions for 12 files");
}

#[tokio::test]
async fn an_upstream_that_is_gone_in_the_middle_is_not_taken_for_one_without_services() {
    let mut left = 2;
    let server = Scripted::new(move |question| match question {
        MessageRequest::ListServices(_) => services(&["a.S", "b.S", "c.S", "d.S", "e.S"]),
        MessageRequest::FileContainingSymbol(name) if left > 0 => {
            left -= 1;
            answer(&file(name.trim_end_matches(".S"), &["f"]))
        }
        _ => Err(Status::unavailable("gone")),
    });
    let error = load(server.routes(), DescriptorOptions::default()).await.expect_err("it is gone");
    assert_eq!(error.upstream_code(), Some(Code::Unavailable));
}

/// What a server answers that wants a token.
async fn guard(
    mut request: Request<tonic::body::Body>,
) -> Result<http::Response<tonic::body::Body>, std::convert::Infallible> {
    if request.headers_mut().remove("authorization").is_none_or(|value| value != "Bearer t0ken") {
        return Ok(Status::unauthenticated("no token").into_http());
    }
    tower::Service::call(&mut shop_server(&[]).routes(), request).await
}

fn guarded() -> impl GrpcUpstream {
    tower::service_fn(guard)
}

#[tokio::test]
async fn metadata_goes_with_reflection() {
    let error = load(guarded(), DescriptorOptions::default()).await.expect_err("it is refused");
    assert!(matches!(error, DescriptorError::Refused { .. }), "{error:?}");
    assert!(error.to_string().contains("--reflection-header"), "{error}");
    assert_eq!(error.upstream_code(), Some(Code::Unauthenticated));

    let mut metadata = HeaderMap::new();
    metadata.insert("authorization", "Bearer t0ken".parse().expect("a value"));
    let mut loader =
        Loader::new(DescriptorOptions::default()).upstream_for("the upstream", guarded(), &[], metadata);
    assert_eq!(names(&loader.load().await.expect("it is let in")), ["shop.v1.Shop"]);
}

/// Runs `grpcws` with these arguments, and tells how it ends, what is on stdout and what on stderr.
async fn grpcws(arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_grpcws"));
    let output = command.args(arguments).env_remove("RUST_LOG").kill_on_drop(true).output();
    let output =
        tokio::time::timeout(Duration::from_secs(20), output).await.expect("it ends").expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn list_and_describe_send_headers_and_say_when_they_lack_some() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let server =
        tower::service_fn(|request: Request<axum::body::Body>| guard(request.map(tonic::body::Body::new)));
    let app = axum::Router::new().fallback_service(server);
    let options = grpcws::server::ServerOptions::default();
    tokio::spawn(grpcws::server::serve(listener, app, options, grpcws::Shutdown::new()));

    let (code, _, error) = grpcws(&["list", "--upstream", &url]).await;
    assert_eq!(code, Some(16), "{error}");
    assert!(error.contains("refuses server reflection"), "{error}");
    let header = ["-H", "authorization: Bearer t0ken"];
    let (code, names, error) = grpcws(&[&["list", "--upstream", &url], &header[..]].concat()).await;
    assert_eq!((code, names.as_str()), (Some(0), "shop.v1.Shop\n"), "{error}");
    let described = grpcws(&[&["describe", "--upstream", &url, "shop.v1.Item"], &header[..]].concat()).await;
    assert!(described.1.contains("message Item"), "{described:?}");
    let (code, _, error) = grpcws(&["list", "--upstream", &url, "-H", "no header"]).await;
    assert_eq!(code, Some(64), "{error}");
}

#[tokio::test]
async fn files_and_reflection_complete_each_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let set = folder.path().join("shop.binpb");
    std::fs::write(&set, shop_set()).expect("it is written");
    // The upstream has the shop without annotations, as tonic's reflection does, and a service of its own.
    let bare = |name: &str| {
        let mut file = FileDescriptorProto::decode(shop()[name].as_slice()).expect("a descriptor");
        let methods = file.service.iter_mut().flat_map(|service| &mut service.method);
        methods.for_each(|method| method.options = None);
        file.encode_to_vec()
    };
    let bare_shop: Vec<_> = ["shop.proto", "item.proto"].map(bare).into();
    let server = || {
        let bare_shop = bare_shop.clone();
        Scripted::new(move |asked| match asked {
            MessageRequest::ListServices(_) => services(&["shop.v1.Shop", "own.S"]),
            MessageRequest::FileContainingSymbol(name) if name == "own.S" => {
                let mut own = file("own", &["f"]);
                own.message_type[0].field[0].r#type = Some(11);
                own.message_type[0].field[0].type_name = Some(".shop.v1.Item".to_owned());
                answer(&own)
            }
            _ => files(bare_shop.clone()),
        })
        .routes()
    };
    let options = || DescriptorOptions::default().reflection(Reflection::Always).descriptor_set(&set);
    let loaded = load(server(), options()).await.expect("both describe themselves");
    let mut found = names(&loaded);
    found.sort_unstable();
    assert_eq!(found, ["own.S", "shop.v1.Shop"]);
    assert!(loaded.services.routes().find("/v1/items/7").is_some(), "the annotations are those of the set");

    // Without the upstream there is what the set has, and the rest is to come.
    let gone = Scripted::new(|_| Err(Status::unavailable("gone")));
    let loaded = load(gone.routes(), options()).await.expect("the set is there");
    assert_eq!(names(&loaded), ["shop.v1.Shop"]);
    assert!(loaded.services.may_come("own.S"));
    // Without the option nobody is asked.
    let loaded =
        load(server(), DescriptorOptions::default().descriptor_set(&set)).await.expect("the set is there");
    assert_eq!(names(&loaded), ["shop.v1.Shop"]);
}

/// A server whose one service becomes another one, and how often it was asked.
struct Changing {
    name: Arc<Mutex<&'static str>>,
    asked: Arc<AtomicUsize>,
}

impl Changing {
    fn start(options: DescriptorOptions) -> (Self, Descriptors) {
        let changing = Self { name: Arc::new(Mutex::new("a")), asked: Arc::default() };
        let (name, asked) = (Arc::clone(&changing.name), Arc::clone(&changing.asked));
        let server = Scripted::new(move |question| {
            let name = *name.lock().expect("no panic");
            match question {
                MessageRequest::ListServices(_) => {
                    asked.fetch_add(1, Ordering::Relaxed);
                    services(&[&format!("{name}.S")])
                }
                _ => answer(&file(name, &["f"])),
            }
        });
        let descriptors = Descriptors::pending();
        let loader = Loader::new(options).upstream("the upstream", server.routes());
        tokio::spawn(refresh(loader, descriptors.clone(), Arc::default()));
        (changing, descriptors)
    }

    fn becomes(&self, name: &'static str) {
        *self.name.lock().expect("no panic") = name;
    }
}

fn has(descriptors: &Descriptors, service: &str) -> bool {
    descriptors.current().is_some_and(|services| services.service(service).is_some())
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_changes_unseen_is_asked_again_after_a_while() {
    let (server, descriptors) = Changing::start(DescriptorOptions::default());
    descriptors.loaded().await;
    server.becomes("b");
    tokio::time::sleep(Duration::from_secs(7 * 60)).await;
    assert!(has(&descriptors, "a.S"));
    tokio::time::sleep(Duration::from_secs(6 * 60)).await;
    assert!(has(&descriptors, "b.S") && !has(&descriptors, "a.S"));
}

#[tokio::test(start_paused = true)]
async fn a_call_of_a_method_that_is_not_there_makes_the_upstream_be_asked_again() {
    let (server, descriptors) = Changing::start(DescriptorOptions::default());
    descriptors.loaded().await;
    server.becomes("b");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert!(has(&descriptors, "a.S"));
    descriptors.request();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(has(&descriptors, "b.S"));
}

#[tokio::test(start_paused = true)]
async fn strangers_who_call_what_is_not_there_do_not_keep_the_upstream_busy() {
    let (server, descriptors) = Changing::start(DescriptorOptions::default());
    descriptors.loaded().await;
    for _ in 0..36_000 {
        descriptors.request();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // 10 s, 20 s, 40 s and so on, up to 10 min.
    let hour = server.asked.load(Ordering::Relaxed);
    assert!((8..=16).contains(&hour), "{hour} times in an hour");
    // When something is new, the next call waits for 10 s again.
    server.becomes("b");
    while !has(&descriptors, "b.S") {
        descriptors.request();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    server.becomes("a");
    tokio::time::sleep(Duration::from_secs(9)).await;
    descriptors.request();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(has(&descriptors, "a.S"));
}

#[tokio::test]
async fn descriptors_that_are_made_to_be_dear_are_refused_before_they_are_decoded() {
    // Two bytes each, of which the decoder would make hundreds.
    for (what, hostile) in [("messages", b"\x22\x00"), ("imports", b"\x1a\x00"), ("enums", b"\x2a\x00")] {
        let server = Scripted::new(move |asked| match asked {
            MessageRequest::ListServices(_) => services(&["a.S"]),
            _ => files(vec![hostile.repeat(600_000)]),
        });
        let error = load(server.routes(), DescriptorOptions::default()).await.expect_err(what);
        let text =
            "the descriptors of the upstream exceed the limit of 500000 declarations (--max-declarations)";
        assert_eq!(error.to_string(), text, "{what}");
    }

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("hostile.binpb");
    let set = FileDescriptorSet { file: vec![file("a", &["f"; 1_000])] };
    std::fs::write(&path, set.encode_to_vec()).expect("it is written");
    let mut loader: Loader<tonic::service::Routes> =
        Loader::new(DescriptorOptions::default().descriptor_set(&path).max_declarations(1_000));
    let error = loader.load().await.expect_err("too many");
    assert!(
        error.to_string().ends_with("exceed the limit of 1000 declarations (--max-declarations)"),
        "{error}"
    );
}
