//! An echo client, as the Autobahn suite's fuzzing server tests one: asks how many cases there are, runs each of them,
//! then lets the server write its reports.
//!
//! ```console
//! cargo run -p grpcws-frame --example echo_client -- --server 127.0.0.1:9001 --agent grpcws-frame
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for a terminal")]

mod support;

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::process::ExitCode;

use grpcws_frame::{Encoder, Reader, Role};
use support::{Connection, MAX_MESSAGE_SIZE, header, read_head};
use tungstenite::handshake::client::generate_key;
use tungstenite::handshake::derive_accept_key;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (server, agent) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--server", server] => (server, "grpcws-frame"),
        ["--server", server, "--agent", agent] => (server, agent),
        _ => {
            eprintln!("usage: echo_client --server HOST:PORT [--agent NAME]");
            return ExitCode::from(64);
        }
    };
    let server = server.trim_start_matches("ws://").trim_end_matches('/');
    match run(server, agent) {
        Ok(cases) => {
            println!("{cases} cases");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{server}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs all cases; a case that ends with an error of the connection is for the server to judge.
fn run(server: &str, agent: &str) -> io::Result<u32> {
    let mut count = open(server, "/getCaseCount")?;
    let cases = count.read_text()?.and_then(|text| text.trim().parse().ok());
    let cases = cases.ok_or_else(|| io::Error::other("the server does not say how many cases there are"))?;
    count.close()?;
    for case in 1..=cases {
        let echoed = open(server, &format!("/runCase?case={case}&agent={agent}")).and_then(Connection::echo);
        if let Err(error) = echoed {
            eprintln!("case {case}: {error}");
        }
    }
    open(server, &format!("/updateReports?agent={agent}"))?.close()?;
    Ok(cases)
}

fn open(server: &str, path: &str) -> io::Result<Connection> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_nodelay(true)?;
    let key = generate_key();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let (head, rest) = read_head(&mut stream)?;
    let accept = derive_accept_key(key.as_bytes());
    if !head.starts_with("HTTP/1.1 101 ") || header(&head, "sec-websocket-accept") != Some(&accept) {
        return Err(io::Error::other("the server does not upgrade the connection"));
    }
    let reader = Reader::new(Role::Client, MAX_MESSAGE_SIZE, &rest);
    Ok(Connection { stream, reader, encoder: Encoder::client() })
}
