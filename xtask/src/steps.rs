//! The steps of the gate, in order.

use std::time::Duration;

use crate::autobahn::autobahn;
use crate::browsers::browsers;
use crate::connect::connect_conformance;
use crate::context::{Context, Failure};
use crate::install::Need;
use crate::process::{run, run_and_read};
use crate::protobuf::{conformance, random_messages};
use crate::routes::random_routes;
use crate::suites::{proxies, run_suites, sum};
use crate::typescript::{EXAMPLES, PACKAGE, RUNTIMES, typescript};

/// One step of the gate.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// What it checks.
    pub(crate) about: &'static str,
    /// What helps when it fails.
    pub(crate) remedy: &'static str,
    /// What has to be installed for it.
    pub(crate) needs: &'static [Need],
    /// Runs it and counts what passed.
    pub(crate) run: fn(&Context) -> Result<usize, Failure>,
}

/// Cheap steps come first, so that most mistakes show within a minute. All of cargo's steps use the same
/// features, or each would compile the dependencies anew.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "fmt",
        about: "the code is formatted",
        remedy: "run: cargo fmt --all",
        needs: &[Need::RustComponents],
        run: |context| once(run(&mut context.cargo(&["fmt", "--all", "--check"]))),
    },
    Step {
        name: "clippy",
        about: "no lint warns",
        remedy: "mend what clippy shows, or allow it at that one place with a reason",
        needs: &[Need::RustComponents, Need::BuildTools],
        run: |context| {
            let arguments = [
                "clippy",
                "--workspace",
                "--all-targets",
                "--all-features",
                "--locked",
                "--",
                "-D",
                "warnings",
            ];
            once(run(&mut context.cargo(&arguments)))
        },
    },
    Step {
        name: "deny",
        about: "dependencies have permitted licences and sources",
        remedy: "replace the dependency, or argue for an exception in deny.toml",
        needs: &[Need::CargoDeny],
        run: |context| {
            let program = context.tools().join("bin/cargo-deny");
            once(run(&mut context
                .command(program, &["--all-features", "--locked", "check", "bans", "licenses", "sources"])))
        },
    },
    Step {
        name: "build",
        about: "everything compiles",
        remedy: "see the compiler's first error; Cargo.lock has to be committed",
        needs: &[Need::BuildTools],
        // With the tests: their dependencies have more features, and would else be compiled twice.
        run: |context| {
            let targets = ["build", "--workspace", "--lib", "--bins", "--tests", "--examples"];
            once(run(context.cargo(&targets).args(["--all-features", "--locked"])))
        },
    },
    Step {
        name: "test",
        about: "unit, integration and doc tests",
        remedy: "repeat one test with: cargo test -p CRATE NAME",
        needs: &[Need::BuildTools],
        run: cargo_test,
    },
    Step {
        name: "count",
        about: "no hop takes more instructions a message than is recorded",
        remedy: "look at bench/profiles, or say in the commit what the instructions are spent for and record \
                 them: cargo xtask count --record",
        needs: &[Need::BuildTools, Need::Valgrind],
        run: |context| crate::count::count(context, false),
    },
    Step {
        name: "doc",
        about: "the documentation builds without warnings",
        remedy: "mend the links and blocks that rustdoc names",
        needs: &[Need::BuildTools],
        run: |context| {
            let mut command =
                context.cargo(&["doc", "--workspace", "--no-deps", "--all-features", "--locked"]);
            once(run(command.env("RUSTDOCFLAGS", "-D warnings")))
        },
    },
    Step {
        name: "node",
        about: "clients that are not ours, under Node, against the demo",
        remedy: "the suite's own output names the case",
        needs: &[Need::NodePackages("tests/node")],
        run: |context| run_suites(context, "node"),
    },
    Step {
        name: "python",
        about: "clients and servers that are not ours, under Python",
        remedy: "the suite's own output names the case",
        needs: &[Need::PythonPackages("tests/python/requirements.txt")],
        run: |context| run_suites(context, "python"),
    },
    Step {
        name: "protobuf",
        about: "the transcoder, by protobuf's conformance runner and beside its Python package",
        remedy: "the output names the case; tests/protobuf/failures.txt lists those of the runner that are known",
        needs: &[Need::NodePackages("tests/protobuf"), Need::PythonPackages("tests/python/requirements.txt")],
        run: |context| Ok(conformance(context)? + random_messages(context)?),
    },
    Step {
        name: "routes",
        about: "random rules of google.api.http and requests, beside gRPC-Gateway",
        remedy: "the output shows the rule, the request and both results, and the command that draws the same again",
        needs: &[Need::GoPrograms],
        run: random_routes,
    },
    Step {
        name: "bridge",
        about: "servers in four languages behind the gateway",
        remedy: "the suite's own output names the case",
        needs: &[
            Need::NodePackages("tests/node"),
            Need::PythonPackages("tests/python/requirements.txt"),
            Need::GoPrograms,
        ],
        run: |context| run_suites(context, "bridge"),
    },
    Step {
        name: "java",
        about: "grpc-java behind the gateway: all kinds of methods, and connections that it ends under load",
        remedy: "the suite's own output names the case",
        needs: &[
            Need::NodePackages("tests/node"),
            Need::PythonPackages("tests/python/requirements.txt"),
            Need::JavaServer,
        ],
        run: |context| run_suites(context, "java"),
    },
    Step {
        name: "etcd",
        about: "etcd behind the gateway: transactions, watches, leases, tokens, client certificates, restarts",
        remedy: "the suite's own output names the case",
        needs: &[Need::NodePackages("tests/node"), Need::Etcd],
        run: crate::etcd::etcd,
    },
    Step {
        name: "conformance",
        about: "connectrpc/conformance: the Rust client and the bridge before its reference servers",
        remedy: "the runner's output names the case; to its command add: --run PATTERN --trace -v",
        needs: &[Need::GoPrograms],
        run: connect_conformance,
    },
    Step {
        name: "interop",
        about: "gRPC's interop cases, before the server of grpc-go",
        remedy: "the suite's own output names the case",
        needs: &[Need::GoPrograms],
        run: |context| run_suites(context, "interop"),
    },
    Step {
        name: "typescript",
        about: "the TypeScript client, in Node, Deno, Bun, workerd and three browsers",
        remedy: "the output names the case; clients/typescript/test/README.md says how to repeat one",
        needs: &[
            Need::NodePackages(PACKAGE),
            Need::NodePackages(RUNTIMES),
            Need::NodePackages(EXAMPLES),
            Need::NodePackages("tests/browser"),
            Need::GoPrograms,
            Need::Browsers,
        ],
        run: typescript,
    },
    Step {
        name: "autobahn",
        about: "Autobahn's cases of RFC 6455, against the frames in both roles",
        remedy: "the output names the case; tests/README.md says how to repeat one",
        needs: &[Need::PythonPackages("tests/python/requirements.txt")],
        run: autobahn,
    },
    Step {
        name: "proxies",
        about: "the client as HAProxy and nginx name it, by the PROXY protocol and by headers",
        remedy: "the suite's own output names the case",
        needs: &[Need::Proxies, Need::NodePackages("tests/node")],
        run: proxies,
    },
    Step {
        name: "link",
        about: "streams over slow links, and through nginx and HAProxy, are complete",
        remedy: "the output names the streams, with the command that repeats one",
        needs: &[Need::Proxies],
        run: crate::campaign::link_step,
    },
    Step {
        name: "campaign",
        about: "calls that are broken at random and at every byte, and processes that stand still",
        remedy: "the output names the calls, with the command that repeats one",
        needs: &[],
        run: crate::campaign::campaign_step,
    },
    Step {
        name: "browser",
        about: "streams of every kind of end, and the demo page, in Chromium, Firefox and WebKitGTK",
        remedy: "the output names the case; tests/README.md says how to repeat one in one browser",
        needs: &[Need::Browsers, Need::NodePackages("tests/browser")],
        run: |context| sum([browsers(context), run_suites(context, "browser")]),
    },
];

