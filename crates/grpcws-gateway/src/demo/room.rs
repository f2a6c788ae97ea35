//! The games that are being played, and who listens to them.
//!
//! Memory is bounded: at most [`MAX_GAMES`] games, [`MAX_STREAMS`] streams a game, and [`EVENT_BUFFER`] events that a
//! game keeps for its slower subscribers. One that falls further behind gets a snapshot instead.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use futures_core::Stream as _;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::board::Board;
use super::command::{Command, Deed, check_game_id, check_player_id};
use super::error::GameError;
use super::game::{Game, Outcome};
use super::proto::{GameEvent, GameSnapshot, RejectionReason};

/// Games at the same time. Worst case about 150 KiB each.
const MAX_GAMES: usize = 256;
/// Streams that watch one game at the same time.
const MAX_STREAMS: usize = 4096;
/// Events that a subscriber can be behind.
pub(crate) const EVENT_BUFFER: usize = 128;
/// How long a game stays that nobody plays or watches.
const IDLE_LIMIT: Duration = Duration::from_secs(600);

/// All games. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rooms {
    rooms: Arc<Mutex<HashMap<String, Arc<Room>>>>,
}

impl Rooms {
    /// The game with this id, if it exists.
    pub(crate) fn find(&self, game_id: &str) -> Result<Arc<Room>, GameError> {
        check_game_id(game_id)?;
        lock(&self.rooms).get(game_id).cloned().ok_or(GameError::NotFound)
    }

    /// The game with this id; it begins if it does not exist.
    pub(crate) fn enter(&self, game_id: &str, now: SystemTime) -> Result<Arc<Room>, GameError> {
        check_game_id(game_id)?;
        let mut rooms = lock(&self.rooms);
        if let Some(room) = rooms.get(game_id) {
            return Ok(Arc::clone(room));
        }
        rooms.retain(|_, room| room.is_used() || room.idle_for(now) <= IDLE_LIMIT);
        if rooms.len() >= MAX_GAMES {
            let unused = rooms.iter().filter(|(_, room)| !room.is_used());
            let (longest_idle, _) =
                unused.max_by_key(|(_, room)| room.idle_for(now)).ok_or(GameError::TooManyGames)?;
            let longest_idle = longest_idle.clone();
            rooms.remove(&longest_idle);
        }
        let room = Arc::new(Room::new(game_id.to_owned(), now));
        rooms.insert(game_id.to_owned(), Arc::clone(&room));
        Ok(room)
    }
}

/// One game and its subscribers.
#[derive(Debug)]
pub(crate) struct Room {
    state: Mutex<RoomState>,
    /// Events are sent while the state is locked, so that they are in the order of their versions.
    events: broadcast::Sender<Arc<GameEvent>>,
}

#[derive(Debug)]
struct RoomState {
    game: Game,
    used_at: SystemTime,
    streams: usize,
}

/// What came of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was done, and everyone who listens was told.
    Applied,
    /// A rule of the game was in the way.
    Rejected(RejectionReason),
}

impl Room {
    fn new(game_id: String, now: SystemTime) -> Self {
        let game = Game::new(game_id, Board::unforeseeable(), now);
        Self {
            state: Mutex::new(RoomState { game, used_at: now, streams: 0 }),
            events: broadcast::Sender::new(EVENT_BUFFER),
        }
    }

    /// Does what a player wants, and tells everyone.
    pub(crate) fn apply(
        &self,
        player_id: &str,
        command: Command,
        now: SystemTime,
    ) -> Result<Answer, GameError> {
        let mut state = self.refresh(now);
        match state.game.apply(player_id, command, now)? {
            Outcome::Applied(events) => {
                self.publish(events);
                Ok(Answer::Applied)
            }
            Outcome::Rejected(reason) => Ok(Answer::Rejected(reason)),
        }
    }

    /// As [`Room::apply`], but a player who is not on the board joins first.
    pub(crate) fn join_and_apply(
        &self,
        player_id: &str,
        command: Command,
        now: SystemTime,
    ) -> Result<Answer, GameError> {
        let comes_or_goes = matches!(command.deed, Deed::Join { .. } | Deed::Leave);
        if !comes_or_goes && !lock(&self.state).game.has_player(player_id) {
            let join = Command { sequence: 0, deed: Deed::Join { name: None, color: None } };
            self.apply(player_id, join, now)?;
        }
        self.apply(player_id, command, now)
    }

    /// The whole state.
    pub(crate) fn snapshot(&self, now: SystemTime) -> GameSnapshot {
        self.refresh(now).game.snapshot()
    }

