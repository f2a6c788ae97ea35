//! The answer to a handshake, and the task that begins with it.

use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::Status;
use grpcws_proto::close::Cause;
use grpcws_proto::session::Session;
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::Upgraded;

use super::request::Upgrade;
use super::{Handshake, Refusal};
use crate::call::Call;
use crate::driver::{Driver, Observer};
use crate::shutdown::Registration;
use crate::socket::Socket;
use crate::transport::unwrap_upgraded;

impl Handshake {
    /// Answers with an upgrade, starts the call, and spawns the task of the socket. A call that is refused ends by the
    /// protocol, or by HTTP in seed mode. A probe is told what the answer would be, and starts nothing.
    pub(crate) fn accept<T, C>(
        mut self,
        decision: Result<T, Status>,
        start: impl FnOnce(&mut Self, T) -> Result<C, Status>,
    ) -> Response<Full<Bytes>>
    where
        C: Call + Unpin + 'static,
    {
        // It may have begun while the program decided.
        if self.endpoint.shutdown.is_draining() {
            return self.endpoint.refuse(&Refusal::Draining, &self.client());
        }
        let Some(upgrade) = self.upgrade.take() else { return self.answer_probe(decision.err()) };
        let call = decision.and_then(|decision| start(&mut self, decision));
        let response = response(&self, &upgrade);
        if let (Err(status), false) = (&call, self.mode().is_v1()) {
            return self.endpoint.refuse(&Refusal::Status(status.clone()), &self.client());
        }
        let Some(registration) = self.endpoint.shutdown.register_below(self.endpoint.options.max_streams())
        else {
            return self.endpoint.refuse(&Refusal::Streams, &self.client());
        };
        if let Err(status) = &call {
            self.endpoint.report(&Refusal::Status(status.clone()), &self.client(), response.status());
        }
        // The task is as large as its driver for as long as the socket lives, so what it needs before that is behind
        // a pointer.
        let mut begun = Box::new((self, upgrade, call, registration));
        tokio::spawn(async move {
            match (&mut begun.1.on_upgrade).await {
                Ok(upgraded) => driver(begun, upgraded).await,
                Err(error) => {
                    tracing::debug!(path = %begun.0.info.path, %error, "the client left before the upgrade");
                }
            }
        });
        response
    }

    fn answer_probe(&self, refused: Option<Status>) -> Response<Full<Bytes>> {
        let full = self.endpoint.shutdown.is_full(self.endpoint.options.max_streams());
        let refusal = refused.map(Refusal::Status).or(full.then_some(Refusal::Streams));
        match (refusal, &self.probe) {
            (None, Some(probe)) => probe.accepted(self.version),
            (refusal, _) => {
                let refusal = refusal.unwrap_or(Refusal::NotWebSocket("there is no upgrade"));
                self.endpoint.refuse(&refusal, &self.client())
            }
        }
    }
}

/// The driver of a stream that begins now. Of what was read along with the handshake it keeps a copy, since the
/// buffer of that has the whole head in it.
#[expect(clippy::boxed_local, reason = "a caller that took it out of the box would keep the box")]
fn driver<C: Call + Unpin>(
    begun: Box<(Handshake, Upgrade, Result<C, Status>, Registration)>,
    upgraded: Upgraded,
) -> Driver<C> {
    let (Handshake { endpoint, start, deadline, codec, info, .. }, upgrade, call, registration) = *begun;
    let (mut transport, already_read) = unwrap_upgraded(upgraded);
    if let Some(connection) = upgrade.connection {
        transport.set_connection(connection);
    }
    let now = Instant::now();
    // The deadline counts from the handshake, however long the program and the upgrade took.
    let start = start.timeout(deadline.map(|deadline| deadline.saturating_duration_since(now)));
    let options = &endpoint.options;
    let mut session = Session::new(options.session.clone(), start, now);
    let call = call.map_err(|status| session.fail(Cause::Refused(status), now)).ok();
    Driver::new(
        Socket::new(transport, &already_read, options.session.max_message_size()),
        session,
        call,
        codec.ok(),
        options.response_limit(),
        registration,
        Observer::new(endpoint.hooks, info),
    )
}

fn response(handshake: &Handshake, upgrade: &Upgrade) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let accept_key = upgrade.accept_key.as_deref();
    if let Some(key) = accept_key.and_then(|key| HeaderValue::try_from(key).ok()) {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(name) = handshake.mode().subprotocol() {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    }
    response
}
