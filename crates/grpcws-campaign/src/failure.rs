//! What stops a program that cannot do its work, as opposed to a check that fails.

/// An error of the surroundings: a server that does not start, a socket that cannot be made.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;
