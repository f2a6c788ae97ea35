//! WebSocket frames, as either role receives them.

use grpcws_frame::{DataKind, Decoder, Encoder, FrameError, Message, Role};

/// The most bytes of a message: few, so that an input can have more.
const LIMIT: usize = 1_000;

/// Bytes of a client → messages, alike however they are cut → frames → the same messages.
pub fn server_frames(data: &[u8]) {
    frames(Role::Server, data);
}

/// Bytes of a server → messages, alike however they are cut → frames → the same messages.
pub fn client_frames(data: &[u8]) {
    frames(Role::Client, data);
}

/// The first byte says how the rest is cut.
fn frames(role: Role, data: &[u8]) {
    let Some((&cuts, stream)) = data.split_first() else { return };
    let mut whole = Vec::new();
    let mut decoder = Decoder::new(role, LIMIT);
    let end = decode(&mut decoder, stream, &mut whole);

    let mut pieces = Vec::new();
    let mut decoder = Decoder::new(role, LIMIT);
    let mut end_of_pieces = None;
    for piece in cut(stream, cuts) {
        end_of_pieces = decode(&mut decoder, piece, &mut pieces);
        if end_of_pieces.is_some() {
            break;
        }
    }
    assert_eq!(pieces, whole, "the cuts matter");
    assert_eq!(end_of_pieces, end, "the cuts matter");
    assert!(decoder.payload_received() <= u64::try_from(stream.len()).unwrap_or(u64::MAX));
    if let Some(error) = end {
        assert!(matches!(error.close_code(), 1002 | 1007), "{error}");
        assert!(!decoder.is_inside_message());
    }
    whole.iter().flatten().for_each(|message| round_trip(role, message));
}

/// A message, or the limit that one is over.
type Found = Result<Message<'static>, FrameError>;

/// Decodes a piece; returns the violation that ends it.
fn decode(decoder: &mut Decoder, piece: &[u8], found: &mut Vec<Found>) -> Option<FrameError> {
    let mut bytes = piece.to_vec();
    let mut rest = bytes.as_mut_slice();
    loop {
        match decoder.decode(&mut rest) {
            Ok(Some(message)) => found.push(Ok(message.into_owned())),
            Ok(None) => {
                assert!(rest.is_empty(), "without a message all bytes are used up");
                return None;
            }
            // It is skipped.
            Err(limit) if limit.is_limit() => found.push(Err(limit)),
            Err(error) => return Some(error),
        }
    }
}

/// Cuts a stream into pieces of 1 to 16 bytes, or of many.
fn cut(mut stream: &[u8], cuts: u8) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let mut state = u32::from(cuts);
    while !stream.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = if cuts < 128 { state >> 28 } else { state >> 22 };
        let size = usize::try_from(size).unwrap_or(0).saturating_add(1).min(stream.len());
        let (piece, rest) = stream.split_at(size);
        pieces.push(piece);
        stream = rest;
    }
    pieces
}

/// What was received can be sent, and is received by the other side as it was.
fn round_trip(role: Role, message: &Message<'_>) {
    let (mut encoder, peer) = match role {
        Role::Server => (Encoder::server(), Role::Client),
        Role::Client => (Encoder::client_with_keys(|| [0x37, 0xfa, 0x21, 0x3d]), Role::Server),
    };
    let mut data = |kind, payload: &[u8]| {
        assert!(payload.len() <= LIMIT, "a message beyond the limit");
        let write = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(payload);
            Ok::<_, FrameError>(())
        };
        assert_eq!(encoder.data(kind, write), Ok(payload.len()));
    };
    match message {
        Message::Text(text) => data(DataKind::Text, text.as_bytes()),
        Message::Binary(bytes) => data(DataKind::Binary, bytes),
        Message::Ping(payload) => encoder.ping(payload),
        Message::Pong(payload) => encoder.pong(payload),
        Message::Close(None) => encoder.close(None, ""),
        Message::Close(Some(close)) => encoder.close(Some(close.code), &close.reason),
    }
    let mut received = Vec::new();
    let error = decode(&mut Decoder::new(peer, LIMIT), encoder.pending(), &mut received);
    assert_eq!((received.as_slice(), error), ([Ok(message.clone())].as_slice(), None));
}
