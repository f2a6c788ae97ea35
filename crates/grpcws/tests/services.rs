//! Services read from descriptor sets.

mod common_protos;

use common_protos::library;
use grpcws::MethodKind;
use grpcws::json::FieldKind;
use grpcws::services::{Descriptors, Services, ServicesError};
use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};

#[test]
fn methods_are_found_by_service_and_name() {
    let services = Services::from_file_descriptor_set(&library()).expect("a descriptor set");
    let names: Vec<_> = services.iter().map(|service| service.full_name()).collect();
    assert_eq!(names, ["library.v1.Library", "library.v1.Plain"]);

    let method = services.method("library.v1.Library", "WatchShelf").expect("it is there");
    assert_eq!(method.name(), "WatchShelf");
    assert_eq!(method.service(), "library.v1.Library");
    assert_eq!(method.full_name(), "library.v1.Library.WatchShelf");
    assert_eq!(method.path(), "/library.v1.Library/WatchShelf");
    assert_eq!(method.kind(), MethodKind::ServerStreaming);
    assert_eq!(method.request().full_name(), "library.v1.WatchShelfRequest");
    assert_eq!(method.response().full_name(), "library.v1.Book");

    for (service, method) in
        [("library.v1.Library", "watchShelf"), ("library.v1", "Library"), ("", ""), ("Library", "WatchShelf")]
    {
        assert!(services.method(service, method).is_none(), "{service}/{method}");
    }
    assert!(services.message("library.v1.Shelf").is_some());
}

#[test]
fn kinds_follow_the_streams() {
    let services = Services::from_file_descriptor_set(&library()).expect("a descriptor set");
    let kinds: Vec<_> = services.methods().map(|method| (method.name(), method.kind())).collect();
    assert_eq!(
        kinds,
        [
            ("GetBook", MethodKind::Unary),
            ("WatchShelf", MethodKind::ServerStreaming),
            ("CreateBook", MethodKind::Unary),
            ("PatchBook", MethodKind::Unary),
            ("Upload", MethodKind::ClientStreaming),
            ("Talk", MethodKind::Bidi),
            ("Talk", MethodKind::Bidi),
        ]
    );
}

#[test]
fn http_rules_are_read_with_their_additional_bindings() {
    let services = Services::from_file_descriptor_set(&library()).expect("a descriptor set");
    let rules = |method| {
        let method = services.method("library.v1.Library", method).expect("it is there");
        let rules = method.http_rules().iter();
        rules.map(|rule| (rule.verb(), rule.path(), rule.body(), rule.response_body())).collect::<Vec<_>>()
    };
    assert_eq!(
        rules("GetBook"),
        [("GET", "/v1/{name=shelves/*/books/*}", None, None), ("GET", "/v1/books/{name}", None, None),]
    );
    assert_eq!(rules("WatchShelf"), [("WATCH", "/v1/shelves/{shelf.id}:watch", None, None)]);
    assert_eq!(rules("CreateBook"), [("POST", "/v1/shelves/{shelf}/books", Some("book"), Some("title"))]);
    assert_eq!(rules("PatchBook"), [("PATCH", "/v1/{name=shelves/*/books/*}", Some("*"), None)]);
    assert_eq!(rules("Talk"), []);
}

#[test]
fn deprecation_is_told() {
    let services = Services::from_file_descriptor_set(&library()).expect("a descriptor set");
    let deprecated: Vec<_> =
        services.methods().filter(|method| method.is_deprecated()).map(|method| method.path()).collect();
    assert_eq!(deprecated, ["/library.v1.Library/Talk"]);
    let deprecated: Vec<_> = services
        .iter()
        .filter(|service| service.is_deprecated())
        .map(|service| service.full_name())
        .collect();
    assert_eq!(deprecated, ["library.v1.Plain"]);
}

/// A file with the message `M` and services whose methods take and return the given types.
fn file(package: &str, services: &[(&str, &[(&str, &str)])]) -> FileDescriptorSet {
    let method = |(name, request): &(&str, &str)| MethodDescriptorProto {
        name: Some((*name).to_owned()),
        input_type: Some((*request).to_owned()),
        output_type: Some(".google.protobuf.Empty".to_owned()),
        ..MethodDescriptorProto::default()
    };
    let service = |(name, methods): &(&str, &[(&str, &str)])| ServiceDescriptorProto {
        name: Some((*name).to_owned()),
        method: methods.iter().map(method).collect(),
        ..ServiceDescriptorProto::default()
    };
    let message = DescriptorProto { name: Some("M".to_owned()), ..DescriptorProto::default() };
    FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("m.proto".to_owned()),
            package: Some(package.to_owned()),
            message_type: vec![message],
            service: services.iter().map(service).collect(),
            ..FileDescriptorProto::default()
        }],
    }
}

