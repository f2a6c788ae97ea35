//! Frames written by hand, and decoders that are fed in pieces.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(
    clippy::cast_possible_truncation,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test data"
)]

use grpcws_frame::{Decoder, FrameError, Message, Role};
use proptest::prelude::*;

/// The key of each masked frame.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The most bytes of a message.
pub(crate) const LIMIT: usize = 70_000;

/// A frame with this first byte, as the peer of `role` writes it.
pub(crate) fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    let masked = if role == Role::Server { 0x80 } else { 0 };
    let mut frame = vec![first];
    match payload.len() {
        length @ ..126 => frame.push(masked | length as u8),
        length @ 126..0x1_0000 => {
            frame.push(masked | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(masked | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let begin = frame.len() + if masked == 0 { 0 } else { KEY.len() };
    if masked != 0 {
        frame.extend(KEY);
    }
    frame.extend(payload);
    if masked != 0 {
        for (byte, key) in frame[begin..].iter_mut().zip(KEY.iter().cycle()) {
            *byte ^= key;
        }
    }
    frame
}

/// What a decoder finds in a stream, in order: messages, those that are over a limit, and at the end a violation.
pub(crate) type Found = Vec<Result<Message<'static>, FrameError>>;

/// What a decoder made of a stream: its messages, and the first error.
pub(crate) type Outcome = (Vec<Message<'static>>, Option<FrameError>);

/// Decodes pieces one after the other, to the end or a violation.
pub(crate) fn find<'a>(role: Role, pieces: impl IntoIterator<Item = &'a [u8]>) -> Found {
    let mut decoder = Decoder::new(role, LIMIT);
    let mut found = Vec::new();
    for piece in pieces {
        let mut bytes = piece.to_vec();
        let mut rest = bytes.as_mut_slice();
        loop {
            match decoder.decode(&mut rest) {
                Ok(Some(message)) => found.push(Ok(message.into_owned())),
                Ok(None) => {
                    assert!(rest.is_empty(), "without a message all bytes are used up");
                    break;
                }
                Err(limit) if limit.is_limit() => {
                    assert!(!decoder.has_ended());
                    found.push(Err(limit));
                }
                Err(error) => {
                    assert!(decoder.has_ended() && !decoder.is_inside_message());
                    assert_eq!(decoder.decode(&mut [0].as_mut_slice()), Err(error), "the error stays");
                    found.push(Err(error));
                    return found;
                }
            }
        }
    }
    found
}

/// Decodes pieces one after the other, to the first error.
pub(crate) fn decode_pieces<'a>(role: Role, pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut messages = Vec::new();
    for found in find(role, pieces) {
        match found {
            Ok(message) => messages.push(message),
            Err(error) => return (messages, Some(error)),
        }
    }
    (messages, None)
}

/// Decodes a stream in one piece.
pub(crate) fn decode(role: Role, stream: &[u8]) -> Outcome {
    decode_pieces(role, [stream])
}

/// Either role.
pub(crate) fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Server), Just(Role::Client)]
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        "[a-z é€😀]{0,40}".prop_map(String::into_bytes),
        "[ -~]{100,300}".prop_map(String::into_bytes),
        (65_000..LIMIT).prop_map(|length| vec![b'x'; length]),
    ]
}

fn binary() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        (65_000..LIMIT).prop_map(|length| vec![7; length])
    ]
}

fn control() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (prop_oneof![Just(0x89), Just(0x8a)], proptest::collection::vec(any::<u8>(), 0..=125))
}

/// A message in fragments, with control frames before each of them: the first byte and the payload of each frame.
fn message() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let payload = prop_oneof![text().prop_map(|text| (0x01, text)), binary().prop_map(|bytes| (0x02, bytes))];
    let cuts = proptest::collection::vec(any::<prop::sample::Index>(), 0..4);
    let controls = proptest::collection::vec(proptest::option::weighted(0.2, control()), 5);
    (payload, cuts, controls).prop_map(|((opcode, payload), cuts, mut controls)| {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(payload.len() + 1)).collect();
        cuts.extend([0, payload.len()]);
        cuts.sort_unstable();
        let last = cuts.len() - 2;
        let mut frames = Vec::new();
        for (number, cut) in cuts.windows(2).enumerate() {
            frames.extend(controls.pop().flatten());
            let opcode = if number == 0 { opcode } else { 0 };
            let fin = if number == last { 0x80 } else { 0 };
            frames.push((fin | opcode, payload[cut[0]..cut[1]].to_vec()));
        }
        frames
    })
}

/// The frames of a stream that is valid.
pub(crate) fn frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let close = prop_oneof![
        Just(None),
        Just(Some(vec![])),
        "[a-zé]{0,30}".prop_map(|reason| Some([&1000_u16.to_be_bytes(), reason.as_bytes()].concat())),
    ];
    (proptest::collection::vec(message(), 0..5), close).prop_map(|(messages, close)| {
        let mut frames: Vec<_> = messages.into_iter().flatten().collect();
        frames.extend(close.map(|payload| (0x88, payload)));
        frames
    })
}

/// The bytes of frames.
pub(crate) fn wire(role: Role, frames: &[(u8, Vec<u8>)]) -> Vec<u8> {
    frames.iter().flat_map(|(first, payload)| frame(role, *first, payload)).collect()
}

/// Changes to a stream: where, what, and with which byte.
pub(crate) fn mutations() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    proptest::collection::vec((any::<prop::sample::Index>(), 0..4_u8, any::<u8>()), 0..4)
}

/// The stream with changes.
pub(crate) fn mutated(mut stream: Vec<u8>, mutations: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (place, what, byte) in mutations {
        if stream.is_empty() {
            break;
        }
        // Near the beginning there are more heads.
        let place = place.index(stream.len().min(400));
        match what {
            0 => stream.insert(place, *byte),
            1 => drop(stream.remove(place)),
            2 => stream[place] ^= 1 << (byte % 8),
            _ => stream[place] = *byte,
        }
    }
    stream
}
