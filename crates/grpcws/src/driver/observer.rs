//! Counts what passes, and tells the hooks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use grpcws_proto::close::Cause;
use grpcws_proto::session::Outcome;

use crate::hooks::{Direction, StreamHooks, StreamInfo, StreamMetrics};

/// Counts what passes over one stream, and tells the hooks of it.
pub(crate) struct Observer {
    hooks: Option<Arc<dyn StreamHooks>>,
    info: StreamInfo,
    metrics: StreamMetrics,
    started: bool,
    ended: bool,
    closed: bool,
}

impl Observer {
    pub(crate) fn new(hooks: Option<Arc<dyn StreamHooks>>, info: StreamInfo) -> Self {
        Self { hooks, info, metrics: StreamMetrics::new(), started: false, ended: false, closed: false }
    }

    pub(super) fn path(&self) -> &str {
        &self.info.path
    }

    pub(super) fn started(&mut self) {
        if !std::mem::replace(&mut self.started, true)
            && let Some(hooks) = &self.hooks
        {
            hooks.on_start(&self.info);
        }
    }

    pub(super) fn received(&mut self, bytes: usize) {
        self.metrics.messages_received += 1;
        self.metrics.bytes_received += u64::try_from(bytes).unwrap_or(0);
        if let Some(hooks) = &self.hooks {
            hooks.on_message(&self.info, Direction::Received, bytes);
        }
    }

    pub(super) fn sent(&mut self, bytes: usize) {
        self.metrics.messages_sent += 1;
        self.metrics.bytes_sent += u64::try_from(bytes).unwrap_or(0);
        if let Some(hooks) = &self.hooks {
            hooks.on_message(&self.info, Direction::Sent, bytes);
        }
    }

    pub(super) fn ping(&self, ping_id: u64) {
        if let Some(hooks) = &self.hooks {
            hooks.on_ping(&self.info, ping_id);
        }
    }

    pub(super) fn pong(&self) {
        if let Some(hooks) = &self.hooks {
            hooks.on_pong(&self.info);
        }
    }

    /// The outcome is known: tells it once, before the socket is closed.
    pub(super) fn ended(&mut self, outcome: Option<&Outcome>) {
        let Some(outcome) = outcome.filter(|_| !std::mem::replace(&mut self.ended, true)) else { return };
        let Some(hooks) = &self.hooks else { return };
        if matches!(
            outcome.cause,
            Cause::Deadline | Cause::InitTimeout(_) | Cause::HeartbeatTimeout(_) | Cause::Policy(_)
        ) {
            self.guard(|| hooks.on_timeout(&self.info, outcome));
        }
        if !outcome.status.is_ok() {
            self.guard(|| hooks.on_error(&self.info, &outcome.status));
        }
    }

    /// The stream is over: tells it once.
    pub(super) fn closed(&mut self, outcome: Option<&Outcome>) {
        self.ended(outcome);
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if let Some(hooks) = &self.hooks {
            self.guard(|| hooks.on_close(&self.info, outcome, &self.metrics));
        }
    }

    /// Runs a hook of the end of the stream, when there is nothing left that a panic could end.
    fn guard(&self, hook: impl FnOnce()) {
        // The hook gets shared references only, and what it may have left half done is the program's own.
        if catch_unwind(AssertUnwindSafe(hook)).is_err() {
            tracing::error!(path = %self.info.path, "a hook panicked at the end of a stream");
        }
    }
}

impl Drop for Observer {
    fn drop(&mut self) {
        if self.started && !self.closed && !std::thread::panicking() {
            self.closed(None);
        }
    }
}
