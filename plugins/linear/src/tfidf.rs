//! From texts to feature vectors: sublinear TF-IDF of character n-grams, of length 1.
//!
//! A feature's value is `(1 + ln tf) · idf` with `idf = 1 + ln((1 + N) / (1 + df))`, where `tf` counts the n-gram in
//! the paragraph, `df` the paragraphs with it and `N` all of them; each vector is then divided by its Euclidean norm.
//! These are the formulas of scikit-learn's `TfidfVectorizer(sublinear_tf=True)`.
//!
//! The decision that matters: n-grams are counted once for all samples. A fold of cross-fitting then takes its own
//! document frequencies and its own choice of features from the counts, and never sees those of the rows held out.

use std::collections::HashMap;
use std::ops::RangeInclusive;

use crate::ngram::{self, Vocabulary};
use crate::solver::Rows;

/// `1 + ln((1 + texts) / (1 + df))`.
pub(crate) fn idf(texts: usize, df: u32) -> f32 {
    ((1.0 + texts as f64) / (1.0 + f64::from(df))).ln() as f32 + 1.0
}

/// `1 + ln tf`, for `tf` above 0.
#[inline]
pub(crate) fn sublinear(tf: u32) -> f32 {
    if tf == 1 { 1.0 } else { 1.0 + (tf as f32).ln() }
}

/// How often each text has each n-gram.
pub(crate) struct Counts {
    /// All n-grams that at least two texts have, in the order of their bytes.
    ngrams: Vec<Box<str>>,
    /// By text: `(n-gram, times)`, n-grams ascending.
    texts: Vec<Vec<(u32, u32)>>,
}

/// The features that a set of texts gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Features {
    /// Of each n-gram of the counts, the number of its feature.
    numbers: Vec<Option<u32>>,
    /// Of each feature, its n-gram in the counts.
    ngrams: Vec<u32>,
    /// Of each feature, how many of the texts have it.
    pub(crate) df: Vec<u32>,
    /// Of each feature, its inverse document frequency.
    idf: Vec<f32>,
    /// Number of texts.
    pub(crate) texts: usize,
}

impl Features {
    /// The features that `keep` holds for, numbered anew. Document frequencies stay as they are.
    pub(crate) fn retain(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept: Vec<usize> = (0..self.ngrams.len()).filter(|&feature| keep(feature)).collect();
        let mut numbers = vec![None; self.numbers.len()];
        for (number, &feature) in kept.iter().enumerate() {
            numbers[self.ngrams[feature] as usize] = Some(number as u32);
        }
        Self {
            numbers,
            ngrams: kept.iter().map(|&feature| self.ngrams[feature]).collect(),
            df: kept.iter().map(|&feature| self.df[feature]).collect(),
            idf: kept.iter().map(|&feature| self.idf[feature]).collect(),
            texts: self.texts,
        }
    }
}

impl Counts {
    /// Counts the n-grams of `lengths` characters in normalised texts.
    pub(crate) fn new(texts: &[String], lengths: &RangeInclusive<usize>) -> Self {
        // First by hash, in order of appearance; the strings are kept where an n-gram was first met.
        let mut numbers: HashMap<u64, u32> = HashMap::new();
        let mut ngrams: Vec<(String, u32)> = Vec::new();
        let mut counted: Vec<Vec<(u32, u32)>> = Vec::with_capacity(texts.len());
        for text in texts {
            let mut hits = Vec::new();
            ngram::for_each(text, lengths, |hash, range| {
                let number = *numbers.entry(hash).or_insert_with(|| {
                    ngrams.push((text[range].to_ascii_lowercase(), 0));
                    (ngrams.len() - 1) as u32
                });
                hits.push(number);
            });
            hits.sort_unstable();
            let row: Vec<(u32, u32)> = hits.chunk_by(|a, b| a == b).map(|run| (run[0], run.len() as u32)).collect();
            for (number, _) in &row {
                ngrams[*number as usize].1 += 1;
            }
            counted.push(row);
        }
        // Then by the order of bytes, without those that only one text has: they can never carry over to another.
        let mut order: Vec<u32> = (0..ngrams.len() as u32).filter(|&n| ngrams[n as usize].1 > 1).collect();
        order.sort_unstable_by(|&a, &b| ngrams[a as usize].0.cmp(&ngrams[b as usize].0));
        order.dedup_by(|a, b| ngrams[*a as usize].0 == ngrams[*b as usize].0);
        let mut place = vec![None; ngrams.len()];
        for (new, &old) in order.iter().enumerate() {
            place[old as usize] = Some(new as u32);
        }
        for row in &mut counted {
            *row = row.iter().filter_map(|&(old, tf)| Some((place[old as usize]?, tf))).collect();
            row.sort_unstable();
        }
        let ngrams = order.iter().map(|&old| std::mem::take(&mut ngrams[old as usize].0).into_boxed_str()).collect();
        Self { ngrams, texts: counted }
    }

