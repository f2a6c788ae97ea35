//! The queue between the task of a socket and whoever reads the requests of its call.
//!
//! It has no limit of its own: the session stops the reading of the socket when what lies here has used up
//! the receive window. The reader tells what it took, so that a whole batch can lie ready: a tonic client
//! then sends it in one DATA frame, where one message at a time would be a frame each.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// How many bytes the reader takes, at most, before the writer is woken for them, if there is more to take.
///
/// It need not grow with the receive window: a smaller number is only more wake-ups than needed, and the writer is
/// busy with what the client sends in any case.
const WAKE_WRITER_AT: u64 = 8 * 1024;

#[derive(Debug)]
struct State<T> {
    messages: VecDeque<(T, u64)>,
    /// The cost of what was taken since the writer asked last.
    taken: u64,
    end: Option<End>,
    /// How many bytes the reader takes before the writer is woken for them, if there is more to take.
    wake_writer_at: u64,
    reader_is_gone: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// How the queue ends for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client has sent its last message.
    HalfClosed,
    /// The call is over; what lies here is of no use any more.
    Cancelled,
}

/// The writing half. Dropping it cancels, unless it was half-closed before.
#[derive(Debug)]
pub(crate) struct Writer<T>(Arc<Mutex<State<T>>>);

/// The reading half.
#[derive(Debug)]
pub(crate) struct Reader<T>(Arc<Mutex<State<T>>>);

/// A queue for a session with this initial receive window. The window is never smaller than that, so the writer is
/// woken in time for the grant at half of it; and whenever the queue is empty, which is when the window may grow.
pub(crate) fn queue<T>(receive_window: u64) -> (Writer<T>, Reader<T>) {
    let state = Arc::new(Mutex::new(State {
        messages: VecDeque::new(),
        taken: 0,
        end: None,
        wake_writer_at: WAKE_WRITER_AT.min(receive_window / 2),
        reader_is_gone: false,
        reader: None,
        writer: None,
    }));
    (Writer(Arc::clone(&state)), Reader(state))
}

/// No code of others runs under the lock, so a panic cannot leave the state half changed.
fn lock<T>(state: &Mutex<State<T>>) -> MutexGuard<'_, State<T>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

impl<T> Writer<T> {
    pub(crate) fn send(&self, message: T, cost: u64) {
        let mut state = lock(&self.0);
        if state.reader_is_gone {
            state.taken += cost;
            return;
        }
        state.messages.push_back((message, cost));
        let reader = state.reader.take();
        drop(state);
        wake(reader);
    }

    pub(crate) fn poll_taken(&self, cx: &mut Context<'_>) -> Poll<u64> {
        let mut state = lock(&self.0);
        if state.taken > 0 {
            return Poll::Ready(std::mem::take(&mut state.taken));
        }
        match &mut state.writer {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    pub(crate) fn end(&self, end: End) {
        let mut state = lock(&self.0);
        let end = *state.end.get_or_insert(end);
        let left = if end == End::Cancelled { std::mem::take(&mut state.messages) } else { VecDeque::new() };
        let reader = state.reader.take();
        drop(state);
        drop(left);
        wake(reader);
    }
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        self.end(End::Cancelled);
    }
}

impl<T> Reader<T> {
    /// The next message, or how the queue ended.
    pub(crate) fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Result<T, End>> {
        let mut state = lock(&self.0);
        let Some((message, cost)) = state.messages.pop_front() else {
            if let Some(end) = state.end {
                return Poll::Ready(Err(end));
            }
            match &mut state.reader {
                Some(waker) => waker.clone_from(cx.waker()),
                none => *none = Some(cx.waker().clone()),
            }
            return Poll::Pending;
        };
        state.taken += cost;
        let worth_a_wake = state.taken >= state.wake_writer_at || state.messages.is_empty();
        let writer = if worth_a_wake { state.writer.take() } else { None };
        drop(state);
        wake(writer);
        Poll::Ready(Ok(message))
    }
}

impl<T> Reader<T> {
    /// Whether the writer has half-closed and everything was taken.
    pub(crate) fn is_finished(&self) -> bool {
        let state = lock(&self.0);
        state.messages.is_empty() && state.end == Some(End::HalfClosed)
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        let mut state = lock(&self.0);
        state.reader_is_gone = true;
        let left = std::mem::take(&mut state.messages);
        state.taken += left.iter().map(|(_, cost)| cost).sum::<u64>();
        let writer = state.writer.take();
        drop(state);
        drop(left);
        wake(writer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn polled<T>(poll: impl FnOnce(&mut Context<'_>) -> Poll<T>) -> Option<T> {
        match poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    #[test]
    fn what_is_taken_is_told_once() {
        let (writer, reader) = queue(u64::MAX);
        writer.send('a', 3);
        writer.send('b', 4);
        assert_eq!(polled(|cx| writer.poll_taken(cx)), None);
        assert_eq!(polled(|cx| reader.poll_next(cx)), Some(Ok('a')));
        assert_eq!(polled(|cx| writer.poll_taken(cx)), Some(3));
        assert_eq!(polled(|cx| writer.poll_taken(cx)), None);
        drop(reader);
        assert_eq!(polled(|cx| writer.poll_taken(cx)), Some(4), "nobody will read it");
        writer.send('c', 5);
        assert_eq!(polled(|cx| writer.poll_taken(cx)), Some(5));
    }

    #[test]
    fn a_half_close_comes_behind_the_messages_and_a_cancel_in_front_of_them() {
        let (writer, reader) = queue(u64::MAX);
        writer.send('a', 1);
        writer.end(End::HalfClosed);
        drop(writer);
        assert_eq!(polled(|cx| reader.poll_next(cx)), Some(Ok('a')));
        assert_eq!(polled(|cx| reader.poll_next(cx)), Some(Err(End::HalfClosed)));

        let (writer, reader) = queue(u64::MAX);
        writer.send('a', 1);
        drop(writer);
        assert_eq!(polled(|cx| reader.poll_next(cx)), Some(Err(End::Cancelled)));
    }
}
