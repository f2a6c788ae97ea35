//! The stream of questions and answers.

use std::collections::VecDeque;
use std::error::Error;

use grpcws::{Code, Status};
use http::uri::PathAndQuery;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::client::Grpc;
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use super::GrpcUpstream;
use super::answers::{Answers, Failure, Question, broken};

/// How many questions are asked before their answers are there: enough that the way to the upstream and back is paid
/// for once in so many files.
const AHEAD: usize = 32;

/// Asks until nothing is left to ask.
///
/// Answers come in the order of the questions. Some servers (tonic's, for one) end the stream with the status of a
/// question that they cannot answer; then the rest is asked on another stream.
pub(super) async fn converse<S: GrpcUpstream>(
    service: S,
    method: &'static str,
    max_bytes: usize,
    answers: &mut Answers,
) -> Result<(), Failure> {
    let mut client = Grpc::new(service).max_decoding_message_size(max_bytes);
    while let Some(first) = answers.next() {
        let (questions, stream) = mpsc::channel(AHEAD);
        let mut open = Open { questions, unanswered: VecDeque::new() };
        open.ask(first);
        open.fill(answers);
        let result = match responses(&mut client, method, stream).await {
            Ok(responses) => open.listen(responses, answers).await,
            Err(failure) => Err(failure),
        };
        if let Err(failure) = result {
            open.recover(failure, answers)?;
        }
    }
    Ok(())
}

/// A stream with questions under way.
struct Open {
    questions: mpsc::Sender<ServerReflectionRequest>,
    unanswered: VecDeque<Question>,
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
        while self.unanswered.len() < AHEAD
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
                Ok(None) => return Err(broken("server reflection ended before its last answer")),
                Err(status) => return Err(failure(status)),
            };
            if let Some(question) = self.unanswered.pop_front() {
                answers.take(&question, response.message_response)?;
            }
            self.fill(answers);
        }
        Ok(())
    }

    /// Takes a status for the answer to the oldest question, where it can be one.
    fn recover(mut self, failure: Failure, answers: &mut Answers) -> Result<(), Failure> {
        let status = match failure {
            Failure::Stream(status) if is_about_a_question(&status) => status,
            failure => return Err(failure),
        };
        if let Some(question) = self.unanswered.pop_front() {
            answers.failed(&question, status)?;
        }
        answers.put_back(self.unanswered);
        Ok(())
    }
}

fn is_about_a_question(status: &Status) -> bool {
    matches!(status.code(), Code::NotFound | Code::InvalidArgument)
}

async fn responses<S: GrpcUpstream>(
    client: &mut Grpc<S>,
    method: &'static str,
    questions: mpsc::Receiver<ServerReflectionRequest>,
) -> Result<Streaming<ServerReflectionResponse>, Failure> {
    client.ready().await.map_err(|error| failure(tonic::Status::from_error(error.into())))?;
    let request = Request::new(ReceiverStream::new(questions));
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
