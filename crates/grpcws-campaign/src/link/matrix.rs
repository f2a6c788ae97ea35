//! What is combined in a stream over a link, drawn so that each pair of values meets.

use std::collections::HashSet;

use super::emulator::Shape;
use crate::ask::{Ask, Method, Mode};
use crate::draw::{Draw, numbered};
use crate::servers::Times;

/// What stands between the link and the gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Direct,
    Nginx,
    Haproxy,
}

/// What the client says besides its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// It pings, and answers pings.
    Pings,
    Answers,
    /// It answers nothing but the close frame.
    Silent,
    /// It answers pings, grants credit as it reads, and keeps to the receive window.
    Grants,
}

/// How the bytes of a stream are divided into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    Small,
    Medium,
    /// One message has them all.
    Whole,
}

const RATES: [u32; 5] = [20_000, 60_000, 200_000, 1_000_000, 10_000_000];
const ROUND_TRIPS: [u64; 4] = [1, 30, 100, 300];
const PATHS: [Path; 3] = [Path::Direct, Path::Nginx, Path::Haproxy];
const CLIENTS: [Client; 4] = [Client::Pings, Client::Answers, Client::Silent, Client::Grants];
const MODES: [Mode; 3] = [Mode::Seed, Mode::Json, Mode::Proto];
const TIMES: [Times; 2] = [Times::Default, Times::Scaled];
const METHODS: [Method; 3] = [Method::ServerStream, Method::ClientStream, Method::Bidi];
const SIZES: [Sizes; 3] = [Sizes::Small, Sizes::Medium, Sizes::Whole];

/// The kernel buffers of a link with small ones. The system doubles them.
const SMALL: usize = 4 << 10;

/// The number of values of each axis, in the order of [`Case`]'s fields.
const AXES: [usize; 10] = [5, 4, 2, 3, 4, 2, 3, 2, 3, 3];

/// The index of a value on each axis.
type Point = [usize; AXES.len()];

/// One combination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(crate) rate: u32,
    pub(crate) round_trip_ms: u64,
    pub(crate) large_buffers: bool,
    pub(crate) path: Path,
    pub(crate) client: Client,
    pub(crate) http2: bool,
    pub(crate) mode: Mode,
    pub(crate) times: Times,
    pub(crate) method: Method,
    pub(crate) sizes: Sizes,
}

impl Case {
    fn at(point: &Point) -> Option<Self> {
        let [rate, round_trip, buffers, path, client, http2, mode, times, method, sizes] = *point;
        Some(Self {
            rate: *RATES.get(rate)?,
            round_trip_ms: *ROUND_TRIPS.get(round_trip)?,
            large_buffers: buffers == 1,
            path: *PATHS.get(path)?,
            client: *CLIENTS.get(client)?,
            http2: http2 == 1,
            mode: *MODES.get(mode)?,
            times: *TIMES.get(times)?,
            method: *METHODS.get(method)?,
            sizes: *SIZES.get(sizes)?,
        })
    }

    /// Whether there is such a stream, and PROTOCOL promises that it is complete.
    fn is_possible(&self) -> bool {
        // Debian's nginx passes no extended CONNECT on, and there is no credit in seed mode.
        let unknown = (self.path == Path::Nginx && self.http2)
            || (self.mode == Mode::Seed && self.client == Client::Grants);
        // A proxy acknowledges what it still has to deliver. A client that says nothing while a proxy delivers that
        // for longer than the linger, and then answers an old ping, finds the gateway gone (PROTOCOL §5).
        let proxied = self.path != Path::Direct || self.large_buffers;
        let slow = self.rate <= 200_000 && self.times == Times::Scaled;
        let unheard = proxied && slow && self.client == Client::Answers;
        !(unknown || unheard)
    }

    pub(crate) fn shape(&self) -> Shape {
        Shape {
            rate: self.rate,
            round_trip: std::time::Duration::from_millis(self.round_trip_ms),
            buffer: (!self.large_buffers).then_some(SMALL),
        }
    }

    /// How long the stream takes at the rate of its link, in milliseconds. On slow links that is longer than the
    /// times of the gateway that were seen to cut streams: the linger, and for scaled times all others.
    fn duration(&self, draw: &mut Draw, long: bool) -> u32 {
        let silent = self.client == Client::Silent && self.method != Method::ClientStream;
        match (self.rate, self.times) {
            // Without an answer to its pings the gateway has to end the stream; an echo takes twice its time.
            (_, Times::Scaled) if silent => draw.between(200, 800),
            (..=200_000, Times::Scaled) => draw.between(7_000, 12_000),
            (..=60_000, Times::Default) if long && !silent && draw.chance(0.1) => {
                draw.between(95_000, 130_000)
            }
            (..=200_000, Times::Default) => draw.between(12_000, if long { 40_000 } else { 24_000 }),
            (..=1_000_000, _) => draw.between(1_000, if long { 6_000 } else { 3_000 }),
            _ => draw.between(100, if long { 1_000 } else { 300 }),
        }
    }

