//! The programs of `grpcws-campaign`: in short in the gate, and whole by `cargo xtask link` and `cargo xtask campaign`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use crate::context::{Context, Failure};
use crate::install::Need;
use crate::process::run;
use crate::suites::{built, count_within};

/// A million calls on a slow machine.
const LONGEST: Duration = Duration::from_secs(6 * 60 * 60);

/// The step `link`.
pub(crate) fn link_step(context: &Context) -> Result<usize, Failure> {
    if context.all {
        return link(context, &[]);
    }
    let program = built(context, PROGRAM)?;
    start(context, program, &["link", "--streams", "200"], &[], Duration::from_secs(200))
}

/// The step `campaign`.
pub(crate) fn campaign_step(context: &Context) -> Result<usize, Failure> {
    if context.all {
        return campaign(context, &[]);
    }
    let program = built(context, PROGRAM)?;
    let limit = Duration::from_secs(300);
    let runs: [&[&str]; 3] = [&["stops"], &["cuts", "--every", "10"], &["campaign", "--minutes", "1"]];
    all(runs.map(|arguments| start(context, program.clone(), arguments, &[], limit)))
}

/// `cargo xtask link`: streams that outlast the default times too, or what the arguments say.
pub(crate) fn link(context: &Context, arguments: &[OsString]) -> Result<usize, Failure> {
    Need::Proxies.install(context)?;
    let program = release(context)?;
    let own: &[&str] = if arguments.is_empty() { &["link", "--long"] } else { &["link"] };
    start(context, program, own, arguments, LONGEST)
}

/// `cargo xtask campaign`: everything whole, or the calls that the arguments ask for.
pub(crate) fn campaign(context: &Context, arguments: &[OsString]) -> Result<usize, Failure> {
    let program = release(context)?;
    if !arguments.is_empty() {
        return start(context, program, &["campaign"], arguments, LONGEST);
    }
    let runs: [&[&str]; 4] =
        [&["stops", "--long"], &["cuts"], &["campaign", "--calls", "1000000"], &["idle"]];
    all(runs.map(|arguments| start(context, program.clone(), arguments, &[], LONGEST)))
}

const PROGRAM: &str = "grpcws-campaign";

/// Builds the programs in release.
fn release(context: &Context) -> Result<PathBuf, Failure> {
    Need::BuildTools.install(context)?;
    let arguments =
        ["build", "--release", "--locked", "-p", "grpcws-gateway", "-p", "grpcws-test", "-p", PROGRAM];
    run(&mut context.cargo(&arguments))?;
    Ok(context.target.join("release").join(PROGRAM))
}

fn start(
    context: &Context,
    program: PathBuf,
    own: &[&str],
    more: &[OsString],
    limit: Duration,
) -> Result<usize, Failure> {
    let mut command = context.command(program, own);
    count_within(command.args(more), &own.join(" "), limit)
}

/// Adds up what several runs passed and failed.
fn all<const RUNS: usize>(results: [Result<usize, Failure>; RUNS]) -> Result<usize, Failure> {
    let (mut passed, mut failed, mut reasons) = (0, 0, Vec::new());
    for result in results {
        match result {
            Ok(count) => passed += count,
            Err(failure) => {
                passed += failure.passed;
                failed += failure.failed.max(1);
                reasons.push(failure.reason);
            }
        }
    }
    if reasons.is_empty() {
        Ok(passed)
    } else {
        Err(Failure::new(reasons.join("; ")).counted(passed, failed))
    }
}
