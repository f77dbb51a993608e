//! Declarative rules: packs of TOML that say which words, near which others, argue a thesis.
//!
//! The decision that matters: a label must be explainable by its evidence. A score is the noisy-or of the rules that
//! fired, each rule shows the words that made it fire, and each carries examples that are run as its tests. The format
//! of packs is described in `packs/README.md`.

mod calibration;
mod chain;
mod normal;
mod pack;
mod pattern;
mod program;
mod scan;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lundian_plugin::{
    Batch, Classifier, ClassifierError, Diagnostic, Output, Plugin, Setup, Stance, Taxonomy, Thresholds, Unit,
};
use serde::Deserialize;

pub use calibration::{Calibration, CalibrationError, PRIOR_STRENGTH, calibrate};
pub use pack::{Origin, Pack};
use program::{Program, Scratch};
use scan::LONGEST;

/// The packs that are built in. A new one is a file and a line here.
const BUNDLED: &[(&str, &str)] = &[
    ("demand.toml", include_str!("../packs/demand.toml")),
    ("production.toml", include_str!("../packs/production.toml")),
    ("state.toml", include_str!("../packs/state.toml")),
    ("finance.toml", include_str!("../packs/finance.toml")),
    ("external.toml", include_str!("../packs/external.toml")),
    ("structure.toml", include_str!("../packs/structure.toml")),
];

/// What labelled samples say about the packs that are built in.
const CALIBRATION: &str = include_str!("../calibration.toml");

/// The settings of the plugin.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// Pack files of the user's own; relative to [`Setup::dir`].
    packs: Vec<PathBuf>,
    /// Whether the built-in packs are used.
    bundled: bool,
    /// A calibration in place of the built-in one; relative to [`Setup::dir`].
    calibration: Option<PathBuf>,
    /// One threshold for all theses in place of the calibration's.
    threshold: Option<f32>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { packs: Vec::new(), bundled: true, calibration: None, threshold: None }
    }
}

/// A classifier made of rules.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    program: Arc<Program>,
    thresholds: Thresholds,
    /// By thesis: whether any rule is about it; the others are abstained from.
    covered: Vec<bool>,
}

/// A rule of some pack.
#[derive(Clone, Debug)]
struct Rule {
    pack: Arc<str>,
    path: Arc<str>,
    rule: Arc<pack::Rule>,
    /// As the calibration has it; where it has none, as the pack gives it.
    weight: f32,
}

/// A rule that fired in a paragraph.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Fired<'r> {
    /// Name of its pack.
    pub pack: &'r str,
    /// Its id, unique in the pack.
    pub id: &'r str,
    /// Index of its thesis in the taxonomy.
    pub thesis: usize,
    /// What it says.
    pub doc: &'r str,
    /// How it stands to the thesis.
    pub stance: Stance,
    /// How likely a paragraph in which it fires argues the thesis, in (0, 1].
    pub weight: f32,
    /// What made it fire: bytes of the paragraph's text, on character boundaries, from left to right, disjoint.
    pub spans: Vec<Range<usize>>,
}

/// An example of a pack that does not come out as the pack says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExampleFailure {
    /// File of the pack.
    pub path: String,
    /// Line of the example, counted from 1.
    pub line: usize,
    /// Its column in characters, counted from 1.
    pub column: usize,
    /// Id of the rule.
    pub rule: String,
    /// The paragraph of the example.
    pub text: String,
    /// True if the rule should have fired, false if it should not have.
    pub positive: bool,
    /// What the rule matched, where it should not have fired.
    pub matched: Vec<String>,
}

impl ExampleFailure {
    /// The failure as a message about the pack.
    pub fn diagnostic(&self) -> Diagnostic {
        let (message, hint) = if self.positive {
            (format!("rule {:?} does not fire in its positive example: {}", self.rule, self.text), None)
        } else {
            let message = format!("rule {:?} fires in its negative example: {}", self.rule, self.text);
            (message, Some(format!("it matched {}", self.matched.join(", "))))
        };
        let d = Diagnostic::error(self.path.as_str(), message).at_line(self.line).at_column(self.column);
        match hint {
            Some(hint) => d.with_hint(hint),
            None => d,
        }
    }
}

impl fmt::Display for ExampleFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.diagnostic().fmt(f)
    }
}

/// The built-in packs, without the rules for theses that `taxonomy` does not have. The diagnostics are empty in any
/// program that passed its tests.
pub fn bundled(taxonomy: &Taxonomy) -> (Vec<Pack>, Vec<Diagnostic>) {
    let mut diagnostics = Vec::new();
    let packs = BUNDLED.iter().map(|(path, source)| {
        let (pack, mut found) = Pack::parse(path, source, taxonomy, Origin::BuiltIn);
        diagnostics.append(&mut found);
        pack
    });
    (packs.collect(), diagnostics)
}

