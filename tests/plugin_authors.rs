//! From `plugin new` to labelled paragraphs, as the guide leads a new author: docs/plugins.md.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]
#![cfg(unix)]

mod program;

use std::path::Path;
use std::process::Command;

use program::{Home, Run, data};
use serde_json::Value;

/// Builds the project `name` in the working directory with its own Makefile.
fn make(home: &Home, name: &str) {
    let output = Command::new("make").arg("-C").arg(home.work().join(name)).output().expect("make");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The labels that `plugin` gives the first paragraph of the sample of the project `name`, and the second.
fn labels(home: &Home, name: &str, plugin: &str) -> [Vec<Value>; 2] {
    let dir = home.work().join(name);
    let mut command = home.command();
    let output =
        command.args(["classify", "sample.md", "-f", "jsonl", "-p", plugin]).current_dir(dir).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let stdout = String::from_utf8(output.stdout).unwrap();
    let rows: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let said = |text: &str| {
        let row = rows.iter().find(|r| r["text"].as_str().is_some_and(|t| t.contains(text)));
        row.unwrap_or_else(|| panic!("{text:?} is not in {stdout}"))["labels"].as_array().unwrap().clone()
    };
    let sample = std::fs::read_to_string(home.work().join(name).join("sample.md")).unwrap();
    let first = sample.lines().find(|l| !l.is_empty() && !l.starts_with('#')).unwrap();
    [said(first), said("今天天气很好")]
}

fn check(home: &Home, plugin: &str, more: &[&str]) -> Run {
    home.run(&[&["plugin", "check", plugin], more].concat())
}

#[test]
fn a_plugin_in_c_is_written_built_checked_added_and_run() {
    let home = Home::new();
    home.run(&["plugin", "new", "wares", "--lang", "c"]).exits(0).says(&["wares/plugin.c", "wares/Makefile"]);
    check(&home, "wares", &[]).exits(2).says(&["libwares.so", "build it"]);
    make(&home, "wares");
    let report = check(&home, "wares", &[]).exits(0).stdout;
    assert!(report.starts_with("wares 0.1.0, ") && report.ends_with(" passed, 0 failed\n"), "{report}");
    check(&home, "wares", &["--only", "nonsense"]).exits(2).says(&["nonsense", "one-row"]);

    // Checking is not trusting.
    home.run(&["classify", data("documents").as_str(), "-p", "wares", "--plugin-dir", "."]).exits(2);
    home.run(&["plugin", "add", "--yes", "wares"]).exits(0);
    let [argued, weather] = labels(&home, "wares", "wares");
    assert_eq!((argued.len(), weather.len()), (1, 0), "{argued:?}");

    // The name of an added plugin stands for it, even beside a folder of that name.
    let quick = ["--only", "load", "--only", "one-row", "--format", "json"];
    std::fs::remove_file(home.work().join("wares/libwares.so")).unwrap();
    let run = check(&home, "wares", &quick).exits(0).says(&["./wares"]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!((&report["plugin"], &report["passed"]), (&"wares".into(), &true.into()));
    assert_eq!(report["checks"].as_array().unwrap().len(), 2);
    check(&home, "./wares", &quick).exits(2).says(&["libwares.so"]);
    check(&home, "linear", &[]).exits(2).says(&["built in"]);
    check(&home, "nothing", &[]).exits(2).says(&["nothing"]);
}

#[test]
fn a_name_stands_only_for_what_may_run() {
    let home = Home::new();
    home.run(&["plugin", "new", "wares", "--lang", "c"]).exits(0);
    make(&home, "wares");
    check(&home, "wares", &["--plugin-dir", ".", "--only", "load"]).exits(2).says(&["plugin add", "./wares"]);
    check(&home, "./wares", &["--plugin-dir", ".", "--only", "load"]).exits(0);
}

#[test]
fn a_score_that_cannot_be_fails_the_check_that_finds_it() {
    let home = Home::new();
    home.run(&["plugin", "new", "wares", "--lang", "c"]).exits(0);
    let source = home.work().join("wares/plugin.c");
    let good = std::fs::read_to_string(&source).unwrap();
    let bad = good.replace("= 1.0f;", "= 7.0f;");
    assert_ne!(good, bad);
    std::fs::write(&source, bad).unwrap();
    make(&home, "wares");
    let report = check(&home, "wares", &["--only", "load", "--only", "batch-equals-single"]).exits(1).stdout;
    let failed = report.lines().find(|l| l.starts_with("FAIL")).expect("a check fails");
    assert!(failed.contains("batch-equals-single") && failed.contains('7'), "{report}");
    assert!(report.ends_with("1 passed, 1 failed\n"), "{report}");
}

#[test]
fn a_rule_pack_is_written_checked_and_used() {
    let home = Home::new();
    home.run(&["plugin", "new", "phrases", "--lang", "rules"]).exits(0);
    check(&home, "phrases/phrases.toml", &[]).exits(0);
    let [argued, weather] = labels(&home, "phrases", "rules");
    assert!(!argued.is_empty() && weather.is_empty(), "{argued:?} {weather:?}");
    // Its examples are its tests.
    let pack = home.work().join("phrases/phrases.toml");
    let text = std::fs::read_to_string(&pack).unwrap();
    let (at, _) = text.match_indices("positive = [\"").last().expect("a rule has examples");
    let at = at + "positive = [\"".len();
    std::fs::write(&pack, format!("{}今天天气很好。\", \"{}", &text[..at], &text[at..])).unwrap();
    check(&home, "phrases/phrases.toml", &[]).exits(1).says(&["phrases", "今天天气很好。"]);
}

#[test]
fn a_dictionary_becomes_a_pack_that_labels() {
    let home = Home::new();
    home.file("wares.dic", "%\n1\ta\n2\tb\n%\n货堆到了屋顶\t1\n晴\t2\n");
    home.run(&["plugin", "new", "wares", "--from", "wares.dic", "--map", "a=nonsense"]).exits(2).says(&["nonsense"]);
    home.run(&["plugin", "new", "wares", "--from", "wares.dic", "--map", "a=overcapacity", "--map", "b="]).exits(0);
    check(&home, "wares/wares.toml", &[]).exits(0);
    let [argued, weather] = labels(&home, "wares", "rules");
    assert_eq!((argued.len(), &argued[0]["thesis"], weather.len()), (1, &"overcapacity".into(), 0));
    assert_eq!(argued[0]["evidence"][0]["quote"], "这里说到“货堆到了屋顶”");
}

#[test]
fn a_signature_is_asked_for_once_and_ever_after() {
    let home = Home::new();
    for name in ["plugin.toml", "signed.bin", "signed.bin.minisig"] {
        home.file(&format!("signed/{name}"), std::fs::read(data(&format!("signed/{name}"))).unwrap());
    }
    let dir = home.work().join("signed");
    std::fs::set_permissions(&dir, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let (maker, other) = (data("signed/maker.pub"), data("signed/other.pub"));
    let key = std::fs::read_to_string(&maker).unwrap().lines().nth(1).unwrap().to_owned();
    let add = |more: &[&str]| home.run(&[&["plugin", "add", "--yes", "signed"], more].concat());
    let show = || home.run(&["plugin", "show", "signed"]).exits(0).stdout;

    add(&["--signed-by", "signed/signed.bin"]).exits(2).says(&["signed/signed.bin", "minisign.pub"]);
    add(&["--signed-by", &other]).exits(2).says(&["not signed by", "another key"]);
    add(&[]).exits(0).says(&["--signed-by PUBLIC_KEY"]);
    assert!(show().contains("signed   not checked\n"), "{}", show());
    add(&["--signed-by", &maker]).exits(0).says(&[&format!("signed   by {key}\n")]);
    assert!(show().contains(&format!("signed   by {key}\n")), "{}", show());
    add(&["--signed-by", &key]).exits(0);

    std::fs::remove_file(Path::new(&dir).join("signed.bin.minisig")).unwrap();
    add(&[]).exits(2).says(&[&key, "signed.bin.minisig is not there", "`lundian plugin remove signed`"]);
    assert!(show().contains(&format!("signed   by {key}\n")), "what was added stays");
    home.run(&["plugin", "remove", "signed"]).exits(0);
    add(&[]).exits(0).says(&["signed   no\n"]);
}
