//! Compiles the service's proto, without protoc.

use std::error::Error;
use std::path::PathBuf;

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["grpcws/bench/v1/bench.proto"], ["proto"])?;
    let out_dir = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out_dir.join("grpcws_bench.binpb"), descriptors.encode_to_vec())?;
    let mut config = prost_build::Config::new();
    // The events of a stream share their strings' allocation only as bytes; text is cloned once per event.
    config.enable_type_names();
    tonic_prost_build::configure().compile_fds_with_config(descriptors, config)?;
    Ok(())
}
