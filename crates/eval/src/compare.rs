//! How systems agree and differ where nobody knows the answer, and what to label next.
//!
//! Coverage, overlaps and conflicts are those of weak supervision (Ratner et al. 2017; Snorkel's `LFAnalysis`): a
//! system votes yes or no, or abstains. Disagreements are ordered by vote entropy (Dagan and Engelson 1995), so that
//! the first paragraph labelled teaches the most.

use lundian_core::{Kind, Paragraph, Taxonomy};
use serde::Serialize;

use crate::agreement::{Agreement, agreement};
use crate::evaluate::SystemOutput;
use crate::evidence::{Spans, by_cell};
use crate::gold::{Proposal, ToLabel};
use crate::labels::Labels;
use crate::ratings::Ratings;

/// The whole comparison.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Number of paragraphs.
    pub paragraphs: usize,
    /// Each system.
    pub systems: Vec<SystemVotes>,
    /// How far they agree.
    pub agreement: Agreement,
    /// Where they do not, the most informative first.
    pub disagreements: Vec<Disagreement>,
}

/// What a system votes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SystemVotes {
    /// Its name.
    pub name: String,
    /// What sort of method it is.
    pub kind: Kind,
    /// Over all paragraph-thesis cells.
    pub all: LfSummary,
    /// On each thesis, in the taxonomy's order.
    pub per_thesis: Vec<ThesisVotes>,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// One system on one thesis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ThesisVotes {
    /// Its slug.
    pub thesis: String,
    /// Its figures.
    #[serde(flatten)]
    pub votes: LfSummary,
}

/// A row of Snorkel's `LFAnalysis.lf_summary`. Shares are of all cells looked at; `None` if there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct LfSummary {
    /// Share of cells with a vote.
    pub coverage: Option<f64>,
    /// Share of cells with a vote where another system votes, too.
    pub overlaps: Option<f64>,
    /// Share of cells with a vote where another system votes differently.
    pub conflicts: Option<f64>,
    /// Votes that say yes.
    pub given: u64,
    /// Share of votes that are right; `None` without gold or without votes.
    pub empirical_accuracy: Option<f64>,
}

/// A paragraph on which systems disagree.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Disagreement {
    /// Number of its row.
    pub row: usize,
    /// Its id.
    pub id: String,
    /// Vote entropy in bits, added up over theses: 1 for each thesis on which votes are split evenly.
    pub entropy: f64,
    /// Slugs of the theses on which votes are split.
    pub theses: Vec<String>,
}

/// How to compare.
#[derive(Clone, Copy, Debug)]
pub struct CompareOptions {
    /// Bootstrap draws; 0 leaves intervals out.
    pub draws: usize,
    /// Seed of all draws.
    pub seed: u64,
    /// Number of threads; results do not depend on it.
    pub threads: usize,
    /// Disagreements listed.
    pub max_disagreements: usize,
}

impl Default for CompareOptions {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self { draws: 2000, seed: 0, threads, max_disagreements: 1000 }
    }
}

