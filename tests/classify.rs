//! The main job, on the sample documents.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod program;

use program::{Home, data};
use serde_json::{Value, json};

fn code_points(text: &str, span: &Value) -> String {
    let at = |key: &str| span[key].as_u64().unwrap() as usize;
    text.chars().skip(at("start")).take(at("end") - at("start")).collect()
}

fn without_space(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && *c != '\u{3000}').collect()
}

#[test]
fn every_paragraph_of_the_samples_comes_out_once_with_its_context() {
    let rows = Home::new().run(&["segment", &data("documents"), "-f", "jsonl"]).exits(0).rows();
    let gold = std::fs::read_to_string(data("gold.jsonl")).unwrap();
    let gold: Vec<Value> = gold.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let texts = |rows: &[Value]| {
        let mut texts: Vec<String> = rows.iter().map(|r| without_space(r["text"].as_str().unwrap())).collect();
        texts.sort();
        texts
    };
    assert_eq!(texts(&rows), texts(&gold));
    for row in &gold {
        let found = rows
            .iter()
            .find(|r| without_space(r["text"].as_str().unwrap()) == without_space(row["text"].as_str().unwrap()));
        let found = found.unwrap();
        for key in ["title", "heading", "prev"] {
            let of = |r: &Value| without_space(r.get(key).and_then(Value::as_str).unwrap_or_default());
            assert_eq!(of(found), of(row), "{key} of {}", row["text"]);
        }
    }
}

#[test]
fn offsets_are_code_points_and_quote_what_they_say() {
    let home = Home::new();
    let rows = home.run(&["classify", &data("documents"), "-f", "jsonl"]).exits(0).rows();
    let mut quotes = 0;
    for row in &rows {
        let text = row["text"].as_str().unwrap();
        for evidence in row["labels"].as_array().unwrap().iter().flat_map(|l| l["evidence"].as_array().unwrap()) {
            assert_eq!(code_points(text, evidence), evidence["quote"].as_str().unwrap());
            quotes += 1;
        }
    }
    assert!(quotes > 30, "{quotes} quotations in {} paragraphs", rows.len());
}

#[test]
fn the_source_range_contains_the_paragraph() {
    let home = Home::new();
    for name in ["op-ed.md", "thread.md"] {
        let path = data(&format!("documents/{name}"));
        let source = std::fs::read_to_string(&path).unwrap();
        let mut end = 0;
        for row in home.run(&["segment", &path, "-f", "jsonl"]).exits(0).rows() {
            let piece = code_points(&source, &row["source"]);
            let start = row["source"]["start"].as_u64().unwrap();
            assert!(start >= end, "ranges are in order");
            end = row["source"]["end"].as_u64().unwrap();
            // Markup is gone from the text, so every character of it stands in the piece, in order.
            let mut left = piece.chars();
            for c in without_space(row["text"].as_str().unwrap()).chars() {
                assert!(left.any(|p| p == c), "{c:?} of {} is not in {piece}", row["text"]);
            }
        }
    }
}

#[test]
fn one_plugin_speaks_for_itself_and_flags_win_over_settings() {
    let home = Home::new();
    let path = data("documents/thread.md");
    let rows = home.run(&["classify", &path, "-f", "jsonl", "-p", "rules", "--threshold", "0.6"]).exits(0).rows();
    for row in &rows {
        let systems = row["systems"].as_object().unwrap();
        assert_eq!(systems.keys().collect::<Vec<_>>(), ["rules"]);
        let labels = row["labels"].as_array().unwrap();
        let strong: Vec<&String> = systems["rules"]
            .as_object()
            .unwrap()
            .iter()
            .filter(|(_, s)| s.as_f64().unwrap() >= 0.6)
            .map(|x| x.0)
            .collect();
        assert_eq!(labels.len(), strong.len());
        for label in labels {
            assert_eq!(label["score"], systems["rules"][label["thesis"].as_str().unwrap()]);
        }
    }
    home.file("lundian.toml", "plugins = [\"linear\"]\nthreshold = 0.99\nformat = \"jsonl\"\n");
    let row = &home.run(&["classify", &path]).exits(0).rows()[0];
    assert_eq!(row["systems"].as_object().unwrap().keys().collect::<Vec<_>>(), ["linear"]);
    let flagged = home.run(&["classify", &path, "-p", "rules", "--threshold", "0.6"]).exits(0).rows();
    assert_eq!(flagged, rows);
}

