//! The conformance kit: a good plugin passes it, and each sort of bad one fails the check that is about it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod support;

use std::time::Duration;

use lundian_core::Taxonomy;
use lundian_host::{CHECKS, Candidate, CheckResult, Conformance, Outcome, WorkerOptions};
use serde_json::{Value, json};
use support::{World, fixture};

const KEYWORD: &str = include_str!("../../../tests/plugins/keyword/plugin.toml");
const MISBEHAVING: &str = include_str!("../../../tests/plugins/misbehaving/plugin.toml");
/// 毒 is what makes the misbehaving plugin misbehave.
const TAXONOMY: &str = r#"
name = "small"
version = "1"
[[family]]
slug = "f"
name = { zh = "族", en = "F" }
[[thesis]]
slug = "a-thesis"
family = "f"
name = { zh = "论点", en = "A" }
proposition = { zh = "甲毒", en = "A." }
examples = ["有毒的例子", "好的例子"]
"#;

fn run(name: &str, manifest: &str, settings: &Value, only: &[&str]) -> Vec<CheckResult> {
    let world = World::new();
    let plugin = Candidate::at(&world.plugin(manifest, &fixture(name))).unwrap();
    let none: [&str; 0] = [];
    let mut options = WorkerOptions::new(env!("CARGO_BIN_EXE_lundian-test-worker"), none);
    options.deadline = Duration::from_secs(200);
    let taxonomy = Taxonomy::from_toml(TAXONOMY).unwrap();
    let kit = Conformance::new(&plugin, &taxonomy, settings, options);
    let wanted = |name: &str| only.is_empty() || only.contains(&name);
    CHECKS.iter().filter(|c| wanted(c.name)).map(|c| kit.run(c)).collect()
}

#[test]
fn a_good_plugin_passes_every_check() {
    let settings = json!({ "keywords": { "a-thesis": ["毒", "例子"] }, "roles": { "evidence": ["例子", "。"] } });
    let results = run("keyword", KEYWORD, &settings, &[]);
    assert_eq!(results.len(), CHECKS.len());
    for result in results {
        assert_eq!(result.outcome, Outcome::Passed, "{}: {}", result.name, result.detail);
    }
}

#[test]
fn a_bad_plugin_fails_the_check_that_is_about_it() {
    for (behaviour, check, detail) in [
        ("abort", "one-row", "its process aborted (SIGABRT)"),
        ("error", "batch-equals-single", "I return an error"),
        ("roles-by-batch", "batch-equals-single", "the role of paragraph 0 is scored [1.0, 0.0, 0.0, 0.0] and []"),
        ("infinite", "determinism", "paragraph 0 failed: score inf"),
        ("evidence-inside-character", "evidence", "paragraph 0 failed: evidence 1..15"),
        ("sleep", "cancel", "after it was told to stop: ask `cancelled` every now and then"),
        ("noise", "stdout", "lines: use the host's `log`"),
        ("refuse-in-create", "load", "plugin \"misbehaving\": weights.bin is missing"),
        ("panic", "threads", "panicked: I panic"),
        ("null-write", "random", "to see it again: --reproduce "),
    ] {
        let [result] = &run("misbehaving", MISBEHAVING, &json!({ "behaviour": behaviour }), &[check])[..] else {
            panic!("there is one check {check}");
        };
        assert_eq!(result.outcome, Outcome::Failed, "{behaviour}: {}", result.detail);
        assert!(result.detail.contains(detail), "{behaviour}: {}", result.detail);
    }
    let [result] = &run("misbehaving", MISBEHAVING, &Value::Null, &["manifest"])[..] else { panic!() };
    assert_eq!(result.detail, "plugin.toml: say something under `languages`");
}
