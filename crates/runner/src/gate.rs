//! Sparing slow systems: which systems run first, and on which paragraphs the others need not run at all.

use std::fmt::Debug;

/// A plan in stages. The systems of the first stage judge every paragraph, those of a later one only the paragraphs
/// that are still undecided.
pub trait Gate: Debug + Send + Sync {
    /// The systems of each stage, as indices into the run's systems. Each system is in exactly one stage.
    fn stages(&self) -> &[Vec<usize>];

    /// Whether a paragraph is still undecided after the stages before number `stage` (at least 1).
    /// `scores[system][thesis]` is NaN where a system abstains, has failed, or has not run.
    fn undecided(&self, stage: usize, scores: &[&[f32]]) -> bool;

    /// How many stages a paragraph goes through, at least 1, as the scores of all systems tell.
    fn depth(&self, scores: &[&[f32]]) -> usize {
        1 + (1..self.stages().len()).take_while(|&stage| self.undecided(stage, scores)).count()
    }
}
