//! gRPC's interop cases through a gateway, with a generated tonic client over WebSocket.
//!
//! They are the cases of gRPC's `interop-test-descriptions.md` that a bridge has a part in, among them the six that
//! gRPC-Web cannot run. `cargo xtask test --only interop` starts the servers.
#![allow(clippy::print_stdout, reason = "a suite prints what passed")]

mod cases;
mod check;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use grpcws_client::{Client, ClientOptions};

/// Runs gRPC's interop cases against a gateway in front of an interop server.
#[derive(Parser)]
struct Arguments {
    /// Where the gateway is: ws://HOST:PORT
    gateway: String,
}

/// A case that takes longer hangs.
const LIMIT: Duration = Duration::from_secs(20);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let client = match Client::new(&arguments.gateway, ClientOptions::default()) {
        Ok(client) => client,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(64);
        }
    };
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in cases::CASES {
        let outcome = tokio::time::timeout(LIMIT, case(client.clone())).await;
        match outcome.unwrap_or_else(|_| Err(check::Failed(format!("it takes longer than {LIMIT:?}")))) {
            Ok(()) => {
                println!("ok   {name}");
                passed += 1;
            }
            Err(check::Failed(reason)) => {
                println!("FAIL {name}\n     {reason}");
                failed += 1;
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
