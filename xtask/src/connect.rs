//! connectrpc/conformance's runner, against the bridge and the Rust client.

use crate::context::{Context, Failure};
use crate::process::output;
use crate::suites::{built, count};

/// How many cases `tests/conformance/grpc.yaml` selects of the pinned version.
const CASES: usize = 403;

/// Runs every case in both modes of v1. Both runs end, whichever fails.
pub(crate) fn connect_conformance(context: &Context) -> Result<usize, Failure> {
    let client = built(context, "grpcws-connect-conformance")?;
    // The protos come with the runner.
    let mut list =
        context.command("go", &["list", "-m", "-f", "{{.Dir}}/proto", "connectrpc.com/conformance"]);
    let protos = output(list.current_dir(context.go_module()))
        .ok_or_else(|| Failure::new("go does not say where connectrpc.com/conformance is"))?;
    let (mut passed, mut failed) = (0, 0);
    for mode in ["proto", "json"] {
        let runner = context.go_programs().join("connectconformance");
        let mut command =
            context.command(runner, &["--conf", "tests/conformance/grpc.yaml", "--mode", "client"]);
        command.arg("--").arg(&client).args(["--mode", mode, "--protos", protos.trim()]);
        match count(&mut command, &format!("grpcws.v1.{mode}")) {
            Ok(CASES) => passed += CASES,
            Ok(count) => {
                let reason = format!("{count} cases in place of {CASES}: were some left out?");
                return Err(Failure::new(reason).counted(passed + count, 1));
            }
            Err(failure) => {
                passed += failure.passed;
                failed += failure.failed.max(1);
            }
        }
    }
    if failed == 0 { Ok(passed) } else { Err(Failure::new("cases failed").counted(passed, failed)) }
}
