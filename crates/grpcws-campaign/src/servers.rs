//! The servers under test and the proxies in front of them, as processes.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd as _, AsRawFd as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::{FdFlags, fcntl_setfd};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::client::transport::loopback;
use crate::failure::Failure;
use crate::process::Process;

/// The options of a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    /// What PROTOCOL §13 lists.
    Default,
    /// Times so short that what takes minutes by default takes seconds.
    Scaled,
}

impl Times {
    /// The lines of the configuration file.
    pub(crate) const fn config(self) -> &'static str {
        match self {
            Self::Default => "",
            // A receiver gives the room of a buffer back in large parts: behind the slowest link, of 20 KB/s, the 128 KiB
            // of a loopback socket were seen to acknowledge nothing for 5.5 s. So the write stall is longer than that.
            Self::Scaled => {
                "ping-period = \"1s\"\npong-timeout = \"3s\"\nlinger = \"1s\"\nwrite-stall-timeout = \"8s\"\n"
            }
        }
    }
}

/// Where the programs are, and a folder for what they write.
#[derive(Debug)]
pub(crate) struct Programs {
    binaries: PathBuf,
    folder: tempfile::TempDir,
    started: AtomicUsize,
}

impl Programs {
    /// The programs in a folder, or beside this one.
    pub(crate) fn find(folder: Option<PathBuf>) -> Result<Self, Failure> {
        let own = std::env::current_exe()?;
        let binaries = folder.or_else(|| own.parent().map(PathBuf::from)).unwrap_or_default();
        for name in ["grpcws", "grpcws-test"] {
            if !binaries.join(name).is_file() {
                let text = format!("{name} is not in {}: build it, or name --binaries", binaries.display());
                return Err(text.into());
            }
        }
        Ok(Self { binaries, folder: tempfile::tempdir()?, started: AtomicUsize::new(0) })
    }

    /// A file of its own for each server.
    fn file(&self, name: &str) -> PathBuf {
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        self.folder.path().join(format!("{number}-{name}"))
    }

    /// The test service. It remembers as many calls as end between two looks at its books.
    pub(crate) async fn upstream(&self) -> Result<(Process, SocketAddr), Failure> {
        let mut command = Command::new(self.binaries.join("grpcws-test"));
        command.args(["--listen", "127.0.0.1:0", "--remember", "20000"]);
        Process::listening(&mut command, "listening grpc://", &self.file("upstream.log")).await
    }

    /// A gateway in front of it, with lines for itself and lines for its upstream. It gets its descriptors from a file: an
    /// upstream behind a broken link may not answer when it is asked.
    pub(crate) async fn gateway(
        &self,
        upstream: SocketAddr,
        own: &str,
        more: &str,
    ) -> Result<(Process, SocketAddr), Failure> {
        let set = self.folder.path().join("test.binpb");
        if !set.is_file() {
            fs::write(&set, grpcws_test::FILE_DESCRIPTOR_SET)?;
        }
        let config = self.file("gateway.toml");
        let text = format!("{own}[[upstream]]\nurl = \"http://{upstream}\"\n{more}");
        fs::write(&config, text)?;
        let mut command = Command::new(self.binaries.join("grpcws"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--grace", "1s", "--config"]).arg(config);
        command.arg("--descriptor-set").arg(set).env_remove("RUST_LOG");
        Process::listening(&mut command, "listening ws://", &self.file("gateway.log")).await
    }

    /// nginx in front of a gateway. It cannot be told to take any free port, nor with which socket to begin, so it is
    /// given one that was free just before.
    pub(crate) async fn nginx(&self, gateway: SocketAddr) -> Result<(Process, SocketAddr), Failure> {
        let (_, address) = listen(None)?;
        let (config, temporary) = (self.file("nginx.conf"), self.file("nginx"));
        fs::create_dir(&temporary)?;
        let temporary = temporary.display();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|name| format!("{name}_temp_path {temporary}/{name};\n"))
            .collect();
        let text = format!(
            "daemon off; master_process off; pid {temporary}/pid; error_log stderr error;\n\
             events {{ worker_connections 4096; }}\n\
             http {{ access_log off; tcp_nodelay on; {paths}\
             server {{ listen {address} sndbuf={PROXY_BUFFER} rcvbuf={PROXY_BUFFER}; location / {{ proxy_pass http://{gateway}; proxy_http_version 1.1;\n\
             proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;\n\
             proxy_set_header Host $host; proxy_read_timeout 300s; proxy_send_timeout 300s; }} }} }}\n"
        );
        fs::write(&config, text)?;
        let log = self.file("nginx.log");
        let mut process = Process::start(Command::new("nginx").arg("-c").arg(config), &log)?;
        while TcpStream::connect(address).await.is_err() {
            if !process.is_alive() {
                return Err(format!("nginx does not listen: {}", fs::read_to_string(&log)?).into());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok((process, address))
    }

    /// HAProxy in front of a gateway, for HTTP/1.1 and for HTTP/2.
    pub(crate) fn haproxy(&self, gateway: SocketAddr) -> Result<(Process, SocketAddr), Failure> {
        let (listener, address) = inherited()?;
        let config = self.file("haproxy.cfg");
        let text = format!(
            "global\n maxconn 4000\ndefaults\n mode http\n timeout connect 20s\n timeout client 300s\n\
             \x20timeout server 300s\n timeout tunnel 300s\n\
             frontend all\n bind fd@{}\n default_backend gateway\n\
             backend gateway\n server one {gateway}\n",
            listener.as_raw_fd()
        );
        fs::write(&config, text)?;
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(config);
        let process = Process::start(&mut command, &self.file("haproxy.log"))?;
        Ok((process, address))
    }
}

/// The kernel buffers of a proxy, small enough that what it holds drains within a gateway's linger.
const PROXY_BUFFER: usize = 16 << 10;

/// A listening socket that a child process gets. What connects before the child accepts waits in its queue.
fn inherited() -> Result<(TcpListener, SocketAddr), Failure> {
    let (listener, address) = listen(Some(PROXY_BUFFER))?;
    fcntl_setfd(listener.as_fd(), FdFlags::empty())?;
    Ok((listener, address))
}

/// A listening socket on a port that the system chooses. Accepted sockets have its buffers.
pub(crate) fn listen(buffer: Option<usize>) -> Result<(TcpListener, SocketAddr), Failure> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if let Some(size) = buffer {
        limit(&socket, size)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((loopback(), 0)).into())?;
    socket.listen(1_024)?;
    let listener = TcpListener::from(socket);
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Sets both kernel buffers of a socket, and segments as a network has them: in the 64 KiB of the loopback
/// interface a small buffer would hold less than one.
pub(crate) fn limit<'a>(socket: impl Into<SockRef<'a>>, size: usize) -> Result<(), Failure> {
    let socket = socket.into();
    socket.set_send_buffer_size(size)?;
    socket.set_recv_buffer_size(size)?;
    socket.set_tcp_mss(1_448)?;
    Ok(())
}
