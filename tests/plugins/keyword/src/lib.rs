//! A test plugin: scores a thesis by the share of a paragraph that its keywords cover.

use std::collections::BTreeMap;

use lundian_plugin::{Batch, Classifier, ClassifierError, Output, Plugin, Setup, Thresholds, export};
use serde::Deserialize;

/// The settings: keywords by slug of the thesis that they speak for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    keywords: BTreeMap<String, Vec<String>>,
}

/// The classifier: keywords by index of their thesis.
#[derive(Debug)]
pub struct Keyword(Vec<(usize, Vec<String>)>);

impl Plugin for Keyword {
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
        let index = |(slug, words): (String, Vec<String>)| match setup.taxonomy.index(&slug) {
            Some(thesis) => Ok((thesis, words)),
            None => Err(ClassifierError::Config(format!("keywords: {slug:?} is no thesis of this taxonomy"))),
        };
        Ok(Self(setup.config::<Settings>()?.keywords.into_iter().map(index).collect::<Result<_, _>>()?))
    }
}

impl Classifier for Keyword {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        for (row, unit) in batch.units.iter().enumerate() {
            for (thesis, words) in &self.0 {
                let mut covered = 0;
                for (start, found) in words.iter().flat_map(|word| unit.text.match_indices(word.as_str())) {
                    covered += found.len();
                    if batch.evidence {
                        out.add_evidence(row, *thesis, start..start + found.len(), 1.0);
                    }
                }
                out.set(row, *thesis, (covered as f32 / unit.text.len().max(1) as f32).min(1.0));
            }
        }
        Ok(())
    }

    fn thresholds(&self) -> Thresholds {
        Thresholds::uniform(0.1)
    }
}

export!(Keyword);
