//! One connection, and its task.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::PingPong;
use h2::client::{Builder, SendRequest};
use tokio::sync::Notify;

use super::super::handshake::MAX_HEAD;
use super::super::{Connector, Failure, Transport};
use crate::{Code, Status};

/// What each stream may have sent to this side and not been read.
const STREAM_WINDOW: u32 = 64 * 1024;

/// The connection's window never holds one call back because of another one that is not read.
const CONNECTION_WINDOW: u32 = (1 << 31) - 1;

/// A connection to the gateway.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    sender: SendRequest<Bytes>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// How many streams hold a place.
    places: AtomicUsize,
    /// No new streams: the connection is over, or about to be.
    retired: AtomicBool,
    /// A call got no answer: does the gateway still answer pings?
    doubted: Notify,
}

/// A place on a connection for one stream.
#[derive(Debug)]
pub(super) struct Place(Arc<Shared>);

impl Connection {
    /// Connects, and waits for the gateway's settings, which say whether it carries WebSockets at all.
    pub(super) async fn open(connector: &Connector) -> Result<Self, Failure> {
        let transport = connector.dial().await?;
        let authority = &connector.endpoint().authority;
        let broken = |error: h2::Error| Failure::unreachable(format!("no HTTP/2 with {authority}: {error}"));
        let mut builder = Builder::new();
        builder
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
            .enable_push(false);
        let (sender, connection) = builder.handshake::<Transport, Bytes>(transport).await.map_err(broken)?;
        let shared = Arc::new(Shared::default());
        let limit = connector.options().connect_timeout;
        settings(connection, Arc::clone(&shared), limit).await.map_err(broken)?;
        if !sender.is_extended_connect_protocol_enabled() {
            return Err(Failure::Refused(Status::new(
                Code::Unimplemented,
                format!("{authority} carries no WebSockets over HTTP/2: use HttpVersion::Http1"),
            )));
        }
        Ok(Self { sender, shared })
    }

    pub(super) fn sender(&self) -> SendRequest<Bytes> {
        self.sender.clone()
    }

    /// No new stream is opened here.
    pub(super) fn retire(&self) {
        self.shared.retire();
    }

    /// Sends a ping, and retires the connection when no answer comes.
    pub(super) fn doubt(&self) {
        self.shared.doubted.notify_one();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.shared.retired.load(Ordering::Acquire)
    }

    /// A place for one more stream, if the gateway's limit and `most` leave one.
    pub(super) fn place(&self, most: usize) -> Option<Place> {
        let most = most.min(self.sender.current_max_send_streams());
        let taken = self.shared.places.fetch_update(Ordering::AcqRel, Ordering::Acquire, |places| {
            (places < most).then_some(places + 1)
        });
        let place = taken.ok().map(|_| Place(Arc::clone(&self.shared)));
        place.filter(|_| !self.is_retired())
    }
}

impl Shared {
    fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }
}

impl Place {
    /// No new stream is opened on the connection that this place is on.
    pub(super) fn retire_connection(&self) {
        self.0.retire();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Spawns the connection's task when the gateway has answered a ping: its settings came before that.
async fn settings(
    mut connection: h2::client::Connection<Transport, Bytes>,
    shared: Arc<Shared>,
    limit: Duration,
) -> Result<(), h2::Error> {
    let mut ping_pong = connection.ping_pong().expect("it is taken once");
    {
        let mut pong = pin!(ping_pong.ping(h2::Ping::opaque()));
        let mut connection = pin!(&mut connection);
        std::future::poll_fn(|cx| {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended.and_then(|()| Err(h2::Reason::NO_ERROR.into())));
            }
            pong.as_mut().poll(cx).map_ok(|_| ())
        })
        .await?;
    }
    tokio::spawn(async move {
        let ended = tokio::select! {
            ended = connection => ended,
            never = retire_when_silent(&mut ping_pong, &shared, limit) => match never {},
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "an HTTP/2 connection to the gateway ended");
        }
        shared.retire();
    });
    Ok(())
}

/// Answers each doubt by a ping. It ends only with the connection, whose streams may still be of use.
async fn retire_when_silent(ping_pong: &mut PingPong, shared: &Shared, limit: Duration) -> Infallible {
    loop {
        shared.doubted.notified().await;
        match tokio::time::timeout(limit, ping_pong.ping(h2::Ping::opaque())).await {
            Ok(Ok(_)) => {}
            // The end of the connection is told by the connection.
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => {
                shared.retire();
                std::future::pending().await
            }
        }
    }
}
