//! The targets, run over what fuzzing has found worth keeping.

use std::fs;
use std::path::Path;

fn run(name: &str) {
    let (_, target) = grpcws_fuzz_targets::TARGETS
        .iter()
        .find(|(known, _)| *known == name)
        .unwrap_or_else(|| panic!("no target {name}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut inputs = 0;
    for entry in entries {
        let path = entry.expect("the folder can be read").path();
        let input = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        if std::panic::catch_unwind(|| target(&input)).is_err() {
            panic!("{}", path.display());
        }
        inputs += 1;
    }
    assert!(inputs > 10, "{} has {inputs} inputs", folder.display());
}

#[test]
fn wire_to_json() {
    run("wire_to_json");
}

#[test]
fn json_to_wire() {
    run("json_to_wire");
}

#[test]
fn descriptors() {
    run("descriptors");
}

#[test]
fn server_frames() {
    run("server_frames");
}

#[test]
fn client_frames() {
    run("client_frames");
}
