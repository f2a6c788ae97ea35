//! Which fields and oneofs of a message were there already.

/// A set of small numbers, on the stack up to 128.
#[derive(Default)]
pub(super) struct Seen {
    small: u128,
    large: Vec<u64>,
}

impl Seen {
    /// Adds a number; `false` where it was in the set.
    #[inline]
    pub(super) fn insert(&mut self, number: u32) -> bool {
        match 1_u128.checked_shl(number) {
            Some(bit) => {
                let new = self.small & bit == 0;
                self.small |= bit;
                new
            }
            None => self.insert_large(number),
        }
    }

    /// Numbers are indices of fields and oneofs: the table bounds them, not the text.
    fn insert_large(&mut self, number: u32) -> bool {
        let word = (number / 64) as usize;
        if word >= self.large.len() {
            self.large.resize(word + 1, 0);
        }
        let bit = 1 << (number % 64);
        let Some(word) = self.large.get_mut(word) else {
            return true;
        };
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    pub(super) fn contains(&self, number: u32) -> bool {
        match 1_u128.checked_shl(number) {
            Some(bit) => self.small & bit != 0,
            None => self.large.get((number / 64) as usize).is_some_and(|word| word >> (number % 64) & 1 != 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_numbers() {
        let mut seen = Seen::default();
        for number in [0, 1, 63, 64, 127, 128, 129, 5000] {
            assert!(!seen.contains(number));
            assert!(seen.insert(number));
            assert!(seen.contains(number));
            assert!(!seen.insert(number));
        }
        assert!(!seen.contains(4999));
    }
}
