//! What holds for every stream: how it is cut does not matter, and what was encoded is decoded.

mod common;

use common::{LIMIT, decode, decode_pieces, find, frame, frames, mutated, mutations, role, wire};
use grpcws_frame::{DataKind, Decoder, Encoder, Message, Role};
use proptest::prelude::*;

/// All of the kinds of frames, in one stream.
fn sample(role: Role) -> Vec<u8> {
    let frames: [(u8, &[u8]); 9] = [
        (0x81, "héllo €".as_bytes()),
        (0x01, "a😀b".as_bytes().get(..3).unwrap_or_default()),
        (0x89, b"ping"),
        (0x00, b""),
        (0x80, "a😀b".as_bytes().get(3..).unwrap_or_default()),
        (0x82, &[7; 200]),
        (0x8a, b""),
        (0x82, b""),
        (0x88, b"\x03\xe8bye"),
    ];
    frames.into_iter().flat_map(|(first, payload)| frame(role, first, payload)).collect()
}

#[test]
fn every_two_cuts_of_a_stream_give_the_same_messages() {
    for role in [Role::Server, Role::Client] {
        let stream = sample(role);
        let whole = decode(role, &stream);
        assert_eq!((whole.0.len(), whole.1), (7, None));
        for first in 0..=stream.len() {
            for second in first..=stream.len() {
                let pieces = [&stream[..first], &stream[first..second], &stream[second..]];
                assert_eq!(decode_pieces(role, pieces), whole, "cut at {first} and {second}");
            }
        }
    }
}

#[test]
fn a_whole_message_is_not_copied() {
    let mut bytes = frame(Role::Server, 0x82, b"in place");
    let place = bytes.as_ptr_range();
    let mut decoder = Decoder::new(Role::Server, LIMIT);
    let decoded = decoder.decode(&mut bytes.as_mut_slice()).expect("it is valid");
    let Some(Message::Binary(std::borrow::Cow::Borrowed(payload))) = decoded else { panic!("borrowed") };
    assert_eq!(payload, b"in place");
    assert!(place.contains(&payload.as_ptr()));
}

/// A message that was decoded, as the frame that is sent for it.
fn encode(encoder: &mut Encoder, message: &Message<'_>) {
    let mut data = |kind, payload: &[u8]| {
        let queued = encoder.data(kind, |bytes| {
            bytes.extend_from_slice(payload);
            Ok::<_, ()>(())
        });
        assert_eq!(queued, Ok(payload.len()));
    };
    match message {
        Message::Text(text) => data(DataKind::Text, text.as_bytes()),
        Message::Binary(bytes) => data(DataKind::Binary, bytes),
        Message::Ping(payload) => encoder.ping(payload),
        Message::Pong(payload) => {
            // Otherwise only the newest one would be kept.
            let taken = encoder.len();
            encoder.advance(taken);
            encoder.pong(payload);
        }
        Message::Close(None) => encoder.close(None, ""),
        Message::Close(Some(close)) => encoder.close(Some(close.code), &close.reason),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn how_a_stream_is_cut_does_not_matter(
        role in role(),
        mut frames in frames(),
        too_large in proptest::collection::vec((any::<prop::sample::Index>(), 0..2_u8, 0..3_usize), 0..3),
        mutations in mutations(),
        sizes in proptest::collection::vec(prop_oneof![1..20_usize, 1..40_000_usize], 1..50),
    ) {
        // Messages over the limit, between others or inside of them.
        for (place, opcode, more) in too_large {
            let at = place.index(frames.len() + 1);
            frames.insert(at, (0x80 | opcode, vec![0xff; LIMIT + more]));
        }
        let stream = mutated(wire(role, &frames), &mutations);
        let mut rest = stream.as_slice();
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(find(role, pieces), find(role, [stream.as_slice()]));
    }

    #[test]
    fn what_is_encoded_is_decoded(frames in frames(), as_client in any::<bool>()) {
        let (messages, error) = decode(Role::Server, &wire(Role::Server, &frames));
        prop_assert_eq!(error, None);
        let (mut encoder, peer) = if as_client {
            (Encoder::client(), Role::Server)
        } else {
            (Encoder::server(), Role::Client)
        };
        for message in &messages {
            encode(&mut encoder, message);
            let (decoded, error) = decode(peer, encoder.pending());
            prop_assert_eq!((decoded.last(), error), (Some(message), None));
            // In pieces, as a transport takes them.
            let taken = encoder.len() / 2;
            let half = encoder.pending().get(taken..).unwrap_or_default().to_vec();
            encoder.advance(taken);
            prop_assert_eq!(encoder.pending(), half.as_slice());
            encoder.advance(half.len());
            prop_assert!(encoder.is_empty());
        }
    }
}
