//! A relay that breaks what passes through it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::client::transport::tcp;
use crate::draw::Draw;
use crate::failure::Failure;
use crate::servers;

/// What happens to the bytes of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Break {
    #[default]
    None,
    /// Both connections are reset when this many bytes have passed.
    Reset(usize),
    /// Both connections end with FIN when this many bytes have passed.
    End(usize),
    /// This direction ends with FIN when this many bytes have passed; the other one goes on.
    HalfEnd(usize),
    /// Bytes pass one by one for a while, from this one on.
    Trickle(usize),
    /// Nothing passes for a time when this many bytes have.
    Pause(usize, Duration),
    /// Each piece is late by up to this time.
    Delay(Duration),
}

/// What happens on one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Breaks {
    /// From the side that connected.
    pub(crate) up: Break,
    pub(crate) down: Break,
}

impl Break {
    fn draw(draw: &mut Draw, probability: f64) -> Self {
        if !draw.chance(probability) {
            return Self::None;
        }
        let at = usize::try_from(draw.spread(1, 200_000)).unwrap_or(usize::MAX);
        let milliseconds = |draw: &mut Draw, most| Duration::from_millis(draw.between(1, most).into());
        match draw.below(5) {
            0 => Self::Reset(at),
            1 => Self::End(at),
            2 => Self::Trickle(at),
            3 => Self::Pause(at, milliseconds(draw, 1_500)),
            _ => Self::Delay(milliseconds(draw, 20)),
        }
    }

    /// Whether the connection lives on.
    const fn is_harmless(self) -> bool {
        self.cuts_at().is_none()
    }

    /// How many bytes pass before the connection is cut.
    const fn cuts_at(self) -> Option<usize> {
        match self {
            Self::Reset(at) | Self::End(at) | Self::HalfEnd(at) => Some(at),
            _ => None,
        }
    }
}

impl Breaks {
    /// Draws what happens on a connection; each direction is broken with this probability.
    pub(crate) fn draw(draw: &mut Draw, probability: f64) -> Self {
        Self { up: Break::draw(draw, probability), down: Break::draw(draw, probability) }
    }

    /// Whether everything arrives, if late.
    pub(crate) const fn are_harmless(self) -> bool {
        self.up.is_harmless() && self.down.is_harmless()
    }
}

/// How many bytes each direction of a connection has carried.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Carried {
    pub(crate) up: usize,
    pub(crate) down: usize,
}

/// A relay for one connection, and what it will have carried.
pub(crate) fn once(
    target: SocketAddr,
    breaks: Breaks,
) -> Result<(SocketAddr, oneshot::Receiver<Carried>), Failure> {
    let (listener, address) = servers::listen(None)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let (sender, carried) = oneshot::channel();
    tokio::spawn(async move {
        if let Ok((client, _)) = listener.accept().await {
            // The figures of most relays have no receiver.
            let _ = sender.send(relay(client, target, breaks).await);
        }
    });
    Ok((address, carried))
}

/// The target of a relay, which moves when a server is started again.
pub(crate) type Target = Arc<Mutex<SocketAddr>>;

/// Reads or moves a target.
pub(crate) fn target(target: &Target) -> std::sync::MutexGuard<'_, SocketAddr> {
    target.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a relay for many connections has done.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicU64,
    /// Connections that it ended itself.
    pub(crate) cuts: AtomicU64,
}

/// A relay for any number of connections; `breaks` decides for each, by its number.
pub(crate) fn start(
    to: Target,
    mut breaks: impl FnMut(u64) -> Breaks + Send + 'static,
) -> Result<(SocketAddr, Arc<Counts>), Failure> {
    let (listener, address) = servers::listen(None)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let counts = Arc::new(Counts::default());
    let counted = Arc::clone(&counts);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let number = counted.connections.fetch_add(1, Ordering::SeqCst);
            let (to, breaks, counted) = (*target(&to), breaks(number), Arc::clone(&counted));
            tokio::spawn(async move {
                let carried = relay(client, to, breaks).await;
                let cut = breaks.up.cuts_at().is_some_and(|at| at <= carried.up)
                    || breaks.down.cuts_at().is_some_and(|at| at <= carried.down);
                counted.cuts.fetch_add(u64::from(cut), Ordering::SeqCst);
            });
        }
    });
    Ok((address, counts))
}

async fn relay(client: TcpStream, target: SocketAddr, breaks: Breaks) -> Carried {
    let mut carried = Carried::default();
    let connected = tcp(target, None).await;
    let Ok(server) = connected else {
        reset(&client);
        return carried;
    };
    // An error here is one of a socket that has ended, which the relay notices.
    let _ = client.set_nodelay(true);
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let mut up = Direction { from: from_client, to: to_server, what: breaks.up, carried: &mut carried.up };
    let mut down =
        Direction { from: from_server, to: to_client, what: breaks.down, carried: &mut carried.down };
    let how = {
        let (up, down) = (up.carry(), down.carry());
        tokio::pin!(up, down);
        tokio::select! {
            how = &mut up => if how == How::Ended { down.await } else { how },
            how = &mut down => if how == How::Ended { up.await } else { how },
        }
    };
    if how == How::Reset {
        // What has passed gets the time to arrive.
        tokio::time::sleep(Duration::from_millis(2)).await;
        reset(up.to.as_ref());
        reset(down.to.as_ref());
    }
    carried
}

/// Makes the end of a socket a reset.
fn reset(socket: &TcpStream) {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
}

/// How a direction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// Its sender's end was passed on.
    Ended,
    /// Both connections end now.
    Cut,
    Reset,
}

struct Direction<'a> {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    what: Break,
    carried: &'a mut usize,
}

impl Direction<'_> {
    async fn carry(&mut self) -> How {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(16 << 10);
            match self.from.read_buf(&mut buffer).await {
                Ok(0) => {
                    // The receiver may have gone already.
                    let _ = self.to.shutdown().await;
                    return How::Ended;
                }
                Ok(_) => {}
                Err(_) => return How::Reset,
            }
            if let Some(how) = self.pass(buffer.split().freeze()).await {
                return how;
            }
        }
    }

    /// Passes bytes on, or breaks.
    async fn pass(&mut self, mut bytes: Bytes) -> Option<How> {
        let start = *self.carried;
        let end = start + bytes.len();
        match self.what {
            Break::Reset(at) | Break::End(at) | Break::HalfEnd(at) if at < end => {
                bytes.truncate(at.saturating_sub(start));
                self.write(bytes).await;
                return Some(match self.what {
                    Break::Reset(_) => How::Reset,
                    Break::End(_) => How::Cut,
                    _ => {
                        let _ = self.to.shutdown().await;
                        How::Ended
                    }
                });
            }
            Break::Trickle(at) if (start..end).contains(&at) => {
                for _ in 0..bytes.len().min(400) {
                    self.write(bytes.split_to(1)).await?;
                    tokio::task::yield_now().await;
                }
            }
            Break::Pause(at, time) if (start..end).contains(&at) => tokio::time::sleep(time).await,
            Break::Delay(most) => tokio::time::sleep(most.mul_f64(fastrand::f64())).await,
            _ => {}
        }
        // The other direction sees why nothing is taken any more.
        self.write(bytes).await.map_or(Some(How::Ended), |()| None)
    }

    async fn write(&mut self, bytes: Bytes) -> Option<()> {
        self.to.write_all(&bytes).await.ok()?;
        *self.carried += bytes.len();
        Some(())
    }
}
