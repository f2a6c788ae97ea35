//! What the sockets of one sample have counted together.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use hdrhistogram::Histogram;

/// What the sockets of one sample have counted together. They share a thread, and so need no atomics.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) opened: Cell<usize>,
    pub(crate) messages: Cell<u64>,
    pub(crate) errors: Cell<u64>,
    pub(crate) finished: Cell<usize>,
    /// What the first error was.
    pub(crate) first_error: RefCell<Option<String>>,
    /// Whether latencies count: not while the target warms up.
    pub(crate) recording: Cell<bool>,
    latency: RefCell<Histogram<u64>>,
}

/// Three digits, from 100 ns to a minute.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(100, 60_000_000_000, 3).expect("the bounds are in order")
}

impl Totals {
    pub(crate) fn new() -> Self {
        Self {
            opened: Cell::new(0),
            messages: Cell::new(0),
            errors: Cell::new(0),
            finished: Cell::new(0),
            first_error: RefCell::new(None),
            recording: Cell::new(false),
            latency: RefCell::new(histogram()),
        }
    }

    pub(crate) fn opened(&self) {
        self.opened.set(self.opened.get() + 1);
    }

    pub(crate) fn messages(&self, count: u64) {
        self.messages.set(self.messages.get() + count);
    }

    pub(crate) fn latency(&self, latency: Duration) {
        if self.recording.get() {
            let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
            self.latency.borrow_mut().saturating_record(nanoseconds);
        }
    }

    pub(crate) fn error(&self, error: impl ToString) {
        self.errors.set(self.errors.get() + 1);
        self.first_error.borrow_mut().get_or_insert_with(|| error.to_string());
    }

    /// The latencies so far.
    pub(crate) fn take_latency(&self) -> Histogram<u64> {
        self.latency.replace(histogram())
    }
}
