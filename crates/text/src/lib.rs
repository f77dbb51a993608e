//! From bytes to documents to paragraphs, and the normalised view of a text that matchers and models read.
//!
//! The decision that matters: nothing is rewritten in place. A paragraph keeps its text as found; the normalised view
//! stands beside it with a map back, so that every span found in the one can be quoted from the other.

mod normalise;
mod script;

pub use normalise::{Normalised, normalise};
pub use script::{Script, script, to_traditional};
