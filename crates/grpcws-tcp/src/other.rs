//! Systems that tell nothing.

/// Returns `None`: this system does not tell.
pub fn outstanding<S>(_: &S) -> Option<u64> {
    None
}

/// Does nothing: this system has no such option.
pub fn limit_unsent<S>(_: &S, _: u32) {}
