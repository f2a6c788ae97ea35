//! The benchmark of grpcws and its peers. `cargo xtask bench` builds everything and runs it.
//!
//! One program plays every part that is not a peer: `run` is the generator and the report, the other commands are
//! the processes that it starts. The generator runs in one thread, and so do not the servers.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for a terminal")]

mod direct;
mod event;
mod load;
mod measure;
mod report;
mod run;
mod sample;
mod scenario;
mod servers;
mod service;
mod target;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The generated types of the benchmark's service.
#[allow(missing_docs, unreachable_pub, clippy::pedantic, reason = "generated")]
mod pb {
    tonic::include_proto!("grpcws.bench.v1");
}

const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/grpcws_bench.binpb"));

// As the gateway has it, so that both modes of using grpcws are compared alike.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

#[derive(Debug, Parser)]
#[command(version, about = "The benchmark of grpcws and its peers.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs scenarios and writes a report.
    Run(run::RunArguments),
    /// Serves the benchmark's service as gRPC.
    Backend(ListenArguments),
    /// Serves it over WebSocket, bridged in this process.
    Library(ListenArguments),
    /// Serves a gRPC server over WebSocket, by the library alone.
    Bridge {
        #[command(flatten)]
        listen: ListenArguments,
        /// As `http://HOST:PORT`.
        #[arg(long)]
        upstream: String,
    },
    /// A bare WebSocket echo.
    Echo(ListenArguments),
    /// A gRPC client without a bridge.
    Direct(direct::DirectArguments),
}

#[derive(Debug, clap::Args)]
struct ListenArguments {
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    measure::raise_file_limit();
    let mut runtime = match cli.command {
        Command::Run(_) => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("grpcws-bench: {error}");
            return ExitCode::FAILURE;
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Run(arguments) => run::run(arguments).await.map_err(Into::into),
            Command::Backend(arguments) => servers::backend(&arguments.listen).await,
            Command::Library(arguments) => servers::library(&arguments.listen).await,
            Command::Bridge { listen, upstream } => servers::bridge(&listen.listen, &upstream).await,
            Command::Echo(arguments) => servers::echo(&arguments.listen).await,
            Command::Direct(arguments) => direct::run(arguments).await,
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("grpcws-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
