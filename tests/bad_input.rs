//! Bad input: each kind has its own message, none panics, and the rest comes out all the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod program;

use program::{Home, data};

/// A good document beside the bad one: what must not be lost.
const GOOD: &str = "价格战越打越亏，仓库里的货堆到了屋顶，产能过剩谁也救不了。\n";

#[test]
fn inputs_that_cannot_be_read_are_named_and_the_others_go_on() {
    let home = Home::new();
    let good = home.file("good.md", GOOD);
    let binary: Vec<u8> = (0..4096u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let cases: [(&str, String, &[&str]); 4] = [
        ("missing", "missing.md".into(), &["missing.md"]),
        ("binary", home.file("binary.txt", binary), &["binary.txt"]),
        ("empty file", home.file("empty.md", ""), &["empty.md"]),
        ("csv without the column", home.file("no.csv", "id,body\n1,x\n"), &["no.csv", "text", "body"]),
    ];
    for (what, bad, words) in cases {
        let run = home.run(&["classify", &bad, &good, "-f", "jsonl"]);
        let code = if what == "empty file" { run.code.unwrap() } else { 3 };
        assert!(code == 3 || code == 0, "{what}: {code}");
        let run = run.exits(code).says(words);
        assert_eq!(run.rows().len(), 1, "{what}");
        assert_eq!(run.rows()[0]["labels"][0]["thesis"], "overcapacity");
    }
    home.run(&["classify", "binary.txt", "-o", "x.jsonl"]).exits(2).says(&["binary.txt", "none of the input"]);
    assert!(!home.work().join("x.jsonl").exists());
    home.run(&["classify", "missing.md"]).exits(2).says(&["missing.md"]);
    std::fs::create_dir(home.work().join("nothing")).unwrap();
    home.run(&["classify", "nothing"]).exits(2).says(&["nothing"]);
    home.run(&["classify"]).exits(2);
}

#[test]
fn wrong_settings_name_their_place_and_the_mend() {
    let home = Home::new();
    let good = home.file("good.md", GOOD);
    home.run(&["classify", &good, "-p", "nothing"]).exits(2).says(&["nothing", "plugin list"]);
    home.run(&["classify", &good, "-p", "rules", "-p", "rules"]).exits(2).says(&["twice"]);
    home.run(&["classify", &good, "--aggregate", "nothing"]).exits(2).says(&["mean"]);
    home.run(&["classify", &good, "--threshold", "2"]).exits(2).says(&["between 0 and 1"]);
    home.run(&["classify", &good, "-f", "nothing"]).exits(2).says(&["jsonl"]);
    home.run(&["classify", &good, "-o", "no/such/folder/x.csv"]).exits(2).says(&["no/such/folder"]);
    home.run(&["classify", &good, "-o", "x.docx"]).exits(2).says(&["x.docx", ".jsonl", "--format"]);
    home.run(&["segment", &good, "-o", "x.docx"]).exits(2).says(&["x.docx", "--format"]);
    home.run(&["classify", &good, "--taxonomy", "no.toml"]).exits(2).says(&["no.toml"]);
    home.run(&["thesis", "show", "overcapacty"]).exits(2).says(&["overcapacity"]);

    home.file("lundian.toml", "plugns = []\n");
    home.run(&["classify", &good]).exits(2).says(&["lundian.toml", "plugns"]);
    home.file("lundian.toml", "plugin-dir = \"x\"\n");
    home.run(&["classify", &good]).exits(2).says(&["lundian.toml", "--plugin-dir"]);
    home.file("lundian.toml", "[plugin.rules]\nbundeled = true\n");
    home.run(&["classify", &good]).exits(2).says(&["rules", "bundeled"]);
}

#[test]
fn mistakes_in_a_pack_show_line_column_and_hint() {
    let home = Home::new();
    let pack = home.file(
        "bad.toml",
        "format = 1\nname = \"bad\"\n\n[[rule]]\nid = \"r\"\nthesis = \"overcapacty\"\ndoc = \"x\"\nweight = 0.5\n\
         any = [\"过剩\"]\npositive = [\"过剩了\"]\nnegative = [\"不够\"]\n",
    );
    home.run(&["plugin", "check", &pack]).exits(1).says(&["bad.toml:6:", "overcapacty", "overcapacity"]);
    let pack = home.file(
        "wrong.toml",
        "format = 1\nname = \"wrong\"\n\n[[rule]]\nid = \"r\"\nthesis = \"overcapacity\"\ndoc = \"x\"\nweight = 0.5\n\
         any = [\"过剩\"]\npositive = [\"不够\"]\nnegative = [\"过剩了\"]\n",
    );
    home.run(&["plugin", "check", &pack]).exits(1).says(&["wrong.toml:10:", "wrong.toml:11:", "positive", "negative"]);
}

#[test]
fn labelled_samples_are_checked_line_by_line() {
    let home = Home::new();
    let row = |label: &str| format!("{{\"id\":\"a\",\"text\":\"产能过剩\",\"labels\":[{label}]}}\n");
    let cases: [(&str, String, &[&str]); 4] = [
        ("slug.jsonl", row(r#"{"thesis":"overcapacty"}"#), &["slug.jsonl", "overcapacty"]),
        ("offset.jsonl", row(r#"{"thesis":"overcapacity","start":2,"end":9}"#), &["offset.jsonl:1", "9"]),
        (
            "quote.jsonl",
            row(r#"{"thesis":"overcapacity","start":0,"end":2,"quote":"过剩"}"#),
            &["quote.jsonl:1", "产能"],
        ),
        ("twice.jsonl", row("").repeat(2), &["twice.jsonl:2", "\"a\""]),
    ];
    for (name, content, words) in cases {
        let gold = home.file(name, content);
        home.run(&["evaluate", "--gold", &gold, "-f", "json"]).exits(2).says(words);
    }
    let gold = data("gold.jsonl");
    home.run(&["evaluate", "--gold", &gold, "--tune", &gold]).exits(2).says(&[
        "gold.jsonl: 61 of its 61 paragraphs",
        "--gold",
        "other samples",
    ]);
    home.run(&["evaluate", "--gold", &gold, "--fail-under", "nothing=1"]).exits(2).says(&["macro_f1"]);
}
