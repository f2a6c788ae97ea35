//! One game: seats, board, round, chat.
//!
//! There is no clock and no task in here: every change is a call with the time as an argument, and returns the events
//! that tell of it. Versions count the events.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, SystemTime};

use super::board::{Board, HEIGHT, Seat, WIDTH};
use super::command::{Command, Deed};
use super::error::GameError;
use super::proto::game_event::Event;
use super::proto::{
    Chat, Color, GameEvent, GameSnapshot, LeaveReason, Player, Position, Presence, PresenceChanged,
    RejectionReason, Territory,
};

/// Players that a game has room for: one for each color.
pub(crate) const SEATS: usize = 8;
/// Points that win a round.
pub(crate) const TARGET_POINTS: i32 = 120;
/// Points for a gem, on top of what it paints.
const GEM_POINTS: i32 = 5;
/// How long a player without a stream keeps the seat.
const AWAY_LIMIT: Duration = Duration::from_secs(60);
/// Messages that a snapshot repeats.
pub(super) const RECENT_CHAT: usize = 16;

/// The colors that a player can have.
pub(super) const COLORS: [Color; SEATS] = [
    Color::Red,
    Color::Orange,
    Color::Yellow,
    Color::Green,
    Color::Teal,
    Color::Blue,
    Color::Purple,
    Color::Pink,
];

/// The state of one game.
#[derive(Debug)]
pub(crate) struct Game {
    game_id: String,
    version: i64,
    started_at: SystemTime,
    pub(super) round: i32,
    pub(super) board: Board,
    pub(super) seats: [Option<Seated>; SEATS],
    /// Open streams by player id, of players on the board and others.
    pub(super) streams: HashMap<String, usize>,
    pub(super) chat: VecDeque<Chat>,
}

/// A player on the board.
#[derive(Debug)]
pub(super) struct Seated {
    pub(super) player_id: String,
    pub(super) name: String,
    pub(super) color: Color,
    pub(super) position: Position,
    pub(super) gems: i32,
    pub(super) wins: i32,
    /// Since when no stream of the player is open; `None` while one is.
    pub(super) away_since: Option<SystemTime>,
}

/// What came of a command.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was done; the events tell of it, in order.
    Applied(Vec<GameEvent>),
    /// A rule of the game was in the way.
    Rejected(RejectionReason),
}

/// Who caused an event.
#[derive(Clone, Copy)]
pub(super) struct Cause<'a> {
    pub(super) player_id: &'a str,
    pub(super) sequence: i64,
    pub(super) now: SystemTime,
}

impl Game {
    /// An empty game on the given board.
    pub(crate) fn new(game_id: String, mut board: Board, now: SystemTime) -> Self {
        board.clear(&[]);
        Self {
            game_id,
            version: 0,
            started_at: now,
            round: 1,
            board,
            seats: Default::default(),
            streams: HashMap::new(),
            chat: VecDeque::new(),
        }
    }

    /// The version of the last event.
    pub(crate) fn version(&self) -> i64 {
        self.version
    }

    /// Whether the player is on the board.
    pub(crate) fn has_player(&self, player_id: &str) -> bool {
        self.seat_of(player_id).is_some()
    }

    /// The player's points, 0 for one who is not on the board.
    pub(crate) fn points_of(&self, player_id: &str) -> i32 {
        self.seat_of(player_id).map_or(0, |seat| self.points(seat))
    }

    /// Does what a player wants.
    pub(crate) fn apply(
        &mut self,
        player_id: &str,
        command: Command,
        now: SystemTime,
    ) -> Result<Outcome, GameError> {
        let cause = Cause { player_id, sequence: command.sequence, now };
        if let Some(away_since) = self.player_mut(player_id).and_then(|player| player.away_since.as_mut()) {
            *away_since = now;
        }
        match command.deed {
            Deed::Join { name, color } => self.join(cause, name, color),
            Deed::Move(direction) => self.step(cause, direction),
            Deed::Say(text) => self.say(cause, text, None),
            Deed::Share(text, picture) => self.say(cause, text, Some(picture)),
            Deed::Leave => Ok(Outcome::Applied(match self.seat_of(player_id) {
                Some(seat) => vec![self.remove(seat, cause, LeaveReason::Left)],
                None => Vec::new(),
            })),
        }
    }

