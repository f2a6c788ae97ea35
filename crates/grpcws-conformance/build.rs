//! Compiles the interop service's proto, without protoc.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["grpc/testing/test.proto"], ["proto"])?;
    let mut config = prost_build::Config::new();
    config.bytes(["."]);
    let generator = tonic_prost_build::configure().build_server(false).build_transport(false);
    generator.compile_fds_with_config(descriptors, config)?;
    Ok(())
}
