//! Moves a number of messages through one hop and ends: callgrind counts the instructions, and the difference of
//! two numbers of messages leaves what a message costs. One thread, no network and no clock that matters, so that
//! the count is the same each time.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command for a terminal")]

mod bridge;
mod event;

use std::hint::black_box;
use std::process::ExitCode;

use grpcws::Codec;
use grpcws::proto::message::ClientMessage;
use grpcws::proto::session::Payload;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// A hop, and what it is.
type Hop = (&'static str, fn(usize));

const HOPS: &[Hop] = &[
    ("to-json", to_json),
    ("from-json", from_json),
    ("stream-json", |messages| bridge::down("grpcws.v1.json", messages, bridge::GATHERED)),
    ("stream-proto", |messages| bridge::down("grpcws.v1.proto", messages, bridge::GATHERED)),
    ("stream-json-single", |messages| bridge::down("grpcws.v1.json", messages, 1)),
    ("upload-json", |messages| bridge::up("grpcws.v1.json", messages)),
    ("upload-proto", |messages| bridge::up("grpcws.v1.proto", messages)),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let hop = |name: &String| HOPS.iter().find(|(hop, _)| hop == name);
    match arguments.as_slice() {
        [] => {
            HOPS.iter().for_each(|(name, _)| println!("{name}"));
            ExitCode::SUCCESS
        }
        [name, messages] if let (Some((_, hop)), Ok(messages)) = (hop(name), messages.parse()) => {
            hop(messages);
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: grpcws-count [HOP MESSAGES]");
            ExitCode::from(64)
        }
    }
}

fn codec() -> Codec {
    let event = event::services().message("bench.Event").expect("the type is in the table");
    Codec::new(&event.table(), "bench.Event", "bench.Event").expect("the type is in the table")
}

fn to_json(messages: usize) {
    let (codec, event) = (codec(), event::event());
    let mut text = Vec::new();
    for _ in 0..messages {
        text.clear();
        codec.encode_data(black_box(&event), &mut text).expect("the event fits its type");
        black_box(&text);
    }
}

fn from_json(messages: usize) {
    let codec = codec();
    for _ in 0..messages {
        let frame = black_box(event::JSON);
        let Ok(ClientMessage::Data { value, offset }) = ClientMessage::parse(frame) else { continue };
        let message = codec.decode_request(Payload::Json { value, frame, offset });
        black_box(message.expect("the event fits its type"));
    }
}