fn once(result: Result<(), Failure>) -> Result<usize, Failure> {
    result.map(|()| 1)
}

fn cargo_test(context: &Context) -> Result<usize, Failure> {
    let mut command = context.cargo(&["test", "--workspace", "--all-features", "--locked", "--no-fail-fast"]);
    let finished = run_and_read(&mut command, Duration::from_secs(40 * 60))?;
    let (passed, failed) = finished
        .lines
        .iter()
        .filter_map(|line| cargo_result(line))
        .fold((0, 0), |(all_passed, all_failed), (passed, failed)| {
            (all_passed + passed, all_failed + failed)
        });
    if failed > 0 {
        return Err(Failure::new(format!("{failed} tests failed")).counted(passed, failed));
    }
    if !finished.success || passed == 0 {
        return Err(Failure::new("cargo test did not succeed"));
    }
    Ok(passed)
}

/// Reads `test result: ok. 12 passed; 0 failed; …`.
fn cargo_result(line: &str) -> Option<(usize, usize)> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let mut counts = counts.split("; ");
    let passed = counts.next()?.strip_suffix(" passed")?.parse().ok()?;
    let failed = counts.next()?.strip_suffix(" failed")?.parse().ok()?;
    Some((passed, failed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_results_of_cargo_are_read() {
        let line = "test result: FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(cargo_result(line), Some((12, 3)));
        assert_eq!(cargo_result("running 12 tests"), None);
    }

    #[test]
    fn every_suite_has_a_step_and_names_are_unique() {
        for suite in crate::suites::SUITES {
            assert!(STEPS.iter().any(|step| step.name == suite.step), "{}", suite.step);
        }
        for (index, step) in STEPS.iter().enumerate() {
            assert!(STEPS.iter().skip(index + 1).all(|other| other.name != step.name), "{}", step.name);
        }
    }
}
