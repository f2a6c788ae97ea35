//! The threads that connections are served on beside the first one.

use std::io;
use std::num::NonZeroUsize;
use std::thread;

use tokio::runtime::{Builder, Handle};
use tokio::sync::watch;

/// Threads with a runtime each. They end when this is dropped, and what runs on them is dropped.
pub(super) struct Threads {
    runtimes: Vec<Handle>,
    /// Nothing is ever sent: its end is the message.
    _running: watch::Sender<()>,
}

impl Threads {
    /// Starts as many threads as there are to be beside the caller's own.
    pub(super) fn start(workers: NonZeroUsize) -> io::Result<Self> {
        let (running, ended) = watch::channel(());
        let start = |number| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let handle = runtime.handle().clone();
            let mut ended = ended.clone();
            thread::Builder::new().name(format!("grpcws-{number}")).spawn(move || {
                // Its error is the end that is waited for.
                let _ = runtime.block_on(ended.changed());
                // A look-up of a name that hangs is not waited for.
                runtime.shutdown_background();
            })?;
            Ok(handle)
        };
        let runtimes = (2..=workers.get()).map(start).collect::<io::Result<_>>()?;
        Ok(Self { runtimes, _running: running })
    }

    pub(super) fn runtimes(&self) -> &[Handle] {
        &self.runtimes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_runs_on_a_thread_is_dropped_with_it() {
        let threads = Threads::start(NonZeroUsize::new(3).unwrap()).unwrap();
        assert_eq!(threads.runtimes().len(), 2);
        let (sender, mut receiver) = tokio::sync::mpsc::channel::<thread::ThreadId>(1);
        for runtime in threads.runtimes() {
            let sender = sender.clone();
            runtime.spawn(async move {
                let _ = sender.send(thread::current().id()).await;
                std::future::pending::<()>().await;
                drop(sender);
            });
        }
        drop(sender);
        let (first, second) = (receiver.recv().await, receiver.recv().await);
        assert!(first.is_some() && second.is_some() && first != second);
        drop(threads);
        assert!(receiver.recv().await.is_none());
    }
}
