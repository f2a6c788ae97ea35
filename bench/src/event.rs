//! The events of the benchmark's service, as both backends make them.

use prost::Message as _;
use prost_types::Timestamp;

use crate::pb::{Event, Kind, SubscribeRequest};

const SENTENCE: &str = "the quick brown fox jumps over the lazy dog ";

/// An event with this many characters of text; 0 is the small one, whose JSON has about 190 bytes.
pub(crate) fn event(size: usize) -> Event {
    let text = match size {
        0 => "rook takes e5".to_owned(),
        size => SENTENCE.chars().cycle().take(size).collect(),
    };
    Event {
        sequence: 0,
        game_id: "game-7f3a21".to_owned(),
        player_id: "player-0042".to_owned(),
        kind: Kind::Move.into(),
        x: 12.5,
        y: -3.25,
        at: Some(Timestamp { seconds: 1_790_000_000, nanos: 250_000_000 }),
        text,
        sent_ns: 0,
    }
}

/// The protojson of a small event.
pub(crate) fn json(sequence: i64) -> String {
    format!(
        r#"{{"sequence":"{sequence}","gameId":"game-7f3a21","playerId":"player-0042","kind":"KIND_MOVE","x":12.5,"y":-3.25,"at":"2026-09-21T14:13:20.250Z","text":"rook takes e5"}}"#
    )
}

/// The bytes of a small event.
pub(crate) fn proto(sequence: i64) -> Vec<u8> {
    Event { sequence, ..event(0) }.encode_to_vec()
}

/// The protojson of a request.
pub(crate) fn request_json(request: &SubscribeRequest) -> String {
    let SubscribeRequest { count, size, rate } = request;
    format!(r#"{{"count":"{count}","size":{size},"rate":{rate}}}"#)
}
