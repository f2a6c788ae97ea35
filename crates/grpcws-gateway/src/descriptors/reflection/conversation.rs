//! The stream of questions and answers.

use std::collections::VecDeque;
use std::error::Error;

use grpcws::{Code, Status};
use http::HeaderMap;
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Streaming};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::GrpcUpstream;
use super::answers::{Answers, Failure, Question};

/// How many questions are asked before their answers are there: enough that the way to the upstream and back is paid
/// for once in so many files.
const AHEAD: usize = 32;

/// Asks until nothing is left to ask.
///
/// Answers come in the order of the questions. Many servers end the stream where they cannot answer a question: tonic with
/// its status, others with what they make of an exception. That costs the one question and no other: the rest is asked on
/// another stream. Which question it was is certain only if no other one was under way, so after such an end those that
/// were are asked one by one.
pub(super) async fn converse<S: GrpcUpstream>(
    service: S,
    method: &'static str,
    metadata: &HeaderMap,
    max_bytes: usize,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let mut client = Grpc::new(service).max_decoding_message_size(max_bytes);
    let mut so_far = SoFar::default();
    while let Some(first) = answers.next() {
        let (questions, stream) = mpsc::channel(AHEAD);
        let mut open = Open { questions, unanswered: VecDeque::new(), so_far, answered: 0 };
        open.ask(first);
        open.fill(answers);
        let result = match responses(&mut client, method, metadata, stream).await {
            Ok(responses) => open.listen(responses, answers).await,
            Err(failure) => Err(failure),
        };
        so_far = match result {
            Ok(()) => open.so_far,
            Err(failure) => open.recover(failure, answers)?,
        };
    }
    Ok(())
}

/// How many streams in a row may end as if the upstream were gone.
const MAX_LOST: usize = 3;

/// What is known from one stream to the next.
#[derive(Debug, Clone, Copy, Default)]
struct SoFar {
    /// How many questions are asked one by one.
    suspects: usize,
    /// Whether a question was ever answered.
    works: bool,
    /// How many streams ended as if the upstream were gone since the last answer.
    lost: usize,
}

/// A stream with questions under way.
struct Open {
    questions: mpsc::Sender<ServerReflectionRequest>,
    unanswered: VecDeque<Question>,
    so_far: SoFar,
    /// How many answers this stream has given.
    answered: usize,
}

impl Open {
    fn ask(&mut self, question: Question) {
        let request =
            ServerReflectionRequest { host: String::new(), message_request: Some(question.request()) };
        // The channel has room for as many as may be unanswered; it is closed when the call has failed, which the
        // responses tell.
        let _ = self.questions.try_send(request);
        self.unanswered.push_back(question);
    }

    fn fill(&mut self, answers: &mut Answers) {
        let ahead = if self.so_far.suspects > 0 { 1 } else { AHEAD };
        while self.unanswered.len() < ahead
            && let Some(question) = answers.next()
        {
            self.ask(question);
        }
    }

    async fn listen(
        &mut self,
        mut responses: Streaming<ServerReflectionResponse>,
        answers: &mut Answers,
    ) -> Result<(), Failure> {
        while !self.unanswered.is_empty() {
            let response = match responses.message().await {
                Ok(Some(response)) => response,
                Ok(None) => return Err(Failure::Ended),
                Err(status) => return Err(failure(status)),
            };
            if let Some(question) = self.unanswered.pop_front() {
                self.answered += 1;
                let suspects = self.so_far.suspects.saturating_sub(1);
                self.so_far = SoFar { suspects, works: true, lost: 0 };
                answers.take(&question, response.message_response)?;
            }
            self.fill(answers);
        }
        Ok(())
    }

    /// Goes on after the end of a stream, if it can have been about a question.
    fn recover(mut self, failure: Failure, answers: &mut Answers) -> Result<SoFar, Failure> {
        let status = match failure {
            Failure::Stream(status) if self.so_far.works || !self.is_about_reflection(&status) => status,
            Failure::Ended if self.so_far.works => no_answer(),
            Failure::Ended => return Err(Failure::Answer(no_answer())),
            failure => return Err(failure),
        };
        let lost = is_like_a_loss(&status);
        if lost {
            self.so_far.lost += 1;
            if self.so_far.lost > MAX_LOST || !self.so_far.works {
                return Err(Failure::Stream(status));
            }
        }
        if self.unanswered.len() > 1 {
            self.so_far.suspects = self.unanswered.len();
        } else if let Some(question) = self.unanswered.pop_front() {
            self.so_far.suspects = self.so_far.suspects.saturating_sub(1);
            // If the upstream was gone for a moment, it may answer later.
            if !(lost && answers.postpone(&question)) {
                answers.failed(&question, status)?;
            }
        }
        answers.put_back(self.unanswered);
        Ok(self.so_far)
    }

    /// Whether a status, before any answer, says that there is no reflection for us.
    fn is_about_reflection(&self, status: &Status) -> bool {
        let refused =
            matches!(status.code(), Code::Unimplemented | Code::Unauthenticated | Code::PermissionDenied);
        refused || self.unanswered.front() == Some(&Question::Services)
    }
}

/// Whether the way to the upstream ends with such a status too.
fn is_like_a_loss(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled)
}

pub(super) fn no_answer() -> Status {
    Status::new(Code::Internal, "server reflection ended before its last answer")
}

async fn responses<S: GrpcUpstream>(
    client: &mut Grpc<S>,
    method: &'static str,
    metadata: &HeaderMap,
    questions: mpsc::Receiver<ServerReflectionRequest>,
) -> Result<Streaming<ServerReflectionResponse>, Failure> {
    client.ready().await.map_err(|error| failure(tonic::Status::from_error(error.into())))?;
    let metadata = MetadataMap::from_headers(metadata.clone());
    let request = Request::from_parts(metadata, Extensions::default(), ReceiverStream::new(questions));
    let codec = ProstCodec::<ServerReflectionRequest, ServerReflectionResponse>::default();
    let response = client.streaming(request, PathAndQuery::from_static(method), codec).await;
    response.map(tonic::Response::into_inner).map_err(failure)
}

/// The status that an error stands for. That of the pool is inside of tonic's.
fn failure(status: tonic::Status) -> Failure {
    if let Some(status) = status.source().and_then(Status::find) {
        return Failure::Stream(status.clone());
    }
    Failure::Stream(match status.code() {
        // What tonic makes of an error that it does not know: the connection failed.
        tonic::Code::Unknown if status.source().is_some() => {
            Status::new(Code::Unavailable, status.message().to_owned())
        }
        _ => status.into(),
    })
}
