//! Descriptors from server reflection (`grpc.reflection.v1`, or `v1alpha` where that is not there).

mod answers;
mod conversation;
mod upstream;

use std::time::Duration;

use grpcws::{Code, Status};
use tokio::time::timeout;

use super::error::DescriptorError;
use super::files::FileSet;
use super::options::DescriptorOptions;
use answers::{Answers, Failure};
use conversation::converse;
pub use upstream::GrpcUpstream;

/// The method of each version. Their messages are the same on the wire.
const METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Fetches the files of all services that an upstream has, and what they import.
pub(super) async fn fetch<S: GrpcUpstream>(
    name: &str,
    service: S,
    options: &DescriptorOptions,
) -> Result<FileSet, DescriptorError> {
    let fetched = timeout(options.timeout, fetch_any_version(name, service, options)).await;
    fetched.unwrap_or_else(|_| Err(out_of_time(name, options.timeout)))
}

fn out_of_time(name: &str, timeout: Duration) -> DescriptorError {
    DescriptorError::Timeout { upstream: name.to_owned(), timeout }
}

async fn fetch_any_version<S: GrpcUpstream>(
    name: &str,
    service: S,
    options: &DescriptorOptions,
) -> Result<FileSet, DescriptorError> {
    for method in METHODS {
        let mut answers = Answers::new(options);
        match converse(service.clone(), method, options.max_bytes, &mut answers).await {
            Ok(()) => return Ok(answers.finish(name)),
            Err(Failure::Stream(status)) if is_unimplemented(&status) => {}
            Err(Failure::Stream(status) | Failure::Answer(status)) => {
                return Err(DescriptorError::Reflection { upstream: name.to_owned(), status });
            }
            Err(Failure::Limit(limit)) => {
                return Err(DescriptorError::TooLarge { upstream: name.to_owned(), limit });
            }
        }
    }
    Err(DescriptorError::NoReflection { upstream: name.to_owned() })
}

fn is_unimplemented(status: &Status) -> bool {
    status.code() == Code::Unimplemented
}
