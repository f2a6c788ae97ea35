//! `cargo xtask bench`: builds what the benchmark measures, and runs it.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use crate::context::{Context, Failure};
use crate::install::{Need, on_path};
use crate::process::run;

/// The Go programs, by the package that `go build` takes, and the folder of their module. A module that cannot
/// be had, or a machine without Go, leaves its targets out; the report says so.
const GO_PROGRAMS: &[(&str, &str)] = &[
    ("bench/peers/go", "./backend"),
    ("bench/peers/go", "./plain"),
    ("bench/peers/go", "./tmc"),
    ("bench/peers/go", "./direct"),
    ("bench/peers/go", "github.com/improbable-eng/grpc-web/go/grpcwebproxy"),
    ("bench/peers/servicekit", "."),
];

/// Builds everything in release, then runs `grpcws-bench` with the arguments.
pub(crate) fn bench(context: &Context, arguments: &[OsString]) -> Result<(), Failure> {
    Need::BuildTools.install(context)?;
    let packages = ["build", "--release", "--locked", "-p", "grpcws-gateway", "-p", "grpcws-bench"];
    run(&mut context.cargo(&packages))?;
    let folder = context.target.join("bench");
    let programs = folder.join("go");
    build_go(context, &programs)?;
    let release = context.target.join("release");
    let mut command = context.command(release.join("grpcws-bench"), &["run"]);
    command.arg("--go").arg(&programs).arg("--gateway").arg(release.join("grpcws"));
    command.arg("--out").arg(folder.join("report")).args(arguments);
    run(&mut command)
}

fn build_go(context: &Context, programs: &Path) -> Result<(), Failure> {
    fs::create_dir_all(programs).map_err(|error| Failure::new(format!("{}: {error}", programs.display())))?;
    if !on_path("go") {
        println!("   Go is not installed: its backend and its targets are left out");
        return Ok(());
    }
    for (module, package) in GO_PROGRAMS {
        let mut command = context.command("go", &["build", "-trimpath", "-o"]);
        command.arg(programs.join("")).arg(package).current_dir(context.root.join(module));
        if let Err(failure) = run(&mut command) {
            println!("   left out: {module} {package}: {failure}");
        }
    }
    Ok(())
}
