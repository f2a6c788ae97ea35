//! What a peer sends, put together from its frames.

use std::borrow::Cow;

/// A message of the peer: a whole text or binary message, or a control frame.
///
/// It borrows where it lay whole in the buffer, and owns what was put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'a> {
    /// A text message.
    Text(Cow<'a, str>),
    /// A binary message.
    Binary(Cow<'a, [u8]>),
    /// A ping; [`Encoder::pong`](crate::Encoder::pong) answers it.
    Ping(Cow<'a, [u8]>),
    /// A pong.
    Pong(Cow<'a, [u8]>),
    /// The close frame, the last frame of the peer; [`Encoder::close`](crate::Encoder::close) answers it.
    Close(Option<CloseFrame<'a>>),
}

/// What a close frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseFrame<'a> {
    /// The close code.
    pub code: u16,
    /// The reason; often empty.
    pub reason: Cow<'a, str>,
}

impl Message<'_> {
    /// The message without a borrow.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Text(text) => Message::Text(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Message::Binary(Cow::Owned(bytes.into_owned())),
            Self::Ping(payload) => Message::Ping(Cow::Owned(payload.into_owned())),
            Self::Pong(payload) => Message::Pong(Cow::Owned(payload.into_owned())),
            Self::Close(None) => Message::Close(None),
            Self::Close(Some(CloseFrame { code, reason })) => {
                Message::Close(Some(CloseFrame { code, reason: Cow::Owned(reason.into_owned()) }))
            }
        }
    }
}