#[test]
fn a_service_may_have_no_package() {
    let set = file("", &[("S", &[("Do", ".M")])]).encode_to_vec();
    let services = Services::from_file_descriptor_set(&set).expect("a descriptor set");
    let method = services.method("S", "Do").expect("it is there");
    assert_eq!((method.path(), method.service(), method.name()), ("/S/Do", "S", "Do"));
}

#[test]
fn types_may_have_names_relative_to_the_service() {
    for name in ["M", "p.M", ".a.p.M"] {
        let set = file("a.p", &[("S", &[("Do", name)])]).encode_to_vec();
        let services = Services::from_file_descriptor_set(&set).expect("a descriptor set");
        let method = services.method("a.p.S", "Do").expect("it is there");
        assert_eq!(method.request().full_name(), "a.p.M");
    }
}

#[test]
fn what_is_wrong_is_named() {
    let error = |set: FileDescriptorSet| {
        Services::from_file_descriptor_set(&set.encode_to_vec()).expect_err("it is wrong")
    };
    assert_eq!(
        error(file("p", &[("S", &[("Do", ".p.Missing")])])).to_string(),
        "method p.S.Do has type p.Missing, which is in none of the files"
    );
    assert_eq!(
        error(file("p", &[("S", &[("Do", ".p.M"), ("Do", ".p.M")])])),
        ServicesError::DuplicateName { name: "p.S.Do".to_owned() }
    );
    assert_eq!(
        error(file("p", &[("S", &[]), ("S", &[])])),
        ServicesError::DuplicateName { name: "p.S".to_owned() }
    );
    assert!(matches!(
        Services::from_file_descriptor_set(b"no descriptors"),
        Err(ServicesError::Malformed(_))
    ));
}

#[test]
fn an_empty_set_has_no_services() {
    let services = Services::from_file_descriptor_set(&[]).expect("nothing is wrong with it");
    assert_eq!(services.iter().count(), 0);
}

#[tokio::test]
async fn the_first_descriptors_can_be_waited_for_and_later_ones_replace_them() {
    let descriptors = Descriptors::pending();
    let shared = descriptors.clone();
    let waiting = tokio::spawn(async move { shared.loaded().await });
    assert!(descriptors.current().is_none());
    descriptors.replace(Services::from_file_descriptor_set(&[]).expect("an empty set"));
    assert_eq!(waiting.await.expect("no panic").iter().count(), 0);

    let before = descriptors.current().expect("they are there");
    descriptors.replace(Services::from_file_descriptor_set(&library()).expect("a descriptor set"));
    assert_eq!(before.iter().count(), 0, "who has the old ones keeps them");
    assert_eq!(descriptors.loaded().await.iter().count(), 2);
}

#[test]
fn names_without_a_dot_in_front_are_looked_for_from_the_inside_out() {
    let field = |name: &str, number, type_name: &str| FieldDescriptorProto {
        name: Some(name.to_owned()),
        number: Some(number),
        r#type: Some(11),
        type_name: Some(type_name.to_owned()),
        ..FieldDescriptorProto::default()
    };
    let message = |name: &str, field: Vec<FieldDescriptorProto>, nested_type| DescriptorProto {
        name: Some(name.to_owned()),
        field,
        nested_type,
        ..DescriptorProto::default()
    };
    let inner = message("Other", vec![field("inner_mark", 1, "Outer.Other")], Vec::new());
    let fields = vec![
        field("nested", 1, "Other"),
        field("beside", 2, "Outer"),
        field("outer", 3, "v1.Other"),
        field("absolute", 4, ".p.v1.Other"),
    ];
    let file = FileDescriptorProto {
        package: Some("p.v1".to_owned()),
        message_type: vec![message("Outer", fields, vec![inner]), message("Other", Vec::new(), Vec::new())],
        service: vec![ServiceDescriptorProto {
            name: Some("S".to_owned()),
            method: vec![MethodDescriptorProto {
                name: Some("M".to_owned()),
                input_type: Some("Outer".to_owned()),
                output_type: Some("p.v1.Other".to_owned()),
                ..MethodDescriptorProto::default()
            }],
            ..ServiceDescriptorProto::default()
        }],
        syntax: Some("proto3".to_owned()),
        ..FileDescriptorProto::default()
    };
    let set = FileDescriptorSet { file: vec![file] }.encode_to_vec();
    let services = Services::from_file_descriptor_set(&set).expect("every name is found");
    let method = services.method("p.v1.S", "M").expect("it is there");
    let type_of = |field: &str| match method.request().field(field).expect("the field").kind() {
        FieldKind::Message(message) => message.full_name().to_owned(),
        other => panic!("{other:?}"),
    };
    let types = ["nested", "beside", "outer", "absolute"].map(type_of);
    assert_eq!(types, ["p.v1.Outer.Other", "p.v1.Outer", "p.v1.Other", "p.v1.Other"]);
    assert_eq!(method.response().full_name(), "p.v1.Other");
}