    /// The version of the last event.
    pub(crate) fn version(&self) -> i64 {
        lock(&self.state).game.version()
    }

    /// The player's points.
    pub(crate) fn points_of(&self, player_id: &str) -> i32 {
        lock(&self.state).game.points_of(player_id)
    }

    /// Listens to the game; an empty player id is a spectator.
    pub(crate) fn subscribe(
        self: Arc<Self>,
        player_id: &str,
        now: SystemTime,
    ) -> Result<Subscription, GameError> {
        if !player_id.is_empty() {
            check_player_id(player_id)?;
        }
        let mut state = self.refresh(now);
        if state.streams >= MAX_STREAMS {
            return Err(GameError::TooManyStreams);
        }
        state.streams += 1;
        if !player_id.is_empty() {
            self.publish(state.game.stream_began(player_id, now));
        }
        let snapshot = Box::new(state.game.snapshot_event(now));
        // Under the same lock as the snapshot: what this receiver gets is exactly what the snapshot does not tell.
        let events = BroadcastStream::new(self.events.subscribe());
        drop(state);
        Ok(Subscription {
            room: self,
            player_id: player_id.to_owned(),
            events,
            version: 0,
            snapshot: Some(snapshot),
        })
    }

    /// Locks the state after those have been removed who have been away for too long.
    fn refresh(&self, now: SystemTime) -> MutexGuard<'_, RoomState> {
        let mut state = lock(&self.state);
        state.used_at = now;
        self.publish(state.game.expire(now));
        state
    }

    fn publish(&self, events: impl IntoIterator<Item = GameEvent>) {
        for event in events {
            // Nobody listens: nobody needs to be told.
            let _ = self.events.send(Arc::new(event));
        }
    }

    /// Whether a stream or a call holds this room. Only asked under the lock of the map that every holder gets it from.
    fn is_used(self: &Arc<Self>) -> bool {
        Arc::strong_count(self) > 1
    }

    fn idle_for(&self, now: SystemTime) -> Duration {
        now.duration_since(lock(&self.state).used_at).unwrap_or_default()
    }
}

/// The events of one game, for one stream.
///
/// A snapshot comes first, then every event once, in order. Where the subscriber was too slow, a snapshot stands in for
/// what it has missed. While it lives, its player is online.
#[derive(Debug)]
pub(crate) struct Subscription {
    room: Arc<Room>,
    player_id: String,
    events: BroadcastStream<Arc<GameEvent>>,
    /// The version that the stream has told of.
    version: i64,
    /// The snapshot that the stream begins with, until it is taken.
    snapshot: Option<Box<GameEvent>>,
}

impl Subscription {
    /// The next event. A game does not end, so neither does this.
    pub(crate) fn poll_event(&mut self, context: &mut Context<'_>) -> Poll<GameEvent> {
        let event = match self.snapshot.take() {
            Some(snapshot) => *snapshot,
            None => match ready!(Pin::new(&mut self.events).poll_next(context)) {
                Some(Ok(event)) => GameEvent::clone(&event),
                Some(Err(BroadcastStreamRecvError::Lagged(_))) => self.catch_up(),
                // The room holds the sender, and this holds the room.
                None => return Poll::Pending,
            },
        };
        self.version = event.version;
        Poll::Ready(event)
    }

    /// Gives up what was missed: the snapshot, and from now on what happens after it.
    fn catch_up(&mut self) -> GameEvent {
        let state = lock(&self.room.state);
        self.events = BroadcastStream::new(self.room.events.subscribe());
        state.game.snapshot_event(SystemTime::now())
    }

    /// The game that this listens to.
    pub(crate) fn room(&self) -> &Room {
        &self.room
    }

    /// Whether the stream has told of everything up to a version.
    pub(crate) fn has_told(&self, version: i64) -> bool {
        self.snapshot.is_none() && self.version >= version
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let now = SystemTime::now();
        let mut state = lock(&self.room.state);
        state.used_at = now;
        state.streams = state.streams.saturating_sub(1);
        let event = state.game.stream_ended(&self.player_id, now);
        self.room.publish(event);
    }
}

