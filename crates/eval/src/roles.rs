//! How well a system tells what paragraphs do: explain, give evidence, propose a remedy, or something else.
//!
//! The decision that matters: everything is a count of one table, recorded role by given role, over all samples whose
//! role is recorded. A paragraph of which a system says no role counts as wrong, as a thesis that it abstains on counts
//! as not found, so that figures of two systems are about the same paragraphs; [`RoleReport::coverage`] says how often
//! it speaks.

use lundian_core::{Output, Role, RoleScores, Sample};
use serde::Serialize;

use crate::agreement::beyond_chance;
use crate::bootstrap::{Plan, Statistic, Tally, intervals};
use crate::clusters::Clusters;
use crate::metrics::{Counts, Prf, macro_average, ratio};

const ROLES: usize = Role::ALL.len();
/// Columns of the table: the roles, then "none said".
const COLUMNS: usize = ROLES + 1;

/// How well a system tells the role of a paragraph.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleReport {
    /// Paragraphs whose role is recorded: what the figures are about.
    pub paragraphs: usize,
    /// Share of them of which the system says a role.
    pub coverage: f64,
    /// Share of them that are given their role.
    pub accuracy: f64,
    /// 95 % interval of the accuracy; `None` with fewer than two clusters.
    pub accuracy_ci95: Option<[f64; 2]>,
    /// Mean F1 of the roles with support.
    pub macro_f1: f64,
    /// 95 % interval of macro F1, in each draw over the roles that occur in it.
    pub macro_f1_ci95: Option<[f64; 2]>,
    /// Cohen's kappa with the recorded roles (scikit-learn `cohen_kappa_score`), silence being an answer of its own;
    /// `None` if both give one and the same role throughout.
    pub kappa: Option<f64>,
    /// Each role, in the order of [`Role::ALL`].
    pub per_role: Vec<RoleScore>,
}

/// One role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleScore {
    /// The role.
    pub role: Role,
    /// Paragraphs that have it.
    pub support: u64,
    /// Paragraphs that were given it.
    pub predicted: u64,
    /// Precision, recall, F1.
    #[serde(flatten)]
    pub prf: Prf,
}

/// Whether a system says the role of any paragraph.
pub(crate) fn says_roles(output: &Output) -> bool {
    (0..output.rows()).any(|row| output.role(row).is_some())
}

/// Share of each role among the samples whose role is recorded; `None` without any.
pub(crate) fn role_prior(samples: &[Sample]) -> Option<RoleScores> {
    let mut counts = [0usize; ROLES];
    samples.iter().filter_map(Sample::known_role).for_each(|role| counts[role as usize] += 1);
    let all: usize = counts.iter().sum();
    (all > 0).then(|| counts.map(|n| n as f32 / all as f32))
}

/// A report for each system that says roles, `None` for the others, and for all if no sample has its role recorded.
pub(crate) fn roles(
    samples: &[Sample],
    outputs: &[&Output],
    clusters: &Clusters,
    plan: Plan,
) -> Vec<Option<RoleReport>> {
    let any = samples.iter().any(|s| s.known_role().is_some());
    let tables: Vec<Option<Statistic>> =
        outputs.iter().map(|output| (any && says_roles(output)).then(|| table(samples, output, clusters))).collect();
    let statistics: Vec<&Statistic> = tables.iter().flatten().collect();
    let mut drawn = intervals(&statistics, clusters.count, plan).into_iter();
    let mut finish = |table: &Statistic| report(&table.tally.totals(), &drawn.next().unwrap_or_default());
    tables.iter().map(|table| table.as_ref().map(&mut finish)).collect()
}

/// Counts of recorded role by given role, row-major, with accuracy and macro F1 as figures.
fn table(samples: &[Sample], output: &Output, clusters: &Clusters) -> Statistic {
    let cell = |row: usize| {
        let given = output.role(row).map_or(ROLES, |scores| Role::likeliest(scores) as usize);
        samples[row].known_role().map(|role| (role as usize * COLUMNS + given, 1.0))
    };
    let figures = |table: &[f64], figures: &mut Vec<Option<f64>>| {
        let all: f64 = table.iter().sum();
        let defined = |figure: f64| (all > 0.0).then_some(figure);
        figures.extend([defined(accuracy(table)), defined(macro_average(&counts(table)).f1)]);
    };
    Statistic { tally: Tally::new(clusters, ROLES * COLUMNS, cell), figures: Box::new(figures) }
}

fn report(table: &[f64], drawn: &[Option<[f64; 2]>]) -> RoleReport {
    let counts = counts(table);
    let all = table.iter().sum::<f64>() as u64;
    let score = |(role, counts): (Role, &Counts)| RoleScore {
        role,
        support: counts.support,
        predicted: counts.predicted,
        prf: counts.prf(),
    };
    RoleReport {
        paragraphs: all as usize,
        coverage: ratio(counts.iter().map(|c| c.predicted).sum(), all),
        accuracy: accuracy(table),
        accuracy_ci95: drawn.first().copied().flatten(),
        macro_f1: macro_average(&counts).f1,
        macro_f1_ci95: drawn.get(1).copied().flatten(),
        kappa: kappa(&counts, all),
        per_role: Role::ALL.into_iter().zip(&counts).map(score).collect(),
    }
}

