//! What plugin authors use besides `lundian-plugin`: scaffolding, dictionaries as rule packs, the conformance kit.
//!
//! The decision that matters: nothing here is part of running a plugin. The program calls it for `lundian plugin new` and
//! `lundian plugin check`, and leaves it alone otherwise.

pub mod dictionary;
mod text;
