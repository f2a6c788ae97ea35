//! A call in one of the two modes, with protobuf messages on this side of it.

use bytes::Bytes;
use grpcws_client::{Call, CallEvent, CallOptions, Client, JsonCall, JsonEvent, Status};
use http::HeaderMap;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor};

use crate::Error;
use crate::messages::ClientCompatRequest;

/// How messages travel over the WebSocket.
#[derive(Clone, Copy, PartialEq, clap::ValueEnum)]
pub(crate) enum Mode {
    /// `grpcws.v1.proto`
    Proto,
    /// `grpcws.v1.json`
    Json,
}

/// One call.
pub(crate) enum AnyCall {
    Proto(Call),
    Json(JsonCall, MethodDescriptor),
}

/// What comes of a call.
pub(crate) enum Event {
    Headers(HeaderMap),
    Message(Bytes),
    End(Status),
}

impl AnyCall {
    pub(crate) fn start(
        client: &Client,
        mode: Mode,
        pool: &DescriptorPool,
        request: &ClientCompatRequest,
        options: CallOptions,
    ) -> Result<Self, Error> {
        let path = format!("{}/{}", request.service, request.method);
        if mode == Mode::Proto {
            return Ok(Self::Proto(client.call(&path, options)));
        }
        let service = pool.get_service_by_name(&request.service);
        let method =
            service.and_then(|service| service.methods().find(|method| method.name() == request.method));
        let method = method.ok_or(Error::UnknownMethod(path.clone()))?;
        Ok(Self::Json(client.json_call(&path, options), method))
    }

    /// Sends a request message; `false` where the call takes no more.
    pub(crate) async fn send(&mut self, message: Bytes) -> Result<bool, Error> {
        match self {
            Self::Proto(call) => Ok(call.send(message).await.is_ok()),
            Self::Json(call, method) => {
                let json = serde_json::to_string(&DynamicMessage::decode(method.input(), message)?)?;
                Ok(call.send(&json).await.is_ok())
            }
        }
    }

    pub(crate) fn half_close(&mut self) {
        match self {
            Self::Proto(call) => call.half_close(),
            Self::Json(call, _) => call.half_close(),
        }
    }

    pub(crate) fn cancel(&mut self) {
        match self {
            Self::Proto(call) => call.cancel(),
            Self::Json(call, _) => call.cancel(),
        }
    }

    /// What comes next; it is not to be asked for after the end.
    pub(crate) async fn next(&mut self) -> Result<Event, Error> {
        match self {
            Self::Proto(call) => match call.next().await {
                Some(CallEvent::Headers(headers)) => Ok(Event::Headers(headers)),
                Some(CallEvent::Message(message)) => Ok(Event::Message(message)),
                Some(CallEvent::End(status)) => Ok(Event::End(status)),
                _ => Err(Error::NoEnd),
            },
            Self::Json(call, method) => match call.next().await {
                Some(JsonEvent::Headers(headers)) => Ok(Event::Headers(headers)),
                Some(JsonEvent::Message(json)) => {
                    let mut json = serde_json::Deserializer::from_str(&json);
                    let message = DynamicMessage::deserialize(method.output(), &mut json)?;
                    Ok(Event::Message(message.encode_to_vec().into()))
                }
                Some(JsonEvent::End(status)) => Ok(Event::End(status)),
                _ => Err(Error::NoEnd),
            },
        }
    }
}