impl Rules {
    /// Makes a classifier of packs that were read for `taxonomy`, with the weights that they give.
    ///
    /// # Errors
    /// [`ClassifierError::Model`] if two packs have the same name, or if there are too many literals for an automaton.
    pub fn new(taxonomy: &Taxonomy, packs: &[Pack]) -> Result<Self, ClassifierError> {
        let mut names = std::collections::BTreeMap::new();
        for pack in packs {
            if let Some(other) = names.insert(&pack.name, &pack.path) {
                let (name, path) = (&pack.name, &pack.path);
                let message = format!("{path}: pack {name:?} has the name of {other}; rename one of them");
                return Err(ClassifierError::Model(message));
            }
        }
        let program = Program::new(packs).map_err(ClassifierError::Model)?;
        let of_pack = |pack: &Pack| {
            let (name, path) = (pack.name.clone(), pack.path.clone());
            let rule = move |rule: &Arc<pack::Rule>| Rule {
                pack: name.clone(),
                path: path.clone(),
                rule: rule.clone(),
                weight: rule.weight,
            };
            pack.rules.iter().map(rule).collect::<Vec<_>>()
        };
        let rules: Vec<Rule> = packs.iter().flat_map(of_pack).collect();
        let mut covered = vec![false; taxonomy.len()];
        rules.iter().for_each(|rule| covered[rule.rule.thesis] = true);
        Ok(Self { rules, program: program.into(), thresholds: Thresholds::default(), covered })
    }

