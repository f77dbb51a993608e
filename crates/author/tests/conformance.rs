//! The report of the conformance kit; and the bundled plugins, which must pass it.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};

use lundian_author::{CheckOptions, Report, Verdict, check};
use lundian_core::Taxonomy;
use lundian_host::{CHECKS, Candidate, WorkerOptions};
use serde_json::{Value, json};

const RULES: &str = include_str!("../../../plugins/rules/plugin.toml");
const LINEAR: &str = include_str!("../../../plugins/linear/plugin.toml");
const MISBEHAVING: &str = include_str!("../../../tests/plugins/misbehaving/plugin.toml");

/// Checks the library `name`, which cargo built beside this test program, as the plugin of `manifest`.
fn checked(name: &str, manifest: &str, settings: &Value, options: &CheckOptions) -> Report {
    let dir = tempfile::tempdir().unwrap();
    let library = format!("{DLL_PREFIX}{name}{DLL_SUFFIX}");
    std::fs::copy(std::env::current_exe().unwrap().with_file_name(&library), dir.path().join(&library)).unwrap();
    // The shared library of a bundled plugin is built under another name here.
    let manifest: String = manifest.lines().filter(|l| !l.starts_with("library")).map(|l| format!("{l}\n")).collect();
    std::fs::write(dir.path().join("plugin.toml"), format!("library = \"{name}\"\n{manifest}")).unwrap();
    let plugin = Candidate::at(dir.path()).unwrap();
    let none: [&str; 0] = [];
    let worker = WorkerOptions::new(env!("CARGO_BIN_EXE_lundian-author-test-worker"), none);
    let mut heard = 0;
    let report = check(&plugin, &Taxonomy::china_economy(), settings, worker, options, |_| heard += 1).unwrap();
    assert_eq!(heard, report.checks.len());
    report
}

#[test]
fn the_bundled_plugin_rules_passes() {
    let report = checked("shared_rules", RULES, &Value::Null, &CheckOptions::default());
    assert!(report.passed, "{report}");
    assert_eq!(report.checks.len(), CHECKS.len());
    assert!(report.to_string().ends_with(&format!("\n{} passed, 0 failed\n", CHECKS.len())), "{report}");
}

#[test]
fn the_bundled_plugin_linear_passes() {
    let report = checked("shared_linear", LINEAR, &Value::Null, &CheckOptions::default());
    assert!(report.passed, "{report}");
}

#[test]
fn a_plugin_that_does_not_load_is_put_to_no_other_check() {
    let settings = json!({ "behaviour": "refuse-in-create" });
    let report = checked("misbehaving", MISBEHAVING, &settings, &CheckOptions::default());
    assert!(!report.passed);
    let load = report.checks.iter().position(|row| row.name == "load").unwrap();
    assert_eq!(report.checks[load].outcome, Verdict::Failed);
    assert!(report.checks[load + 1..].iter().all(|row| row.outcome == Verdict::Skipped), "{report}");

    let shown = report.to_string();
    assert!(shown.starts_with("misbehaving 0.1.0, with the taxonomy china-economy\n\nFAIL  manifest"), "{shown}");
    assert!(shown.contains("\nFAIL  load                 plugin \"misbehaving\": weights.bin is missing\n"), "{shown}");
    assert!(shown.contains("\nskip  stdout               not run, since the plugin does not load\n"), "{shown}");
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!((&json["passed"], &json["checks"][load]["outcome"]), (&json!(false), &json!("failed")));
    assert_eq!(json["checks"][load]["name"], json!("load"));
}

#[test]
fn a_seed_reproduces_one_batch() {
    let options = CheckOptions::default().reproducing(Some(7));
    let report = checked("keyword", include_str!("../../../tests/plugins/keyword/plugin.toml"), &Value::Null, &options);
    assert_eq!((report.seed, report.checks.len()), (7, 1));
    assert_eq!((report.checks[0].name, report.checks[0].outcome), ("random", Verdict::Passed));
    assert!(report.checks[0].detail.ends_with("paragraphs from seed 7"), "{report}");
}

#[test]
fn a_check_that_there_is_not_is_refused_with_the_names_of_those_there_are() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("x"), "").unwrap();
    std::fs::write(
        dir.path().join("plugin.toml"),
        "library = \"x.\"\nformat = 1\nid = \"x\"\nversion = \"1\"\nabi = 1\n",
    )
    .unwrap();
    std::fs::write(dir.path().join("x."), "").unwrap();
    let plugin = Candidate::at(dir.path()).unwrap();
    let none: [&str; 0] = [];
    let options = CheckOptions::default().only(vec!["load".into(), "lod".into()]);
    let worker = WorkerOptions::new("/nowhere", none);
    let error = check(&plugin, &Taxonomy::china_economy(), &Value::Null, worker, &options, |_| {}).unwrap_err();
    assert!(error.to_string().starts_with("there is no check \"lod\": there are manifest, load, "), "{error}");
}
