//! `grpcws call` as a process, against the demo and against a gateway of the test service.

mod common;

use std::io::Write as _;
use std::process::{Output, Stdio};

use common::call::{command, run};
use common::{Demo, SOON};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

const SUBSCRIBE: &str = "game.v1.GameService/Subscribe";
const SYNC: &str = "game.v1.GameService/SyncGame";
const SEND: &str = "game.v1.GameService/SendCommands";
const JOIN: &str = r#"{"gameId":"g1","playerId":"p1","sequence":"1","join":{"name":"Ada"}}"#;
const SAY: &str = r#"{"gameId":"g1","playerId":"p1","sequence":"2","say":{"text":"hello"}}"#;

/// A call that a test speaks with.
struct Session {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines<BufReader<ChildStdout>>,
}

impl Session {
    fn start(arguments: &[&str]) -> Self {
        let mut child = command(arguments).spawn().expect("the binary is built");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        Self { child, stdin, stdout }
    }

    async fn send(&mut self, text: &str) {
        let stdin = self.stdin.as_mut().expect("it is open");
        stdin.write_all(text.as_bytes()).await.expect("it is read");
        stdin.flush().await.expect("it is read");
    }

    async fn line(&mut self) -> Option<String> {
        tokio::time::timeout(SOON, self.stdout.next_line()).await.expect("an answer").expect("text")
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().expect("it runs")).expect("a process id");
        kill_process(Pid::from_raw(id).expect("not zero"), signal).expect("it is ours");
    }

    /// The exit code and stderr.
    async fn end(mut self) -> (Option<i32>, String) {
        let mut stderr = String::new();
        let mut pipe = self.child.stderr.take().expect("a pipe");
        let end = async {
            pipe.read_to_string(&mut stderr).await.expect("text");
            self.child.wait().await.expect("it can be waited for")
        };
        let status = tokio::time::timeout(SOON, end).await.expect("it ends");
        (status.code(), stderr)
    }
}

#[tokio::test]
async fn the_example_of_the_help_prints_events_as_they_come() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let mut session = Session::start(&[&url, SUBSCRIBE, "-d", r#"{"gameId":"g1"}"#]);
    for commands in ["", JOIN, SAY] {
        // The snapshot comes by itself, and an event for each command.
        if !commands.is_empty() {
            assert_eq!(run(&[&url, SEND, "-d", commands], "").await.0, Some(0));
        }
        let line = session.line().await.expect("an event");
        let event: serde_json::Value = serde_json::from_str(&line).expect("JSON on one line");
        assert_eq!(event["gameId"], "g1", "{line}");
    }
    // The stream has no end of its own.
    session.signal(Signal::INT);
    let (code, stderr) = session.end().await;
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("CANCELLED"), "{stderr}");
}

