//! `grpcws` as a process of its own.
#![allow(dead_code, reason = "each test uses a part of it")]

pub(crate) mod call;
pub(crate) mod serve;

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A process that listens, and is killed when this is dropped.
struct Process {
    child: Child,
    addresses: Vec<String>,
}

impl Process {
    /// Starts `grpcws`, and reads from its stdout one address for each scheme.
    async fn start(arguments: &[&str], schemes: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_grpcws"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary is built");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut addresses = Vec::new();
        for scheme in schemes {
            let line = tokio::time::timeout(SOON, lines.next_line()).await.expect("it starts");
            let line = line.expect("a line").expect("an address");
            let address = line.strip_prefix(&format!("listening {scheme}://"));
            addresses.push(address.expect("the listeners in this order").to_owned());
        }
        Self { child, addresses }
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().expect("it runs")).expect("a process id");
        kill_process(Pid::from_raw(id).expect("not zero"), signal).expect("it is ours");
    }

    async fn exit(mut self) -> ExitStatus {
        tokio::time::timeout(SOON, self.child.wait()).await.expect("it ends").expect("it can be waited for")
    }
}

/// `grpcws demo`.
pub(crate) struct Demo {
    process: Process,
    /// `HOST:PORT` of WebSocket, the page, REST and SSE.
    pub(crate) address: String,
    /// `HOST:PORT` of gRPC.
    pub(crate) grpc_address: String,
}

impl Demo {
    /// Starts the demo with a grace of so many seconds, and stops reading its stdout.
    pub(crate) async fn start(grace: &str) -> Self {
        Self::start_on("127.0.0.1:0", grace).await
    }

    /// The same with gRPC on this address.
    pub(crate) async fn start_on(grpc_listen: &str, grace: &str) -> Self {
        let arguments = ["demo", "--listen", "127.0.0.1:0", "--grpc-listen", grpc_listen, "--grace", grace];
        let process = Process::start(&arguments, &["ws", "grpc"]).await;
        let [address, grpc_address] = process.addresses.clone().try_into().expect("two addresses");
        Self { process, address, grpc_address }
    }

    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    pub(crate) async fn exit(self) -> ExitStatus {
        self.process.exit().await
    }

    /// Ends the process at once, without a chance to say anything.
    pub(crate) async fn kill(self) {
        self.process.signal(Signal::KILL);
        self.process.exit().await;
    }
}

/// `grpcws serve`.
pub(crate) struct Gateway {
    process: Process,
    /// `HOST:PORT`
    pub(crate) address: String,
}

impl Gateway {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        Self::start_on("127.0.0.1:0", arguments).await
    }

    /// The same on this address.
    pub(crate) async fn start_on(listen: &str, arguments: &[&str]) -> Self {
        let arguments = [&["serve", "--listen", listen], arguments].concat();
        let process = Process::start(&arguments, &["ws"]).await;
        let address = process.addresses.concat();
        Self { process, address }
    }

    pub(crate) fn terminate(&self) {
        self.process.signal(Signal::TERM);
    }

    pub(crate) fn hang_up(&self) {
        self.process.signal(Signal::HUP);
    }

    pub(crate) async fn exit(self) -> ExitStatus {
        self.process.exit().await
    }
}
