//! The files that are always there.

use std::sync::LazyLock;

use bytes::Bytes;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::FileDescriptorSet;

use super::files::{DescriptorFile, FileSet};

/// The well-known types, and the types of `google.rpc` that errors have as their details.
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
        files
    });
    &FILES
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
            assert!(services.table().message(name).is_some(), "{name}");
        }
        assert!(files().file("google/rpc/error_details.proto").is_some());
    }
}
