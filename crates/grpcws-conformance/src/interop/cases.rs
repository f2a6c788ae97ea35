//! The cases, under their names.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use grpcws_client::{Call, CallEvent, CallOptions, Client};
use prost::Message as _;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _, iter};
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};

use crate::check::{Failed, Outcome, code, equal};
use pb::test_service_client::TestServiceClient;
use pb::unimplemented_service_client::UnimplementedServiceClient;
use pb::{
    EchoStatus, Empty, Payload, ResponseParameters, SimpleRequest, StreamingInputCallRequest,
    StreamingOutputCallRequest,
};

/// The generated messages and clients.
#[allow(missing_docs, unreachable_pub, dead_code, clippy::all, clippy::pedantic)]
mod pb {
    tonic::include_proto!("grpc.testing");
}

type Running = Pin<Box<dyn Future<Output = Outcome> + Send>>;
type Case = fn(Client) -> Running;

/// Names each function as its case is named.
macro_rules! cases {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), |client| Box::pin($name(client)))),*] };
}

pub(crate) const CASES: &[(&str, Case)] = cases![
    empty_unary,
    large_unary,
    client_streaming,
    server_streaming,
    ping_pong,
    empty_stream,
    custom_metadata,
    status_code_and_message,
    special_status_message,
    unimplemented_method,
    unimplemented_service,
    cancel_after_begin,
    cancel_after_first_response,
    timeout_on_sleeping_server,
];

const LARGE_REQUEST: usize = 271_828;
const LARGE_RESPONSE: usize = 314_159;
const REQUEST_SIZES: [usize; 4] = [27_182, 8, 1_828, 45_904];
const RESPONSE_SIZES: [usize; 4] = [31_415, 9, 2_653, 58_979];

fn payload(size: usize) -> Option<Payload> {
    Some(Payload { body: Bytes::from(vec![0; size]) })
}

fn size(payload: Option<Payload>) -> usize {
    payload.map_or(0, |payload| payload.body.len())
}

fn response_of(size: usize) -> ResponseParameters {
    ResponseParameters { size: i32::try_from(size).unwrap_or(i32::MAX), interval_us: 0 }
}

fn large_request() -> SimpleRequest {
    let response_size = response_of(LARGE_RESPONSE).size;
    SimpleRequest { response_size, payload: payload(LARGE_REQUEST), response_status: None }
}

/// A request of a full-duplex call that asks for one response.
fn turn(request_size: usize, response_size: usize) -> StreamingOutputCallRequest {
    StreamingOutputCallRequest {
        response_parameters: vec![response_of(response_size)],
        payload: payload(request_size),
        response_status: None,
    }
}

async fn empty_unary(client: Client) -> Outcome {
    let response = TestServiceClient::new(client).empty_call(Empty {}).await?;
    equal("the response", response.into_inner(), Empty {})
}

async fn large_unary(client: Client) -> Outcome {
    let response = TestServiceClient::new(client).unary_call(large_request()).await?;
    equal("the size of the response", size(response.into_inner().payload), LARGE_RESPONSE)
}

async fn client_streaming(client: Client) -> Outcome {
    let requests = REQUEST_SIZES.map(|size| StreamingInputCallRequest { payload: payload(size) });
    let response = TestServiceClient::new(client).streaming_input_call(iter(requests)).await?;
    equal("the sum of the sizes", response.into_inner().aggregated_payload_size, 74_922)
}

async fn server_streaming(client: Client) -> Outcome {
    let request = StreamingOutputCallRequest {
        response_parameters: RESPONSE_SIZES.map(response_of).to_vec(),
        ..StreamingOutputCallRequest::default()
    };
    let responses = TestServiceClient::new(client).streaming_output_call(request).await?.into_inner();
    let sizes: Result<Vec<usize>, Status> =
        responses.map(|response| Ok(size(response?.payload))).collect().await;
    equal("the sizes of the responses", sizes?, RESPONSE_SIZES.to_vec())
}

async fn ping_pong(client: Client) -> Outcome {
    let (sender, requests) = mpsc::channel(1);
    let mut requests = Some(ReceiverStream::new(requests));
    let mut service = TestServiceClient::new(client);
    let mut responses = None;
    for (request_size, response_size) in REQUEST_SIZES.into_iter().zip(RESPONSE_SIZES) {
        let closed = |_| Failed("the call takes no more requests".to_owned());
        sender.send(turn(request_size, response_size)).await.map_err(closed)?;
        if let Some(requests) = requests.take() {
            // After the first request, since the server sends its headers with its first response.
            responses = Some(service.full_duplex_call(requests).await?.into_inner());
        }
        let response = match &mut responses {
            Some(responses) => responses.message().await?.unwrap_or_default(),
            None => return Err(Failed("the call did not start".to_owned())),
        };
        equal("the size of the response", size(response.payload), response_size)?;
    }
    drop(sender);
    match &mut responses {
        Some(responses) => equal("what comes after the half-close", responses.message().await?, None),
        None => Err(Failed("there were no turns".to_owned())),
    }
}

async fn empty_stream(client: Client) -> Outcome {
    let mut responses =
        TestServiceClient::new(client).full_duplex_call(tokio_stream::empty()).await?.into_inner();
    equal("the responses", responses.message().await?, None)
}

