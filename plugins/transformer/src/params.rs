//! How to train: what may be chosen, and what is allowed.

use serde::{Deserialize, Serialize};

use crate::tokens::Lengths;

/// How the vectors of a paragraph's tokens become the one that a thesis or a role is scored by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Pooling {
    /// Their mean, the same for all theses and roles.
    #[default]
    Mean,
    /// A mean of its own for each thesis and each role, weighted by learnt attention (Mullenbach et al., *Explainable
    /// prediction of medical codes from clinical text*, 2018).
    Attention,
}

/// Which heads learn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Heads {
    /// That for theses, and that for roles if samples have roles.
    #[default]
    All,
    /// That for roles only, on a base that is a model for the same theses. All else stays as it is, bit for bit, and
    /// with it what theses score: [`layers`](Params::layers), [`freeze`](Params::freeze), [`pooling`](Params::pooling)
    /// and [`lengths`](Params::lengths) are those of the base. Only samples with a role count.
    Roles,
}

/// How to train a model. [`check`](Params::check) it to use it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Params {
    /// Passes over the samples; at least 1. The learning rate falls to 0 over all of them.
    pub epochs: usize,
    /// Passes without a better macro-F1 on the tuning samples after which training stops; 0 for never.
    pub patience: usize,
    /// Samples for one step; at least 1.
    pub batch: usize,
    /// Parts of a batch that are worked on at the same time; at least 1. What is learnt depends on it in the last
    /// digits, but not on the number of threads.
    pub shards: usize,
    /// Layers of the base that are kept, from below; 0 for all.
    pub layers: usize,
    /// Layers that stay as they are, from below; all if there are not that many. What they give is computed once.
    /// Embeddings always stay: they are what the model knows of words that no sample has.
    pub freeze: usize,
    /// Learning rate of the uppermost layer; above 0.
    pub learning_rate: f64,
    /// The learning rate of each layer is this part of the one above it; above 0, at most 1.
    pub layer_decay: f64,
    /// Learning rate of the head; above 0.
    pub head_learning_rate: f64,
    /// Part of all steps over which learning rates rise from 0; from 0 to below 1.
    pub warmup: f64,
    /// Weight decay of matrices; at least 0.
    pub weight_decay: f64,
    /// Part of all numbers that is dropped after each sublayer; from 0 to below 1.
    pub dropout: f32,
    /// Part of the tokens that is left out in each step, above the layers that stay as they are (after Shen et al., *A
    /// simple but tough-to-beat data augmentation approach for natural language understanding and generation*, 2020);
    /// from 0 to below 1.
    pub token_dropout: f32,
    /// The largest norm of a gradient; larger ones are scaled down. Above 0.
    pub clip: f64,
    /// A sample that argues a thesis counts as often as makes up for its rarity, in square root, but at most this many
    /// times; at least 1.
    pub positive_weight: f32,
    /// Targets keep this distance from 0 and 1; from 0 to below 0.5.
    pub label_smoothing: f32,
    /// How little a thesis counts where it is not argued and the model already doubts it: its loss is multiplied by the
    /// probability to this power (Ridnik et al., *Asymmetric loss for multi-label classification*, 2021). 0 for plain
    /// cross-entropy; at least 0.
    pub negative_focus: f32,
    /// How much a paragraph that a teacher scored counts, beside one that people labelled; above 0.
    pub teacher_weight: f32,
    /// Which heads learn.
    #[serde(default)]
    pub heads: Heads,
    /// How much the cross-entropy of a paragraph's role counts, beside the sum of the losses of its theses; 0 for no head
    /// for roles, which models have that do not say. At least 0.
    #[serde(default)]
    pub role_weight: f32,
    /// How a paragraph's tokens become one vector; models that do not say have the mean.
    #[serde(default)]
    pub pooling: Pooling,
    /// How much is read at once.
    pub lengths: Lengths,
    /// Same seed, same samples: same model.
    pub seed: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            epochs: 8,
            patience: 3,
            batch: 32,
            shards: 2,
            layers: 0,
            freeze: 4,
            learning_rate: 3e-4,
            layer_decay: 0.85,
            head_learning_rate: 2e-3,
            warmup: 0.06,
            weight_decay: 0.01,
            dropout: 0.1,
            token_dropout: 0.0,
            clip: 1.0,
            positive_weight: 5.0,
            label_smoothing: 0.0,
            negative_focus: 0.0,
            teacher_weight: 1.0,
            heads: Heads::All,
            role_weight: 0.3,
            pooling: Pooling::Attention,
            lengths: Lengths::default(),
            seed: 0,
        }
    }
}

