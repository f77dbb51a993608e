//! Percentile intervals from a cluster bootstrap (Efron and Tibshirani 1993, chapter 13; Cameron, Gelbach and Miller
//! 2008 for clusters).
//!
//! The decision that makes it fast: counts are added up per cluster once, and kept sparse, so that a draw is a
//! weighted sum over clusters and never looks at a paragraph. All systems see the same draws, which makes differences
//! between them paired.

use crate::clusters::Clusters;
use crate::labels::Labels;
use crate::metrics::{Counts, macro_average, micro};
use crate::random::{Random, parallel};

/// How often, from which seed and with how many threads to draw.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) draws: usize,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
}

/// Sums of each cluster, sparse: `(slot, sum)` for what is not 0. Counts in floating point are exact to 2^53.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    slots: usize,
    starts: Vec<usize>,
    entries: Vec<(u32, f64)>,
}

impl Tally {
    /// Adds up `(slot, count)` pairs, given row by row, for each cluster.
    pub(crate) fn new<I: IntoIterator<Item = (usize, f64)>>(
        clusters: &Clusters,
        slots: usize,
        mut row: impl FnMut(usize) -> I,
    ) -> Self {
        let mut rows_of: Vec<Vec<usize>> = vec![Vec::new(); clusters.count];
        for (i, cluster) in clusters.of_row.iter().enumerate() {
            rows_of[*cluster].push(i);
        }
        let mut dense = vec![0.0; slots];
        let mut touched = Vec::new();
        let (mut starts, mut entries) = (vec![0], Vec::new());
        for rows in rows_of {
            for (slot, count) in rows.into_iter().flat_map(&mut row) {
                touched.push(slot);
                dense[slot] += count;
            }
            touched.sort_unstable();
            touched.dedup();
            for slot in touched.drain(..) {
                let count = std::mem::take(&mut dense[slot]);
                if count != 0.0 {
                    entries.push((slot as u32, count));
                }
            }
            starts.push(entries.len());
        }
        Self { slots, starts, entries }
    }

    /// Entries of one cluster.
    pub(crate) fn cluster(&self, cluster: usize) -> &[(u32, f64)] {
        &self.entries[self.starts[cluster]..self.starts[cluster + 1]]
    }

    /// Totals of the data itself.
    pub(crate) fn totals(&self) -> Vec<f64> {
        let mut totals = Vec::new();
        self.weighted(&vec![1; self.starts.len() - 1], &mut totals);
        totals
    }

    /// Totals with every cluster counted `weights[cluster]` times.
    pub(crate) fn weighted(&self, weights: &[u32], totals: &mut Vec<f64>) {
        totals.clear();
        totals.resize(self.slots, 0.0);
        for (cluster, weight) in weights.iter().enumerate().filter(|(_, w)| **w > 0) {
            for (slot, count) in self.cluster(cluster) {
                totals[*slot as usize] += count * f64::from(*weight);
            }
        }
    }
}

/// How often each of `clusters` is drawn, when as many are drawn as there are.
pub(crate) fn resample(clusters: usize, seed: u64, draw: usize, weights: &mut Vec<u32>) {
    weights.clear();
    weights.resize(clusters, 0);
    let mut random = Random::of_draw(seed, draw);
    for _ in 0..clusters {
        weights[random.below(clusters)] += 1;
    }
}

/// From sums to figures.
type Figures = dyn Fn(&[f64], &mut Vec<Option<f64>>) + Sync;

/// Figures that are made from the sums of a [`Tally`].
pub(crate) struct Statistic {
    pub(crate) tally: Tally,
    /// Pushes the figures, the same number each time; `None` where one is not defined.
    pub(crate) figures: Box<Figures>,
}

impl Statistic {
    /// The figures of the data itself.
    pub(crate) fn observed(&self) -> Vec<Option<f64>> {
        let mut figures = Vec::new();
        (self.figures)(&self.tally.totals(), &mut figures);
        figures
    }
}

