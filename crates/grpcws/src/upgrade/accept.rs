//! The answer to a good handshake, and the task that begins with it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use grpcws_proto::Status;
use grpcws_proto::close::Cause;
use grpcws_proto::session::{Session, Start};
use http::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use http::{Response, StatusCode};
use http_body_util::Full;
use hyper::upgrade::Upgraded;

use super::Handshake;
use crate::call::Call;
use crate::codec::Codec;
use crate::driver::{Driver, DriverParts};
use crate::hooks::{StreamHooks, StreamInfo};
use crate::options::ConnectionOptions;
use crate::shutdown::Registration;
use crate::socket::Socket;
use crate::transport::unwrap_upgraded;

/// What a good handshake leads to.
pub(crate) struct Accepted<C> {
    pub(crate) handshake: Handshake,
    pub(crate) start: Start,
    /// When the call is to be ended.
    pub(crate) deadline: Option<Instant>,
    /// The call, or the status with which it is refused after the upgrade.
    pub(crate) call: Result<C, Status>,
    /// `None` where messages are not transcoded.
    pub(crate) codec: Option<Arc<Codec>>,
    pub(crate) options: Arc<ConnectionOptions>,
    pub(crate) hooks: Option<Arc<dyn StreamHooks>>,
    pub(crate) registration: Registration,
    pub(crate) path: String,
}

/// Answers the handshake, and spawns the task of its socket.
///
/// The task is as large as its driver for as long as the socket lives, so what it needs before that is behind a
/// pointer.
pub(crate) fn accept<C: Call + Unpin + 'static>(accepted: Accepted<C>) -> Response<Full<Bytes>> {
    let response = response(&accepted.handshake);
    let mut accepted = Box::new(accepted);
    tokio::spawn(async move {
        match (&mut accepted.handshake.on_upgrade).await {
            Ok(upgraded) => driver(accepted, upgraded).await,
            Err(error) => {
                tracing::debug!(path = %accepted.path, %error, "the client left before the upgrade");
            }
        }
    });
    response
}

/// The driver of a stream that begins now. Of what was read along with the handshake it keeps a copy, since the
/// buffer of that has the whole head in it.
#[expect(clippy::boxed_local, reason = "a caller that took it out of the box would keep the box")]
fn driver<C: Call + Unpin>(accepted: Box<Accepted<C>>, upgraded: Upgraded) -> Driver<C> {
    let Accepted { handshake, start, deadline, call, codec, options, hooks, registration, path } = *accepted;
    let (transport, already_read) = unwrap_upgraded(upgraded);
    let now = Instant::now();
    // The deadline counts from the handshake, whatever time the request parser and the upgrade took.
    let start = start.timeout(deadline.map(|deadline| deadline.saturating_duration_since(now)));
    let info = StreamInfo { id: next_id(), path, mode: handshake.mode, kind: start.kind };
    let mut session = Session::new(options.session.clone(), start, now);
    let call = call.map_err(|status| session.fail(Cause::Refused(status), now)).ok();
    Driver::new(DriverParts {
        socket: Socket::new(transport, &already_read, options.session.max_message_size()),
        session,
        call,
        codec,
        max_response_size: options.response_limit(),
        registration,
        info,
        hooks,
    })
}

fn next_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn response(handshake: &Handshake) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    if let Some(key) = handshake.accept_key.as_deref().and_then(|key| HeaderValue::try_from(key).ok()) {
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, key);
    }
    if let Some(name) = handshake.mode.subprotocol() {
        response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(name));
    }
    response
}
