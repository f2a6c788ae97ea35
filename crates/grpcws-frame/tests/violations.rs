//! What a peer must not send, and the close code that it gets.

mod common;

use common::{KEY, LIMIT, decode, decode_pieces, find, frame};
use grpcws_frame::{Decoder, FrameError, MAX_FRAGMENTS, Message, Role};

/// Each violation by its frames, of which the last one is refused.
fn table(role: Role) -> Vec<(Vec<u8>, FrameError, u16)> {
    let frame = |first, payload: &[u8]| frame(role, first, payload);
    let masked = if role == Role::Server { 0x80 } else { 0 };
    let key: &[u8] = if role == Role::Server { &[0; 4] } else { &[] };
    let mut table = vec![
        (frame(0x03, b""), FrameError::ReservedOpcode(3), 1002),
        (frame(0x87, b""), FrameError::ReservedOpcode(7), 1002),
        (frame(0x8b, b""), FrameError::ReservedOpcode(11), 1002),
        (frame(0x8f, b""), FrameError::ReservedOpcode(15), 1002),
        (frame(0x08, b""), FrameError::FragmentedControl, 1002),
        (frame(0x09, b""), FrameError::FragmentedControl, 1002),
        (frame(0x0a, b""), FrameError::FragmentedControl, 1002),
        (frame(0x89, &[0; 126]), FrameError::LongControl, 1002),
        (frame(0x88, &[0; 126]), FrameError::LongControl, 1002),
        (frame(0x80, b"x"), FrameError::UnexpectedContinuation, 1002),
        (frame(0x00, b"x"), FrameError::UnexpectedContinuation, 1002),
        ([frame(0x01, b"a"), frame(0x81, b"b")].concat(), FrameError::ExpectedContinuation, 1002),
        (
            [frame(0x02, b"a"), frame(0x89, b""), frame(0x02, b"b")].concat(),
            FrameError::ExpectedContinuation,
            1002,
        ),
        (frame(0x88, b"\x03"), FrameError::CloseLength, 1002),
        (frame(0x88, b"\x03\xe8\xff"), FrameError::CloseReason, 1007),
        (frame(0x81, b"a\xff"), FrameError::InvalidUtf8, 1007),
        (frame(0x81, "é".as_bytes().get(..1).unwrap_or_default()), FrameError::InvalidUtf8, 1007),
        ([frame(0x01, b"a\xc3"), frame(0x80, b"x")].concat(), FrameError::InvalidUtf8, 1007),
        ([frame(0x01, b"a\xc3"), frame(0x80, b"")].concat(), FrameError::InvalidUtf8, 1007),
        (frame(0x82, &vec![0; LIMIT + 1]), FrameError::TooLarge, 1009),
        ([frame(0x02, &vec![0; LIMIT]), frame(0x80, b"x")].concat(), FrameError::TooLarge, 1009),
        ([frame(0x88, b""), frame(0x81, b"")].concat(), FrameError::AfterClose, 1002),
        ([&[0x82, masked | 126, 0, 125], key, &[0; 125]].concat(), FrameError::LengthNotMinimal, 1002),
        ([&[0x82, masked | 127, 0, 0, 0, 0, 0, 0, 1, 0], key].concat(), FrameError::LengthNotMinimal, 1002),
        ([&[0x82, masked | 127, 0x80, 0, 0, 0, 0, 0, 0, 0], key].concat(), FrameError::LengthOverflow, 1002),
        (
            [&[0x82, masked | 127, 0x7f, 255, 255, 255, 255, 255, 255, 255], key].concat(),
            FrameError::TooLarge,
            1009,
        ),
    ];
    for bit in [0x10, 0x20, 0x40] {
        table.push((frame(0x81 | bit, b"x"), FrameError::ReservedBits, 1002));
        table.push((frame(0x89 | bit, b"x"), FrameError::ReservedBits, 1002));
    }
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, u16::MAX] {
        table.push((frame(0x88, &code.to_be_bytes()), FrameError::CloseCode(code), 1002));
    }
    let fragments: Vec<u8> = (0..MAX_FRAGMENTS - 1).flat_map(|_| frame(0x00, b"")).collect();
    let many = [frame(0x02, b""), fragments, frame(0x80, b"")].concat();
    table.push((many, FrameError::TooManyFragments, 1008));
    table
}