async fn custom_metadata(client: Client) -> Outcome {
    const INITIAL: &str = "x-grpc-test-echo-initial";
    const TRAILING: &str = "x-grpc-test-echo-trailing-bin";
    const TEXT: &str = "test_initial_metadata_value";
    const BYTES: &[u8] = &[0xab, 0xab, 0xab];
    fn with_metadata<T>(message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert(INITIAL, MetadataValue::from_static(TEXT));
        request.metadata_mut().insert_bin(TRAILING, MetadataValue::from_bytes(BYTES));
        request
    }
    let mut service = TestServiceClient::new(client);
    // tonic puts the trailers of a unary call among its headers.
    let response = service.unary_call(with_metadata(large_request())).await?;
    let text = response.metadata().get(INITIAL).and_then(|value| value.to_str().ok());
    equal("the header of the unary call", text, Some(TEXT))?;
    let bytes = response.metadata().get_bin(TRAILING).and_then(|value| value.to_bytes().ok());
    equal("the trailer of the unary call", bytes.as_deref(), Some(BYTES))?;

    let request = turn(LARGE_REQUEST, LARGE_RESPONSE);
    let response = service.full_duplex_call(with_metadata(iter([request]))).await?;
    let text = response.metadata().get(INITIAL).and_then(|value| value.to_str().ok());
    equal("the header of the full-duplex call", text, Some(TEXT))?;
    let mut responses = response.into_inner();
    while responses.message().await?.is_some() {}
    let trailers = responses.trailers().await?.unwrap_or_default();
    let bytes = trailers.get_bin(TRAILING).and_then(|value| value.to_bytes().ok());
    equal("the trailer of the full-duplex call", bytes.as_deref(), Some(BYTES))
}

async fn status_code_and_message(client: Client) -> Outcome {
    let status = Some(EchoStatus { code: 2, message: "test status message".to_owned() });
    let mut service = TestServiceClient::new(client);
    let request = SimpleRequest { response_status: status.clone(), ..SimpleRequest::default() };
    let ended = code(service.unary_call(request).await, Code::Unknown)?;
    equal("the message of the unary call", ended.message(), "test status message")?;
    let request =
        StreamingOutputCallRequest { response_status: status, ..StreamingOutputCallRequest::default() };
    let ended = code(full_duplex(&mut service, iter([request])).await, Code::Unknown)?;
    equal("the message of the full-duplex call", ended.message(), "test status message")
}

async fn special_status_message(client: Client) -> Outcome {
    let message = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
    let response_status = Some(EchoStatus { code: 2, message: message.to_owned() });
    let request = SimpleRequest { response_status, ..SimpleRequest::default() };
    let ended = code(TestServiceClient::new(client).unary_call(request).await, Code::Unknown)?;
    equal("the message", ended.message(), message)
}

async fn unimplemented_method(client: Client) -> Outcome {
    code(TestServiceClient::new(client).unimplemented_call(Empty {}).await, Code::Unimplemented).map(drop)
}

async fn unimplemented_service(client: Client) -> Outcome {
    code(UnimplementedServiceClient::new(client).unimplemented_call(Empty {}).await, Code::Unimplemented)
        .map(drop)
}

/// A tonic client cancels by dropping the call, and so never hears of it. This one hears.
async fn cancel_after_begin(client: Client) -> Outcome {
    let mut call = client.call("grpc.testing.TestService/StreamingInputCall", CallOptions::default());
    // The client takes one message ahead of its socket, so with the third one the call has begun.
    for _ in 0..3 {
        let request = StreamingInputCallRequest { payload: payload(8) };
        call.send(request.encode_to_vec()).await.map_err(|error| Failed(error.to_string()))?;
    }
    call.cancel();
    equal("the code", end(&mut call).await?, grpcws_client::Code::Cancelled)
}

async fn cancel_after_first_response(client: Client) -> Outcome {
    let mut call = client.call("grpc.testing.TestService/FullDuplexCall", CallOptions::default());
    let request = turn(REQUEST_SIZES[0], RESPONSE_SIZES[0]).encode_to_vec();
    call.send(request).await.map_err(|error| Failed(error.to_string()))?;
    loop {
        match call.next().await {
            Some(CallEvent::Message(_)) => break,
            Some(CallEvent::Headers(_)) => {}
            other => return Err(Failed(format!("in place of the first response came {other:?}"))),
        }
    }
    call.cancel();
    equal("the code", end(&mut call).await?, grpcws_client::Code::Cancelled)
}

async fn timeout_on_sleeping_server(client: Client) -> Outcome {
    // The requests do not end, so the server waits for ever.
    let (sender, requests) = mpsc::channel(1);
    let request =
        StreamingOutputCallRequest { payload: payload(27_182), ..StreamingOutputCallRequest::default() };
    sender.send(request).await.map_err(|error| Failed(error.to_string()))?;
    let mut call = Request::new(ReceiverStream::new(requests));
    call.set_timeout(Duration::from_millis(1));
    let ended = full_duplex(&mut TestServiceClient::new(client), call).await;
    drop(sender);
    code(ended, Code::DeadlineExceeded).map(drop)
}

/// Makes a full-duplex call and reads it to its end, which may come in place of the headers.
async fn full_duplex<S>(
    service: &mut TestServiceClient<Client>,
    requests: impl tonic::IntoStreamingRequest<Message = S::Item, Stream = S>,
) -> Result<(), Status>
where
    S: Stream<Item = StreamingOutputCallRequest> + Send + 'static,
{
    let mut responses = service.full_duplex_call(requests).await?.into_inner();
    while responses.message().await?.is_some() {}
    Ok(())
}

/// The code with which a call ends.
async fn end(call: &mut Call) -> Result<grpcws_client::Code, Failed> {
    while let Some(event) = call.next().await {
        if let CallEvent::End(status) = event {
            return Ok(status.code());
        }
    }
    Err(Failed("the call was over without an end".to_owned()))
}
