//! Compressed messages.

use std::io::{self, Read, Write as _};

use bytes::Bytes;
use flate2::read::{GzDecoder, ZlibDecoder};
use flate2::write::{GzEncoder, ZlibEncoder};
use http::HeaderValue;

/// How a message is compressed (`grpc-encoding`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// `gzip`
    Gzip,
    /// `deflate`, which is the zlib format.
    Deflate,
    /// `zstd`
    #[cfg(feature = "zstd")]
    Zstd,
}

/// What is accepted of upstreams.
#[cfg(feature = "zstd")]
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip,deflate,zstd");
#[cfg(not(feature = "zstd"))]
pub(super) const ACCEPTED: HeaderValue = HeaderValue::from_static("identity,gzip,deflate");

/// Window sizes up to this power of two: 8 MiB, what RFC 8878 asks of every decoder. A larger one would let
/// an upstream choose how much memory a message costs.
#[cfg(feature = "zstd")]
const ZSTD_WINDOW_LOG: u32 = 23;

/// A message that cannot be decompressed.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecompressError {
    #[error("larger than the limit")]
    TooLarge,
    #[error(transparent)]
    Malformed(#[from] io::Error),
}

impl Encoding {
    /// The name in `grpc-encoding`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            #[cfg(feature = "zstd")]
            Self::Zstd => "zstd",
        }
    }

    /// The encoding with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            #[cfg(feature = "zstd")]
            "zstd" => Some(Self::Zstd),
            _ => None,
        }
    }

    /// Appends the compressed message to `out`.
    pub(super) fn compress(self, message: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(out, flate2::Compression::default());
                encoder.write_all(message)?;
                encoder.finish()?;
            }
            Self::Deflate => {
                let mut encoder = ZlibEncoder::new(out, flate2::Compression::default());
                encoder.write_all(message)?;
                encoder.finish()?;
            }
            #[cfg(feature = "zstd")]
            Self::Zstd => zstd::stream::copy_encode(message, out, zstd::DEFAULT_COMPRESSION_LEVEL)?,
        }
        Ok(())
    }

    /// The message in `compressed`, if it is no larger than `limit`. What is read is bounded by the limit,
    /// whatever the input claims of itself.
    pub(super) fn decompress(self, compressed: &[u8], limit: usize) -> Result<Bytes, DecompressError> {
        match self {
            Self::Gzip => read(GzDecoder::new(compressed), limit),
            Self::Deflate => read(ZlibDecoder::new(compressed), limit),
            #[cfg(feature = "zstd")]
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(compressed)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                read(decoder, limit)
            }
        }
    }
}

fn read(decoder: impl Read, limit: usize) -> Result<Bytes, DecompressError> {
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut message = Vec::new();
    decoder.take(one_more).read_to_end(&mut message)?;
    if message.len() > limit { Err(DecompressError::TooLarge) } else { Ok(message.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Encoding] = &[
        Encoding::Gzip,
        Encoding::Deflate,
        #[cfg(feature = "zstd")]
        Encoding::Zstd,
    ];

    #[test]
    fn what_is_compressed_comes_back_within_the_limit() {
        let message = b"abc".repeat(1000);
        for &encoding in ALL {
            assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
            let mut compressed = Vec::new();
            encoding.compress(&message, &mut compressed).expect("memory is enough");
            assert!(compressed.len() < 300, "{encoding:?}");
            assert_eq!(encoding.decompress(&compressed, 3000).expect("it fits"), message);
            let error = encoding.decompress(&compressed, 2999).expect_err("it does not fit");
            assert!(matches!(error, DecompressError::TooLarge), "{encoding:?}: {error}");
        }
    }

    #[test]
    fn garbage_is_an_error() {
        for &encoding in ALL {
            for garbage in [&b""[..], b"\x00", b"\x1f\x8b\x08", b"not compressed at all"] {
                assert!(encoding.decompress(garbage, 100).is_err(), "{encoding:?} {garbage:?}");
            }
        }
    }
}
