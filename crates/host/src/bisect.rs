//! Finding the paragraph that breaks a plugin, and giving up on a plugin that breaks too often.
//!
//! The decision that matters: a failure costs the paragraphs that cause it. A batch that fails is halved until single
//! paragraphs fail; those are reported as failed and everything else is judged. Plugins in this process and in workers
//! go through the same code, so a run looks the same either way.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use lundian_core::{Batch, Classifier, ClassifierError, Output, Thresholds};

/// Why a part of a batch was not judged.
#[derive(Debug)]
pub(crate) enum Setback {
    /// Some paragraph in it may be the cause.
    Paragraphs(String),
    /// No paragraph is.
    Call(ClassifierError),
    /// The plugin is beyond help.
    #[cfg_attr(not(unix), expect(dead_code, reason = "only a worker can be lost"))]
    Plugin(String),
}

impl From<ClassifierError> for Setback {
    fn from(error: ClassifierError) -> Self {
        match error {
            ClassifierError::Failed(reason) => Self::Paragraphs(reason),
            other => Self::Call(other),
        }
    }
}

/// A plugin that can be asked for parts of a batch.
pub(crate) trait Attempt: Send + Sync {
    /// Judges a part of a batch: `share`, in (0, 1], of the whole.
    fn attempt(&self, part: &Batch<'_>, share: f64) -> Result<Output, Setback>;

    /// The plugin's thresholds.
    fn thresholds(&self) -> Thresholds;
}

/// A plugin that loses only the paragraphs that break it, and is switched off after `limit` failures.
pub(crate) struct Bisect<A> {
    plugin: A,
    thresholds: Thresholds,
    limit: usize,
    failures: AtomicUsize,
    off: OnceLock<String>,
}

impl<A: Attempt> Bisect<A> {
    pub(crate) fn new(plugin: A, thresholds: Thresholds, limit: usize) -> Self {
        Self { plugin, thresholds, limit, failures: AtomicUsize::new(0), off: OnceLock::new() }
    }

    fn judge(&self, batch: &Batch<'_>, part: Range<usize>, out: &mut Output) -> Result<(), ClassifierError> {
        if let Some(reason) = self.off.get() {
            part.for_each(|row| out.fail(row, reason));
            return Ok(());
        }
        if batch.cancel.is_cancelled() {
            return Err(ClassifierError::Cancelled);
        }
        let mut units = Batch::new(&batch.units[part.clone()]).with_cancel(batch.cancel.clone());
        units.evidence = batch.evidence;
        let share = part.len() as f64 / batch.len().max(1) as f64;
        match self.plugin.attempt(&units, share) {
            Ok(answer) => {
                copy_rows(answer, part.start, out);
                Ok(())
            }
            Err(Setback::Call(error)) => Err(error),
            Err(Setback::Plugin(reason)) => {
                self.switch_off(reason);
                self.judge(batch, part, out)
            }
            Err(Setback::Paragraphs(reason)) if part.is_empty() => Err(ClassifierError::Failed(reason)),
            Err(Setback::Paragraphs(reason)) if part.len() == 1 => {
                out.fail(part.start, &reason);
                self.count(&reason);
                Ok(())
            }
            Err(Setback::Paragraphs(reason)) => {
                let (middle, before) = (part.start + part.len() / 2, out.failures.len());
                self.judge(batch, part.start..middle, out)?;
                self.judge(batch, middle..part.end, out)?;
                // Together they fail and apart they do not: no paragraph to blame, but it must not go on for ever.
                if part.len() == batch.len() && out.failures.len() == before {
                    self.count(&reason);
                }
                Ok(())
            }
        }
    }

    fn count(&self, reason: &str) {
        if self.failures.fetch_add(1, Ordering::Relaxed) + 1 >= self.limit {
            self.switch_off(format!("after {} failures, the last: {reason}", self.limit));
        }
    }

    fn switch_off(&self, reason: String) {
        let _ = self.off.set(format!("switched off for the rest of the run: {reason}"));
    }
}

impl<A: Attempt> Classifier for Bisect<A> {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        match self.off.get() {
            Some(reason) => Err(ClassifierError::Failed(reason.clone())),
            None => self.judge(batch, 0..batch.len(), out),
        }
    }

    fn thresholds(&self) -> Thresholds {
        self.thresholds.clone()
    }
}

