//! The `grpcws` command.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use grpcws::proto::ErrorChain;
use grpcws_gateway::call::{self, CallError};
use grpcws_gateway::cli::{Cli, Command};
use grpcws_gateway::demo::{self, DemoOptions};
use grpcws_gateway::inspect::{self, InspectError};
use grpcws_gateway::serve::{self, ServeError};
use grpcws_gateway::terminal::{printable, tell};
use tokio::runtime::Builder;
use tracing_subscriber::EnvFilter;

// Idle streams take a third less memory than with the system's allocator (see DESIGN.md).
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The exit code for wrong usage (`EX_USAGE`), since 1 to 16 are those of gRPC statuses.
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are asked for, and so no error.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(USAGE) } else { ExitCode::SUCCESS };
        }
    };
    let default = match cli.command {
        Command::Call(_) | Command::Demo(_) | Command::Serve(_) => "info",
        // They tell their errors themselves.
        Command::List(_) | Command::Describe(_) | Command::Routes(_) => "off",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    let ansi = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(ansi)
        // What cannot be written to stderr cannot be reported there either: the attempt would panic.
        .log_internal_errors(false)
        .init();
    let mut runtime = match cli.command {
        Command::Demo(_) => Builder::new_multi_thread(),
        // The gateway has threads of its own beside this one, and the others need no second one.
        _ => Builder::new_current_thread(),
    };
    let runtime = match runtime.enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return exit(Err(error.into()), |_| ExitCode::FAILURE),
    };
    let code = runtime.block_on(run(cli.command));
    // A look-up of a name that hangs is not waited for.
    runtime.shutdown_background();
    code
}

async fn run(command: Command) -> ExitCode {
    match command {
        Command::Call(arguments) => match call::call(*arguments).await {
            Ok(code) => code,
            Err(error) => {
                let usage = matches!(error, CallError::Usage(_));
                exit(Err(error.into()), |_| if usage { ExitCode::from(USAGE) } else { ExitCode::FAILURE })
            }
        },
        Command::Demo(arguments) => match DemoOptions::try_from(arguments) {
            Ok(options) => exit(demo::serve(options).await, |_| ExitCode::FAILURE),
            Err(error) => exit(Err(error.into()), |_| ExitCode::from(USAGE)),
        },
        Command::Serve(arguments) => exit(serve::serve(*arguments).await.map_err(Into::into), |error| {
            match error.downcast_ref::<ServeError>() {
                Some(error) if error.is_usage() => ExitCode::from(USAGE),
                _ => ExitCode::FAILURE,
            }
        }),
        Command::List(arguments) => exit(inspect::list(*arguments).await.map_err(Into::into), inspected),
        Command::Describe(arguments) => {
            exit(inspect::describe(*arguments).await.map_err(Into::into), inspected)
        }
        Command::Routes(arguments) => exit(inspect::routes(*arguments).await.map_err(Into::into), inspected),
    }
}

fn inspected(error: &BoxError) -> ExitCode {
    error.downcast_ref::<InspectError>().map_or(ExitCode::FAILURE, |error| error.exit_code().into())
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Shows an error with what caused it.
fn exit(result: Result<(), BoxError>, code: impl FnOnce(&BoxError) -> ExitCode) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    let text = format!("grpcws: {}", ErrorChain(&*error));
    // Some errors have several lines, and some the words of a peer.
    text.lines().for_each(|line| tell(&printable(line)));
    code(&error)
}
