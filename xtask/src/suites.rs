//! The suites in other languages, and how they are run.
//!
//! A suite is a program that gets the address of a server as its argument, ends its output with
//! `N passed, N failed`, and exits with 0 only if nothing failed. To add one, add a row to [`SUITES`].

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::context::{Context, Failure};
use crate::process::{Server, run_and_read};

/// One program, and the endpoint that it talks to.
pub(crate) struct Suite {
    /// The step that it belongs to.
    pub(crate) step: &'static str,
    program: Program,
    endpoint: &'static Endpoint,
    argument: Argument,
}

/// How a program is run.
#[derive(Clone, Copy)]
enum Program {
    /// A script of the repository, under Node.
    Node(&'static str),
    /// A script of the repository, in the gate's Python environment.
    Python(&'static str),
    /// What cargo built, by its path below the folder of the profile.
    Built(&'static str),
    /// What was built from the Go module.
    Go(&'static str),
    /// The server of tests/java.
    Java,
}

/// The form in which a suite takes the endpoint's address.
#[derive(Clone, Copy)]
enum Argument {
    /// `ws://HOST:PORT`
    WebSocket,
    /// `http://HOST:PORT`, where the page is.
    Page,
}

/// Servers that are started for a suite, on ports of the system's choice. Each prints its address as
/// `listening SCHEME://HOST:PORT`.
struct Endpoint {
    /// A gRPC server, whose address is given to the other with `--upstream`.
    upstream: Option<(Program, &'static [&'static str])>,
    gateway: (Program, &'static [&'static str]),
}

/// The demo, with pings so frequent that a suite sees some.
const DEMO: Endpoint = Endpoint {
    upstream: None,
    gateway: (
        Program::Built("grpcws"),
        &["demo", "--listen", "127.0.0.1:0", "--grpc-listen", "127.0.0.1:0", "--ping-period-ms", "1000"],
    ),
};

/// The test service behind typed handlers, with the default limits.
const TYPED_BRIDGE: Endpoint = Endpoint {
    upstream: Some((Program::Built("grpcws-test"), &["--listen", "127.0.0.1:0"])),
    gateway: (Program::Built("examples/typed_bridge"), &["--listen", "127.0.0.1:0"]),
};

/// The test service on grpcio, a server that is not ours, behind typed handlers.
const GRPCIO_BRIDGE: Endpoint = Endpoint {
    upstream: Some((Program::Python("tests/python/server.py"), &["--listen", "127.0.0.1:0"])),
    ..TYPED_BRIDGE
};

/// The gateway, with no code for what is behind it.
const GATEWAY: (Program, &[&str]) = (Program::Built("grpcws"), &["serve", "--listen", "127.0.0.1:0"]);

/// The test service on tonic behind the gateway.
const TONIC: Endpoint = Endpoint { gateway: GATEWAY, ..TYPED_BRIDGE };

/// The test service on grpcio behind the gateway.
const GRPCIO: Endpoint = Endpoint { gateway: GATEWAY, ..GRPCIO_BRIDGE };

/// The test service on grpc-go behind the gateway.
const GRPC_GO: Endpoint =
    Endpoint { upstream: Some((Program::Go("server"), &["--listen", "127.0.0.1:0"])), gateway: GATEWAY };

/// The test service on @grpc/grpc-js behind the gateway.
const GRPC_JS: Endpoint = Endpoint {
    upstream: Some((Program::Node("tests/node/server.mjs"), &["--listen", "127.0.0.1:0"])),
    gateway: GATEWAY,
};

/// The test service on grpc-java behind the gateway.
const GRPC_JAVA: Endpoint =
    Endpoint { upstream: Some((Program::Java, &["--listen", "127.0.0.1:0"])), gateway: GATEWAY };

/// The same, with connections that it ends after half a second.
const GRPC_JAVA_AGING: Endpoint = Endpoint {
    upstream: Some((Program::Java, &["--listen", "127.0.0.1:0", "--max-connection-age-ms", "500"])),
    gateway: GATEWAY,
};

/// grpc-go's server for gRPC's interop cases behind the gateway.
const INTEROP: Endpoint =
    Endpoint { upstream: Some((Program::Go("interop"), &["--listen", "127.0.0.1:0"])), gateway: GATEWAY };

/// A suite that runs longer than this hangs.
const LIMIT: Duration = Duration::from_secs(300);

pub(crate) const SUITES: &[Suite] = &[
    Suite {
        step: "node",
        program: Program::Node("tests/node/abuse.mjs"),
        endpoint: &TYPED_BRIDGE,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "node",
        program: Program::Node("tests/node/h2.mjs"),
        endpoint: &TYPED_BRIDGE,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "node",
        program: Program::Node("tests/node/servicekit.mjs"),
        endpoint: &DEMO,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "python",
        program: Program::Python("tests/python/abuse.py"),
        endpoint: &TYPED_BRIDGE,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "python",
        program: Program::Python("tests/python/abuse.py"),
        endpoint: &GRPCIO_BRIDGE,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "bridge",
        program: Program::Node("tests/node/bridge.mjs"),
        endpoint: &TONIC,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "bridge",
        program: Program::Node("tests/node/bridge.mjs"),
        endpoint: &GRPCIO,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "bridge",
        program: Program::Node("tests/node/bridge.mjs"),
        endpoint: &GRPC_GO,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "bridge",
        program: Program::Node("tests/node/bridge.mjs"),
        endpoint: &GRPC_JS,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "java",
        program: Program::Node("tests/node/bridge.mjs"),
        endpoint: &GRPC_JAVA,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "java",
        program: Program::Node("tests/node/aging.mjs"),
        endpoint: &GRPC_JAVA_AGING,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "interop",
        program: Program::Built("grpcws-interop"),
        endpoint: &INTEROP,
        argument: Argument::WebSocket,
    },
    Suite {
        step: "browser",
        program: Program::Node("tests/browser/demo.mjs"),
        endpoint: &DEMO,
        argument: Argument::Page,
    },
];

/// Runs the suites of a step, each against servers of its own. All of them run, whichever fails.
pub(crate) fn run_suites(context: &Context, step: &str) -> Result<usize, Failure> {
    sum(SUITES.iter().filter(|suite| suite.step == step).map(|suite| suite.run(context)))
}

/// Adds up what passed and what failed. Takes every result, whichever is a failure.
pub(crate) fn sum(results: impl IntoIterator<Item = Result<usize, Failure>>) -> Result<usize, Failure> {
    let (mut passed, mut failed, mut reasons) = (0, 0, Vec::new());
    let mut remedy = None;
    for result in results {
        match result {
            Ok(count) => passed += count,
            Err(failure) => {
                passed += failure.passed;
                failed += failure.failed.max(1);
                reasons.push(failure.reason);
                remedy = remedy.or(failure.remedy);
            }
        }
    }
    if reasons.is_empty() {
        return Ok(passed);
    }
    Err(Failure { remedy, ..Failure::new(reasons.join("; ")).counted(passed, failed) })
}

impl Suite {
    fn run(&self, context: &Context) -> Result<usize, Failure> {
        let running = self.endpoint.start(context)?;
        let mut command = self.program.command(context)?;
        command.arg(match self.argument {
            Argument::WebSocket => format!("ws://{}", running.address),
            Argument::Page => format!("http://{}", running.address),
        });
        count(&mut command, self.program.name())
    }
}

impl Program {
    const fn name(self) -> &'static str {
        match self {
            Self::Node(name) | Self::Python(name) | Self::Built(name) | Self::Go(name) => name,
            Self::Java => "tests/java",
        }
    }

    fn command(self, context: &Context) -> Result<Command, Failure> {
        Ok(match self {
            Self::Node(script) => context.command("node", &[script]),
            Self::Python(script) => context.command(context.python(), &["-u", script]),
            Self::Java => crate::java::command(context),
            Self::Go(name) => context.command(context.go_programs().join(name), &[]),
            Self::Built(name) => context.command(built(context, name)?, &[]),
        })
    }
}

/// A program that the step `build` makes.
pub(crate) fn built(context: &Context, name: &str) -> Result<PathBuf, Failure> {
    let program = context.binary(name);
    if program.exists() {
        return Ok(program);
    }
    Err(Failure::new(format!("{} is missing", program.display()))
        .remedy("run the step before: cargo xtask test --only build"))
}

/// An endpoint's servers, for as long as this lives.
struct Running {
    address: String,
    // The gateway is dropped first, or it would complain of its upstream.
    _gateway: Server,
    _upstream: Option<Server>,
}

impl Endpoint {
    fn start(&self, context: &Context) -> Result<Running, Failure> {
        let (program, arguments) = self.gateway;
        let mut gateway = program.command(context)?;
        gateway.args(arguments);
        let mut upstream = None;
        if let Some((program, arguments)) = self.upstream {
            let (server, address) = listen(program.command(context)?.args(arguments), "listening grpc://")?;
            gateway.args(["--upstream", &format!("http://{address}")]);
            upstream = Some(server);
        }
        let (server, address) = listen(&mut gateway, "listening ws://")?;
        Ok(Running { address, _gateway: server, _upstream: upstream })
    }
}

fn listen(command: &mut Command, prefix: &str) -> Result<(Server, String), Failure> {
    Server::start(command, prefix, Duration::from_secs(20))
}

/// The suite that starts gateways behind proxies of its own.
pub(crate) fn proxies(context: &Context) -> Result<usize, Failure> {
    let script = Program::Node("tests/node/proxies.mjs");
    count(script.command(context)?.arg(built(context, "grpcws")?), script.name())
}

/// Runs one program and reads its last line.
pub(crate) fn count(command: &mut Command, name: &str) -> Result<usize, Failure> {
    count_within(command, name, LIMIT)
}

/// Runs one program that may take this long, and reads its last line.
pub(crate) fn count_within(command: &mut Command, name: &str, limit: Duration) -> Result<usize, Failure> {
    let finished = run_and_read(command, limit)?;
    match finished.lines.iter().rev().find_map(|line| totals(line)) {
        Some((passed, 0)) if passed > 0 && finished.success => Ok(passed),
        Some((passed, failed)) if failed > 0 => {
            Err(Failure::new(format!("{name}: {failed} failed")).counted(passed, failed))
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
