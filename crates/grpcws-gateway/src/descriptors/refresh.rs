//! Keeps descriptors up to date.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use grpcws::proto::ErrorChain;
use grpcws::routes::Routes;
use grpcws::services::Descriptors;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use super::error::DescriptorError;
use super::loader::{Asked, Loaded, Loader};
use super::reflection::GrpcUpstream;

/// The time from the first failure until the next attempt.
const FIRST_DELAY: Duration = Duration::from_secs(1);
/// The longest time between two attempts. Only the upstreams that failed are asked then.
const MAX_DELAY: Duration = Duration::from_secs(5);
/// The least time between two attempts, however many calls wait for descriptors: less than a client's back-off.
const MIN_DELAY: Duration = Duration::from_millis(500);
/// How long triggers are gathered: an upstream that comes back is connected to several times at once.
const GATHER: Duration = Duration::from_millis(200);
/// The least time from descriptors that were loaded until upstreams are asked again. Some end each connection after a
/// few calls, and are the same as before.
const MIN_AGE: Duration = Duration::from_secs(10);

/// What makes [`refresh`] load anew.
#[derive(Debug, Default)]
pub struct Trigger {
    now: Notify,
    changed: Notify,
}

impl Trigger {
    /// Somebody asks for it, by SIGHUP: load at once.
    pub fn now(&self) {
        self.now.notify_one();
    }

    /// An upstream may be another one than before: load soon.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// Waits for either, and in the second case until `earliest` too.
    async fn notified(&self, earliest: Instant) {
        let changed = async {
            self.changed.notified().await;
            sleep_until(earliest.max(Instant::now() + GATHER)).await;
        };
        tokio::select! {
            () = self.now.notified() => {}
            () = changed => {}
        }
    }
}

/// Loads descriptors into the handle, unless the loader has loaded before, and again whenever `trigger` says so. Tries again with growing delays for as long
/// as that fails; a trigger, and a call that wants descriptors while there are none, end the delay. The descriptors
/// that are there stay until there are newer ones. An upstream without reflection is no failure; what stays as it was is told once.
///
/// Never returns; drop the future to end it.
pub async fn refresh<S: GrpcUpstream>(
    mut loader: Loader<S>,
    descriptors: Descriptors,
    trigger: Arc<Trigger>,
) -> Infallible {
    let mut told = HashSet::new();
    let mut delay = FIRST_DELAY;
    let mut asked = (!loader.has_loaded()).then_some(Asked::All);
    loop {
        let complete = match asked {
            Some(asked) => attempt(&mut loader, asked, &descriptors, &mut told).await,
            None => true,
        };
        let ended = Instant::now();
        if complete {
            delay = FIRST_DELAY;
            trigger.notified(ended + MIN_AGE).await;
            asked = Some(Asked::All);
            continue;
        }
        let requested = async {
            descriptors.requested().await;
            sleep_until(ended + MIN_DELAY).await;
        };
        asked = Some(tokio::select! {
            () = sleep(jittered(delay)) => Asked::Failed,
            () = requested => Asked::Failed,
            () = trigger.notified(ended + MIN_DELAY) => Asked::All,
        });
        delay = delay.mul_f64(1.6).min(MAX_DELAY);
    }
}

/// Returns whether another attempt is no help.
async fn attempt<S: GrpcUpstream>(
    loader: &mut Loader<S>,
    asked: Asked,
    descriptors: &Descriptors,
    told: &mut HashSet<String>,
) -> bool {
    match loader.load_changes(asked).await {
        Ok(changes) => {
            tell(&changes.failed, told);
            changes.loaded.into_iter().for_each(|loaded| publish(loaded, descriptors));
            changes.complete
        }
        Err(error) => {
            tell(std::slice::from_ref(&error), told);
            // The same descriptors would be as bad.
            matches!(error, DescriptorError::Services(_))
        }
    }
}

/// Puts descriptors into the handle, and tells what is not among them.
pub(crate) fn publish(loaded: Loaded, descriptors: &Descriptors) {
    for omitted in &loaded.omitted {
        let services = omitted.services.join(", ");
        if services.is_empty() {
            tracing::info!(file = omitted.file, "a descriptor is left out: {}", omitted.reason);
            continue;
        }
        tracing::warn!(file = omitted.file, services, "a descriptor is left out: {}", omitted.reason);
    }
    for error in &loaded.routes {
        tracing::warn!(error = %ErrorChain(error), "a route is left out");
    }
    tell_routes(loaded.services.routes());
    let (services, methods) = (loaded.services.iter().count(), loaded.services.methods().count());
    tracing::info!(services, methods, "descriptors are loaded");
    descriptors.replace(loaded.services);
}

/// How many paths with several methods are named.
const NAMED: usize = 10;

/// Tells which annotations make no route, and which paths have several methods.
fn tell_routes(routes: &Routes) {
    let problems = routes.problems();
    if let Some(first) = problems.first() {
        tracing::warn!(
            count = problems.len(),
            first = %ErrorChain(first),
            "annotations google.api.http make no route; `grpcws routes` shows each"
        );
    }
    for problem in problems {
        tracing::debug!(error = %ErrorChain(problem), "an annotation is not bound");
    }
    let others = || routes.entries().filter(|entry| !entry.is_default);
    for entry in others().take(NAMED) {
        let method = entry.method.full_name();
        let query = entry.verb.map(|verb| format!("?method={verb}")).unwrap_or_default();
        tracing::info!(path = entry.path, method, query, "clients choose this method of a path by the query");
    }
    let left = others().count().saturating_sub(NAMED);
    if left > 0 {
        tracing::info!(left, "more methods are chosen by the query; `grpcws routes` shows each");
    }
}

/// Tells what failed; what failed in the same way before is told once.
fn tell(failed: &[DescriptorError], told: &mut HashSet<String>) {
    let mut now = HashSet::new();
    for error in failed {
        let text = ErrorChain(error).to_string();
        if told.contains(&text) {
            tracing::debug!(error = text, "descriptors still cannot be loaded");
        } else {
            tracing::warn!(error = text, "descriptors cannot be loaded");
        }
        now.insert(text);
    }
    *told = now;
}

/// The delay, changed by up to a fifth, so that gateways do not ask in step.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(0.8 + 0.4 * fastrand::f64())
}
