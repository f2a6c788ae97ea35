//! One call of a gRPC service.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use grpcws_proto::metadata::format_timeout;
use grpcws_proto::{MethodKind, Status};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE};
use http::uri::PathAndQuery;
use http::{Method, Request, Response, Uri, Version};
use http_body::Body;
use tokio::time::Sleep;
use tower_service::Service;

use super::compression::ACCEPTED;
use super::response::{Head, Responding};
use super::{Encoding, RequestBody, error};
use crate::call::{Answer, Call};
use crate::handshake::OnMessage;
use crate::options::ConnectionOptions;
use crate::queue::{End, Writer, queue};
use crate::routes::BoundRequest;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Pending<T> = Pin<Box<dyn Future<Output = Result<T, BoxError>> + Send>>;

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// What a call is asked for, all but its messages.
pub(crate) struct CallRequest {
    /// `/package.Service/Method`
    pub(crate) path: PathAndQuery,
    pub(crate) metadata: HeaderMap,
    pub(crate) deadline: Option<Instant>,
    /// How request messages are compressed.
    pub(crate) encoding: Option<Encoding>,
}

/// One call of a gRPC service. Dropping it cancels it.
pub(crate) struct GrpcCall<B> {
    state: State<B>,
    requests: Writer<Bytes>,
    /// Whether the call waits for its one request message, so that both leave together.
    waiting: bool,
    /// What path and query set in every request message.
    bound: Option<BoundRequest>,
    /// The wait for a request message that need not come.
    optional: Option<Box<OptionalMessage>>,
    max_response_size: usize,
    single_response: bool,
}

/// How long a request that is complete waits for a message of the client, which other methods at the path have: longer
/// than most round trips. A client that names the HTTP method, or sends `end_send`, does not wait.
const MESSAGE_WAIT: Duration = Duration::from_secs(1);

struct OptionalMessage {
    /// The request if no message comes, until it is used.
    without: Option<Bytes>,
    on_message: OnMessage,
    wait: Pin<Box<Sleep>>,
}

impl OptionalMessage {
    /// The request that a message of the client makes.
    fn request(self, message: Bytes) -> Result<Bytes, Status> {
        match self.on_message {
            OnMessage::Refused(status) => Err(status),
            OnMessage::Taken(_) if self.without.is_none() => {
                let text = "the request message came when the call had begun without one: send it within 1 s, or \
                            name its HTTP method in the query, as in ?method=POST";
                Err(Status::invalid_argument(text))
            }
            OnMessage::Taken(bound) => bound.merge(message),
        }
    }
}

enum State<B> {
    /// The service is to take the request, which lies here until then and no longer: a response may begin much later.
    Starting(Pending<Pending<Response<B>>>),
    Awaited(Pending<Response<B>>),
    Responding(Box<Responding<B>>),
}

impl<B> GrpcCall<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    /// A call of `service`, which is not touched before the call is polled. `kind` is `None` where it is not
    /// known.
    pub(crate) fn new<S>(
        service: S,
        request: CallRequest,
        kind: Option<MethodKind>,
        options: &ConnectionOptions,
    ) -> Self
    where
        S: Service<Request<RequestBody>, Response = Response<B>> + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send,
    {
        let (requests, reader) = queue(options.session.receive_window());
        let body = RequestBody::new(reader, request.encoding);
        Self {
            state: State::Starting(Box::pin(start(service, request, body))),
            requests,
            waiting: matches!(kind, Some(MethodKind::Unary | MethodKind::ServerStreaming)),
            bound: None,
            optional: None,
            max_response_size: options.response_limit(),
            single_response: matches!(kind, Some(MethodKind::Unary | MethodKind::ClientStreaming)),
        }
    }

    /// The call with its one request message.
    pub(crate) fn with_request(mut self, message: Bytes) -> Self {
        self.requests.send(message, 0);
        self.half_close();
        self
    }

    /// The call with its one request message, if the client sends none.
    pub(crate) fn waiting_for_message(mut self, message: Bytes, on_message: OnMessage) -> Self {
        let wait = Box::pin(tokio::time::sleep(MESSAGE_WAIT));
        self.optional = Some(Box::new(OptionalMessage { without: Some(message), on_message, wait }));
        self
    }

    /// The call with fields that are set in every request message.
    pub(crate) fn bound(mut self, bound: BoundRequest) -> Self {
        self.bound = Some(bound);
        self
    }
}

/// Hands the request to the service, when that is ready.
async fn start<S, B>(
    mut service: S,
    request: CallRequest,
    body: RequestBody,
) -> Result<Pending<Response<B>>, BoxError>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    B: 'static,
{
    poll_fn(|cx| service.poll_ready(cx)).await.map_err(Into::into)?;
    // An async block would have room for this future twice.
    let mut response = Box::pin(service.call(request.into_http(body)));
    Ok(Box::pin(poll_fn(move |cx| response.as_mut().poll(cx).map_err(Into::into))))
}

impl CallRequest {
    fn into_http(self, body: RequestBody) -> Request<RequestBody> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = Uri::from(self.path);
        let mut headers = self.metadata;
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(GRPC_ACCEPT_ENCODING, ACCEPTED);
        if let Some(encoding) = self.encoding {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static(encoding.name()));
        }
        if let Some(deadline) = self.deadline {
            let left = format_timeout(deadline.saturating_duration_since(Instant::now()));
            if let Ok(left) = HeaderValue::try_from(left) {
                headers.insert(GRPC_TIMEOUT, left);
            }
        }
        *request.headers_mut() = headers;
        request
    }
}

impl<B> Call for GrpcCall<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    fn send(&mut self, message: Bytes, cost: u64) -> Result<(), Status> {
        let message = match (self.optional.take(), &self.bound) {
            (Some(optional), _) => optional.request(message)?,
            (None, Some(bound)) => bound.merge(message)?,
            (None, None) => message,
        };
        self.requests.send(message, cost);
        Ok(())
    }

    fn poll_taken(&mut self, cx: &mut Context<'_>) -> Poll<u64> {
        self.requests.poll_taken(cx)
    }

    fn half_close(&mut self) {
        if let Some(without) = self.optional.as_mut().and_then(|optional| optional.without.take()) {
            self.requests.send(without, 0);
        }
        self.waiting = false;
        self.requests.end(End::HalfClosed);
    }

    fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        if let Some(optional) = &mut self.optional
            && optional.without.is_some()
        {
            ready!(optional.wait.as_mut().poll(cx));
            self.half_close();
        }
        loop {
            match &mut self.state {
                // The driver polls again after it has handed the message over.
                State::Starting(_) if self.waiting => return Poll::Pending,
                State::Starting(starting) => match ready!(starting.as_mut().poll(cx)) {
                    Ok(response) => self.state = State::Awaited(response),
                    Err(error) => return Poll::Ready(Answer::End(error::status(error))),
                },
                State::Awaited(response) => {
                    let response = match ready!(response.as_mut().poll(cx)) {
                        Ok(response) => response,
                        Err(error) => return Poll::Ready(Answer::End(error::status(error))),
                    };
                    return match Head::read(response, self.max_response_size, self.single_response) {
                        Head::End(status) => Poll::Ready(Answer::End(status)),
                        Head::Headers(headers, responding) => {
                            self.state = State::Responding(responding);
                            Poll::Ready(Answer::Headers(headers))
                        }
                    };
                }
                State::Responding(responding) => return responding.poll_next(cx),
            }
        }
    }
}