impl Params {
    /// For training the head only, which is quick and suits few samples.
    pub fn head_only() -> Self {
        Self { freeze: usize::MAX, epochs: 30, patience: 0, head_learning_rate: 0.01, ..Self::default() }
    }
}

/// Parameters that have been checked.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidParams(Params);

impl ValidParams {
    /// The parameters.
    pub fn get(&self) -> &Params {
        &self.0
    }
}

impl Params {
    /// Checks them.
    ///
    /// # Errors
    /// The first that is out of its range.
    pub fn check(self) -> Result<ValidParams, ParamsError> {
        first_broken([
            ("epochs", "at least 1", self.epochs >= 1),
            ("batch", "at least 1", self.batch >= 1),
            ("shards", "at least 1", self.shards >= 1),
            ("learning_rate", "a number above 0", above_zero(self.learning_rate)),
            ("layer_decay", "above 0 and at most 1", self.layer_decay > 0.0 && self.layer_decay <= 1.0),
            ("head_learning_rate", "a number above 0", above_zero(self.head_learning_rate)),
            ("warmup", "from 0 to below 1", (0.0..1.0).contains(&self.warmup)),
            ("weight_decay", "a number of at least 0", self.weight_decay.is_finite() && self.weight_decay >= 0.0),
            ("dropout", "from 0 to below 1", (0.0..1.0).contains(&self.dropout)),
            ("token_dropout", "from 0 to below 1", (0.0..1.0).contains(&self.token_dropout)),
            ("clip", "a number above 0", above_zero(self.clip)),
            ("positive_weight", "at least 1", self.positive_weight.is_finite() && self.positive_weight >= 1.0),
            ("label_smoothing", "from 0 to below 0.5", (0.0..0.5).contains(&self.label_smoothing)),
            ("negative_focus", "at least 0", self.negative_focus.is_finite() && self.negative_focus >= 0.0),
            ("teacher_weight", "a number above 0", above_zero(f64::from(self.teacher_weight))),
            ("role_weight", "a number of at least 0", self.role_weight.is_finite() && self.role_weight >= 0.0),
            ("lengths.window", "at least 8", self.lengths.window >= 8),
        ])?;
        Ok(ValidParams(self))
    }
}

pub(crate) fn above_zero(x: f64) -> bool {
    x.is_finite() && x > 0.0
}

/// The error for the first of these rules that does not hold, each a parameter, what it must be, and whether it is.
pub(crate) fn first_broken<const N: usize>(rules: [(&'static str, &'static str, bool); N]) -> Result<(), ParamsError> {
    let broken = rules.into_iter().find(|(.., holds)| !holds);
    broken.map_or(Ok(()), |(name, must, _)| Err(ParamsError { name, must }))
}

/// A parameter that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {must}")]
pub struct ParamsError {
    /// The parameter.
    pub name: &'static str,
    /// What it must be.
    pub must: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold_and_what_is_out_of_range_is_named() {
        assert_eq!(Params::default().check().unwrap().get(), &Params::default());
        let wrong = |change: &dyn Fn(&mut Params)| {
            let mut params = Params::default();
            change(&mut params);
            params.check().unwrap_err().name
        };
        assert_eq!(wrong(&|p| p.epochs = 0), "epochs");
        assert_eq!(wrong(&|p| p.learning_rate = f64::NAN), "learning_rate");
        assert_eq!(wrong(&|p| p.layer_decay = 0.0), "layer_decay");
        assert_eq!(wrong(&|p| p.dropout = 1.0), "dropout");
        assert_eq!(wrong(&|p| p.token_dropout = -0.1), "token_dropout");
        assert_eq!(wrong(&|p| p.role_weight = f32::INFINITY), "role_weight");
        assert_eq!(wrong(&|p| p.lengths.window = 7), "lengths.window");
    }
}
