//! What a program may watch of its streams.

mod compose;
mod stream;

pub use stream::{Direction, RefusedHandshake, StreamHooks, StreamInfo, StreamMetrics};
