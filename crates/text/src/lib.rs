//! From bytes to documents to paragraphs, and the normalised view of a text that matchers and models read.
//!
//! The decision that matters: nothing is rewritten in place. A paragraph keeps its text as found; the normalised view
//! stands beside it with a map back, so that every span found in the one can be quoted from the other.
//!
//! [`read`] gives the paragraphs of files, folders and standard input; [`segment`] those of one document in memory.
//! Without the feature `readers` only the normaliser is there, which is all that plugins need.

#[cfg(feature = "readers")]
mod block;
#[cfg(feature = "readers")]
mod boilerplate;
#[cfg(feature = "readers")]
mod decode;
#[cfg(feature = "readers")]
mod html;
#[cfg(feature = "readers")]
mod join;
#[cfg(feature = "readers")]
mod markdown;
mod normalise;
#[cfg(feature = "readers")]
mod reader;
#[cfg(feature = "readers")]
mod rows;
mod script;
#[cfg(feature = "readers")]
mod segment;

#[cfg(feature = "readers")]
pub use decode::{DecodeError, decode};
pub use normalise::{Normalised, normalise};
#[cfg(feature = "readers")]
pub use reader::{Format, Item, Options, ReadError, Reader, read};
pub use script::{Script, script, to_traditional};
#[cfg(feature = "readers")]
pub use segment::segment;
