//! The parts of the `grpcws` gateway binary, as a library for its tests.

pub mod call;
pub mod cli;
pub mod demo;
pub mod descriptors;
pub mod inspect;
mod listener;
mod open_files;
pub mod serve;
pub mod signals;
pub mod terminal;
mod values;

/// The Rust code of the repository's pages, compiled with the doctests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    mod readme {}

    #[doc = include_str!("../../../docs/coming-from-go.md")]
    mod coming_from_go {}
}

/// Tells the addresses to whoever waits for them on stdout. That nobody does, or has stopped reading, is no
/// reason to end.
fn announce(text: &str) {
    use std::io::Write as _;
    let _ = std::io::stdout().write_all(text.as_bytes());
}
