//! What all encoders are built of: linear maps and layer norms with their weights, and what is asked of a configuration.
//!
//! The decision that matters: an option that would change the numbers and that is not read is an error. A model is
//! either run as it was meant, or not at all.

use std::fmt::Debug;
use std::sync::Arc;

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use crate::eight_bit::EightBit;
use crate::ops;

/// `x Wᵀ + b`.
#[derive(Clone, Debug)]
pub(crate) enum Linear {
    /// In floats; can be learnt.
    Floats { weight: Tensor, bias: Tensor },
    /// In whole numbers.
    EightBit(Arc<EightBit>),
}

impl Linear {
    pub(crate) fn new(inputs: usize, outputs: usize, vb: VarBuilder<'_>) -> Result<Self> {
        Self::with(inputs, outputs, true, vb)
    }

    /// One without a bias unless `biased`.
    pub(crate) fn with(inputs: usize, outputs: usize, biased: bool, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self::Floats { weight: vb.get((outputs, inputs), "weight")?, bias: bias(outputs, biased, &vb)? })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Floats { weight, bias } => ops::linear(x, weight, bias),
            Self::EightBit(map) => map.forward(x),
        }
    }

    /// Goes over to whole numbers.
    pub(super) fn compact(&mut self) -> Result<()> {
        if let Self::Floats { weight, bias } = self {
            *self = Self::EightBit(Arc::new(EightBit::new(weight, bias)?));
        }
        Ok(())
    }
}

/// Each row with mean 0 and variance 1, then scaled and shifted.
#[derive(Clone, Debug)]
pub(crate) struct LayerNorm {
    weight: Tensor,
    bias: Tensor,
    epsilon: f64,
}

impl LayerNorm {
    pub(crate) fn new(width: usize, epsilon: f64, vb: VarBuilder<'_>) -> Result<Self> {
        Self::with(width, epsilon, true, vb)
    }

    /// One without a bias unless `biased`.
    pub(crate) fn with(width: usize, epsilon: f64, biased: bool, vb: VarBuilder<'_>) -> Result<Self> {
        Ok(Self { weight: vb.get(width, "weight")?, bias: bias(width, biased, &vb)?, epsilon })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::layer_norm(x, &self.weight, &self.bias, self.epsilon)
    }
}

fn bias(width: usize, biased: bool, vb: &VarBuilder<'_>) -> Result<Tensor> {
    if biased { vb.get(width, "bias") } else { Tensor::zeros(width, vb.dtype(), vb.device()) }
}

/// The rows of `table` with these numbers.
pub(crate) fn rows(table: &Tensor, numbers: Vec<u32>) -> Result<Tensor> {
    let count = numbers.len();
    table.index_select(&Tensor::from_vec(numbers, count, table.device())?, 0)
}

/// The weights of the encoder. A model with a head keeps them under a name of their own, one of `names`; `known` is one of
/// them.
pub(super) fn inside<'a>(vb: &VarBuilder<'a>, names: &[&str], known: &str) -> VarBuilder<'a> {
    let name = names.iter().find(|name| vb.contains_tensor(&format!("{name}.{known}")));
    name.map_or_else(|| vb.clone(), |name| vb.pp(name))
}

/// An error if one of the named sizes is 0.
pub(super) fn positive(sizes: &[(&str, usize)]) -> std::result::Result<(), String> {
    sizes.iter().find(|(_, n)| *n == 0).map_or(Ok(()), |(name, _)| Err(format!("{name} is 0")))
}

/// An error if numbers cannot be shared out evenly among heads, given the two options' names and values.
pub(super) fn shared_out(width: (&str, usize), heads: (&str, usize)) -> std::result::Result<(), String> {
    if width.1.is_multiple_of(heads.1) {
        Ok(())
    } else {
        Err(format!("{} {} is not a multiple of {} {}", width.0, width.1, heads.0, heads.1))
    }
}

/// An error if the option `name` has another value than the one that is supported.
pub(crate) fn only<T: Debug + PartialEq>(name: &str, value: T, supported: T) -> std::result::Result<(), String> {
    if value == supported { Ok(()) } else { Err(format!("{name} {value:?} is not supported, only {supported:?}")) }
}
