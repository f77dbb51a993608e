//! Linked in and loaded, the bundled plugin `linear` gives the same answers, to the bit.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

#[path = "../../shared.rs"]
mod shared;

#[test]
fn linked_in_and_loaded_it_is_the_same() {
    shared::assert_same::<lundian_linear::Linear>("shared_linear", shared_linear::MANIFEST);
}
