//! Zero-shot: a paragraph against what the taxonomy itself says of each thesis.
//!
//! The decision that matters: cosines of encoders are compressed (unrelated texts can have 0.9), so none is used as it
//! is. The mean of all the taxonomy's texts is taken away first; a likeness counts in standard deviations above what
//! texts of other theses have; and the sigmoid is fitted on the taxonomy's own examples, each judged without itself.

use lundian_plugin::training::choose_threshold;

use crate::model::Calibration;

/// A text of the taxonomy.
pub(crate) struct Reference {
    /// The thesis that it speaks for; `None` for one that only looks like a thesis.
    pub(crate) thesis: Option<usize>,
    /// Its vector, as the encoder gives it.
    pub(crate) vector: Vec<f32>,
}

/// What likeness is measured against.
pub(crate) struct References {
    theses: usize,
    centre: Vec<f32>,
    /// Centred, of length 1.
    references: Vec<Reference>,
    /// By thesis, mean and standard deviation of the likeness of texts that do not speak for it.
    background: Vec<(f32, f32)>,
}

impl References {
    /// Of `references`, which are not empty and of one width; the calibration and the threshold that follow from them.
    pub(crate) fn new(theses: usize, mut references: Vec<Reference>) -> (Self, Calibration, f32) {
        let width = references.first().map_or(0, |r| r.vector.len());
        let mut centre = vec![0f32; width];
        for reference in &references {
            centre.iter_mut().zip(&reference.vector).for_each(|(c, x)| *c += x / references.len() as f32);
        }
        for reference in &mut references {
            reference.vector = centred(&reference.vector, &centre);
        }
        let mut all = Self { theses, centre, references, background: vec![(0.0, 1.0); theses] };
        let likenesses: Vec<Vec<f32>> =
            (0..all.references.len()).map(|n| all.likenesses(&all.references[n].vector, Some(n))).collect();
        all.background = (0..theses)
            .map(|thesis| {
                let others = all.references.iter().zip(&likenesses).filter(|(r, _)| r.thesis != Some(thesis));
                spread(others.map(|(_, likeness)| likeness[thesis]))
            })
            .collect();
        let logits = likenesses.iter().flat_map(|likenesses| all.standardised(likenesses)).collect::<Vec<f32>>();
        let argued: Vec<bool> =
            all.references.iter().flat_map(|r| (0..theses).map(|thesis| r.thesis == Some(thesis))).collect();
        let mut calibration = Calibration::fit(&logits, &argued);
        calibration.origin = "fitted on the taxonomy's own texts, each judged without itself".to_owned();
        let scores: Vec<f32> = logits.iter().map(|z| calibration.probability(*z)).collect();
        let threshold = choose_threshold(theses, &scores, &argued).threshold;
        (all, calibration, threshold)
    }

    /// For vectors as the encoder gives them: how much likelier than by chance each is to speak for each thesis.
    pub(crate) fn logits(&self, vectors: &[Vec<f32>]) -> Vec<Vec<f32>> {
        vectors.iter().map(|v| self.standardised(&self.likenesses(&centred(v, &self.centre), None))).collect()
    }

    /// The largest cosine with a text of each thesis; that with number `without` does not count. -1 where none is left.
    fn likenesses(&self, vector: &[f32], without: Option<usize>) -> Vec<f32> {
        let mut largest = vec![-1f32; self.theses];
        for (n, reference) in self.references.iter().enumerate() {
            let Some(thesis) = reference.thesis.filter(|_| without != Some(n)) else { continue };
            let cosine: f32 = reference.vector.iter().zip(vector).map(|(a, b)| a * b).sum();
            largest[thesis] = largest[thesis].max(cosine);
        }
        largest
    }

    fn standardised(&self, likenesses: &[f32]) -> Vec<f32> {
        likenesses.iter().zip(&self.background).map(|(x, (mean, deviation))| (x - mean) / deviation).collect()
    }
}

/// `vector` less `centre`, of length 1.
fn centred(vector: &[f32], centre: &[f32]) -> Vec<f32> {
    let mut moved: Vec<f32> = vector.iter().zip(centre).map(|(x, c)| x - c).collect();
    let length = moved.iter().map(|x| x * x).sum::<f32>().sqrt().max(1e-12);
    moved.iter_mut().for_each(|x| *x /= length);
    moved
}

/// Mean and standard deviation; the latter at least 0.01, so that few texts do not make it nothing.
fn spread(values: impl Iterator<Item = f32>) -> (f32, f32) {
    let values: Vec<f32> = values.collect();
    let n = values.len().max(1) as f32;
    let mean = values.iter().sum::<f32>() / n;
    let variance = values.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / n;
    (mean, variance.sqrt().max(0.01))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn texts_near_those_of_a_thesis_are_likelier_to_argue_it_however_compressed_cosines_are() {
        let mut random = Random::new(4);
        // All vectors share a large part, as those of encoders do.
        let mut near = |thesis: usize| -> Vec<f32> {
            let mut vector: Vec<f32> = (0..12).map(|_| 10.0 + 0.3 * (random.unit() as f32 - 0.5)).collect();
            vector[thesis] += 1.0;
            vector
        };
        let mut references: Vec<Reference> =
            (0..30).map(|i| Reference { thesis: Some(i % 5), vector: near(i % 5) }).collect();
        references.extend((5..10).map(|i| Reference { thesis: None, vector: near(i) }));
        let (all, calibration, threshold) = References::new(5, references);
        for thesis in 0..10 {
            let logits = &all.logits(&[near(thesis)])[0];
            for (of, logit) in logits.iter().enumerate() {
                assert_eq!(calibration.probability(*logit) > threshold, of == thesis, "{thesis} {of}: {logits:?}");
            }
        }
    }
}
