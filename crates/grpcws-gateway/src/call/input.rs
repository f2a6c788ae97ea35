//! The request messages, from the command line, a file or stdin.

use std::fs::File;
use std::io::{self, Cursor, IsTerminal as _, Read};

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::arguments::CallArguments;
use super::run::CallError;
use super::split::{Cut, Piece, Splitter};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// The request messages.
pub(super) struct Input {
    /// The name of the source in errors.
    pub(super) name: String,
    /// Whether somebody types the messages, who can correct one.
    pub(super) interactive: bool,
    splitter: Splitter,
    /// `None` at the end.
    chunks: Option<mpsc::Receiver<io::Result<Vec<u8>>>>,
}

impl Input {
    /// What the arguments say. Data on the command line is checked here, a file is opened.
    pub(super) fn open(arguments: &CallArguments) -> Result<Self, CallError> {
        let lines = if arguments.proto_mode { Cut::AllLines } else { Cut::Values };
        let input = |name: &str, source: Box<dyn Read + Send>| {
            Ok(Self {
                name: name.to_owned(),
                interactive: false,
                splitter: Splitter::new(lines),
                chunks: Some(read(source)),
            })
        };
        match arguments.data.as_deref() {
            Some("@-") => input("stdin", Box::new(io::stdin())),
            Some(data) => match data.strip_prefix('@') {
                Some(path) => {
                    let file = File::open(path)
                        .map_err(|error| CallError::Usage(format!("cannot read {path}: {error}")))?;
                    input(path, Box::new(file))
                }
                None => {
                    if !arguments.proto_mode {
                        check(data)?;
                    }
                    // An empty message of protobuf is an empty line.
                    let data = if arguments.proto_mode { format!("{data}\n") } else { data.to_owned() };
                    input("--data", Box::new(Cursor::new(data)))
                }
            },
            None if io::stdin().is_terminal() => {
                let cut = if arguments.proto_mode { Cut::AllLines } else { Cut::Lines };
                let interactive = Self {
                    name: "stdin".to_owned(),
                    interactive: true,
                    splitter: Splitter::new(cut),
                    chunks: Some(read(Box::new(io::stdin()))),
                };
                Ok(interactive)
            }
            None => input("stdin", Box::new(io::stdin())),
        }
    }

    /// The next message; `None` at the end of the input.
    pub(super) async fn next(&mut self) -> Result<Option<Piece>, String> {
        loop {
            if let Some(piece) = self.splitter.next_piece().map_err(|error| error.to_string())? {
                return Ok(Some(piece));
            }
            let Some(chunks) = &mut self.chunks else { return Ok(self.splitter.finish()) };
            match chunks.recv().await {
                Some(Ok(chunk)) => self.splitter.push(&chunk),
                Some(Err(error)) => return Err(error.to_string()),
                None => self.chunks = None,
            }
        }
    }
}

fn check(data: &str) -> Result<(), CallError> {
    for value in serde_json::Deserializer::from_str(data).into_iter::<&RawValue>() {
        value.map_err(|error| CallError::Usage(format!("--data is not JSON: {error}")))?;
    }
    Ok(())
}

/// Reads in a thread of its own, which the end of the process does not wait for: a read of a terminal may never return.
fn read(mut source: Box<dyn Read + Send>) -> mpsc::Receiver<io::Result<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel(1);
    std::thread::spawn(move || {
        let mut buffer = vec![0; CHUNK];
        loop {
            let chunk = match source.read(&mut buffer) {
                Ok(0) => return,
                Ok(length) => Ok(buffer.iter().take(length).copied().collect()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let failed = chunk.is_err();
            if sender.blocking_send(chunk).is_err() || failed {
                return;
            }
        }
    });
    receiver
}
