//! Linear maps in whole numbers, for inference: several times as quick as in floats.
//!
//! The decision that matters: the numbers of each token are rounded to 8 bits by the largest of them (Dettmers et al.,
//! *LLM.int8(): 8-bit matrix multiplication for transformers at scale*, 2022), and weights are 8-bit integers in the file
//! anyway. Sums of whole numbers are exact, so a token's result depends neither on the others in its batch nor on the
//! machine's instructions.

use candle_core::{Error, Result, Tensor};
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix, QuantParams};
use rten_tensor::NdTensorView;

use crate::ops::{self, ARCH, LANES};

thread_local! {
    /// The quickest product that this machine has.
    static EXECUTOR: GemmExecutor<u8, i8, i32> = GemmExecutor::new();
}

/// The largest whole number of a token or of a row of weights; the least is its negative.
const MOST: f32 = 127.0;
/// What stands for 0 among the bytes of a token.
const ZERO: u8 = 128;
/// Added to a float near 0, it leaves the nearest whole number in the lowest bits.
const ROUND: f32 = 12_582_912.0;

/// A linear map whose weights are whole numbers.
pub(crate) struct EightBit {
    /// `inputs x outputs`.
    weight: PackedBMatrix<i8>,
    /// Of each output, what a step of its weights is worth.
    scales: Vec<f32>,
    bias: Vec<f32>,
    inputs: usize,
}

impl std::fmt::Debug for EightBit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EightBit").field("inputs", &self.inputs).field("outputs", &self.bias.len()).finish()
    }
}

impl EightBit {
    /// The map by `weight`, `outputs x inputs`, and `bias`. Weights that were 8-bit integers with one scale per row, the
    /// largest of them 127, are those integers again.
    pub(crate) fn new(weight: &Tensor, bias: &Tensor) -> Result<Self> {
        let (outputs, inputs) = weight.dims2()?;
        let weight = weight.to_vec2::<f32>()?;
        let scales: Vec<f32> =
            weight.iter().map(|row| row.iter().fold(0f32, |most, w| most.max(w.abs())) / MOST).collect();
        let steps = |(row, scale): (&Vec<f32>, &f32)| {
            let scale = if *scale > 0.0 { *scale } else { 1.0 };
            row.iter().map(|w| (w / scale).round() as i8).collect::<Vec<i8>>()
        };
        let steps: Vec<i8> = weight.iter().zip(&scales).flat_map(steps).collect();
        let steps = NdTensorView::from_data([outputs, inputs], steps.as_slice());
        let weight = EXECUTOR.with(|executor| executor.prepack_b(steps.transposed()));
        Ok(Self { weight, scales, bias: bias.to_vec1()?, inputs })
    }

    /// `x Wᵀ + b`: `x` is `rows x inputs`.
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (rows, outputs) = (x.dim(0)?, self.bias.len());
        let (steps, scales) = ops::with_floats(x, |x| self.round(x))?;
        // Some machines add pairs of products in 16 bits, which is too few for all 8 bits of a token.
        let sums = self.sums(&steps, rows, EXECUTOR.with(GemmExecutor::may_saturate))?;
        let mut out = vec![0.0; rows * outputs];
        ARCH.dispatch(
            #[inline(always)]
            || {
                for ((out, sums), scale) in out.chunks_exact_mut(outputs).zip(sums.chunks_exact(outputs)).zip(&scales) {
                    for (((o, &sum), weight), bias) in out.iter_mut().zip(sums).zip(&self.scales).zip(&self.bias) {
                        *o = sum as f32 * (scale * weight) + bias;
                    }
                }
            },
        );
        Tensor::from_vec(out, (rows, outputs), x.device())
    }

    /// The rows of `x` as bytes, 0 being [`ZERO`], and what a step of each row is worth.
    fn round(&self, x: &[f32]) -> (Vec<u8>, Vec<f32>) {
        let mut steps = vec![0; x.len()];
        let mut scales = vec![0.0; x.len() / self.inputs];
        ARCH.dispatch(
            #[inline(always)]
            || {
                for ((row, steps), scale) in
                    x.chunks_exact(self.inputs).zip(steps.chunks_exact_mut(self.inputs)).zip(&mut scales)
                {
                    *scale = largest(row) / MOST;
                    let per_step = if *scale > 0.0 { 1.0 / *scale } else { 0.0 };
                    for (step, x) in steps.iter_mut().zip(row) {
                        *step = (x * per_step + (ROUND + f32::from(ZERO))).to_bits() as u8;
                    }
                }
            },
        );
        (steps, scales)
    }

    /// The sums of products of `rows` rows of bytes with the weights, `rows x outputs`. With `halves`, no sum of two
    /// products along the way is beyond 16 bits: a byte is twice its half and what is left, and each counts by itself.
    fn sums(&self, steps: &[u8], rows: usize, halves: bool) -> Result<Vec<i32>> {
        if !halves {
            return self.product(steps, rows, ZERO);
        }
        let (upper, lower): (Vec<u8>, Vec<u8>) = steps.iter().map(|step| (step / 2, step % 2)).unzip();
        let (mut sums, lower) = (self.product(&upper, rows, ZERO / 2)?, self.product(&lower, rows, 0)?);
        sums.iter_mut().zip(lower).for_each(|(sum, lower)| *sum = 2 * *sum + lower);
        Ok(sums)
    }

    fn product(&self, steps: &[u8], rows: usize, zero: u8) -> Result<Vec<i32>> {
        let zeros = vec![zero; rows];
        let mut sums = vec![0; rows * self.bias.len()];
        let steps = GemmInputA::Unpacked(NdTensorView::from_data([rows, self.inputs], steps));
        let options = GemmOptions { a_quant: Some(QuantParams { zero_point: &zeros }), ..GemmOptions::default() };
        EXECUTOR
            .with(|executor| executor.gemm(&mut sums, steps, GemmInputB::Packed(&self.weight), options))
            .map_err(|e| Error::Msg(e.to_string()))?;
        Ok(sums)
    }
}

