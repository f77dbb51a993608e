//! A classifier with the name and thresholds that it runs under.

use std::sync::Arc;

use lundian_core::{Classifier, Kind, Thresholds};

/// One classifier of a run.
#[derive(Clone)]
pub struct System {
    /// Unique in the run; the word that `--plugin` takes.
    pub name: String,
    /// What sort of method it is.
    pub kind: Kind,
    /// From which score on it counts a thesis as argued.
    pub thresholds: Thresholds,
    /// The classifier itself.
    pub classifier: Arc<dyn Classifier>,
}

impl System {
    /// A system with the thresholds that come with the classifier.
    pub fn new(name: impl Into<String>, kind: Kind, classifier: Arc<dyn Classifier>) -> Self {
        Self { name: name.into(), kind, thresholds: classifier.thresholds(), classifier }
    }
}

impl std::fmt::Debug for System {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("System").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}
