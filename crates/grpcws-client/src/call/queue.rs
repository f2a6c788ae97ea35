//! The queue between the task of a call and its application.
//!
//! It has no limit of its own. The task bounds what lies here: by the credit that the gateway was given, or by not
//! reading the socket.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::HeaderMap;

use crate::{Code, Status};

/// What an application gets of a call, in this order: at most one `Headers`, any number of `Message`, one `End`.
#[derive(Debug)]
pub(crate) enum Item {
    Headers(HeaderMap),
    Message { payload: Bytes, cost: u64 },
    End(Status),
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Item>,
    /// The cost of the messages that lie here.
    held: u64,
    /// The cost of what was taken since the task asked last.
    taken: u64,
    ended: bool,
    wish: Wish,
    application: Option<Waker>,
    task: Option<Waker>,
}

/// What the application wants of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Wish {
    #[default]
    GoOn,
    /// To be cancelled, and to hear how it ended.
    Cancel,
    /// To be cancelled; nobody listens any more.
    Drop,
}

/// The task's half. Dropping it before the end is an end as well.
#[derive(Debug)]
pub(crate) struct Deliveries(Arc<Mutex<State>>);

/// The application's half. Dropping it cancels the call.
#[derive(Debug)]
pub(crate) struct Responses(Arc<Mutex<State>>);

/// Cancels a call from elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Canceller(Arc<Mutex<State>>);

pub(crate) fn queue() -> (Deliveries, Responses) {
    let state = Arc::new(Mutex::new(State::default()));
    (Deliveries(Arc::clone(&state)), Responses(state))
}

/// No code of others runs under the lock, so a panic cannot leave the state half changed.
fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn register(slot: &mut Option<Waker>, cx: &Context<'_>) {
    match slot {
        Some(waker) => waker.clone_from(cx.waker()),
        none => *none = Some(cx.waker().clone()),
    }
}

/// Raises the wish, which never goes back.
fn wish(state: &Mutex<State>, wish: Wish) {
    let mut state = lock(state);
    state.wish = state.wish.max(wish);
    let task = state.task.take();
    drop(state);
    wake(task);
}

impl Deliveries {
    /// Delivers, unless the call has ended or nobody listens.
    pub(crate) fn push(&self, item: Item) {
        let mut state = lock(&self.0);
        if state.ended || state.wish == Wish::Drop {
            return;
        }
        match &item {
            Item::Message { cost, .. } => state.held += cost,
            Item::End(_) => state.ended = true,
            Item::Headers(_) => {}
        }
        state.items.push_back(item);
        let application = state.application.take();
        drop(state);
        wake(application);
    }

    /// The cost of what was taken since the last call, and what the application wants; wakes the task for news.
    pub(crate) fn poll_wish(&self, cx: &Context<'_>) -> (u64, Wish) {
        let mut state = lock(&self.0);
        register(&mut state.task, cx);
        (std::mem::take(&mut state.taken), state.wish)
    }

    /// The cost of what lies ready.
    pub(crate) fn held(&self) -> u64 {
        lock(&self.0).held
    }

    /// Waits until the application wants the call to end.
    pub(crate) async fn cancelled(&self) {
        std::future::poll_fn(|cx| match self.poll_wish(cx) {
            (_, Wish::GoOn) => Poll::Pending,
            _ => Poll::Ready(()),
        })
        .await;
    }
}

impl Drop for Deliveries {
    fn drop(&mut self) {
        // The task was aborted with its runtime, or it panicked in the application's request body.
        self.push(Item::End(Status::new(Code::Internal, "the task of the call was dropped")));
    }
}

impl Responses {
    pub(crate) fn poll_next(&mut self, cx: &Context<'_>) -> Poll<Option<Item>> {
        let mut state = lock(&self.0);
        let Some(item) = state.items.pop_front() else {
            if state.ended {
                return Poll::Ready(None);
            }
            register(&mut state.application, cx);
            return Poll::Pending;
        };
        let mut task = None;
        if let Item::Message { cost, .. } = &item {
            state.held -= cost;
            state.taken += cost;
            task = state.task.take();
        }
        drop(state);
        wake(task);
        Poll::Ready(Some(item))
    }

    pub(crate) fn canceller(&self) -> Canceller {
        Canceller(Arc::clone(&self.0))
    }
}

impl Drop for Responses {
    fn drop(&mut self) {
        let left = std::mem::take(&mut lock(&self.0).items);
        drop(left);
        wish(&self.0, Wish::Drop);
    }
}

impl Canceller {
    pub(crate) fn cancel(&self) {
        wish(&self.0, Wish::Cancel);
    }

    /// Whether the task has told the end of the call.
    pub(crate) fn has_ended(&self) -> bool {
        lock(&self.0).ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(responses: &mut Responses) -> Poll<Option<Item>> {
        responses.poll_next(&Context::from_waker(Waker::noop()))
    }

    fn message(cost: u64) -> Item {
        Item::Message { payload: Bytes::new(), cost }
    }

    #[test]
    fn there_is_one_end_and_nothing_after_it() {
        let (deliveries, mut responses) = queue();
        deliveries.push(message(3));
        deliveries.push(Item::End(Status::ok()));
        deliveries.push(message(4));
        drop(deliveries);
        assert!(matches!(next(&mut responses), Poll::Ready(Some(Item::Message { cost: 3, .. }))));
        assert!(matches!(next(&mut responses), Poll::Ready(Some(Item::End(status))) if status.is_ok()));
        assert!(matches!(next(&mut responses), Poll::Ready(None)));
    }

    #[test]
    fn what_is_taken_is_told_once() {
        let (deliveries, mut responses) = queue();
        let cx = Context::from_waker(Waker::noop());
        deliveries.push(message(3));
        deliveries.push(message(4));
        assert_eq!((deliveries.held(), deliveries.poll_wish(&cx)), (7, (0, Wish::GoOn)));
        assert!(next(&mut responses).is_ready());
        assert_eq!((deliveries.held(), deliveries.poll_wish(&cx)), (4, (3, Wish::GoOn)));
        drop(responses);
        assert_eq!(deliveries.poll_wish(&cx), (0, Wish::Drop));
    }

    #[test]
    fn a_lost_task_is_an_end() {
        let (deliveries, mut responses) = queue();
        drop(deliveries);
        assert!(matches!(next(&mut responses), Poll::Ready(Some(Item::End(status))) if !status.is_ok()));
    }
}
