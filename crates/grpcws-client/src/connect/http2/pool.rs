//! The connections to one gateway: another one opens before the streams of the others are used up.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::ext::Protocol;
use http::header::HeaderMap;
use http::uri::{Authority, Scheme, Uri};
use http::{Method, Request, StatusCode, Version};
use tokio::sync::Mutex as AsyncMutex;
use tokio::time::Instant;

use super::super::handshake::{check_selected, violation};
use super::super::{Connector, Failure, Io, OpenRequest, Opened, Transport, refusal};
use super::Http2Stream;
use super::connection::{Connection, Place};
use crate::{ClientOptions, Code, Status};

/// How often a call that a connection turned away unseen tries another one.
const MAX_TRIES: usize = 4;

/// The connections to one gateway.
#[derive(Debug)]
pub(crate) struct Pool {
    most: usize,
    connections: Mutex<Vec<Connection>>,
    /// Held by the one call that opens a connection.
    dialing: AsyncMutex<()>,
}

/// Why a stream did not open.
enum Refusal {
    /// The gateway has not looked at the call: another connection may take it.
    Unseen(h2::Error),
    Final(Failure),
}

/// A handshake that is under way. Dropping it means that the call has waited no longer: a connection that has said
/// nothing in all the time that there was takes no more calls; where the call ended sooner, it is put to the test.
struct Unanswered<'a> {
    connection: &'a Connection,
    /// When the call began to wait for a WebSocket.
    began: Instant,
    limit: Duration,
}

impl Unanswered<'_> {
    fn disarm(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if self.began.elapsed() >= self.limit {
            self.connection.retire();
        } else {
            self.connection.doubt();
        }
    }
}

impl Pool {
    pub(crate) fn new(options: &ClientOptions) -> Self {
        Self {
            most: options.max_streams_per_connection.max(1),
            connections: Mutex::default(),
            dialing: AsyncMutex::default(),
        }
    }

    pub(crate) async fn open(
        &self,
        connector: &Connector,
        request: &OpenRequest,
        headers: HeaderMap,
        began: Instant,
    ) -> Result<Opened, Failure> {
        let head = connect_request(connector, request, headers)?;
        let mut unseen = None;
        for _ in 0..MAX_TRIES {
            let (connection, place) = self.place(connector).await?;
            let unanswered =
                Unanswered { connection: &connection, began, limit: connector.options().connect_timeout };
            let opened = open_stream(&connection, place, request, &head).await;
            unanswered.disarm();
            match opened {
                Ok(stream) => {
                    let transport = Transport::from(Io::Http2(Box::new(stream)));
                    return Ok(Opened { transport, already_read: Bytes::new() });
                }
                Err(Refusal::Final(failure)) => return Err(failure),
                Err(Refusal::Unseen(error)) => {
                    connection.retire();
                    unseen = Some(error);
                }
            }
        }
        let reason = unseen.map(|error| error.to_string()).unwrap_or_default();
        Err(Failure::unreachable(format!("the gateway turned the call away {MAX_TRIES} times: {reason}")))
    }

    /// A connection with a place for one more stream; a new one where the others have none.
    async fn place(&self, connector: &Connector) -> Result<(Connection, Place), Failure> {
        if let Some(place) = self.free_place() {
            return Ok(place);
        }
        let _dialing = self.dialing.lock().await;
        // Another call may have opened one in the meantime.
        if let Some(place) = self.free_place() {
            return Ok(place);
        }
        let connection = Connection::open(connector).await?;
        let place = connection.place(self.most).ok_or_else(|| {
            let text = "the gateway permits no stream on a new HTTP/2 connection";
            Failure::Refused(Status::new(Code::Unavailable, text))
        })?;
        self.lock().push(connection.clone());
        Ok((connection, place))
    }

    /// Whether a connection has a place for one more stream.
    pub(crate) fn has_room(&self) -> bool {
        self.free_place().is_some()
    }

    fn free_place(&self) -> Option<(Connection, Place)> {
        let mut connections = self.lock();
        connections.retain(|connection| !connection.is_retired());
        connections.iter().find_map(|connection| Some((connection.clone(), connection.place(self.most)?)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect_request(
    connector: &Connector,
    request: &OpenRequest,
    headers: HeaderMap,
) -> Result<Request<()>, Failure> {
    let endpoint = connector.endpoint();
    let scheme = if endpoint.tls { Scheme::HTTPS } else { Scheme::HTTP };
    let authority = Authority::try_from(endpoint.authority.as_str());
    let uri = Uri::builder()
        .scheme(scheme)
        .authority(authority.map_err(|error| violation(error.to_string()))?)
        .path_and_query(request.path.clone())
        .build()
        .map_err(|error| Failure::Refused(Status::invalid_argument(error.to_string())))?;
    let mut head = Request::new(());
    *head.method_mut() = Method::CONNECT;
    *head.version_mut() = Version::HTTP_2;
    *head.uri_mut() = uri;
    *head.headers_mut() = headers;
    head.extensions_mut().insert(Protocol::from_static("websocket"));
    Ok(head)
}

async fn open_stream(
    connection: &Connection,
    place: Place,
    request: &OpenRequest,
    head: &Request<()>,
) -> Result<Http2Stream, Refusal> {
    // A connection that takes no more streams says so here.
    let mut sender = connection.sender().ready().await.map_err(Refusal::Unseen)?;
    let (response, send) = sender.send_request(head.clone(), false).map_err(Refusal::Unseen)?;
    let response = response.await.map_err(|error| {
        if is_unseen(&error) {
            Refusal::Unseen(error)
        } else {
            Refusal::Final(Failure::unreachable(format!("the handshake over HTTP/2 failed: {error}")))
        }
    })?;
    let status = response.status();
    if status != StatusCode::OK {
        let body = read_body(response.into_body()).await;
        return Err(Refusal::Final(refusal::failure(status, &body)));
    }
    check_selected(request, response.headers()).map_err(Refusal::Final)?;
    Ok(Http2Stream::new(send, response.into_body(), place))
}

/// Whether the gateway has not looked at the request: it refused the stream (RFC 9113 §8.7), or its GOAWAY names an
/// earlier stream as the last. A GOAWAY of this side is the answer to a gateway that breaks HTTP/2.
fn is_unseen(error: &h2::Error) -> bool {
    let refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    error.is_remote() && (refused || error.is_go_away())
}

/// The beginning of a refusal's body; what cannot be read is left out.
async fn read_body(mut body: RecvStream) -> Vec<u8> {
    let mut read = Vec::new();
    while read.len() < refusal::MAX_BODY {
        let Some(Ok(chunk)) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_data(cx)).await else {
            break;
        };
        let _ = body.flow_control().release_capacity(chunk.len());
        read.extend_from_slice(&chunk);
    }
    read
}
