//! How many files the process may have open: a stream takes one, and its share of the upstream's connections.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Raises the limit of open files to what the system permits. The default of many systems, 1,024, is there for
/// programs that use `select`, and would be the limit of streams here.
pub(crate) fn raise_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current == limit.maximum {
        return;
    }
    let before = limit.current;
    limit.current = limit.maximum;
    match setrlimit(Resource::Nofile, limit) {
        Ok(()) => tracing::debug!(?before, now = ?limit.current, "raised the limit of open files"),
        Err(error) => tracing::warn!(%error, limit = ?before, "cannot raise the limit of open files"),
    }
}
