//! Descriptors from server reflection (`grpc.reflection.v1`, or `v1alpha` where that is not there).

mod answers;
mod conversation;
mod upstream;

use grpcws::{Code, Status};
use grpcws_json::MissingType;
use http::HeaderMap;
use tokio::time::timeout;

use super::error::DescriptorError;
use super::files::FileSet;
use super::options::DescriptorOptions;
pub(super) use answers::Described;
use answers::{Answers, Failure};
use conversation::{converse, no_answer};
pub use upstream::GrpcUpstream;

/// The method of each version. Their messages are the same on the wire.
const METHODS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// The most bytes of one answer. A million empty names take 2 MB on the way and many times as much in memory.
const MAX_ANSWER: usize = 16 << 20;

/// An upstream that is asked.
pub(super) struct Asking<'a, S> {
    pub(super) name: &'a str,
    pub(super) service: S,
    /// What goes with the questions.
    pub(super) metadata: &'a HeaderMap,
    pub(super) options: &'a DescriptorOptions,
}

impl<S: GrpcUpstream> Asking<'_, S> {
    /// Fetches the files of all services that the upstream has, those of some types, and what they import.
    pub(super) async fn everything(self, types: &[MissingType]) -> Result<Described, DescriptorError> {
        let (name, options) = (self.name, self.options);
        let answers = self.ask(|| Answers::new(options, types)).await?;
        Ok(answers.finish(name))
    }

    /// Fetches the files of some types and what they import. Returns all files that are known then, and which of the types
    /// the upstream does not have.
    pub(super) async fn about(
        self,
        types: &[MissingType],
        known: &FileSet,
    ) -> Result<(FileSet, Vec<MissingType>), DescriptorError> {
        let options = self.options;
        let answers = self.ask(|| Answers::about(options, types, known)).await?;
        let absent = types.iter().filter(|missing| answers.is_absent(missing)).cloned().collect();
        Ok((answers.into_files(), absent))
    }

    async fn ask(self, questions: impl Fn() -> Answers + Send) -> Result<Answers, DescriptorError> {
        let (upstream, limit) = (self.name.to_owned(), self.options.timeout);
        let asked = timeout(limit, self.ask_any_version(questions)).await;
        asked.unwrap_or(Err(DescriptorError::Timeout { upstream, timeout: limit }))
    }

    async fn ask_any_version(
        self,
        questions: impl Fn() -> Answers + Send,
    ) -> Result<Answers, DescriptorError> {
        let upstream = || self.name.to_owned();
        let max_bytes = self.options.max_bytes.min(MAX_ANSWER);
        for method in METHODS {
            let mut answers = questions();
            match converse(self.service.clone(), method, self.metadata, max_bytes, &mut answers).await {
                Ok(()) => return Ok(answers),
                Err(Failure::Stream(status)) if status.code() == Code::Unimplemented => {}
                Err(Failure::Stream(status)) if is_refusal(&status) => {
                    return Err(DescriptorError::Refused {
                        upstream: upstream(),
                        code: status.code(),
                        status,
                    });
                }
                Err(Failure::Stream(status) | Failure::Answer(status)) => {
                    return Err(DescriptorError::Reflection { upstream: upstream(), status });
                }
                Err(Failure::Ended) => {
                    return Err(DescriptorError::Reflection { upstream: upstream(), status: no_answer() });
                }
                Err(Failure::Limit(limit)) => {
                    return Err(DescriptorError::TooLarge { upstream: upstream(), limit });
                }
            }
        }
        Err(DescriptorError::NoReflection { upstream: upstream() })
    }
}

fn is_refusal(status: &Status) -> bool {
    matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied)
}
