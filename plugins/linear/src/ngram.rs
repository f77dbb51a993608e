//! Character n-grams of a text, known by their hashes, and the vocabulary that they are looked up in.
//!
//! The decision that matters: an n-gram is looked up by a 64-bit hash that grows with each character, so that all
//! n-grams from one place cost one multiplication each and no string is ever built. The vocabulary keeps the strings
//! only to be written and read by people; two of its n-grams with one hash are refused, and a stranger meets one by
//! chance less than once in 10¹¹ look-ups.

use std::ops::{Range, RangeInclusive};

/// The hash of the empty n-gram.
const EMPTY: u64 = 0x243f_6a88_85a3_08d3;

/// The hash of an n-gram that `c` makes longer by one character. ASCII letters count as lower-case.
#[inline]
fn extend(hash: u64, c: char) -> u64 {
    (hash.rotate_left(5) ^ u64::from(c.to_ascii_lowercase())).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The hash of `ngram`.
fn hash_of(ngram: &str) -> u64 {
    ngram.chars().fold(EMPTY, extend)
}

/// Calls `found` with the hash and the bytes of each n-gram of `text` whose length in characters is in `lengths`.
#[inline]
pub(crate) fn for_each(text: &str, lengths: &RangeInclusive<usize>, mut found: impl FnMut(u64, Range<usize>)) {
    let (least, most) = (*lengths.start(), *lengths.end());
    for (start, _) in text.char_indices() {
        let mut hash = EMPTY;
        for (n, (at, c)) in text[start..].char_indices().take(most).enumerate() {
            hash = extend(hash, c);
            if n + 1 >= least {
                found(hash, start..start + at + c.len_utf8());
            }
        }
    }
}

/// The n-grams that a model knows, numbered from 0 in the order of their bytes.
#[derive(Clone, Debug)]
pub(crate) struct Vocabulary {
    ngrams: Vec<Box<str>>,
    /// Open addressing with linear probing; at most half full. Free places have [`FREE`] as their number.
    slots: Vec<(u64, u32)>,
    shift: u32,
}

const FREE: u32 = u32::MAX;

impl Vocabulary {
    /// A vocabulary of `ngrams`, which must be in lower case and ascend strictly.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn new(ngrams: Vec<Box<str>>) -> Result<Self, String> {
        if let Some(pair) = ngrams.windows(2).find(|pair| pair[0] >= pair[1]) {
            return Err(format!("n-gram {:?} does not come after {:?}", pair[1], pair[0]));
        }
        let bits = (2 * ngrams.len().max(2)).next_power_of_two().trailing_zeros();
        let mut slots = vec![(0, FREE); 1 << bits];
        let mask = slots.len() - 1;
        let shift = u64::BITS - bits;
        for (number, ngram) in ngrams.iter().enumerate() {
            let hash = hash_of(ngram);
            let mut at = (hash >> shift) as usize;
            while slots[at].1 != FREE {
                if slots[at].0 == hash {
                    return Err(format!("n-grams {:?} and {ngram:?} have one hash", ngrams[slots[at].1 as usize]));
                }
                at = (at + 1) & mask;
            }
            slots[at] = (hash, number as u32);
        }
        Ok(Self { ngrams, slots, shift })
    }

    /// Number of n-grams.
    pub(crate) fn len(&self) -> usize {
        self.ngrams.len()
    }

    /// The n-grams, in the order of their numbers.
    pub(crate) fn ngrams(&self) -> &[Box<str>] {
        &self.ngrams
    }

    /// The number of the n-gram with this hash.
    #[inline]
    pub(crate) fn get(&self, hash: u64) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = (hash >> self.shift) as usize;
        loop {
            match self.slots[at] {
                (_, FREE) => return None,
                (h, number) if h == hash => return Some(number),
                _ => at = (at + 1) & mask,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, lengths: RangeInclusive<usize>) -> Vec<&str> {
        let mut found = Vec::new();
        for_each(text, &lengths, |_, range| found.push(&text[range]));
        found
    }

    #[test]
    fn every_ngram_once_from_each_place() {
        assert_eq!(all("产能a", 1..=2), ["产", "产能", "能", "能a", "a"]);
        assert_eq!(all("产能过剩", 2..=3), ["产能", "产能过", "能过", "能过剩", "过剩"]);
        assert!(all("", 1..=5).is_empty());
    }

    #[test]
    fn look_up_by_hash_whatever_the_case() {
        let ngrams: Vec<Box<str>> = ["gdp", "产", "产能", "能"].map(Into::into).into();
        let vocabulary = Vocabulary::new(ngrams).unwrap();
        let mut found = Vec::new();
        for_each("产能GDP", &(1..=3), |hash, range| found.extend(vocabulary.get(hash).map(|n| (n, range.start))));
        assert_eq!(found, [(1, 0), (2, 0), (3, 3), (0, 6)]);
    }

    #[test]
    fn disorder_and_doubles_are_refused() {
        assert!(Vocabulary::new(["能", "产"].map(Into::into).into()).unwrap_err().contains("does not come after"));
        assert!(Vocabulary::new(["产", "产"].map(Into::into).into()).is_err());
        assert_eq!(Vocabulary::new(Vec::new()).unwrap().get(hash_of("产")), None);
    }
}
