//! What a campaign does: calls, and what goes wrong with each.

use std::time::Duration;

use bytes::BytesMut;

use super::call::{Act, Script};
use super::proxy::Breaks;
use crate::ask::{Ask, Method, Mode};
use crate::client::frame::{CLOSE, CONTINUATION, PING, PONG, TEXT, append, frame};
use crate::draw::{Draw, numbered};

/// What a client does wrong, or slowly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It writes byte by byte.
    Bytes,
    /// It writes fragments, with control frames between them.
    Fragments,
    /// It pauses within frames.
    Slow,
    /// It reads nothing for a while.
    Stall,
    /// It pings behind every message.
    Pings,
    /// It sets a deadline of some milliseconds.
    Deadline,
    // The others send a part of the messages, and then:
    Cancel,
    Close,
    /// FIN, or END_STREAM, while it goes on reading.
    HalfClose,
    /// FIN or END_STREAM, after which nothing is read.
    Vanish,
    Reset,
}

impl Fault {
    const DRAWN: [(u32, Self); 12] = [
        (50, Self::None),
        (4, Self::Bytes),
        (6, Self::Fragments),
        (5, Self::Slow),
        (4, Self::Stall),
        (5, Self::Pings),
        (4, Self::Deadline),
        (4, Self::Cancel),
        (4, Self::Close),
        (4, Self::HalfClose),
        (5, Self::Vanish),
        (5, Self::Reset),
    ];

    /// Whether the client ends the call before it has sent everything.
    pub(crate) const fn ends_early(self) -> bool {
        matches!(self, Self::Cancel | Self::Close | Self::HalfClose | Self::Vanish | Self::Reset)
    }

    /// Whether the client goes away without a word.
    pub(crate) const fn leaves(self) -> bool {
        matches!(self, Self::Close | Self::HalfClose | Self::Vanish | Self::Reset)
    }
}

/// One call.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) ask: Ask,
    pub(crate) fault: Fault,
    /// How many of its messages the client sends.
    pub(crate) part: usize,
    /// How long the client reads nothing, at first.
    pub(crate) stall: Duration,
    draw: Draw,
}

/// What shares a connection: one call over HTTP/1.1, or some over HTTP/2.
#[derive(Debug)]
pub(crate) struct Group {
    /// The flow-control window of each stream, for HTTP/2.
    pub(crate) http2: Option<u32>,
    pub(crate) calls: Vec<Plan>,
    /// What happens between the client and the gateway.
    pub(crate) breaks: Option<Breaks>,
}

impl Group {
    /// Draws the unit with this number.
    pub(crate) fn draw(seed: u64, number: u64) -> Self {
        let mut draw = numbered(seed, number);
        let http2 = draw.chance(0.3).then(|| {
            draw.weighted(&[(1, 1), (1, 17), (1, 100), (2, 1_000), (3, 65_535), (2, 1 << 20)], 65_535)
        });
        let calls = if http2.is_some() { draw.between(1, 8) } else { 1 };
        let breaks = draw.chance(0.25).then(|| Breaks::draw(&mut draw, 0.6));
        let calls = (0..calls)
            .map(|index| {
                let tag = format!("c{number}.{index}");
                let draw = numbered(seed ^ 0x5EED, number.wrapping_mul(16).wrapping_add(index.into()));
                Plan::draw(draw, tag, http2)
            })
            .collect();
        Self { http2, calls, breaks }
    }
}

impl Plan {
    fn draw(mut draw: Draw, tag: String, window: Option<u32>) -> Self {
        let method = draw.weighted(
            &[(4, Method::ServerStream), (4, Method::Bidi), (2, Method::ClientStream), (1, Method::Unary)],
            Method::Unary,
        );
        let fault = draw.weighted(&Fault::DRAWN, Fault::None);
        // A window of a few bytes takes a round trip for each few bytes.
        let tiny = window.is_some_and(|window| window < 1_000);
        let most = if tiny { 6 } else { 100 };
        let count = if draw.chance(0.05) { 0 } else { draw.spread(1, most) };
        let largest = if tiny { 8 } else { 12_000 };
        let size = if draw.chance(0.5) { draw.spread(1, largest) } else { 0 };
        let payload = if draw.chance(0.4) { draw.spread(1, largest / 3) } else { 0 };
        let first = draw.weighted(&[(1, 0), (1, 1), (1, 7), (1, 1 << 40)], 0);
        let mode = draw.weighted(&[(5, Mode::Json), (3, Mode::Seed), (4, Mode::Proto)], Mode::Json);
        let ask = Ask {
            count,
            size,
            payload: if method == Method::ServerStream { 0 } else { payload },
            first,
            fail: draw.weighted(&[(3, 0), (1, 5), (1, 13), (1, 16)], 0),
            flush_each: draw.chance(0.3),
            metadata: draw.chance(0.4),
            timeout_ms: (fault == Fault::Deadline).then(|| draw.spread(1, 60)),
            ..Ask::new(mode, method, tag)
        };
        let messages = usize::try_from(ask.requests()).unwrap_or(usize::MAX);
        // Methods that take many have `end_send` too, which is never sent here.
        let part = draw.below(messages + 1);
        let stall = if fault == Fault::Stall {
            Duration::from_secs_f64(draw.fraction() * 0.4)
        } else {
            Duration::ZERO
        };
        Self { ask, fault, part: if fault.ends_early() { part } else { usize::MAX }, stall, draw }
    }

