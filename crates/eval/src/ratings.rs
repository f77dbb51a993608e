//! Who said what about which paragraph: the common ground of annotators' agreement and systems' comparison.
//!
//! A rater may have no opinion on a cell; that is missing data, and never counts as "no".

use std::collections::{BTreeMap, BTreeSet, HashMap};

use lundian_core::{Output, Sample};

use crate::clusters::Clusters;

/// Votes of several raters on the same units.
#[derive(Clone, Debug)]
pub struct Ratings {
    names: Vec<String>,
    units: usize,
    theses: usize,
    /// `raters x units x theses`.
    votes: Vec<Option<bool>>,
    pub(crate) clusters: Clusters,
    /// What the reader of an agreement should know about the units.
    pub(crate) notes: Vec<String>,
}

impl Ratings {
    fn new(names: Vec<String>, units: usize, theses: usize, clusters: Clusters) -> Self {
        Self { votes: vec![None; names.len() * units * theses], names, units, theses, clusters, notes: Vec::new() }
    }

    /// Systems as raters: a score at or above the threshold is yes, below it no, and an abstention no vote. `clusters`
    /// names what each row belongs to, for resampling.
    ///
    /// # Panics
    /// If an output has not one row for each of `clusters`, or a list of thresholds not one for each thesis.
    pub fn of_systems(systems: &[(&str, &Output, Vec<f32>)], theses: usize, clusters: &[&str]) -> Self {
        let names = systems.iter().map(|(name, ..)| (*name).to_owned()).collect();
        let mut ratings = Self::new(names, clusters.len(), theses, Clusters::new(clusters.iter().copied()));
        for (rater, (name, output, thresholds)) in systems.iter().enumerate() {
            assert_eq!((output.rows(), output.theses()), (clusters.len(), theses), "shape of the scores of {name}");
            for unit in 0..clusters.len() {
                let votes = output.row(unit).iter().zip(thresholds).map(|(s, t)| (!s.is_nan()).then_some(s >= t));
                ratings.set(rater, unit, votes);
            }
        }
        ratings
    }

    /// Annotators as raters. Several files are one rater each, by their labels; one file alone is as many raters as
    /// it names annotators. Units are matched by id.
    pub fn of_files(files: &[(&str, &[Sample])], theses: usize) -> Self {
        let one = if let [(_, samples)] = files { annotators(samples) } else { BTreeSet::new() };
        let names: Vec<String> = if one.is_empty() {
            files.iter().map(|(name, _)| (*name).to_owned()).collect()
        } else {
            one.iter().map(|name| (*name).clone()).collect()
        };
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let (mut clusters, mut texts, mut differing) = (Vec::new(), Vec::new(), Vec::new());
        for sample in files.iter().flat_map(|(_, samples)| samples.iter()) {
            let p = &sample.paragraph;
            let unit = *numbers.entry(&p.id).or_insert_with(|| {
                clusters.push(sample.cluster());
                texts.push(p.text.as_str());
                texts.len() - 1
            });
            // Long CSV may hold no texts at all.
            if texts[unit] != p.text && !texts[unit].is_empty() && !p.text.is_empty() {
                differing.push(p.id.as_str());
            }
        }
        let mut ratings = Self::new(names, clusters.len(), theses, Clusters::new(clusters));
        if let Some(id) = differing.first() {
            let n = differing.len();
            ratings.notes.push(format!("{n} ids stand for different texts in different files, {id:?} first"));
        }
        for (file, (_, samples)) in files.iter().enumerate() {
            for sample in *samples {
                let unit = numbers[sample.paragraph.id.as_str()];
                if one.is_empty() {
                    ratings.set(file, unit, (0..theses).map(|t| Some(sample.argues(t))));
                } else {
                    for (rater, name) in one.iter().enumerate() {
                        if let Some(given) = sample.annotators.get(*name) {
                            ratings.set(rater, unit, (0..theses).map(|t| Some(given.contains(&t))));
                        }
                    }
                }
            }
        }
        ratings
    }

    fn set(&mut self, rater: usize, unit: usize, votes: impl Iterator<Item = Option<bool>>) {
        let from = (rater * self.units + unit) * self.theses;
        self.votes[from..from + self.theses].iter_mut().zip(votes).for_each(|(cell, vote)| *cell = vote);
    }

    /// Names of the raters.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of raters.
    pub fn raters(&self) -> usize {
        self.names.len()
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Number of theses.
    pub fn theses(&self) -> usize {
        self.theses
    }

    /// What a rater says about a unit, one cell per thesis.
    ///
    /// # Panics
    /// If either number is out of range.
    pub fn votes(&self, rater: usize, unit: usize) -> &[Option<bool>] {
        let from = (rater * self.units + unit) * self.theses;
        &self.votes[from..from + self.theses]
    }

    /// Whether a rater has an opinion on any thesis of a unit.
    pub(crate) fn rated(&self, rater: usize, unit: usize) -> bool {
        self.votes(rater, unit).iter().any(Option::is_some)
    }

    /// Units on which two raters or more have an opinion.
    pub(crate) fn shared_units(&self) -> usize {
        (0..self.units).filter(|u| (0..self.raters()).filter(|r| self.rated(*r, *u)).count() > 1).count()
    }

    /// The theses that a rater gives a unit; `None` without any opinion. Cells without one count as not given.
    pub(crate) fn set_of(&self, rater: usize, unit: usize) -> Option<Vec<usize>> {
        let votes = self.votes(rater, unit);
        self.rated(rater, unit).then(|| (0..self.theses).filter(|t| votes[*t] == Some(true)).collect())
    }
}

fn annotators(samples: &[Sample]) -> BTreeSet<&String> {
    samples.iter().flat_map(|s: &Sample| BTreeMap::keys(&s.annotators)).collect()
}