    /// A stream with this player id began.
    pub(crate) fn stream_began(&mut self, player_id: &str, now: SystemTime) -> Option<GameEvent> {
        let streams = self.streams.entry(player_id.to_owned()).or_default();
        *streams += 1;
        if *streams > 1 {
            return None;
        }
        self.player_mut(player_id)?.away_since = None;
        Some(self.presence_event(player_id, Presence::Online, now))
    }

    /// A stream with this player id ended.
    pub(crate) fn stream_ended(&mut self, player_id: &str, now: SystemTime) -> Option<GameEvent> {
        let streams = self.streams.get_mut(player_id)?;
        *streams = streams.saturating_sub(1);
        if *streams > 0 {
            return None;
        }
        self.streams.remove(player_id);
        self.player_mut(player_id)?.away_since = Some(now);
        Some(self.presence_event(player_id, Presence::Away, now))
    }

    /// Removes the players who have been away for too long.
    pub(crate) fn expire(&mut self, now: SystemTime) -> Vec<GameEvent> {
        let expired: Vec<(Seat, String)> = self
            .seated()
            .filter(|(_, player)| {
                player.away_since.and_then(|since| now.duration_since(since).ok()) > Some(AWAY_LIMIT)
            })
            .map(|(seat, player)| (seat, player.player_id.clone()))
            .collect();
        expired
            .into_iter()
            .map(|(seat, player_id)| {
                let cause = Cause { player_id: &player_id, sequence: 0, now };
                self.remove(seat, cause, LeaveReason::Expired)
            })
            .collect()
    }

    /// The whole state.
    pub(crate) fn snapshot(&self) -> GameSnapshot {
        let territory = self
            .seated()
            .map(|(seat, player)| (player.player_id.clone(), self.board.cells_of(seat).collect::<Vec<_>>()))
            .filter(|(_, cells)| !cells.is_empty())
            .map(|(player_id, cells)| (player_id, Territory { cells }))
            .collect();
        GameSnapshot {
            game_id: self.game_id.clone(),
            version: self.version,
            started_at: Some(self.started_at.into()),
            width: WIDTH,
            height: HEIGHT,
            target_points: TARGET_POINTS,
            round: self.round,
            players: self.seated().map(|(seat, player)| self.describe(seat, player)).collect(),
            territory,
            gems: self.board.gems().to_vec(),
            recent_chat: self.chat.iter().cloned().collect(),
        }
    }

    /// The whole state as the event that begins or mends a stream.
    pub(crate) fn snapshot_event(&self, now: SystemTime) -> GameEvent {
        GameEvent {
            game_id: self.game_id.clone(),
            version: self.version,
            time: Some(now.into()),
            player_id: String::new(),
            sequence: 0,
            event: Some(Event::Snapshot(self.snapshot())),
        }
    }

    // === Looking at the state ===

    pub(super) fn event(&mut self, cause: Cause<'_>, event: Event) -> GameEvent {
        self.version += 1;
        GameEvent {
            game_id: self.game_id.clone(),
            version: self.version,
            time: Some(cause.now.into()),
            player_id: cause.player_id.to_owned(),
            sequence: cause.sequence,
            event: Some(event),
        }
    }

    fn presence_event(&mut self, player_id: &str, presence: Presence, now: SystemTime) -> GameEvent {
        let changed = PresenceChanged { presence: presence.into() };
        self.event(Cause { player_id, sequence: 0, now }, Event::PresenceChanged(changed))
    }

    pub(super) fn points(&self, seat: Seat) -> i32 {
        let gems = self.seated().find(|(other, _)| *other == seat).map_or(0, |(_, player)| player.gems);
        let cells = i32::try_from(self.board.cells_of(seat).count()).unwrap_or(i32::MAX);
        cells.saturating_add(gems.saturating_mul(GEM_POINTS))
    }

