//! `grpcws call` as a process.

use std::process::{Output, Stdio};

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::SOON;

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpcws"));
    command.arg("call").args(arguments).kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs to the end with this on stdin.
pub(crate) async fn run(arguments: &[&str], stdin: &str) -> (Option<i32>, Vec<String>, String) {
    let mut child = command(arguments).spawn().expect("the binary is built");
    let mut pipe = child.stdin.take().expect("a pipe");
    // A call that ends before it has read everything closes the pipe.
    let _ = pipe.write_all(stdin.as_bytes()).await;
    drop(pipe);
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await.expect("it ends");
    let Output { status, stdout, stderr } = output.expect("it can be waited for");
    let stdout = String::from_utf8(stdout).expect("text");
    let stderr = String::from_utf8(stderr).expect("text");
    (status.code(), stdout.lines().map(str::to_owned).collect(), stderr)
}
