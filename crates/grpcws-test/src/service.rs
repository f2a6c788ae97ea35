//! The methods.

use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Response, Status, Streaming};

use crate::answer::Answer;
use crate::bidi::{BidiPlan, BidiResponses};
use crate::pb::test_service_server::{self, TestServiceServer};
use crate::pb::{
    BidiRequest, ClientStreamRequest, ClientStreamResponse, Script, ServerStreamRequest, StatsRequest,
    StatsResponse, UnaryRequest, UnaryResponse,
};
use crate::script::{self, Sequence, payload};
use crate::server_stream::ServerStreamResponses;
use crate::stats::{CallGuard, Stats};
use crate::trailing::Trailing;

/// The implementation of `grpcws.test.v1.TestService`. Clones share their statistics.
#[derive(Clone, Debug, Default)]
pub struct TestService {
    stats: Arc<Stats>,
}

impl TestService {
    /// A service that remembers this many ended calls for `Stats`, in place of 1,024.
    #[must_use]
    pub fn remembering(calls: usize) -> Self {
        Self { stats: Arc::new(Stats::remembering(calls)) }
    }

    /// The tower service to add to tonic's `Routes` or `Server`. It sends trailers with status OK too, which
    /// the plain [`TestServiceServer`] does not. Messages may have any size.
    #[must_use]
    pub fn into_service(self) -> Trailing<TestServiceServer<Self>> {
        Trailing(TestServiceServer::new(self).max_decoding_message_size(usize::MAX))
    }

    /// What the method `Stats` answers for all calls: how many are live, and how the others ended.
    #[must_use]
    pub fn stats(&self) -> StatsResponse {
        self.stats.read("", 0, 0)
    }

    /// What the method `Stats` answers for the calls with a tag, with at most `recent` of those that ended.
    #[must_use]
    pub fn stats_of(&self, tag: &str, recent: usize) -> StatsResponse {
        self.stats.read(tag, recent, 0)
    }
}

#[tonic::async_trait]
impl test_service_server::TestService for TestService {
    type ServerStreamStream = ServerStreamResponses;
    type BidiStream = BidiResponses;

    async fn unary(&self, request: Request<UnaryRequest>) -> Result<Response<UnaryResponse>, Status> {
        let mut call = self.stats.begin("Unary");
        let (metadata, _, mut request) = request.into_parts();
        call.received = 1;
        call.tag(&request.tag);
        delay(request.initial_delay_ms).await;
        let mut answer = Answer::new(request.take_answer(), &metadata)?;
        fail(&mut call, &answer)?;
        let response = UnaryResponse {
            sequence: request.sequence,
            payload: match request.size {
                0 => request.payload,
                size => payload(size),
            },
            metadata: std::mem::take(&mut answer.echoed),
            values: request.values,
        };
        call.sent = 1;
        call.end(None);
        Ok(answer.response(response))
    }

    async fn server_stream(
        &self,
        request: Request<ServerStreamRequest>,
    ) -> Result<Response<Self::ServerStreamStream>, Status> {
        let mut call = self.stats.begin("ServerStream");
        let (metadata, _, mut request) = request.into_parts();
        call.received = 1;
        call.tag(&request.tag);
        delay(request.initial_delay_ms).await;
        let mut answer = Answer::new(request.take_answer(), &metadata)?;
        if answer.is_trailers_only() && request.hold_open_ms == 0 {
            fail(&mut call, &answer)?;
        }
        let responses = ServerStreamResponses::new(call, request, &mut answer);
        Ok(answer.response(responses))
    }

    async fn client_stream(
        &self,
        request: Request<Streaming<ClientStreamRequest>>,
    ) -> Result<Response<ClientStreamResponse>, Status> {
        let mut call = self.stats.begin("ClientStream");
        let (metadata, _, mut requests) = request.into_parts();
        let scripted = script::from_metadata(&metadata)?;
        let mut first = None;
        let mut script = match scripted {
            Some(script) => script,
            None => {
                first = requests.message().await?;
                first.as_mut().and_then(|request| request.script.take()).unwrap_or_default()
            }
        };
        call.tag(&script.tag);
        delay(script.initial_delay_ms).await;
        let mut answer = Answer::new(script.take_answer(), &metadata)?;
        let limit = answer.fails_after().unwrap_or(i64::MAX);
        let mut summary = Summary::default();
        summary.read(&mut call, first, requests, &script, limit).await?;
        hold_open(script.hold_open_ms).await;
        fail(&mut call, &answer)?;
        call.sent = 1;
        call.end(None);
        let mut response = summary.into_response(call.received, script.checksum);
        response.payload = payload(script.size);
        response.metadata = std::mem::take(&mut answer.echoed);
        Ok(answer.response(response))
    }

