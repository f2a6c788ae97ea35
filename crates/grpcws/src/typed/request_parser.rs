//! The function that makes a request message of an HTTP request.

use std::future::Future;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use grpcws_proto::{Code, Status};
use http::StatusCode;
use http::request::Parts;
use http_body_util::BodyExt;

use super::{ProtoMessage, marker};
use crate::handshake::Refusal;

/// Makes the request message of a server-streaming call from the HTTP request: an async function of up to
/// eight axum extractors that returns the message, or a `Result` with anything that axum takes for a
/// response as the error.
///
/// In seed mode the rejection is the HTTP answer, as from any axum handler. In the v1 protocol a browser
/// could not see that, so the socket opens, and the rejection's text becomes an `error`. A rejection that is
/// a [`Status`] keeps its code; else 401 is code 16, 403 is 7, 429 is 8, 503 is 14, any other status from 500
/// is 13, and all that is left is 3.
pub trait RequestParser<Req, S, M>: Clone + Send + Sync + 'static {
    /// Runs the extractors and the function.
    fn parse(&self, parts: &mut Parts, state: &S) -> impl Future<Output = Result<Req, Response>> + Send;
}

/// What a request parser may return: a message, or a `Result` of one. `M` is inferred.
pub trait IntoParsed<Req, M> {
    /// The message, or the HTTP answer that rejects the request.
    ///
    /// # Errors
    ///
    /// The rejection.
    #[allow(clippy::result_large_err, reason = "axum's own extractors return their rejections by value")]
    fn into_parsed(self) -> Result<Req, Response>;
}

impl<Req: ProtoMessage> IntoParsed<Req, marker::Plain> for Req {
    fn into_parsed(self) -> Result<Req, Response> {
        Ok(self)
    }
}

impl<Req: ProtoMessage, E: IntoResponse> IntoParsed<Req, marker::Fallible> for Result<Req, E> {
    fn into_parsed(self) -> Result<Req, Response> {
        self.map_err(IntoResponse::into_response)
    }
}

impl<Req: ProtoMessage> IntoParsed<Req, marker::Status> for Result<Req, Status> {
    fn into_parsed(self) -> Result<Req, Response> {
        self.map_err(|status| {
            let status = status.into_error();
            let mut response = Refusal::Status(status.clone()).plain_response().map(Body::new);
            response.extensions_mut().insert(Rejected(status));
            response
        })
    }
}

macro_rules! request_parser {
    ($($extractor:ident),*) => {
        #[allow(non_snake_case, unused_variables, reason = "names of extractors serve for their values")]
        impl<F, Fut, Out, Req, S, M, $($extractor,)*> RequestParser<Req, S, (M, Out, $($extractor,)*)> for F
        where
            F: Fn($($extractor,)*) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Out> + Send,
            Out: IntoParsed<Req, M>,
            S: Send + Sync,
            $($extractor: FromRequestParts<S> + Send,)*
        {
            async fn parse(&self, parts: &mut Parts, state: &S) -> Result<Req, Response> {
                $(
                    let $extractor = $extractor::from_request_parts(parts, state)
                        .await
                        .map_err(IntoResponse::into_response)?;
                )*
                self($($extractor,)*).await.into_parsed()
            }
        }
    };
}

request_parser!();
request_parser!(T1);
request_parser!(T1, T2);
request_parser!(T1, T2, T3);
request_parser!(T1, T2, T3, T4);
request_parser!(T1, T2, T3, T4, T5);
request_parser!(T1, T2, T3, T4, T5, T6);
request_parser!(T1, T2, T3, T4, T5, T6, T7);
request_parser!(T1, T2, T3, T4, T5, T6, T7, T8);

/// A status as the rejection of a request parser; carried through the HTTP answer for the v1 protocol.
#[derive(Clone)]
struct Rejected(Status);

/// The most bytes of a rejection's text that are shown to a client of the v1 protocol.
const MAX_TEXT: usize = 1024;

/// The status that a request parser has rejected a request with.
pub(super) fn rejected_status(response: &Response) -> Option<Status> {
    response.extensions().get::<Rejected>().map(|Rejected(status)| status.clone())
}

/// The status that stands for a rejection in the v1 protocol.
pub(super) async fn rejection_status(response: Response) -> Status {
    if let Some(status) = rejected_status(&response) {
        return status;
    }
    let (parts, body) = response.into_parts();
    let code = match parts.status {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::TOO_MANY_REQUESTS => Code::ResourceExhausted,
        StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
        status if status.is_server_error() => Code::Internal,
        _ => Code::InvalidArgument,
    };
    let text = rejection_text(body).await;
    let fallback = || parts.status.canonical_reason().unwrap_or("request rejected").to_owned();
    Status::new(code, text.filter(|text| !text.is_empty()).unwrap_or_else(fallback))
}

/// The beginning of a body, as text.
async fn rejection_text(mut body: Body) -> Option<String> {
    let mut bytes = Vec::new();
    while bytes.len() <= MAX_TEXT
        && let Some(frame) = body.frame().await
    {
        bytes.extend_from_slice(&frame.ok()?.into_data().unwrap_or_default());
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    Some(text.trim().to_owned())
}
