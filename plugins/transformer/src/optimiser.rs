//! AdamW (Loshchilov and Hutter, *Decoupled weight decay regularization*, 2019) with a learning rate per weight.
//!
//! The decision that matters: its whole state is plain numbers that can be written down, so that training which was
//! stopped goes on exactly where it was.

use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use rayon::prelude::*;

use crate::random::Random;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.98;
const EPSILON: f32 = 1e-8;

/// A weight that is learnt.
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) var: Var,
    /// Its learning rate at the height of training.
    pub(crate) learning_rate: f32,
    pub(crate) weight_decay: f32,
    /// Running mean of its gradient.
    pub(crate) first: Vec<f32>,
    /// Running mean of its squared gradient.
    pub(crate) second: Vec<f32>,
}

impl Slot {
    pub(crate) fn new(name: String, var: Var, learning_rate: f64, weight_decay: f64) -> Self {
        let count = var.elem_count();
        // Biases and norms have no reason to be small.
        let weight_decay = if var.rank() > 1 { weight_decay as f32 } else { 0.0 };
        let learning_rate = learning_rate as f32;
        Self { name, var, learning_rate, weight_decay, first: vec![0.0; count], second: vec![0.0; count] }
    }
}

/// What `work` makes of each of at most `shards` parts of a batch, all at the same time; each gets a seed of its own, which
/// follows from that of training and from the step.
pub(crate) fn in_shards<T: Sync, R: Send, E: Send>(
    batch: &[T],
    shards: usize,
    seed: u64,
    step: u64,
    work: impl Fn(&[T], u64) -> std::result::Result<R, E> + Sync,
) -> std::result::Result<Vec<R>, E> {
    let shards: Vec<&[T]> = batch.chunks(batch.len().div_ceil(shards)).collect();
    let seeded = |(n, shard): (usize, &&[T])| work(shard, Random::new(seed ^ (step << 8) ^ n as u64).next());
    shards.par_iter().enumerate().map(seeded).collect()
}

/// The part of learning rates at a step, counted from 1: up in a line over the part `warmup` of all steps, then down in a
/// line to nearly 0.
pub(crate) fn rate(step: u64, steps: u64, warmup: f64) -> f32 {
    let (step, steps) = (step as f64, steps as f64);
    let warm = (warmup * steps).max(1.0);
    if step < warm { (step / warm) as f32 } else { ((steps - step + 1.0) / (steps - warm + 1.0)) as f32 }
}

/// One step along the sum of the shards' gradients, scaled down to the norm `clip`, at the part `rate` of all learning
/// rates; `step` counts from 1. Returns the norm of the gradient.
pub(crate) fn step(slots: &mut [Slot], shards: &[GradStore], step: u64, rate: f32, clip: f32) -> Result<f32> {
    let sum_of = |slot: &Slot| -> Result<Vec<f32>> {
        let mut sum = vec![0.0; slot.first.len()];
        for gradient in shards.iter().filter_map(|shard| shard.get(slot.var.as_tensor())) {
            let gradient = gradient.flatten_all()?.to_vec1::<f32>()?;
            sum.iter_mut().zip(&gradient).for_each(|(s, g)| *s += g);
        }
        Ok(sum)
    };
    let gradients: Vec<Vec<f32>> = slots.par_iter().map(sum_of).collect::<Result<_>>()?;
    // In the order of the slots, whatever thread each came from.
    let squares: Vec<f64> =
        gradients.par_iter().map(|g| g.iter().map(|x| f64::from(*x) * f64::from(*x)).sum()).collect();
    let norm = squares.iter().sum::<f64>().sqrt() as f32;
    if !norm.is_finite() {
        return Ok(norm);
    }
    let scale = if norm > clip { clip / norm } else { 1.0 };
    let (bias1, bias2) = (1.0 - BETA1.powi(step as i32), 1.0 - BETA2.powi(step as i32));
    slots.par_iter_mut().zip(&gradients).try_for_each(|(slot, gradient)| {
        let rate = rate * slot.learning_rate;
        let shrink = 1.0 - rate * slot.weight_decay;
        let mut weights = slot.var.as_tensor().flatten_all()?.to_vec1::<f32>()?;
        let moments = slot.first.iter_mut().zip(&mut slot.second);
        for ((w, g), (first, second)) in weights.iter_mut().zip(gradient).zip(moments) {
            let g = g * scale;
            *first = BETA1 * *first + (1.0 - BETA1) * g;
            *second = BETA2 * *second + (1.0 - BETA2) * g * g;
            *w = *w * shrink - rate * (*first / bias1) / ((*second / bias2).sqrt() + EPSILON);
        }
        slot.var.set(&Tensor::from_vec(weights, slot.var.shape(), slot.var.device())?)
    })?;
    Ok(norm)
}
