//! Keeps descriptors up to date.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use grpcws::services::Descriptors;
use tokio::sync::Notify;
use tokio::time::sleep;

use super::loader::{EncodedSet, Loaded, Loader};
use super::reflection::GrpcUpstream;

/// The time from the first failure until the next attempt.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest time between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(30);
/// How long triggers are gathered: an upstream that comes back is connected to several times at once.
const GATHER: Duration = Duration::from_millis(200);

/// Loads descriptors into the handle, and again whenever `trigger` is notified: on a new connection to an upstream, on
/// SIGHUP. Tries again with growing delays for as long as that fails; a notification ends the delay. The descriptors
/// that are there stay until there are newer ones.
///
/// Never returns; drop the future to end it.
pub async fn refresh<S: GrpcUpstream>(
    mut loader: Loader<S>,
    descriptors: Descriptors,
    trigger: Arc<Notify>,
) -> Infallible {
    let mut published = EncodedSet::default();
    let mut delay = FIRST_DELAY;
    loop {
        let complete = match loader.load().await {
            Ok(loaded) => publish(loaded, &descriptors, &mut published),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), retry_in = ?delay, "no descriptors could be loaded");
                false
            }
        };
        if complete {
            delay = FIRST_DELAY;
            trigger.notified().await;
            sleep(GATHER).await;
        } else {
            tokio::select! {
                () = sleep(jittered(delay)) => {}
                () = trigger.notified() => sleep(GATHER).await,
            }
            delay = delay.mul_f64(1.6).min(MAX_DELAY);
        }
    }
}

/// Puts descriptors into the handle if they are others than before. Returns whether every upstream was asked.
fn publish(loaded: Loaded, descriptors: &Descriptors, published: &mut EncodedSet) -> bool {
    for error in &loaded.failed {
        tracing::warn!(error = %Chain(error), "the descriptors of an upstream could not be loaded");
    }
    let complete = loaded.failed.is_empty();
    if loaded.set == *published {
        return complete;
    }
    for omitted in &loaded.omitted {
        let services = omitted.services.join(", ");
        tracing::warn!(file = omitted.file, services, "a descriptor is left out: {}", omitted.reason);
    }
    for error in &loaded.routes {
        tracing::warn!(error = %Chain(error), "a route is left out");
    }
    for problem in loaded.services.routes().problems() {
        tracing::debug!(error = %Chain(problem), "an annotation is not bound");
    }
    let (services, methods) = (loaded.services.iter().count(), loaded.services.methods().count());
    tracing::info!(services, methods, "descriptors are loaded");
    *published = loaded.set;
    descriptors.replace(loaded.services);
    complete
}

/// The delay, changed by up to a fifth, so that gateways do not ask in step.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.8 + 0.4 * fastrand::f64())
}

/// An error with what caused it.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
