//! From several annotators' labels to one.

use std::collections::BTreeMap;

use lundian_core::Label;

/// The labels that more than half of the annotators gave, each as the first of them wrote it.
pub(super) fn majority<'a>(annotations: impl IntoIterator<Item = &'a Vec<Label>>) -> Vec<Label> {
    let annotations: Vec<_> = annotations.into_iter().collect();
    let mut votes: BTreeMap<usize, (usize, &Label)> = BTreeMap::new();
    for label in annotations.iter().flat_map(|labels| labels.iter()) {
        let entry = votes.entry(label.thesis).or_insert((0, label));
        entry.0 += 1;
        if entry.1.evidence.is_none() {
            entry.1 = label;
        }
    }
    votes.into_values().filter(|(n, _)| 2 * n > annotations.len()).map(|(_, label)| label.clone()).collect()
}

/// Adds a label, unless the thesis is there already: a paragraph argues a thesis once, whatever the number of spans
/// that show it. The first span is kept.
pub(super) fn add(labels: &mut Vec<Label>, label: Label) {
    match labels.iter_mut().find(|l| l.thesis == label.thesis) {
        Some(known) => {
            if known.evidence.is_none() {
                known.evidence = label.evidence;
            }
        }
        None => labels.push(label),
    }
}
