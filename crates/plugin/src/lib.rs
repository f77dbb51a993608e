//! What a plugin author depends on: the words of `lundian-core`, the [`Plugin`] trait and test helpers.

pub use lundian_core::*;
pub use serde_json;

/// A classifier that can be made from a [`Setup`].
pub trait Plugin: Classifier + Sized + 'static {
    /// Makes the classifier.
    ///
    /// # Errors
    /// When the settings or the plugin's own files are wrong.
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError>;
}
