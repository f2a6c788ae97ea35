//! What signals do to the process.

use std::io;
use std::time::Duration;

use grpcws::Shutdown;
use tokio::signal::unix::{SignalKind, signal};

/// Begins to shut down on the first SIGTERM or SIGINT, and hurries on the second.
///
/// # Errors
///
/// The process cannot watch signals.
pub fn shut_down_on_signal(shutdown: &Shutdown, grace: Duration) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        next().await;
        tracing::info!(?grace, "shutting down");
        shutdown.begin(grace);
        next().await;
        shutdown.hurry();
    });
    Ok(())
}
