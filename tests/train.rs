//! Training from the program: small, to show that what comes out can be used.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod program;

use program::{Home, data};

/// The labelled samples of our own, in two parts that share no section.
fn parts(home: &Home) -> (String, String) {
    let text = std::fs::read_to_string(data("gold.jsonl")).unwrap();
    let (one, other): (Vec<&str>, Vec<&str>) = text.lines().partition(|l| !l.contains("\"doc\": \"thread\""));
    assert!(one.len() > 30 && other.len() > 20);
    (home.file("one.jsonl", one.join("\n")), home.file("other.jsonl", other.join("\n")))
}

#[test]
fn a_linear_model_is_trained_measured_and_used() {
    let home = Home::new();
    let (gold, tune) = parts(&home);
    let train = ["train", "linear", "--gold", &gold, "--tune", &tune, "--set", "min_df=1", "--set", "folds=2", "-o"];
    let said = home.run(&[&train[..], &["model"]].concat()).exits(0).stderr;
    assert!(said.contains("other.jsonl.macro_f1"), "{said}");
    home.file("lundian.toml", "[plugin.linear]\nmodel = \"model\"\n");
    let rows = home.run(&["classify", &gold, "-p", "linear", "-f", "jsonl"]).exits(0).rows();
    assert!(rows.iter().any(|r| !r["labels"].as_array().unwrap().is_empty()));
    // Asked to be quiet it has nothing to say.
    assert!(home.run(&[&train[..], &["again", "--quiet"]].concat()).exits(0).stderr.is_empty());

    // What was trained on cannot choose the threshold.
    let args = ["train", "linear", "--gold", &gold, "--tune", &gold, "--set", "folds=2", "-o", "x"];
    home.run(&args).exits(2).says(&["other samples"]);
    let args = ["train", "linear", "--gold", &gold, "--test", &gold, "--set", "folds=2", "-o", "x"];
    home.run(&args).exits(2).says(&["one.jsonl: ", "in a file of --gold", "other samples"]);
    home.run(&["train", "linear", "--gold", &gold, "-o", "x"]).exits(2).says(&["5 folds", "set folds = 3"]);
    home.run(&["train", "linear", "--gold", &gold, "--set", "cc=1", "-o", "x"]).exits(2).says(&["cc", "min_df"]);
    home.file("model/weights.bin", "damaged");
    home.run(&["classify", &gold, "-p", "linear"]).exits(2).says(&["linear", "model"]);
}

#[test]
fn an_ensemble_is_learned_and_used() {
    let home = Home::new();
    let (gold, tune) = parts(&home);
    let panel = ["-p", "rules", "-p", "linear"];
    let train = ["train", "ensemble", "--gold", &gold, "--tune", &tune, "-o", "e.toml"];
    let said = home.run(&[&train[..], &panel].concat()).exits(0).stderr;
    assert!(said.contains("other.jsonl: weighted macro_f1") && said.contains("mean here"), "{said}");
    assert!(said.contains("stack is left out"), "three sections are too few to cross-fit on: {said}");
    let stored = std::fs::read_to_string(home.work().join("e.toml")).unwrap();
    assert!(stored.contains("panel = [\"rules\", \"linear\"]") && stored.contains("chosen on other.jsonl"));
    let args = ["classify", &tune, "-f", "json", "--aggregate", "weighted", "--ensemble", "e.toml"];
    let run = home.run(&[&args[..], &panel].concat()).exits(0);
    let value: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(value["judge"], "weighted");
    // Asked to be quiet it says only what went wrong.
    let said = home.run(&[&train[..], &panel, &["--quiet"]].concat()).exits(0).stderr;
    assert!(said.lines().all(|line| line.starts_with("warning:")), "{said}");
    // What was learned from cannot measure it.
    home.run(&[&train[..], &panel, &["--test", &gold]].concat()).exits(2).says(&["one.jsonl: ", "other samples"]);
    // Whether a cascade of these two has anything to spare is for the clock to say; it is said either way.
    for target in [["--loss", "0.05"], ["--cost", "0.5"]] {
        let said = home.run(&[&train[..], &panel, &target].concat()).exits(0).stderr;
        assert!(said.contains("cascade is left out") || said.contains("cascade on other.jsonl: "), "{said}");
    }
    home.run(&[&train[..], &panel, &["--loss", "0", "--cost", "1"]].concat()).exits(2).says(&["cannot be used with"]);
    home.run(&[&train[..], &panel, &["--loss", "1.5"]].concat()).exits(2).says(&["not between 0 and 1"]);
    // It was learned for these two, and says so to any other panel.
    home.run(&["train", "ensemble", "--gold", &gold, "--tune", &tune, "-p", "rules", "-o", "x"])
        .exits(2)
        .says(&["two plugins"]);
    home.file("bad.toml", "format = 99\npanel = []\n");
    home.run(&["classify", &tune, "--ensemble", "bad.toml"]).exits(2).says(&["bad.toml"]);
}

