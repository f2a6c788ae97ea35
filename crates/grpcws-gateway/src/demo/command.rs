//! What a player asks for, checked.
//!
//! `PlayerAction` and `GameCommand` mean the same; both become a [`Command`] here, and nothing past this module sees a
//! name, a text or an id that does not keep the proto's rules.

use tonic::metadata::MetadataMap;

use super::error::GameError;
use super::proto::{self, Color, Direction, game_command, player_action};

const MAX_NAME_CHARACTERS: usize = 24;
const MAX_TEXT_CHARACTERS: usize = 200;
const MAX_GAME_ID_BYTES: usize = 32;
const MAX_PLAYER_ID_BYTES: usize = 64;
/// The id that is never a game.
const MISSING_GAME: &str = "missing";

/// One thing that a player wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Command {
    /// The client's number for it, 0 for none.
    pub(crate) sequence: i64,
    /// What to do.
    pub(crate) deed: Deed,
}

/// What a player wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Come in, or change name or color; `None` keeps what is or takes a default.
    Join { name: Option<String>, color: Option<Color> },
    /// Make one step.
    Move(Direction),
    /// Say something.
    Say(String),
    /// Say something with a picture.
    Share(String, proto::Picture),
    /// Go from the board.
    Leave,
}

/// Which game and player a stream is about.
///
/// The request's metadata or the first message names both; later messages may only repeat them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    game_id: String,
    player_id: String,
}

impl Caller {
    /// A caller that is already known, for example from the path of a request; an empty id is not known yet.
    #[must_use]
    pub fn new(game_id: impl Into<String>, player_id: impl Into<String>) -> Self {
        Self { game_id: game_id.into(), player_id: player_id.into() }
    }

    /// Reads `game-id` and `player-id`.
    #[must_use]
    pub fn from_metadata(metadata: &MetadataMap) -> Self {
        let text = |name| metadata.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Self::new(text("game-id"), text("player-id"))
    }

    /// The game, empty as long as it is not known.
    #[must_use]
    pub fn game_id(&self) -> &str {
        &self.game_id
    }

    /// The player, empty as long as it is not known.
    #[must_use]
    pub fn player_id(&self) -> &str {
        &self.player_id
    }

    /// Takes the ids of a message into account.
    pub(crate) fn settle(&mut self, game_id: String, player_id: String) -> Result<(), GameError> {
        settle_one(&mut self.game_id, game_id, GameError::OtherGame)?;
        settle_one(&mut self.player_id, player_id, GameError::OtherPlayer)?;
        check_game_id(&self.game_id)?;
        check_player_id(&self.player_id)
    }
}

fn settle_one(known: &mut String, given: String, other: GameError) -> Result<(), GameError> {
    if known.is_empty() {
        *known = given;
    } else if !given.is_empty() && *known != given {
        return Err(other);
    }
    Ok(())
}

/// A message that carries a command.
pub(crate) trait IntoCommand {
    /// The checked command; the message's ids go into `caller`.
    fn into_command(self, caller: &mut Caller) -> Result<Command, GameError>;
}

impl IntoCommand for proto::PlayerAction {
    fn into_command(self, caller: &mut Caller) -> Result<Command, GameError> {
        caller.settle(self.game_id, self.player_id)?;
        let deed = match self.action.ok_or(GameError::NothingToDo)? {
            player_action::Action::Join(join) => Deed::join(join)?,
            player_action::Action::Move(step) => Deed::step(step)?,
            player_action::Action::Say(say) => Deed::say(say)?,
            player_action::Action::Leave(proto::Leave {}) => Deed::Leave,
        };
        Ok(Command { sequence: self.sequence, deed })
    }
}

impl IntoCommand for proto::GameCommand {
    fn into_command(self, caller: &mut Caller) -> Result<Command, GameError> {
        caller.settle(self.game_id, self.player_id)?;
        let deed = match self.command.ok_or(GameError::NothingToDo)? {
            game_command::Command::Join(join) => Deed::join(join)?,
            game_command::Command::Move(step) => Deed::step(step)?,
            game_command::Command::Say(say) => Deed::say(say)?,
            game_command::Command::Leave(proto::Leave {}) => Deed::Leave,
        };
        Ok(Command { sequence: self.sequence, deed })
    }
}

impl Deed {
    fn join(join: proto::Join) -> Result<Self, GameError> {
        let name = join.name.trim();
        if !is_line(name, MAX_NAME_CHARACTERS) {
            return Err(GameError::InvalidName);
        }
        let color = Color::try_from(join.color).map_err(|_| GameError::InvalidColor)?;
        Ok(Self::Join {
            name: (!name.is_empty()).then(|| name.to_owned()),
            color: (color != Color::Unspecified).then_some(color),
        })
    }

    fn step(step: proto::Move) -> Result<Self, GameError> {
        match Direction::try_from(step.direction) {
            Ok(Direction::Unspecified) | Err(_) => Err(GameError::InvalidDirection),
            Ok(direction) => Ok(Self::Move(direction)),
        }
    }

