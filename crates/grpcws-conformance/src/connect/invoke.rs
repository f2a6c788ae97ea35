//! Making a call as the runner says, and telling what came of it.

use std::time::Duration;

use grpcws_client::{CallOptions, Status};
use http::{HeaderMap, HeaderName, HeaderValue};
use prost::Message as _;

use crate::Error;
use crate::call::{AnyCall, Event};
use crate::messages::{
    AnyResponse, CallError, Cancel, CancelTiming, ClientCompatRequest, ClientResponseResult, Header,
    RpcStatus, StreamType,
};

/// Metadata and deadline of the call.
pub(crate) fn options(request: &ClientCompatRequest) -> Result<CallOptions, Error> {
    let mut metadata = HeaderMap::new();
    for Header { name, value } in &request.request_headers {
        for value in value {
            metadata.append(HeaderName::try_from(name.as_str())?, HeaderValue::try_from(value)?);
        }
    }
    let options = CallOptions::default().metadata(metadata);
    Ok(match request.timeout_ms {
        Some(timeout) => options.timeout(Duration::from_millis(timeout.into())),
        None => options,
    })
}

/// Sends the requests, half-closes or cancels, and reads to the end.
pub(crate) async fn invoke(
    request: ClientCompatRequest,
    call: AnyCall,
) -> Result<ClientResponseResult, Error> {
    let stream_type = request.stream_type();
    let in_turns = stream_type == StreamType::FullDuplexBidiStream;
    let timing = request.cancel.map(|Cancel { timing }| timing.unwrap_or(CancelTiming::AfterCloseSendMs(0)));
    let delay = Duration::from_millis(request.request_delay_ms.into());
    let mut running = Running::new(call, timing.clone());
    let mut unsent = request.request_messages.into_iter();
    while let Some(message) = unsent.next() {
        sleep(delay).await;
        if !running.call.send(message.value).await? {
            running.result.num_unsent_requests = i32::try_from(unsent.len() + 1).unwrap_or(i32::MAX);
            break;
        }
        if in_turns && !running.response().await? {
            running.result.num_unsent_requests = i32::try_from(unsent.len()).unwrap_or(i32::MAX);
            break;
        }
    }
    match timing {
        Some(CancelTiming::BeforeCloseSend(())) => running.call.cancel(),
        Some(CancelTiming::AfterCloseSendMs(milliseconds)) => {
            running.call.half_close();
            sleep(Duration::from_millis(milliseconds.into())).await;
            running.call.cancel();
        }
        Some(CancelTiming::AfterNumResponses(_)) | None => running.call.half_close(),
    }
    while running.response().await? {}
    let mut result = running.result;
    // A call with one response gives either that or an error.
    if matches!(stream_type, StreamType::Unary | StreamType::ClientStream) && result.error.is_some() {
        result.payloads.clear();
    }
    Ok(result)
}

async fn sleep(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// A call, and what it has given so far.
struct Running {
    call: AnyCall,
    timing: Option<CancelTiming>,
    result: ClientResponseResult,
    ended: bool,
}

impl Running {
    fn new(call: AnyCall, timing: Option<CancelTiming>) -> Self {
        Self { call, timing, result: ClientResponseResult::default(), ended: false }
    }

    /// Waits for one response; `false` where the call has ended.
    async fn response(&mut self) -> Result<bool, Error> {
        while !self.ended {
            match self.call.next().await? {
                Event::Headers(headers) => self.result.response_headers = to_headers(&headers),
                Event::Message(message) => {
                    self.result.payloads.push(AnyResponse::decode(message)?.payload);
                    let received = u32::try_from(self.result.payloads.len()).unwrap_or(u32::MAX);
                    if self.timing == Some(CancelTiming::AfterNumResponses(received)) {
                        self.call.cancel();
                    }
                    return Ok(true);
                }
                Event::End(status) => {
                    self.result.response_trailers = to_headers(status.metadata());
                    self.result.error = to_error(&status)?;
                    self.ended = true;
                }
            }
        }
        Ok(false)
    }
}

/// One entry for each name, with its values in order.
fn to_headers(metadata: &HeaderMap) -> Vec<Header> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let values = |name| metadata.get_all(name).iter().map(text).collect();
    metadata.keys().map(|name| Header { name: name.to_string(), value: values(name) }).collect()
}

fn to_error(status: &Status) -> Result<Option<CallError>, Error> {
    if status.is_ok() {
        return Ok(None);
    }
    let details = RpcStatus::decode(status.details().clone())?.details;
    Ok(Some(CallError { code: status.code() as i32, message: Some(status.message().to_owned()), details }))
}
