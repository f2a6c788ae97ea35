//! Compiles the service's proto, without protoc.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["grpcws/test/v1/test.proto"], ["proto"])?;
    let out_dir = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out_dir.join("grpcws_test.binpb"), descriptors.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    config
        // Typed handlers find a message's descriptor by its full name.
        .enable_type_names()
        // All responses of a call share one payload, and an absent map costs nothing to clone.
        .bytes(["."])
        .btree_map(["."]);
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
