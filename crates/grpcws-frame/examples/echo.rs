//! An echo server, as the Autobahn suite's fuzzing client tests one.
//!
//! ```console
//! cargo run -p grpcws-frame --example echo -- --listen 127.0.0.1:9002
//! ```

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for a terminal")]

mod support;

use std::io::{self, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

use grpcws_frame::{Encoder, Reader, Role};
use support::{Connection, MAX_MESSAGE_SIZE, header, read_head};
use tungstenite::handshake::derive_accept_key;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let address = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => "127.0.0.1:0",
        ["--listen", address] => address,
        _ => {
            eprintln!("usage: echo [--listen ADDRESS]");
            return ExitCode::from(64);
        }
    };
    match serve(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot listen on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening ws://{}", listener.local_addr()?);
    io::stdout().flush()?;
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || {
            if let Err(error) = accept(stream) {
                eprintln!("connection: {error}");
            }
        });
    }
    Ok(())
}

fn accept(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (head, rest) = read_head(&mut stream)?;
    let Some(key) = header(&head, "sec-websocket-key") else {
        return stream
            .write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    };
    let accept = derive_accept_key(key.as_bytes());
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    stream.write_all(answer.as_bytes())?;
    let reader = Reader::new(Role::Server, MAX_MESSAGE_SIZE, &rest);
    Connection { stream, reader, encoder: Encoder::server() }.echo()
}
