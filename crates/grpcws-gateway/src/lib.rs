//! The parts of the `grpcws` gateway binary, as a library for its tests.

pub mod cli;
pub mod demo;
pub mod descriptors;
pub mod signals;

/// The Rust code of the repository's pages, compiled with the doctests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    mod readme {}

    #[doc = include_str!("../../../docs/coming-from-go.md")]
    mod coming_from_go {}
}
