//! Foreign plugins from the command line: what a user must do before one runs, and what it can cost.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]
#![cfg(unix)]

mod program;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use program::Home;
use serde_json::{Value, json};

const TEXT: &str = "{\"text\":\"仓库里的货堆到了屋顶。\"}\n{\"text\":\"今天天气很好。\"}\n";

/// A folder with a plugin in C, built by the system's compiler with some more flags.
fn c_plugin(home: &Home, id: &str, flags: &[&str]) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = format!("format = 1\nid = '{id}'\nversion = '1.0'\nabi = 1\nlicence = 'MIT'\n");
    let file = home.file(&format!("{id}/plugin.toml"), &manifest);
    let dir = Path::new(&file).parent().unwrap().to_owned();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    let embedded = manifest.replace('\n', "\\n");
    let status = Command::new("cc")
        .args(["-std=c11", "-shared", "-fPIC", "-Wall", "-Werror", "-I"])
        .arg(root.join("crates/abi/include"))
        .arg(format!("-DMANIFEST=\"{embedded}\""))
        .args(flags)
        .arg("-o")
        .arg(dir.join(format!("lib{id}.so")))
        .arg(root.join("tests/plugins/c/keyword.c"))
        .status()
        .expect("a C compiler");
    assert!(status.success());
    dir.to_str().unwrap().to_owned()
}

#[test]
fn a_plugin_in_c_is_shown_added_run_and_removed() {
    let home = Home::new();
    let dir = c_plugin(&home, "wares", &[]);
    home.file("lundian.toml", "[plugin.wares]\nthesis = \"overcapacity\"\nkeyword = \"堆到了屋顶\"\n");
    let classify = |more: &[&str]| {
        let args = [&["classify", "-", "--input-format", "jsonl", "-f", "jsonl"], more].concat();
        home.run_with_input(&args, TEXT.as_bytes())
    };

    // Naming the folder makes it visible, not trusted.
    let listed = home.run(&["plugin", "list", "--plugin-dir", "."]).exits(0).stdout;
    assert!(listed.lines().any(|l| l.starts_with("wares")) && !listed.contains("usable"), "{listed}");
    classify(&["--plugin-dir", ".", "-p", "wares"]).exits(2).says(&["wares", "plugin add"]);
    home.run(&["plugin", "add", &dir]).exits(2).says(&["--yes"]);

    let said = home.run(&["plugin", "add", "--yes", &dir]).exits(0).stderr;
    for word in ["wares 1.0", "MIT", "sha256"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert!(home.run(&["plugin", "list"]).exits(0).stdout.contains("usable"));

    let isolated = classify(&["-p", "wares"]).exits(0).rows();
    assert_eq!(isolated[0]["labels"][0]["thesis"], "overcapacity");
    assert_eq!(isolated[0]["labels"][0]["evidence"][0]["quote"], "仓库里的货堆到了屋顶");
    assert_eq!(isolated[1]["labels"].as_array().unwrap().len(), 0);
    assert_eq!(classify(&["-p", "wares", "--isolation", "none"]).exits(0).rows(), isolated);
    // Usable plugins take part in a run unless others are named.
    assert!(classify(&[]).exits(0).rows()[0]["systems"].get("wares").is_some());

    home.run(&["plugin", "remove", "wares"]).exits(0);
    classify(&["-p", "wares"]).exits(2).says(&["wares"]);
    home.run(&["plugin", "remove", "wares"]).exits(2);

    for quietly in [&["plugin", "add", "--yes", "--quiet", &dir][..], &["plugin", "remove", "--quiet", "wares"]] {
        assert_eq!(home.run(quietly).exits(0).stderr, "");
    }
}

#[test]
fn changed_bytes_are_refused_until_added_again() {
    let home = Home::new();
    let dir = c_plugin(&home, "wares", &[]);
    home.file("lundian.toml", "[plugin.wares]\nthesis = \"overcapacity\"\nkeyword = \"堆\"\n");
    home.run(&["plugin", "add", "--yes", &dir, "--plugin-dir", "."]).exits(0);
    let args = ["classify", "-", "--input-format", "jsonl", "-f", "jsonl", "--plugin-dir", ".", "-p", "wares"];
    let classify = || home.run_with_input(&args, TEXT.as_bytes());
    classify().exits(0);
    let library = Path::new(&dir).join("libwares.so");
    let mut bytes = std::fs::read(&library).unwrap();
    bytes.extend_from_slice(b"changed");
    std::fs::remove_file(&library).unwrap();
    std::fs::write(&library, bytes).unwrap();
    classify().exits(2).says(&["libwares.so", "changed", "plugin add"]);
    home.run(&["plugin", "add", "--yes", &dir, "--plugin-dir", "."]).exits(0);
    classify().exits(0);

    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o777)).unwrap();
    classify().exits(2).says(&["other users can write", "chmod"]);
}

/// Samples with the roles that people recorded; the plugin of the test takes the first two for remedies.
const WITH_ROLES: &str = concat!(
    "{\"id\":\"1\",\"doc\":\"a\",\"text\":\"不如把钱直接发给居民。\",\"labels\":[],\"role\":\"remedy\"}\n",
    "{\"id\":\"2\",\"doc\":\"b\",\"text\":\"今天不如昨天热。\",\"labels\":[],\"role\":\"other\"}\n",
    "{\"id\":\"3\",\"doc\":\"c\",\"text\":\"仓库里的货堆到了屋顶。\",\"labels\":[],\"role\":\"evidence\"}\n",
);

