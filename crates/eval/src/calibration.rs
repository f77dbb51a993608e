//! How far a score can be read as a probability, and how much is gained by leaving doubtful paragraphs to people.
//!
//! Calibration looks at every paragraph-thesis cell on which the system has an opinion; abstentions are left out.

use serde::Serialize;

/// Number of bins of equal width.
const BINS: usize = 10;

/// One bin of a reliability curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bin {
    /// Scores in the bin are above this, in the first bin also equal to it.
    pub from: f64,
    /// Highest score in the bin.
    pub to: f64,
    /// Cells with a score in the bin.
    pub count: u64,
    /// Mean score of them; `None` if there are none.
    pub mean_score: Option<f64>,
    /// Share of them where the thesis is argued; `None` if there are none.
    pub observed: Option<f64>,
}

/// The reliability curve: ten bins of equal width (Niculescu-Mizil and Caruana 2005; scikit-learn
/// `calibration_curve`).
pub fn reliability(scored: impl IntoIterator<Item = (f32, bool)>) -> Vec<Bin> {
    let mut sums = [(0u64, 0.0f64, 0u64); BINS];
    for (score, argued) in scored.into_iter().filter(|(s, _)| !s.is_nan()) {
        let score = f64::from(score).clamp(0.0, 1.0);
        let bin = ((score * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        sums[bin].0 += 1;
        sums[bin].1 += score;
        sums[bin].2 += u64::from(argued);
    }
    let bin = |(i, (count, score, argued)): (usize, (u64, f64, u64))| Bin {
        from: i as f64 / BINS as f64,
        to: (i + 1) as f64 / BINS as f64,
        count,
        mean_score: (count > 0).then(|| score / count as f64),
        observed: (count > 0).then(|| argued as f64 / count as f64),
    };
    sums.into_iter().enumerate().map(bin).collect()
}

/// Expected calibration error: the mean gap between score and observed share over the bins, weighted by their size
/// (Naeini, Cooper and Hauskrecht 2015). `None` if every bin is empty.
pub fn ece(bins: &[Bin]) -> Option<f64> {
    let total: u64 = bins.iter().map(|b| b.count).sum();
    let gap = |b: &Bin| match (b.mean_score, b.observed) {
        (Some(score), Some(observed)) => b.count as f64 * (score - observed).abs(),
        _ => 0.0,
    };
    (total > 0).then(|| bins.iter().map(gap).sum::<f64>() / total as f64)
}

/// Brier score: the mean squared gap between score and outcome (Brier 1950; scikit-learn `brier_score_loss`). `None`
/// if the system abstains throughout.
pub fn brier(scored: impl IntoIterator<Item = (f32, bool)>) -> Option<f64> {
    let gap = |(s, y): (f32, bool)| (f64::from(s) - f64::from(u8::from(y))).powi(2);
    crate::metrics::mean(scored.into_iter().filter(|(s, _)| !s.is_nan()).map(gap))
}

/// What share of paragraphs is wrong when only the surest are kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RiskCoverage {
    /// Area under the curve: the mean risk over all coverages (Geifman and El-Yaniv 2017); lower is better. `None`
    /// without paragraphs.
    pub aurc: Option<f64>,
    /// From the surest paragraphs to all; at most 100 points.
    pub points: Vec<RiskPoint>,
}

/// One point of a risk-coverage curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RiskPoint {
    /// Share of paragraphs kept.
    pub coverage: f64,
    /// Share of those kept whose set of theses is not exactly right.
    pub risk: f64,
}

/// The risk-coverage curve of `(confidence, is it wrong)` pairs. A paragraph's confidence is how far its least
/// certain decision is from the threshold. Paragraphs of equal confidence count in their average order, so the
/// figures do not depend on the order of the file.
pub fn risk_coverage(mut paragraphs: Vec<(f32, bool)>) -> RiskCoverage {
    let n = paragraphs.len();
    if n == 0 {
        return RiskCoverage::default();
    }
    paragraphs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut risks = Vec::with_capacity(n);
    let mut wrong = 0.0;
    for group in paragraphs.chunk_by(|a, b| a.0.total_cmp(&b.0).is_eq()) {
        let share = group.iter().filter(|(_, w)| *w).count() as f64 / group.len() as f64;
        for _ in group {
            wrong += share;
            risks.push(wrong / (risks.len() + 1) as f64);
        }
    }
    let shown = n.min(100);
    let point = |i: usize| {
        let kept = ((i + 1) * n).div_ceil(shown);
        RiskPoint { coverage: kept as f64 / n as f64, risk: risks[kept - 1] }
    };
    RiskCoverage { aurc: Some(risks.iter().sum::<f64>() / n as f64), points: (0..shown).map(point).collect() }
}
