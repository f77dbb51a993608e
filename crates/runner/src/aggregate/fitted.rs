//! What aggregates have learned for one panel of systems, as one readable TOML file.
//!
//! The decision that matters: parameters belong to a panel. Weights for three systems say nothing about two of them, so
//! a file that was fitted for other systems is refused with the command that mends it, never bent to fit.

use std::collections::BTreeMap;

use lundian_core::{Output, Sample, Taxonomy, Thresholds};
use lundian_eval::{Mode, Objective, choose_thresholds};
use serde::{Deserialize, Serialize};

use super::cascade::{self, CascadeFit};
use super::correlated::Correlation;
use super::dawid_skene::DawidSkeneFit;
use super::stack::StackFit;
use super::training::{FitError, Training};
use super::weighted::WeightedFit;
use super::{AGGREGATES, AggregateError, Entry, Panel};

/// The format that this version writes, and the only one so far.
const FORMAT: u32 = 1;

/// Learned parameters of aggregates for one panel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fitted {
    format: u32,
    /// The systems, in the order of all parameters.
    pub panel: Vec<String>,
    /// The aggregate that serves this panel best, for who names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// How the scores were made, in words ("linear: cross-fitted by section"); shown to readers.
    #[serde(default)]
    pub note: String,
    /// What it was fitted on.
    #[serde(default)]
    pub data: Vec<DataFile>,
    /// Systems that err together.
    #[serde(default)]
    pub correlated: Vec<Correlation>,
    /// By aggregate, from which combined score on a thesis counts as argued; also of aggregates that learn nothing else.
    #[serde(default)]
    pub thresholds: BTreeMap<String, Thresholds>,
    /// Figures on files that it was not fitted on, by `FILE.SYSTEM.METRIC`.
    #[serde(default)]
    pub metrics: BTreeMap<String, f64>,
    /// Parameters of `weighted`.
    pub(super) weighted: Option<WeightedFit>,
    /// Parameters of `stack`.
    pub(super) stack: Option<StackFit>,
    /// Parameters of `dawid-skene`.
    pub(super) dawid_skene: Option<DawidSkeneFit>,
    /// Parameters of `cascade`.
    pub(super) cascade: Option<CascadeFit>,
}

/// A file that parameters were fitted on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    /// Its name, without folders.
    pub name: String,
    /// Paragraphs used.
    pub paragraphs: usize,
    /// Labels on them.
    pub labels: usize,
}

/// How to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// Parts for cross-fitting; at least 2. Samples of one section (else document) stay together.
    pub folds: usize,
    /// Seconds that each system of the panel takes for a paragraph, for `cascade`; empty if not known.
    pub seconds: Vec<f64>,
    /// What `cascade` aims at.
    pub target: cascade::Target,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { folds: 5, seconds: Vec::new(), target: cascade::Target::Loss(0.01) }
    }
}

/// Fits the aggregate `entry`.
///
/// # Errors
/// When the samples do not suffice, or the method learns nothing.
pub fn fit(entry: &Entry, training: &Training<'_>, options: &FitOptions) -> Result<Fitted, FitError> {
    let learn = entry.fit.ok_or(FitError::NotLearned(entry.name))?;
    let mut fitted = Fitted::new(training.panel);
    learn(training, options, &mut fitted)?;
    Ok(fitted)
}

/// Combined scores of the samples themselves, `samples x theses`, row-major: each by an aggregate that was fitted
/// without its section (else document). Aggregates that learn nothing simply combine.
///
/// # Errors
/// As [`fit`], and [`FitError::Clusters`].
pub fn cross_fit(entry: &Entry, training: &Training<'_>, options: &FitOptions) -> Result<Vec<f32>, FitError> {
    let mut scores = vec![f32::NAN; training.samples(entry.name)?.len() * training.theses()];
    let mut combine = |fitted: Option<&Fitted>, rows: &[usize]| {
        let aggregate = entry.for_panel(training.panel, fitted).map_err(|e| FitError::Unfit(e.to_string()))?;
        for &row in rows {
            let at = row * training.theses();
            scores[at..at + training.theses()].copy_from_slice(&aggregate.combine(&training.row(row)));
        }
        Ok(())
    };
    if entry.fit.is_none() {
        combine(None, training.rows())?;
    } else {
        for (others, rows) in training.splits(options.folds)? {
            combine(Some(&fit(entry, &others, options)?), &rows)?;
        }
    }
    Ok(scores)
}

