//! Descriptors of several upstreams, or of several files, that were built differently.
#![allow(clippy::indexing_slicing, reason = "a test may panic")]

mod scripted;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use grpcws::json::{MarshalOptions, Message, UnmarshalOptions};
use grpcws_gateway::descriptors::{DescriptorOptions, Loaded, Loader};
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};
use scripted::{Scripted, files, services};
use tonic::service::Routes;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;

/// A file with a message, and services all of whose methods take and give it.
fn file(name: &str, package: &str, fields: &[&str], names: &[&str]) -> FileDescriptorProto {
    let m = Some(format!(".{package}.M"));
    let method = MethodDescriptorProto {
        name: Some("Do".to_owned()),
        input_type: m.clone(),
        output_type: m,
        ..MethodDescriptorProto::default()
    };
    let service = |name: &&str| ServiceDescriptorProto {
        name: Some((*name).to_owned()),
        method: vec![method.clone()],
        ..ServiceDescriptorProto::default()
    };
    let field = |(number, name): (i32, &&str)| FieldDescriptorProto {
        name: Some((*name).to_owned()),
        number: Some(number),
        r#type: Some(9),
        label: Some(1),
        ..FieldDescriptorProto::default()
    };
    FileDescriptorProto {
        name: Some(name.to_owned()),
        package: Some(package.to_owned()),
        message_type: vec![DescriptorProto {
            name: Some("M".to_owned()),
            field: (1..).zip(fields).map(field).collect(),
            ..DescriptorProto::default()
        }],
        service: names.iter().map(service).collect(),
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    }
}

/// A server that has these files and lists their services.
fn server(described: Vec<FileDescriptorProto>) -> Routes {
    let listed = described.iter().flat_map(|file| {
        let package = file.package().to_owned();
        file.service.iter().map(move |service| format!("{package}.{}", service.name()))
    });
    let listed: Vec<String> = listed.collect();
    let server = Scripted::new(move |asked| match asked {
        MessageRequest::ListServices(_) => services(&listed.iter().map(String::as_str).collect::<Vec<_>>()),
        _ => files(described.iter().map(FileDescriptorProto::encode_to_vec).collect()),
    });
    server.routes()
}

fn api(package: &str, names: &[&str]) -> Routes {
    server(vec![file("api.proto", package, &[], names)])
}

fn methods(loaded: &Loaded) -> Vec<&str> {
    loaded.services.methods().map(|method| method.path()).collect()
}

/// The revisions of one file, each with a field more.
const REVISIONS: [&[&str]; 3] = [&["size"], &["size", "token"], &["size", "token", "total"]];

/// Files of a server that was built with a revision: the shared file, and one whose service uses it.
fn built_with(revision: usize) -> Vec<FileDescriptorProto> {
    let shared = file("common/page.proto", "common", REVISIONS[revision], &[]);
    let mut own = file("own.proto", &format!("own{revision}"), &[], &["S"]);
    own.dependency.push("common/page.proto".to_owned());
    for method in &mut own.service[0].method {
        method.input_type = Some(".common.M".to_owned());
        method.output_type = Some(".common.M".to_owned());
    }
    vec![shared, own]
}

const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// All fields of a revision arrive, and no other ones are known, in either direction.
fn is_whole(message: &Message, revision: usize) {
    let members: Vec<String> = REVISIONS[revision].iter().map(|name| format!("\"{name}\":\"x\"")).collect();
    let json = format!("{{{}}}", members.join(","));
    let mut wire = Vec::new();
    message.from_json(json.as_bytes(), &UnmarshalOptions::default(), &mut wire).expect("it is accepted");
    let mut text = Vec::new();
    message.to_json(&wire, &MarshalOptions::default(), &mut text).expect("it is valid");
    assert_eq!(String::from_utf8(text).expect("text"), json);
    for unknown in REVISIONS[2].iter().skip(REVISIONS[revision].len()) {
        let json = format!("{{\"{unknown}\":\"x\"}}");
        assert!(message.from_json(json.as_bytes(), &UnmarshalOptions::default(), &mut wire).is_err());
    }
}

fn all_are_whole(loaded: &Loaded, order: [usize; 3]) {
    assert_eq!(loaded.omitted, [], "{order:?}");
    for revision in 0..3 {
        let method = loaded.services.method(&format!("own{revision}.S"), "Do").expect("a method");
        is_whole(method.request(), revision);
        is_whole(method.response(), revision);
    }
}

