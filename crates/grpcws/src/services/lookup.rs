//! Types that messages have and the descriptors lack: who meets one asks for it, and who loads the descriptors answers.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use grpcws_json::MissingType;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// How long a message waits for the types that it needs; then it is treated as one whose types are not known.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it is remembered that a type is not there.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// How many types that are not there are remembered for each [`Side`]. Beyond them nothing is asked, so it is also how
/// many questions clients can cause in the time that they are remembered.
const MOST_REMEMBERED: usize = 1_024;

/// Who has met a type. Clients can make names up, so what they ask for is counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Client,
    Upstream,
}

/// A type, or an extension, that a message of a service has and the descriptors lack.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct WantedType {
    /// The full name of the service.
    pub service: String,
    /// What is missing.
    pub missing: MissingType,
}

/// What is asked for, and what was not there.
#[derive(Default)]
pub(super) struct Lookups {
    enabled: AtomicBool,
    state: Mutex<State>,
    /// Something is queued.
    queued: Notify,
    /// Counts the answers.
    answers: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    queue: Vec<WantedType>,
    known: HashMap<WantedType, Known>,
}

struct Known {
    side: Side,
    /// When it was found not to be there; none while that is asked.
    absent_since: Option<Instant>,
}

impl Lookups {
    pub(super) fn enable(&self) {
        self.enabled.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Relaxed)
    }

    /// Asks for what is not known to be absent. Returns what is to be waited for.
    pub(super) fn ask(&self, wanted: impl IntoIterator<Item = WantedType>, side: Side) -> Vec<WantedType> {
        if !self.is_enabled() {
            return Vec::new();
        }
        let now = Instant::now();
        let mut state = self.lock();
        let mut awaited = Vec::new();
        for wanted in wanted {
            if state.ask(&wanted, side, now) {
                awaited.push(wanted);
            }
        }
        if !state.queue.is_empty() {
            self.queued.notify_one();
        }
        awaited
    }

    /// Waits until all of these are answered, though not for ever; tells whether they are.
    pub(super) async fn answered(&self, awaited: &[WantedType]) -> bool {
        let mut answers = self.answers.subscribe();
        let all = answers.wait_for(|_| {
            let state = self.lock();
            let open = |wanted| state.known.get(wanted).is_some_and(|known| known.absent_since.is_none());
            !awaited.iter().any(open)
        });
        let answered = tokio::time::timeout(PATIENCE, all).await.is_ok();
        if !answered {
            tracing::debug!(?awaited, "the upstream does not say in time whether it has a type");
        }
        answered
    }

    /// What is asked for, as soon as it is something.
    pub(super) async fn wanted(&self) -> Vec<WantedType> {
        loop {
            let queue = std::mem::take(&mut self.lock().queue);
            if !queue.is_empty() {
                return queue;
            }
            self.queued.notified().await;
        }
    }

    /// Notes the answers, of which these were that the type is not there.
    pub(super) fn answer(&self, asked: &[WantedType], absent: &[WantedType]) {
        let now = Instant::now();
        let mut state = self.lock();
        for wanted in asked {
            if !absent.contains(wanted) {
                state.known.remove(wanted);
            } else if let Some(known) = state.known.get_mut(wanted) {
                known.absent_since = Some(now);
            }
        }
        drop(state);
        self.answers.send_modify(|answers| *answers = answers.wrapping_add(1));
    }

    /// Forgets what was not there: the upstream may be another one by now.
    pub(super) fn forget(&self) {
        self.lock().known.retain(|_, known| known.absent_since.is_none());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the answer is to be waited for.
    fn ask(&mut self, wanted: &WantedType, side: Side, now: Instant) -> bool {
        if !self.known.contains_key(wanted) && self.count(side) >= MOST_REMEMBERED {
            self.known.retain(|_, known| !known.is_outdated(now));
            if self.count(side) >= MOST_REMEMBERED {
                return false;
            }
        }
        match self.known.entry(wanted.clone()) {
            Entry::Occupied(entry) if entry.get().absent_since.is_none() => true,
            Entry::Occupied(entry) if !entry.get().is_outdated(now) => false,
            Entry::Occupied(mut entry) => {
                entry.get_mut().absent_since = None;
                self.queue.push(wanted.clone());
                true
            }
            Entry::Vacant(entry) => {
                entry.insert(Known { side, absent_since: None });
                self.queue.push(wanted.clone());
                true
            }
        }
    }

    fn count(&self, side: Side) -> usize {
        self.known.values().filter(|known| known.side == side).count()
    }
}

impl Known {
    fn is_outdated(&self, now: Instant) -> bool {
        self.absent_since.is_some_and(|since| now >= since + REMEMBERED)
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookups").field("enabled", &self.is_enabled()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str) -> WantedType {
        WantedType { service: "a.S".to_owned(), missing: MissingType::Symbol(name.to_owned()) }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_not_there_is_asked_once_until_it_is_forgotten() {
        let lookups = Lookups::default();
        assert!(lookups.ask([wanted("a.A")], Side::Upstream).is_empty(), "nobody would answer");
        lookups.enable();
        assert_eq!(lookups.ask([wanted("a.A")], Side::Upstream), [wanted("a.A")]);
        assert_eq!(lookups.ask([wanted("a.A")], Side::Client), [wanted("a.A")], "it is under way");
        assert_eq!(lookups.wanted().await, [wanted("a.A")]);
        lookups.answer(&[wanted("a.A")], &[wanted("a.A")]);
        lookups.answered(&[wanted("a.A")]).await;
        assert!(lookups.ask([wanted("a.A")], Side::Upstream).is_empty());
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(lookups.ask([wanted("a.A")], Side::Upstream), [wanted("a.A")]);
        lookups.answer(&[wanted("a.A")], &[wanted("a.A")]);
        lookups.forget();
        assert_eq!(lookups.ask([wanted("a.A")], Side::Upstream), [wanted("a.A")]);
    }

    #[tokio::test(start_paused = true)]
    async fn names_that_clients_make_up_keep_nobody_else_from_asking() {
        let lookups = Lookups::default();
        lookups.enable();
        for number in 0..MOST_REMEMBERED {
            assert_eq!(lookups.ask([wanted(&format!("a.A{number}"))], Side::Client).len(), 1);
        }
        assert!(lookups.ask([wanted("a.More")], Side::Client).is_empty());
        assert_eq!(lookups.ask([wanted("a.More")], Side::Upstream).len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
        let lookups = Lookups::default();
        lookups.enable();
        let awaited = lookups.ask([wanted("a.A")], Side::Upstream);
        let began = Instant::now();
        lookups.answered(&awaited).await;
        assert_eq!(began.elapsed().as_secs(), PATIENCE.as_secs());
    }
}