    fn say(say: proto::Say) -> Result<Self, GameError> {
        Ok(Self::Say(checked_text(&say.text)?))
    }
}

/// What can be said of a text.
pub(crate) fn checked_text(text: &str) -> Result<String, GameError> {
    let text = text.trim();
    if text.is_empty() || !is_line(text, MAX_TEXT_CHARACTERS) {
        return Err(GameError::InvalidText);
    }
    Ok(text.to_owned())
}

/// Whether the text is short enough and has nothing in it that would break a line.
fn is_line(text: &str, max_characters: usize) -> bool {
    text.chars().count() <= max_characters && !text.chars().any(char::is_control)
}

/// The name of a player who has not given one.
pub(crate) fn default_name(player_id: &str) -> String {
    player_id.chars().take(MAX_NAME_CHARACTERS).collect()
}

/// Whether a game can have this id.
pub(crate) fn check_game_id(game_id: &str) -> Result<(), GameError> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if game_id.is_empty() || game_id.len() > MAX_GAME_ID_BYTES || !game_id.bytes().all(allowed) {
        return Err(GameError::InvalidGameId);
    }
    if game_id == MISSING_GAME {
        return Err(GameError::NotFound);
    }
    Ok(())
}

/// Whether a player can have this id.
pub(crate) fn check_player_id(player_id: &str) -> Result<(), GameError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if player_id.is_empty() || player_id.len() > MAX_PLAYER_ID_BYTES || !player_id.bytes().all(allowed) {
        return Err(GameError::InvalidPlayerId);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn game_ids_keep_the_rule_of_the_proto() {
        for good in ["a", "lobby", "room-7", "0", &"x".repeat(32)] {
            assert_eq!(check_game_id(good), Ok(()), "{good}");
        }
        for bad in ["", "Lobby", "a b", "ä", "a/b", "a_b", &"x".repeat(33)] {
            assert_eq!(check_game_id(bad), Err(GameError::InvalidGameId), "{bad}");
        }
        assert_eq!(check_game_id("missing"), Err(GameError::NotFound));
    }

    #[test]
    fn a_caller_may_repeat_its_ids_but_not_change_them() {
        let mut caller = Caller::new("lobby", "");
        assert_eq!(caller.settle(String::new(), String::new()), Err(GameError::InvalidPlayerId));
        assert_eq!(caller.settle(String::new(), "p1".into()), Ok(()));
        assert_eq!(caller.settle("lobby".into(), "p1".into()), Ok(()));
        assert_eq!(caller.settle("other".into(), "p1".into()), Err(GameError::OtherGame));
        assert_eq!(caller.settle(String::new(), "p2".into()), Err(GameError::OtherPlayer));
        assert_eq!((caller.game_id(), caller.player_id()), ("lobby", "p1"));
    }

    fn action(action: player_action::Action) -> Result<Deed, GameError> {
        let message =
            proto::PlayerAction { sequence: 7, action: Some(action), ..proto::PlayerAction::default() };
        message.into_command(&mut Caller::new("lobby", "p1")).map(|command| {
            assert_eq!(command.sequence, 7);
            command.deed
        })
    }

    #[test]
    fn names_and_texts_are_trimmed_and_bounded() {
        let join =
            |name: &str| action(player_action::Action::Join(proto::Join { name: name.to_owned(), color: 0 }));
        assert_eq!(join("  Ada "), Ok(Deed::Join { name: Some("Ada".into()), color: None }));
        assert_eq!(join(""), Ok(Deed::Join { name: None, color: None }));
        assert!(join(&"ü".repeat(24)).is_ok());
        assert_eq!(join(&"ü".repeat(25)), Err(GameError::InvalidName));
        assert_eq!(join("a\nb"), Err(GameError::InvalidName));

        let say = |text: &str| action(player_action::Action::Say(proto::Say { text: text.to_owned() }));
        assert_eq!(say(" hello "), Ok(Deed::Say("hello".into())));
        assert_eq!(say("   "), Err(GameError::InvalidText));
        assert_eq!(say(&"x".repeat(201)), Err(GameError::InvalidText));
        assert_eq!(say("bell\u{7}"), Err(GameError::InvalidText));
    }

    #[test]
    fn enums_out_of_range_are_refused() {
        let step = |direction| action(player_action::Action::Move(proto::Move { direction }));
        assert_eq!(step(1), Ok(Deed::Move(Direction::Up)));
        assert_eq!(step(0), Err(GameError::InvalidDirection));
        assert_eq!(step(99), Err(GameError::InvalidDirection));
        let color = |color| action(player_action::Action::Join(proto::Join { name: String::new(), color }));
        assert_eq!(color(3), Ok(Deed::Join { name: None, color: Some(Color::Yellow) }));
        assert_eq!(color(-1), Err(GameError::InvalidColor));
    }

    #[test]
    fn a_command_without_content_is_refused() {
        let empty = proto::GameCommand::default();
        assert_eq!(empty.into_command(&mut Caller::new("lobby", "p1")), Err(GameError::NothingToDo));
    }
}
