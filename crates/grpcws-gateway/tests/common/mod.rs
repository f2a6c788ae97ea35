//! The demo as a process of its own.
#![allow(dead_code, reason = "each test uses a part of it")]

use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Longer than anything takes that works.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) struct Demo {
    child: Child,
    /// `HOST:PORT` of WebSocket, the page, REST and SSE.
    pub(crate) address: String,
    /// `HOST:PORT` of gRPC.
    pub(crate) grpc_address: String,
}

impl Demo {
    /// Starts the demo with a grace of so many seconds, and stops reading its stdout.
    pub(crate) async fn start(grace: &str) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_grpcws"))
            .args(["demo", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--grace", grace])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("the binary is built");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut addresses = Vec::new();
        for scheme in ["listening ws://", "listening grpc://"] {
            let line = lines.next_line().await.expect("a line").expect("an address");
            addresses.push(line.strip_prefix(scheme).expect("the listeners in this order").to_owned());
        }
        let [address, grpc_address] = addresses.try_into().expect("two addresses");
        Self { child, address, grpc_address }
    }

    pub(crate) fn terminate(&self) {
        let id = i32::try_from(self.child.id().expect("it runs")).expect("a process id");
        kill_process(Pid::from_raw(id).expect("not zero"), Signal::TERM).expect("it is ours");
    }

    pub(crate) async fn exit(mut self) -> ExitStatus {
        tokio::time::timeout(SOON, self.child.wait()).await.expect("it ends").expect("it can be waited for")
    }
}
