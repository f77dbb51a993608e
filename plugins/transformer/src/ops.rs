//! The operations of an encoder on packed sequences, each with its gradient.
//!
//! The decision that matters: a batch is one matrix of tokens, the sequences one after another, without padding. Only
//! attention knows where a sequence ends. So a paragraph's result does not depend on the others in its batch, and no
//! time goes into padding. Each operation is fused into one candle operation and runs on the thread that calls it:
//! work is spread over threads by the batch (see [`train`](crate::train())), not inside a product, and the result does
//! not depend on their number.

use std::ops::{Deref, Range};
use std::sync::{Arc, LazyLock};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Error, Layout, Result, Shape, Storage, Tensor};
use pulp::Arch;

/// Which vector instructions this machine has.
pub(crate) static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);

/// Lanes that sums are spread over, so that the compiler may use vector instructions for them.
pub(crate) const LANES: usize = 16;

/// The rows of each sequence in a packed matrix.
pub(crate) type Sequences = Arc<[Range<usize>]>;

/// `x Wᵀ + b`: `x` is `rows x inputs`, `weight` `outputs x inputs`, `bias` `outputs`.
pub(crate) fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.apply_op3(weight, bias, Linear)
}

/// Each row with mean 0 and variance 1, then scaled and shifted (Ba et al., *Layer normalization*, 2016).
pub(crate) fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, epsilon: f64) -> Result<Tensor> {
    x.apply_op3(weight, bias, LayerNorm { epsilon: epsilon as f32 })
}

/// `x Φ(x)`, exact to 2e-7 (Hendrycks and Gimpel, *Gaussian error linear units*, 2016).
pub(crate) fn gelu(x: &Tensor) -> Result<Tensor> {
    x.apply_op1(Gelu)
}

/// `softmax(Q Kᵀ / sqrt(d)) V` within each sequence and head; `q`, `k`, `v` are `tokens x (heads · d)`.
pub(crate) fn attention(q: &Tensor, k: &Tensor, v: &Tensor, heads: usize, sequences: &Sequences) -> Result<Tensor> {
    attention_within(q, k, v, heads, usize::MAX, sequences)
}

/// [`attention`] of each token to those only that are at most `reach` places away (Beltagy et al., *Longformer*, 2020).
pub(crate) fn attention_within(
    q: &Tensor,
    k: &Tensor,
    v: &Tensor,
    heads: usize,
    reach: usize,
    sequences: &Sequences,
) -> Result<Tensor> {
    q.apply_op3(k, v, Attention { heads, reach, sequences: sequences.clone() })
}

/// The mean of each range of rows.
pub(crate) fn mean_rows(x: &Tensor, ranges: &Sequences) -> Result<Tensor> {
    x.apply_op1(MeanRows(ranges.clone()))
}

/// For each range of rows and each row of `query`, the mean of the rows weighted by `softmax(query · x / sqrt(width))`:
/// `(ranges · queries) x width`, the queries of a range one after another. No rows give zeros.
pub(crate) fn attentive_means(x: &Tensor, query: &Tensor, ranges: &Sequences) -> Result<Tensor> {
    x.apply_op2(query, AttentiveMeans(ranges.clone()))
}

/// The cross-entropy of each row of logits, where the column `right` of that row is right.
pub(crate) fn cross_entropy(logits: &Tensor, right: Arc<[u32]>) -> Result<Tensor> {
    logits.apply_op1(CrossEntropy(right))
}

/// The sum of two matrices of one shape. Candle's own hands such work to other threads and waits for them.
pub(crate) fn add(x: &Tensor, y: &Tensor) -> Result<Tensor> {
    x.apply_op2(y, Add)
}

/// Zeroes a part `rate` of all numbers, drawn by `seed`, and scales the others up to keep the mean.
pub(crate) fn dropout(x: &Tensor, rate: f32, seed: u64) -> Result<Tensor> {
    if rate > 0.0 { x.apply_op1(Dropout { rate, seed }) } else { Ok(x.clone()) }
}

