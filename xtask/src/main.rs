//! The project's own commands: `cargo xtask test` is the whole gate, `cargo xtask bench` the benchmark.
//!
//! The steps are data, in [`steps`]; the suites in other languages are rows of a table in [`suites`]; what
//! they need on a fresh machine is put there by [`install`]; [`process`] starts programs and ends them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for a terminal")]

mod autobahn;
mod bench;
mod browsers;
mod campaign;
mod connect;
mod context;
mod count;
mod elf;
mod etcd;
mod install;
mod java;
mod process;
mod protobuf;
mod routes;
mod steps;
mod suites;
mod typescript;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use context::{Context, Failure};
use steps::{STEPS, Step};

const HELP: &str = "\
The project's own commands.

Usage: cargo xtask test [OPTIONS]
       cargo xtask bench [OPTIONS]
       cargo xtask count [--record]
       cargo xtask link [OPTIONS]
       cargo xtask campaign [--calls N] [--minutes M] [--seed S]

test runs every check of the project, in this order, and stops at the first that fails.
What a check needs and the machine does not have is installed: below the target
folder, in tests/*/node_modules, or, as root on Debian, by apt-get.

bench builds the gateway, its peers and the load generator, measures them side
by side, and writes target/bench/report.{json,md,svg}. See cargo xtask bench --help.

count counts the instructions of a message in each hop, which test does too; with
--record it writes the counts and the profiles down.

link and campaign run the long forms of these steps, on programs built in release:
1,000 streams over slow links; cuts at every byte, stops of 2, 20 and 40 s, and a
million calls that are broken at random. With options they run as these say.

Options of test:
      --all         also run what takes hours: the long forms of link and campaign
      --only NAMES  run these steps only (comma-separated)
      --skip NAMES  leave these steps out (comma-separated)
      --list        print the steps
  -h, --help        print this help

Steps:
";

fn main() -> ExitCode {
    match arguments() {
        Ok(Request::Help) => {
            print!("{HELP}{}", step_list());
            ExitCode::SUCCESS
        }
        Ok(Request::List) => {
            print!("{}", step_list());
            ExitCode::SUCCESS
        }
        Ok(Request::Test { chosen, all }) => test(&chosen, all),
        Ok(Request::Bench(arguments)) => finish(bench::bench(&Context::new(), &arguments)),
        Ok(Request::Link(arguments)) => finish(campaign::link(&Context::new(), &arguments).map(drop)),
        Ok(Request::Campaign(arguments)) => finish(campaign::campaign(&Context::new(), &arguments).map(drop)),
        Ok(Request::Count { record }) => finish(count::count(&Context::new(), record).map(drop)),
        Err(error) => {
            eprintln!("xtask: {error}\nTry: cargo xtask --help");
            ExitCode::from(64)
        }
    }
}

fn finish(result: Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("xtask: {failure}");
            ExitCode::FAILURE
        }
    }
}

enum Request {
    Help,
    List,
    Test {
        chosen: Vec<&'static Step>,
        /// In their long forms, where they have one.
        all: bool,
    },
    /// With the arguments of the benchmark itself.
    Bench(Vec<OsString>),
    /// With the arguments of the program itself, as the next one.
    Link(Vec<OsString>),
    Campaign(Vec<OsString>),
    Count {
        record: bool,
    },
}

fn arguments() -> Result<Request, lexopt::Error> {
    use lexopt::prelude::{Long, Short, Value, ValueExt as _};

    let mut parser = lexopt::Parser::from_env();
    let (mut command, mut only, mut skip, mut all) = (None, Vec::new(), Vec::new(), false);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Request::Help),
            Long("list") => return Ok(Request::List),
            Long("all") => all = true,
            Long("only") => only.extend(names(&parser.value()?.string()?)?),
            Long("skip") => skip.extend(names(&parser.value()?.string()?)?),
            Value(value) if command.is_none() && value == "test" => command = Some(value),
            Value(value) if command.is_none() && value == "bench" => {
                return Ok(Request::Bench(parser.raw_args()?.collect()));
            }
            Value(value) if command.is_none() && value == "link" => {
                return Ok(Request::Link(parser.raw_args()?.collect()));
            }
            Value(value) if command.is_none() && value == "campaign" => {
                return Ok(Request::Campaign(parser.raw_args()?.collect()));
            }
            Value(value) if command.is_none() && value == "count" => {
                let record = match parser.next()? {
                    None => false,
                    Some(Long("record")) => true,
                    Some(other) => return Err(other.unexpected()),
                };
                return Ok(Request::Count { record });
            }
            other => return Err(other.unexpected()),
        }
    }
    if command.is_none() {
        return Ok(Request::Help);
    }
    let chosen = |step: &&Step| (only.is_empty() || only.contains(&step.name)) && !skip.contains(&step.name);
    Ok(Request::Test { chosen: STEPS.iter().filter(chosen).collect(), all })
}

/// The steps of a comma-separated list.
fn names(list: &str) -> Result<Vec<&'static str>, lexopt::Error> {
    list.split(',')
        .map(|name| {
            let step = STEPS.iter().find(|step| step.name == name.trim());
            step.map(|step| step.name).ok_or_else(|| format!("no step is called {name:?}").into())
        })
        .collect()
}

fn step_list() -> String {
    STEPS.iter().map(|step| format!("  {:<11} {}\n", step.name, step.about)).collect()
}

/// Runs the steps until one fails. The last line is `N passed, N failed`: a step that runs tests counts
/// as its tests, every other as one.
fn test(steps: &[&Step], all: bool) -> ExitCode {
    let context = Context { all, ..Context::new() };
    let mut passed = 0;
    let mut durations = Vec::new();
    for step in steps {
        println!("\n== {}: {}", step.name, step.about);
        let start = Instant::now();
        let result = step.needs.iter().try_for_each(|need| need.install(&context));
        match result.and_then(|()| (step.run)(&context)) {
            Ok(count) => {
                passed += count;
                println!("== {}: {count} passed in {}", step.name, seconds(start.elapsed()));
                durations.push((step.name, start.elapsed()));
            }
            Err(failure) => {
                println!("\n== {}: failed after {}: {failure}", step.name, seconds(start.elapsed()));
                println!("   {}", failure.remedy.as_deref().unwrap_or(step.remedy));
                println!("   again: cargo xtask test --only {}\n", step.name);
                println!("{} passed, {} failed", passed + failure.passed, failure.failed.max(1));
                return ExitCode::FAILURE;
            }
        }
    }
    println!();
    for (name, duration) in &durations {
        println!("{name:<11} {:>8}", seconds(*duration));
    }
    println!("{passed} passed, 0 failed");
    ExitCode::SUCCESS
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
