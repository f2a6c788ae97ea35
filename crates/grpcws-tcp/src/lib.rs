#![doc = include_str!("../README.md")]
//!
//! An acknowledgement comes from the TCP at the other end of the connection. Behind a proxy that is the proxy's, which
//! acknowledges for a client that is gone.

use std::io;
#[cfg(unix)]
use std::os::fd::AsFd;

#[cfg(target_os = "linux")]
mod linux;

/// Returns how many bytes of a connection the kernel has taken and the peer's TCP has not acknowledged.
///
/// `None` where the system does not tell: everywhere but on Linux 4.19 and later. It costs one system call.
#[cfg(unix)]
pub fn outstanding(socket: &impl AsFd) -> Option<u64> {
    #[cfg(target_os = "linux")]
    return linux::outstanding(socket);
    #[cfg(not(target_os = "linux"))]
    return {
        let _ = socket;
        None
    };
}

/// Bounds the bytes that the kernel takes for a connection before it has sent them (`TCP_NOTSENT_LOWAT`). The bytes of
/// one write may go beyond. Without it the kernel takes as much as its send buffer holds, which grows to megabytes.
///
/// Connections that a listener accepts have the bound of the listener. Does nothing where the system has no such option.
///
/// # Errors
///
/// The error of the system call.
#[cfg(unix)]
pub fn limit_unsent(socket: &impl AsFd, bytes: u32) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    return socket2::SockRef::from(socket).set_tcp_notsent_lowat(bytes);
    #[cfg(not(target_os = "linux"))]
    return {
        let _ = (socket, bytes);
        Ok(())
    };
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        limit_unsent(&listener, 64 * 1024).expect("an option of Linux");
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
        while server.write(&[7; 16 * 1024]).is_ok() {}
        std::thread::sleep(Duration::from_millis(50));
        while server.write(&[7; 16 * 1024]).is_ok() {}
        let left = outstanding(&server).expect("Linux tells");
        assert!(left <= 160 * 1024, "{left} bytes");
    }

    #[test]
    fn a_reset_does_not_count_as_an_acknowledgement() {
        let (mut server, client) = pair();
        server.set_nonblocking(true).expect("a socket option");
        while server.write(&[7; 16 * 1024]).is_ok() {}
        // Dropping a socket with unread bytes resets the connection.
        drop(client);
        let started = Instant::now();
        while server.write(&[7]).is_ok_and(|_| true) || server.take_error().is_ok_and(|error| error.is_none())
        {
            if started.elapsed() > Duration::from_secs(5) {
                break;
            }
            std::thread::yield_now();
        }
        assert!(outstanding(&server).is_none_or(|left| left > 0));
    }
}