/// The numbers of a tensor, where they lie one after another.
struct Floats<'a, G>(G, &'a Layout);

/// The numbers of `tensor`, for as long as what is returned lives.
fn floats(tensor: &Tensor) -> Floats<'_, impl Deref<Target = Storage>> {
    let (storage, layout) = tensor.storage_and_layout();
    Floats(storage, layout)
}

/// What `f` makes of the numbers of `tensor`.
pub(crate) fn with_floats<T>(tensor: &Tensor, f: impl FnOnce(&[f32]) -> T) -> Result<T> {
    Ok(f(floats(tensor).slice()?))
}

impl<G: Deref<Target = Storage>> Floats<'_, G> {
    fn slice(&self) -> Result<&[f32]> {
        match &*self.0 {
            Storage::Cpu(storage) => slice(storage, self.1),
            _ => Err(Error::Msg("this operation runs on the CPU only".to_owned())),
        }
    }
}

fn slice<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let (start, end) = layout.contiguous_offsets().ok_or_else(|| Error::RequiresContiguous { op: "encoder" }.bt())?;
    Ok(&storage.as_slice::<f32>()?[start..end])
}

fn tensor(data: Vec<f32>, like: &Tensor) -> Result<Option<Tensor>> {
    Tensor::from_vec(data, like.shape(), like.device()).map(Some)
}

/// A matrix in memory that is somebody else's.
#[derive(Clone, Copy)]
struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    cols: usize,
    row_step: usize,
    col_step: usize,
}

impl<'a> Matrix<'a> {
    fn new(data: &'a [f32], rows: usize, cols: usize) -> Self {
        Self::part(data, rows, cols, cols)
    }

    /// The first `cols` columns of rows that start `row_step` numbers apart.
    fn part(data: &'a [f32], rows: usize, cols: usize, row_step: usize) -> Self {
        Self { data, rows, cols, row_step, col_step: 1 }
    }

    fn transposed(self) -> Self {
        let Self { data, rows, cols, row_step, col_step } = self;
        Self { data, rows: cols, cols: rows, row_step: col_step, col_step: row_step }
    }

    /// Numbers from the first to the last, both included.
    fn extent(&self) -> usize {
        match (self.rows, self.cols) {
            (0, _) | (_, 0) => 0,
            (rows, cols) => (rows - 1) * self.row_step + (cols - 1) * self.col_step + 1,
        }
    }
}

/// `out = scale · a b`, or `out += scale · a b`; rows of `out` start `row_step` numbers apart.
fn product(out: &mut [f32], row_step: usize, a: Matrix<'_>, b: Matrix<'_>, scale: f32, add: bool) {
    assert_eq!(a.cols, b.rows, "inner sizes of a product");
    let (m, n, k) = (a.rows, b.cols, a.cols);
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.extent() <= a.data.len() && b.extent() <= b.data.len() && n <= row_step);
    assert!((m - 1) * row_step + n <= out.len());
    // SAFETY: the largest index that the product reads of `a` and `b`, and writes of `out`, was just checked to lie
    // inside each; `out` is borrowed alone, so it overlaps neither.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            row_step as isize,
            add,
            a.data.as_ptr(),
            a.col_step as isize,
            a.row_step as isize,
            b.data.as_ptr(),
            b.col_step as isize,
            b.row_step as isize,
            1.0,
            scale,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The sum of `f` over pairs of numbers of two rows of one length.
#[inline(always)]
fn sum2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut sums = [0f32; LANES];
    let (a, b) = (a.chunks_exact(LANES), b.chunks_exact(LANES));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(&x, &y)| f(x, y)).sum();
    for (a, b) in a.zip(b) {
        for lane in 0..LANES {
            sums[lane] += f(a[lane], b[lane]);
        }
    }
    sums.iter().sum::<f32>() + rest
}

#[inline(always)]
fn sum(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    sum2(a, a, |x, _| f(x))
}

