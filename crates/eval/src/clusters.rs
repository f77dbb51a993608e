//! What is resampled: paragraphs of one author's answer, or of one document, are not independent, so intervals come
//! from resampling these whole.

use std::collections::HashMap;

use lundian_core::Sample;
use serde::Serialize;

/// What the resampled units are, for the reader of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ResampledBy {
    /// Sections (one author's answer).
    Section,
    /// Documents.
    Document,
    /// Single paragraphs: the file names neither sections nor documents.
    Paragraph,
}

/// The cluster of each paragraph.
#[derive(Clone, Debug)]
pub(crate) struct Clusters {
    /// Number of the cluster of each row.
    pub(crate) of_row: Vec<usize>,
    /// How many there are.
    pub(crate) count: usize,
}

impl Clusters {
    /// Numbers clusters by their names, in the order of appearance.
    pub(crate) fn new<'a>(names: impl IntoIterator<Item = &'a str>) -> Self {
        let mut numbers: HashMap<&str, usize> = HashMap::new();
        let of_row = names
            .into_iter()
            .map(|name| {
                let next = numbers.len();
                *numbers.entry(name).or_insert(next)
            })
            .collect();
        Self { of_row, count: numbers.len() }
    }

    pub(crate) fn of_samples(samples: &[Sample]) -> Self {
        Self::new(samples.iter().map(Sample::cluster))
    }
}

/// What the clusters of samples mostly are.
pub(crate) fn resampled_by(samples: &[Sample]) -> ResampledBy {
    let sections = samples.iter().filter(|s| !s.paragraph.section.is_empty()).count();
    let documents = samples.iter().filter(|s| s.paragraph.section.is_empty() && !s.paragraph.doc.is_empty()).count();
    let neither = samples.len() - sections - documents;
    if sections >= documents.max(neither) && sections > 0 {
        ResampledBy::Section
    } else if documents >= neither && documents > 0 {
        ResampledBy::Document
    } else {
        ResampledBy::Paragraph
    }
}
