//! How far raters agree, people or systems, without asking who is right.
//!
//! Kappa sinks when a label is rare, however well raters agree (Feinstein and Cicchetti 1990), so Gwet's AC1 and the
//! raw counts stand beside it. Raters who share no unit get no number.

use lundian_core::Taxonomy;
use serde::Serialize;

use crate::alpha::{Alpha, masi, nominal};
use crate::bootstrap::{Plan, Statistic, Tally, intervals};
use crate::metrics::{mean, ratio};
use crate::ratings::Ratings;

/// Agreement of all raters.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// The raters, with what they rated.
    pub raters: Vec<RaterSummary>,
    /// Units that anybody rated.
    pub units: usize,
    /// Units that two raters or more rated.
    pub shared_units: usize,
    /// Krippendorff's alpha over sets of theses, with the MASI distance.
    pub masi: Alpha,
    /// Krippendorff's alpha on each thesis, in the taxonomy's order.
    pub per_thesis: Vec<ThesisAgreement>,
    /// Each pair of raters.
    pub pairs: Vec<PairAgreement>,
    /// What the reader should know about these figures.
    pub notes: Vec<String>,
}

/// One rater.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RaterSummary {
    /// Its name.
    pub name: String,
    /// Units on which it has an opinion.
    pub units: usize,
    /// Labels that it gave.
    pub labels: usize,
}

/// All raters on one thesis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThesisAgreement {
    /// Its slug.
    pub thesis: String,
    /// Krippendorff's alpha, nominal.
    #[serde(flatten)]
    pub alpha: Alpha,
    /// Votes for it.
    pub given: usize,
}

/// Two raters on the units that both rated. Every figure is `None` if there are none.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairAgreement {
    /// The first rater.
    pub a: String,
    /// The second.
    pub b: String,
    /// Units on which both have an opinion.
    pub shared_units: usize,
    /// Share of them with the same set of theses.
    pub identical_sets: Option<f64>,
    /// Mean overlap (Jaccard) of the two sets; two empty ones overlap fully.
    pub mean_jaccard: Option<f64>,
    /// Over all unit-thesis cells.
    pub all: TwoByTwo,
    /// 95 % interval of kappa over all cells.
    pub kappa_ci95: Option<[f64; 2]>,
    /// 95 % interval of AC1 over all cells.
    pub ac1_ci95: Option<[f64; 2]>,
    /// Does a unit argue any thesis?
    pub any_thesis: TwoByTwo,
    /// On each thesis, in the taxonomy's order.
    pub per_thesis: Vec<TwoByTwo>,
}

/// Two raters' yes and no, crossed, with the coefficients made from the four counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TwoByTwo {
    /// Both said yes.
    pub both: u64,
    /// Only the first said yes.
    pub only_a: u64,
    /// Only the second said yes.
    pub only_b: u64,
    /// Both said no.
    pub neither: u64,
    /// Share of equal answers; `None` without any.
    pub observed: Option<f64>,
    /// Cohen's kappa (Cohen 1960; scikit-learn `cohen_kappa_score`); `None` if both gave one and the same answer
    /// throughout.
    pub kappa: Option<f64>,
    /// Gwet's AC1 (Gwet 2008; irrCAC).
    pub ac1: Option<f64>,
    /// both / (both + only_a + only_b); `None` if nobody ever said yes.
    pub jaccard: Option<f64>,
}

impl TwoByTwo {
    /// Coefficients from the four counts.
    pub fn new(both: u64, only_a: u64, only_b: u64, neither: u64) -> Self {
        let n = both + only_a + only_b + neither;
        let observed = (n > 0).then(|| ratio(both + neither, n));
        let (a, b) = (ratio(both + only_a, n), ratio(both + only_b, n));
        let corrected = |chance: f64| observed.and_then(|observed| beyond_chance(observed, chance));
        // Exact on the counts: rounding must not turn "one answer throughout" into a number.
        let constant = both == n || neither == n;
        let yes = (a + b) / 2.0;
        Self {
            both,
            only_a,
            only_b,
            neither,
            observed,
            kappa: corrected(a * b + (1.0 - a) * (1.0 - b)).filter(|_| !constant),
            ac1: corrected(2.0 * yes * (1.0 - yes)),
            jaccard: (both + only_a + only_b > 0).then(|| ratio(both, both + only_a + only_b)),
        }
    }

    fn count(pairs: impl IntoIterator<Item = (bool, bool)>) -> Self {
        let mut cells = [0; 4];
        pairs.into_iter().for_each(|(a, b)| cells[slot(a, b)] += 1);
        Self::new(cells[0], cells[1], cells[2], cells[3])
    }
}

/// Agreement beyond chance, `(observed - chance) / (1 - chance)`; `None` where chance alone would agree fully.
pub(crate) fn beyond_chance(observed: f64, chance: f64) -> Option<f64> {
    (chance < 1.0).then(|| (observed - chance) / (1.0 - chance))
}

