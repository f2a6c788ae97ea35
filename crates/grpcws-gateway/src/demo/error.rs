//! What a client of the game can do wrong, and the limits that it can meet.

use thiserror::Error;
use tonic::{Code, Status};

/// Why a call to the game failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum GameError {
    /// Nobody has played this game yet, it was removed after it had been idle, or its id is `missing`.
    #[error("game not found")]
    NotFound,
    /// The id cannot be one of a game.
    #[error("game_id must be 1 to 32 characters of a-z, 0-9 and -")]
    InvalidGameId,
    /// The id cannot be one of a player.
    #[error("player_id must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -")]
    InvalidPlayerId,
    /// The name cannot be shown.
    #[error("name must be at most 24 characters without control characters")]
    InvalidName,
    /// The message cannot be shown.
    #[error("text must be 1 to 200 characters without control characters")]
    InvalidText,
    /// The color is not one of the enum.
    #[error("color must be one of game.v1.Color")]
    InvalidColor,
    /// The direction is missing or not one of the enum.
    #[error("direction must be one of game.v1.Direction and not DIRECTION_UNSPECIFIED")]
    InvalidDirection,
    /// The oneof is not set.
    #[error("one of join, move, say and leave must be set")]
    NothingToDo,
    /// A stream belongs to one game.
    #[error("game_id must stay the same within a stream")]
    OtherGame,
    /// A stream belongs to one player.
    #[error("player_id must stay the same within a stream")]
    OtherPlayer,
    /// The limit of events is negative.
    #[error("max_events must not be negative")]
    InvalidMaxEvents,
    /// The player is not on the board.
    #[error("the player is not in the game: the first action has to be join")]
    NotJoined,
    /// All seats are taken by players who are online.
    #[error("the game is full")]
    GameFull,
    /// Too many streams watch this game.
    #[error("too many streams in this game")]
    TooManyStreams,
    /// Too many games are being played.
    #[error("too many games")]
    TooManyGames,
}

impl GameError {
    /// The gRPC code of this error.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::NotFound => Code::NotFound,
            Self::NotJoined => Code::FailedPrecondition,
            Self::GameFull | Self::TooManyStreams | Self::TooManyGames => Code::ResourceExhausted,
            Self::InvalidGameId
            | Self::InvalidPlayerId
            | Self::InvalidName
            | Self::InvalidText
            | Self::InvalidColor
            | Self::InvalidDirection
            | Self::NothingToDo
            | Self::OtherGame
            | Self::OtherPlayer
            | Self::InvalidMaxEvents => Code::InvalidArgument,
        }
    }
}

impl From<GameError> for Status {
    fn from(error: GameError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
