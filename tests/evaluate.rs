//! Evaluation, comparison and agreement, on the samples of our own.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod program;

use program::{Home, data};
use serde_json::{Value, json};

fn evaluation(home: &Home, more: &[&str]) -> Value {
    let gold = data("gold.jsonl");
    let args = [&["evaluate", "--gold", &gold, "-f", "json", "--draws", "200"], more].concat();
    serde_json::from_str(&home.run(&args).exits(0).stdout).unwrap()
}

fn system<'a>(report: &'a Value, name: &str) -> &'a Value {
    report["systems"].as_array().unwrap().iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("no {name}"))
}

#[test]
fn the_report_has_the_promised_keys() {
    let report = evaluation(&Home::new(), &[]);
    assert_eq!(report["gold"]["paragraphs"], 61);
    for name in ["rules", "linear", "mean", "prior"] {
        let s = system(&report, name);
        for path in [
            "/kind",
            "/micro/precision",
            "/micro/recall",
            "/micro/f1",
            "/micro/ci95/1",
            "/macro/f1",
            "/macro/ci95/0",
            "/family/micro_f1",
            "/family/macro_f1",
            "/subset_accuracy",
            "/any_thesis/f1",
            "/evidence",
            "/seconds",
            "/per_thesis/0/thesis",
            "/per_thesis/0/support",
            "/per_thesis/0/f1",
            "/per_thesis/0/threshold",
        ] {
            assert!(s.pointer(path).is_some_and(|v| !v.is_null()), "{name} has no {path}");
        }
        assert!(s.get("ece").is_some() && s.pointer("/per_thesis/0/average_precision").is_some());
    }
    assert_eq!(system(&report, "rules")["kind"], "rules");
    assert_eq!(system(&report, "mean")["kind"], "aggregate");
    assert_eq!(system(&report, "prior")["kind"], "baseline");
    let pair = &report["pairs"][0];
    assert!(pair["delta_macro_f1"].is_number() && pair["p_value"].is_number() && pair["ci95"].is_array());
}

/// The figures of the report, recomputed from what `classify` says of the same paragraphs.
#[test]
fn figures_agree_with_the_labels_that_classify_gives() {
    let home = Home::new();
    let gold_path = data("gold.jsonl");
    let report = evaluation(&home, &["-p", "rules"]);
    let said = home.run(&["classify", &gold_path, "-f", "jsonl", "-p", "rules"]).exits(0).rows();
    let gold: Vec<Value> =
        std::fs::read_to_string(&gold_path).unwrap().lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let labels = |row: &Value| -> Vec<String> {
        row["labels"].as_array().unwrap().iter().map(|l| l["thesis"].as_str().unwrap().to_owned()).collect()
    };
    let (mut hits, mut given, mut true_labels) = (0.0, 0.0, 0.0);
    for (said, gold) in said.iter().zip(&gold) {
        assert_eq!(said["id"], gold["id"]);
        let (said, gold) = (labels(said), labels(gold));
        hits += said.iter().filter(|s| gold.contains(s)).count() as f64;
        given += said.len() as f64;
        true_labels += gold.len() as f64;
    }
    let micro = &system(&report, "rules")["micro"];
    let close =
        |key: &str, want: f64| assert!((micro[key].as_f64().unwrap() - want).abs() < 1e-9, "{key}: {micro} {want}");
    close("precision", hits / given);
    close("recall", hits / true_labels);
    close("f1", 2.0 * hits / (given + true_labels));
}

#[test]
fn gates_decide_the_exit_code() {
    let home = Home::new();
    let gold = data("gold.jsonl");
    let run =
        |gate: &str| home.run(&["evaluate", "--gold", &gold, "-p", "rules", "--draws", "0", "--fail-under", gate]);
    run("micro_f1=0.1").exits(0);
    run("micro_f1=0.999").exits(1).says(&["gate not passed", "micro_f1"]);
}

