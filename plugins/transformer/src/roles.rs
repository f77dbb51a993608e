//! Roles: from logits to probabilities, the loss that they are learnt by, and how often they are right.
//!
//! The decision that matters: roles exclude each other, so the windows of a paragraph are averaged, each by its tokens.
//! Of theses the surest window counts, since one sentence can argue a thesis; a role is what the whole paragraph does.

use lundian_plugin::{Role, RoleScores};

/// The softmax of one logit per role.
pub(crate) fn probabilities(logits: &[f32]) -> RoleScores {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut scores = RoleScores::default();
    scores.iter_mut().zip(logits).for_each(|(score, z)| *score = (z - most).exp());
    let total: f32 = scores.iter().sum();
    scores.map(|score| score / total)
}

/// The cross-entropy of logits where number `role` is right, and its slope by each.
pub(crate) fn loss_of(logits: &[f32], role: usize) -> (f32, RoleScores) {
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let total: f32 = logits.iter().map(|z| (z - most).exp()).sum();
    let mut slope = probabilities(logits);
    slope[role] -= 1.0;
    (total.ln() + most - logits[role], slope)
}

/// The mean of a paragraph's windows, weighted by their tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    sum: RoleScores,
    tokens: f32,
}

impl Mean {
    pub(crate) fn add(&mut self, scores: &RoleScores, tokens: usize) {
        let tokens = tokens as f32;
        self.sum.iter_mut().zip(scores).for_each(|(sum, score)| *sum += tokens * score);
        self.tokens += tokens;
    }

    /// `None` if nothing was added.
    pub(crate) fn scores(&self) -> Option<RoleScores> {
        (self.tokens > 0.0).then(|| self.sum.map(|sum| (sum / self.tokens).clamp(0.0, 1.0)))
    }
}

/// How often roles are right.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    /// Part of the samples whose likeliest role is right.
    pub(crate) accuracy: f64,
    /// Mean of the F1 of the roles that samples have.
    pub(crate) macro_f1: f64,
}

impl Figures {
    /// Of pairs of what was given and what is right, as numbers in [`Role::ALL`]; `None` if there are none.
    pub(crate) fn new(pairs: &[(usize, usize)]) -> Option<Self> {
        let count = |holds: &dyn Fn(usize, usize) -> bool| pairs.iter().filter(|(a, b)| holds(*a, *b)).count() as f64;
        let f1: Vec<f64> = (0..Role::ALL.len())
            .filter(|role| pairs.iter().any(|(_, right)| right == role))
            .map(|role| {
                let both = count(&|given, right| given == role && right == role);
                2.0 * both / (count(&|given, _| given == role) + count(&|_, right| right == role))
            })
            .collect();
        (!f1.is_empty()).then(|| Self {
            accuracy: count(&|given, right| given == right) / pairs.len() as f64,
            macro_f1: f1.iter().sum::<f64>() / f1.len() as f64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_of_the_softmax_however_large_logits_are() {
        let scores = probabilities(&[2f32.ln(), 0.0, 0.0, 4f32.ln()]);
        assert!(scores.iter().zip([0.25, 0.125, 0.125, 0.5]).all(|(a, b)| (a - b).abs() < 1e-6), "{scores:?}");
        assert_eq!(probabilities(&[-300.0, 500.0, 0.0, -1e9]), [0.0, 1.0, 0.0, 0.0]);
        assert_eq!(loss_of(&[-300.0, 500.0, 0.0, 0.0], 0), (800.0, [-1.0, 1.0, 0.0, 0.0]));
    }

    #[test]
    fn longer_windows_count_for_more() {
        let mut mean = Mean::default();
        assert_eq!(mean.scores(), None);
        mean.add(&[1.0, 0.0, 0.0, 0.0], 30);
        mean.add(&[0.0, 0.0, 0.5, 0.5], 10);
        assert_eq!(mean.scores(), Some([0.75, 0.0, 0.125, 0.125]));
    }

    #[test]
    fn figures_are_those_by_hand() {
        // Role 3 is neither given nor right, role 2 is given once and never right: neither has an F1 that counts.
        let Figures { accuracy, macro_f1 } = Figures::new(&[(0, 0), (0, 0), (0, 1), (1, 1), (2, 0)]).unwrap();
        assert!((accuracy - 0.6).abs() < 1e-12);
        assert!((macro_f1 - (4.0 / 6.0 + 2.0 / 3.0) / 2.0).abs() < 1e-12);
        assert!(Figures::new(&[]).is_none());
    }
}