#[test]
fn rules_are_weighed() {
    let home = Home::new();
    let (gold, tune) = parts(&home);
    home.run(&["train", "rules", "--gold", &gold, "--tune", &tune, "-o", "c.toml"]).exits(0);
    home.file("lundian.toml", "[plugin.rules]\ncalibration = \"c.toml\"\n");
    let rows = home.run(&["classify", &tune, "-p", "rules", "-f", "jsonl"]).exits(0).rows();
    assert_eq!(rows.len(), std::fs::read_to_string(&tune).unwrap().lines().count());
}

#[cfg(feature = "transformer")]
#[test]
fn an_encoder_is_tuned_and_used() {
    let home = Home::new();
    let (gold, tune) = parts(&home);
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/models/thesis-encoder");
    // What the other systems say of the same paragraphs is the teacher.
    home.run(&["classify", &gold, "-p", "rules", "-p", "linear", "-o", "teacher.jsonl"]).exits(0);
    let train = ["train", "transformer", "--base", base, "--gold", &gold, "--tune", &tune, "--freeze", "-o", "model"];
    let said = home.run(&[&train[..], &["--teacher", "teacher.jsonl", "--set", "epochs=3"]].concat()).exits(0).stderr;
    assert!(said.contains("pass 3: macro-F1") && said.contains("other.jsonl.macro_f1"), "{said}");
    assert!(std::fs::read_to_string(home.work().join("model/train.html")).unwrap().contains("<polyline"));
    let manifest = std::fs::read_to_string(home.work().join("model/model.toml")).unwrap();
    assert!(
        manifest.contains("name = \"teacher.jsonl\"") && manifest.contains("licence = \"not stated\""),
        "{manifest}"
    );
    home.file("lundian.toml", "[plugin.transformer]\nmodel = \"model\"\n");
    let rows = home.run(&["classify", &gold, "-p", "transformer", "-f", "jsonl"]).exits(0).rows();
    assert!(rows.iter().any(|r| !r["labels"].as_array().unwrap().is_empty()));

    // A head for roles alone leaves theses as they were.
    let train_roles =
        ["train", "transformer", "--base", base, "--gold", &gold, "--tune", &tune, "--freeze", "-o", "roles"];
    let set = ["--set", "heads=roles", "--set", "epochs=1", "--set", "head_learning_rate=0.05"];
    let said = home.run(&[&train_roles[..], &set].concat()).exits(0).stderr;
    assert!(said.contains("other.jsonl.role.accuracy"), "{said}");
    let config = |model: &str| {
        let name = std::path::Path::new(model).file_name().unwrap().to_str().unwrap();
        home.file(&format!("{name}.toml"), format!("[plugin.transformer]\nmodel = {model:?}\n"))
    };
    let classify = |model: &str| {
        home.run(&["--config", &config(model), "classify", &tune, "-p", "transformer", "-f", "jsonl"]).exits(0).rows()
    };
    let (before, after) = (classify(base), classify("roles"));
    let all = |rows: &[serde_json::Value], key: &str| rows.iter().map(|r| r[key].clone()).collect::<Vec<_>>();
    assert_eq!(all(&before, "labels"), all(&after, "labels"));
    assert_eq!(all(&before, "systems"), all(&after, "systems"));
    assert_ne!(all(&before, "roles"), all(&after, "roles"));
    assert!(all(&after, "role").iter().all(serde_json::Value::is_string));

    home.run(&[&train_roles[..], &set, &["--teacher", "teacher.jsonl"]].concat()).exits(2).says(&["roles", "teacher"]);
    home.run(&[&train[..], &["--set", "epoch=3"]].concat()).exits(2).says(&["epoch", "epochs"]);
    home.run(&[&train[..], &["--set", "lengths.window=3"]].concat()).exits(2).says(&["lengths.window", "at least 8"]);
    home.file("bad.jsonl", "{\"id\": \"1\", \"text\": \"x\", \"systems\": {\"rules\": {\"nonsense\": 0.5}}}\n");
    home.run(&[&train[..], &["--teacher", "bad.jsonl"]].concat()).exits(2).says(&["bad.jsonl:1", "nonsense"]);
    home.run(&["classify", &tune, "-p", "rules", "-o", "tune-teacher.jsonl"]).exits(0);
    home.run(&[&train[..], &["--teacher", "tune-teacher.jsonl"]].concat()).exits(2).says(&[
        "other.jsonl: ",
        "in a file of --teacher",
        "other samples",
    ]);
    home.file("silent.jsonl", "{\"id\": \"1\", \"text\": \"x\", \"systems\": {\"rules\": {\"overcapacity\": null}}}\n");
    home.run(&[&train[..], &["--teacher", "silent.jsonl"]].concat()).exits(2).says(&["silent.jsonl:1", "overcapacity"]);
    home.run(&["train", "transformer", "--base", "none", "--gold", &gold, "--tune", &tune, "-o", "x"])
        .exits(2)
        .says(&["error: none/config.json: No such file or directory (os error 2)\n"]);
}