#[test]
fn each_violation_has_its_close_code() {
    for role in [Role::Server, Role::Client] {
        for (stream, error, code) in table(role) {
            let (_, found) = decode(role, &stream);
            assert_eq!(found, Some(error), "{role:?}");
            assert_eq!(error.close_code(), code, "{error:?}");
            let (_, found) = decode_pieces(role, stream.chunks(1));
            assert_eq!(found, Some(error), "{role:?}, byte by byte");
        }
    }
}

#[test]
fn frames_of_the_other_role_are_refused() {
    assert_eq!(decode(Role::Server, &frame(Role::Client, 0x81, b"x")), (vec![], Some(FrameError::Unmasked)));
    assert_eq!(decode(Role::Client, &frame(Role::Server, 0x81, b"x")), (vec![], Some(FrameError::Masked)));
    assert_eq!(FrameError::Unmasked.close_code(), 1002);
    assert_eq!(FrameError::Masked.close_code(), 1002);
}

/// A limit is a refusal from the next byte on, not one before.
#[test]
fn limits_are_inclusive() {
    for role in [Role::Server, Role::Client] {
        let (messages, error) = decode(role, &frame(role, 0x82, &vec![7; LIMIT]));
        assert_eq!((messages.len(), error), (1, None));
        let fragments: Vec<u8> = (0..MAX_FRAGMENTS - 2).flat_map(|_| frame(role, 0x00, b"")).collect();
        let stream = [frame(role, 0x02, b"a"), fragments, frame(role, 0x80, b"b")].concat();
        assert_eq!(decode(role, &stream), (vec![Message::Binary(b"ab".to_vec().into())], None));
        for code in [1000, 1003, 1007, 1011, 1012, 1014, 3000, 4999_u16] {
            let (messages, error) = decode(role, &frame(role, 0x88, &code.to_be_bytes()));
            assert!(matches!(messages[..], [Message::Close(Some(_))]), "{code}");
            assert_eq!(error, None);
        }
    }
}

/// The peer is refused when what it has sent cannot become valid any more, not when its frame is complete.
#[test]
fn a_violation_is_found_at_the_first_byte() {
    let refused_at = |role, stream: &[u8]| {
        let mut decoder = Decoder::new(role, LIMIT);
        stream.iter().position(|byte| decoder.decode(&mut [*byte].as_mut_slice()).is_err())
    };
    let frame = |first, payload: &[u8]| frame(Role::Server, first, payload);
    assert_eq!(refused_at(Role::Server, &frame(0xc1, b"hello")), Some(0));
    assert_eq!(refused_at(Role::Server, &frame(0x83, b"hello")), Some(0));
    assert_eq!(refused_at(Role::Server, &frame(0x00, b"hello")), Some(0));
    assert_eq!(refused_at(Role::Server, b"\x81\x05hello"), Some(1));
    assert_eq!(refused_at(Role::Server, &frame(0x89, &[0; 126])), Some(1));
    assert_eq!(refused_at(Role::Server, &frame(0x82, &vec![0; LIMIT + 1])), Some(13));
    assert_eq!(refused_at(Role::Server, &frame(0x81, b"ab\xffcd")), Some(6 + 2));
    let split = [frame(0x01, b"ab\xe2"), frame(0x80, b"\x82x..")].concat();
    assert_eq!(refused_at(Role::Server, &split), Some(9 + 6 + 1));
}

#[test]
fn progress_inside_a_message_is_visible() {
    let stream = [frame(Role::Server, 0x01, b"abc"), frame(Role::Server, 0x80, b"de")].concat();
    let mut decoder = Decoder::new(Role::Server, LIMIT);
    let mut seen = Vec::new();
    for byte in &stream {
        let complete = decoder.decode(&mut [*byte].as_mut_slice()).expect("it is valid").is_some();
        assert_eq!(decoder.is_inside_message(), !complete);
        seen.push(decoder.payload_received());
    }
    assert_eq!(seen, [0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3, 4, 5]);
}

