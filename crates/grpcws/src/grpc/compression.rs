//! Compressed messages.

use std::io::{self, Read, Write as _};

use bytes::Bytes;
use flate2::bufread::ZlibDecoder;
use flate2::read::MultiGzDecoder;
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
            // RFC 1952 permits several members, one behind the other.
            Self::Gzip => read(MultiGzDecoder::new(compressed), limit),
            Self::Deflate => {
                let mut rest = compressed;
                let message = read(ZlibDecoder::new(&mut rest), limit)?;
                if rest.is_empty() {
                    Ok(message)
                } else {
                    Err(io::Error::other("bytes behind the end").into())
                }
            }
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
    fn members_of_gzip_are_joined_and_nothing_is_passed_over() {
        let compressed = |encoding: Encoding, message: &[u8]| {
            let mut out = Vec::new();
            encoding.compress(message, &mut out).expect("memory is enough");
            out
        };
        let two = [compressed(Encoding::Gzip, b"ab"), compressed(Encoding::Gzip, b"c")].concat();
        assert_eq!(Encoding::Gzip.decompress(&two, 10).expect("two members"), b"abc".as_slice());
        for &encoding in ALL {
            let garbage = [compressed(encoding, b"ab"), b"garbage".to_vec()].concat();
            assert!(encoding.decompress(&garbage, 100).is_err(), "{encoding:?}");
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
