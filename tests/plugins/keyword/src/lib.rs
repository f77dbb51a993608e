//! A test plugin: scores a thesis by the share of a paragraph that its keywords cover, and roles by how often their words
//! occur.

use std::collections::BTreeMap;

use lundian_plugin::{Batch, Classifier, ClassifierError, Output, Plugin, Role, RoleScores, Setup, Thresholds, export};
use serde::Deserialize;

/// The settings: keywords by slug of the thesis that they speak for, and by name of the role.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    keywords: BTreeMap<String, Vec<String>>,
    roles: BTreeMap<String, Vec<String>>,
}

/// The classifier.
#[derive(Debug)]
pub struct Keyword {
    /// By index of their thesis.
    keywords: Vec<(usize, Vec<String>)>,
    /// In the order of [`Role::ALL`].
    roles: [Vec<String>; Role::ALL.len()],
}

impl Plugin for Keyword {
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
        let index = |(slug, words): (String, Vec<String>)| match setup.taxonomy.index(&slug) {
            Some(thesis) => Ok((thesis, words)),
            None => Err(ClassifierError::Config(format!("keywords: {slug:?} is no thesis of this taxonomy"))),
        };
        let mut settings = setup.config::<Settings>()?;
        let roles = Role::ALL.map(|role| settings.roles.remove(role.as_str()).unwrap_or_default());
        if let Some((word, _)) = settings.roles.pop_first() {
            return Err(ClassifierError::Config(format!("roles: {word:?} is no role")));
        }
        Ok(Self { keywords: settings.keywords.into_iter().map(index).collect::<Result<_, _>>()?, roles })
    }
}

impl Keyword {
    /// The share of each role in all its words that occur in `text`; `None` where there are none.
    fn role(&self, text: &str) -> Option<RoleScores> {
        let count = |words: &Vec<String>| words.iter().map(|word| text.matches(word.as_str()).count()).sum::<usize>();
        let counts = self.roles.each_ref().map(count);
        let all: usize = counts.iter().sum();
        (all > 0).then(|| counts.map(|n| n as f32 / all as f32))
    }
}

impl Classifier for Keyword {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        for (row, unit) in batch.units.iter().enumerate() {
            if let Some(scores) = self.role(unit.text) {
                out.set_role(row, scores);
            }
            for (thesis, words) in &self.keywords {
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
