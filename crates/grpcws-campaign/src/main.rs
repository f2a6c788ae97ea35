//! Test programs that look for lost messages: slow links, random faults, stopped processes.
//!
//! They drive the real programs `grpcws` and `grpcws-test` and check what clients and the upstream see against the
//! promises P1 to P6 of PROTOCOL.md §12. All that is random is drawn from a seed, which is printed.
//!
//! - [`link`]: streams of all kinds over slow links, directly and behind proxies. None may lose anything.
//! - [`campaign`]: short calls, of which clients, connections and processes are broken at random or at every byte.
//! - [`idle`]: as many streams as a machine holds, that do nothing. Their memory is the figure.
//! - [`stops`]: processes that stand still for a time, and what their clients find behind it.

mod ask;
mod books;
mod campaign;
mod client;
mod draw;
mod failure;
mod idle;
mod link;
mod oracle;
mod process;
mod report;
mod servers;
mod stops;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::report::Report;
use crate::servers::Programs;

/// Test programs that look for lost messages.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// What is drawn at random follows from this number; by default from the clock.
    #[arg(long, global = true)]
    seed: Option<u64>,
    /// The folder of grpcws and grpcws-test; by default that of this program.
    #[arg(long, global = true, value_name = "FOLDER")]
    binaries: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Streams over slow links: each is complete.
    Link(link::LinkArguments),
    /// Calls that are broken at random on both sides: all promises are kept.
    Campaign(campaign::CampaignArguments),
    /// Calls that are cut at every byte, on both sides of the gateway.
    Cuts(campaign::CutArguments),
    /// Processes that stand still for a time: nothing is lost by that.
    Stops(stops::StopArguments),
    /// Idle streams: what each holds in memory, and whether that stays.
    Idle(idle::IdleArguments),
    /// The clients that a campaign stops and kills.
    #[command(hide = true)]
    Victims(campaign::VictimArguments),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut report = Report::default();
    if let Command::Victims(arguments) = arguments.command {
        // They have no report: the campaign reads what they print.
        return campaign::victims(arguments).await.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS);
    }
    if let Err(failure) = run(arguments, &mut report).await {
        report.fail(format!("the program cannot go on: {failure}"), "the same command");
    }
    report.finish()
}

async fn run(arguments: Arguments, report: &mut Report) -> Result<(), Failure> {
    let seed = arguments.seed.unwrap_or_else(|| {
        // Any number does; one that is easily typed again.
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |time| time.as_secs() % 1_000_000)
    });
    let programs = Programs::find(arguments.binaries)?;
    match arguments.command {
        Command::Link(arguments) => link::run(arguments, seed, &programs, report).await,
        Command::Campaign(arguments) => campaign::run(arguments, seed, programs, report).await,
        Command::Cuts(arguments) => campaign::cuts(arguments, programs, report).await,
        Command::Stops(arguments) => stops::stops(arguments, &programs, report).await,
        Command::Idle(arguments) => idle::idle(arguments, &programs, report).await,
        Command::Victims(_) => Ok(()),
    }
}
