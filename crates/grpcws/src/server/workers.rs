//! Who serves a connection.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

/// The runtimes that serve connections, each with an app that answers there.
///
/// A connection goes to the runtime that has the fewest, and stays there with every WebSocket on it. Where each runtime
/// has one thread (`tokio::runtime::Builder::new_current_thread`) and an app that shares nothing with the others, such
/// as connections to an upstream, no message wakes another thread. That costs less than a runtime of several threads:
/// bidi ping-pong takes a third to a half less CPU. In return a thread that has nothing to do helps no other one.
#[derive(Debug, Clone)]
pub struct Workers<S> {
    /// On the runtime that accepts.
    here: Worker<S>,
    elsewhere: Vec<Worker<S>>,
}

impl<S> Workers<S> {
    /// The runtime that accepts connections, which serves them too.
    pub fn here(app: S) -> Self {
        Self { here: Worker::new(app, None), elsewhere: Vec::new() }
    }

    /// One more runtime. After its end it gets no more connections.
    #[must_use]
    pub fn and(mut self, runtime: Handle, app: S) -> Self {
        self.elsewhere.push(Worker::new(app, Some(runtime)));
        self
    }

    /// The one with the fewest connections, of those whose runtime has not ended; of equals the first.
    pub(super) fn least_busy(&self) -> &Worker<S> {
        let fewer = |best, worker| {
            if Worker::connections(worker) < Worker::connections(best) { worker } else { best }
        };
        self.elsewhere.iter().filter(|worker| !worker.has_ended()).fold(&self.here, fewer)
    }
}

/// A runtime and its app.
#[derive(Debug, Clone)]
pub(super) struct Worker<S> {
    pub(super) app: S,
    /// None for the one that accepts.
    runtime: Option<Runtime>,
    /// How many connections it has.
    connections: Arc<AtomicUsize>,
}

impl<S> Worker<S> {
    fn new(app: S, runtime: Option<Handle>) -> Self {
        Self { app, runtime: runtime.map(Runtime::new), connections: Arc::default() }
    }

    fn has_ended(&self) -> bool {
        self.runtime.as_ref().is_some_and(|runtime| runtime.ended.load(Ordering::Relaxed))
    }

    /// Counts a connection until the guard is dropped.
    pub(super) fn count(&self) -> Busy {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Busy(Arc::clone(&self.connections))
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Serves a connection in a task of this worker's.
    pub(super) fn spawn<F>(
        &self,
        tasks: &TaskTracker,
        stream: TcpStream,
        serve: impl FnOnce(TcpStream) -> F + Send + 'static,
    ) -> io::Result<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else {
            tasks.spawn(serve(stream));
            return Ok(());
        };
        // A stream belongs to the runtime that has registered it.
        let stream = stream.into_std()?;
        let task = async move {
            match TcpStream::from_std(stream) {
                Ok(stream) => serve(stream).await,
                Err(error) => tracing::error!(%error, "cannot serve a connection"),
            }
        };
        tasks.spawn_on(task, &runtime.handle);
        Ok(())
    }
}

/// A runtime that can end while the server goes on.
#[derive(Debug, Clone)]
struct Runtime {
    handle: Handle,
    ended: Arc<AtomicBool>,
    /// Ends the task that watches the runtime.
    _watch: Arc<DropGuard>,
}

impl Runtime {
    /// Watches the runtime by a task of its own: a handle cannot tell, and tasks that are spawned after the end are
    /// dropped without a word.
    fn new(handle: Handle) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let stop = CancellationToken::new();
        let (on_drop, stopped) = (SetOnDrop(Arc::clone(&ended)), stop.clone());
        handle.spawn(async move {
            let _on_drop = on_drop;
            stopped.cancelled().await;
        });
        Self { handle, ended, _watch: Arc::new(stop.drop_guard()) }
    }
}

#[derive(Debug)]
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A connection of a worker.
#[derive(Debug)]
pub(super) struct Busy(Arc<AtomicUsize>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_go_where_the_fewest_are() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let on = || runtime.handle().clone();
        let workers = Workers::here('a').and(on(), 'b').and(on(), 'c');
        let next = || {
            let worker = workers.least_busy();
            (worker.app, worker.count())
        };
        let mut taken: Vec<_> = std::iter::repeat_with(next).take(5).collect();
        let apps: String = taken.iter().map(|(app, _)| *app).collect();
        assert_eq!(apps, "abcab");
        taken.remove(1);
        assert_eq!(next().0, 'b');
    }

    #[test]
    fn a_runtime_that_has_ended_gets_no_connections() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (first, second) = (runtime(), runtime());
        let workers = Workers::here('a').and(first.handle().clone(), 'b').and(second.handle().clone(), 'c');
        let connections = |count: usize| -> Vec<_> {
            std::iter::repeat_with(|| workers.least_busy())
                .map(|worker| (worker.app, worker.count()))
                .take(count)
                .collect()
        };
        let apps =
            |connections: &[(char, Busy)]| -> String { connections.iter().map(|(app, _)| *app).collect() };
        let before = connections(3);
        assert_eq!(apps(&before), "abc");
        drop(first);
        let after = connections(3);
        assert_eq!(apps(&after), "aca");
        drop(second);
        assert_eq!(apps(&connections(2)), "aa");
        // One that ended before it was given.
        let ended = runtime();
        let handle = ended.handle().clone();
        drop(ended);
        assert_eq!(Workers::here('a').and(handle, 'b').least_busy().app, 'a');
        let (_before, _after) = (before, after);
    }
}