impl Fitted {
    /// Nothing learned yet, for `panel`.
    pub fn new(panel: &Panel) -> Self {
        Self {
            format: FORMAT,
            panel: panel.names.clone(),
            default: None,
            note: String::new(),
            data: Vec::new(),
            correlated: Vec::new(),
            thresholds: BTreeMap::new(),
            metrics: BTreeMap::new(),
            weighted: None,
            stack: None,
            dawid_skene: None,
            cascade: None,
        }
    }

    /// Takes over what `other`, fitted for the same panel, has learned.
    ///
    /// # Panics
    /// If the panels differ.
    pub fn merge(&mut self, other: Self) {
        assert_eq!(self.panel, other.panel, "parameters belong to one panel");
        self.weighted = other.weighted.or(self.weighted.take());
        self.stack = other.stack.or(self.stack.take());
        self.dawid_skene = other.dawid_skene.or(self.dawid_skene.take());
        self.cascade = other.cascade.or(self.cascade.take());
        self.thresholds.extend(other.thresholds);
        self.metrics.extend(other.metrics);
        self.correlated.extend(other.correlated);
        self.data.extend(other.data);
    }

    /// Reads the TOML that [`to_toml`](Self::to_toml) writes.
    ///
    /// # Errors
    /// What is wrong, with line and column where TOML gives them.
    pub fn from_toml(source: &str) -> Result<Self, FittedError> {
        let fitted: Self =
            toml::from_str(source).map_err(|e| FittedError::Toml(e.to_string().trim_end().to_owned()))?;
        if fitted.format != FORMAT {
            return Err(FittedError::Format(fitted.format));
        }
        if let Some(unknown) = fitted.default.as_ref().filter(|name| super::find(name).is_none()) {
            return Err(FittedError::Default(unknown.clone()));
        }
        let systems = fitted.panel.len();
        let wrong = [
            fitted.weighted.as_ref().and_then(|f| f.fault(systems)).map(|f| ("weighted", f)),
            fitted.stack.as_ref().and_then(|f| f.fault(systems)).map(|f| ("stack", f)),
            fitted.dawid_skene.as_ref().and_then(|f| f.fault(systems)).map(|f| ("dawid-skene", f)),
            fitted.cascade.as_ref().and_then(|f| f.fault(&fitted.panel)).map(|f| ("cascade", f)),
        ];
        if let Some((method, fault)) = wrong.into_iter().flatten().next() {
            return Err(FittedError::Parameters { method, fault });
        }
        for (name, thresholds) in &fitted.thresholds {
            let mut all = std::iter::once(&thresholds.global).chain(thresholds.per_thesis.values());
            if let Some(&value) = all.find(|t| !(0.0..=1.0).contains(*t)) {
                return Err(FittedError::Threshold { name: name.clone(), value });
            }
        }
        Ok(fitted)
    }