/// Compares systems on paragraphs. `gold` adds empirical accuracies.
///
/// # Panics
/// If a system, or `gold`, has not one row per paragraph and one column per thesis.
pub fn compare(
    paragraphs: &[Paragraph],
    systems: &[SystemOutput<'_>],
    taxonomy: &Taxonomy,
    gold: Option<&Labels>,
    options: &CompareOptions,
) -> Comparison {
    let raters: Vec<_> = systems.iter().map(|s| (s.name, s.output, s.thresholds.resolve(taxonomy))).collect();
    let clusters: Vec<&str> = paragraphs.iter().map(cluster).collect();
    let ratings = Ratings::of_systems(&raters, taxonomy.len(), &clusters);
    let votes = |(rater, system): (usize, &SystemOutput<'_>)| {
        let theses = lf_analysis(&ratings, rater, gold);
        let thesis = |(thesis, tally): (&lundian_core::Thesis, &LfTally)| ThesisVotes {
            thesis: thesis.slug.clone(),
            votes: tally.summary(gold.is_some()),
        };
        let total = theses.iter().fold(LfTally::default(), |sum, t| sum.plus(t));
        SystemVotes {
            name: system.name.to_owned(),
            kind: system.kind,
            all: total.summary(gold.is_some()),
            per_thesis: taxonomy.theses().iter().zip(&theses).map(thesis).collect(),
            seconds: system.seconds,
        }
    };
    Comparison {
        paragraphs: paragraphs.len(),
        systems: systems.iter().enumerate().map(votes).collect(),
        agreement: agreement(&ratings, taxonomy, options.draws, options.seed, options.threads),
        disagreements: disagreements(paragraphs, &ratings, taxonomy, options.max_disagreements),
    }
}

fn cluster(p: &Paragraph) -> &str {
    [&p.section, &p.doc].into_iter().find(|s| !s.is_empty()).unwrap_or(&p.id)
}

/// Votes of one system on one thesis, counted.
#[derive(Clone, Copy, Debug, Default)]
struct LfTally {
    cells: u64,
    covered: u64,
    overlaps: u64,
    conflicts: u64,
    given: u64,
    right: u64,
}

impl LfTally {
    fn plus(self, other: &Self) -> Self {
        Self {
            cells: self.cells + other.cells,
            covered: self.covered + other.covered,
            overlaps: self.overlaps + other.overlaps,
            conflicts: self.conflicts + other.conflicts,
            given: self.given + other.given,
            right: self.right + other.right,
        }
    }

    fn summary(&self, gold: bool) -> LfSummary {
        let share = |n: u64, of: u64| (of > 0).then(|| n as f64 / of as f64);
        LfSummary {
            coverage: share(self.covered, self.cells),
            overlaps: share(self.overlaps, self.cells),
            conflicts: share(self.conflicts, self.cells),
            given: self.given,
            empirical_accuracy: if gold { share(self.right, self.covered) } else { None },
        }
    }
}

fn lf_analysis(ratings: &Ratings, rater: usize, gold: Option<&Labels>) -> Vec<LfTally> {
    let mut tallies = vec![LfTally::default(); ratings.theses()];
    for unit in 0..ratings.units() {
        for (thesis, tally) in tallies.iter_mut().enumerate() {
            tally.cells += 1;
            let Some(own) = ratings.votes(rater, unit)[thesis] else { continue };
            let others = (0..ratings.raters()).filter(|r| *r != rater);
            let mut others = others.filter_map(|r| ratings.votes(r, unit)[thesis]).peekable();
            tally.covered += 1;
            tally.given += u64::from(own);
            tally.overlaps += u64::from(others.peek().is_some());
            tally.conflicts += u64::from(others.any(|vote| vote != own));
            tally.right += u64::from(gold.is_some_and(|g| g.row(unit)[thesis] == own));
        }
    }
    tallies
}

fn disagreements(paragraphs: &[Paragraph], ratings: &Ratings, taxonomy: &Taxonomy, limit: usize) -> Vec<Disagreement> {
    let mut found = Vec::new();
    for (row, paragraph) in paragraphs.iter().enumerate() {
        let mut entropy = 0.0;
        let mut theses = Vec::new();
        for (t, thesis) in taxonomy.theses().iter().enumerate() {
            let votes = (0..ratings.raters()).filter_map(|r| ratings.votes(r, row)[t]);
            let (mut yes, mut all) = (0u32, 0u32);
            votes.for_each(|v| {
                yes += u32::from(v);
                all += 1;
            });
            if yes > 0 && yes < all {
                entropy += binary_entropy(f64::from(yes) / f64::from(all));
                theses.push(thesis.slug.clone());
            }
        }
        if !theses.is_empty() {
            found.push(Disagreement { row, id: paragraph.id.clone(), entropy, theses });
        }
    }
    // A stable sort: equal ones stay in the order of the text.
    found.sort_by(|a, b| b.entropy.total_cmp(&a.entropy));
    found.truncate(limit);
    found
}

/// Entropy of a yes-or-no vote in bits.
fn binary_entropy(p: f64) -> f64 {
    -(p * p.log2() + (1.0 - p) * (1.0 - p).log2())
}

/// Disagreements as paragraphs to label, with every system's scores and evidence for the theses that any of them
/// gives.
///
/// # Panics
/// If the disagreements are of other paragraphs or systems.
pub fn to_label<'a>(
    disagreements: &[Disagreement],
    paragraphs: &'a [Paragraph],
    systems: &'a [SystemOutput<'a>],
    taxonomy: &Taxonomy,
) -> Vec<ToLabel<'a>> {
    let thresholds: Vec<Vec<f32>> = systems.iter().map(|s| s.thresholds.resolve(taxonomy)).collect();
    let spans: Vec<Spans> = systems.iter().map(|s| by_cell(&s.output.evidence)).collect();
    let labelled = |system: usize, row: usize, t: usize| systems[system].output.row(row)[t] >= thresholds[system][t];
    let item = |d: &Disagreement| {
        let given = |t: &usize| (0..systems.len()).any(|s| labelled(s, d.row, *t));
        let theses: Vec<usize> = (0..taxonomy.len()).filter(given).collect();
        let proposal = |i: usize, thesis: usize| Proposal {
            system: systems[i].name,
            thesis,
            score: systems[i].output.row(d.row)[thesis],
            labelled: labelled(i, d.row, thesis),
            evidence: spans[i].get(&(d.row, thesis)).cloned().unwrap_or_default(),
        };
        let proposals = (0..systems.len()).flat_map(|i| theses.iter().map(move |t| (i, *t)));
        let proposals = proposals.map(|(i, t)| proposal(i, t)).filter(|p| !p.score.is_nan()).collect();
        ToLabel { paragraph: &paragraphs[d.row], entropy: d.entropy, proposals }
    };
    disagreements.iter().map(item).collect()
}