/// The counts of each role. Sums of counts are exact in floating point.
fn counts(table: &[f64]) -> [Counts; ROLES] {
    let sum = |cells: &mut dyn Iterator<Item = usize>| cells.map(|cell| table[cell]).sum::<f64>() as u64;
    std::array::from_fn(|role| Counts {
        tp: table[role * COLUMNS + role] as u64,
        predicted: sum(&mut (0..ROLES).map(|row| row * COLUMNS + role)),
        support: sum(&mut (role * COLUMNS..(role + 1) * COLUMNS)),
    })
}

fn accuracy(table: &[f64]) -> f64 {
    let right: f64 = (0..ROLES).map(|role| table[role * COLUMNS + role]).sum();
    ratio(right as u64, table.iter().sum::<f64>() as u64)
}

/// Cohen's kappa. Silence needs no term of its own: nothing recorded is silent.
fn kappa(counts: &[Counts], all: u64) -> Option<f64> {
    let observed = ratio(counts.iter().map(|c| c.tp).sum(), all);
    let chance = counts.iter().map(|c| ratio(c.support, all) * ratio(c.predicted, all)).sum();
    // Exact on the counts: rounding must not turn "one role throughout" into a number.
    let constant = counts.iter().any(|c| c.tp == all);
    beyond_chance(observed, chance).filter(|_| !constant)
}

#[cfg(test)]
mod tests {
    use lundian_core::Paragraph;

    use super::*;

    /// Samples of recorded roles, each of a document of its own, and what a system says of them; `""` is nothing.
    fn report_of(rows: &[(&str, &str)]) -> Option<RoleReport> {
        let mut output = Output::new(rows.len(), 1);
        for (row, (_, given)) in rows.iter().enumerate() {
            if let Some(role) = Role::from_word(given) {
                output.set_role(row, std::array::from_fn(|r| if r == role as usize { 0.7 } else { 0.1 }));
            }
        }
        let sample = |(i, (role, _)): (usize, &(&str, &str))| Sample {
            paragraph: Paragraph { id: i.to_string(), ..Paragraph::default() },
            role: (*role).to_owned(),
            ..Sample::default()
        };
        let samples: Vec<Sample> = rows.iter().enumerate().map(sample).collect();
        let plan = Plan { draws: 50, seed: 1, threads: 1 };
        roles(&samples, &[&output], &Clusters::of_samples(&samples), plan).remove(0)
    }

    #[test]
    fn figures_of_a_table_made_by_hand() {
        let r = report_of(&[
            ("explanation", "explanation"),
            ("explanation", "explanation"),
            ("explanation", "evidence"),
            ("remedy", "remedy"),
            ("remedy", "explanation"),
            ("evidence", ""),
            ("hearsay", "remedy"),
            ("", "other"),
        ])
        .unwrap();
        assert_eq!((r.paragraphs, r.accuracy, r.coverage), (6, 0.5, 5.0 / 6.0));
        let close = |got: f64, want: f64| assert!((got - want).abs() < 1e-12, "{got} {want}");
        let of = |role: Role| &r.per_role[role as usize];
        let (explanation, evidence) = (of(Role::Explanation), of(Role::Evidence));
        assert_eq!((explanation.support, explanation.predicted, evidence.support, evidence.predicted), (3, 3, 1, 1));
        assert_eq!((of(Role::Other).support, of(Role::Other).predicted), (0, 0));
        close(explanation.prf.f1, 2.0 / 3.0);
        close(of(Role::Remedy).prf.f1, 2.0 / 3.0);
        assert_eq!(evidence.prf.f1, 0.0);
        // Nobody's role is "other", so the mean is over three.
        close(r.macro_f1, 4.0 / 9.0);
        // By chance (3 * 3 + 1 * 1 + 2 * 1) / 36 would be right.
        close(r.kappa.unwrap(), (0.5 - 1.0 / 3.0) / (1.0 - 1.0 / 3.0));
        let [low, high] = r.accuracy_ci95.unwrap();
        assert!(low < 0.5 && 0.5 < high);
        let [low, high] = r.macro_f1_ci95.unwrap();
        assert!(low < r.macro_f1 && r.macro_f1 < high);
    }

    #[test]
    fn what_cannot_be_told_is_not_told() {
        assert_eq!(report_of(&[("remedy", ""), ("evidence", "")]), None, "a system that knows no roles");
        assert_eq!(report_of(&[("", "remedy"), ("hearsay", "other")]), None, "a file that records none");
        assert_eq!(report_of(&[]), None);
        let one = report_of(&[("remedy", "remedy"), ("remedy", "remedy")]).unwrap();
        assert_eq!((one.accuracy, one.macro_f1, one.kappa), (1.0, 1.0, None));
        let one = report_of(&[("remedy", "other")]).unwrap();
        assert_eq!((one.accuracy, one.accuracy_ci95, one.macro_f1_ci95, one.kappa), (0.0, None, None, Some(0.0)));
        let silent = report_of(&[("remedy", ""), ("", "other")]).unwrap();
        assert_eq!((silent.paragraphs, silent.coverage, silent.accuracy, silent.kappa), (1, 0.0, 0.0, Some(0.0)));
    }
}