#[cfg(feature = "transformer")]
#[test]
fn an_encoder_is_adapted_to_text_and_tuned_further() {
    let home = Home::new();
    let (gold, tune) = parts(&home);
    let base = concat!(env!("CARGO_MANIFEST_DIR"), "/models/thesis-encoder");
    let adapt = ["train", "encoder", "--base", base, "--base-licence", "MIT", "-o", "adapted"];
    let set = ["--set", "freeze=11", "--set", "epochs=2", "--set", "held_out=0.2"];
    let said = home.run(&[&adapt[..], &set, &["--test", &tune, &gold]].concat()).exits(0).stderr;
    // What is guessed before the first pass and after the second.
    let losses: Vec<f64> = said
        .lines()
        .filter_map(|line| line.split_once(" guessed, loss "))
        .map(|(_, loss)| loss.parse().unwrap())
        .collect();
    assert!(losses.len() == 3 && losses[2] < losses[0], "{said}");
    let record = std::fs::read_to_string(home.work().join("adapted/adaptation.toml")).unwrap();
    assert!(record.contains("licence = \"MIT\"") && record.contains("name = \"one.jsonl\""), "{record}");
    let tuned =
        ["train", "transformer", "--base", "adapted", "--gold", &gold, "--tune", &tune, "--freeze", "-o", "model"];
    home.run(&[&tuned[..], &["--set", "epochs=1"]].concat()).exits(0).says(&["pass 1: macro-F1"]);

    home.run(&[&adapt[..], &["--test", &gold, &gold]].concat()).exits(2).says(&[&gold, "INPUT", "other samples"]);
    home.run(&[&adapt[..], &["--set", "masked=1", &gold]].concat())
        .exits(2)
        .says(&["masked must be above 0 and below 1"]);
    home.file("empty.txt", "");
    home.run(&[&adapt[..], &["empty.txt"]].concat()).exits(2).says(&["no text to learn from"]);
}
