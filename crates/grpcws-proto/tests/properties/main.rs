//! Property tests: whatever happens in whatever order, a stream has one outcome and loses nothing.
//!
//! `races` compares a session with a small reference model of PROTOCOL §6. `pair` puts a client's
//! session at the other end of a network with queues, and checks P1 to P5 of PROTOCOL §12.
//! `upload` gives that network a round trip and a rate, and watches the receive window grow.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "these are tests")]

mod pair;
mod races;
#[path = "../support/mod.rs"]
mod support;
mod upload;
