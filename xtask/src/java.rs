//! The test service on grpc-java: its libraries from Maven Central, its classes by javac, its messages by a descriptor set.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::context::{Context, Failure};
use crate::install::{debian, unless_unchanged};
use crate::process::run;

const SOURCES: &str = "tests/java/server";

/// Fetches the libraries that tests/java/pom.xml pins, compiles the server, and makes its descriptor set.
pub(crate) fn install(context: &Context) -> Result<(), Failure> {
    debian(context, &[("javac", "default-jdk-headless"), ("mvn", "maven")])?;
    let jars = folder(context).join("jars");
    let pom = context.root.join("tests/java/pom.xml");
    unless_unchanged(&pom, &jars.join(".installed"), || {
        let mut command = context.command("mvn", &["--batch-mode", "--quiet", "--file"]);
        command.arg(&pom).args(["dependency:copy-dependencies", "-DincludeScope=runtime"]);
        run(command.arg(format!("-DoutputDirectory={}", jars.display())))
    })?;
    let mut sources: Vec<PathBuf> = fs::read_dir(context.root.join(SOURCES))
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| Failure::new(format!("{SOURCES}: {error}")))?;
    sources.sort();
    let mut command = context.command("javac", &["-Xlint:all", "-Werror", "--class-path"]);
    run(command.arg(jars.join("*")).arg("-d").arg(folder(context).join("classes")).args(sources))?;
    // There is no protoc here, but grpcio-tools has one; nothing is generated, so it needs no plug-in.
    let arguments = ["-m", "grpc_tools.protoc", "--include_imports", "-I", "crates/grpcws-test/proto", "-o"];
    let mut command = context.command(context.python(), &arguments);
    run(command.arg(descriptor_set(context)).arg("grpcws/test/v1/test.proto"))
}

/// The command that starts the server.
pub(crate) fn command(context: &Context) -> Command {
    let folder = folder(context);
    let mut class_path = OsString::from(folder.join("classes"));
    class_path.push(":");
    class_path.push(folder.join("jars/*"));
    let mut command = context.command("java", &["--class-path"]);
    command.arg(class_path).args(["Main", "--descriptor-set"]).arg(descriptor_set(context));
    command
}

fn folder(context: &Context) -> PathBuf {
    context.tools().join("java")
}

fn descriptor_set(context: &Context) -> PathBuf {
    folder(context).join("test.binpb")
}