#[test]
fn thresholds_are_chosen_elsewhere_and_stored() {
    let home = Home::new();
    let rows: Vec<String> = std::fs::read_to_string(data("gold.jsonl")).unwrap().lines().map(str::to_owned).collect();
    let (tune, test) = rows.split_at(30);
    let tune = home.file("tune.jsonl", tune.join("\n"));
    let test = home.file("test.jsonl", test.join("\n"));
    let args = ["evaluate", "--gold", &test, "--tune", &tune, "-p", "rules", "-f", "json", "--draws", "0"];
    let report: Value = serde_json::from_str(&home.run(&args).exits(0).stdout).unwrap();
    let rules = system(&report, "rules");
    assert!(rules["thresholds"].as_str().unwrap().contains("tune.jsonl"), "{}", rules["thresholds"]);

    home.run(&["find-threshold", "--tune", &tune, "-p", "rules", "-o", "t.toml"]).exits(0);
    let stored = std::fs::read_to_string(home.work().join("t.toml")).unwrap();
    let chosen = rules["per_thesis"][0]["threshold"].as_f64().unwrap();
    let line = stored.lines().find_map(|l| l.strip_prefix("global = ")).unwrap();
    assert!((line.parse::<f64>().unwrap() - chosen).abs() < 1e-6);
    let classify = |more: &[&str]| {
        let args = [&["classify", &test, "-p", "rules", "-f", "jsonl"], more].concat();
        home.run(&args).exits(0).rows().iter().map(|r| r["labels"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(classify(&["--thresholds", "t.toml"]), classify(&["--threshold", line]));
}

#[test]
fn the_other_script_changes_no_label_of_the_rules() {
    let report = evaluation(&Home::new(), &["-p", "rules", "--invariance", "script", "--faithfulness"]);
    let rules = system(&report, "rules");
    assert_eq!(rules["invariance"]["change"], "script");
    assert!(rules["invariance"]["flip_rate"].as_f64().unwrap() < 0.05, "{}", rules["invariance"]);
    let faithfulness = &rules["faithfulness"];
    assert!(faithfulness["drop"].as_f64().unwrap() > faithfulness["random_drop"].as_f64().unwrap(), "{faithfulness}");
}

#[test]
fn disagreements_come_back_as_gold() {
    let home = Home::new();
    let documents = data("documents");
    for tool in ["jsonl", "label-studio", "doccano"] {
        let args =
            ["compare", &documents, "--disagreements", "d.json", "--label-with", tool, "--draws", "0", "-f", "json"];
        let comparison: Value = serde_json::from_str(&home.run(&args).exits(0).stdout).unwrap();
        assert_eq!(comparison["paragraphs"], 61);
        assert!(!comparison["disagreements"].as_array().unwrap().is_empty());
        let written = std::fs::read_to_string(home.work().join("d.json")).unwrap();
        let expected = comparison["disagreements"].as_array().unwrap().len();
        let rows = if tool == "label-studio" {
            assert!(std::fs::read_to_string(home.work().join("d.xml")).unwrap().starts_with("<View>"));
            serde_json::from_str::<Vec<Value>>(&written).unwrap()
        } else {
            written.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
        };
        assert_eq!(rows.len(), expected);
        if tool == "jsonl" {
            // Somebody labels the first and leaves the others.
            let mut rows = rows;
            rows[0]["labels"] = json!([{"thesis": "overcapacity"}]);
            let labelled: Vec<String> = rows.iter().map(Value::to_string).collect();
            let gold = home.file("labelled.jsonl", labelled.join("\n"));
            let run = home.run(&["evaluate", "--gold", &gold, "-p", "rules", "-f", "json", "--draws", "0"]).exits(0);
            let report: Value = serde_json::from_str(&run.stdout).unwrap();
            assert_eq!((&report["gold"]["paragraphs"], &report["gold"]["labels"]), (&json!(1), &json!(1)));
        }
    }
    home.run(&["compare", &documents, "-p", "rules"]).exits(2).says(&["two plugins"]);
}

#[test]
fn annotators_who_share_nothing_get_no_number() {
    let home = Home::new();
    let row = |id: &str, thesis: &str| json!({"id": id, "text": "文", "labels": [{"thesis": thesis}]}).to_string();
    let a = home.file("a.jsonl", [row("1", "overcapacity"), row("2", "weak-demand")].join("\n"));
    let b = home.file("b.jsonl", [row("1", "overcapacity"), row("2", "property")].join("\n"));
    let c = home.file("c.jsonl", row("3", "property"));
    let report: Value =
        serde_json::from_str(&home.run(&["agreement", &a, &b, "-f", "json", "--draws", "50"]).exits(0).stdout).unwrap();
    assert_eq!(report["shared_units"], 2);
    assert!(report["pairs"][0]["mean_jaccard"].is_number(), "{}", report["pairs"][0]);
    let report: Value =
        serde_json::from_str(&home.run(&["agreement", &a, &c, "-f", "json", "--draws", "50"]).exits(0).stdout).unwrap();
    assert_eq!(report["shared_units"], 0);
    assert!(report["pairs"][0]["mean_jaccard"].is_null(), "{}", report["pairs"][0]);
    assert!(!report["notes"].as_array().unwrap().is_empty());
    home.run(&["agreement", &a, &b]).exits(0);
}

/// A cascade of the two plugins by their mean, as `train ensemble` would write it.
const CASCADE: &str = r#"
format = 1
panel = ["rules", "linear"]

[thresholds.cascade]
global = 0.3
origin = "made up"

[cascade]
target = { loss = 0.02 }
band = [0.1, 0.5]

[cascade.expected]
reached = [1.0, 0.5]
cost = 0.6
macro_f1 = 0.5
micro_f1 = 0.5
full_macro_f1 = 0.5
full_micro_f1 = 0.5

[[cascade.stages]]
systems = ["linear"]
seconds = 0.00003
shift = 0.0

[[cascade.stages]]
systems = ["rules"]
seconds = 0.01
shift = 0.0
"#;

#[test]
fn a_cascade_says_how_far_paragraphs_went_and_takes_the_time_of_what_it_asked() {
    let home = Home::new();
    let args = ["--ensemble", &home.file("cascade.toml", CASCADE), "-p", "rules", "-p", "linear"];
    let gold = data("gold.jsonl");
    let classify = ["classify", &gold, "-f", "jsonl", "--aggregate", "cascade", "--why"];
    let run = home.run(&[&classify[..], &args].concat()).exits(0);
    let null = |row: &Value| row["systems"]["rules"].as_object().unwrap().values().next().is_some_and(Value::is_null);
    let spared = run.rows().iter().filter(|row| null(row)).count();
    let asked = 61 - spared;
    assert!(asked > 0 && spared > 0, "{asked} asked");
    let line = "cascade: stage 1 (linear): 61 paragraphs (100 %), ";
    let lines: Vec<&str> = run.stderr.lines().filter(|l| l.starts_with(line)).collect();
    assert!(
        lines.len() == 1 && lines[0].contains(&format!("; stage 2 (rules): {asked} paragraphs (")),
        "{}",
        run.stderr
    );
    assert!(home.run(&[&classify[..], &args, &["--quiet"]].concat()).exits(0).stderr.is_empty());

    let evaluate = ["evaluate", "--gold", &gold, "-f", "json", "--draws", "0", "--aggregate", "cascade"];
    let run = home.run(&[&evaluate[..], &args].concat()).exits(0).says(&[&format!("(rules): {asked} paragraphs")]);
    let report: Value = serde_json::from_str(&run.stdout).unwrap();
    let seconds = |name: &str| system(&report, name)["seconds"].as_f64().unwrap();
    let least = seconds("linear") + seconds("rules") * asked as f64 / 61.0;
    assert!(seconds("cascade") >= least && seconds("cascade") < least + seconds("rules") / 2.0);
    assert!(seconds("mean") >= seconds("rules") + seconds("linear"));
    assert!(home.run(&[&evaluate[..], &args, &["-q"]].concat()).exits(0).stderr.is_empty());
}

#[test]
fn the_band_of_a_cascade_is_tuned_and_honoured() {
    let home = Home::new();
    let args = ["--ensemble", &home.file("cascade.toml", CASCADE), "-p", "rules", "-p", "linear"];
    let gold = data("gold.jsonl");
    let asked = |thresholds: &str| {
        let classify = ["classify", &gold, "-f", "jsonl", "--aggregate", "cascade", "--thresholds", thresholds];
        let said = home.run(&[&classify[..], &args].concat()).exits(0).stderr;
        let (_, after) = said.split_once("; stage 2 (rules): ").unwrap();
        after.split_once(' ').unwrap().0.parse::<usize>().unwrap()
    };
    let find = ["find-threshold", "--tune", &gold, "--aggregate", "cascade", "-o", "t.toml"];
    let tune = |target: &[&str]| home.run(&[&find[..], &args, target].concat()).exits(0);
    let said = tune(&["--loss", "0"]).says(&["linear, then rules"]).stderr;
    assert!(said.contains("cascade on gold.jsonl: ") && said.contains("% of the time of all systems"), "{said}");
    let written = std::fs::read_to_string(home.work().join("t.toml")).unwrap();
    assert!(written.contains("\ncascade_band = [") && written.contains("[systems.cascade]"), "{written}");
    let careful = asked("t.toml");
    tune(&["--loss", "0.2"]);
    let careless = asked("t.toml");
    assert!(careless < careful, "{careless} {careful}");
    // Without a target it is the one that the cascade was fitted with.
    assert!(home.run(&[&find[..], &args, &["-q"]].concat()).exits(0).stderr.is_empty());
    assert!((careless..=careful).contains(&asked("t.toml")));
    tune(&["--cost", "0.0001"]).says(&["no band of the cascade keeps to a cost of at most 0.0001"]);

    // `evaluate --tune` chooses threshold and band for the target of the cascade, too.
    let rows: Vec<String> = std::fs::read_to_string(&gold).unwrap().lines().map(str::to_owned).collect();
    let (first, last) =
        (home.file("first.jsonl", rows[..30].join("\n")), home.file("last.jsonl", rows[30..].join("\n")));
    let evaluate =
        ["evaluate", "--gold", &last, "--tune", &first, "--aggregate", "cascade", "--draws", "0", "-f", "json"];
    for (target, spares_all) in [("loss = 0.0", false), ("cost = 0.0001", true)] {
        let aimed = home.file("aimed.toml", CASCADE.replace("loss = 0.02", target));
        let run = home.run(&[&evaluate[..], &["--ensemble", &aimed, "-p", "rules", "-p", "linear"]].concat()).exits(0);
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert!(system(&report, "cascade")["thresholds"].as_str().unwrap().contains("first.jsonl"));
        assert!(run.stderr.contains("cascade on first.jsonl: "), "{}", run.stderr);
        assert_eq!(run.stderr.contains("; stage 2 (rules): 0 paragraphs"), spares_all, "{}", run.stderr);
    }

    // A file for the same plugins in another order says the same.
    let stored = std::fs::read_to_string(home.work().join("t.toml")).unwrap();
    let turned = stored.replace(r#"panel = ["rules", "linear"]"#, r#"panel = ["linear", "rules"]"#);
    assert_ne!(stored, turned);
    home.file("turned.toml", &turned);
    assert_eq!(asked("turned.toml"), asked("t.toml"));
    // A file for other plugins says nothing about these.
    let other = std::fs::read_to_string(home.work().join("t.toml")).unwrap().replace("\"linear\"", "\"other\"");
    home.file("other.toml", &other);
    home.file("none.toml", "format = 1\npanel = []\n[systems]\n");
    assert_eq!(asked("other.toml"), asked("none.toml"));
    assert_ne!(asked("other.toml"), asked("t.toml"));
    home.file("bad.toml", "format = 1\npanel = [\"rules\", \"linear\"]\ncascade_band = [0.6, 0.4]\n[systems]\n");
    let classify = ["classify", &gold, "--aggregate", "cascade", "--thresholds", "bad.toml"];
    home.run(&[&classify[..], &args].concat()).exits(2).says(&["bad.toml", "band 0.6 to 0.4"]);
    home.run(&[&find[..], &args, &["--loss", "0.1", "--cost", "0.5"]].concat()).exits(2).says(&["cannot be used with"]);
    home.run(&[&find[..], &args, &["--cost", "0"]].concat()).exits(2).says(&["no time"]);
    let plain = ["find-threshold", "--tune", &gold, "--loss", "0.1", "-p", "rules"];
    home.run(&plain).exits(2).says(&["--aggregate cascade"]);
}

#[test]
fn a_manifest_names_the_files_that_settings_name() {
    let home = Home::new();
    home.file("in.md", "产能过剩已经很严重。\n");
    // Settings in another folder: their paths are relative to them.
    std::fs::create_dir_all(home.work().join("set")).unwrap();
    let pack = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/plugins/rules/packs/production.toml"));
    home.file("set/pack.toml", pack.unwrap().replacen("\"production\"", "\"mine\"", 1));
    home.file("set/other.toml", "");
    let settings = "[plugin.rules]\npacks = [\"pack.toml\"]\n[plugin.linear]\nmodel = \"other.toml\"\n";
    home.file("set/lundian.toml", settings);
    let run = ["classify", "in.md", "-p", "rules", "--config", "set/lundian.toml", "-o", "out.jsonl"];
    home.run(&run).exits(0);
    let manifest = std::fs::read_to_string(home.work().join("out.jsonl.manifest.json")).unwrap();
    assert!(manifest.contains("set/lundian.toml") && manifest.contains("set/pack.toml"), "{manifest}");
    assert!(!manifest.contains("set/other.toml"), "a plugin that had no part: {manifest}");
    let mut pack = std::fs::read_to_string(home.work().join("set/pack.toml")).unwrap();
    pack.push_str("\n# changed\n");
    home.file("set/pack.toml", pack);
    let run = home.run(&["--manifest", "out.jsonl.manifest.json"]).exits(1);
    assert!(run.stdout.contains("input set/pack.toml has changed"), "{}", run.stdout);
}

#[test]
fn a_run_can_be_repeated_from_its_manifest() {
    let home = Home::new();
    let input = home.file("in.md", "价格战越打越亏，仓库里的货堆到了屋顶。\n");
    home.run(&["classify", "in.md", "-o", "out.jsonl"]).exits(0);
    let run = home.run(&["--manifest", "out.jsonl.manifest.json"]).exits(0);
    assert!(run.stdout.contains("the same result"));
    std::fs::write(&input, "今天天气很好，大家都去公园里散步了。\n").unwrap();
    let run = home.run(&["--manifest", "out.jsonl.manifest.json"]).exits(1);
    assert!(run.stdout.contains("in.md has changed") && run.stdout.contains("the result out.jsonl"), "{}", run.stdout);
    home.run(&["--manifest", "in.md"]).exits(2).says(&["not a run manifest"]);
}
