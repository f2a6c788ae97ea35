//! The streams that the service answers with.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::SystemTime;

use futures_core::Stream;
use tonic::Status;

use super::command::{Caller, Deed, IntoCommand as _};
use super::error::GameError;
use super::proto::game_update::Update;
use super::proto::{ActionRejected, GameEvent, GameUpdate, PlayerAction};
use super::room::{Answer, Rooms, Subscription};

/// The events of a game: the answer to `Subscribe`.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct EventStream {
    subscription: Subscription,
    /// Events that may still be sent; `None` without a limit.
    remaining: Option<i32>,
}

impl EventStream {
    pub(crate) fn new(subscription: Subscription, max_events: Option<i32>) -> Self {
        Self { subscription, remaining: max_events }
    }
}

impl Stream for EventStream {
    type Item = Result<GameEvent, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.remaining == Some(0) {
            return Poll::Ready(None);
        }
        this.subscription.poll_event(context).map(|event| {
            if let Some(remaining) = &mut this.remaining {
                *remaining -= 1;
            }
            Some(Ok(event))
        })
    }
}

/// A player's game: the answer to `SyncGame`.
///
/// Actions are taken and updates given in turn, so that neither a fast client nor a busy game shuts the other out. An
/// action is only taken when the updates before it have been taken, so a client that does not read is not read either.
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct UpdateStream<S> {
    rooms: Rooms,
    caller: Caller,
    actions: S,
    phase: Phase,
    /// Whether an action goes before an event when both are there.
    action_first: bool,
}

/// ```text
/// Waiting ──first action: join──▶ Playing ──half-close──▶ Finishing ──all told──▶ Ended
///    └────── half-close or an error, from anywhere ────────────────────────────────▲
/// ```
#[derive(Debug)]
enum Phase {
    /// The player is not known yet.
    Waiting,
    /// The player plays.
    Playing(Subscription),
    /// The client has half-closed; it is still told what has happened up to this version.
    Finishing(Subscription, i64),
    /// Nothing follows.
    Ended,
}

/// What became of an action.
enum Step {
    Applied,
    Rejected(ActionRejected),
    HalfClosed,
    Failed(Status),
}

impl<S> UpdateStream<S> {
    pub(crate) fn new(rooms: Rooms, caller: Caller, actions: S) -> Self {
        Self { rooms, caller, actions, phase: Phase::Waiting, action_first: true }
    }

    fn act(&mut self, action: PlayerAction) -> Result<Answer, GameError> {
        let now = SystemTime::now();
        let command = action.into_command(&mut self.caller)?;
        if matches!(self.phase, Phase::Waiting) {
            if !matches!(command.deed, Deed::Join { .. }) {
                return Err(GameError::NotJoined);
            }
            let room = self.rooms.enter(self.caller.game_id(), now)?;
            self.phase = Phase::Playing(room.subscribe(self.caller.player_id(), now)?);
        }
        match &self.phase {
            Phase::Playing(subscription) => subscription.room().apply(self.caller.player_id(), command, now),
            Phase::Waiting | Phase::Finishing(..) | Phase::Ended => Err(GameError::NotJoined),
        }
    }

    fn half_close(&mut self) {
        self.phase = match std::mem::replace(&mut self.phase, Phase::Ended) {
            Phase::Playing(subscription) => {
                let version = subscription.room().version();
                Phase::Finishing(subscription, version)
            }
            Phase::Waiting | Phase::Finishing(..) | Phase::Ended => Phase::Ended,
        };
    }
}

impl<S, E> UpdateStream<S>
where
    S: Stream<Item = Result<PlayerAction, E>> + Unpin,
    E: Into<Status>,
{
    fn poll_action(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        if matches!(self.phase, Phase::Finishing(..) | Phase::Ended) {
            return Poll::Pending;
        }
        Pin::new(&mut self.actions).poll_next(context).map(|action| match action {
            None => Step::HalfClosed,
            Some(Err(error)) => Step::Failed(error.into()),
            Some(Ok(action)) => {
                let sequence = action.sequence;
                match self.act(action) {
                    Ok(Answer::Applied) => Step::Applied,
                    Ok(Answer::Rejected(reason)) => {
                        Step::Rejected(ActionRejected { sequence, reason: reason.into() })
                    }
                    Err(error) => Step::Failed(error.into()),
                }
            }
        })
    }

    /// The next update, or `None` when the client has been told everything.
    fn poll_update(&mut self, context: &mut Context<'_>) -> Poll<Option<GameUpdate>> {
        match &mut self.phase {
            Phase::Waiting => Poll::Pending,
            Phase::Ended => Poll::Ready(None),
            Phase::Finishing(subscription, last) if subscription.has_told(*last) => {
                self.phase = Phase::Ended;
                Poll::Ready(None)
            }
            Phase::Playing(subscription) | Phase::Finishing(subscription, _) => subscription
                .poll_event(context)
                .map(|event| Some(GameUpdate { update: Some(Update::Event(event)) })),
        }
    }
}

impl<S, E> Stream for UpdateStream<S>
where
    S: Stream<Item = Result<PlayerAction, E>> + Unpin,
    E: Into<Status>,
{
    type Item = Result<GameUpdate, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if !this.action_first
                && let Poll::Ready(update) = this.poll_update(context)
            {
                this.action_first = true;
                return Poll::Ready(update.map(Ok));
            }
            match this.poll_action(context) {
                Poll::Ready(step) => {
                    this.action_first = false;
                    match step {
                        Step::Applied => {}
                        Step::Rejected(rejected) => {
                            let update = Some(Update::Rejected(rejected));
                            return Poll::Ready(Some(Ok(GameUpdate { update })));
                        }
                        Step::HalfClosed => this.half_close(),
                        Step::Failed(status) => {
                            this.phase = Phase::Ended;
                            return Poll::Ready(Some(Err(status)));
                        }
                    }
                }
                Poll::Pending if this.action_first => {
                    return this.poll_update(context).map(|update| update.map(Ok));
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
