//! Projects work before they are touched: they build, their tests pass, and they label a paragraph.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use lundian_author::dictionary::{Dictionary, Mapping};
use lundian_author::{Lang, ScaffoldError, ScaffoldOptions, find_checkout, scaffold, scaffold_dictionary};
use lundian_core::{Batch, Classifier, Output, Setup, Taxonomy, Unit};
use lundian_host::{Candidate, Found, Home, Isolation, Loader, Trust};
use lundian_plugin::Plugin as _;
use lundian_rules::Rules;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A taxonomy of a user's own, with what could break a template in a name.
const OWN: &str = r#"
name = "own"
version = "1"
[[family]]
slug = "f"
name = { zh = "族", en = "F" }
[[thesis]]
slug = "rents-are-high"
family = "f"
name = { zh = "租金\"太高\" {{name}}??/", en = "Rents" }
proposition = { zh = "租金太高", en = "Rents are too high." }
"#;

fn repository() -> PathBuf {
    find_checkout(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn project(lang: Lang, taxonomy: &Taxonomy) -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().canonicalize().unwrap().join("new-one");
    let options = ScaffoldOptions::default().with_lundian(Some(repository()));
    let files = scaffold("new-one", lang, &project, taxonomy, &options).unwrap();
    assert!(files.iter().all(|f| f.is_file() && f.starts_with(&project)));
    (dir, project)
}

/// `make` as a user whose files are made so that their group can write to them.
fn make(target: &str, project: &Path) {
    let command = format!("umask 002 && make CFLAGS='-Wall -Wextra -Werror' {target}");
    run(Command::new("sh").args(["-c", &command]).current_dir(project));
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{err}");
}

/// The classifier of the plugin in `dir`, as if the user had added it.
fn added(dir: &Path, taxonomy: &Taxonomy) -> Arc<dyn Classifier> {
    let home = tempfile::tempdir().unwrap();
    let home = Home::at(home.path());
    let mut trust = Trust::default();
    let installed = trust.add(&Candidate::at(dir).unwrap(), &[], &home).unwrap();
    let found = Found::at(&installed, &trust).unwrap();
    Loader::new(trust, Isolation::InProcess).load(&found, &Setup::new(taxonomy, &Value::Null)).unwrap()
}

/// The quotations by which `classifier` labels the project's sample, with their theses.
fn labels(classifier: &dyn Classifier, project: &Path, taxonomy: &Taxonomy) -> Vec<(String, String)> {
    let sample = std::fs::read_to_string(project.join("sample.md")).unwrap();
    let units: Vec<Unit<'_>> = sample.split("\n\n").map(|text| Unit { text, ..Unit::default() }).collect();
    let mut out = Output::new(units.len(), taxonomy.len());
    classifier.classify(&Batch::new(&units), &mut out).unwrap();
    assert_eq!(out.failures, []);
    let quoted = |e: &lundian_core::Evidence| units[e.row].text[e.range.clone()].to_owned();
    out.evidence.iter().map(|e| (taxonomy.theses()[e.thesis].slug.clone(), quoted(e))).collect()
}

fn first_label(taxonomy: &Taxonomy) -> Vec<(String, String)> {
    let thesis = &taxonomy.theses()[0];
    vec![(thesis.slug.clone(), thesis.name.zh.replace('"', ""))]
}

#[test]
fn a_project_in_c_builds_tests_itself_and_labels_a_paragraph() {
    for taxonomy in [Taxonomy::china_economy(), Taxonomy::from_toml(OWN).unwrap()] {
        let (_dir, project) = project(Lang::C, &taxonomy);
        make("test", &project);
        make("", &project);
        let plugin = added(&project, &taxonomy);
        assert_eq!(labels(&*plugin, &project, &taxonomy), first_label(&taxonomy));
    }
}

/// The two builds are slow, so there is one test for both: with a target folder that outlives it and no network.
#[test]
fn a_project_in_rust_builds_tests_itself_and_labels_a_paragraph() {
    for taxonomy in [Taxonomy::china_economy(), Taxonomy::from_toml(OWN).unwrap()] {
        let (_dir, project) = project(Lang::Rust, &taxonomy);
        let code = std::fs::read_to_string(project.join("src/lib.rs")).unwrap();
        assert!(code.lines().count() <= 20, "{code}");
        // The versions that this repository was built with: they are there.
        std::fs::copy(repository().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scaffold");
        let cargo = |args: &[&str]| {
            let mut command = Command::new(env!("CARGO"));
            command.args(args).current_dir(&project).env("CARGO_TARGET_DIR", &target);
            run(command.env("CARGO_NET_OFFLINE", "true").env("RUSTFLAGS", "-Dwarnings"));
        };
        cargo(&["fmt", "--check"]);
        cargo(&["test"]);
        cargo(&["build"]);
        let library = format!("{}new_one{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        std::fs::copy(target.join("debug").join(&library), project.join(&library)).unwrap();
        let plugin = added(&project, &taxonomy);
        assert_eq!(labels(&*plugin, &project, &taxonomy), first_label(&taxonomy));
    }
}

/// The rules alone of the project's pack.
fn rules(project: &Path, taxonomy: &Taxonomy) -> Rules {
    let settings: toml::Table = std::fs::read_to_string(project.join("lundian.toml")).unwrap().parse().unwrap();
    let mut settings = json!(settings["plugin"]["rules"]);
    settings["bundled"] = json!(false);
    Rules::create(&Setup::new(taxonomy, &settings).with_dir(project)).unwrap()
}

#[test]
fn a_pack_passes_its_examples_and_labels_a_paragraph() {
    for taxonomy in [Taxonomy::china_economy(), Taxonomy::from_toml(OWN).unwrap()] {
        let (_dir, project) = project(Lang::Rules, &taxonomy);
        let rules = rules(&project, &taxonomy);
        assert_eq!((rules.len(), rules.check()), (2, vec![]));
        let (thesis, word) = &first_label(&taxonomy)[0];
        let labels = labels(&rules, &project, &taxonomy);
        assert!(labels.iter().any(|(t, quote)| t == thesis && quote.contains(word)), "{labels:?}");
    }
}

#[test]
fn a_dictionary_becomes_a_project() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("rents.dic");
    std::fs::write(&file, "%\n1\tRents are high\n2\tnothing\n%\n租金\t1\nlandlord*\t1\n风\t2\n").unwrap();
    let (dictionary, diagnostics) = Dictionary::read(&file).unwrap();
    assert_eq!(diagnostics, []);
    let taxonomy = Taxonomy::from_toml(OWN).unwrap();
    let project = dir.path().join("p");
    let (files, messages) = scaffold_dictionary("p", &project, &dictionary, &Mapping::default(), &taxonomy).unwrap();
    assert_eq!((files.len(), messages.len()), (4, 1));
    assert_eq!(labels(&rules(&project, &taxonomy), &project, &taxonomy), [("rents-are-high".into(), "租金".into())]);
}

#[test]
fn nothing_is_overwritten_and_names_are_checked() {
    let taxonomy = Taxonomy::china_economy();
    let (dir, project) = project(Lang::Rules, &taxonomy);
    let before = std::fs::read_to_string(project.join("README.md")).unwrap();
    let again = |name: &str, dir: &Path, options| scaffold(name, Lang::C, dir, &taxonomy, options).unwrap_err();
    let none = ScaffoldOptions::default();
    assert!(matches!(again("new-one", &project, &none), ScaffoldError::Exists { path } if path.ends_with("README.md")));
    assert_eq!(std::fs::read_to_string(project.join("README.md")).unwrap(), before);
    assert!(!project.join("plugin.c").exists(), "nothing is written by halves");
    for name in ["", "New", "1st", "a--b", "a-", "../x", "论点", &"x".repeat(61)] {
        assert!(matches!(again(name, dir.path(), &none), ScaffoldError::Name(_)), "{name}");
    }
    assert_eq!(
        again("rules", dir.path(), &none).to_string(),
        "\"rules\" cannot be the name of a plugin, since it is a part of Lundian: try \"my-rules\""
    );
    let elsewhere = ScaffoldOptions::default().with_lundian(Some(dir.path().to_owned()));
    let error = scaffold("x", Lang::Rust, &dir.path().join("x"), &taxonomy, &elsewhere).unwrap_err();
    assert!(matches!(error, ScaffoldError::Checkout { .. }));
    let files = scaffold("x", Lang::Rust, &dir.path().join("x"), &taxonomy, &none).unwrap();
    let manifest = std::fs::read_to_string(&files[0]).unwrap();
    assert!(manifest.contains("lundian-plugin = { git = \"https://"), "{manifest}");
}
