//! Autobahn's cases of RFC 6455, by the package `kosoku`.

use crate::context::{Context, Failure};
use crate::suites::{built, count, sum};

/// Runs every case but those of compression against the examples of `grpcws-frame`, in both roles.
pub(crate) fn autobahn(context: &Context) -> Result<usize, Failure> {
    sum([("server", "examples/echo"), ("client", "examples/echo_client")].map(|(role, example)| {
        let mut command = context.command(context.python(), &["-u", "tests/python/autobahn.py", role]);
        count(command.arg(built(context, example)?), &format!("Autobahn's cases for a {role}"))
    }))
}