#[test]
fn results_do_not_depend_on_threads_or_on_company() {
    let home = Home::new();
    let args =
        |threads| ["classify".to_owned(), data("documents"), "-f".into(), "jsonl".into(), "--threads".into(), threads];
    let one = home.run(&args("1".into())).exits(0).rows();
    let four = home.run(&args("4".into())).exits(0).rows();
    assert_eq!(one, four);
    let alone = home.run(&["classify", &data("documents/essay.txt"), "-f", "jsonl"]).exits(0).rows();
    let scores = |rows: &[Value]| {
        let essay = rows.iter().filter(|r| r["title"] == "两本账");
        essay.map(|r| (r["text"].clone(), r["systems"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(scores(&one), scores(&alone));
    assert_eq!(alone.len(), 8);
}

#[test]
fn rows_keep_their_keys_and_their_order() {
    let home = Home::new();
    let jsonl = home.file(
        "rows.jsonl",
        concat!(
            "{\"id\":7,\"text\":\"仓库里的货堆到了屋顶，价格战越打越亏。\",\"heading\":\"甲\",\"coder\":[\"a\"]}\n",
            "not json\n",
            "{\"id\":\"b\",\"text\":\"今天天气很好。\",\"date\":\"2024-01-01\"}\n",
            "{\"id\":\"c\",\"text\":\"今天天气很好。\"}\n",
        ),
    );
    let run = home.run(&["classify", &jsonl, "-f", "jsonl"]).exits(3).says(&["rows.jsonl:2", "JSON"]);
    let rows = run.rows();
    assert_eq!(rows.iter().map(|r| r["id"].as_str().unwrap()).collect::<Vec<_>>(), ["7", "b", "c"]);
    assert_eq!(rows[0]["coder"], json!(["a"]));
    assert_eq!(rows[0]["heading"], "甲");
    assert_eq!(rows[0]["labels"][0]["thesis"], "overcapacity");
    assert_eq!(rows[2]["duplicate_of"], "b");
    let csv = home.file("rows.csv", "id,text,note\n1,仓库里的货堆到了屋顶，价格战越打越亏。,x\n");
    let row = &home.run(&["classify", &csv, "-f", "jsonl"]).exits(0).rows()[0];
    assert_eq!((&row["note"], &row["labels"][0]["thesis"]), (&json!("x"), &json!("overcapacity")));
    let input = std::fs::read(&csv).unwrap();
    let piped = home.run_with_input(&["classify", "-", "--input-format", "csv", "-f", "jsonl"], &input).exits(0);
    assert_eq!(piped.rows()[0]["labels"], row["labels"]);
}

#[test]
fn traditional_and_simplified_text_get_the_same_labels() {
    let home = Home::new();
    let pair = [
        "内需不足，老百姓没钱消费，企业产能过剩，只能打价格战。",
        "內需不足，老百姓沒錢消費，企業產能過剩，只能打價格戰。",
    ];
    let labels = pair.map(|text| {
        let row = json!({"text": text}).to_string();
        let run = home.run_with_input(&["classify", "-", "--input-format", "jsonl", "-f", "jsonl"], row.as_bytes());
        let rows = run.exits(0).rows();
        rows[0]["systems"].clone()
    });
    assert_eq!(labels[0], labels[1]);
    assert!(labels[0]["rules"]["overcapacity"].as_f64().unwrap() > 0.5);
}

#[test]
fn an_output_file_is_whole_and_its_ending_chooses_the_format() {
    let home = Home::new();
    let path = data("documents/essay.txt");
    for (name, sign) in
        [("o.jsonl", "{\"id\""), ("o.json", "{\"taxonomy\""), ("o.csv", "id,doc,"), ("o.html", "<!DOCTYPE html>")]
    {
        let run = home.run(&["classify", &path, "-o", name]).exits(0);
        assert!(run.stdout.is_empty());
        let written = std::fs::read_to_string(home.work().join(name)).unwrap();
        assert!(written.starts_with(sign), "{name}: {}", &written[..60]);
    }
    let before = std::fs::read_to_string(home.work().join("o.csv")).unwrap();
    home.run(&["classify", "missing.md", "-o", "o.csv"]).exits(2);
    assert_eq!(std::fs::read_to_string(home.work().join("o.csv")).unwrap(), before, "a failed run leaves the old file");
    let left: Vec<_> = std::fs::read_dir(home.work()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.iter().all(|n| !n.to_str().unwrap().starts_with(".lundian-")), "{left:?}");
}

#[test]
fn a_closed_pipe_is_not_an_error() {
    let home = Home::new();
    let mut child = home
        .command()
        .args(["classify", &data("documents"), "-f", "jsonl"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty());
}

#[test]
fn why_names_the_rule() {
    let home = Home::new();
    let row = r#"{"text":"价格战越打越亏，仓库里的货堆到了屋顶，产能过剩。"}"#;
    let args = ["classify", "-", "--input-format", "jsonl", "-f", "jsonl", "-p", "rules", "--why"];
    let rows = home.run_with_input(&args, row.as_bytes()).exits(0).rows();
    let why = rows[0]["labels"][0]["why"].as_array().unwrap();
    assert!(why.iter().any(|w| w["reason"].as_str().unwrap().contains("production/")), "{why:?}");
}

#[test]
fn a_user_taxonomy_replaces_the_default() {
    let home = Home::new();
    let taxonomy = home.file(
        "t.toml",
        "name = \"mine\"\nversion = \"1\"\n[[family]]\nslug = \"f\"\nname = { zh = \"族\", en = \"F\" }\n\
         [[thesis]]\nslug = \"rain\"\nfamily = \"f\"\nname = { zh = \"雨\", en = \"Rain\" }\n\
         proposition = { zh = \"会下雨\", en = \"It will rain.\" }\n",
    );
    let pack = home.file(
        "rain.toml",
        "format = 1\nname = \"rain\"\n[[rule]]\nid = \"says-rain\"\nthesis = \"rain\"\ndoc = \"Says rain.\"\nweight = 0.9\n\
         any = [\"下雨\"]\npositive = [\"明天下雨\"]\nnegative = [\"明天晴\"]\n",
    );
    home.file("lundian.toml", format!("[plugin.rules]\npacks = [{pack:?}]\n"));
    let args = ["classify", "-", "--taxonomy", &taxonomy, "--input-format", "jsonl", "-f", "jsonl"];
    let row = r#"{"text":"預報說明天要下雨。"}"#.as_bytes();
    // Of all plugins, too: those whose models do not know the thesis keep out of it.
    for plugins in [&["-p", "rules"][..], &[]] {
        let run = home.run_with_input(&[&args, plugins].concat(), row).exits(0);
        assert!(!run.stderr.contains("no plugin knows"), "{}", run.stderr);
        let rows = run.rows();
        assert_eq!(rows[0]["labels"][0]["thesis"], "rain", "{plugins:?}");
        assert_eq!(rows[0]["labels"][0]["evidence"][0]["quote"], "預報說明天要下雨");
    }
    let none = home.file("none.toml", "");
    home.run_with_input(&[&["--config", &none], &args[..]].concat(), row)
        .exits(0)
        .says(&["no plugin knows", "\"mine\""]);
    let listed = home.run(&["thesis", "list", "--taxonomy", &taxonomy]).exits(0).stdout;
    assert!(listed.contains("rain") && !listed.contains("overcapacity"));
}
