//! Krippendorff's alpha, with missing data and any number of raters (Krippendorff 2004, chapter 11).
//!
//! Alpha is 1 - observed / expected disagreement over pairable values: those on units that two raters or more judged.
//! Both sums are kept per cluster, so that an interval costs no more than weighted sums.

use std::collections::HashMap;

use serde::Serialize;

use crate::bootstrap::{Plan, Tally, interval, resample};
use crate::clusters::Clusters;
use crate::random::parallel;
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

/// Alpha for nominal data, on one thesis: yes or no.
pub(crate) fn nominal(ratings: &Ratings, thesis: usize, plan: Plan) -> Alpha {
    // Slots: observed disagreement, values "no", values "yes".
    let mut units = 0;
    let tally = Tally::new(&ratings.clusters, 3, |unit| {
        let votes = (0..ratings.raters()).filter_map(|r| ratings.votes(r, unit)[thesis]);
        let (mut no, mut yes) = (0.0, 0.0);
        votes.for_each(|v| if v { yes += 1.0 } else { no += 1.0 });
        if no + yes < 2.0 {
            return Vec::new();
        }
        units += 1;
        vec![(0, 2.0 * no * yes / (no + yes - 1.0)), (1, no), (2, yes)]
    });
    let alpha = |totals: &[f64]| {
        let n = totals[1] + totals[2];
        let expected = 2.0 * totals[1] * totals[2];
        (expected > 0.0).then(|| 1.0 - (n - 1.0) * totals[0] / expected)
    };
    finish(&tally, &ratings.clusters, units, plan, |totals| totals[1] + totals[2], alpha)
}

/// Alpha over whole sets of theses, with the MASI distance.
pub(crate) fn masi(ratings: &Ratings, plan: Plan) -> Alpha {
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
    // Most sets have nothing in common: only pairs that do are kept, with what they have.
    let mut alike: Vec<(u32, u32, f64)> = Vec::new();
    for (i, a) in sets.iter().enumerate() {
        for (j, b) in sets.iter().enumerate().skip(i + 1) {
            let similarity = 1.0 - masi_distance(a, b);
            if similarity > 0.0 {
                alike.push((i as u32, j as u32, similarity));
            }
        }
    }
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
    let alpha = |totals: &[f64]| {
        let counts = &totals[1..];
        let n: f64 = counts.iter().sum();
        let same: f64 = counts.iter().map(|c| c * c).sum();
        let close: f64 = alike.iter().map(|(i, j, s)| counts[*i as usize] * counts[*j as usize] * s).sum();
        let expected = n * n - same - 2.0 * close;
        (expected > 0.0).then(|| 1.0 - (n - 1.0) * totals[0] / expected)
    };
    let units = rated.iter().filter(|values| !values.is_empty()).count();
    finish(&tally, &ratings.clusters, units, plan, |totals| totals[1..].iter().sum(), alpha)
}

fn finish(
    tally: &Tally,
    clusters: &Clusters,
    units: usize,
    plan: Plan,
    values: impl Fn(&[f64]) -> f64,
    alpha: impl Fn(&[f64]) -> Option<f64> + Sync,
) -> Alpha {
    let mut totals = Vec::new();
    tally.weighted(&vec![1; clusters.count], &mut totals);
    let draws = if clusters.count < 2 || units == 0 { 0 } else { plan.draws };
    let drawn = parallel(draws, plan.threads, |draw| {
        let (mut weights, mut totals) = (Vec::new(), Vec::new());
        resample(clusters.count, plan.seed, draw, &mut weights);
        tally.weighted(&weights, &mut totals);
        alpha(&totals)
    });
    let drawn: Vec<f64> = drawn.into_iter().flatten().collect();
    Alpha { alpha: alpha(&totals), ci95: interval(&drawn), units, values: values(&totals) as usize }
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
