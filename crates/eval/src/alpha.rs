//! Krippendorff's alpha, with missing data and any number of raters (Krippendorff 2004, chapter 11).
//!
//! Alpha is 1 - observed / expected disagreement over pairable values: those on units that two raters or more judged.
//! Both sums are kept per cluster, so that an interval costs no more than weighted sums.

use std::collections::HashMap;

use serde::Serialize;

use crate::bootstrap::{Statistic, Tally};
use crate::ratings::Ratings;

/// Alpha with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Alpha {
    /// 1 for perfect agreement, 0 for chance; `None` if no unit has two raters, or if all values are the same, which
    /// leaves nothing to agree about.
    pub alpha: Option<f64>,
    /// 95 % bootstrap interval over the draws in which alpha is defined; `None` with fewer than two clusters.
    pub ci95: Option<[f64; 2]>,
    /// Units with two raters or more.
    pub units: usize,
    /// Values on those units.
    pub values: usize,
}

/// A statistic of alpha, with what it is computed from.
pub(crate) struct AlphaStatistic {
    pub(crate) statistic: Statistic,
    /// Units with two raters or more, and values on them, for each figure.
    sizes: Vec<(usize, usize)>,
}

impl AlphaStatistic {
    /// The figures with their intervals.
    pub(crate) fn finish(&self, intervals: Vec<Option<[f64; 2]>>) -> Vec<Alpha> {
        let figures = self.statistic.observed().into_iter().zip(intervals).zip(&self.sizes);
        figures.map(|((alpha, ci95), (units, values))| Alpha { alpha, ci95, units: *units, values: *values }).collect()
    }
}

/// Alpha for nominal data, yes or no, on each thesis.
pub(crate) fn nominal(ratings: &Ratings) -> AlphaStatistic {
    let mut sizes = vec![(0, 0); ratings.theses()];
    // Slots of thesis t: 3 t observed disagreement, 3 t + 1 values "no", 3 t + 2 values "yes".
    let tally = Tally::new(&ratings.clusters, 3 * ratings.theses(), |unit| {
        let mut entries = Vec::new();
        for (t, (units, values)) in sizes.iter_mut().enumerate() {
            let (mut no, mut yes) = (0.0, 0.0);
            let votes = (0..ratings.raters()).filter_map(|r| ratings.votes(r, unit)[t]);
            votes.for_each(|v| if v { yes += 1.0 } else { no += 1.0 });
            if no + yes >= 2.0 {
                *units += 1;
                *values += (no + yes) as usize;
                entries.extend([(3 * t, 2.0 * no * yes / (no + yes - 1.0)), (3 * t + 1, no), (3 * t + 2, yes)]);
            }
        }
        entries
    });
    let figures = |totals: &[f64], figures: &mut Vec<Option<f64>>| {
        figures.extend(totals.chunks_exact(3).map(|sums| {
            let expected = 2.0 * sums[1] * sums[2];
            (expected > 0.0).then(|| 1.0 - (sums[1] + sums[2] - 1.0) * sums[0] / expected)
        }));
    };
    AlphaStatistic { statistic: Statistic { tally, figures: Box::new(figures) }, sizes }
}

/// Alpha over whole sets of theses, with the MASI distance.
pub(crate) fn masi(ratings: &Ratings) -> AlphaStatistic {
    let mut numbers: HashMap<Vec<usize>, usize> = HashMap::new();
    let mut rated: Vec<Vec<usize>> = Vec::with_capacity(ratings.units());
    for unit in 0..ratings.units() {
        let sets: Vec<Vec<usize>> = (0..ratings.raters()).filter_map(|r| ratings.set_of(r, unit)).collect();
        let pairable = sets.len() > 1;
        let number = |set| {
            let next = numbers.len();
            *numbers.entry(set).or_insert(next)
        };
        rated.push(if pairable { sets.into_iter().map(number).collect() } else { Vec::new() });
    }
    let mut sets = vec![Vec::new(); numbers.len()];
    numbers.into_iter().for_each(|(set, i)| sets[i] = set);
    // Slots: observed disagreement, then the number of values of each set.
    let tally = Tally::new(&ratings.clusters, 1 + sets.len(), |unit| {
        let values = &rated[unit];
        let mut entries: Vec<(usize, f64)> = values.iter().map(|v| (1 + v, 1.0)).collect();
        let mut disagreement = 0.0;
        for (i, a) in values.iter().enumerate() {
            disagreement += values[i + 1..].iter().map(|b| masi_distance(&sets[*a], &sets[*b])).sum::<f64>();
        }
        if values.len() > 1 {
            entries.push((0, 2.0 * disagreement / (values.len() - 1) as f64));
        }
        entries
    });
    let sizes = vec![(rated.iter().filter(|v| !v.is_empty()).count(), rated.iter().map(Vec::len).sum())];
    let mut observed = vec![0.0; sets.len()];
    rated.iter().flatten().for_each(|v| observed[*v] += 1.0);
    let n: f64 = observed.iter().sum();
    let nearness: Vec<f64> = nearness(&sets, &observed).into_iter().map(|s| s / n).collect();
    let base: f64 = observed.iter().zip(&nearness).map(|(count, s)| count / n * s).sum();
    let figures = move |totals: &[f64], figures: &mut Vec<Option<f64>>| {
        let counts = &totals[1..];
        let n: f64 = counts.iter().sum();
        let same: f64 = counts.iter().map(|c| c * c).sum();
        // How near two values of different sets are on average is a quadratic form of the shares of the sets; over
        // thousands of sets only its tangent at the observed shares is affordable. It is exact for the data itself,
        // and off by the square of the change of shares in a draw.
        let near: f64 = 2.0 * counts.iter().zip(&nearness).map(|(count, s)| count / n * s).sum::<f64>() - base;
        let expected = n * n * (1.0 - near) - same;
        // Equal sets leave a rest of rounding and nothing to agree about.
        let varied = n > 0.0 && expected > 1e-9 * n * n;
        figures.push(varied.then(|| 1.0 - (n - 1.0) * totals[0] / expected));
    };
    AlphaStatistic { statistic: Statistic { tally, figures: Box::new(figures) }, sizes }
}