/// The whole stream in one piece, and byte by byte.
fn found_behind(role: Role, frames: &[Vec<u8>]) -> Vec<Result<Message<'static>, FrameError>> {
    let stream = frames.concat();
    let whole = find(role, [stream.as_slice()]);
    assert_eq!(find(role, stream.chunks(1)), whole, "byte by byte");
    whole
}

#[test]
fn what_follows_a_message_over_the_limit_is_found() {
    for role in [Role::Server, Role::Client] {
        let frame = |first, payload: &[u8]| frame(role, first, payload);
        let ping = || Ok(Message::Ping(b"p".as_slice().into()));
        let close = || Ok(Message::Close(None));
        let too_large = || Err(FrameError::TooLarge);
        // None of it is validated: it is no UTF-8.
        let large = vec![0xff; LIMIT + 1];

        let behind = [frame(0x81, &large), frame(0x89, b"p"), frame(0x81, b"a"), frame(0x88, b"")];
        let text = || Ok(Message::Text("a".into()));
        assert_eq!(found_behind(role, &behind), [too_large(), ping(), text(), close()]);

        // Fragments: the limit is passed in the second one, and there are more of them, with a ping between.
        let fragments = [
            frame(0x01, &vec![b'a'; LIMIT]),
            frame(0x00, b"\xff"),
            frame(0x89, b"p"),
            frame(0x00, &large),
            frame(0x00, b""),
            frame(0x80, b"\xff"),
            frame(0x81, b"a"),
            frame(0x88, b""),
        ];
        assert_eq!(found_behind(role, &fragments), [too_large(), ping(), text(), close()]);

        // A close frame in the middle of the message, behind which nothing may come.
        let inside = [frame(0x02, &large), frame(0x88, b""), frame(0x80, b"x")];
        assert_eq!(found_behind(role, &inside), [too_large(), close(), Err(FrameError::AfterClose)]);

        // Each such message is told.
        let twice = [frame(0x82, &large), frame(0x82, &large), frame(0x88, b"")];
        assert_eq!(found_behind(role, &twice), [too_large(), too_large(), close()]);
    }
}

#[test]
fn a_violation_behind_a_message_over_the_limit_ends_the_reading() {
    let frame = |first, payload: &[u8]| frame(Role::Server, first, payload);
    let large = vec![0; LIMIT + 1];
    for (violation, error) in [
        (frame(0x82, b"a new message inside of the skipped one"), FrameError::ExpectedContinuation),
        (frame(0x83, b""), FrameError::ReservedOpcode(3)),
        (b"\x80\x01x".to_vec(), FrameError::Unmasked),
        (frame(0x88, b"\x03"), FrameError::CloseLength),
    ] {
        let found = found_behind(Role::Server, &[frame(0x02, &large), violation]);
        assert_eq!(found, [Err(FrameError::TooLarge), Err(error)]);
    }
}

#[test]
fn what_follows_a_message_of_too_many_fragments_is_found() {
    for role in [Role::Server, Role::Client] {
        let fragments: Vec<u8> = (0..2 * MAX_FRAGMENTS).flat_map(|_| frame(role, 0x00, b"")).collect();
        let stream = [frame(role, 0x01, b"a"), fragments, frame(role, 0x80, b""), frame(role, 0x88, b"")];
        let found = found_behind(role, &stream);
        assert_eq!(found, [Err(FrameError::TooManyFragments), Ok(Message::Close(None))]);
    }
}

/// A frame of 2^62 bytes cannot be kept anywhere, and is not.
#[test]
fn a_message_over_the_limit_is_skipped_without_being_kept() {
    let mut head = [&[0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0], &KEY[..]].concat();
    let mut decoder = Decoder::new(Role::Server, LIMIT);
    assert_eq!(decoder.decode(&mut head.as_mut_slice()), Err(FrameError::TooLarge));
    let mut piece = vec![0xff; 1 << 20];
    for _ in 0..100 {
        assert_eq!(decoder.decode(&mut piece.as_mut_slice()), Ok(None));
    }
    assert!(piece.iter().all(|byte| *byte == 0xff), "what is skipped is not unmasked");
    assert_eq!(decoder.payload_received(), 100 << 20);
    assert!(decoder.is_inside_message() && !decoder.has_ended());
}