#[tokio::test]
async fn the_exit_code_is_that_of_the_status() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let request = r#"{"gameId":"g1","maxEvents":1}"#;
    for http2 in [&[][..], &["--http2"]] {
        let arguments = [&[&url, SUBSCRIBE, "-d", request][..], http2].concat();
        let (code, lines, stderr) = run(&arguments, "").await;
        assert_eq!((code, lines.len(), &*stderr), (Some(0), 1, "OK\n"));
    }
    let (code, lines, stderr) = run(&[&url, "game.v1.GameService/Nope", "-d", "{}"], "").await;
    assert_eq!((code, lines.len()), (Some(12), 0));
    assert!(stderr.starts_with("UNIMPLEMENTED: "), "{stderr}");

    let (code, _, stderr) = run(&[&url, SUBSCRIBE, "-d", r#"{"gameIdd":"g1"}"#], "").await;
    assert_eq!(code, Some(3));
    assert!(stderr.contains("gameIdd"), "{stderr}");

    let forever = [&url, SUBSCRIBE, "-d", r#"{"gameId":"g1"}"#, "--timeout", "200ms"];
    let (code, _, stderr) = run(&forever, "").await;
    assert_eq!((code, &*stderr), (Some(4), "DEADLINE_EXCEEDED: deadline exceeded\n"));

    let (code, _, stderr) = run(&["ws://127.0.0.1:1", SUBSCRIBE, "-d", "{}"], "").await;
    assert_eq!(code, Some(14));
    assert!(stderr.starts_with("UNAVAILABLE: cannot connect to 127.0.0.1:1"), "{stderr}");
}

#[tokio::test]
async fn stdin_is_streamed_and_its_end_half_closes() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let mut session = Session::start(&[&url, SYNC]);
    session.send(&JOIN.replace("name\":", "name\":\n")).await;
    let first = session.line().await.expect("an answer before the end of the input");
    assert!(first.starts_with('{'), "{first}");
    session.stdin = None;
    while session.line().await.is_some() {}
    assert_eq!(session.end().await.0, Some(0));

    // Several values, from each of the sources.
    let commands = &*format!("{JOIN} {SAY}{SAY}");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), commands).expect("a file");
    let path = format!("@{}", file.path().display());
    for (arguments, stdin) in [
        (vec![&*url, SEND], commands),
        (vec![&*url, SEND, "-d", "@-"], commands),
        (vec![&*url, SEND, "-d", commands], ""),
        (vec![&*url, SEND, "-d", &*path], ""),
    ] {
        let (code, lines, stderr) = run(&arguments, stdin).await;
        assert_eq!((code, lines.len()), (Some(0), 1), "{arguments:?} {stderr}");
        assert!(lines[0].contains(r#""received":"3""#), "{lines:?}");
    }
}

#[tokio::test]
async fn a_terminal_sends_a_message_for_each_line() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
    let name = ptsname(&master, Vec::new()).expect("a name").into_string().expect("text");
    let terminal = std::fs::OpenOptions::new().read(true).write(true).open(name).expect("a terminal");
    let mut child = command(&[&url, SYNC]).stdin(terminal).spawn().expect("the binary is built");
    let mut stderr = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let mut next = async || {
        let line = tokio::time::timeout(SOON, stderr.next_line()).await.expect("it says something");
        line.expect("text").unwrap_or_default()
    };
    let mut keyboard = std::fs::File::from(master);
    let mut keys = |text: &str| keyboard.write_all(text.as_bytes()).expect("a terminal");
    assert!(next().await.starts_with("type one JSON message a line"));
    // A slip of the fingers does not end the call.
    keys("{\n");
    assert!(next().await.starts_with("not sent: the message is not JSON"));
    keys(&format!("{JOIN}\n\n"));
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let line = tokio::time::timeout(SOON, stdout.next_line()).await.expect("an answer").expect("text");
    assert!(line.expect("an answer").starts_with('{'));
    keys("\x04");
    assert_eq!(next().await, "OK");
    let status = tokio::time::timeout(SOON, child.wait()).await.expect("it ends");
    assert_eq!(status.expect("it can be waited for").code(), Some(0));
}

#[tokio::test]
async fn input_that_is_no_json_cancels_the_call() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let (code, _, stderr) = run(&[&url, SYNC], &format!("{JOIN}\n{{\"gameId\"}}\n")).await;
    assert_eq!(code, Some(3));
    assert!(stderr.starts_with("INVALID_ARGUMENT: stdin: message at line 2: "), "{stderr}");
}