#[test]
fn roles_that_a_plugin_says_are_written_and_scored() {
    let home = Home::new();
    let dir = c_plugin(&home, "wares", &["-DROLE=LUNDIAN_ROLE_REMEDY"]);
    home.run(&["plugin", "add", "--yes", &dir]).exits(0);
    home.file("lundian.toml", "[plugin.wares]\nthesis = \"household-transfers\"\nkeyword = \"不如\"\n");
    let gold = home.file("gold.jsonl", WITH_ROLES);
    let roles = |more: &[&str]| {
        let args = [&["classify", &gold, "-f", "jsonl", "-p", "rules", "-p", "wares"], more].concat();
        home.run(&args).exits(0).rows().iter().map(|row| row["role"].clone()).collect::<Vec<_>>()
    };
    let said = [json!("remedy"), json!("remedy"), Value::Null];
    assert_eq!(roles(&[]), said, "the roles of the input are people's, not ours");
    assert_eq!(roles(&["--isolation", "none"]), said);
    let row = &home.run(&["classify", &gold, "-f", "jsonl", "-p", "wares"]).exits(0).rows()[0];
    assert_eq!(row["roles"], json!({"explanation": 0.0, "evidence": 0.0, "remedy": 1.0, "other": 0.0}));

    let cascade = |band: &str| {
        let stages = "[[cascade.stages]]\nsystems = [\"rules\"]\nseconds = 0.001\nshift = 0.0\n\
                      [[cascade.stages]]\nsystems = [\"wares\"]\nseconds = 0.1\nshift = 0.0\n";
        let expected = "reached = [1.0, 1.0]\ncost = 1.0\nmacro_f1 = 0.5\nmicro_f1 = 0.5\nfull_macro_f1 = 0.5\n\
                        full_micro_f1 = 0.5\n";
        let head = "format = 1\npanel = [\"rules\", \"wares\"]\n[thresholds.cascade]\nglobal = 0.5\n\
                    [cascade]\ntarget = { loss = 0.02 }\n";
        home.file("cascade.toml", format!("{head}band = {band}\n[cascade.expected]\n{expected}{stages}"))
    };
    let report = |more: &[&str]| -> Value {
        let evaluate = ["evaluate", "--gold", &gold, "-f", "json", "--draws", "50", "-p", "rules", "-p", "wares"];
        serde_json::from_str(&home.run(&[&evaluate, more].concat()).exits(0).stdout).unwrap()
    };
    let role = |report: &Value, name: &str| {
        report["systems"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap()["role"].clone()
    };
    let of_plugins = report(&[]);
    assert_eq!(role(&of_plugins, "rules"), Value::Null);
    let wares = role(&of_plugins, "wares");
    let figures = |r: &Value| ["paragraphs", "accuracy", "coverage"].map(|key| r[key].as_f64().unwrap());
    assert_eq!(figures(&wares), [3.0, 1.0 / 3.0, 2.0 / 3.0]);
    assert_eq!(role(&of_plugins, "mean"), wares, "an aggregate has the roles of its systems");
    assert_eq!(figures(&role(&of_plugins, "prior")), [3.0, 1.0 / 3.0, 1.0]);

    // A cascade has them where it asks the plugin.
    let asks = |band: &str| {
        let ensemble = cascade(band);
        let args = ["--ensemble", &ensemble, "--aggregate", "cascade"];
        (roles(&args), role(&report(&args), "cascade"))
    };
    assert_eq!(asks("[0.0, 1.0]"), (said.to_vec(), wares));
    assert_eq!(asks("[0.0, 0.0]"), (vec![Value::Null; 3], Value::Null));

    let gate = ["evaluate", "--gold", &gold, "--draws", "0", "-p", "wares", "--fail-under", "role_accuracy=0.5"];
    let table = home.run(&gate).exits(1).says(&["role_accuracy is 0.3333"]).stdout;
    assert!(
        table.contains("3 paragraphs have a recorded role: 0 explanation, 1 evidence, 1 remedy, 1 other"),
        "{table}"
    );
}

#[test]
fn what_is_no_plugin_is_said_to_be_none() {
    let home = Home::new();
    let manifest = "format = 1\nid = 'fake'\nversion = '1.0'\nabi = 1\n";
    let file = home.file("fake/plugin.toml", manifest);
    let dir = Path::new(&file).parent().unwrap().to_str().unwrap().to_owned();
    std::fs::set_permissions(&dir, PermissionsExt::from_mode(0o755)).unwrap();
    home.run(&["plugin", "add", "--yes", &dir]).exits(2).says(&["libfake.so"]);
    home.run(&["plugin", "add", "--yes", "nowhere"]).exits(2).says(&["nowhere"]);
    home.file("fake/libfake.so", "no library at all");
    home.run(&["plugin", "add", "--yes", &dir]).exits(0);
    let run = home.run_with_input(&["classify", "-", "--input-format", "jsonl", "-p", "fake"], TEXT.as_bytes());
    run.exits(2).says(&["libfake.so"]);
    home.file("fake/plugin.toml", "format = 1\nid = 'fake'\nversion = '1.0'\nabi = 99\n");
    home.run(&["plugin", "add", "--yes", &dir]);
    let run = home.run_with_input(&["classify", "-", "--input-format", "jsonl", "-p", "fake"], TEXT.as_bytes());
    run.exits(2).says(&["ABI"]);
    home.file("fake/plugin.toml", "format = 1\nid = 'fake'\nversoin = '1.0'\n");
    home.run(&["plugin", "add", "--yes", &dir]).exits(2).says(&["plugin.toml:3", "versoin"]);
}
