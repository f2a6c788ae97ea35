//! Random routes, beside gRPC-Gateway.

use crate::context::{Context, Failure};
use crate::suites::count;

/// How many requests are compared, from which seed: the same ones each time, so that a change is what makes them fail.
const CASES: [&str; 2] = ["800", "1"];
/// How many by `--all`, from a new seed.
const ALL_CASES: &[&str] = &["10000"];

/// Compares what the upstream gets.
pub(crate) fn random_routes(context: &Context) -> Result<usize, Failure> {
    let mut command = context.command(context.binary("examples/random_routes"), &["tests/routes"]);
    command.arg(context.tools().join("routes")).args(if context.all { ALL_CASES } else { &CASES });
    count(&mut command, "random_routes")
}
