//! What is measured: the targets, and how their processes are started.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::{Child, Command};

use crate::load::format::Format;
use crate::measure::Process;

/// One way to get a stream, and the format that it speaks.
#[derive(Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) program: Program,
    pub(crate) format: Format,
    /// RFC 8441, all sockets on one connection.
    pub(crate) http2: bool,
}

/// A program of the benchmark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// The gateway.
    Gateway,
    /// The binary of an earlier version of the gateway.
    Earlier,
    /// The library around the service, in one process: the figures contain the service.
    Library,
    /// A bridge that is not ours.
    Peer(&'static str),
    /// improbable-eng's grpcwebproxy, whose options are its own.
    GrpcWebProxy,
    /// A bare WebSocket echo.
    Echo,
    /// A client without a bridge, which runs the scenario by itself.
    Direct(&'static str),
}

const fn target(name: &'static str, program: Program, format: Format, about: &'static str) -> Target {
    Target { name, about, program, format, http2: false }
}

pub(crate) const TARGETS: &[Target] = &[
    target(
        "grpcws",
        Program::Gateway,
        Format::Envelope { query: false },
        "the gateway, in the envelope of the Go package",
    ),
    target("grpcws-v1-json", Program::Gateway, Format::Json, "the gateway, grpcws.v1.json"),
    target("grpcws-v1-proto", Program::Gateway, Format::Proto, "the gateway, grpcws.v1.proto"),
    Target {
        http2: true,
        ..target(
            "grpcws-h2-json",
            Program::Gateway,
            Format::Json,
            "the gateway, grpcws.v1.json over RFC 8441",
        )
    },
    target(
        "library-json",
        Program::Library,
        Format::Json,
        "bridge and service in one process, grpcws.v1.json; the figures contain the service",
    ),
    target("library-proto", Program::Library, Format::Proto, "the same, grpcws.v1.proto"),
    target(
        "go-package",
        Program::Peer("servicekit"),
        Format::Envelope { query: true },
        "github.com/panyam/servicekit/grpcws",
    ),
    target(
        "go-plain",
        Program::Peer("plain"),
        Format::Envelope { query: true },
        "bench/peers/go/plain: the Go package's protocol as one writes it by hand, a stand-in for the package",
    ),
    target("tmc", Program::Peer("tmc"), Format::Lines, "tmc/grpc-websocket-proxy in front of grpc-gateway"),
    target(
        "grpc-web",
        Program::GrpcWebProxy,
        Format::GrpcWeb,
        "improbable-eng's grpcwebproxy, grpc-websockets",
    ),
    target(
        "direct-tonic",
        Program::Direct("grpcws-bench"),
        Format::Bare,
        "a tonic client without a bridge: its own CPU",
    ),
    target(
        "direct-go",
        Program::Direct("direct"),
        Format::Bare,
        "a grpc-go client without a bridge: its own CPU",
    ),
    target(
        "earlier-grpcws",
        Program::Earlier,
        Format::Envelope { query: false },
        "the earlier gateway that --earlier names, in the envelope of the Go package",
    ),
    target("earlier-grpcws-v1-json", Program::Earlier, Format::Json, "the same, grpcws.v1.json"),
    target("earlier-grpcws-v1-proto", Program::Earlier, Format::Proto, "the same, grpcws.v1.proto"),
    Target {
        http2: true,
        ..target(
            "earlier-grpcws-h2-json",
            Program::Earlier,
            Format::Json,
            "the same, grpcws.v1.json over RFC 8441",
        )
    },
    target("bare-echo", Program::Echo, Format::Bare, "a bare WebSocket echo, without gRPC"),
];

impl Target {
    /// The same target on an earlier gateway.
    pub(crate) fn earlier(&self) -> Option<&'static Self> {
        find(&format!("earlier-{}", self.name))
    }
}

/// The target of this name.
pub(crate) fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The gRPC server behind the targets of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    /// grpc-go, which writes each message by itself.
    Go,
    /// tonic, which gathers what is ready.
    Tonic,
}

impl Backend {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Go => "grpc-go",
            Self::Tonic => "tonic",
        }
    }
}

/// Where the programs are.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// The folder of the programs that Go has built.
    pub(crate) go: PathBuf,
    pub(crate) gateway: PathBuf,
    pub(crate) earlier: Option<PathBuf>,
    pub(crate) own: PathBuf,
}

/// A program that runs; dropping this ends it.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
    _child: Child,
}

