//! Random routes, beside gRPC-Gateway.

use crate::context::{Context, Failure};
use crate::suites::count;

/// How many requests are compared, and how many by `--all`.
const CASES: [&str; 2] = ["800", "10000"];

/// Compares what the upstream gets, by the rules and requests of a new seed each time.
pub(crate) fn random_routes(context: &Context) -> Result<usize, Failure> {
    let [short, whole] = CASES;
    let mut command = context.command(context.binary("examples/random_routes"), &["tests/routes"]);
    command.arg(context.tools().join("routes")).arg(if context.all { whole } else { short });
    count(&mut command, "random_routes")
}