#[tokio::test]
async fn wrong_usage_is_64() {
    for arguments in [
        &["ws://127.0.0.1:1"][..],
        &["http://127.0.0.1:1", SUBSCRIBE],
        &["ws://127.0.0.1:1", SUBSCRIBE, "-d", "{"],
        &["ws://127.0.0.1:1", SUBSCRIBE, "-d", "@/nowhere"],
        &["ws://127.0.0.1:1", SUBSCRIBE, "-H", "no colon"],
        &["ws://127.0.0.1:1", SUBSCRIBE, "-H", "a b: c"],
        &["ws://127.0.0.1:1", SUBSCRIBE, "--timeout", "soon"],
        &["ws://127.0.0.1:1", SUBSCRIBE, "--ca-certificate", "/nowhere"],
        &["wss://127.0.0.1:1", SUBSCRIBE, "--certificate", "/nowhere"],
    ] {
        let (code, lines, stderr) = run(arguments, "").await;
        assert_eq!((code, lines.len()), (Some(64), 0), "{arguments:?}: {stderr}");
        assert!(!stderr.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_exit_code_needs_nobody_who_reads_stderr() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    for (arguments, expected) in
        [(&[&url, "a.B/C", "-d", "{}"][..], 12), (&["http://127.0.0.1:1", SUBSCRIBE], 64)]
    {
        let mut child = command(arguments).env("RUST_LOG", "trace").spawn().expect("the binary is built");
        drop(child.stderr.take());
        let status = tokio::time::timeout(SOON, child.wait()).await.expect("it ends");
        assert_eq!(status.expect("it can be waited for").code(), Some(expected), "{arguments:?}");
    }
}

#[tokio::test]
async fn the_status_is_an_object_for_programs() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let request = r#"{"gameId":"g1","maxEvents":1}"#;
    let (code, _, stderr) = run(&[&url, SUBSCRIBE, "-d", request, "--format", "json", "-v"], "").await;
    assert_eq!(code, Some(0));
    let objects: Vec<serde_json::Value> =
        stderr.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert!(objects[0]["headers"].is_object(), "{stderr}");
    assert_eq!((&objects[1]["code"], &objects[1]["status"]), (&0.into(), &"OK".into()));

    let (code, _, stderr) = run(&[&url, "a.B/C", "-d", "{}", "--format", "json"], "").await;
    let status: serde_json::Value = serde_json::from_str(&stderr).expect("JSON");
    assert_eq!((code, &status["code"]), (Some(12), &12.into()));
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_the_call_quietly() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let mut session = Session::start(&[&url, SUBSCRIBE, "-d", r#"{"gameId":"g1"}"#]);
    session.line().await.expect("an event");
    let Session { child, stdin, stdout } = session;
    drop(stdout);
    // The next event finds that nobody reads.
    assert_eq!(run(&[&url, SEND, "-d", JOIN], "").await.0, Some(0));
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await.expect("it ends");
    let Output { status, stderr, .. } = output.expect("it can be waited for");
    assert_eq!((status.code(), &*String::from_utf8_lossy(&stderr)), (Some(141), ""));
    drop(stdin);
}

#[tokio::test]
async fn protobuf_messages_are_lines_of_base64() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    // {"gameId":"g1","maxEvents":1}
    let request = {
        use prost::Message as _;
        let request = grpcws_gateway::demo::proto::SubscribeRequest {
            game_id: "g1".into(),
            max_events: 1,
            ..Default::default()
        };
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(request.encode_to_vec())
    };
    for (arguments, stdin) in [
        (vec![&*url, SUBSCRIBE, "--proto-mode", "-d", &*request], String::new()),
        (vec![&*url, SUBSCRIBE, "--proto-mode"], format!("{request}\n")),
    ] {
        let (code, lines, stderr) = run(&arguments, &stdin).await;
        assert_eq!((code, lines.len(), &*stderr), (Some(0), 1, "OK\n"));
        use base64::Engine as _;
        let event = base64::engine::general_purpose::STANDARD.decode(&lines[0]).expect("base64");
        let event: grpcws_gateway::demo::proto::GameEvent =
            prost::Message::decode(&*event).expect("an event");
        assert!(event.event.is_some(), "{event:?}");
    }
    let (code, _, stderr) = run(&[&url, SUBSCRIBE, "--proto-mode", "-d", "?"], "").await;
    assert_eq!(code, Some(3));
    assert!(stderr.contains("not base64"), "{stderr}");
}

/// Runs with stdout elsewhere. Returns the exit code and stderr.
async fn run_into(stdout: impl Into<Stdio>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = command(arguments);
    let child = command.stdin(Stdio::null()).stdout(stdout).spawn().expect("the binary is built");
    let output = tokio::time::timeout(SOON, child.wait_with_output()).await.expect("it ends");
    let Output { status, stderr, .. } = output.expect("it can be waited for");
    (status.code(), String::from_utf8(stderr).expect("text"))
}

#[tokio::test]
async fn messages_that_cannot_be_written_are_never_a_success() {
    let demo = Demo::start("1").await;
    let url = format!("ws://{}", demo.address);
    let one = r#"{"gameId":"g1","maxEvents":1}"#;
    let full = || std::fs::OpenOptions::new().write(true).open("/dev/full").expect("Linux has it");
    for request in [one, r#"{"gameId":"g1"}"#] {
        let (code, stderr) = run_into(full(), &[&url, SUBSCRIBE, "-d", request]).await;
        assert_eq!(code, Some(74), "{stderr}");
        assert!(stderr.starts_with("grpcws: cannot write the messages to stdout: No space left"), "{stderr}");
        // Nobody reads: as if SIGPIPE had ended it, and without a word.
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        assert_eq!(run_into(writer, &[&url, SUBSCRIBE, "-d", request]).await, (Some(141), String::new()));
    }
}

#[tokio::test]
async fn a_call_can_be_interrupted_while_it_connects() {
    // A gateway that accepts and says nothing.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}", listener.local_addr().expect("it is bound"));
    let session = Session::start(&[&url, SUBSCRIBE, "-d", "{}"]);
    let (_stream, _) =
        tokio::time::timeout(SOON, listener.accept()).await.expect("it connects").expect("a socket");
    session.signal(Signal::TERM);
    let (code, stderr) = session.end().await;
    assert_eq!(code, Some(1));
    assert!(stderr.starts_with("CANCELLED"), "{stderr}");
}