fn slot(a: bool, b: bool) -> usize {
    match (a, b) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

/// Agreement of raters, with intervals from `draws` cluster-bootstrap draws.
///
/// # Panics
/// If the ratings are of another number of theses than the taxonomy has.
pub fn agreement(ratings: &Ratings, taxonomy: &Taxonomy, draws: usize, seed: u64, threads: usize) -> Agreement {
    assert_eq!(ratings.theses(), taxonomy.len(), "theses of the ratings");
    let raters = ratings.raters();
    let couples: Vec<_> = (0..raters).flat_map(|a| (a + 1..raters).map(move |b| (a, b))).collect();
    let (on_theses, on_sets) = (nominal(ratings), masi(ratings));
    let on_couples: Vec<_> = couples.iter().map(|(a, b)| couple_statistic(ratings, *a, *b)).collect();
    let statistics: Vec<&Statistic> =
        [&on_theses.statistic, &on_sets.statistic].into_iter().chain(&on_couples).collect();
    let plan = Plan { draws, seed, threads };
    let mut drawn = intervals(&statistics, ratings.clusters.count, plan).into_iter();
    let mut next = || drawn.next().unwrap_or_default();
    let alphas = on_theses.finish(next());
    let masi = on_sets.finish(next()).into_iter().next().unwrap_or_default();
    let pairs: Vec<_> = couples.into_iter().map(|(a, b)| pair(ratings, a, b, &next())).collect();

    let units = || 0..ratings.units();
    let rater = |(r, name): (usize, &String)| RaterSummary {
        name: name.clone(),
        units: units().filter(|u| ratings.rated(r, *u)).count(),
        labels: units().map(|u| ratings.votes(r, u).iter().filter(|v| **v == Some(true)).count()).sum(),
    };
    let yes = |t: usize| (0..raters).map(|r| units().filter(|u| ratings.votes(r, *u)[t] == Some(true)).count()).sum();
    let theses = taxonomy.theses().iter().zip(alphas).enumerate();
    let strangers = pairs.iter().filter(|p| p.shared_units == 0);
    let mut notes = ratings.notes.clone();
    notes.extend(strangers.map(|p| format!("{} and {} share no units: no agreement can be given", p.a, p.b)));
    if raters < 2 {
        notes.push("agreement needs two raters or more".to_owned());
    }
    Agreement {
        raters: ratings.names().iter().enumerate().map(rater).collect(),
        units: units().filter(|u| (0..raters).any(|r| ratings.rated(r, *u))).count(),
        shared_units: ratings.shared_units(),
        masi,
        per_thesis: theses
            .map(|(t, (thesis, alpha))| ThesisAgreement { thesis: thesis.slug.clone(), alpha, given: yes(t) })
            .collect(),
        pairs,
        notes,
    }
}

/// Cells of a unit on which both raters have an opinion.
fn both_say(ratings: &Ratings, a: usize, b: usize, unit: usize) -> impl Iterator<Item = (usize, bool, bool)> {
    let cells = ratings.votes(a, unit).iter().zip(ratings.votes(b, unit)).enumerate();
    cells.filter_map(|(t, votes)| match votes {
        (Some(a), Some(b)) => Some((t, *a, *b)),
        _ => None,
    })
}

/// Kappa and AC1 of two raters over all cells.
fn couple_statistic(ratings: &Ratings, a: usize, b: usize) -> Statistic {
    let cells = |unit| both_say(ratings, a, b, unit).map(|(_, a, b)| (slot(a, b), 1.0));
    let figures = |totals: &[f64], figures: &mut Vec<Option<f64>>| {
        let t = TwoByTwo::new(totals[0] as u64, totals[1] as u64, totals[2] as u64, totals[3] as u64);
        figures.extend([t.kappa, t.ac1]);
    };
    Statistic { tally: Tally::new(&ratings.clusters, 4, cells), figures: Box::new(figures) }
}

fn pair(ratings: &Ratings, a: usize, b: usize, drawn: &[Option<[f64; 2]>]) -> PairAgreement {
    let units = 0..ratings.units();
    let mut per_thesis = vec![[0u64; 4]; ratings.theses()];
    units.clone().flat_map(|u| both_say(ratings, a, b, u)).for_each(|(t, a, b)| per_thesis[t][slot(a, b)] += 1);
    let sets: Vec<_> = units.filter_map(|u| Some((ratings.set_of(a, u)?, ratings.set_of(b, u)?))).collect();
    let all: Vec<u64> = (0..4).map(|i| per_thesis.iter().map(|cells| cells[i]).sum()).collect();
    PairAgreement {
        a: ratings.names()[a].clone(),
        b: ratings.names()[b].clone(),
        shared_units: sets.len(),
        identical_sets: mean(sets.iter().map(|(a, b)| f64::from(u8::from(a == b)))),
        mean_jaccard: mean(sets.iter().map(|(a, b)| jaccard(a, b))),
        all: TwoByTwo::new(all[0], all[1], all[2], all[3]),
        kappa_ci95: drawn.first().copied().flatten(),
        ac1_ci95: drawn.get(1).copied().flatten(),
        any_thesis: TwoByTwo::count(sets.iter().map(|(a, b)| (!a.is_empty(), !b.is_empty()))),
        per_thesis: per_thesis.iter().map(|c| TwoByTwo::new(c[0], c[1], c[2], c[3])).collect(),
    }
}

/// Overlap of two sets, given in order.
fn jaccard(a: &[usize], b: &[usize]) -> f64 {
    let both = a.iter().filter(|x| b.binary_search(x).is_ok()).count();
    let either = a.len() + b.len() - both;
    if either == 0 { 1.0 } else { ratio(both as u64, either as u64) }
}