impl Programs {
    fn of(&self, target: &Target) -> Option<PathBuf> {
        Some(match target.program {
            Program::Gateway => self.gateway.clone(),
            Program::Earlier => self.earlier.clone()?,
            Program::Library | Program::Echo | Program::Direct("grpcws-bench") => self.own.clone(),
            Program::Peer(name) | Program::Direct(name) => self.go.join(name),
            Program::GrpcWebProxy => self.go.join("grpcwebproxy"),
        })
    }

    fn command(&self, target: &Target) -> io::Result<Command> {
        let program = self.of(target);
        program.map(Command::new).ok_or_else(|| io::Error::other(format!("{} needs --earlier", target.name)))
    }

    /// Whether the program of a target was built.
    pub(crate) fn have(&self, target: &Target) -> bool {
        self.of(target).is_some_and(|program| program.exists())
    }

    pub(crate) fn has_backend(&self, backend: Backend) -> bool {
        backend == Backend::Tonic || self.go.join("backend").exists()
    }

    pub(crate) async fn start_backend(&self, backend: Backend) -> io::Result<Running> {
        let mut command = match backend {
            Backend::Go => Command::new(self.go.join("backend")),
            Backend::Tonic => {
                let mut command = Command::new(&self.own);
                command.arg("backend");
                command
            }
        };
        command.args(["--listen", "127.0.0.1:0"]);
        start(command).await
    }

    /// Starts the program of a target that is a server.
    pub(crate) async fn start(&self, target: &Target, backend: SocketAddr) -> io::Result<Running> {
        let mut command = self.command(target)?;
        match target.program {
            Program::Gateway | Program::Earlier => {
                command.args([
                    "serve",
                    "--listen",
                    "127.0.0.1:0",
                    "--upstream",
                    &format!("http://{backend}"),
                ]);
                command.env("RUST_LOG", "error");
            }
            Program::Library => {
                command.args(["library", "--listen", "127.0.0.1:0"]);
            }
            Program::Echo => {
                command.args(["echo", "--listen", "127.0.0.1:0"]);
            }
            Program::Peer(_) | Program::Direct(_) => {
                command.args(["--listen", "127.0.0.1:0", "--upstream", &backend.to_string()]);
            }
            Program::GrpcWebProxy => {
                command.args([
                    "--run_tls_server=false",
                    "--use_websockets",
                    "--allow_all_origins",
                    "--server_bind_address=127.0.0.1",
                    "--server_http_debug_port=0",
                    &format!("--backend_addr={backend}"),
                ]);
            }
        }
        start(command).await
    }

    /// A command that runs a scenario by itself.
    pub(crate) fn direct(&self, target: &Target, backend: SocketAddr) -> io::Result<Command> {
        let mut command = self.command(target)?;
        if target.program == Program::Direct("grpcws-bench") {
            command.arg("direct");
        }
        command.arg(format!("--upstream={backend}")).kill_on_drop(true);
        Ok(command)
    }
}

/// Starts a program and waits for the line with its address.
async fn start(mut command: Command) -> io::Result<Running> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        io::Error::other(format!("{}: {error}", command.as_std().get_program().to_string_lossy()))
    })?;
    let (sender, mut addresses) = tokio::sync::mpsc::channel(16);
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(read_lines(stdout, sender.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(read_lines(stderr, sender));
    }
    let address = tokio::time::timeout(Duration::from_secs(15), addresses.recv()).await.ok().flatten();
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    let address = address.ok_or_else(|| io::Error::other(format!("{name} did not say where it listens")))?;
    let id = child.id().ok_or_else(|| io::Error::other(format!("{name} has ended")))?;
    Ok(Running { address, process: Process::new(id), _child: child })
}

/// Reads all that a program prints, or it would stop at a full pipe, and sends the addresses in it.
async fn read_lines(output: impl AsyncRead + Unpin, addresses: tokio::sync::mpsc::Sender<SocketAddr>) {
    let mut lines = BufReader::new(output).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(address) = address(&line) {
            // Only the first counts.
            let _ = addresses.try_send(address);
        } else if std::env::var_os("GRPCWS_BENCH_VERBOSE").is_some() {
            eprintln!("   {line}");
        }
    }
}

/// The address in `listening ws://127.0.0.1:8080`, or in the log line of grpcwebproxy.
fn address(line: &str) -> Option<SocketAddr> {
    if !line.contains("listening") {
        return None;
    }
    let words = line.split([' ', '"', '/']);
    words.filter_map(|word| word.parse().ok()).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_what_programs_print() {
        let expected = "127.0.0.1:80".parse().ok();
        assert_eq!(address("listening ws://127.0.0.1:80"), expected);
        assert_eq!(address(r#"level=info msg="listening for http on: 127.0.0.1:80""#), expected);
        assert_eq!(address("dialling 127.0.0.1:80"), None);
    }
}
