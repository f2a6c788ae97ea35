//! The services of `tests/proto`.
#![allow(dead_code, reason = "each test file uses a part of it")]

/// A descriptor set with `library.proto` and its imports.
pub(crate) fn library() -> Vec<u8> {
    compiled("library.proto")
}

/// A descriptor set with this file and its imports.
pub(crate) fn compiled(file: &str) -> Vec<u8> {
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proto");
    let mut compiler = protox::Compiler::new([protos]).expect("the folder is there");
    compiler.include_imports(true).open_file(file).expect("it compiles");
    compiler.encode_file_descriptor_set()
}
