//! A link: a relay with a rate, a delay and kernel buffers of its own.
//!
//! A byte that is read leaves when the ones before it have left at the link's rate, and arrives a delay later. What is
//! on its way is bounded by what such a link holds; then the relay stops reading, and TCP pushes back.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::client::transport::{Lost, tcp};
use crate::failure::Failure;
use crate::servers;

/// What a link is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Bytes per second, in each direction.
    pub(crate) rate: u32,
    /// The time for a round trip.
    pub(crate) round_trip: Duration,
    /// The kernel buffers of its sockets; the system's own where absent.
    pub(crate) buffer: Option<usize>,
}

/// A link to `target` for one connection. It ends with that connection.
pub(crate) fn start(shape: Shape, target: SocketAddr) -> Result<SocketAddr, Failure> {
    let (listener, address) = servers::listen(shape.buffer)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    tokio::spawn(async move {
        // Each side learns of a failure by the end of its connection.
        if let Ok((client, _)) = listener.accept().await
            && client.set_nodelay(true).is_ok()
            && let Ok(gateway) = tcp(target, shape.buffer).await
        {
            relay(client, gateway, shape).await;
        }
    });
    Ok(address)
}

async fn relay(client: TcpStream, gateway: TcpStream, shape: Shape) {
    let (from_client, to_client) = client.into_split();
    let (from_gateway, to_gateway) = gateway.into_split();
    let mut up = Direction::new(from_client, to_gateway, shape);
    let mut down = Direction::new(from_gateway, to_client, shape);
    let (up, down) = (up.carry(), down.carry());
    tokio::pin!(up, down);
    // A reset ends both directions, an end only its own.
    tokio::select! {
        ended = &mut up => if ended == Lost::End {
            down.await;
        },
        ended = &mut down => if ended == Lost::End {
            up.await;
        },
    }
}

struct Direction {
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    shape: Shape,
    /// What is on its way, with the time at which it arrives.
    queue: VecDeque<(Instant, Bytes)>,
    held: usize,
    /// When the last byte has left.
    free_at: Instant,
}

impl Direction {
    fn new(from: OwnedReadHalf, to: OwnedWriteHalf, shape: Shape) -> Self {
        Self { from, to, shape, queue: VecDeque::new(), held: 0, free_at: Instant::now() }
    }

    /// How many bytes are on the way at most: what the link's length holds, and a small queue in front of it.
    fn capacity(&self) -> usize {
        let rate = f64::from(self.shape.rate);
        let length = rate * self.shape.round_trip.as_secs_f64() / 2.0;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few megabytes at most"
        )]
        let bytes = (length + (rate / 50.0).clamp(3_000.0, 65_536.0)) as usize;
        bytes
    }

    /// Carries bytes until the sender's end has arrived, or the receiver takes nothing any more.
    async fn carry(&mut self) -> Lost {
        let capacity = self.capacity();
        let piece = (capacity / 4).clamp(1_448, 16 << 10);
        let mut ended = None;
        loop {
            if let (Some(ended), true) = (ended, self.queue.is_empty()) {
                return self.end(ended).await;
            }
            let due = self.queue.front().map_or(self.free_at, |(due, _)| *due);
            let mut buffer = BytesMut::with_capacity(piece);
            tokio::select! {
                () = sleep_until(due), if !self.queue.is_empty() => {
                    let Some((_, bytes)) = self.queue.pop_front() else { continue };
                    self.held -= bytes.len();
                    if self.to.write_all(&bytes).await.is_err() {
                        // The other direction hears of it from the same socket.
                        return Lost::End;
                    }
                }
                read = self.from.read_buf(&mut buffer), if ended.is_none() && self.held < capacity => match read {
                    Ok(0) => ended = Some(Lost::End),
                    Ok(_) => self.enqueue(buffer.freeze()),
                    Err(_) => ended = Some(Lost::Reset),
                },
            }
        }
    }

    fn enqueue(&mut self, bytes: Bytes) {
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let time = Duration::from_secs_f64(f64::from(length) / f64::from(self.shape.rate));
        self.free_at = self.free_at.max(Instant::now()) + time;
        self.held += bytes.len();
        self.queue.push_back((self.free_at + self.shape.round_trip / 2, bytes));
    }

    async fn end(&mut self, ended: Lost) -> Lost {
        if ended == Lost::Reset {
            // A reset destroys what this relay's own kernel still has; a link would have delivered that before.
            tokio::time::sleep(self.shape.round_trip / 2 + Duration::from_millis(20)).await;
            let _ = socket2::SockRef::from(self.to.as_ref()).set_linger(Some(Duration::ZERO));
        } else {
            // The receiver may have gone already.
            let _ = self.to.shutdown().await;
        }
        ended
    }
}