/// `e^x` with a relative error below 2e-7, as vector instructions can do it: `2^n` by the exponent bits, and a
/// polynomial for the rest (Cephes, `expf`).
#[inline(always)]
fn exp(x: f32) -> f32 {
    const SHIFT: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + SHIFT;
    let n = shifted - SHIFT;
    let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
    let p =
        ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1) * r + 0.5;
    let p = p * r * r + r + 1.0;
    p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23))
}

/// The distribution function and the density of the normal distribution, to 1.5e-7 (Abramowitz and Stegun, 7.1.26).
#[inline(always)]
fn normal(x: f32) -> (f32, f32) {
    let bell = exp(-0.5 * x * x);
    let t = 1.0 / (1.0 + 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2 * x.abs());
    let poly = ((((1.061_405_4 * t - 1.453_152_1) * t + 1.421_413_8) * t - 0.284_496_72) * t + 0.254_829_6) * t;
    let upper = 0.5 * poly * bell;
    (if x < 0.0 { upper } else { 1.0 - upper }, 0.398_942_3 * bell)
}

#[inline(always)]
fn largest(row: &[f32]) -> f32 {
    row.iter().copied().fold(f32::NEG_INFINITY, |m, x| if x > m { x } else { m })
}

#[inline(always)]
fn softmax_row(row: &mut [f32]) {
    let most = largest(row);
    row.iter_mut().for_each(|x| *x = exp(*x - most));
    let total = sum(row, |x| x);
    row.iter_mut().for_each(|x| *x /= total);
}

struct Linear;

impl CustomOp3 for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (rows, inputs) = x_layout.shape().dims2()?;
        let (outputs, _) = weight_layout.shape().dims2()?;
        let (x, weight) = (slice(x, x_layout)?, slice(weight, weight_layout)?);
        let bias = slice(bias, bias_layout)?;
        let mut out = Vec::with_capacity(rows * outputs);
        (0..rows).for_each(|_| out.extend_from_slice(bias));
        let weight = Matrix::new(weight, outputs, inputs).transposed();
        product(&mut out, outputs, Matrix::new(x, rows, inputs), weight, 1.0, true);
        Ok((CpuStorage::F32(out), (rows, outputs).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (rows, outputs) = grad.dims2()?;
        let inputs = x.dim(1)?;
        let (grad_data, x_data, weight_data) = (floats(&grad), floats(x), floats(weight));
        let g = Matrix::new(grad_data.slice()?, rows, outputs);
        let dx = if x.track_op() {
            let mut dx = vec![0.0; rows * inputs];
            product(&mut dx, inputs, g, Matrix::new(weight_data.slice()?, outputs, inputs), 1.0, false);
            tensor(dx, x)?
        } else {
            None
        };
        let db = if bias.track_op() {
            let mut db = vec![0.0; outputs];
            g.data.chunks_exact(outputs).for_each(|row| db.iter_mut().zip(row).for_each(|(d, g)| *d += g));
            tensor(db, bias)?
        } else {
            None
        };
        if !weight.track_op() {
            return Ok((dx, None, db));
        }
        let mut dw = vec![0.0; outputs * inputs];
        product(&mut dw, inputs, g.transposed(), Matrix::new(x_data.slice()?, rows, inputs), 1.0, false);
        Ok((dx, tensor(dw, weight)?, db))
    }
}

struct CrossEntropy(Arc<[u32]>);

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (rows, columns) = layout.shape().dims2()?;
        let mut out = Vec::with_capacity(rows);
        let logits = slice(logits, layout)?;
        ARCH.dispatch(
            #[inline(always)]
            || {
                for (row, right) in logits.chunks_exact(columns).zip(&*self.0) {
                    let most = largest(row);
                    out.push(sum(row, |x| exp(x - most)).ln() + most - row[*right as usize]);
                }
            },
        );
        Ok((CpuStorage::F32(out), rows.into()))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let columns = logits.dim(1)?;
        let grad = grad.contiguous()?;
        let (grad_data, logits_data) = (floats(&grad), floats(logits));
        let mut slope = logits_data.slice()?.to_vec();
        let grad = grad_data.slice()?;
        ARCH.dispatch(
            #[inline(always)]
            || {
                for ((row, right), grad) in slope.chunks_exact_mut(columns).zip(&*self.0).zip(grad) {
                    softmax_row(row);
                    row[*right as usize] -= 1.0;
                    row.iter_mut().for_each(|x| *x *= grad);
                }
            },
        );
        tensor(slope, logits)
    }
}