    pub(super) fn describe(&self, seat: Seat, player: &Seated) -> Player {
        let presence = if player.away_since.is_some() { Presence::Away } else { Presence::Online };
        Player {
            player_id: player.player_id.clone(),
            name: player.name.clone(),
            color: player.color.into(),
            position: Some(player.position),
            points: self.points(seat),
            gems: player.gems,
            wins: player.wins,
            presence: presence.into(),
        }
    }

    pub(super) fn seated(&self) -> impl Iterator<Item = (Seat, &Seated)> {
        (0..).zip(&self.seats).filter_map(|(seat, player)| Some((seat, player.as_ref()?)))
    }

    pub(super) fn seat_of(&self, player_id: &str) -> Option<Seat> {
        self.seated().find(|(_, player)| player.player_id == player_id).map(|(seat, _)| seat)
    }

    pub(super) fn free_seat(&self) -> Option<Seat> {
        (0..).zip(&self.seats).find(|(_, player)| player.is_none()).map(|(seat, _)| seat)
    }

    pub(super) fn seat_mut(&mut self, seat: Seat) -> Option<&mut Seated> {
        self.seats.get_mut(usize::from(seat))?.as_mut()
    }

    pub(super) fn player_mut(&mut self, player_id: &str) -> Option<&mut Seated> {
        self.seats.iter_mut().flatten().find(|player| player.player_id == player_id)
    }

