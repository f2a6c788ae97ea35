//! Room in the output, where that gets large.
//!
//! A `Vec` that is full doubles, and has both sizes while it moves. Of a hundred megabytes that is up to three hundred.
//! How much of the input has been read, and what came of it, tells how large the output will be: a large buffer
//! grows to that, and never to more than twice its size, since the beginning of the input may be chosen to mislead.

/// Smaller outputs double.
const LARGE: usize = 1 << 20;

/// What is written between two calls of [`make_room`], other than strings and bytes that are long.
pub(crate) const SLACK: usize = 256;

/// Strings and bytes from this length on are counted before they are written.
pub(crate) const LONG: usize = 4096;

/// Makes room for `need` bytes and some more, after `read` bytes of an input of `length`.
#[inline]
pub(crate) fn make_room(out: &mut Vec<u8>, need: usize, read: usize, length: usize) {
    if out.capacity() - out.len() < need.saturating_add(SLACK) {
        grow(out, need.saturating_add(SLACK), read, length);
    }
}

#[cold]
fn grow(out: &mut Vec<u8>, need: usize, read: usize, length: usize) {
    let written = out.len();
    if written.saturating_add(need) < LARGE {
        return out.reserve(need);
    }
    let likely = written as u128 * length as u128 / read.max(1) as u128;
    let likely = usize::try_from(likely + likely / 32).unwrap_or(usize::MAX).saturating_add(SLACK);
    let wanted = likely.min(out.capacity().saturating_mul(2)).max(written.saturating_add(need));
    // A little more each time, or many steps would each copy everything.
    out.reserve_exact((wanted - written).max(written / 32));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_buffers_double_and_large_ones_grow_to_what_is_likely() {
        let mut out = vec![0; 1000];
        make_room(&mut out, 0, 10, 1_000_000);
        assert!(out.capacity() < 10_000);
        let mut out = vec![0; 2 * LARGE];
        make_room(&mut out, 0, 3_000_000, 4_000_000);
        assert!((2_700_000..3_000_000).contains(&out.capacity()), "{}", out.capacity());
        let mut out = vec![0; 2 * LARGE];
        make_room(&mut out, 0, 1, 1_000_000_000);
        assert!(out.capacity() <= 4 * LARGE, "{}", out.capacity());
        make_room(&mut out, 9 * LARGE, 2, 1_000_000_000);
        assert!(out.capacity() >= 11 * LARGE, "{}", out.capacity());
    }
}