struct LayerNorm {
    epsilon: f32,
}

impl LayerNorm {
    #[inline(always)]
    fn moments(&self, row: &[f32]) -> (f32, f32) {
        let n = row.len() as f32;
        let mean = sum(row, |x| x) / n;
        let variance = sum(row, |x| (x - mean) * (x - mean)) / n;
        (mean, 1.0 / (variance + self.epsilon).sqrt())
    }
}

impl CustomOp3 for LayerNorm {
    fn name(&self) -> &'static str {
        "layer-norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = x_layout.shape().dims2()?;
        let (x, weight, bias) = (slice(x, x_layout)?, slice(weight, weight_layout)?, slice(bias, bias_layout)?);
        let mut out = vec![0.0; x.len()];
        ARCH.dispatch(
            #[inline(always)]
            || {
                for (row, out) in x.chunks_exact(width).zip(out.chunks_exact_mut(width)) {
                    let (mean, scale) = self.moments(row);
                    for (((o, x), w), b) in out.iter_mut().zip(row).zip(weight).zip(bias) {
                        *o = (x - mean) * scale * w + b;
                    }
                }
            },
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let width = x.dim(1)?;
        let (grad_data, x_data, weight_data) = (floats(&grad), floats(x), floats(weight));
        let (g, xs, w) = (grad_data.slice()?, x_data.slice()?, weight_data.slice()?);
        let mut dx = vec![0.0; xs.len()];
        let (mut dw, mut db) = (vec![0.0; width], vec![0.0; width]);
        let (mut normed, mut scaled) = (vec![0.0; width], vec![0.0; width]);
        ARCH.dispatch(
            #[inline(always)]
            || {
                for ((x, g), dx) in xs.chunks_exact(width).zip(g.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
                    let (mean, scale) = self.moments(x);
                    for i in 0..width {
                        normed[i] = (x[i] - mean) * scale;
                        scaled[i] = g[i] * w[i];
                        dw[i] += g[i] * normed[i];
                        db[i] += g[i];
                    }
                    let n = width as f32;
                    let (along, mean) = (sum2(&normed, &scaled, |a, b| a * b) / n, sum(&scaled, |a| a) / n);
                    for i in 0..width {
                        dx[i] = scale * (scaled[i] - mean - normed[i] * along);
                    }
                }
            },
        );
        let dx = tensor(dx, x)?;
        if weight.track_op() { Ok((dx, tensor(dw, weight)?, tensor(db, bias)?)) } else { Ok((dx, None, None)) }
    }
}

struct Add;

impl CustomOp2 for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        y: &CpuStorage,
        y_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        assert_eq!(x_layout.shape(), y_layout.shape(), "shapes of a sum");
        let (mut out, y) = (slice(x, x_layout)?.to_vec(), slice(y, y_layout)?);
        ARCH.dispatch(
            #[inline(always)]
            || out.iter_mut().zip(y).for_each(|(x, y)| *x += y),
        );
        Ok((CpuStorage::F32(out), x_layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(grad.clone()), Some(grad.clone())))
    }
}

struct Gelu;

impl CustomOp1 for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = slice(x, layout)?.to_vec();
        ARCH.dispatch(
            #[inline(always)]
            || out.iter_mut().for_each(|x| *x *= normal(*x).0),
        );
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let (grad_data, x_data) = (floats(&grad), floats(x));
        let (mut out, x) = (grad_data.slice()?.to_vec(), (x_data.slice()?, x));
        ARCH.dispatch(
            #[inline(always)]
            || {
                for (o, &x) in out.iter_mut().zip(x.0) {
                    let (below, density) = normal(x);
                    *o *= below + x * density;
                }
            },
        );
        tensor(out, x.1)
    }
}

