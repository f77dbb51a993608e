//! Ways to try a plugin in its own tests: straight through the trait, and through the C border as a host would.
//!
//! ```no_run
//! # use lundian_plugin::{Classifier, ClassifierError, Plugin, Setup, Batch, Output};
//! # struct MyPlugin;
//! # impl Plugin for MyPlugin { fn create(_: &Setup<'_>) -> Result<Self, ClassifierError> { Ok(Self) } }
//! # impl Classifier for MyPlugin {
//! #     fn classify(&self, _: &Batch<'_>, _: &mut Output) -> Result<(), ClassifierError> { Ok(()) }
//! # }
//! use lundian_plugin::testing;
//!
//! let out = testing::classify::<MyPlugin>(&["产能过剩。", "天气很好。"])?;
//! assert!(out.row(1).iter().all(|score| score.is_nan()));
//! testing::assert_conforms::<MyPlugin>(&["产能过剩。", "天气很好。"]);
//! # Ok::<(), ClassifierError>(())
//! ```

use std::sync::Arc;

use serde_json::Value;

use crate::border::{Entry, Foreign, entry};
use crate::{Batch, Classifier, ClassifierError, Output, Plugin, Setup, Taxonomy, Unit};

/// Largest difference of two scores that counts as none: what batching may do to floating-point sums.
pub const TOLERANCE: f32 = 1e-4;

/// What [`assert_conforms`] and [`classify`] make a plugin from: the default taxonomy and no settings, unless told
/// otherwise.
#[derive(Clone, Debug)]
pub struct Bench {
    /// The taxonomy.
    pub taxonomy: Taxonomy,
    /// The plugin's settings.
    pub settings: Value,
}

impl Default for Bench {
    fn default() -> Self {
        Self { taxonomy: Taxonomy::china_economy(), settings: Value::Null }
    }
}

impl Bench {
    /// The default taxonomy with settings.
    pub fn with_settings(settings: Value) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Classifies texts through the trait, as the program does with a plugin that is linked in.
    ///
    /// # Errors
    /// What the plugin returns, or the first promise about the answer that it breaks.
    pub fn classify<P: Plugin>(&self, texts: &[&str]) -> Result<Output, ClassifierError> {
        let plugin = P::create(&Setup::new(&self.taxonomy, &self.settings))?;
        let out = self.answer(&plugin, texts)?;
        out.check(|row| texts[row]).map_err(|e| e.to_string())?;
        Ok(out)
    }

    /// Classifies texts through the C border, as the program does with a shared library.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn classify_through_border<P: Plugin>(&self, texts: &[&str]) -> Result<Output, ClassifierError> {
        let entry = entry::<P>("");
        // SAFETY: the functions of the entry are this program's own, and its only text is static.
        let entry = unsafe { Entry::check(&entry) }.map_err(|e| e.to_string())?;
        let plugin = Foreign::create(entry, &Setup::new(&self.taxonomy, &self.settings), Arc::new(|_, _| {}))?;
        self.answer(&plugin, texts)
    }

    fn answer(&self, plugin: &impl Classifier, texts: &[&str]) -> Result<Output, ClassifierError> {
        let units: Vec<Unit<'_>> = texts.iter().map(|text| Unit { text, ..Unit::default() }).collect();
        let mut out = Output::new(units.len(), self.taxonomy.len());
        plugin.classify(&Batch::new(&units), &mut out)?;
        Ok(out)
    }

    /// Checks that the answers for `texts` are well-formed, the same whether the texts come in one batch or one at a
    /// time, and the same through the C border.
    ///
    /// # Panics
    /// Where that is not so, with the row.
    pub fn assert_conforms<P: Plugin>(&self, texts: &[&str]) {
        let whole = self.classify::<P>(texts).unwrap_or_else(|e| panic!("one batch of {}: {e}", texts.len()));
        let through = self.classify_through_border::<P>(texts).unwrap_or_else(|e| panic!("through the border: {e}"));
        for (row, text) in texts.iter().enumerate() {
            let single = self.classify::<P>(&[text]).unwrap_or_else(|e| panic!("paragraph {row} on its own: {e}"));
            assert_close(whole.row(row), single.row(0), || format!("paragraph {row}, in a batch and on its own"));
            assert_close(whole.row(row), through.row(row), || format!("paragraph {row}, through the C border"));
            assert_close(role(&whole, row), role(&single, 0), || {
                format!("role of paragraph {row}, in a batch and on its own")
            });
            assert_close(role(&whole, row), role(&through, row), || {
                format!("role of paragraph {row}, through the C border")
            });
        }
        assert_eq!(whole.evidence, through.evidence, "evidence, through the C border");
        assert_eq!(whole.failures, through.failures, "failures, through the C border");
    }
}

/// How likely each role of a paragraph is; nothing if the plugin does not say.
fn role(out: &Output, row: usize) -> &[f32] {
    out.role(row).map_or(&[], |scores| scores)
}

fn assert_close(a: &[f32], b: &[f32], what: impl Fn() -> String) {
    let close =
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a.is_nan() && b.is_nan()) || (a - b).abs() <= TOLERANCE);
    assert!(close, "{}: {a:?} and {b:?}", what());
}

/// [`Bench::classify`] with the default taxonomy and no settings.
///
/// # Errors
/// What the plugin returns, or the first promise about the answer that it breaks.
pub fn classify<P: Plugin>(texts: &[&str]) -> Result<Output, ClassifierError> {
    Bench::default().classify::<P>(texts)
}

/// [`Bench::assert_conforms`] with the default taxonomy and no settings.
///
/// # Panics
/// Where the plugin does not conform.
pub fn assert_conforms<P: Plugin>(texts: &[&str]) {
    Bench::default().assert_conforms::<P>(texts);
}