#[tokio::test]
async fn upstreams_with_three_revisions_of_a_file_lose_no_field_in_any_order() {
    for order in ORDERS {
        let mut loader = Loader::new(DescriptorOptions::default());
        for revision in order {
            let services = [format!("own{revision}")];
            loader = loader.upstream_for(
                format!("{revision}"),
                server(built_with(revision)),
                &services,
                http::HeaderMap::new(),
            );
        }
        let loaded = loader.load().await.expect("they describe themselves");
        assert_eq!(loaded.sets.len(), 3);
        all_are_whole(&loaded, order);
    }
}

#[tokio::test]
async fn descriptor_sets_with_three_revisions_of_a_file_lose_no_field_in_any_order() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("several_sources");
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for order in ORDERS {
        let mut options = DescriptorOptions::default();
        for revision in order {
            let path = folder.join(format!("{revision}.binpb"));
            let set = FileDescriptorSet { file: built_with(revision) };
            std::fs::write(&path, set.encode_to_vec()).expect("the file can be written");
            options = options.descriptor_set(path);
        }
        let loaded = Loader::<Routes>::new(options).load().await.expect("they are good");
        all_are_whole(&loaded, order);
    }
}

#[tokio::test]
async fn services_of_an_upstream_that_is_not_up_yet_may_still_come() {
    let up = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&up);
    let described = file("api.proto", "game.v1", &[], &["Game"]).encode_to_vec();
    let late = Scripted::new(move |asked| match asked {
        _ if !flag.load(Ordering::Relaxed) => Err(tonic::Status::unavailable("not yet")),
        MessageRequest::ListServices(_) => services(&["game.v1.Game"]),
        _ => files(vec![described.clone()]),
    });
    let mut loader = Loader::new(DescriptorOptions::default())
        .upstream("rest", api("p", &["A"]))
        .upstream_for("late", late.routes(), &["game.v1".to_owned()], http::HeaderMap::new());
    let services = loader.load().await.expect("one is up").services;
    let may_come =
        ["game.v1.Game", "game.v1.Other", "game.v2.Game", "p.B"].map(|name| services.may_come(name));
    assert_eq!(may_come, [true, true, false, false]);
    up.store(true, Ordering::Relaxed);
    let services = loader.load().await.expect("both are up").services;
    assert!(services.is_complete() && services.service("game.v1.Game").is_some());
    // What it gave stays, so nothing is to come when it goes.
    up.store(false, Ordering::Relaxed);
    assert!(loader.load().await.expect("one is up").services.is_complete());
}

#[tokio::test]
async fn an_upstream_without_reflection_has_nothing_to_come() {
    let mut loader = Loader::new(DescriptorOptions::default())
        .upstream("rest", api("p", &["A"]))
        .upstream_for("none", Routes::default(), &["game.v1".to_owned()], http::HeaderMap::new());
    assert!(loader.load().await.expect("one describes itself").services.is_complete());
}

#[tokio::test]
async fn files_of_one_name_in_two_upstreams_are_two_files() {
    let loaded = Loader::new(DescriptorOptions::default())
        .upstream("one", api("one", &["S"]))
        .upstream("two", api("two", &["S"]))
        .upstream("again", api("two", &["S"]))
        .load()
        .await
        .expect("they fit");
    assert_eq!(methods(&loaded), ["/one.S/Do", "/two.S/Do"]);
    assert_eq!((loaded.omitted.len(), loaded.sets.len()), (0, 2));
}

#[tokio::test]
async fn the_descriptor_of_a_service_is_that_of_the_upstream_that_is_called() {
    let revision = |fields: &[&str], names: &[&str]| server(vec![file("api.proto", "p", fields, names)]);
    let loaded = Loader::new(DescriptorOptions::default())
        .upstream("rest", revision(&["a"], &["A", "C"]))
        .upstream_for("own", revision(&["a", "b"], &["A", "B"]), &["p.A".to_owned()], http::HeaderMap::new())
        .load()
        .await
        .expect("they can be used");
    assert_eq!(loaded.omitted, []);
    let has_b = |service| {
        let method = loaded.services.method(service, "Do").expect("a method");
        method.request().fields().any(|field| field.name() == "b")
    };
    // Nobody else has B, though its calls go elsewhere.
    assert_eq!([has_b("p.A"), has_b("p.B"), has_b("p.C")], [true, true, false]);
    assert_eq!(loaded.services.iter().count(), 3);
}
