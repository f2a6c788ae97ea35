//! What is wrong with a peer's frames, and the close code that says so.

/// The peer breaks RFC 6455 or a limit: the connection is to be closed with [`FrameError::close_code`]. Nothing can be
/// decoded behind a violation; behind a message over a limit ([`FrameError::is_limit`]) reading may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A reserved bit is set, though no extension was negotiated (§5.2).
    #[error("a reserved bit is set without an extension")]
    ReservedBits,
    /// The opcode is a reserved one (§5.2).
    #[error("reserved opcode {0:#x}")]
    ReservedOpcode(u8),
    /// A frame of a client is not masked (§5.1).
    #[error("a frame of the client is not masked")]
    Unmasked,
    /// A frame of a server is masked (§5.1).
    #[error("a frame of the server is masked")]
    Masked,
    /// A control frame is fragmented (§5.5).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A control frame has more than 125 bytes (§5.5).
    #[error("a control frame is longer than 125 bytes")]
    LongControl,
    /// A length is written in more bytes than it needs (§5.2).
    #[error("a length is written in more bytes than it needs")]
    LengthNotMinimal,
    /// A length has its highest bit set (§5.2).
    #[error("a length has its highest bit set")]
    LengthOverflow,
    /// A continuation frame without a message that it continues (§5.4).
    #[error("a continuation frame continues no message")]
    UnexpectedContinuation,
    /// A new message begins before the one before has ended (§5.4).
    #[error("a message begins inside of another one")]
    ExpectedContinuation,
    /// A message is larger than the limit.
    #[error("a message is larger than the limit")]
    TooLarge,
    /// A message has more than [`MAX_FRAGMENTS`](crate::MAX_FRAGMENTS) frames.
    #[error("a message has more than {} fragments", crate::MAX_FRAGMENTS)]
    TooManyFragments,
    /// A text message is not UTF-8 (§8.1).
    #[error("a text message is not UTF-8")]
    InvalidUtf8,
    /// A close frame has one byte where a code has two (§5.5.1).
    #[error("a close frame has half a code")]
    CloseLength,
    /// A close frame has a code that must not be sent (§7.4).
    #[error("a close frame has the invalid code {0}")]
    CloseCode(u16),
    /// The reason of a close frame is not UTF-8 (§5.5.1).
    #[error("the reason of a close frame is not UTF-8")]
    CloseReason,
    /// Bytes follow the peer's close frame (§5.5.1).
    #[error("bytes follow the close frame")]
    AfterClose,
}

impl FrameError {
    /// Whether a message is over a limit of this end, and the peer keeps to RFC 6455. The rest of the message is skipped,
    /// and what follows it can be read.
    #[must_use]
    pub const fn is_limit(self) -> bool {
        matches!(self, Self::TooLarge | Self::TooManyFragments)
    }

    /// The code of the close frame that tells the peer (§7.4.1): 1007 for text that is not UTF-8, 1009 for a message
    /// that is too large, 1008 for one of too many fragments, 1002 for everything else.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::InvalidUtf8 | Self::CloseReason => 1007,
            Self::TooManyFragments => 1008,
            Self::TooLarge => 1009,
            _ => 1002,
        }
    }
}
