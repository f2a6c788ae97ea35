//! TCP.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::Failure;
use crate::endpoint::Endpoint;

/// How many bytes the kernel keeps that it has not sent. A ping, or a cancel, waits behind them.
const UNSENT: u32 = 128 * 1024;

/// How long an attempt is alone before the next address is tried beside it: the recommended one of RFC 8305 §8.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Connects to the first address of the gateway's name that answers.
pub(super) async fn connect(endpoint: &Endpoint) -> Result<TcpStream, Failure> {
    let Endpoint { host, port, authority, .. } = endpoint;
    let unreachable =
        |error: io::Error| Failure::unreachable(format!("cannot connect to {authority}: {error}"));
    let addresses = tokio::net::lookup_host((host.as_str(), *port)).await.map_err(unreachable)?;
    let stream = race(interleaved(addresses.collect())).await.map_err(unreachable)?;
    // Frames are gathered here; a small one that waits for an acknowledgement would only be late.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    grpcws_tcp::limit_unsent(&stream, UNSENT);
    Ok(stream)
}

/// The addresses in the order in which they are tried: the families take turns, beginning with that of the first address,
/// which the system prefers (RFC 8305 §4).
fn interleaved(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let preferred = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == preferred);
    let mut others = second.into_iter();
    let mut order = Vec::new();
    for address in first {
        order.push(address);
        order.extend(others.next());
    }
    order.extend(others);
    order
}

/// Connects to the addresses in this order, each when the one before has failed or taken a while; the first connection is
/// kept and the other attempts end (RFC 8305 §5). An address that swallows what it is sent costs no more than that while.
///
/// hyper-util has the like, but tries the addresses of a family one after another, so that one silent address holds up
/// the others.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut failure = None;
    let mut next_at = Instant::now();
    loop {
        let waiting = addresses.len() > 0;
        if !waiting && attempts.is_empty() {
            let none = || io::Error::new(io::ErrorKind::NotFound, "the name has no address");
            return Err(failure.unwrap_or_else(none));
        }
        tokio::select! {
            biased;
            Some(attempt) = attempts.join_next() => match attempt {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => {
                    failure.get_or_insert(error);
                    next_at = Instant::now();
                }
                Err(panicked) => _ = failure.get_or_insert(io::Error::other(panicked)),
            },
            () = sleep_until(next_at), if waiting => {
                if let Some(address) = addresses.next() {
                    attempts.spawn(TcpStream::connect(address));
                }
                next_at = Instant::now() + ATTEMPT_DELAY;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn families_take_turns() {
        let order = |addresses: &[&str]| interleaved(addresses.iter().map(|text| address(text)).collect());
        let (a, b, c) = ("[2001:db8::1]:1", "[2001:db8::2]:1", "[2001:db8::3]:1");
        let (x, y) = ("192.0.2.1:1", "192.0.2.2:1");
        assert_eq!(order(&[a, b, c, x, y]), [a, x, b, y, c].map(address));
        assert_eq!(order(&[x, y, a]), [x, a, y].map(address));
        assert_eq!(order(&[]), []);
    }

    /// An address whose handshakes are never finished, since its queue is full, and what keeps it so.
    async fn silent() -> (SocketAddr, TcpListener, Vec<JoinSet<()>>) {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(address("127.0.0.1:0")).expect("a free port");
        let listener = socket.listen(1).expect("it listens");
        let silent = listener.local_addr().expect("it is bound");
        let mut filling = JoinSet::new();
        for _ in 0..4 {
            filling.spawn(async move {
                let _stream = TcpStream::connect(silent).await;
                std::future::pending::<()>().await;
            });
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        (silent, listener, vec![filling])
    }

    #[tokio::test]
    async fn an_address_that_does_not_answer_holds_the_next_up_for_a_moment_only() {
        let (silent, _listener, _filling) = silent().await;
        let fine = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let fine = fine.local_addr().map(|address| (address, fine)).expect("it is bound");
        let began = Instant::now();
        let stream = race(vec![silent, silent, fine.0]).await.expect("the last one answers");
        assert_eq!(stream.peer_addr().expect("it is connected"), fine.0);
        let took = began.elapsed();
        assert!(took >= ATTEMPT_DELAY && took < Duration::from_secs(3), "{took:?}");
    }

    #[tokio::test]
    async fn an_address_that_refuses_holds_nobody_up_and_the_first_failure_is_told() {
        // The port is taken, and nobody listens.
        let taken = TcpSocket::new_v4().expect("a socket");
        taken.bind(address("127.0.0.1:0")).expect("a free port");
        let closed = taken.local_addr().expect("it is bound");
        let fine = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let began = Instant::now();
        race(vec![closed, fine.local_addr().expect("it is bound")]).await.expect("the second one answers");
        assert!(began.elapsed() < ATTEMPT_DELAY, "{:?}", began.elapsed());
        let error = race(vec![closed]).await.expect_err("nobody listens");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
        assert_eq!(race(Vec::new()).await.expect_err("nothing").to_string(), "the name has no address");
    }
}
