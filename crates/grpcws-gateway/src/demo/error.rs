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
    /// No picture with this id is kept.
    #[error("picture not found: the newest 16 are kept")]
    PictureNotFound,
    /// The parts of an upload are not in their order.
    #[error("the first message of an upload must be the head, and all others data")]
    InvalidUpload,
    /// Not a picture that a page can show.
    #[error("media_type must be image/png, image/jpeg, image/gif or image/webp")]
    InvalidMediaType,
    /// The upload has no data.
    #[error("the picture is empty")]
    EmptyPicture,
    /// The upload has more or less data than its head says.
    #[error("the picture does not have the size that its upload's head gives")]
    OtherSize,
    /// The upload has too much data.
    #[error("the picture is larger than 4 MiB")]
    PictureTooLarge,
    /// Too many pictures are being uploaded.
    #[error("too many uploads at once")]
    TooManyUploads,
    /// The upload takes too long.
    #[error("the upload took longer than 5 minutes")]
    UploadTooSlow,
}

impl GameError {
    /// The gRPC code of this error.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            Self::NotFound | Self::PictureNotFound => Code::NotFound,
            Self::NotJoined => Code::FailedPrecondition,
            Self::GameFull
            | Self::TooManyStreams
            | Self::TooManyGames
            | Self::PictureTooLarge
            | Self::TooManyUploads => Code::ResourceExhausted,
            Self::UploadTooSlow => Code::DeadlineExceeded,
            Self::InvalidGameId
            | Self::InvalidPlayerId
            | Self::InvalidName
            | Self::InvalidText
            | Self::InvalidColor
            | Self::InvalidDirection
            | Self::NothingToDo
            | Self::OtherGame
            | Self::OtherPlayer
            | Self::InvalidMaxEvents
            | Self::InvalidUpload
            | Self::InvalidMediaType
            | Self::EmptyPicture
            | Self::OtherSize => Code::InvalidArgument,
        }
    }
}

impl From<GameError> for Status {
    fn from(error: GameError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
