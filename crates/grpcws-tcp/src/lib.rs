#![doc = include_str!("../README.md")]
//!
//! An acknowledgement comes from the TCP at the other end of the connection. Behind a proxy that is the proxy's, which
//! acknowledges for a client that is gone.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
mod other;

#[cfg(target_os = "linux")]
pub use linux::{limit_unsent, outstanding};
#[cfg(not(target_os = "linux"))]
pub use other::{limit_unsent, outstanding};

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        limit_unsent(&listener, 64 * 1024);
        let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("it listens");
        let (server, _) = listener.accept().expect("a connection");
        (server, client)
    }

    #[test]
    fn bytes_are_outstanding_until_the_peer_acknowledges_them() {
        let (mut server, client) = pair();
        socket2::SockRef::from(&client).set_recv_buffer_size(8 * 1024).expect("a socket option");
        assert_eq!(outstanding(&server), Some(0));
        server.set_nonblocking(true).expect("a socket option");
        let mut written = 0;
        while let Ok(bytes) = server.write(&[7; 16 * 1024]) {
            written += bytes;
        }
        let left = outstanding(&server).expect("Linux tells");
        assert!(left > 0 && left <= written as u64, "{left} of {written}");
        let mut received = 0;
        let started = Instant::now();
        let mut client = client;
        while received < written {
            received += client.read(&mut [0; 64 * 1024]).expect("the connection lives");
        }
        while outstanding(&server) != Some(0) {
            assert!(started.elapsed() < Duration::from_secs(10), "{:?} are left", outstanding(&server));
            std::thread::yield_now();
        }
    }

    #[test]
    fn the_kernel_takes_little_for_a_peer_that_does_not_read() {
        let (mut server, _client) = pair();
        server.set_nonblocking(true).expect("a socket option");
        let mut last = None;
        // Until the client's receive window is full, the kernel sends on and takes more.
        loop {
            while server.write(&[7; 16 * 1024]).is_ok() {}
            let left = outstanding(&server);
            if left == last {
                break;
            }
            last = left;
        }
        assert!(last.is_some_and(|left| (1..=160 * 1024).contains(&left)), "{last:?} bytes");
    }

    #[test]
    fn a_reset_does_not_count_as_an_acknowledgement() {
        let (mut server, client) = pair();
        server.set_nonblocking(true).expect("a socket option");
        while server.write(&[7; 16 * 1024]).is_ok() {}
        // Dropping a socket with unread bytes resets the connection.
        drop(client);
        let started = Instant::now();
        // A write fails when the reset has come.
        while server.write(&[7]).err().is_none_or(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
            assert!(started.elapsed() < Duration::from_secs(10), "no reset");
            std::thread::yield_now();
        }
        assert_ne!(outstanding(&server), Some(0));
    }
}
