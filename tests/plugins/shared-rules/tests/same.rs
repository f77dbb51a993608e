//! Linked in and loaded, the bundled plugin `rules` gives the same answers, to the bit.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[path = "../../shared.rs"]
mod shared;

#[test]
fn linked_in_and_loaded_it_is_the_same() {
    shared::assert_same::<lundian_rules::Rules>("shared_rules", shared_rules::MANIFEST);
}
