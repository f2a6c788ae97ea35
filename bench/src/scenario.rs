//! The table of scenarios.

use crate::load::Work;
use crate::target::Backend;

/// One line of the report: what is done, on which backend, and by which targets.
#[derive(Debug)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) backend: Backend,
    pub(crate) work: Work,
    /// What is done in a quick run, where that is less.
    pub(crate) quick: Option<Work>,
    pub(crate) targets: &'static [&'static str],
}

const STREAM: &[&str] = &[
    "grpcws",
    "grpcws-v1-json",
    "grpcws-v1-proto",
    "library-json",
    "library-proto",
    "go-package",
    "go-plain",
    "tmc",
    "grpc-web",
    "direct-tonic",
    "direct-go",
];
const ECHO: &[&str] = &[
    "grpcws",
    "grpcws-v1-proto",
    "library-json",
    "go-package",
    "go-plain",
    "tmc",
    "grpc-web",
    "direct-tonic",
    "direct-go",
    "bare-echo",
];
/// A gateway of lines has no reply to an upload, and a direct client no socket to open.
const UPLOAD: &[&str] = &[
    "grpcws",
    "grpcws-v1-proto",
    "library-json",
    "go-package",
    "go-plain",
    "grpc-web",
    "direct-tonic",
    "direct-go",
];
const SOCKETS: &[&str] =
    &["grpcws", "grpcws-v1-proto", "library-json", "go-package", "go-plain", "tmc", "grpc-web"];
const CONNECT: &[&str] =
    &["grpcws", "grpcws-v1-proto", "library-json", "go-package", "go-plain", "tmc", "grpc-web", "bare-echo"];

const fn stream(sockets: usize, size: i32, rate: f64) -> Work {
    Work::Subscribe { sockets, size, rate }
}

const fn row(
    name: &'static str,
    backend: Backend,
    work: Work,
    targets: &'static [&'static str],
    about: &'static str,
) -> Scenario {
    Scenario { name, about, backend, work, quick: None, targets }
}

pub(crate) const SCENARIOS: &[Scenario] = &[
    row("stream-1", Backend::Go, stream(1, 0, 0.0), STREAM, "server stream of 190 B events, 1 socket"),
    row("stream-10", Backend::Go, stream(10, 0, 0.0), STREAM, "the same, 10 sockets"),
    row("stream-100", Backend::Go, stream(100, 0, 0.0), STREAM, "the same, 100 sockets"),
    row(
        "fast-1",
        Backend::Tonic,
        stream(1, 0, 0.0),
        STREAM,
        "server stream of 190 B events from a backend that gathers, 1 socket",
    ),
    row("fast-10", Backend::Tonic, stream(10, 0, 0.0), STREAM, "the same, 10 sockets"),
    row("fast-100", Backend::Tonic, stream(100, 0, 0.0), STREAM, "the same, 100 sockets"),
    row("stream-1k", Backend::Go, stream(10, 830, 0.0), STREAM, "server stream of 1 KB events, 10 sockets"),
    row(
        "stream-16k",
        Backend::Go,
        stream(10, 16_200, 0.0),
        STREAM,
        "server stream of 16 KB events, 10 sockets",
    ),
    row(
        "stream-256k",
        Backend::Go,
        stream(4, 262_000, 0.0),
        STREAM,
        "server stream of 256 KB events, 4 sockets",
    ),
    row("paced", Backend::Go, stream(100, 0, 100.0), SOCKETS, "100 sockets of 100 events a second"),
    row("echo-1", Backend::Go, Work::Echo { sockets: 1, in_flight: 1 }, ECHO, "bidi ping-pong, 1 socket"),
    row("echo-10", Backend::Go, Work::Echo { sockets: 10, in_flight: 1 }, ECHO, "the same, 10 sockets"),
    row("echo-100", Backend::Go, Work::Echo { sockets: 100, in_flight: 1 }, ECHO, "the same, 100 sockets"),
    row(
        "echo-1000",
        Backend::Go,
        Work::Echo { sockets: 1_000, in_flight: 1 },
        ECHO,
        "the same, 1,000 sockets",
    ),
    row(
        "echo-1x64",
        Backend::Go,
        Work::Echo { sockets: 1, in_flight: 64 },
        ECHO,
        "bidi, 64 events in flight, 1 socket",
    ),
    row("echo-10x64", Backend::Go, Work::Echo { sockets: 10, in_flight: 64 }, ECHO, "the same, 10 sockets"),
    row(
        "echo-100x64",
        Backend::Go,
        Work::Echo { sockets: 100, in_flight: 64 },
        ECHO,
        "the same, 100 sockets",
    ),
    row(
        "upload-1",
        Backend::Go,
        Work::Collect { sockets: 1, messages: 40_000 },
        UPLOAD,
        "client stream, 1 socket",
    ),
    row(
        "upload-10",
        Backend::Go,
        Work::Collect { sockets: 10, messages: 8_000 },
        UPLOAD,
        "the same, 10 sockets",
    ),
    row(
        "connect",
        Backend::Go,
        Work::Connect { at_once: 8 },
        CONNECT,
        "connect, first message, close; 8 at once",
    ),
    row(
        "h2-100",
        Backend::Tonic,
        stream(100, 0, 0.0),
        &["grpcws-v1-json", "grpcws-h2-json"],
        "server stream of 190 B events, 100 sockets, over HTTP/1.1 and over one HTTP/2 connection",
    ),
    Scenario {
        quick: Some(Work::Idle { sockets: 1_000 }),
        ..row(
            "idle",
            Backend::Go,
            Work::Idle { sockets: 5_000 },
            SOCKETS,
            "bidi sockets on which nothing is said",
        )
    },
    row(
        "order",
        Backend::Go,
        Work::Order { messages: 100_000 },
        &[
            "grpcws",
            "grpcws-v1-json",
            "grpcws-v1-proto",
            "grpcws-h2-json",
            "go-package",
            "go-plain",
            "tmc",
            "grpc-web",
        ],
        "every one of 100,000 messages is there and in its place",
    ),
];
