//! connectrpc/conformance's runner, against the bridge and the Rust client.

use crate::context::{Context, Failure};
use crate::process::output;
use crate::suites::{built, count, sum};

/// How many cases `tests/conformance/grpc.yaml` selects of the pinned version, as its runner says with `-v`.
const CASES: usize = 409;

/// Runs every case in both modes of v1. Both runs end, whichever fails.
pub(crate) fn connect_conformance(context: &Context) -> Result<usize, Failure> {
    let client = built(context, "grpcws-connect-conformance")?;
    let protos = protos(context)?;
    sum(["proto", "json"].map(|mode| {
        let runner = context.go_programs().join("connectconformance");
        let mut command =
            context.command(runner, &["--conf", "tests/conformance/grpc.yaml", "--mode", "client"]);
        command.arg("--").arg(&client).args(["--mode", mode, "--protos", &protos]);
        count(&mut command, &format!("grpcws.v1.{mode}")).and_then(complete)
    }))
}

/// The folder of the suite's protos, which come with the runner.
pub(crate) fn protos(context: &Context) -> Result<String, Failure> {
    let mut list =
        context.command("go", &["list", "-m", "-f", "{{.Dir}}/proto", "connectrpc.com/conformance"]);
    let protos = output(list.current_dir(context.go_module()))
        .ok_or_else(|| Failure::new("go does not say where connectrpc.com/conformance is"))?;
    Ok(protos.trim().to_owned())
}

/// Cases that were left out have not passed.
fn complete(count: usize) -> Result<usize, Failure> {
    if count == CASES {
        return Ok(count);
    }
    let reason = format!("{count} cases in place of {CASES}: were some left out?");
    Err(Failure::new(reason).counted(count, 1))
}