struct Attention {
    heads: usize,
    reach: usize,
    sequences: Sequences,
}

impl Attention {
    /// For each sequence and head, where its numbers start, and its number of tokens.
    fn blocks(&self, width: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let size = width / self.heads;
        self.sequences
            .iter()
            .flat_map(move |rows| (0..self.heads).map(move |head| (rows.start * width + head * size, rows.len())))
    }
}

/// `softmax(q kᵀ / sqrt(d))`, a row for each of `q` and a column for each of `k`, of which there is at least one; 0 where
/// their numbers are more than `reach` apart.
fn probabilities(out: &mut Vec<f32>, q: Matrix<'_>, k: Matrix<'_>, reach: usize) {
    out.clear();
    out.resize(q.rows * k.rows, 0.0);
    product(out, k.rows, q, k.transposed(), 1.0 / (q.cols as f32).sqrt(), false);
    ARCH.dispatch(
        #[inline(always)]
        || {
            for (n, row) in out.chunks_exact_mut(k.rows).enumerate() {
                let near = n.saturating_sub(reach)..n.saturating_add(reach).min(k.rows - 1) + 1;
                row[..near.start].fill(0.0);
                row[near.end..].fill(0.0);
                softmax_row(&mut row[near]);
            }
        },
    );
}

/// From the gradient of each row's softmax to that of what went into it: `p (d - Σ d p)`.
fn softmax_gradient(d: &mut [f32], p: &[f32], columns: usize) {
    ARCH.dispatch(
        #[inline(always)]
        || {
            for (d, p) in d.chunks_exact_mut(columns).zip(p.chunks_exact(columns)) {
                let along = sum2(d, p, |d, p| d * p);
                d.iter_mut().zip(p).for_each(|(d, p)| *d = p * (*d - along));
            }
        },
    );
}

impl CustomOp3 for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        q_layout: &Layout,
        k: &CpuStorage,
        k_layout: &Layout,
        v: &CpuStorage,
        v_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (_, width) = q_layout.shape().dims2()?;
        let size = width / self.heads;
        let (q, k, v) = (slice(q, q_layout)?, slice(k, k_layout)?, slice(v, v_layout)?);
        let mut out = vec![0.0; q.len()];
        let mut p = Vec::new();
        for (start, tokens) in self.blocks(width) {
            let block = |data| Matrix::part(data, tokens, size, width);
            probabilities(&mut p, block(&q[start..]), block(&k[start..]), self.reach);
            product(&mut out[start..], width, Matrix::new(&p, tokens, tokens), block(&v[start..]), 1.0, false);
        }
        Ok((CpuStorage::F32(out), q_layout.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let width = q.dim(1)?;
        let size = width / self.heads;
        let scale = 1.0 / (size as f32).sqrt();
        let data = [floats(q), floats(k), floats(v), floats(&grad)];
        let [qs, ks, vs, gs] = [data[0].slice()?, data[1].slice()?, data[2].slice()?, data[3].slice()?];
        let (mut dq, mut dk, mut dv) = (vec![0.0; qs.len()], vec![0.0; ks.len()], vec![0.0; vs.len()]);
        let (mut p, mut ds) = (Vec::new(), Vec::new());
        for (start, tokens) in self.blocks(width) {
            let block = |data| Matrix::part(data, tokens, size, width);
            let (q, k, v, g) = (block(&qs[start..]), block(&ks[start..]), block(&vs[start..]), block(&gs[start..]));
            probabilities(&mut p, q, k, self.reach);
            product(&mut dv[start..], width, Matrix::new(&p, tokens, tokens).transposed(), g, 1.0, false);
            ds.clear();
            ds.resize(tokens * tokens, 0.0);
            product(&mut ds, tokens, g, v.transposed(), 1.0, false);
            softmax_gradient(&mut ds, &p, tokens);
            let ds = Matrix::new(&ds, tokens, tokens);
            product(&mut dq[start..], width, ds, k, scale, false);
            product(&mut dk[start..], width, ds.transposed(), q, scale, false);
        }
        Ok((tensor(dq, q)?, tensor(dk, k)?, tensor(dv, v)?))
    }
}

