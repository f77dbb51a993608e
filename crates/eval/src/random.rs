//! A small seeded generator, so that a figure can be made again on any machine and with any number of threads.
//!
//! Every draw has a generator of its own, made from the seed and the number of the draw: the draws may then be
//! shared out among threads in any way.

/// SplitMix64 (Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// The generator of draw number `draw`.
    pub(crate) fn of_draw(seed: u64, draw: usize) -> Self {
        let mut mixed = Self(seed ^ (draw as u64).wrapping_mul(0xD1B5_4A32_D192_ED03));
        Self(mixed.next())
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number in `0..n` (multiply-shift; its bias of `n / 2^64` is far below the noise of any bootstrap).
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

/// Calls `work` for each number in `0..n`, shared out among `threads` threads, and returns the results in order.
pub(crate) fn parallel<T: Send>(n: usize, threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let threads = threads.clamp(1, n.max(1));
    let chunk = n.div_ceil(threads);
    let work = &work;
    std::thread::scope(|scope| {
        let ranges = (0..threads).map(|t| (t * chunk).min(n)..((t + 1) * chunk).min(n));
        let handles: Vec<_> = ranges.map(|range| scope.spawn(move || range.map(work).collect::<Vec<T>>())).collect();
        handles.into_iter().flat_map(|h| h.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // First outputs of SplitMix64 from state 0, as in the reference implementation.
        let mut r = Random(0);
        assert_eq!([r.next(), r.next()], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
    }

    #[test]
    fn even_and_in_order_with_any_number_of_threads() {
        let mut counts = [0; 5];
        let mut r = Random::of_draw(1, 2);
        (0..50_000).for_each(|_| counts[r.below(5)] += 1);
        assert!(counts.iter().all(|c| (9_600..10_400).contains(c)), "{counts:?}");
        for threads in [0, 1, 3, 100] {
            assert_eq!(parallel(7, threads, |i| i * i), [0, 1, 4, 9, 16, 25, 36]);
        }
        assert!(parallel(0, 4, |i| i).is_empty());
    }
}