    /// Everything, as TOML ready for a file.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("strings, numbers and maps with string keys are TOML")
    }

    /// Names of the aggregates that it holds parameters for.
    pub fn methods(&self) -> Vec<&'static str> {
        let held = [
            (super::WEIGHTED, self.weighted.is_some()),
            (super::STACK, self.stack.is_some()),
            (super::DAWID_SKENE, self.dawid_skene.is_some()),
            (super::CASCADE, self.cascade.is_some()),
        ];
        held.into_iter().filter(|(_, held)| *held).map(|(name, _)| name).collect()
    }

    /// The aggregate for a run of `panel` that names none: the one that the file gives for it, else the mean.
    pub fn default_for(&self, panel: &Panel) -> &'static Entry {
        let given = self.default.as_deref().filter(|_| self.is_for(panel));
        given.and_then(super::find).unwrap_or(&super::mean::ENTRY)
    }

    /// True if it was fitted for exactly the systems of `panel`, in any order.
    pub fn is_for(&self, panel: &Panel) -> bool {
        self.order(panel).is_some()
    }

    /// For each system of `panel` its number in the parameters; `None` if the systems are not the same.
    pub(super) fn order(&self, panel: &Panel) -> Option<Vec<usize>> {
        if self.panel.len() != panel.names.len() {
            return None;
        }
        panel.names.iter().map(|name| self.panel.iter().position(|p| p == name)).collect()
    }

    /// Chooses a threshold for every aggregate of which there are parameters, and for those that need none, on
    /// cross-fitted scores of `training`. One threshold for all theses: the rare ones have too few samples for one of
    /// their own. `file` names the samples.
    ///
    /// # Errors
    /// As [`cross_fit`].
    pub fn choose_thresholds(
        &mut self,
        training: &Training<'_>,
        taxonomy: &Taxonomy,
        options: &FitOptions,
        objective: Objective,
        file: &str,
    ) -> Result<(), FitError> {
        let methods = self.methods();
        for entry in AGGREGATES.iter().filter(|e| e.fit.is_none() || methods.contains(&e.name)) {
            let scores = cross_fit(entry, training, options)?;
            let samples = training.samples(entry.name)?;
            let mut chosen = thresholds_for(samples, &scores, taxonomy, objective, file);
            if entry.fit.is_some() {
                chosen.origin += ", cross-fitted";
            }
            self.thresholds.insert(entry.name.to_owned(), chosen);
        }
        Ok(())
    }

    /// Chooses a threshold for every aggregate, as it stands, on samples that it was not fitted on; for the cascade one for
    /// each stage, and the band that goes with them, see [`tune_cascade`](Self::tune_cascade).
    ///
    /// # Errors
    /// [`FitError::Unlabelled`], [`FitError::Unfit`].
    pub fn tune_thresholds(
        &mut self,
        tuning: &Training<'_>,
        taxonomy: &Taxonomy,
        objective: Objective,
        file: &str,
    ) -> Result<(), FitError> {
        let methods = self.methods();
        let usable = AGGREGATES.iter().filter(|e| e.fit.is_none() || methods.contains(&e.name));
        for entry in usable.filter(|e| e.name != super::CASCADE) {
            let aggregate = entry.for_panel(tuning.panel, Some(self)).map_err(|e| FitError::Unfit(e.to_string()))?;
            let scores: Vec<f32> = tuning.rows().iter().flat_map(|&r| aggregate.combine(&tuning.row(r))).collect();
            let samples = tuning.samples(entry.name)?;
            self.thresholds.insert(entry.name.to_owned(), thresholds_for(samples, &scores, taxonomy, objective, file));
        }
        if let Some(cascade) = &mut self.cascade {
            let samples = tuning.samples(super::CASCADE)?;
            cascade.align(tuning, |scores| thresholds_for(samples, scores, taxonomy, objective, file).global);
            self.tune_cascade(tuning, taxonomy, None, None, objective, file)?;
        }
        Ok(())
    }

    /// Chooses the threshold of the cascade anew, for the scores of all its systems, and around it the band that meets
    /// `target` (the one that it has, if `None`); what its stages have learned stays. `seconds` are those that each
    /// system of the panel takes for a paragraph; the stored ones, if `None`. The samples, named by `file`, must be such
    /// as it was not fitted on.
    ///
    /// # Errors
    /// [`FitError::NoCascade`], [`FitError::Costs`], [`FitError::Target`], [`FitError::Unlabelled`].
    pub fn tune_cascade(
        &mut self,
        tuning: &Training<'_>,
        taxonomy: &Taxonomy,
        target: Option<cascade::Target>,
        seconds: Option<&[f64]>,
        objective: Objective,
        file: &str,
    ) -> Result<(), FitError> {
        let systems = tuning.systems();
        let fits = self.is_for(tuning.panel);
        let cascade = self.cascade.as_mut().filter(|_| fits).ok_or(FitError::NoCascade)?;
        if let Some(wrong) = seconds.filter(|s| s.len() != systems || !s.iter().copied().all(cascade::is_time)) {
            return Err(FitError::Costs { costs: wrong.len(), systems });
        }
        let samples = tuning.samples(super::CASCADE)?;
        let chosen = thresholds_for(samples, &cascade.full_scores(tuning), taxonomy, objective, file);
        cascade.tune(tuning, target.unwrap_or(cascade.target), chosen.global, seconds)?;
        self.thresholds.insert(super::CASCADE.to_owned(), chosen);
        Ok(())
    }

    /// The cascade, if there is one: what it aims at, what it did to the samples that its band was chosen on, and, in
    /// words, its stages.
    pub fn cascade(&self) -> Option<(cascade::Target, &cascade::Expected, String)> {
        self.cascade.as_ref().map(|c| (c.target, &c.expected, c.stages_in_words()))
    }

    /// The combined scores, from the first up to the second (1 itself, too, if that is the second), that leave a thesis
    /// undecided for the cascade.
    pub fn cascade_band(&self) -> Option<[f64; 2]> {
        self.cascade.as_ref().map(|c| c.band)
    }

    /// The same parameters with another band for the cascade, where there is one; see
    /// [`tune_cascade`](Self::tune_cascade).
    ///
    /// # Errors
    /// [`FittedError::Parameters`] if it is no band between 0 and 1.
    pub fn with_cascade_band(mut self, band: [f64; 2]) -> Result<Self, FittedError> {
        if let Some(cascade) = &mut self.cascade {
            cascade.band = band;
            if let Some(fault) = cascade.fault(&self.panel) {
                return Err(FittedError::Parameters { method: super::CASCADE, fault });
            }
        }
        Ok(self)
    }
}