    pub(super) fn taken_positions(&self) -> Vec<Position> {
        self.seated().map(|(_, player)| player.position).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::demo::board;
    use crate::demo::proto::Direction;

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn game() -> Game {
        Game::new("lobby".into(), Board::new(1), START)
    }

    fn after(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    fn apply(game: &mut Game, player_id: &str, deed: Deed, now: SystemTime) -> Vec<GameEvent> {
        match game.apply(player_id, Command { sequence: 9, deed }, now).unwrap() {
            Outcome::Applied(events) => events,
            Outcome::Rejected(reason) => panic!("rejected: {reason:?}"),
        }
    }

    fn join(game: &mut Game, player_id: &str) -> Vec<GameEvent> {
        apply(game, player_id, Deed::Join { name: None, color: None }, START)
    }

    fn put(game: &mut Game, player_id: &str, x: i32, y: i32) {
        game.player_mut(player_id).unwrap().position = Position { x, y };
    }

    fn player(game: &Game, player_id: &str) -> Player {
        game.snapshot().players.into_iter().find(|player| player.player_id == player_id).unwrap()
    }

    /// A step that starts where no gem is in the way.
    fn paint_row(game: &mut Game, player_id: &str, y: i32) -> Vec<GameEvent> {
        put(game, player_id, 0, y);
        (1..WIDTH).flat_map(|_| apply(game, player_id, Deed::Move(Direction::Right), START)).collect()
    }

    #[test]
    fn versions_count_the_events_and_the_cause_comes_back() {
        let mut game = game();
        let mut events = join(&mut game, "p1");
        events.extend(paint_row(&mut game, "p1", 3));
        let versions: Vec<i64> = events.iter().map(|event| event.version).collect();
        let expected: Vec<i64> = (1..=i64::try_from(events.len()).unwrap()).collect();
        assert_eq!(versions, expected);
        assert_eq!(game.version(), *expected.last().unwrap());
        assert!(events.iter().all(|event| event.player_id == "p1" && event.sequence == 9));
    }

    #[test]
    fn a_step_paints_and_takes_cells_from_others() {
        let mut game = game();
        game.board = Board::new(1);
        join(&mut game, "p1");
        join(&mut game, "p2");
        put(&mut game, "p2", 9, 9);
        put(&mut game, "p1", 4, 4);
        let events = apply(&mut game, "p1", Deed::Move(Direction::Right), START);
        let [GameEvent { event: Some(Event::Moved(moved)), .. }] = events.as_slice() else {
            panic!("one move: {events:?}")
        };
        assert_eq!(moved.position, Some(Position { x: 5, y: 4 }));
        assert_eq!(moved.painted, [4 * WIDTH + 5]);
        assert_eq!(moved.points, BTreeMap::from([("p1".to_owned(), 1)]));

        apply(&mut game, "p1", Deed::Move(Direction::Up), START);
        put(&mut game, "p2", 4, 4);
        let events = apply(&mut game, "p2", Deed::Move(Direction::Right), START);
        let Some(Event::Moved(moved)) = events[0].event.clone() else { panic!("{events:?}") };
        assert_eq!(moved.points, BTreeMap::from([("p1".to_owned(), 1), ("p2".to_owned(), 1)]));
        assert_eq!(game.points_of("p1"), 1);
    }

    #[test]
    fn walls_and_players_who_are_online_are_in_the_way() {
        let mut game = game();
        join(&mut game, "p1");
        join(&mut game, "p2");
        put(&mut game, "p1", 0, 0);
        put(&mut game, "p2", 1, 0);
        let step = |direction, game: &mut Game| {
            let command = Command { sequence: 0, deed: Deed::Move(direction) };
            match game.apply("p1", command, START).unwrap() {
                Outcome::Applied(_) => None,
                Outcome::Rejected(reason) => Some(reason),
            }
        };
        let version = game.version();
        assert_eq!(step(Direction::Up, &mut game), Some(RejectionReason::Wall));
        game.stream_began("p2", START);
        assert_eq!(step(Direction::Right, &mut game), Some(RejectionReason::Occupied));
        assert_eq!(game.version(), version + 1, "only the presence is an event");
        game.stream_ended("p2", START);
        assert_eq!(step(Direction::Right, &mut game), None, "a player who is away does not block");
    }

    #[test]
    fn a_gem_paints_its_pattern_and_another_appears() {
        let mut game = game();
        join(&mut game, "p1");
        let gem = *game.board.gems().iter().find(|gem| gem.position.unwrap().x > 0).unwrap();
        let position = gem.position.unwrap();
        put(&mut game, "p1", position.x - 1, position.y);
        let events = apply(&mut game, "p1", Deed::Move(Direction::Right), START);
        let Some(Event::Scored(scored)) = events[1].event.clone() else { panic!("{events:?}") };
        assert_eq!(scored.gem, Some(gem));
        let pattern = i32::try_from(board::pattern(gem.kind(), position).len()).unwrap();
        assert_eq!(i32::try_from(scored.painted.len()).unwrap(), pattern - 1, "the step has painted one");
        assert_eq!(scored.points["p1"], pattern + GEM_POINTS);
        assert_eq!(game.board.gems().len(), board::GEMS);
        assert!(game.board.gems().contains(&scored.next_gem.unwrap()));
        assert_eq!(player(&game, "p1").gems, 1);
    }

    #[test]
    fn the_round_ends_at_the_target_and_the_next_begins_empty() {
        let mut game = game();
        join(&mut game, "p1");
        join(&mut game, "p2");
        put(&mut game, "p2", 15, 11);
        let mut won = None;
        for y in 0..HEIGHT {
            won = paint_row(&mut game, "p1", y).into_iter().find_map(|event| match event.event {
                Some(Event::RoundWon(won)) => Some(won),
                _ => None,
            });
            if won.is_some() {
                break;
            }
        }
        let won = won.expect("a whole board is more than the target");
        assert_eq!(won.round, 1);
        assert!(won.points >= TARGET_POINTS);
        assert_eq!(won.gems.len(), board::GEMS);
        let snapshot = game.snapshot();
        assert_eq!(snapshot.round, 2);
        assert_eq!(player(&game, "p1").wins, 1);
        assert_eq!(player(&game, "p2").wins, 0);
        assert!(game.points_of("p1") < WIDTH + 50, "only what came after");
    }

    #[test]
    fn colors_and_seats_are_unique() {
        let mut game = game();
        for number in 0..SEATS {
            let player_id = format!("p{number}");
            game.stream_began(&player_id, START);
            apply(&mut game, &player_id, Deed::Join { name: None, color: Some(Color::Blue) }, START);
        }
        let mut colors: Vec<i32> = game.snapshot().players.iter().map(|player| player.color).collect();
        assert_eq!(colors[0], Color::Blue as i32, "the first gets its wish");
        colors.sort_unstable();
        colors.dedup();
        assert_eq!(colors.len(), SEATS);

        let command = || Command { sequence: 0, deed: Deed::Join { name: None, color: None } };
        assert_eq!(game.apply("late", command(), START).err(), Some(GameError::GameFull));
        game.stream_ended("p5", after(1));
        game.stream_ended("p3", after(2));
        let events = apply(&mut game, "late", command().deed, after(3));
        assert_eq!(events[0].player_id, "p5", "away for longest");
        let Some(Event::Left(left)) = &events[0].event else { panic!("{events:?}") };
        assert_eq!(left.reason(), LeaveReason::Replaced);
        assert!(game.has_player("p3") && !game.has_player("p5") && game.has_player("late"));
    }

    #[test]
    fn joining_again_changes_name_and_color_and_keeps_the_rest() {
        let mut game = game();
        join(&mut game, "p1");
        paint_row(&mut game, "p1", 2);
        let before = player(&game, "p1");
        let deed = Deed::Join { name: Some("Ada".into()), color: Some(Color::Pink) };
        apply(&mut game, "p1", deed, START);
        let now = player(&game, "p1");
        assert_eq!((now.name.as_str(), now.color()), ("Ada", Color::Pink));
        assert_eq!((now.points, now.position), (before.points, before.position));
    }

    #[test]
    fn away_players_expire_and_players_with_a_stream_do_not() {
        let mut game = game();
        game.stream_began("online", START);
        join(&mut game, "online");
        join(&mut game, "away");
        paint_row(&mut game, "away", 2);
        assert!(game.expire(after(60)).is_empty());
        apply(&mut game, "away", Deed::Say("still here".into()), after(50));
        assert!(game.expire(after(110)).is_empty(), "a command counts as a sign of life");
        let events = game.expire(after(111));
        let Some(Event::Left(left)) = &events[0].event else { panic!("{events:?}") };
        assert_eq!(left.reason(), LeaveReason::Expired);
        assert_eq!(events.len(), 1);
        assert!(game.has_player("online"));
        assert!(!game.snapshot().territory.contains_key("away"));
    }

    #[test]
    fn presence_follows_the_first_and_the_last_stream() {
        let mut game = game();
        join(&mut game, "p1");
        assert_eq!(player(&game, "p1").presence(), Presence::Away);
        assert!(game.stream_began("p1", START).is_some());
        assert!(game.stream_began("p1", START).is_none());
        assert_eq!(player(&game, "p1").presence(), Presence::Online);
        assert!(game.stream_ended("p1", START).is_none());
        assert!(game.stream_ended("p1", START).is_some());
        assert_eq!(player(&game, "p1").presence(), Presence::Away);
        assert!(game.streams.is_empty(), "nothing is kept for streams that are gone");
    }

    #[test]
    fn the_chat_is_bounded() {
        let mut game = game();
        join(&mut game, "p1");
        for number in 0..50 {
            apply(&mut game, "p1", Deed::Say(number.to_string()), START);
        }
        let chat = game.snapshot().recent_chat;
        assert_eq!(chat.len(), RECENT_CHAT);
        assert_eq!(chat[0].text, "34");
    }

    #[test]
    fn whoever_is_not_on_the_board_can_do_nothing() {
        let mut game = game();
        let mut refused = |deed| game.apply("p1", Command { sequence: 0, deed }, START).err();
        assert_eq!(refused(Deed::Move(Direction::Up)), Some(GameError::NotJoined));
        assert_eq!(refused(Deed::Say("hi".into())), Some(GameError::NotJoined));
        join(&mut game, "p1");
        apply(&mut game, "p1", Deed::Leave, START);
        assert!(!game.has_player("p1"));
    }
}
