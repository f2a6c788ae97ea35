//! What is common to all of the direction: the state, and how it stops.

use std::ops::Range;

use crate::error::{ToJsonError, ToJsonErrorKind};
use crate::missing::MissingTypes;
use crate::options::{MAX_RECURSION_LIMIT, MarshalOptions};
use crate::path::Segment;
use crate::room::{SLACK, make_room};
use crate::table::{Field, TableData};
use crate::wire::{Malformed, Reader};

/// Why a message is not printed to its end.
pub(super) enum Stop {
    /// The fast path met a field that is not in order: everything starts again, sorting. Starting from the
    /// outermost message, and once, bounds the work to twice the input; to redo only the message at hand would
    /// double the work with each level of nesting.
    Disorder,
    Failed(ToJsonError),
}

impl From<Malformed> for Stop {
    #[cold]
    fn from(malformed: Malformed) -> Self {
        let kind = ToJsonErrorKind::Malformed(malformed.reason.text());
        Self::Failed(ToJsonError::new(kind, malformed.offset))
    }
}

impl Stop {
    #[cold]
    pub(super) fn new(kind: ToJsonErrorKind, offset: usize) -> Self {
        Self::Failed(ToJsonError::new(kind, offset))
    }

    #[cold]
    pub(super) fn within_field(self, field: &Field) -> Self {
        self.within(|| Segment::Field(field.name.clone()))
    }

    #[cold]
    pub(super) fn within_index(self, index: usize) -> Self {
        self.within(|| Segment::Index(index))
    }

    #[cold]
    pub(super) fn within(self, segment: impl FnOnce() -> Segment) -> Self {
        match self {
            Self::Disorder => Self::Disorder,
            Self::Failed(error) => Self::Failed(error.within(segment())),
        }
    }
}

pub(super) type Step<T = ()> = Result<T, Stop>;

/// What is printed for fields that are not set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unpopulated {
    Omit,
    Defaults,
    DefaultsAndNull,
}

/// Where a map's entry is in the output; it ends where the next one starts.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) key_end: usize,
}

/// The state of one call.
pub(super) struct Writer<'a> {
    pub(super) table: &'a TableData,
    pub(super) input: &'a [u8],
    pub(super) out: Vec<u8>,
    pub(super) proto_names: bool,
    pub(super) enum_numbers: bool,
    pub(super) opaque_any: bool,
    /// What the table lacks, where somebody wants to know.
    pub(super) missing: Option<&'a mut MissingTypes>,
    pub(super) unpopulated: Unpopulated,
    /// Sort the fields of each message before they are printed.
    pub(super) any_order: bool,
    /// Entries of the maps that are being printed, the innermost map's last.
    pub(super) spans: Vec<Span>,
    recursion_limit: u32,
    /// From which length of `out` on something has to be done, because what is written next may end beyond its capacity or
    /// its limit: [`SLACK`] before the nearer of both. One comparison finds out both.
    full_at: usize,
    /// Where `out` may end at most.
    limit: usize,
    max_size: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(table: &'a TableData, input: &'a [u8], options: &MarshalOptions, out: Vec<u8>) -> Self {
        let max_size = usize::try_from(options.max_size).unwrap_or(usize::MAX);
        let limit = out.len().saturating_add(max_size);
        Self {
            table,
            input,
            full_at: full_at(&out, limit),
            limit,
            max_size: options.max_size,
            out,
            proto_names: options.use_proto_names,
            enum_numbers: options.use_enum_numbers,
            opaque_any: options.opaque_any,
            missing: None,
            unpopulated: if options.emit_unpopulated {
                Unpopulated::DefaultsAndNull
            } else if options.emit_default_values {
                Unpopulated::Defaults
            } else {
                Unpopulated::Omit
            },
            any_order: false,
            spans: Vec::new(),
            recursion_limit: options.recursion_limit.min(MAX_RECURSION_LIMIT),
        }
    }

    /// Takes back what was printed from `start` on, and sorts from now on.
    #[cold]
    pub(super) fn start_again(&mut self, start: usize) {
        self.out.truncate(start);
        self.spans.clear();
        self.any_order = true;
    }

    pub(super) fn recursion_limit(&self) -> u32 {
        self.recursion_limit
    }

    pub(super) fn outermost(&mut self, index: u32) -> Step {
        let all = 0..self.input.len();
        self.message(index, std::slice::from_ref(&all), self.recursion_limit)?;
        // Below this length there is nothing to check: it is below the limit.
        if self.out.len() >= self.full_at { self.check_size(0, self.input.len()) } else { Ok(()) }
    }

    /// Makes room for `need` bytes and some more, when the input is read up to `read`; fails where the output is longer
    /// than it may be. All that prints in a loop calls it in each turn.
    #[inline]
    pub(super) fn make_room(&mut self, need: usize, read: usize) -> Step {
        // Neither is beyond half of the address space.
        if self.out.len() + need >= self.full_at {
            self.grow(need, read)?;
        }
        Ok(())
    }

    #[cold]
    fn grow(&mut self, need: usize, read: usize) -> Step {
        self.check_size(need, read)?;
        make_room(&mut self.out, need, read, self.input.len());
        self.full_at = full_at(&self.out, self.limit);
        Ok(())
    }

    /// Fails where the output is longer than it may be, or will be with `need` bytes more.
    #[cold]
    fn check_size(&self, need: usize, read: usize) -> Step {
        if self.out.len().saturating_add(need) > self.limit {
            return Err(Stop::new(ToJsonErrorKind::TooLarge(self.max_size), read));
        }
        Ok(())
    }

    /// One level deeper; `depth` is how many more there may be.
    #[inline]
    pub(super) fn deeper(&self, depth: u32, offset: usize) -> Step<u32> {
        depth.checked_sub(1).ok_or_else(|| Stop::new(ToJsonErrorKind::RecursionLimit, offset))
    }

    #[inline]
    pub(super) fn key(&mut self, field: &Field) {
        let key = if self.proto_names { &field.proto_key } else { &field.json_key };
        key.put(&mut self.out);
    }

    /// Ends an object or array, each member of which has put a comma behind itself.
    #[inline]
    pub(super) fn close(&mut self, bracket: u8) {
        match self.out.last_mut() {
            Some(last) if *last == b',' => *last = bracket,
            _ => self.out.push(bracket),
        }
    }

    /// Goes over all fields of a message that may be in pieces; what `visit` does not read is skipped.
    pub(super) fn scan(
        &self,
        pieces: &[Range<usize>],
        mut visit: impl FnMut(u32, u8, &mut Reader<'a>) -> Step<bool>,
    ) -> Step {
        for piece in pieces {
            let mut reader = Reader::within(self.input, piece);
            while !reader.is_at_end() {
                let (number, wire_type) = reader.tag()?;
                if !visit(number, wire_type, &mut reader)? {
                    reader.skip(number, wire_type)?;
                }
            }
        }
        Ok(())
    }
}

/// See [`Writer::full_at`].
fn full_at(out: &Vec<u8>, limit: usize) -> usize {
    out.capacity().min(limit).saturating_sub(SLACK)
}