/// One threshold for all theses that suits these scores best.
pub(super) fn thresholds_for(
    samples: &[Sample],
    scores: &[f32],
    taxonomy: &Taxonomy,
    objective: Objective,
    file: &str,
) -> Thresholds {
    let mut output = Output::new(samples.len(), taxonomy.len());
    output.scores_mut().copy_from_slice(scores);
    choose_thresholds(samples, &output, taxonomy, Mode::Global, objective, file)
}

/// The parameters of one method for a panel, and where each of its systems stands in them.
pub(super) fn parameters<'f, T>(
    method: &'static str,
    panel: &Panel,
    fitted: Option<&'f Fitted>,
    of: impl Fn(&'f Fitted) -> Option<&'f T>,
) -> Result<(&'f T, Vec<usize>), AggregateError> {
    let systems = || panel.names.join(", ");
    let Some(fitted) = fitted else { return Err(AggregateError::NotFitted { method, panel: systems() }) };
    let Some(order) = fitted.order(panel) else {
        return Err(AggregateError::OtherPanel { method, panel: systems(), fitted: fitted.panel.join(", ") });
    };
    let parameters = of(fitted).ok_or_else(|| AggregateError::NotFitted { method, panel: systems() })?;
    Ok((parameters, order))
}

/// Parameters in a file with no more digits than anyone can use.
pub(super) fn round(x: f64) -> f64 {
    (x * 1e4).round() / 1e4
}

/// Why a file of learned parameters cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FittedError {
    /// Not the TOML of an ensemble; the message carries line and column.
    #[error("not an ensemble: {0}")]
    Toml(String),
    /// Made by another version.
    #[error("ensemble format {0} is not known to this version, which reads {FORMAT}: fit it anew")]
    Format(u32),
    /// A default that is no aggregate.
    #[error("there is no aggregate {0:?}, which default names; there are {names}", names = super::names())]
    Default(String),
    /// Parameters that do not fit the panel.
    #[error("[{method}] {fault}")]
    Parameters {
        /// The aggregate.
        method: &'static str,
        /// What is wrong.
        fault: String,
    },
    /// A threshold that no score could be compared with.
    #[error("threshold {value} of {name} is not between 0 and 1")]
    Threshold {
        /// The aggregate.
        name: String,
        /// The threshold.
        value: f32,
    },
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_shipped_file_can_be_read_and_its_theses_are_in_the_taxonomy() {
        let taxonomy = Taxonomy::china_economy();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/ensemble");
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
        assert!(!files.is_empty());
        for path in files {
            let fitted = Fitted::from_toml(&std::fs::read_to_string(&path).unwrap()).unwrap();
            let panel = Panel {
                names: fitted.panel.clone(),
                theses: taxonomy.theses().iter().map(|t| t.slug.clone()).collect(),
                thresholds: vec![vec![0.5; taxonomy.len()]; fitted.panel.len()],
            };
            let learned = fitted.methods();
            assert!(["weighted", "stack", "dawid-skene"].iter().all(|m| learned.contains(m)), "{}", path.display());
            for entry in AGGREGATES.iter().filter(|e| !e.is_learned() || learned.contains(&e.name)) {
                let aggregate = entry.for_panel(&panel, Some(&fitted)).unwrap();
                assert!(aggregate.thresholds().origin.contains("chosen on"), "{}: {}", path.display(), entry.name);
            }
            assert_eq!(fitted.default_for(&panel).name, fitted.default.as_deref().unwrap_or("mean"));
            let weighted = fitted.weighted.unwrap();
            assert!(weighted.slugs().all(|slug| taxonomy.index(slug).is_some()), "{}", path.display());
        }
    }

    #[test]
    fn the_default_is_for_its_panel_only() {
        let panel = |names: [&str; 2]| Panel {
            names: names.map(str::to_owned).to_vec(),
            theses: Vec::new(),
            thresholds: vec![Vec::new(); 2],
        };
        let mut fitted = Fitted::new(&panel(["a", "b"]));
        assert_eq!(fitted.default_for(&panel(["a", "b"])).name, "mean");
        fitted.default = Some("log-odds".to_owned());
        let fitted = Fitted::from_toml(&fitted.to_toml()).unwrap();
        assert_eq!(fitted.default_for(&panel(["b", "a"])).name, "log-odds");
        assert_eq!(fitted.default_for(&panel(["a", "c"])).name, "mean");
        let wrong = Fitted::from_toml(&fitted.to_toml().replace("log-odds", "magic")).unwrap_err();
        assert!(wrong.to_string().contains("magic") && wrong.to_string().contains("dawid-skene"), "{wrong}");
    }
}
