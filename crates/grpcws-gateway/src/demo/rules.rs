//! What the rules make of what a player wants: the part of [`Game`] that changes the board.

use std::collections::BTreeMap;

use super::board::{self, Seat};
use super::command::default_name;
use super::error::GameError;
use super::game::{COLORS, Cause, Game, Outcome, RECENT_CHAT, Seated, TARGET_POINTS};
use super::proto::game_event::Event;
use super::proto::{
    Chat, Color, Direction, GameEvent, Joined, LeaveReason, Left, Moved, Picture, Position, RejectionReason,
    RoundWon, Scored,
};

impl Game {
    pub(super) fn join(
        &mut self,
        cause: Cause<'_>,
        name: Option<String>,
        color: Option<Color>,
    ) -> Result<Outcome, GameError> {
        let mut events = Vec::new();
        let seat = match self.seat_of(cause.player_id) {
            Some(seat) => seat,
            None => self.take_seat(cause, &mut events)?,
        };
        let free_color = color.filter(|wanted| self.seated().all(|(_, player)| player.color != *wanted));
        if let Some(player) = self.seat_mut(seat) {
            if let Some(name) = name {
                player.name = name;
            }
            if let Some(color) = free_color {
                player.color = color;
            }
        }
        let player = self.seated().find(|(other, _)| *other == seat);
        let player = player.map(|(seat, player)| self.describe(seat, player));
        events.push(self.event(cause, Event::Joined(Joined { player })));
        Ok(Outcome::Applied(events))
    }

    /// Seats a new player, if need be in the place of the one who has been away for longest.
    fn take_seat(&mut self, cause: Cause<'_>, events: &mut Vec<GameEvent>) -> Result<Seat, GameError> {
        if self.free_seat().is_none() {
            let away = self
                .seated()
                .filter_map(|(seat, player)| Some((player.away_since?, seat, &player.player_id)));
            let (_, seat, player_id) = away.min().ok_or(GameError::GameFull)?;
            let replaced = Cause { player_id: &player_id.clone(), sequence: 0, now: cause.now };
            events.push(self.remove(seat, replaced, LeaveReason::Replaced));
        }
        let seat = self.free_seat().ok_or(GameError::GameFull)?;
        let taken = self.taken_positions();
        let position = self.board.free_position(&taken);
        let free_color =
            COLORS.into_iter().find(|color| self.seated().all(|(_, other)| other.color != *color));
        let player = Seated {
            player_id: cause.player_id.to_owned(),
            name: default_name(cause.player_id),
            color: free_color.unwrap_or(Color::Red),
            position,
            gems: 0,
            wins: 0,
            away_since: (!self.streams.contains_key(cause.player_id)).then_some(cause.now),
        };
        if let Some(place) = self.seats.get_mut(usize::from(seat)) {
            *place = Some(player);
        }
        Ok(seat)
    }

    pub(super) fn step(&mut self, cause: Cause<'_>, direction: Direction) -> Result<Outcome, GameError> {
        let seat = self.seat_of(cause.player_id).ok_or(GameError::NotJoined)?;
        let player = self.player_mut(cause.player_id).ok_or(GameError::NotJoined)?;
        let Some(position) = board::step(player.position, direction) else {
            return Ok(Outcome::Rejected(RejectionReason::Wall));
        };
        // A player who is away must not block a corridor for those who play.
        let stands_there = |other: &Seated| other.position == position && other.away_since.is_none();
        if self.seated().any(|(other, player)| other != seat && stands_there(player)) {
            return Ok(Outcome::Rejected(RejectionReason::Occupied));
        }
        if let Some(player) = self.seat_mut(seat) {
            player.position = position;
        }
        let (painted, points) = self.paint(seat, [position]);
        let moved = Moved { position: Some(position), direction: direction.into(), painted, points };
        let mut events = vec![self.event(cause, Event::Moved(moved))];
        events.extend(self.collect_gem(seat, position, cause));
        events.extend(self.finish_round(seat, cause));
        Ok(Outcome::Applied(events))
    }

    fn collect_gem(&mut self, seat: Seat, position: Position, cause: Cause<'_>) -> Option<GameEvent> {
        let gem = self.board.take_gem(position)?;
        if let Some(player) = self.seat_mut(seat) {
            player.gems += 1;
        }
        let (painted, mut points) = self.paint(seat, board::pattern(gem.kind(), position));
        // The gem itself gives points, also where its pattern was painted already.
        points.insert(cause.player_id.to_owned(), self.points(seat));
        let taken = self.taken_positions();
        let next_gem = self.board.lay_gem(&taken);
        let scored = Scored { gem: Some(gem), painted, points, next_gem: Some(next_gem) };
        Some(self.event(cause, Event::Scored(scored)))
    }

    fn finish_round(&mut self, seat: Seat, cause: Cause<'_>) -> Option<GameEvent> {
        let points = self.points(seat);
        if points < TARGET_POINTS {
            return None;
        }
        let taken = self.taken_positions();
        self.board.clear(&taken);
        for player in self.seats.iter_mut().flatten() {
            player.gems = 0;
        }
        if let Some(winner) = self.seat_mut(seat) {
            winner.wins += 1;
        }
        let round = self.round;
        self.round += 1;
        let won = RoundWon { round, points, gems: self.board.gems().to_vec() };
        Some(self.event(cause, Event::RoundWon(won)))
    }

    pub(super) fn say(
        &mut self,
        cause: Cause<'_>,
        text: String,
        picture: Option<Picture>,
    ) -> Result<Outcome, GameError> {
        let player = self.player_mut(cause.player_id).ok_or(GameError::NotJoined)?;
        let chat = Chat {
            player_id: player.player_id.clone(),
            name: player.name.clone(),
            text,
            time: Some(cause.now.into()),
            picture,
        };
        if self.chat.len() == RECENT_CHAT {
            self.chat.pop_front();
        }
        self.chat.push_back(chat.clone());
        Ok(Outcome::Applied(vec![self.event(cause, Event::Chat(chat))]))
    }

    pub(super) fn remove(&mut self, seat: Seat, cause: Cause<'_>, reason: LeaveReason) -> GameEvent {
        if let Some(place) = self.seats.get_mut(usize::from(seat)) {
            *place = None;
        }
        self.board.erase(seat);
        self.event(cause, Event::Left(Left { reason: reason.into() }))
    }

    /// Paints for a seat, and tells whose points that changes.
    fn paint(
        &mut self,
        seat: Seat,
        cells: impl IntoIterator<Item = Position>,
    ) -> (Vec<i32>, BTreeMap<String, i32>) {
        let (painted, losers) = self.board.paint(seat, cells);
        let changed = |other: Seat| losers.contains(&other) || (other == seat && !painted.is_empty());
        let points = self
            .seated()
            .filter(|(other, _)| changed(*other))
            .map(|(other, player)| (player.player_id.clone(), self.points(other)))
            .collect();
        (painted, points)
    }
}
