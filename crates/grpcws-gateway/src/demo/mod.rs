//! The demo: a small real-time game.
pub mod proto;
