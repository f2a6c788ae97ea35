//! The request messages, from the command line, a file or stdin.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Cursor, IsTerminal as _, Read};

use serde_json::value::RawValue;
use tokio::sync::mpsc;

use super::arguments::CallArguments;
use super::run::CallError;
use super::split::{Cut, Piece, Splitter};

/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// The request messages: of one source, then of the next.
pub(super) struct Input {
    /// Whether somebody types the messages, who can correct one.
    pub(super) interactive: bool,
    sources: VecDeque<Source>,
}

/// Where messages come from.
struct Source {
    /// Its name in errors.
    name: String,
    splitter: Splitter,
    /// `None` at the end.
    chunks: Option<mpsc::Receiver<io::Result<Vec<u8>>>>,
}

/// A message, and the name of where it comes from.
pub(super) struct Message {
    pub(super) source: String,
    pub(super) piece: Piece,
}

impl Input {
    /// What the arguments say. Data on the command line is checked here, files are opened.
    pub(super) fn open(arguments: &CallArguments) -> Result<Self, CallError> {
        let cut = if arguments.proto_mode { Cut::AllLines } else { Cut::Values };
        if arguments.data.is_empty() {
            let interactive = io::stdin().is_terminal();
            let cut = if interactive && !arguments.proto_mode { Cut::Lines } else { cut };
            let stdin = Source::new("stdin", cut, Box::new(io::stdin()));
            return Ok(Self { interactive, sources: VecDeque::from([stdin]) });
        }
        let source = |data: &String| match data.strip_prefix('@') {
            Some("-") => Ok(Source::new("stdin", cut, Box::new(io::stdin()))),
            Some(path) => Ok(Source::new(path, cut, Box::new(open(path)?))),
            None if arguments.proto_mode => {
                // An empty message of protobuf is an empty line.
                Ok(Source::new("--data", cut, Box::new(Cursor::new(format!("{data}\n")))))
            }
            None => {
                check(data)?;
                Ok(Source::new("--data", cut, Box::new(Cursor::new(data.clone()))))
            }
        };
        let sources = arguments.data.iter().map(source).collect::<Result<_, _>>()?;
        Ok(Self { interactive: false, sources })
    }

    /// The next message; `None` at the end of the input. The error has the name of where it is.
    pub(super) async fn next(&mut self) -> Result<Option<Message>, String> {
        while let Some(source) = self.sources.front_mut() {
            match source.next().await {
                Ok(Some(piece)) => return Ok(Some(Message { source: source.name.clone(), piece })),
                Ok(None) => drop(self.sources.pop_front()),
                Err(reason) => return Err(format!("{}: {reason}", source.name)),
            }
        }
        Ok(None)
    }
}

impl Source {
    fn new(name: &str, cut: Cut, source: Box<dyn Read + Send>) -> Self {
        Self { name: name.to_owned(), splitter: Splitter::new(cut), chunks: Some(read(source)) }
    }

    async fn next(&mut self) -> Result<Option<Piece>, String> {
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

fn open(path: &str) -> Result<File, CallError> {
    let usage = |error: &dyn std::fmt::Display| CallError::Usage(format!("cannot read {path}: {error}"));
    let file = File::open(path).map_err(|error| usage(&error))?;
    // Opening a folder works, reading it does not.
    if file.metadata().map_err(|error| usage(&error))?.is_dir() {
        return Err(usage(&"it is a folder"));
    }
    Ok(file)
}

fn check(data: &str) -> Result<(), CallError> {
    let data = data.strip_prefix('\u{feff}').unwrap_or(data);
    if data.trim().is_empty() {
        let text =
            "--data is empty: an empty message is '{}', and no message at all is </dev/null without --data";
        return Err(CallError::Usage(text.to_owned()));
    }
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
