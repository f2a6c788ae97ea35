//! What the caller asks for, from wherever it says so.

use bytes::Bytes;
use prost::Message as _;
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::answer::AnswerKnobs;
use crate::pb::{Script, ServerStreamRequest, UnaryRequest};
use crate::query::from_query;

/// The script in the request metadata.
pub(crate) fn from_metadata(metadata: &MetadataMap) -> Result<Option<Script>, Status> {
    if let Some(encoded) = metadata.get_bin("test-script-bin") {
        let bytes = encoded.to_bytes().map_err(|error| Status::invalid_argument(error.to_string()))?;
        let script = Script::decode(bytes).map_err(|error| Status::invalid_argument(error.to_string()))?;
        return Ok(Some(script));
    }
    let Some(text) = metadata.get("test-script") else {
        return Ok(None);
    };
    let text = text.to_str().map_err(|error| Status::invalid_argument(error.to_string()))?;
    from_query(text).map(Some).map_err(|error| Status::invalid_argument(error.to_string()))
}

macro_rules! take_answer {
    ($($message:ty),+) => {$(
        impl $message {
            /// Takes the knobs that every method has.
            pub(crate) fn take_answer(&mut self) -> AnswerKnobs {
                AnswerKnobs {
                    fail: self.fail.take(),
                    echo: std::mem::take(&mut self.echo_metadata),
                    headers: std::mem::take(&mut self.response_headers),
                    trailers: std::mem::take(&mut self.response_trailers),
                }
            }
        }
    )+};
}

take_answer!(Script, ServerStreamRequest, UnaryRequest);

/// A payload of `size` bytes in a pattern that a reader can check: byte `i` is `i % 251`.
pub(crate) fn payload(size: u32) -> Bytes {
    (0..=250u8).cycle().take(usize::try_from(size).unwrap_or(usize::MAX)).collect()
}

/// Follows the sequence numbers of the requests.
#[derive(Debug, Default)]
pub(crate) struct Sequence {
    pub(crate) first: Option<i64>,
    pub(crate) last: Option<i64>,
    pub(crate) gaps: i64,
}

impl Sequence {
    pub(crate) fn enter(&mut self, number: i64) {
        if self.last.is_some_and(|last| last.checked_add(1) != Some(number)) {
            self.gaps += 1;
        }
        self.first.get_or_insert(number);
        self.last = Some(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_a_repeat_and_a_step_back_are_each_counted() {
        let mut sequence = Sequence::default();
        for number in [5, 6, 8, 8, 7, 8] {
            sequence.enter(number);
        }
        assert_eq!((sequence.first, sequence.last, sequence.gaps), (Some(5), Some(8), 3));
    }

    #[test]
    fn encoded_metadata_wins_over_text() {
        let mut metadata = MetadataMap::new();
        metadata.insert("test-script", "size=1".parse().unwrap());
        assert_eq!(from_metadata(&metadata).unwrap().unwrap().size, 1);
        let script = Script { size: 2, ..Default::default() };
        let encoded = tonic::metadata::MetadataValue::from_bytes(&script.encode_to_vec());
        metadata.insert_bin("test-script-bin", encoded);
        assert_eq!(from_metadata(&metadata).unwrap().unwrap().size, 2);
    }
}
