//! Whether a learned aggregate is worth its trouble, in a sentence.
//!
//! The plain mean learns nothing and is hard to beat; it always stands beside what is cleverer.

/// F1 of a system on a gold file.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Macro F1.
    pub macro_f1: f64,
    /// Micro F1.
    pub micro_f1: f64,
}

/// A difference below this is none.
const NOTHING: f64 = 0.005;

/// Says whether the aggregate `name` improves on the mean. `ci95` is the paired 95 % interval of the difference in
/// macro F1 (`name` minus mean), if there is one.
pub fn beside_mean(name: &str, own: Figures, mean: Figures, ci95: Option<[f64; 2]>) -> String {
    let gains = [own.macro_f1 - mean.macro_f1, own.micro_f1 - mean.micro_f1];
    let interval = ci95.map(|[low, high]| format!("; 95 % interval of the macro difference {low:+.3} to {high:+.3}"));
    let figures = format!(
        "macro F1 {:.3} against {:.3}, micro F1 {:.3} against {:.3}{}",
        own.macro_f1,
        mean.macro_f1,
        own.micro_f1,
        mean.micro_f1,
        interval.unwrap_or_default()
    );
    let verdict = if gains.iter().all(|g| *g < NOTHING) {
        "does not improve on mean here"
    } else if gains.iter().any(|g| *g <= -NOTHING) {
        "is better than mean by one figure and worse by the other here"
    } else if ci95.is_some_and(|[low, _]| low <= 0.0) {
        "is above mean here, which may be chance"
    } else {
        "improves on mean here"
    };
    format!("{name} {verdict}: {figures}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_follows_the_figures() {
        let f = |macro_f1, micro_f1| Figures { macro_f1, micro_f1 };
        let say = |own, ci| beside_mean("stack", own, f(0.5, 0.6), ci);
        assert_eq!(
            say(f(0.49, 0.6), None),
            "stack does not improve on mean here: macro F1 0.490 against 0.500, micro F1 0.600 against 0.600"
        );
        assert!(say(f(0.52, 0.58), None).contains("worse by the other"));
        assert!(say(f(0.52, 0.61), Some([-0.01, 0.05])).contains("may be chance: "));
        assert!(say(f(0.52, 0.61), Some([-0.01, 0.05])).ends_with("-0.010 to +0.050"));
        assert!(say(f(0.52, 0.61), Some([0.01, 0.05])).starts_with("stack improves on mean here"));
    }
}
