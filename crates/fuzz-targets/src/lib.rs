//! What the fuzzer runs, as plain functions: every reader of bytes that the program has no reason to trust.
//!
//! The decision that matters: a target asserts what its component promises (offsets on character boundaries, scores in
//! [0, 1], what was printed reads back the same), not only that it does not panic. The targets stand here and not in
//! `fuzz/`, so that the ordinary tests run every seed, and every case that the fuzzer ever found, without a fuzzer.

pub mod answer;
pub mod border;
pub mod calibration;
pub mod dictionary;
mod document;
pub mod ensemble;
pub mod gold;
pub mod html;
pub mod linear_model;
pub mod manifest;
pub mod markdown;
pub mod normalise;
pub mod pack;
pub mod rows;
pub mod taxonomy;
pub mod worker_frames;

use std::sync::LazyLock;

use lundian_core::Taxonomy;

/// One thing to fuzz.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of its module, its binary in `fuzz/`, and its folders of seeds and cases.
    pub name: &'static str,
    /// Runs it on one input; panics if a promise is broken.
    pub run: fn(&[u8]),
}

/// Every target. A new one is a module, a row here, and a binary in `fuzz/`.
pub const TARGETS: &[Target] = &[
    Target { name: "answer", run: answer::run },
    Target { name: "border", run: border::run },
    Target { name: "calibration", run: calibration::run },
    Target { name: "dictionary", run: dictionary::run },
    Target { name: "ensemble", run: ensemble::run },
    Target { name: "gold", run: gold::run },
    Target { name: "html", run: html::run },
    Target { name: "linear_model", run: linear_model::run },
    Target { name: "manifest", run: manifest::run },
    Target { name: "markdown", run: markdown::run },
    Target { name: "normalise", run: normalise::run },
    Target { name: "pack", run: pack::run },
    Target { name: "rows", run: rows::run },
    Target { name: "taxonomy", run: taxonomy::run },
    Target { name: "worker_frames", run: worker_frames::run },
];

/// Two theses with short slugs, which a fuzzer hits upon.
static TAXONOMY: LazyLock<Taxonomy> = LazyLock::new(|| {
    let source = r#"
        name = "small"
        version = "1"
        [[family]]
        slug = "f"
        name = { zh = "族", en = "Family" }
        [[thesis]]
        slug = "a"
        family = "f"
        name = { zh = "甲", en = "A" }
        proposition = { zh = "产能过剩。", en = "There is too much capacity." }
        [[thesis]]
        slug = "b"
        family = "f"
        name = { zh = "乙", en = "B" }
        proposition = { zh = "需求不足。", en = "Demand is too weak." }
    "#;
    Taxonomy::from_toml(source).expect("the taxonomy above is one")
});

/// The text of an input, if it is text.
fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// An input of two parts: what stands before and after the first NUL.
fn parts(data: &[u8]) -> (&[u8], &[u8]) {
    match data.iter().position(|&b| b == 0) {
        Some(at) => (&data[..at], &data[at + 1..]),
        None => (data, &[]),
    }
}

/// Panics unless every score is in [0, 1] or NaN.
fn assert_scores(scores: &[f32]) {
    let wrong = scores.iter().find(|s| !(s.is_nan() || (0.0..=1.0).contains(*s)));
    assert!(wrong.is_none(), "{wrong:?} is no score");
}
