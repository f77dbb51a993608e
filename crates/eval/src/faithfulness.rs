//! Does the evidence carry the score? Delete it, and the score should fall further than when a random span of the
//! same length is deleted (comprehensiveness of ERASER, DeYoung et al. 2020, against a random rationale).

use std::ops::Range;

use serde::Serialize;

use crate::metrics::mean;
use crate::random::Random;

/// One score with the evidence that is said to carry it.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim<'a> {
    /// Text of the paragraph.
    pub text: &'a str,
    /// Index of the thesis.
    pub thesis: usize,
    /// Its score on the whole text.
    pub score: f32,
    /// Evidence: bytes of the text, on character boundaries.
    pub evidence: Range<usize>,
}

/// What deleting evidence does. Figures are `None` if no claim could be tested.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Faithfulness {
    /// Claims tested: those whose evidence is shorter than the text.
    pub tested: usize,
    /// Mean fall of the score without the evidence.
    pub drop: Option<f64>,
    /// Mean fall of the score without a random span of the same length.
    pub random_drop: Option<f64>,
    /// Share of claims where the evidence matters more than the random span; ties count a half.
    pub wins: Option<f64>,
}

/// Tests claims. `score` is given a text and a thesis and returns the score, NaN where the system abstains, which
/// counts as 0.
///
/// # Errors
/// The first error of `score`.
pub fn faithfulness<E>(
    claims: &[Claim<'_>],
    seed: u64,
    mut score: impl FnMut(&str, usize) -> Result<f32, E>,
) -> Result<Faithfulness, E> {
    let (mut drops, mut random_drops, mut wins) = (Vec::new(), Vec::new(), Vec::new());
    for (i, claim) in claims.iter().enumerate() {
        let Some(other) = random_span(claim, seed, i) else { continue };
        let mut fall = |span: &Range<usize>| {
            let rest = format!("{}{}", &claim.text[..span.start], &claim.text[span.end..]);
            let left = score(&rest, claim.thesis)?;
            Ok::<f64, E>(f64::from(claim.score) - if left.is_nan() { 0.0 } else { f64::from(left) })
        };
        let (drop, random) = (fall(&claim.evidence)?, fall(&other)?);
        wins.push(match drop.total_cmp(&random) {
            std::cmp::Ordering::Greater => 1.0,
            std::cmp::Ordering::Equal => 0.5,
            std::cmp::Ordering::Less => 0.0,
        });
        drops.push(drop);
        random_drops.push(random);
    }
    Ok(Faithfulness { tested: drops.len(), drop: mean(drops), random_drop: mean(random_drops), wins: mean(wins) })
}

/// A span of as many characters as the evidence, anywhere else; `None` if the evidence is the whole text or is not on
/// character boundaries.
fn random_span(claim: &Claim<'_>, seed: u64, number: usize) -> Option<Range<usize>> {
    let width = claim.text.get(claim.evidence.clone())?.chars().count();
    let mut bounds: Vec<usize> = claim.text.char_indices().map(|(i, _)| i).collect();
    bounds.push(claim.text.len());
    let starts = bounds.len().checked_sub(width)?;
    let own = bounds.iter().position(|b| *b == claim.evidence.start)?;
    if width == 0 || starts < 2 {
        return None;
    }
    // One start fewer to choose from, and those from the evidence's own on moved up by one.
    let drawn = Random::of_draw(seed, number).below(starts - 1);
    let start = drawn + usize::from(drawn >= own);
    Some(bounds[start]..bounds[start + width])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_that_carries_the_score_wins() {
        let text = "甲乙丙丁戊论点己庚";
        let at = text.find("论点").unwrap();
        let claim = |evidence: Range<usize>| Claim { text, thesis: 0, score: 1.0, evidence };
        let keyword = |t: &str, _: usize| Ok::<f32, ()>(if t.contains("论点") { 1.0 } else { f32::NAN });
        let good: Vec<_> = (0..50).map(|_| claim(at..at + 6)).collect();
        let f = faithfulness(&good, 7, keyword).unwrap();
        assert_eq!((f.tested, f.drop), (50, Some(1.0)));
        assert!(f.random_drop.unwrap() < 0.6 && f.wins.unwrap() > 0.7, "{f:?}");
        let bad: Vec<_> = (0..50).map(|_| claim(0..6)).collect();
        assert!(faithfulness(&bad, 7, keyword).unwrap().wins.unwrap() <= 0.5);
        let whole = [claim(0..text.len()), claim(1..2)];
        assert_eq!(faithfulness(&whole, 7, keyword).unwrap(), Faithfulness::default());
        assert_eq!(faithfulness(&good, 7, |_, _| Err("down")), Err("down"));
    }

    #[test]
    fn the_random_span_is_another_one_of_the_same_length() {
        let claim = Claim { text: "论点abc", thesis: 0, score: 1.0, evidence: 3..7 };
        for i in 0..100 {
            let span = random_span(&claim, 1, i).unwrap();
            assert!(span != (3..7) && claim.text[span].chars().count() == 2);
        }
    }
}