    /// The features of the texts numbered `among`: n-grams that at least `min_df` of them have, the most frequent
    /// `max_features` if there are more.
    pub(crate) fn features(&self, among: &[usize], min_df: u32, max_features: usize) -> Features {
        let mut df = vec![0u32; self.ngrams.len()];
        for &text in among {
            for (ngram, _) in &self.texts[text] {
                df[*ngram as usize] += 1;
            }
        }
        let mut ngrams: Vec<u32> = (0..df.len() as u32).filter(|&n| df[n as usize] >= min_df).collect();
        if ngrams.len() > max_features {
            ngrams.sort_by_key(|&n| std::cmp::Reverse(df[n as usize]));
            ngrams.truncate(max_features);
            ngrams.sort_unstable();
        }
        let mut numbers = vec![None; df.len()];
        for (number, &ngram) in ngrams.iter().enumerate() {
            numbers[ngram as usize] = Some(number as u32);
        }
        let df: Vec<u32> = ngrams.iter().map(|&n| df[n as usize]).collect();
        let idf = df.iter().map(|&df| idf(among.len(), df)).collect();
        Features { numbers, ngrams, df, idf, texts: among.len() }
    }

    /// The feature vectors of the texts numbered `among`.
    pub(crate) fn rows(&self, features: &Features, among: &[usize]) -> Rows {
        let mut rows = Rows::new(features.ngrams.len());
        for &text in among {
            let mut row: Vec<(u32, f32)> = self.texts[text]
                .iter()
                .filter_map(|&(ngram, tf)| {
                    let feature = features.numbers[ngram as usize]?;
                    Some((feature, sublinear(tf) * features.idf[feature as usize]))
                })
                .collect();
            let norm = row.iter().map(|(_, v)| v * v).sum::<f32>().sqrt();
            if norm > 0.0 {
                row.iter_mut().for_each(|(_, v)| *v /= norm);
            }
            rows.push(row);
        }
        rows
    }

    /// The vocabulary of `features`.
    ///
    /// # Errors
    /// If two n-grams have one hash; another seed does not help, another corpus would.
    pub(crate) fn vocabulary(&self, features: &Features) -> Result<Vocabulary, String> {
        Vocabulary::new(features.ngrams.iter().map(|&n| self.ngrams[n as usize].clone()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_by_hand() {
        let texts = ["产能产", "产", "能"].map(String::from);
        let counts = Counts::new(&texts, &(1..=2));
        let features = counts.features(&[0, 1, 2], 2, 10);
        assert_eq!(features.df, [2, 2]);
        let rows = counts.rows(&features, &[0]);
        // 产 twice and 能 once, of equal idf: 1 + ln 2 to 1, scaled to length 1.
        let ratio = rows.row(0)[0].1 / rows.row(0)[1].1;
        assert!((ratio - (1.0 + 2f32.ln())).abs() < 1e-6);
        assert!((rows.row(0).iter().map(|(_, v)| v * v).sum::<f32>() - 1.0).abs() < 1e-6);
        assert!((idf(3, 2) - (1.0 + (4f32 / 3.0).ln())).abs() < 1e-6);
    }

    #[test]
    fn vectors_equal_those_of_scikit_learn() {
        #[derive(serde::Deserialize)]
        struct Reference {
            texts: Vec<String>,
            ngrams: Vec<Box<str>>,
            rows: Vec<Vec<(u32, f32)>>,
        }
        let reference: Reference = serde_json::from_str(include_str!("../tests/parity.json")).unwrap();
        let counts = Counts::new(&reference.texts, &(1..=3));
        let all: Vec<usize> = (0..reference.texts.len()).collect();
        let features = counts.features(&all, 2, usize::MAX);
        assert_eq!(counts.vocabulary(&features).unwrap().ngrams(), reference.ngrams);
        let rows = counts.rows(&features, &all);
        for (i, wanted) in reference.rows.iter().enumerate() {
            let found = rows.row(i);
            assert_eq!(found.len(), wanted.len());
            for (found, wanted) in found.iter().zip(wanted) {
                assert!(found.0 == wanted.0 && (found.1 - wanted.1).abs() < 1e-5, "{found:?} for {wanted:?}");
            }
        }
    }

    #[test]
    fn the_most_frequent_features_stay() {
        let texts = ["甲乙", "甲乙丙", "甲丙", "甲"].map(String::from);
        let counts = Counts::new(&texts, &(1..=1));
        let features = counts.features(&[0, 1, 2, 3], 1, 1);
        assert_eq!(counts.vocabulary(&features).unwrap().ngrams(), [Box::from("甲")]);
        // Frequencies are those of the chosen texts only.
        assert_eq!(counts.features(&[0, 3], 1, 9).df, [1, 2]);
    }

    #[test]
    fn vectors_have_length_1_over_the_features_that_are_kept() {
        let counts = Counts::new(&["甲乙", "甲乙丙", "甲丙", "甲"].map(String::from), &(1..=1));
        let all = counts.features(&[0, 1, 2, 3], 1, 9);
        let kept = all.retain(|feature| feature < 2);
        assert_eq!(counts.vocabulary(&kept).unwrap().ngrams(), &counts.vocabulary(&all).unwrap().ngrams()[..2]);
        assert_eq!((kept.df.as_slice(), kept.texts), (&all.df[..2], 4));
        for (row, length) in [(0, 1), (1, 2), (3, 0)] {
            let rows = counts.rows(&kept, &[row]);
            let squares: f32 = rows.row(0).iter().map(|(_, v)| v * v).sum();
            assert!(rows.row(0).len() == length && (squares - f32::from(u8::from(length > 0))).abs() < 1e-6);
        }
    }
}