    async fn bidi(
        &self,
        request: Request<Streaming<BidiRequest>>,
    ) -> Result<Response<Self::BidiStream>, Status> {
        let mut call = self.stats.begin("Bidi");
        let (metadata, _, requests) = request.into_parts();
        let Some(mut script) = script::from_metadata(&metadata)? else {
            // The headers leave at once: a client may wait for them before it sends anything.
            let make_plan = move |mut script: Script| {
                let mut answer = Answer::new(script.take_answer(), &metadata)?;
                Ok(BidiPlan::new(script, &mut answer))
            };
            return Ok(Response::new(BidiResponses::opening(call, requests, Box::new(make_plan))));
        };
        call.tag(&script.tag);
        let mut answer = Answer::new(script.take_answer(), &metadata)?;
        if answer.is_trailers_only() && script.hold_open_ms == 0 {
            fail(&mut call, &answer)?;
        }
        let plan = BidiPlan::new(script, &mut answer);
        Ok(answer.response(BidiResponses::scripted(call, requests, plan)))
    }

    async fn stats(&self, request: Request<StatsRequest>) -> Result<Response<StatsResponse>, Status> {
        let request = request.into_inner();
        let recent = usize::try_from(request.recent).unwrap_or(usize::MAX);
        Ok(Response::new(self.stats.read(&request.tag, recent, request.after_end)))
    }
}

/// Ends a call that has sent nothing with the status that it asked for.
fn fail(call: &mut CallGuard, answer: &Answer) -> Result<(), Status> {
    match answer.status(true) {
        Some(status) => {
            call.end(Some(&status));
            Err(status)
        }
        None => Ok(()),
    }
}

async fn delay(milliseconds: u32) {
    if milliseconds > 0 {
        tokio::time::sleep(Duration::from_millis(milliseconds.into())).await;
    }
}

async fn hold_open(milliseconds: i64) {
    match u64::try_from(milliseconds) {
        Ok(0) => {}
        Ok(milliseconds) => tokio::time::sleep(Duration::from_millis(milliseconds)).await,
        // Only the client ends this call, and then the future is dropped.
        Err(_) => std::future::pending().await,
    }
}

/// What arrived in a client stream.
#[derive(Default)]
struct Summary {
    sequence: Sequence,
    bytes: usize,
    checksum: crc32fast::Hasher,
    values: Option<crate::pb::Values>,
}

impl Summary {
    /// Reads requests to their end, or to the `limit`th.
    async fn read(
        &mut self,
        call: &mut CallGuard,
        first: Option<ClientStreamRequest>,
        mut requests: Streaming<ClientStreamRequest>,
        script: &Script,
        limit: i64,
    ) -> Result<(), Status> {
        if let Some(request) = first {
            self.enter(call, request);
        }
        while call.received < limit && !script.ignore_input {
            if call.received == script.pause_after {
                delay(script.pause_ms).await;
            }
            let Some(request) = requests.message().await.inspect_err(|status| call.end(Some(status)))? else {
                // tonic shows a cancel as an end, so hyper gets the chance to drop the call.
                tokio::task::yield_now().await;
                break;
            };
            self.enter(call, request);
        }
        Ok(())
    }

    fn enter(&mut self, call: &mut CallGuard, request: ClientStreamRequest) {
        call.received += 1;
        self.sequence.enter(request.sequence);
        call.gaps = self.sequence.gaps;
        self.bytes += request.payload.len();
        self.checksum.update(&request.payload);
        self.values = request.values.or_else(|| self.values.take());
    }

    fn into_response(self, messages: i64, checksum: bool) -> ClientStreamResponse {
        ClientStreamResponse {
            messages,
            bytes: i64::try_from(self.bytes).unwrap_or(i64::MAX),
            first_sequence: self.sequence.first.unwrap_or_default(),
            last_sequence: self.sequence.last.unwrap_or_default(),
            in_order: self.sequence.gaps == 0,
            gaps: self.sequence.gaps,
            checksum: if checksum { self.checksum.finalize() } else { 0 },
            values: self.values,
            ..Default::default()
        }
    }
}