struct MeanRows(Sequences);

impl CustomOp1 for MeanRows {
    fn name(&self) -> &'static str {
        "mean-rows"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (_, width) = layout.shape().dims2()?;
        let x = slice(x, layout)?;
        let mut out = vec![0.0; self.0.len() * width];
        for (rows, out) in self.0.iter().zip(out.chunks_exact_mut(width)) {
            for row in x[rows.start * width..rows.end * width].chunks_exact(width) {
                out.iter_mut().zip(row).for_each(|(o, x)| *o += x);
            }
            let n = rows.len().max(1) as f32;
            out.iter_mut().for_each(|o| *o /= n);
        }
        Ok((CpuStorage::F32(out), (self.0.len(), width).into()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let width = x.dim(1)?;
        let grad_data = floats(&grad);
        let mut out = vec![0.0; x.elem_count()];
        for (rows, g) in self.0.iter().zip(grad_data.slice()?.chunks_exact(width)) {
            let n = rows.len().max(1) as f32;
            for row in out[rows.start * width..rows.end * width].chunks_exact_mut(width) {
                row.iter_mut().zip(g).for_each(|(o, g)| *o = g / n);
            }
        }
        tensor(out, x)
    }
}

struct AttentiveMeans(Sequences);

impl AttentiveMeans {
    /// Of each range that has rows: its number, where its numbers start, and its rows.
    fn blocks(&self, width: usize) -> impl Iterator<Item = (usize, usize, usize)> + '_ {
        let all = self.0.iter().enumerate().map(move |(n, rows)| (n, rows.start * width, rows.len()));
        all.filter(|(.., rows)| *rows > 0)
    }
}

impl CustomOp2 for AttentiveMeans {
    fn name(&self) -> &'static str {
        "attentive-means"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        query: &CpuStorage,
        query_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (queries, width) = query_layout.shape().dims2()?;
        let (x, query) = (slice(x, x_layout)?, Matrix::new(slice(query, query_layout)?, queries, width));
        let mut out = vec![0.0; self.0.len() * queries * width];
        let mut p = Vec::new();
        for (n, start, rows) in self.blocks(width) {
            let x = Matrix::new(&x[start..], rows, width);
            probabilities(&mut p, query, x, usize::MAX);
            product(&mut out[n * queries * width..], width, Matrix::new(&p, queries, rows), x, 1.0, false);
        }
        Ok((CpuStorage::F32(out), (self.0.len() * queries, width).into()))
    }

    fn bwd(&self, x: &Tensor, query: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (queries, width) = query.dims2()?;
        let scale = 1.0 / (width as f32).sqrt();
        let data = [floats(x), floats(query), floats(&grad)];
        let [xs, qs, gs] = [data[0].slice()?, data[1].slice()?, data[2].slice()?];
        let query_rows = Matrix::new(qs, queries, width);
        let (mut dx, mut dq) = (vec![0.0; xs.len()], vec![0.0; qs.len()]);
        let (mut p, mut ds) = (Vec::new(), Vec::new());
        for (n, start, rows) in self.blocks(width) {
            let (x, g) =
                (Matrix::new(&xs[start..], rows, width), Matrix::new(&gs[n * queries * width..], queries, width));
            probabilities(&mut p, query_rows, x, usize::MAX);
            ds.clear();
            ds.resize(queries * rows, 0.0);
            product(&mut ds, rows, g, x.transposed(), 1.0, false);
            softmax_gradient(&mut ds, &p, rows);
            let (p, ds) = (Matrix::new(&p, queries, rows), Matrix::new(&ds, queries, rows));
            product(&mut dx[start..], width, p.transposed(), g, 1.0, false);
            product(&mut dx[start..], width, ds.transposed(), query_rows, scale, true);
            product(&mut dq, width, ds, x, scale, true);
        }
        Ok((tensor(dx, x)?, tensor(dq, query)?))
    }
}