/// The state stays whole between calls, so a panic elsewhere is no reason to stop the game.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::demo::proto::game_event::Event;

    fn say(text: &str) -> Command {
        Command { sequence: 0, deed: Deed::Say(text.to_owned()) }
    }

    fn time(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    async fn next(subscription: &mut Subscription) -> GameEvent {
        poll_fn(|context| subscription.poll_event(context)).await
    }

    #[tokio::test]
    async fn a_subscriber_gets_a_snapshot_and_then_each_event_once() {
        let rooms = Rooms::default();
        let now = SystemTime::now();
        let room = rooms.enter("lobby", now).unwrap();
        room.join_and_apply("p1", say("before"), now).unwrap();
        let mut subscription = Arc::clone(&room).subscribe("", now).unwrap();
        room.apply("p1", say("between"), now).unwrap();
        let first = next(&mut subscription).await;
        assert_eq!(first.version, 2);
        let Some(Event::Snapshot(snapshot)) = first.event else { panic!("{first:?}") };
        assert_eq!(snapshot.recent_chat.len(), 1, "the snapshot is of the moment of the subscription");
        assert_eq!(next(&mut subscription).await.version, 3);
        room.apply("p1", say("after"), now).unwrap();
        assert_eq!(next(&mut subscription).await.version, 4);
    }

    #[tokio::test]
    async fn a_subscriber_who_lags_gets_a_snapshot_and_no_gap() {
        let rooms = Rooms::default();
        let now = SystemTime::now();
        let room = rooms.enter("lobby", now).unwrap();
        let mut subscription = Arc::clone(&room).subscribe("", now).unwrap();
        next(&mut subscription).await;
        for number in 0..EVENT_BUFFER * 3 {
            room.join_and_apply("p1", say(&number.to_string()), now).unwrap();
        }
        let event = next(&mut subscription).await;
        assert!(matches!(event.event, Some(Event::Snapshot(_))), "{event:?}");
        assert_eq!(event.version, room.version());
        room.apply("p1", say("last"), now).unwrap();
        let event = next(&mut subscription).await;
        assert!(matches!(&event.event, Some(Event::Chat(chat)) if chat.text == "last"), "{event:?}");
        assert_eq!(event.version, room.version());
    }

    #[tokio::test]
    async fn dropping_the_last_stream_of_a_player_is_told() {
        let rooms = Rooms::default();
        let now = SystemTime::now();
        let room = rooms.enter("lobby", now).unwrap();
        let mut spectator = Arc::clone(&room).subscribe("", now).unwrap();
        next(&mut spectator).await;
        let player = Arc::clone(&room).subscribe("p1", now).unwrap();
        room.join_and_apply("p1", say("hi"), now).unwrap();
        drop(player);
        let mut last = None;
        while last.as_ref().is_none_or(|event: &GameEvent| event.version < room.version()) {
            last = Some(next(&mut spectator).await);
        }
        assert!(matches!(last.unwrap().event, Some(Event::PresenceChanged(_))));
    }

    #[test]
    fn games_that_nobody_uses_make_room() {
        let rooms = Rooms::default();
        let held = rooms.enter("held", time(0)).unwrap();
        for number in 1..MAX_GAMES {
            rooms.enter(&format!("game-{number}"), time(1)).unwrap();
        }
        assert_eq!(lock(&rooms.rooms).len(), MAX_GAMES);
        rooms.enter("one-more", time(2)).unwrap();
        assert_eq!(lock(&rooms.rooms).len(), MAX_GAMES, "the longest idle one went");
        rooms.enter("much-later", time(2000)).unwrap();
        let mut left: Vec<_> = lock(&rooms.rooms).keys().cloned().collect();
        left.sort();
        assert_eq!(left, ["held", "much-later"], "idle games go, one in use stays");
        drop(held);
    }

    #[test]
    fn games_in_use_are_bounded() {
        let rooms = Rooms::default();
        let held: Vec<_> =
            (0..MAX_GAMES).map(|number| rooms.enter(&format!("game-{number}"), time(0)).unwrap()).collect();
        assert_eq!(rooms.enter("one-more", time(9000)).err(), Some(GameError::TooManyGames));
        drop(held);
        assert!(rooms.enter("one-more", time(9000)).is_ok());
    }

    #[tokio::test]
    async fn streams_of_a_game_are_bounded() {
        let rooms = Rooms::default();
        let room = rooms.enter("lobby", time(0)).unwrap();
        let mut streams: Vec<_> =
            (0..MAX_STREAMS).map(|_| Arc::clone(&room).subscribe("", time(0)).unwrap()).collect();
        assert_eq!(Arc::clone(&room).subscribe("", time(0)).err(), Some(GameError::TooManyStreams));
        streams.pop();
        assert!(Arc::clone(&room).subscribe("", time(0)).is_ok());
    }
}