/// Puts the answer for a part at its place in the whole.
fn copy_rows(part: Output, start: usize, whole: &mut Output) {
    let theses = whole.theses();
    whole.scores_mut()[start * theses..(start + part.rows()) * theses].copy_from_slice(part.scores());
    for (row, role) in part.roles().iter().enumerate() {
        if let Some(scores) = role {
            whole.set_role(start + row, *scores);
        }
    }
    whole.evidence.extend(part.evidence.into_iter().map(|mut e| {
        e.row += start;
        e
    }));
    whole.failures.extend(part.failures.into_iter().map(|mut f| {
        f.row += start;
        f
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use lundian_core::{RoleScores, Unit};

    use super::*;

    /// Fails on any batch that holds one of its texts, and keeps count of how it was asked.
    #[derive(Default)]
    struct Allergic {
        to: Vec<&'static str>,
        asked: Mutex<Vec<usize>>,
    }

    impl Attempt for Allergic {
        fn attempt(&self, part: &Batch<'_>, share: f64) -> Result<Output, Setback> {
            self.asked.lock().unwrap().push(part.len());
            assert!(share > 0.0 && share <= 1.0);
            if let Some(unit) = part.units.iter().find(|u| self.to.contains(&u.text)) {
                return Err(Setback::Paragraphs(format!("allergic to {}", unit.text)));
            }
            let mut out = Output::new(part.len(), 2);
            for (row, unit) in part.units.iter().enumerate() {
                let number: u16 = unit.text.parse().unwrap();
                out.set(row, 0, number.into());
                if number % 2 == 1 {
                    out.set_role(row, role(number));
                }
                out.add_evidence(row, 0, 0..1, 1.0);
            }
            Ok(out)
        }

        fn thresholds(&self) -> Thresholds {
            Thresholds::default()
        }
    }

    /// The role of an odd number.
    fn role(number: u16) -> RoleScores {
        [f32::from(number) / 64.0, 0.0, 0.0, 1.0 - f32::from(number) / 64.0]
    }

    fn numbers(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    fn classify(plugin: &impl Classifier, texts: &[String]) -> Result<Output, ClassifierError> {
        let units: Vec<Unit<'_>> = texts.iter().map(|text| Unit { text, ..Unit::default() }).collect();
        let mut out = Output::new(units.len(), 2);
        plugin.classify(&Batch::new(&units), &mut out).map(|()| out)
    }

    #[test]
    fn only_the_poison_is_lost() {
        let plugin = Bisect::new(Allergic { to: vec!["5", "17"], ..Allergic::default() }, Thresholds::uniform(0.3), 10);
        let out = classify(&plugin, &numbers(32)).unwrap();
        let failed: Vec<usize> = out.failures.iter().map(|f| f.row).collect();
        assert_eq!(failed, [5, 17]);
        assert_eq!(out.failures[0].reason, "allergic to 5");
        for row in 0..32 {
            let lost = failed.contains(&row);
            assert_eq!(out.row(row)[0].is_nan(), lost);
            assert!(lost || out.row(row)[0] == row as f32);
            assert_eq!(out.role(row).copied(), (!lost && row % 2 == 1).then(|| role(row as u16)));
            assert_eq!(out.evidence.iter().filter(|e| e.row == row).count(), usize::from(!lost));
        }
        // Two searches of five levels each, two questions a level, share the first.
        assert_eq!(plugin.plugin.asked.lock().unwrap().len(), 19);
        assert_eq!(plugin.thresholds(), Thresholds::uniform(0.3));
    }

    #[test]
    fn too_many_failures_switch_it_off() {
        let plugin = Bisect::new(Allergic { to: vec!["1", "2", "5"], ..Allergic::default() }, Thresholds::default(), 2);
        let out = classify(&plugin, &numbers(8)).unwrap();
        assert_eq!(out.row(0)[0], 0.0);
        assert_eq!(out.failures.len(), 7, "{:?}", out.failures);
        let reason = "switched off for the rest of the run: after 2 failures, the last: allergic to 2";
        assert_eq!(out.failures[6].reason, reason);
        assert_eq!(classify(&plugin, &numbers(1)).unwrap_err(), ClassifierError::Failed(reason.into()));
    }

    /// Fails on more than one paragraph at a time.
    struct Shy;

    impl Attempt for Shy {
        fn attempt(&self, part: &Batch<'_>, _: f64) -> Result<Output, Setback> {
            if part.len() > 1 { Err(Setback::Paragraphs("shy".into())) } else { Ok(Output::new(part.len(), 2)) }
        }

        fn thresholds(&self) -> Thresholds {
            Thresholds::default()
        }
    }

    #[test]
    fn a_failure_that_no_paragraph_explains_counts_too() {
        let plugin = Bisect::new(Shy, Thresholds::default(), 2);
        assert_eq!(classify(&plugin, &numbers(2)).unwrap().failures, []);
        assert_eq!(classify(&plugin, &numbers(2)).unwrap().failures, []);
        assert!(classify(&plugin, &numbers(2)).unwrap_err().to_string().contains("after 2 failures, the last: shy"));
    }
}
