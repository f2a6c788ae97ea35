//! The files that are always there.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorSet;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::files::{DescriptorFile, FileSet};

/// The option that makes routes. Its sources have what goes over the wire, in words of their own.
const SOURCES: [(&str, &str); 2] = [
    ("google/api/annotations.proto", include_str!("builtin/google/api/annotations.proto")),
    ("google/api/http.proto", include_str!("builtin/google/api/http.proto")),
];

/// The well-known types, the types of `google.rpc` that errors have as their details, and the option `google.api.http`.
pub(super) fn files() -> &'static FileSet {
    static FILES: LazyLock<FileSet> = LazyLock::new(|| {
        let mut files = FileSet::default();
        for file in DescriptorPool::global().file_descriptor_protos() {
            files.insert(known(file.encode_to_vec()));
        }
        let set = FileDescriptorSet::decode(tonic_types::pb::FILE_DESCRIPTOR_SET).expect("it is embedded");
        for mut file in set.file.into_iter().filter(|file| file.package() == "google.rpc") {
            // They were compiled in their own folder, so they lack it in their names.
            file.name = file.name.map(|name| format!("google/rpc/{name}"));
            files.insert(known(file.encode_to_vec()));
        }
        for file in compiled().file {
            files.insert(known(file.encode_to_vec()));
        }
        files
    });
    &FILES
}

fn compiled() -> FileDescriptorSet {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Sources);
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_files(SOURCES.map(|(name, _)| name)).expect("they are tested");
    compiler.file_descriptor_set()
}

/// Finds the sources.
struct Sources;

impl FileResolver for Sources {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        match SOURCES.iter().find(|(found, _)| *found == name) {
            Some((_, source)) => File::from_source(name, source),
            None => Err(Error::file_not_found(name)),
        }
    }
}

/// Finds all [`files`] for the compiler, so that nobody needs copies of them to import.
pub(super) struct Resolver;

impl FileResolver for Resolver {
    fn open_file(&self, name: &str) -> Result<File, Error> {
        let file = files().file(name).ok_or_else(|| Error::file_not_found(name))?;
        Ok(File::from_file_descriptor_proto(file.descriptor().clone()))
    }
}

fn known(bytes: Vec<u8>) -> DescriptorFile {
    DescriptorFile::decode(Bytes::from(bytes)).expect("it was encoded a moment ago")
}

#[cfg(test)]
mod tests {
    use grpcws::services::Services;

    use super::*;

    #[test]
    fn error_details_and_well_known_types_are_there() {
        let services = Services::from_file_descriptor_set(&files().encode()).expect("they are complete");
        for name in [
            "google.api.HttpRule",
            "google.protobuf.Any",
            "google.protobuf.Empty",
            "google.protobuf.FieldMask",
            "google.protobuf.MethodOptions",
            "google.protobuf.Struct",
            "google.protobuf.Timestamp",
            "google.protobuf.UInt64Value",
            "google.rpc.BadRequest",
            "google.rpc.ErrorInfo",
            "google.rpc.Help",
            "google.rpc.LocalizedMessage",
            "google.rpc.PreconditionFailure",
            "google.rpc.QuotaFailure",
            "google.rpc.RequestInfo",
            "google.rpc.ResourceInfo",
            "google.rpc.RetryInfo",
            "google.rpc.Status",
        ] {
            assert!(services.message(name).is_some(), "{name}");
        }
        assert!(files().file("google/rpc/error_details.proto").is_some());
    }
}
