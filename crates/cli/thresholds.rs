//! Threshold files: what `find-threshold` writes and `--thresholds` reads.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use lundian_core::{Taxonomy, Thresholds};
use lundian_runner::System;
use lundian_runner::aggregate::{Fitted, FittedError};
use serde::{Deserialize, Serialize};

const FORMAT: u32 = 1;

/// Thresholds of several systems and aggregates.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ThresholdFile {
    format: u32,
    /// The systems that the aggregates combined when their thresholds were chosen.
    pub(crate) panel: Vec<String>,
    /// The combined scores, from the first up to the second (1 itself, too, if that is the second), that leave a thesis
    /// undecided for the aggregate `cascade`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cascade_band: Option<[f64; 2]>,
    /// By name of the system or aggregate.
    pub(crate) systems: BTreeMap<String, Thresholds>,
}

impl ThresholdFile {
    pub(crate) fn new(
        panel: Vec<String>,
        systems: BTreeMap<String, Thresholds>,
        cascade_band: Option<[f64; 2]>,
    ) -> Self {
        Self { format: FORMAT, panel, cascade_band, systems }
    }

    /// Reads a file and checks it against the taxonomy.
    pub(crate) fn read(path: &Path, taxonomy: &Taxonomy) -> anyhow::Result<Self> {
        let source = std::fs::read_to_string(path).with_context(|| format!("{}: cannot read", path.display()))?;
        Self::parse(&source, taxonomy).with_context(|| path.display().to_string())
    }

    pub(crate) fn parse(source: &str, taxonomy: &Taxonomy) -> anyhow::Result<Self> {
        let file: Self = toml::from_str(source).map_err(|e| anyhow::anyhow!("{}", e.to_string().trim_end()))?;
        if file.format != FORMAT {
            bail!("threshold format {} is not known to this version", file.format);
        }
        for (name, thresholds) in &file.systems {
            for (slug, &value) in thresholds.per_thesis.iter().chain([(&"global".to_owned(), &thresholds.global)]) {
                if !(0.0..=1.0).contains(&value) {
                    bail!("{name}: threshold {value} of {slug} is not between 0 and 1");
                }
                if slug != "global" && taxonomy.index(slug).is_none() {
                    bail!("{name}: there is no thesis {slug:?} in the taxonomy");
                }
            }
        }
        Ok(file)
    }

    pub(crate) fn to_toml(&self) -> anyhow::Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// Gives the systems their thresholds of this file; the others keep theirs.
    pub(crate) fn apply(&self, systems: &mut [System]) {
        for system in systems {
            if let Some(thresholds) = self.systems.get(&system.name) {
                system.thresholds = thresholds.clone();
            }
        }
    }

    /// The thresholds of an aggregate, if the file has any and was made with the same panel: those of one panel say
    /// nothing about another.
    pub(crate) fn of_aggregate(&self, name: &str, systems: &[System]) -> Option<&Thresholds> {
        self.systems.get(name).filter(|_| self.is_for(systems))
    }

    /// Gives the cascade its band of this file, if it has one and was made with the same panel.
    pub(crate) fn apply_band(&self, fitted: Fitted, systems: &[System]) -> Result<Fitted, FittedError> {
        match self.cascade_band.filter(|_| self.is_for(systems)) {
            Some(band) => fitted.with_cascade_band(band),
            None => Ok(fitted),
        }
    }

    /// True if its aggregates combined exactly these systems, in any order.
    fn is_for(&self, systems: &[System]) -> bool {
        systems.len() == self.panel.len() && systems.iter().all(|s| self.panel.contains(&s.name))
    }
}
