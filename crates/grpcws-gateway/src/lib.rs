//! The parts of the `grpcws` gateway binary, as a library for its tests.

pub mod cli;
pub mod demo;
pub mod signals;
