//! The score from which on a thesis counts as argued.
//!
//! Thresholds belong to a system (they are chosen on a tuning file and stored with the model), never to a run's data.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Taxonomy;

/// One threshold for all theses, with exceptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// For every thesis without one of its own, in [0, 1].
    pub global: f32,
    /// By slug, in [0, 1].
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub per_thesis: BTreeMap<String, f32>,
    /// Where they come from, in words (`"chosen on dev.jsonl"`); shown in reports.
    #[serde(default)]
    pub origin: String,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self::uniform(0.5)
    }
}

impl Thresholds {
    /// One threshold for all theses.
    pub fn uniform(global: f32) -> Self {
        Self { global, per_thesis: BTreeMap::new(), origin: String::new() }
    }

    /// The threshold of the thesis `slug`.
    pub fn of(&self, slug: &str) -> f32 {
        self.per_thesis.get(slug).copied().unwrap_or(self.global)
    }

    /// One threshold per thesis, in the taxonomy's order.
    pub fn resolve(&self, taxonomy: &Taxonomy) -> Vec<f32> {
        taxonomy.theses().iter().map(|t| self.of(&t.slug)).collect()
    }
}
