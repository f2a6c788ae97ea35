//! Keeps descriptors up to date.

use std::collections::HashSet;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
/// The longest time until a call of a method that is not there makes upstreams be asked again.
const MAX_REST: Duration = Duration::from_secs(10 * 60);

/// What makes [`refresh`] load anew.
#[derive(Debug, Default)]
pub struct Trigger {
    now: Notify,
    /// Whether somebody who asked has not heard the outcome.
    asked: AtomicBool,
    changed: Notify,
}

impl Trigger {
    /// Somebody asks for it, by SIGHUP: load at once.
    pub fn now(&self) {
        self.asked.store(true, Ordering::Relaxed);
        self.now.notify_one();
    }

    /// An upstream may be another one than before: load soon.
    pub fn changed(&self) {
        self.changed.notify_one();
    }

    /// Waits for either, and in the second case until `earliest` too.
    async fn notified(&self, earliest: Instant) -> Asked {
        let changed = async {
            self.changed.notified().await;
            sleep_until(earliest.max(Instant::now() + GATHER)).await;
        };
        tokio::select! {
            () = self.now.notified() => Asked::All,
            () = changed => Asked::Upstreams,
        }
    }
}

/// Loads descriptors into the handle, unless the loader has loaded before, and again whenever `trigger` says so, when calls
/// ask for methods that are not there, and by time. Tries again with growing delays for as long as that fails; a trigger,
/// and a call that wants descriptors while there are none, end the delay. The descriptors that are there stay until there
/// are newer ones. An upstream without reflection is no failure; what stays as it was is told once. Between all that it
/// looks up types that messages have and the descriptors lack.
///
/// Never returns; drop the future to end it.
pub async fn refresh<S: GrpcUpstream>(
    mut loader: Loader<S>,
    descriptors: Descriptors,
    trigger: Arc<Trigger>,
) -> Infallible {
    let mut told = HashSet::new();
    let mut delay = FIRST_DELAY;
    let mut patience = Patience::default();
    let mut asked = loader.first_ask();
    loop {
        let outcome = match asked {
            Some(asked) => attempt(&mut loader, asked, &descriptors, &trigger, &mut told).await,
            None => Outcome { complete: true, changed: false },
        };
        let ended = Instant::now();
        if outcome.complete {
            delay = FIRST_DELAY;
            patience.loaded(outcome.changed);
            let interval = loader.refresh_interval();
            let next = async {
                let asks = interval.is_some();
                tokio::select! {
                    asked = trigger.notified(ended + MIN_AGE) => (asked, false),
                    () = by_time(interval) => (Asked::Upstreams, false),
                    // A method that is not there may be that of an upstream which is another one by now.
                    () = unknown_method(&descriptors, ended + patience.rest()), if asks => (Asked::Upstreams, true),
                }
            };
            let (next, by_call) = answering(&mut loader, &descriptors, next).await;
            patience.by_call = by_call;
            asked = Some(next);
            continue;
        }
        let next = async {
            let requested = async {
                descriptors.requested().await;
                sleep_until(ended + MIN_DELAY).await;
            };
            tokio::select! {
                () = sleep(jittered(delay)) => Asked::Failed,
                () = requested => Asked::Failed,
                asked = trigger.notified(ended + MIN_DELAY) => asked,
            }
        };
        asked = Some(answering(&mut loader, &descriptors, next).await);
        delay = delay.mul_f64(1.6).min(MAX_DELAY);
    }
}

/// Looks up types until something else is to be done.
async fn answering<S: GrpcUpstream, T>(
    loader: &mut Loader<S>,
    descriptors: &Descriptors,
    next: impl Future<Output = T>,
) -> T {
    let mut next = pin!(next);
    loop {
        let wanted = tokio::select! {
            biased;
            next = &mut next => return next,
            wanted = descriptors.wanted_types() => wanted,
        };
        let (loaded, absent) = loader.look_up(&wanted).await;
        if let Some(loaded) = loaded {
            descriptors.replace(loaded.services);
        }
        descriptors.looked_up(&wanted, &absent);
    }
}

/// How long strangers who ask for methods that are not there have to wait until upstreams are asked for them: longer each
/// time that it was in vain.
#[derive(Debug, Default)]
struct Patience {
    in_vain: u32,
    /// Whether such a call made the present attempt.
    by_call: bool,
}

impl Patience {
    fn loaded(&mut self, changed: bool) {
        if changed {
            self.in_vain = 0;
        } else if self.by_call {
            self.in_vain = self.in_vain.saturating_add(1);
        }
    }

    fn rest(&self) -> Duration {
        MIN_AGE.saturating_mul(2_u32.saturating_pow(self.in_vain.min(16))).min(MAX_REST)
    }
}

/// Waits for a call of a method that is not there, and for the time from which such a call counts.
async fn unknown_method(descriptors: &Descriptors, earliest: Instant) {
    sleep_until(earliest).await;
    descriptors.requested().await;
}

async fn by_time(interval: Option<Duration>) {
    match interval {
        Some(interval) => sleep(jittered(interval)).await,
        None => std::future::pending().await,
    }
}

/// What came of an attempt.
struct Outcome {
    /// Whether another attempt is no help.
    complete: bool,
    changed: bool,
}

async fn attempt<S: GrpcUpstream>(
    loader: &mut Loader<S>,
    asked: Asked,
    descriptors: &Descriptors,
    trigger: &Trigger,
    told: &mut HashSet<String>,
) -> Outcome {
    let wanted = trigger.asked.swap(false, Ordering::Relaxed);
    match loader.load_changes(asked).await {
        Ok(changes) => {
            tell(&changes.failed, told);
            let changed = changes.loaded.is_some();
            if wanted && !changed {
                tracing::info!("the descriptors are as they were");
            }
            changes.loaded.into_iter().for_each(|loaded| publish(loaded, descriptors));
            descriptors.forget_absent_types();
            Outcome { complete: changes.complete, changed }
        }
        Err(error) => {
            tell(std::slice::from_ref(&error), told);
            // The same descriptors would be as bad.
            Outcome { complete: matches!(error, DescriptorError::Services(_)), changed: false }
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
    // Why there are none has been told.
    if services > 0 {
        tracing::info!(services, methods, "descriptors are loaded");
    }
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
        if matches!(error, DescriptorError::NoReflection { .. }) {
            if !told.contains(&text) {
                tracing::warn!("{text}; until then its methods are for grpcws.v1.proto and gRPC alone");
            }
        } else if told.contains(&text) {
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