/// Intervals of all figures of several statistics, over the draws in which each is defined; all from the same draws,
/// since drawing costs more than counting.
pub(crate) fn intervals(statistics: &[&Statistic], clusters: usize, plan: Plan) -> Vec<Vec<Option<[f64; 2]>>> {
    let draws = if clusters < 2 { 0 } else { plan.draws };
    let drawn = parallel(draws, plan.threads, |draw| {
        let (mut weights, mut totals) = (Vec::new(), Vec::new());
        resample(clusters, plan.seed, draw, &mut weights);
        let mut all = Vec::new();
        for statistic in statistics {
            statistic.tally.weighted(&weights, &mut totals);
            (statistic.figures)(&totals, &mut all);
        }
        all
    });
    let mut column = 0;
    let mut next = || {
        let values: Vec<f64> = drawn.iter().filter_map(|figures| figures[column]).collect();
        column += 1;
        interval(&values)
    };
    statistics.iter().map(|s| s.observed().iter().map(|_| next()).collect()).collect()
}

/// F1 figures of one system in every draw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draws {
    /// Micro F1 of each draw.
    pub(crate) micro: Vec<f64>,
    /// Macro F1 of each draw.
    pub(crate) macro_average: Vec<f64>,
    /// F1 of each thesis, in the draws in which it occurs.
    pub(crate) theses: Vec<Vec<f64>>,
}

/// Draws all systems' F1 figures. The macro average of a draw is over the theses that occur in it, as the macro
/// average of a file is over those that occur there. Empty with fewer than two clusters: resampling one thing says
/// nothing.
pub(crate) fn draw(gold: &Labels, systems: &[&Labels], clusters: &Clusters, plan: Plan) -> Vec<Draws> {
    let theses = gold.theses();
    let mut drawn = vec![Draws { theses: vec![Vec::new(); theses], ..Draws::default() }; systems.len()];
    if clusters.count < 2 {
        return drawn;
    }
    let support = support_tally(gold, clusters);
    let tallies: Vec<Tally> = systems.iter().map(|labels| prediction_tally(gold, labels, clusters)).collect();
    let f1s = |draw: usize| {
        let mut weights = Vec::new();
        let mut there = Vec::new();
        let mut given = Vec::new();
        resample(clusters.count, plan.seed, draw, &mut weights);
        support.weighted(&weights, &mut there);
        let one = |tally: &Tally| {
            tally.weighted(&weights, &mut given);
            let counts: Vec<Counts> = (0..theses)
                .map(|t| Counts {
                    tp: given[2 * t] as u64,
                    predicted: given[2 * t + 1] as u64,
                    support: there[t] as u64,
                })
                .collect();
            let by_thesis: Vec<f64> = counts.iter().map(|c| if c.support > 0 { c.f1() } else { f64::NAN }).collect();
            (micro(&counts).f1, macro_average(&counts).f1, by_thesis)
        };
        tallies.iter().map(one).collect::<Vec<_>>()
    };
    for figures in parallel(plan.draws, plan.threads, f1s) {
        for (system, (micro, macro_average, theses)) in drawn.iter_mut().zip(figures) {
            system.micro.push(micro);
            system.macro_average.push(macro_average);
            for (all, f1) in system.theses.iter_mut().zip(theses).filter(|(_, f1)| !f1.is_nan()) {
                all.push(f1);
            }
        }
    }
    drawn
}

/// Support of each thesis, by cluster.
fn support_tally(gold: &Labels, clusters: &Clusters) -> Tally {
    Tally::new(clusters, gold.theses(), |row| given(gold.row(row)).map(|t| (t, 1.0)))
}

/// True positives (slot `2 t`) and predictions (slot `2 t + 1`) of each thesis, by cluster.
pub(crate) fn prediction_tally(gold: &Labels, predicted: &Labels, clusters: &Clusters) -> Tally {
    Tally::new(clusters, 2 * gold.theses(), |row| {
        let right = gold.row(row);
        given(predicted.row(row)).flat_map(move |t| [(2 * t, f64::from(u8::from(right[t]))), (2 * t + 1, 1.0)])
    })
}

/// Indices of the theses that are given.
pub(crate) fn given(row: &[bool]) -> impl Iterator<Item = usize> {
    row.iter().enumerate().filter(|(_, given)| **given).map(|(t, _)| t)
}

/// The interval that holds the middle 95 % of `values`; `None` without values.
pub(crate) fn interval(values: &[f64]) -> Option<[f64; 2]> {
    if values.is_empty() {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    Some([percentile(&sorted, 0.025), percentile(&sorted, 0.975)])
}

/// Linear interpolation between closest ranks (type 7 of Hyndman and Fan 1996, numpy's default).
fn percentile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    let share = at - below as f64;
    sorted[below] + share * (sorted[above] - sorted[below])
}