    /// A call without a fault of its client.
    pub(crate) fn plain(ask: Ask) -> Self {
        Self { ask, fault: Fault::None, part: usize::MAX, stall: Duration::ZERO, draw: numbered(0, 0) }
    }

    /// Whether the client sends everything.
    pub(crate) fn ends(&self) -> bool {
        match self.ask.method.takes_many() {
            true => !self.fault.ends_early(),
            false => self.part > 0,
        }
    }

    /// The statuses that the call may end with besides the one that it asks for.
    pub(crate) fn others(&self) -> &'static [i32] {
        match self.fault {
            // `cancel` races with the status, and without a request there is none.
            Fault::Cancel => &[0, 1, 14],
            Fault::Deadline => &[1, 4, 14],
            _ => &[14],
        }
    }

    /// What the client does. `head` is the handshake of HTTP/1.1.
    pub(crate) fn script(&mut self, head: Option<String>) -> Script {
        /// Longer than every stop of a process.
        const LIMIT: Duration = Duration::from_secs(40);
        let (stall, closes) = (self.stall, self.fault == Fault::Close);
        Script { acts: self.acts(head), stall, closes, limit: LIMIT }
    }

    fn acts(&mut self, head: Option<String>) -> Vec<Act> {
        let Self { ask, fault, part, draw, .. } = self;
        let mut acts = Vec::new();
        let mut gathered = BytesMut::from(head.unwrap_or_default().as_bytes());
        let apart = matches!(fault, Fault::Reset | Fault::Vanish | Fault::Cancel | Fault::Close);
        if apart && draw.chance(0.5) {
            acts.push(Act::Write(gathered.split().freeze()));
            acts.push(Act::Wait(Duration::from_secs_f64(draw.fraction() * 0.01)));
        }
        for (opcode, payload) in ask.messages().take(*part) {
            match fault {
                Fault::Fragments if payload.len() > 3 => {
                    let (start, end) = payload.split_at(draw.below(payload.len()));
                    append(&mut gathered, opcode, false, start);
                    append(&mut gathered, PING, true, b"between");
                    append(&mut gathered, CONTINUATION, false, b"");
                    append(&mut gathered, CONTINUATION, true, end);
                }
                _ => append(&mut gathered, opcode, true, &payload),
            }
            match fault {
                Fault::Pings => {
                    append(&mut gathered, PING, true, b"y");
                    append(&mut gathered, TEXT, true, br#"{"type":"ping","pingId":3}"#);
                    append(&mut gathered, PONG, true, b"");
                }
                Fault::Slow => {
                    let rest = gathered.split_off(draw.below(gathered.len()));
                    acts.push(Act::Write(gathered.split().freeze()));
                    acts.push(Act::Wait(Duration::from_secs_f64(draw.fraction() * 0.005)));
                    gathered = rest;
                }
                _ => {}
            }
        }
        if *fault == Fault::Bytes {
            let bytes = gathered.split_to(gathered.len().min(400)).freeze();
            acts.extend((0..bytes.len()).map(|at| Act::Write(bytes.slice(at..=at))));
        }
        if !gathered.is_empty() {
            acts.push(Act::Write(gathered.freeze()));
        }
        if fault.ends_early() && draw.chance(0.7) {
            acts.push(Act::Wait(Duration::from_secs_f64(draw.fraction() * 0.02)));
        }
        acts.extend(match fault {
            Fault::Cancel => Some(Act::Write(frame(TEXT, br#"{"type":"cancel"}"#))),
            Fault::Close => Some(Act::Write(frame(CLOSE, &[0x03, 0xe8]))),
            Fault::HalfClose => Some(Act::HalfClose),
            Fault::Vanish => Some(Act::Vanish),
            Fault::Reset => Some(Act::Reset),
            _ => None,
        });
        acts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_draws_the_same_unit_again() {
        for number in 0..200 {
            let drawn = || format!("{:?}", Group::draw(5, number));
            assert_eq!(drawn(), drawn());
        }
    }

    #[test]
    fn a_client_that_ends_early_never_sends_its_end() {
        let end = frame(TEXT, br#"{"type":"end_send"}"#);
        let plans = (0..2_000).flat_map(|number| Group::draw(1, number).calls);
        for mut plan in plans.filter(|plan| plan.ask.method.takes_many()) {
            let written: Vec<u8> = plan
                .acts(None)
                .iter()
                .flat_map(|act| if let Act::Write(bytes) = act { bytes.to_vec() } else { Vec::new() })
                .collect();
            let ends = written.windows(end.len()).any(|window| *window == end);
            // A fragmented end looks different.
            assert!(ends == plan.ends() || plan.fault == Fault::Fragments, "{plan:?}");
        }
    }
}