    /// The same rules with the weights and thresholds of `calibration`.
    #[must_use]
    pub fn with_calibration(&self, calibration: &Calibration) -> Self {
        let mut rules = self.clone();
        for rule in &mut rules.rules {
            let weight = calibration.weights.get(&*rule.pack).and_then(|rules| rules.get(&rule.rule.id));
            rule.weight = weight.copied().unwrap_or(rule.rule.weight);
        }
        rules.thresholds = calibration.thresholds.clone();
        rules
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Pack and id of each rule, in the order of the packs.
    pub fn ids(&self) -> impl Iterator<Item = (&str, &str)> {
        self.rules.iter().map(|rule| (&*rule.pack, &*rule.rule.id))
    }

    /// Number of different literals that the rules look for.
    pub fn literals(&self) -> usize {
        self.program.literals()
    }

    /// Runs every example of every rule, and returns those that come out wrong.
    pub fn check(&self) -> Vec<ExampleFailure> {
        let mut scratch = self.program.scratch();
        let mut failures = Vec::new();
        for (index, Rule { path, rule, .. }) in self.rules.iter().enumerate() {
            let positive = rule.positive.iter().map(|example| (example, true));
            for (example, positive) in positive.chain(rule.negative.iter().map(|example| (example, false))) {
                let fired = self.program.run(&example.unit(), &mut scratch).into_iter().find(|f| f.rule == index);
                if fired.is_some() == positive {
                    continue;
                }
                let spans = fired.map(|f| f.spans).unwrap_or_default();
                failures.push(ExampleFailure {
                    path: path.to_string(),
                    line: example.line,
                    column: example.column,
                    rule: rule.id.clone(),
                    text: example.text.clone(),
                    positive,
                    matched: spans.into_iter().map(|s| example.text[scratch.original(s)].to_owned()).collect(),
                });
            }
        }
        failures
    }

    /// The rules that fire in a paragraph, in the order of the packs; none in one that is too long to be judged.
    pub fn explain(&self, unit: &Unit<'_>) -> Vec<Fired<'_>> {
        if too_long(unit) {
            return Vec::new();
        }
        self.fired(unit, &mut self.program.scratch())
    }

    /// The scores of one paragraph, one per thesis; see [`Classifier::classify`].
    pub fn scores(&self, unit: &Unit<'_>) -> Vec<f32> {
        let mut row = vec![f32::NAN; self.covered.len()];
        self.score(&self.explain(unit), &mut row);
        row
    }

    fn fired(&self, unit: &Unit<'_>, scratch: &mut Scratch) -> Vec<Fired<'_>> {
        let firings = self.program.run(unit, scratch);
        firings
            .into_iter()
            .map(|firing| {
                let Rule { pack, rule, weight, .. } = &self.rules[firing.rule];
                Fired {
                    pack,
                    id: &rule.id,
                    thesis: rule.thesis,
                    doc: &rule.doc,
                    stance: rule.stance,
                    weight: *weight,
                    spans: firing.spans.into_iter().map(|s| scratch.original(s)).collect(),
                }
            })
            .collect()
    }

    fn score(&self, fired: &[Fired<'_>], row: &mut [f32]) {
        for (score, covered) in row.iter_mut().zip(&self.covered) {
            *score = if *covered { 0.0 } else { f32::NAN };
        }
        for f in fired {
            let score = &mut row[f.thesis];
            *score = noisy_or(*score, f.weight);
        }
    }
}

/// The chance that at least one of two is right, if they err independently.
fn noisy_or(a: f32, b: f32) -> f32 {
    (a + b * (1.0 - a)).min(1.0)
}

fn too_long(unit: &Unit<'_>) -> bool {
    [unit.text, unit.prev, unit.heading, unit.title].iter().any(|text| text.len() > LONGEST)
}

/// Evidence of one thesis: spans that overlap are made one, with the greatest weight.
fn evidence(fired: &[&Fired<'_>]) -> Vec<(Range<usize>, f32)> {
    let mut spans: Vec<(Range<usize>, f32)> = fired
        .iter()
        .flat_map(|f| f.spans.iter().map(|s| (s.clone(), f.weight)))
        .filter(|(s, _)| !s.is_empty())
        .collect();
    spans.sort_by_key(|(span, _)| (span.start, span.end));
    spans.dedup_by(|(next, next_weight), (kept, weight)| {
        let overlaps = next.start < kept.end;
        if overlaps {
            kept.end = kept.end.max(next.end);
            *weight = weight.max(*next_weight);
        }
        overlaps
    });
    spans
}

impl Classifier for Rules {
    /// Scores are in [0, 1]: the noisy-or of the rules that fired, 0 if none did, NaN where no rule is about the thesis.
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        let mut scratch = self.program.scratch();
        for (row, unit) in batch.units.iter().enumerate() {
            if batch.cancel.is_cancelled() {
                return Err(ClassifierError::Cancelled);
            }
            if too_long(unit) {
                out.fail(row, format!("the paragraph or its context is longer than {} MB", LONGEST >> 20));
                continue;
            }
            let mut fired = self.fired(unit, &mut scratch);
            self.score(&fired, out.row_mut(row));
            if batch.evidence {
                fired.sort_by_key(|f| f.thesis);
                for of_thesis in fired.chunk_by(|a, b| a.thesis == b.thesis) {
                    let refs: Vec<&Fired<'_>> = of_thesis.iter().collect();
                    for (span, weight) in evidence(&refs) {
                        out.add_evidence(row, of_thesis[0].thesis, span, weight);
                    }
                }
            }
        }
        Ok(())
    }

    /// The rules that fired, the heaviest first: pack and id, weight, what the rule says and the words that matched.
    fn explain(&self, unit: &Unit<'_>, thesis: usize) -> Vec<String> {
        let mut fired: Vec<Fired<'_>> = Rules::explain(self, unit).into_iter().filter(|f| f.thesis == thesis).collect();
        fired.sort_by(|a, b| b.weight.total_cmp(&a.weight));
        let reason = |f: &Fired<'_>| {
            let words: Vec<&str> = f.spans.iter().map(|s| &unit.text[s.clone()]).collect();
            format!("{}/{} ({:.2}) {} [{}]", f.pack, f.id, f.weight, f.doc, words.join(" … "))
        };
        fired.iter().map(reason).collect()
    }

    fn thresholds(&self) -> Thresholds {
        self.thresholds.clone()
    }
}

impl Plugin for Rules {
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
        let settings: Settings = setup.config()?;
        if let Some(threshold) = settings.threshold.filter(|t| !(0.0..=1.0).contains(t)) {
            return Err(ClassifierError::Config(format!("threshold: {threshold} is outside [0, 1]")));
        }
        let place = |path: &Path| setup.dir.map_or_else(|| path.to_owned(), |dir| dir.join(path));
        let (mut packs, mut diagnostics) =
            if settings.bundled { bundled(setup.taxonomy) } else { (Vec::new(), Vec::new()) };
        for path in &settings.packs {
            let (pack, mut found) = Pack::read(&place(path), setup.taxonomy);
            packs.push(pack);
            diagnostics.append(&mut found);
        }
        if !diagnostics.is_empty() {
            let lines: Vec<String> = diagnostics.iter().map(Diagnostic::to_string).collect();
            return Err(ClassifierError::Model(lines.join("\n")));
        }
        let calibration = match &settings.calibration {
            Some(path) => {
                let path = place(path);
                let source = std::fs::read_to_string(&path).map_err(|e| {
                    ClassifierError::Config(format!("calibration: cannot read {}: {e}", path.display()))
                })?;
                Calibration::from_toml(&source)
                    .map_err(|e| ClassifierError::Model(format!("{}: {e}", path.display())))?
            }
            None if settings.bundled => Calibration::from_toml(CALIBRATION)
                .map_err(|e| ClassifierError::Model(format!("built-in calibration: {e}")))?,
            None => Calibration::default(),
        };
        let mut rules = Self::new(setup.taxonomy, &packs)?.with_calibration(&calibration);
        if let Some(threshold) = settings.threshold {
            rules.thresholds = Thresholds::uniform(threshold);
        }
        Ok(rules)
    }
}

#[cfg(feature = "export")]
lundian_plugin::export!(Rules);