/// For each set, its similarity to the other sets, added up over their counts.
fn nearness(sets: &[Vec<usize>], counts: &[f64]) -> Vec<f64> {
    let mut near = vec![0.0; sets.len()];
    for (i, a) in sets.iter().enumerate() {
        for (j, b) in sets.iter().enumerate().skip(i + 1) {
            let similarity = 1.0 - masi_distance(a, b);
            near[i] += similarity * counts[j];
            near[j] += similarity * counts[i];
        }
    }
    near
}

/// MASI distance of two sets, given in order: 1 - Jaccard x monotonicity, which is 1 for equal sets, 2/3 if one holds
/// the other, 1/3 if they overlap, else 0 (Passonneau 2006). Two empty sets are equal; an empty and another set have
/// nothing in common.
pub fn masi_distance(a: &[usize], b: &[usize]) -> f64 {
    if a == b {
        return 0.0;
    }
    let both = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
    let either = a.len() + b.len() - both;
    let monotonicity = if both == 0 {
        0.0
    } else if both == a.len().min(b.len()) {
        2.0 / 3.0
    } else {
        1.0 / 3.0
    };
    1.0 - both as f64 / either as f64 * monotonicity
}

#[cfg(test)]
mod tests {
    use lundian_core::{Label, Paragraph, Sample, Stance};

    use super::*;
    use crate::bootstrap::{Plan, interval, intervals, resample};
    use crate::random::Random;

    /// The interval from the tangent against one that computes expected disagreement anew in each draw.
    #[test]
    fn the_tangent_is_close_enough() {
        let mut random = Random::of_draw(5, 5);
        let mut file = |noise: usize| -> Vec<Sample> {
            let sample = |i: usize| {
                let mut given: Vec<usize> = (0..6).filter(|t| (i * 7 + t * 3) % 11 < 2).collect();
                given.extend((0..6).filter(|_| random.below(100) < noise));
                given.sort_unstable();
                given.dedup();
                let labels = given.into_iter().map(|thesis| Label { thesis, stance: Stance::Endorse, evidence: None });
                let paragraph = Paragraph { id: i.to_string(), doc: (i / 4).to_string(), ..Paragraph::default() };
                Sample { paragraph, labels: labels.collect(), ..Sample::default() }
            };
            (0..240).map(sample).collect()
        };
        let (x, y) = (file(5), file(10));
        let ratings = Ratings::of_files(&[("x", &x), ("y", &y)], 6);
        let plan = Plan { draws: 100, seed: 3, threads: 2 };
        let got = intervals(&[&masi(&ratings).statistic], ratings.clusters.count, plan)[0][0].unwrap();

        let exact = |draw: usize| {
            let mut weights = Vec::new();
            resample(ratings.clusters.count, plan.seed, draw, &mut weights);
            let mut values: Vec<Vec<usize>> = Vec::new();
            let mut observed = 0.0;
            for unit in 0..ratings.units() {
                for _ in 0..weights[ratings.clusters.of_row[unit]] {
                    let pair = [ratings.set_of(0, unit).unwrap(), ratings.set_of(1, unit).unwrap()];
                    observed += 2.0 * masi_distance(&pair[0], &pair[1]);
                    values.extend(pair);
                }
            }
            let n = values.len() as f64;
            let expected: f64 = values.iter().map(|a| values.iter().map(|b| masi_distance(a, b)).sum::<f64>()).sum();
            1.0 - (n - 1.0) * observed / expected
        };
        let drawn = crate::random::parallel(plan.draws, 2, exact);
        let expected = interval(&drawn).unwrap();
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 2e-3, "{got} {expected}");
        }
    }
}
