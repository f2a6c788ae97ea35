//! Random draws that a seed repeats.

use fastrand::Rng;

/// The generator of one numbered thing of a run. It depends on nothing but the seed and the number, so that the
/// thing can be drawn again alone.
pub(crate) fn numbered(seed: u64, number: u64) -> Draw {
    // Multiplied by an odd constant, so that neighbouring numbers get seeds far apart (splitmix64 does the same).
    Draw(Rng::with_seed(seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15))))
}

/// A generator with the distributions that the programs use.
#[derive(Debug)]
pub(crate) struct Draw(Rng);

impl Draw {
    /// A number from 0 to `limit - 1`; 0 where the limit is 0.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        if limit == 0 { 0 } else { self.0.usize(..limit) }
    }

    /// A number within the bounds, both included.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        self.0.u32(low..=high.max(low))
    }

    /// A number within the bounds whose logarithm is evenly spread, so that small ones are as frequent as large ones.
    pub(crate) fn spread(&mut self, low: u32, high: u32) -> u32 {
        let (low, high) = (f64::from(low.max(1)), f64::from(high.max(low).max(1)));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between two u32")]
        let drawn = (low * (high / low).powf(self.0.f64())).round() as u32;
        drawn
    }

    /// True with this probability.
    pub(crate) fn chance(&mut self, probability: f64) -> bool {
        self.0.f64() < probability
    }

    /// A number from 0 to 1.
    pub(crate) fn fraction(&mut self) -> f64 {
        self.0.f64()
    }

    /// One of several values; each has a weight. The last one where the weights are all 0.
    pub(crate) fn weighted<T: Copy>(&mut self, values: &[(u32, T)], otherwise: T) -> T {
        let total: u32 = values.iter().map(|(weight, _)| weight).sum();
        let mut drawn = self.0.u32(..total.max(1));
        for (weight, value) in values {
            match drawn.checked_sub(*weight) {
                Some(rest) => drawn = rest,
                None => return *value,
            }
        }
        otherwise
    }

    /// Puts the values into a random order.
    pub(crate) fn shuffle<T>(&mut self, values: &mut [T]) {
        self.0.shuffle(values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_draws_the_same_again_and_its_neighbour_does_not() {
        let drawn = |number| {
            let mut draw = numbered(7, number);
            (0..8).map(|_| draw.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(3), drawn(3));
        assert_ne!(drawn(3), drawn(4));
    }

    #[test]
    fn spread_stays_within_its_bounds() {
        let mut draw = numbered(1, 1);
        assert!((0..1_000).map(|_| draw.spread(3, 90)).all(|value| (3..=90).contains(&value)));
        assert_eq!(draw.spread(0, 0), 1);
    }

    #[test]
    fn weights_decide() {
        let mut draw = numbered(1, 2);
        assert!((0..100).all(|_| draw.weighted(&[(0, 'a'), (3, 'b')], 'c') == 'b'));
    }
}