struct Dropout {
    rate: f32,
    seed: u64,
}

impl Dropout {
    /// What remains of each number: drawn by its place, so that the way back draws the same.
    fn apply(&self, data: &mut [f32]) {
        let below = (f64::from(self.rate) * f64::from(u32::MAX)) as u32;
        let scale = 1.0 / (1.0 - self.rate);
        let (low, high) = (self.seed as u32, (self.seed >> 32) as u32);
        ARCH.dispatch(
            #[inline(always)]
            || {
                for (i, x) in data.iter_mut().enumerate() {
                    // A mixing of 32 bits after Wellons, *Prospecting for hash functions* (2018).
                    let mut h = (i as u32).wrapping_mul(0x9e37_79b9) ^ low;
                    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
                    h = (h ^ (h >> 15) ^ high).wrapping_mul(0x846c_a68b);
                    h ^= h >> 16;
                    *x = if h < below { 0.0 } else { *x * scale };
                }
            },
        );
    }
}

impl CustomOp1 for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let mut out = slice(x, layout)?.to_vec();
        self.apply(&mut out);
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad.contiguous()?;
        let mut out = floats(&grad).slice()?.to_vec();
        self.apply(&mut out);
        tensor(out, &grad)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;
    use crate::random::Random;

    fn var(shape: (usize, usize), seed: u64) -> Var {
        let mut random = Random::new(seed);
        let numbers = (0..shape.0 * shape.1).map(|_| 2.0 * random.unit() as f32 - 1.0).collect::<Vec<_>>();
        Var::from_tensor(&Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()).unwrap()
    }

    fn flat(tensor: &Tensor) -> Vec<f32> {
        tensor.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The gradient of a weighted sum of what `f` gives, by backward passes and by differences, for each of `vars`.
    fn check_gradient(vars: &[&Var], f: &dyn Fn() -> Tensor) {
        let weights = {
            let out = f();
            let mut random = Random::new(99);
            let numbers = (0..out.elem_count()).map(|_| random.unit() as f32).collect::<Vec<_>>();
            Tensor::from_vec(numbers, out.shape(), &Device::Cpu).unwrap()
        };
        let loss = || (f() * &weights).unwrap().sum_all().unwrap();
        let gradients = loss().backward().unwrap();
        for var in vars {
            let (at, found) = (flat(var), flat(gradients.get(var.as_tensor()).unwrap()));
            for i in 0..at.len() {
                let moved = |by: f32| {
                    let mut numbers = at.clone();
                    numbers[i] += by;
                    var.set(&Tensor::from_vec(numbers, var.shape(), &Device::Cpu).unwrap()).unwrap();
                    loss().to_scalar::<f32>().unwrap()
                };
                let slope = (moved(0.01) - moved(-0.01)) / 0.02;
                assert!((slope - found[i]).abs() < 5e-3 * (1.0 + slope.abs()), "{i}: {slope} {}", found[i]);
            }
            var.set(&Tensor::from_vec(at, var.shape(), &Device::Cpu).unwrap()).unwrap();
        }
    }

    fn row(var: &Var) -> Tensor {
        var.as_tensor().flatten_all().unwrap()
    }

    #[test]
    fn gradients_are_those_of_differences() {
        let (x, w, b) = (var((5, 8), 1), var((6, 8), 2), var((1, 6), 3));
        check_gradient(&[&x, &w, &b], &|| linear(&x, &w, &row(&b)).unwrap());
        let (g, b) = (var((1, 8), 4), var((1, 8), 5));
        check_gradient(&[&x, &g, &b], &|| layer_norm(&x, &row(&g), &row(&b), 1e-5).unwrap());
        check_gradient(&[&x], &|| gelu(&x).unwrap());
        check_gradient(&[&x], &|| dropout(&x, 0.5, 7).unwrap());
        let (k, v) = (var((5, 8), 6), var((5, 8), 7));
        let sequences: Sequences = Arc::from([0..3, 3..5]);
        check_gradient(&[&x, &k], &|| add(&x, &k).unwrap());
        check_gradient(&[&x, &k, &v], &|| attention(&x, &k, &v, 2, &sequences).unwrap());
        check_gradient(&[&x, &k, &v], &|| attention_within(&x, &k, &v, 2, 1, &sequences).unwrap());
        check_gradient(&[&x], &|| mean_rows(&x, &sequences).unwrap());
        let (query, ranges) = (var((3, 8), 8), Arc::from([0..3, 3..3, 4..5]));
        check_gradient(&[&x, &query], &|| attentive_means(&x, &query, &ranges).unwrap());
        check_gradient(&[&x], &|| cross_entropy(&x, Arc::from([0, 3, 7, 2, 2])).unwrap().unsqueeze(1).unwrap());
        // A bias is learnt beside a matrix that is not.
        let (fixed, b) = (w.as_tensor().detach(), var((1, 6), 9));
        check_gradient(&[&x, &b], &|| linear(&x, &fixed, &row(&b)).unwrap());
    }

    #[test]
    fn approximations_are_close() {
        for i in -4000..4000 {
            let x = i as f32 * 0.005;
            let wanted = f64::from(x).exp();
            assert!((f64::from(exp(x)) / wanted - 1.0).abs() < 4e-7, "exp({x})");
        }
        // Φ from tables.
        for (x, wanted) in
            [(-3.0, 0.001_349_898), (-1.0, 0.158_655_25), (0.0, 0.5), (0.5, 0.691_462_46), (2.0, 0.977_249_9)]
        {
            assert!((normal(x).0 - wanted).abs() < 3e-7, "Φ({x}) = {}", normal(x).0);
        }
    }

    #[test]
    fn dropout_keeps_the_mean_and_about_the_share_it_should() {
        let ones = Tensor::ones((100, 100), candle_core::DType::F32, &Device::Cpu).unwrap();
        let kept = flat(&dropout(&ones, 0.3, 5).unwrap());
        let zeros = kept.iter().filter(|x| **x == 0.0).count();
        assert!((2800..3200).contains(&zeros), "{zeros}");
        assert!(kept.iter().all(|x| *x == 0.0 || (x - 1.0 / 0.7).abs() < 1e-6));
        assert_ne!(kept, flat(&dropout(&ones, 0.3, 6).unwrap()));
    }

    #[test]
    fn the_mean_of_no_rows_is_zero() {
        let (x, none): (Var, Sequences) = (var((2, 3), 1), std::iter::once(1..1).collect());
        assert_eq!(flat(&mean_rows(&x, &none).unwrap()), [0.0; 3]);
        assert_eq!(flat(&attentive_means(&x, &var((2, 3), 2), &none).unwrap()), [0.0; 6]);
    }

    #[test]
    fn attentive_means_weigh_rows_by_softmax() {
        let (x, query, ranges): (Var, Var, Sequences) = (var((4, 3), 1), var((2, 3), 2), Arc::from([0..3, 2..4]));
        let found = flat(&attentive_means(&x, &query, &ranges).unwrap());
        let (x, query) = (x.to_vec2::<f32>().unwrap(), query.to_vec2::<f32>().unwrap());
        let mut wanted = Vec::new();
        for (rows, query) in ranges.iter().flat_map(|rows| query.iter().map(move |q| (rows.clone(), q))) {
            let weigh = |x: &Vec<f32>| (x.iter().zip(query).map(|(x, q)| x * q).sum::<f32>() / 3f32.sqrt()).exp();
            let total: f32 = x[rows.clone()].iter().map(weigh).sum();
            wanted.extend((0..3).map(|i| x[rows.clone()].iter().map(|x| weigh(x) * x[i]).sum::<f32>() / total));
        }
        assert!(found.iter().zip(&wanted).all(|(f, w)| (f - w).abs() < 1e-6), "{found:?} {wanted:?}");
    }
}
