//! `grpcws call`: one call, with messages as lines on stdin and stdout.
//!
//! In the order in which a message travels: `input` reads it, `split` finds where it ends, `run` moves it, `output`
//! prints what comes back, by way of `json_text`.

mod arguments;
mod input;
mod json_text;
mod output;
mod run;
mod split;

pub use arguments::{CallArguments, Format};
pub use run::{CallError, call};

/// What the help shows behind the options.
pub(crate) const EXAMPLES: &str = r#"Messages are JSON on stdin, one value after the other, and JSON on stdout, one line each, as they come. The status
goes to stderr, and its number is the exit code: 0 is OK, 5 is NOT_FOUND. Wrong usage is 64. Where
messages cannot be written, the call is cancelled, and the exit code is 74, or 141 where nobody reads them any more.

The end of the input half-closes the call, so `</dev/null` sends no message at all; `-d '{}'` sends an empty one, which
is what a unary or server-streaming method needs at least. Ctrl-C cancels the call.

Examples:
  grpcws call ws://127.0.0.1:8080 game.v1.GameService/Subscribe -d '{"gameId":"g1"}'
  grpcws call ws://127.0.0.1:8080 game.v1.GameService/GetGame -d '{"gameId":"g1"}' -H 'x-room: blue' -v
  grpcws call wss://example.com/api package.Service/Upload -d @messages.json --timeout 30s
  generate | grpcws call ws://127.0.0.1:8080 package.Service/Chat
  grpcws call ws://127.0.0.1:8080 '/v1/games/g1/subscribe?max_events=3' </dev/null
  grpcws call ws://127.0.0.1:8080 game.v1.GameService/Subscribe --proto-mode -d CgJnMQ=="#;
