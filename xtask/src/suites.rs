//! The suites in other languages, and how they are run.
//!
//! A suite is a program that gets addresses as arguments, ends its output with `N passed, N failed`, and
//! exits with 0 only if nothing failed. To add one, add a row to [`SUITES`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::context::{Context, Failure};
use crate::process::{Server, run_and_read};

/// The programs of one folder that run in the same way.
pub(crate) struct Suite {
    /// The step that it belongs to.
    pub(crate) step: &'static str,
    folder: &'static str,
    /// Every file of the folder with this ending is a program; a name that begins with `_` is a helper.
    ending: &'static str,
    runner: Runner,
    arguments: &'static [Argument],
    limit: Duration,
}

#[derive(Clone, Copy)]
enum Runner {
    Node,
    Python,
}

/// An address of the running demo.
#[derive(Clone, Copy)]
enum Argument {
    /// `ws://HOST:PORT`
    WebSocket,
    /// `http://HOST:PORT`, where the page is.
    Page,
}

pub(crate) const SUITES: &[Suite] = &[
    Suite {
        step: "node",
        folder: "tests/node",
        ending: ".mjs",
        runner: Runner::Node,
        arguments: &[Argument::WebSocket],
        limit: Duration::from_secs(300),
    },
    Suite {
        step: "python",
        folder: "tests/python",
        ending: ".py",
        runner: Runner::Python,
        arguments: &[Argument::WebSocket],
        limit: Duration::from_secs(300),
    },
    Suite {
        step: "browser",
        folder: "tests/browser",
        ending: ".mjs",
        runner: Runner::Node,
        arguments: &[Argument::Page],
        limit: Duration::from_secs(300),
    },
];

/// Runs the suites of a step, each program against a demo of its own.
pub(crate) fn run_suite(context: &Context, step: &str) -> Result<usize, Failure> {
    let mut passed = 0;
    for suite in SUITES.iter().filter(|suite| suite.step == step) {
        for program in suite.programs(&context.root)? {
            let demo = Demo::start(context)?;
            passed += suite.run(context, &program, &demo)?;
        }
    }
    Ok(passed)
}

impl Suite {
    fn programs(&self, root: &Path) -> Result<Vec<PathBuf>, Failure> {
        let entries = std::fs::read_dir(root.join(self.folder));
        let entries = entries.map_err(|error| Failure::new(format!("{}: {error}", self.folder)))?;
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> =
            names.filter(|name| name.ends_with(self.ending) && !name.starts_with('_')).collect();
        names.sort();
        if names.is_empty() {
            return Err(Failure::new(format!("no program in {}", self.folder)));
        }
        Ok(names.iter().map(|name| Path::new(self.folder).join(name)).collect())
    }

    fn run(&self, context: &Context, program: &Path, demo: &Demo) -> Result<usize, Failure> {
        let mut command = match self.runner {
            Runner::Node => context.command("node", &[]),
            Runner::Python => context.command(context.python(), &["-u"]),
        };
        command.arg(program);
        for argument in self.arguments {
            command.arg(match argument {
                Argument::WebSocket => format!("ws://{}", demo.websocket),
                Argument::Page => format!("http://{}", demo.websocket),
            });
        }
        command.env("GRPCWS_BIN", context.binary("")).env("GRPCWS_GRPC", &demo.grpc);
        count(&mut command, program, self.limit)
    }
}

/// Runs one program and reads its last line.
fn count(command: &mut Command, program: &Path, limit: Duration) -> Result<usize, Failure> {
    let finished = run_and_read(command, limit)?;
    let name = program.display();
    match finished.lines.iter().rev().find_map(|line| totals(line)) {
        Some((passed, 0)) if passed > 0 && finished.success => Ok(passed),
        Some((_, failed)) if failed > 0 => {
            Err(Failure { tests: failed, ..Failure::new(format!("{name}: {failed} failed")) })
        }
        Some(_) => Err(Failure::new(format!("{name} passed nothing, or did not exit with 0"))),
        None => Err(Failure::new(format!("{name} did not end with \"N passed, N failed\""))),
    }
}

/// Reads `12 passed, 0 failed`.
fn totals(line: &str) -> Option<(usize, usize)> {
    let (passed, failed) = line.trim().split_once(" passed, ")?;
    Some((passed.parse().ok()?, failed.strip_suffix(" failed")?.parse().ok()?))
}

/// The demo on ports of the system's choice, for as long as this lives.
struct Demo {
    _server: Server,
    websocket: String,
    grpc: String,
}

impl Demo {
    fn start(context: &Context) -> Result<Self, Failure> {
        let program = context.binary("grpcws");
        if !program.exists() {
            return Err(Failure::new(format!("{} is missing", program.display()))
                .remedy("run the step before: cargo xtask test --only build"));
        }
        let arguments = ["demo", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0"];
        let prefixes = ["listening ws://", "listening grpc://"];
        let (server, [websocket, grpc]) =
            Server::start(&mut context.command(program, &arguments), prefixes, Duration::from_secs(20))?;
        Ok(Self { _server: server, websocket, grpc })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_a_suite_is_read() {
        assert_eq!(totals("12 passed, 3 failed"), Some((12, 3)));
        assert_eq!(totals("ok 1 - 12 passed, 3 failed"), None);
        assert_eq!(totals("12 passed"), None);
    }
}