    /// A call of a length that is drawn for this combination, and the time that its bytes take.
    pub(crate) fn ask(&self, draw: &mut Draw, tag: String, long: bool) -> (Ask, u32) {
        /// The largest payload whose JSON text is below the limit of 4 MiB.
        const LARGEST: u64 = 3_000_000;
        let milliseconds = self.duration(draw, long);
        // The smallest buffers do not fill the fastest links, and silence has its limit in time.
        let fastest =
            if self.client == Client::Silent && self.times == Times::Scaled { 300_000 } else { u32::MAX };
        let wire = u64::from(self.rate.min(fastest)) * u64::from(milliseconds) / 1_000;
        let bytes = if self.mode == Mode::Proto { wire } else { wire * 3 / 4 };
        let size = match self.sizes {
            Sizes::Small => draw.spread(1, 500).into(),
            Sizes::Medium => draw.spread(1_000, 100_000).into(),
            Sizes::Whole => bytes,
        };
        let size = size.clamp(1, bytes.clamp(1, LARGEST));
        // A small message has an envelope that is as long as itself.
        let count = (bytes / (size + 40)).clamp(1, 20_000);
        let [size, count] = [size, count].map(|number| u32::try_from(number).unwrap_or(u32::MAX));
        let sends = self.method.takes_many();
        let fail = draw.weighted(&[(8, 0), (1, 5), (1, 16)], 0);
        let ask = Ask {
            count,
            size: if sends { 0 } else { size },
            payload: if sends { size } else { 0 },
            first: i64::from(draw.between(0, 1 << 20)),
            fail: if self.method == Method::ServerStream { fail } else { 0 },
            flush_each: draw.chance(0.3),
            metadata: draw.chance(0.5),
            credit: (self.client == Client::Grants).then(|| (self.rate / 2).clamp(16 << 10, 256 << 10)),
            ..Ask::new(self.mode, self.method, tag)
        };
        // HAProxy takes 64 KiB of a stream of HTTP/2 in a round trip.
        let windows = wire / u64::from(u16::MAX) * self.round_trip_ms;
        let held_back = match self.path {
            Path::Haproxy if self.http2 && sends => u32::try_from(windows).unwrap_or(u32::MAX),
            _ => 0,
        };
        (ask, milliseconds.max(held_back))
    }
}

/// Draws as many combinations as asked for, and as many as it takes for each possible pair of values.
pub(crate) fn draw(seed: u64, streams: usize) -> Vec<Case> {
    let mut draw = numbered(seed, u64::MAX);
    let mut missing = pairs();
    let mut cases = Vec::new();
    while let Some(((first, one), (second, two))) = missing.iter().min().copied() {
        // Of several combinations with this pair, the one that has most of the other missing pairs.
        let drawn = (0..60).filter_map(|_| {
            let mut point = any(&mut draw);
            set(&mut point, first, one);
            set(&mut point, second, two);
            possible(&point)
                .map(|case| (covers(&point).filter(|pair| missing.contains(pair)).count(), point, case))
        });
        let Some((_, point, case)) = drawn.max_by_key(|(new, ..)| *new) else { continue };
        missing.retain(|pair| !covers(&point).any(|covered| covered == *pair));
        cases.push(case);
    }
    while cases.len() < streams {
        cases.extend(possible(&any(&mut draw)));
    }
    draw.shuffle(&mut cases);
    cases
}

/// A value on an axis, and another one on a later axis.
type Pair = ((usize, usize), (usize, usize));

fn any(draw: &mut Draw) -> Point {
    AXES.map(|values| draw.below(values))
}

fn set(point: &mut Point, axis: usize, value: usize) {
    if let Some(place) = point.get_mut(axis) {
        *place = value;
    }
}

fn possible(point: &Point) -> Option<Case> {
    Case::at(point).filter(Case::is_possible)
}

fn covers(point: &Point) -> impl Iterator<Item = Pair> + '_ {
    let values = point.iter().copied().enumerate();
    values.clone().flat_map(move |first| {
        values.clone().filter(move |second| second.0 > first.0).map(move |second| (first, second))
    })
}

/// Every pair that some possible combination has.
fn pairs() -> HashSet<Pair> {
    let mut draw = numbered(0, 0);
    // There are a few hundred pairs, each of which a drawn combination has with a probability of 1/25 or more.
    (0..20_000)
        .map(|_| any(&mut draw))
        .filter(|point| possible(point).is_some())
        .flat_map(|point| covers(&point).collect::<Vec<_>>())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_of_values_is_drawn_unless_it_cannot_be() {
        let all: usize = (0..AXES.len()).flat_map(|b| (0..b).map(move |a| AXES[a] * AXES[b])).sum();
        // nginx with HTTP/2, and credit with seed mode.
        assert_eq!(pairs().len(), all - 2);
        for seed in 0..20 {
            let cases = draw(seed, 200);
            assert_eq!(cases.len(), 200);
            assert!(cases.iter().all(Case::is_possible));
            for rate in RATES {
                for client in CLIENTS {
                    assert!(cases.iter().any(|case| case.rate == rate && case.client == client));
                }
            }
        }
    }

    #[test]
    fn a_seed_draws_the_same_again() {
        assert_eq!(draw(9, 100), draw(9, 100));
        assert_ne!(draw(9, 100), draw(10, 100));
    }

    #[test]
    fn slow_links_carry_streams_that_outlast_the_linger() {
        let mut drawn = numbered(1, 1);
        let slow =
            draw(1, 300).into_iter().filter(|case| case.rate <= 200_000 && case.client != Client::Silent);
        for case in slow {
            let (_, milliseconds) = case.ask(&mut drawn, String::new(), false);
            assert!(milliseconds >= 7_000, "{case:?}");
        }
    }
}
