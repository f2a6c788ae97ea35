//! Compiles the demo's proto, without protoc.
//!
//! Writes into `OUT_DIR`: the Rust code of the messages and the service, and `game_descriptor_set.bin`, the serialized
//! `FileDescriptorSet` with its imports, which reflection and the JSON table are made from.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=proto");
    // A file that is new in the folder is only embedded when the crate is compiled again.
    println!("cargo:rerun-if-changed=assets");

    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_file("game/v1/game.proto")?;
    let descriptors = compiler.file_descriptor_set();

    let out = PathBuf::from(env::var("OUT_DIR")?);
    // The compiler's own encoding keeps options that `prost_types` does not know.
    fs::write(out.join("game_descriptor_set.bin"), compiler.encode_file_descriptor_set())?;

    let mut config = prost_build::Config::new();
    // `prost::Name` tells the typed handlers which message of the table a type is.
    config.enable_type_names();
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .build_transport(false)
        // Sorted maps make the JSON of a message the same every time.
        .btree_map(".")
        .compile_fds_with_config(descriptors, config)?;
    Ok(())
}