/// The largest of the numbers' amounts.
#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    let mut most = [0f32; LANES];
    let chunks = row.chunks_exact(LANES);
    let rest = chunks.remainder().iter().fold(0f32, |most, x| most.max(x.abs()));
    for chunk in chunks {
        for (most, x) in most.iter_mut().zip(chunk) {
            *most = if x.abs() > *most { x.abs() } else { *most };
        }
    }
    most.into_iter().fold(rest, f32::max)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::random::Random;

    fn numbers(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed);
        (0..count).map(|_| 2.0 * random.unit() as f32 - 1.0).collect()
    }

    fn tensor(numbers: &[f32], rows: usize) -> Tensor {
        Tensor::from_slice(numbers, (rows, numbers.len() / rows), &Device::Cpu).unwrap()
    }

    fn map(weight: &[f32], outputs: usize) -> EightBit {
        EightBit::new(
            &tensor(weight, outputs),
            &Tensor::from_slice(&numbers(outputs, 9), outputs, &Device::Cpu).unwrap(),
        )
        .unwrap()
    }

    #[test]
    fn sums_are_exact_with_whole_bytes_and_with_halves() {
        for (rows, inputs, outputs) in [(1, 1, 1), (3, 7, 5), (40, 384, 33), (2, 1537, 64)] {
            let mut weight: Vec<f32> = numbers(inputs * outputs, 1).iter().map(|w| (w * 127.0).round()).collect();
            // The furthest that sums can go, on either side.
            weight.chunks_exact_mut(inputs).step_by(2).for_each(|row| row.fill(127.0));
            let map = map(&weight, outputs);
            let mut steps: Vec<u8> =
                numbers(rows * inputs, 2).iter().map(|x| (x * 127.0 + 128.0).round() as u8).collect();
            steps[..inputs].fill(255);
            let of = |row: usize, output: usize| -> i32 {
                let scale = map.scales[output];
                let row = steps[row * inputs..][..inputs].iter().map(|step| i32::from(*step) - 128);
                row.zip(&weight[output * inputs..]).map(|(x, w)| x * (w / scale).round() as i32).sum()
            };
            let wanted: Vec<i32> = (0..rows)
                .flat_map(|row| (0..outputs).map(move |output| (row, output)))
                .map(|(r, o)| of(r, o))
                .collect();
            assert_eq!(map.sums(&steps, rows, true).unwrap(), wanted, "halves: {rows} {inputs} {outputs}");
            if !EXECUTOR.with(GemmExecutor::may_saturate) {
                assert_eq!(map.sums(&steps, rows, false).unwrap(), wanted, "{rows} {inputs} {outputs}");
            }
        }
    }

    #[test]
    fn the_result_is_that_of_floats_to_within_the_rounding_and_a_row_is_the_same_alone() {
        let (rows, inputs, outputs) = (19, 100, 24);
        let (mut x, weight) = (numbers(rows * inputs, 3), numbers(inputs * outputs, 4));
        x[..inputs].fill(0.0);
        x[inputs..2 * inputs].iter_mut().for_each(|x| *x *= 1e6);
        let map = map(&weight, outputs);
        let bias = Tensor::from_slice(&map.bias, outputs, &Device::Cpu).unwrap();
        let found = map.forward(&tensor(&x, rows)).unwrap().to_vec2::<f32>().unwrap();
        let wanted =
            ops::linear(&tensor(&x, rows), &tensor(&weight, outputs), &bias).unwrap().to_vec2::<f32>().unwrap();
        assert_eq!(found[0], map.bias);
        for (row, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            let x = &x[row * inputs..][..inputs];
            for (found, wanted) in found.iter().zip(wanted) {
                // Two numbers are half a step off at most, each times one of at most the largest.
                let most = largest(x) * inputs as f32 / 127.0;
                assert!((found - wanted).abs() <= most, "{row}: {found} {wanted}");
                assert!((found - wanted).abs() <= 0.2 * largest(x), "{row}: {found} {wanted}");
            }
            assert_eq!(map.forward(&tensor(x, 1)).unwrap().to_vec2::<f32>().unwrap()[0], *found);
        }
    }
}
