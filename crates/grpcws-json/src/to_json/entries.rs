//! The entries of a map: reading one, and leaving out those that a later one with the same key supersedes.

use std::collections::HashSet;
use std::ops::Range;

use super::writer::{Span, Step, Stop, Writer};
use crate::wire::{Malformed, Reader};

/// Up to this many entries, comparing each with each beats hashing.
const FEW: usize = 8;

/// A map's entry on the wire. Readers stand at the value, behind its tag.
pub(super) struct Entry<'a> {
    pub(super) key: Option<Reader<'a>>,
    pub(super) value: Option<Reader<'a>>,
    /// Where the value is there more than once and is a message: all but the last.
    earlier_values: Vec<Reader<'a>>,
}

impl<'a> Entry<'a> {
    pub(super) fn read(
        input: &'a [u8],
        range: &Range<usize>,
        key_type: u8,
        value_type: u8,
    ) -> Result<Self, Malformed> {
        let mut entry = Self { key: None, value: None, earlier_values: Vec::new() };
        let mut reader = Reader::within(input, range);
        while !reader.is_at_end() {
            let (number, wire_type) = reader.tag()?;
            if number == 1 && wire_type == key_type {
                entry.key = Some(reader);
            } else if number == 2 && wire_type == value_type {
                entry.earlier_values.extend(entry.value.replace(reader));
            }
            reader.skip(number, wire_type)?;
        }
        Ok(entry)
    }

    /// Calls `print` with the payloads of a value that is a message: with an empty one at `offset` where there is none.
    pub(super) fn with_value_pieces(
        &self,
        offset: usize,
        print: impl FnOnce(&[Range<usize>]) -> Step,
    ) -> Step {
        match self.value {
            Some(value) => with_pieces(&self.earlier_values, value, print),
            None => print(std::slice::from_ref(&(offset..offset))),
        }
    }
}

/// Calls `print` with the payloads that the readers stand at, the last one of which is nearly always the only one.
pub(super) fn with_pieces(
    earlier: &[Reader<'_>],
    mut last: Reader<'_>,
    print: impl FnOnce(&[Range<usize>]) -> Step,
) -> Step {
    let last = last.payload()?;
    if earlier.is_empty() {
        return print(&[last]);
    }
    let mut pieces = Vec::with_capacity(earlier.len() + 1);
    for reader in earlier {
        let mut reader = *reader;
        pieces.push(reader.payload()?);
    }
    pieces.push(last);
    print(&pieces)
}

impl Writer<'_> {
    /// Forgets all entries of a large map from `first` on, except for the last one, where their keys ascend in one of the
    /// orders, and from then on have to go on in that `order`. A map that does not is printed once more, from the
    /// beginning of the message.
    #[inline]
    pub(super) fn forget_ascending(&mut self, first: usize, order: Option<Order>) -> Step<Option<Order>> {
        let spans = self.spans.get(first..).unwrap_or_default();
        if self.any_order || spans.len() < 2 {
            return Ok(order);
        }
        let found = match order {
            Some(order) if order.is_ascending(&self.out, spans) => Some(order),
            Some(_) => return Err(Stop::Disorder),
            None => Order::of(&self.out, spans),
        };
        if found.is_some() {
            self.spans.drain(first..self.spans.len() - 1);
        }
        Ok(found)
    }

    /// Leaves only the last entry of each key, and forgets the spans from `first` on.
    #[inline]
    pub(super) fn close_entries(&mut self, first: usize, marks: Marks) {
        if marks.same {
            self.drop_superseded(first);
        }
        self.spans.truncate(first);
    }

    fn drop_superseded(&mut self, first: usize) {
        let spans = self.spans.get(first..).unwrap_or_default();
        if !are_distinct(&self.out, spans) {
            let kept = last_of_each(&self.out, spans);
            if let Some(span) = spans.first() {
                self.out.truncate(span.start);
                self.out.extend_from_slice(&kept);
            }
        }
    }
}

/// The quoted key: equal keys are printed equally.
fn key<'o>(out: &'o [u8], span: &Span) -> &'o [u8] {
    out.get(span.start..span.key_end).unwrap_or_default()
}

/// What tells the keys of most small maps apart while they are printed: a bit for each, which is another one for other keys.
#[derive(Clone, Copy, Default)]
pub(super) struct Marks {
    bits: u64,
    same: bool,
}

impl Marks {
    /// Adds the last key that was printed. Equal keys have the same bit: that of the length and of the last bytes, in which
    /// names that are counted differ.
    #[inline]
    pub(super) fn add(&mut self, out: &[u8], span: &Span) {
        let length = span.key_end - span.start;
        let Some(last) = out.get(..span.key_end).and_then(<[u8]>::last_chunk) else {
            // At the beginning of the output.
            self.same = true;
            return;
        };
        let last = u64::from_le_bytes(*last) >> (64 - 8 * length.min(8));
        let bit = 1 << ((last ^ (length as u64) << 56).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 58);
        self.same |= self.bits & bit != 0;
        self.bits |= bit;
    }
}

fn are_distinct(out: &[u8], spans: &[Span]) -> bool {
    if spans.len() <= FEW {
        let differ = |(at, one)| spans.iter().take(at).all(|other| key(out, one) != key(out, other));
        return spans.iter().enumerate().all(differ);
    }
    // Many encoders write maps sorted; then one pass tells.
    if Order::of(out, spans).is_some() {
        return true;
    }
    let mut seen = HashSet::with_capacity(spans.len());
    spans.iter().all(|span| seen.insert(key(out, span)))
}

/// How keys are sorted.
#[derive(Clone, Copy)]
pub(super) enum Order {
    Text,
    /// As numbers that are not negative.
    Number,
}

impl Order {
    fn of(out: &[u8], spans: &[Span]) -> Option<Self> {
        [Self::Text, Self::Number].into_iter().find(|order| order.is_ascending(out, spans))
    }

    fn is_ascending(self, out: &[u8], spans: &[Span]) -> bool {
        let digits = |span| key(out, span).len();
        spans.is_sorted_by(|one, other| match self {
            Self::Text => key(out, one) < key(out, other),
            Self::Number => (digits(one), key(out, one)) < (digits(other), key(out, other)),
        })
    }
}

fn last_of_each(out: &[u8], spans: &[Span]) -> Vec<u8> {
    let mut seen = HashSet::with_capacity(spans.len());
    let mut kept = Vec::with_capacity(spans.len());
    let mut end = out.len();
    for span in spans.iter().rev() {
        if seen.insert(key(out, span)) {
            kept.push(span.start..end);
        }
        end = span.start;
    }
    kept.into_iter().rev().flat_map(|range| out.get(range).unwrap_or_default()).copied().collect()
}
