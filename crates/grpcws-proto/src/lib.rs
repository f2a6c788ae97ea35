#![doc = include_str!("../README.md")]
//!
//! # The path of a message
//!
//! A client's frame enters [`session::Session::receive`], which checks it against the state of the
//! stream and says what the call has to do. A response of the call is written around the constants of
//! [`message::data`] by whoever has the payload, so that no payload is ever copied here. All other
//! messages leave by [`session::Session::poll_transmit`].
//!
//! Time is an argument of every call that needs it: the crate has no clock, no I/O and no async
//! runtime. `PROTOCOL.md` at the root of the repository is the normative text; comments cite its
//! sections.
//!
//! # Limits
//!
//! A session holds no payload. Its own memory is the terminal message (with the trailers of the
//! call) and at most one pending message of each control type.

mod causes;
pub mod client;
pub mod close;
mod credit;
mod encoding;
pub mod framing;
pub mod handshake;
mod heartbeat;
pub mod message;
pub mod metadata;
mod mode;
mod options;
mod progress;
pub mod session;
mod status;

pub use causes::{ErrorChain, causes};
pub use mode::{MethodKind, Mode};
pub use options::OptionsError;
#[doc(hidden)]
pub use options::{check_duration, check_number};
pub use progress::{Outstanding, Progress};
pub use status::{Code, DebugDetail, Status};
