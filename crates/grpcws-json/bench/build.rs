//! Generates the messages twice: for prost with pbjson, and for buffa.

use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=proto/bench.proto");
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let set = protox::compile(["bench.proto"], ["proto"])?;
    let bytes = set.encode_to_vec();
    let path = out.join("descriptors.binpb");
    std::fs::write(&path, &bytes)?;
    prost_build::Config::new()
        .compile_well_known_types()
        .extern_path(".google.protobuf", "::pbjson_types")
        .compile_fds(set)?;
    pbjson_build::Builder::new().register_descriptors(&bytes)?.build(&[".bench.v1"])?;
    buffa_build::Config::new()
        .descriptor_set(&path)
        .files(&["bench.proto"])
        .out_dir(out.join("buffa"))
        .include_file("all.rs")
        .generate_json(true)
        .compile()?;
    Ok(())
}
