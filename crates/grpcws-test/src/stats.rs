//! How many calls there are, and how the others ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use prost_types::Timestamp;
use tonic::{Code, Status};

use crate::pb::call::Outcome;
use crate::pb::{Call, StatsResponse};

/// The number of ended calls that are remembered unless another one is asked for.
const REMEMBERED: usize = 1_024;

/// The books of one service.
#[derive(Debug)]
pub(crate) struct Stats {
    remembered: usize,
    books: Mutex<Books>,
}

impl Default for Stats {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

#[derive(Debug, Default)]
struct Books {
    totals: StatsResponse,
    live: BTreeMap<i64, Call>,
    ended: VecDeque<Call>,
    /// How many calls have ended.
    ends: i64,
}

impl Stats {
    /// Books that remember this many ended calls.
    pub(crate) fn remembering(remembered: usize) -> Self {
        Self { remembered: remembered.max(1), books: Mutex::default() }
    }

    /// Enters a call that has arrived.
    pub(crate) fn begin(self: &Arc<Self>, method: &str) -> CallGuard {
        let now = Some(Timestamp::from(SystemTime::now()));
        let mut books = self.books();
        books.totals.started += 1;
        books.totals.last_started_at = now;
        let id = books.totals.started;
        let call = Call { id, method: method.to_owned(), started_at: now, ..Default::default() };
        books.live.insert(id, call);
        CallGuard { stats: Arc::clone(self), id, outcome: Outcome::Cancelled, received: 0, sent: 0, gaps: 0 }
    }

    /// Counts every call, or those with the tag, and lists the newest of those behind the end `after`.
    pub(crate) fn read(&self, tag: &str, recent: usize, after: i64) -> StatsResponse {
        let books = self.books();
        let mut answer = match tag {
            "" => StatsResponse {
                live: i64::try_from(books.live.len()).unwrap_or(i64::MAX),
                ..books.totals.clone()
            },
            tag => books.count(tag),
        };
        let tagged = |call: &&Call| tag.is_empty() || call.tag == tag;
        let newer = books.ended.iter().rev().take_while(|call| call.end > after);
        answer.recent = newer.filter(tagged).take(recent).cloned().collect();
        answer
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // Every change is complete before anything can panic.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn count(&self, tag: &str) -> StatsResponse {
        let mut answer = StatsResponse::default();
        for call in self.live.values().filter(|call| call.tag == tag) {
            answer.live += 1;
            answer.started += 1;
            answer.last_started_at = call.started_at;
        }
        for call in self.ended.iter().filter(|call| call.tag == tag) {
            answer.started += 1;
            answer.enter_end(call);
        }
        answer
    }
}

impl StatsResponse {
    fn enter_end(&mut self, call: &Call) {
        match call.outcome() {
            Outcome::Completed => {
                self.completed += 1;
                self.last_completed_at = call.ended_at;
            }
            Outcome::Failed => self.failed += 1,
            Outcome::Cancelled | Outcome::Unspecified => {
                self.cancelled += 1;
                self.last_cancelled_at = call.ended_at;
            }
        }
    }
}

/// One live call. Where it is dropped before [`CallGuard::end`], the client has ended it.
#[derive(Debug)]
pub(crate) struct CallGuard {
    stats: Arc<Stats>,
    id: i64,
    outcome: Outcome,
    pub(crate) received: i64,
    pub(crate) sent: i64,
    /// How often the requests were not in sequence.
    pub(crate) gaps: i64,
}

impl CallGuard {
    /// Labels the call.
    pub(crate) fn tag(&self, tag: &str) {
        if tag.is_empty() {
            return;
        }
        if let Some(call) = self.stats.books().live.get_mut(&self.id) {
            tag.clone_into(&mut call.tag);
        }
    }

    /// Notes that the service itself ends the call, with this status or with OK.
    pub(crate) fn end(&mut self, status: Option<&Status>) {
        self.outcome = match status {
            Some(status) if status.code() != Code::Ok => Outcome::Failed,
            _ => Outcome::Completed,
        };
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let mut books = self.stats.books();
        let Some(mut call) = books.live.remove(&self.id) else {
            return;
        };
        call.ended_at = Some(Timestamp::from(SystemTime::now()));
        call.set_outcome(self.outcome);
        call.received = self.received;
        call.sent = self.sent;
        call.gaps = self.gaps;
        books.ends += 1;
        call.end = books.ends;
        books.totals.enter_end(&call);
        if books.ended.len() >= self.stats.remembered {
            books.ended.pop_front();
        }
        books.ended.push_back(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_is_counted_once() {
        let stats = Arc::new(Stats::default());
        let mut completed = stats.begin("Unary");
        completed.end(None);
        let mut failed = stats.begin("Unary");
        failed.end(Some(&Status::not_found("")));
        let cancelled = stats.begin("Bidi");
        cancelled.tag("mine");
        let live = stats.begin("Bidi");
        assert_eq!(stats.read("", 0, 0).live, 4);
        drop((completed, failed, cancelled));

        let read = stats.read("", 2, 0);
        assert_eq!((read.live, read.started, read.completed, read.failed, read.cancelled), (1, 4, 1, 1, 1));
        assert!(read.last_cancelled_at.is_some());
        assert_eq!(read.recent.len(), 2);
        assert_eq!(read.recent[0].outcome(), Outcome::Cancelled);

        let mine = stats.read("mine", 9, 0);
        assert_eq!((mine.live, mine.started, mine.cancelled, mine.recent.len()), (0, 1, 1, 1));
        drop(live);

        let newer = stats.read("", 9, 1).recent;
        assert_eq!(newer.iter().map(|call| call.end).collect::<Vec<_>>(), [4, 3, 2]);
    }

    #[test]
    fn the_memory_of_ended_calls_is_bounded() {
        let stats = Arc::new(Stats::default());
        for _ in 0..REMEMBERED + 10 {
            drop(stats.begin("Unary"));
        }
        assert_eq!(stats.read("", usize::MAX, 0).recent.len(), REMEMBERED);
        assert_eq!(stats.read("", 0, 0).cancelled, 1_034);
    }
}
