//! Enum types: number → quoted name, name → number.

use super::descriptor::EnumDescriptor;
use super::names::NameIndex;
use super::quoted::Quoted;

/// An enum type.
pub(crate) struct EnumType {
    pub(crate) full_name: Box<str>,
    pub(crate) closed: bool,
    /// `google.protobuf.NullValue`, which is JSON `null`.
    pub(crate) null_value: bool,
    /// The number of the first value, which is the default.
    pub(crate) first: i32,
    /// Number → index in `values`.
    by_number: Vec<(i32, u32)>,
    /// Number → index in `values`, for the numbers from 0 on; `None` in the gaps.
    by_small_number: Vec<Option<u32>>,
    values: Vec<Value>,
    by_name: NameIndex,
}

struct Value {
    number: i32,
    quoted: Quoted,
}

impl EnumType {
    pub(super) fn new(full_name: String, closed: bool, descriptor: &EnumDescriptor<'_>) -> Self {
        let mut values = Vec::with_capacity(descriptor.values.len());
        let mut by_name = NameIndex::default();
        let mut by_number = Vec::with_capacity(descriptor.values.len());
        for (index, (name, number)) in (0..).zip(&descriptor.values) {
            values.push(Value { number: *number, quoted: Quoted::value(name) });
            by_name.insert(name, index);
            by_number.push((*number, index));
        }
        // Stable and then without repetitions: of two names of one number, the first declared one is printed.
        by_number.sort_by_key(|&(number, _)| number);
        by_number.dedup_by_key(|&mut (number, _)| number);
        let room = 4 * values.len() + 16;
        let mut by_small_number = Vec::new();
        for &(number, index) in &by_number {
            match usize::try_from(number) {
                Ok(number) if number < room => {
                    by_small_number.resize(number, None);
                    by_small_number.push(Some(index));
                }
                _ => {}
            }
        }
        Self {
            null_value: full_name == "google.protobuf.NullValue",
            full_name: full_name.into(),
            closed,
            first: descriptor.values.first().map_or(0, |&(_, number)| number),
            by_number,
            by_small_number,
            values,
            by_name,
        }
    }

    /// The name of this number, in quotes.
    #[inline]
    pub(crate) fn quoted_name(&self, number: i32) -> Option<&Quoted> {
        let small = usize::try_from(number).ok().and_then(|number| self.by_small_number.get(number));
        let index = match small {
            Some(index) => (*index)?,
            None => self.other_number(number)?,
        };
        self.values.get(index as usize).map(|value| &value.quoted)
    }

    #[cold]
    fn other_number(&self, number: i32) -> Option<u32> {
        let at = self.by_number.binary_search_by_key(&number, |&(number, _)| number).ok()?;
        self.by_number.get(at).map(|&(_, index)| index)
    }

    #[inline]
    pub(crate) fn number(&self, name: &[u8]) -> Option<i32> {
        let index = self.by_name.find(name)?;
        self.values.get(index as usize).map(|value| value.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names() {
        let values = vec![("ZERO", 0), ("NEGATIVE", -5), ("TWO", 2), ("ZWEI", 2), ("LARGE", i32::MAX)];
        let descriptor = EnumDescriptor { name: "E", values, ..EnumDescriptor::default() };
        let found = EnumType::new("p.E".to_owned(), false, &descriptor);
        let quoted = |number| found.quoted_name(number).map(Quoted::quoted);
        assert_eq!(quoted(0), Some(&b"\"ZERO\""[..]));
        assert_eq!(quoted(2), Some(&b"\"TWO\""[..]));
        assert_eq!(quoted(-5), Some(&b"\"NEGATIVE\""[..]));
        assert_eq!(quoted(i32::MAX), Some(&b"\"LARGE\""[..]));
        for missing in [1, 3, -1, i32::MIN, 1_000_000] {
            assert_eq!(quoted(missing), None);
        }
        assert_eq!(found.number(b"ZWEI"), Some(2));
        assert_eq!(found.number(b"zwei"), None);
    }
}
