//! The TypeScript client: built, checked, and run against the gateway in every runtime.

use std::path::Path;
use std::process::Command;

use crate::connect::protos;
use crate::context::{Context, Failure};
use crate::process::run;
use crate::suites::{built, count, sum};

/// The package.
pub(crate) const PACKAGE: &str = "clients/typescript";
/// The runtimes that come from npm.
pub(crate) const RUNTIMES: &str = "clients/typescript/test/runtimes";

/// Applications of the package.
pub(crate) const EXAMPLES: &str = "examples";

/// As `clients/typescript/test/gateway/run.mjs` calls them.
const NAMES: [&str; 9] =
    ["node", "node22", "node24", "deno", "bun", "workerd", "chromium", "firefox", "webkit"];

/// What makes the calls of connectrpc/conformance.
const CALLERS: &str = "node,chromium,firefox,webkit";

/// Builds and checks the package, then runs every suite of it, whichever fails.
pub(crate) fn typescript(context: &Context) -> Result<usize, Failure> {
    let gateway = built(context, "grpcws")?;
    built(context, "grpcws-test")?;
    let programs = gateway.parent().ok_or_else(|| Failure::new("the gateway is in no folder"))?;
    for script in ["generate", "build", "check"] {
        run(&mut npm(context, &["run", "--silent", script]))?;
    }
    let with_programs = |script| {
        let mut command = node(context, script);
        command.arg(programs);
        command
    };
    let mut load = with_programs("test/gateway/load.mjs");
    // 64 MiB take 14 s over the link, and each round uploads twice.
    load.arg(if context.all { "64" } else { "16" }).env("NODE_OPTIONS", "--expose-gc");
    // The generated clients before a server that is not ours.
    let mut grpc_go = node(context, "test/gateway/run.mjs");
    grpc_go
        .arg("chromium")
        .arg(programs)
        .arg("^(Connect|ts-proto|protobuf-ts)")
        .arg(context.go_programs().join("server"));
    let alone = [
        ("unit tests", npm(context, &["test", "--silent"])),
        ("package", node(context, "test/package/check.mjs")),
        ("size", node(context, "test/package/size.mjs")),
        ("conformance", conformance(context, programs)?),
        ("restart", with_programs("test/gateway/restart.mjs")),
        ("load", load),
        ("chromium before grpc-go", grpc_go),
        ("examples", with_programs("test/examples/run.mjs")),
    ];
    let suites = NAMES.into_iter().map(|name| {
        let mut command = node(context, "test/gateway/run.mjs");
        command.arg(name).arg(programs);
        (name, command)
    });
    sum(alone.into_iter().chain(suites).map(|(name, mut command)| count(&mut command, name)))
}

/// connectrpc/conformance through the transport for Connect-ES, in Node and in pages, in both modes of v1.
fn conformance(context: &Context, programs: &Path) -> Result<Command, Failure> {
    let mut command = node(context, "test/conformance/run.mjs");
    command
        .arg(CALLERS)
        .arg(programs)
        .arg(context.go_programs().join("connectconformance"))
        .arg(protos(context)?);
    Ok(command)
}

fn npm(context: &Context, arguments: &[&str]) -> Command {
    let mut command = context.command("npm", arguments);
    command.current_dir(context.root.join(PACKAGE));
    command
}

fn node(context: &Context, script: &str) -> Command {
    let mut command = context.command("node", &[script]);
    command.current_dir(context.root.join(PACKAGE));
    command
}
