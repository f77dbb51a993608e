//! Reports of an evaluation, a comparison and an agreement on this project's own samples, in every format.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::path::Path;

use lundian_core::{Kind, Output, Paragraph, Role, Sample, Taxonomy, Thresholds};
use lundian_eval::{
    CompareOptions, Faithfulness, Invariance, Options, Ratings, SystemOutput, agreement, compare, evaluate, read_gold,
    to_label,
};
use lundian_report::{AGREEMENT_FORMATS, COMPARISON_FORMATS, EVALUATION_FORMATS, Lang, Look, ReportFormat};

fn samples(taxonomy: &Taxonomy) -> Vec<Sample> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/gold.jsonl");
    let (samples, problems) = read_gold(&file, taxonomy);
    assert!(problems.is_empty() && !samples.is_empty());
    samples
}

/// The gold labels with mistakes: a system that errs on about one cell of `rate`, and abstains on its first thesis. One
/// that errs often says roles, too, every fourth wrongly.
fn system(samples: &[Sample], taxonomy: &Taxonomy, rate: usize) -> Output {
    let mut output = Output::new(samples.len(), taxonomy.len());
    for (row, sample) in samples.iter().enumerate() {
        let role = sample.known_role().filter(|_| rate < 20);
        if let Some(role) = role.map(|role| if row % 4 == 0 { Role::Other } else { role }) {
            output.set_role(row, std::array::from_fn(|i| if i == role as usize { 0.7 } else { 0.1 }));
        }
        for thesis in 0..taxonomy.len() {
            let noise = (row * 31 + thesis * 17 + rate * 7) * 2_654_435_761 % 1000;
            let wrong = noise.is_multiple_of(rate);
            let right = sample.argues(thesis);
            let score = if right != wrong { 0.5 + noise as f32 / 2000.0 } else { noise as f32 / 2500.0 };
            output.set(row, thesis, if thesis == 0 && rate > 20 { f32::NAN } else { score });
            if right {
                let evidence = sample.labels.iter().find(|l| l.thesis == thesis).and_then(|l| l.evidence.clone());
                if let Some(range) = evidence {
                    output.add_evidence(row, thesis, range, 0.5);
                }
            }
        }
    }
    output
}

struct Written {
    name: String,
    text: String,
}

/// Every report in every format; the pages in both languages. Pages are also left in the folder for tests' files, to be
/// looked at.
fn written() -> Vec<Written> {
    let taxonomy = Taxonomy::china_economy();
    let mut samples = samples(&taxonomy);
    samples[0].paragraph.text.push_str("<script>alert(1)</script>");
    for (i, sample) in samples.iter_mut().enumerate() {
        let labels: Vec<usize> = sample.labels.iter().map(|l| l.thesis).collect();
        sample.annotators.insert("甲".into(), labels.clone());
        sample.annotators.insert("乙".into(), if i % 7 == 0 { Vec::new() } else { labels });
    }
    let outputs = [29, 11, 17].map(|rate| system(&samples, &taxonomy, rate));
    let mut thresholds = Thresholds::uniform(0.5);
    thresholds.origin = "tuned on another file".into();
    let names = [("rules", Kind::Rules), ("linear", Kind::Linear), ("mean", Kind::Aggregate)];
    let systems: Vec<SystemOutput<'_>> = names
        .iter()
        .zip(&outputs)
        .map(|((name, kind), output)| SystemOutput {
            name,
            kind: *kind,
            output,
            thresholds: &thresholds,
            seconds: 0.25,
        })
        .collect();
    let options = Options { gold_file: "gold.jsonl".into(), draws: 200, ..Options::default() };
    let mut evaluation = evaluate(&samples, &systems, &taxonomy, &options).unwrap();
    evaluation.systems[0].invariance =
        Some(Invariance { change: "script".into(), flip_rate: Some(0.125), changed: Vec::new() });
    evaluation.systems[1].faithfulness =
        Some(Faithfulness { tested: 40, drop: Some(0.3), random_drop: Some(0.1), wins: Some(0.875) });
    let paragraphs: Vec<Paragraph> = samples.iter().map(|s| s.paragraph.clone()).collect();
    let comparison =
        compare(&paragraphs, &systems, &taxonomy, None, &CompareOptions { draws: 200, ..CompareOptions::default() });
    let disagreements = to_label(&comparison.disagreements, &paragraphs, &systems, &taxonomy);
    let clusters: Vec<&str> = samples.iter().map(Sample::cluster).collect();
    let raters: Vec<_> = systems.iter().map(|s| (s.name, s.output, s.thresholds.resolve(&taxonomy))).collect();
    let agreed = agreement(&Ratings::of_systems(&raters, taxonomy.len(), &clusters), &taxonomy, 100, 0, 1);

    let mut look = Look::new(&taxonomy);
    look.width = 100;
    let mut reports = Vec::new();
    let mut add = |name: String, text: String| reports.push(Written { name, text });
    for format in EVALUATION_FORMATS {
        add(format!("evaluation.{}", format.name), (format.write)(&evaluation, &samples, &look));
    }
    for format in COMPARISON_FORMATS {
        add(format!("comparison.{}", format.name), (format.write)(&comparison, &disagreements, &look));
    }
    for format in AGREEMENT_FORMATS {
        add(format!("agreement.{}", format.name), (format.write)(&agreed, &look));
    }
    look.lang = Lang::Zh;
    let html = ReportFormat::find(EVALUATION_FORMATS, "html").unwrap();
    add("evaluation.zh.html".into(), (html.write)(&evaluation, &samples, &look));
    let html = ReportFormat::of_path(COMPARISON_FORMATS, Path::new("x.HTM")).unwrap();
    add("comparison.zh.html".into(), (html.write)(&comparison, &disagreements, &look));
    for report in &reports {
        std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(&report.name), &report.text).unwrap();
    }
    reports
}

#[test]
fn every_report_in_every_format() {
    let reports = written();
    let text = |name: &str| reports.iter().find(|r| r.name == name).map(|r| r.text.as_str()).unwrap();

    let json: serde_json::Value = serde_json::from_str(text("evaluation.json")).unwrap();
    assert_eq!(json["systems"][0]["name"], "rules");
    assert!(json["systems"][0]["macro"]["ci95"].is_array());
    let f1 = |system: usize, average: &str| format!("{:.3}", json["systems"][system][average]["f1"].as_f64().unwrap());

    let table = text("evaluation.table");
    let page = text("evaluation.html");
    for system in 0..3 {
        for average in ["micro", "macro"] {
            assert!(table.contains(&f1(system, average)) && page.contains(&f1(system, average)), "{system} {average}");
        }
    }
    for word in ["overcapacity", "tuned on another file", "annotators on", "p (Holm)"] {
        assert!(table.contains(word), "{word}\n{table}");
    }
    for system in [1, 2, 3] {
        let role = &json["systems"][system]["role"];
        for figure in ["accuracy", "macro_f1", "kappa"].map(|key| format!("{:.3}", role[key].as_f64().unwrap())) {
            assert!(table.contains(&figure) && page.contains(&figure), "{system} {figure}");
        }
    }
    assert!(json["systems"][0]["role"].is_null());
    assert!(table.contains("paragraphs have a recorded role: ") && page.contains("Does it see what a paragraph does?"));
    assert!(text("evaluation.zh.html").contains("能否看出段落的作用"));
    for figure in ["12.5 %", "87.5 %"] {
        assert!(table.contains(figure) && page.contains(figure), "{figure}");
    }
    assert!(!table.contains('\x1b'));
    let errors: usize = (0..3).map(|s| json["systems"][s]["errors"].as_array().unwrap().len()).sum();
    assert!(errors > 0);
    assert_eq!(page.matches("<article").count(), errors, "every error of every system can be browsed");

    let json: serde_json::Value = serde_json::from_str(text("comparison.json")).unwrap();
    let disagreements = json["disagreements"].as_array().unwrap().len();
    assert_eq!(text("comparison.html").matches("<article").count(), disagreements);
    assert!(text("comparison.table").contains("Coverage"));
    assert!(text("agreement.table").contains("AC1"));

    for report in reports.iter().filter(|r| r.name.ends_with("html")) {
        assert!(!report.text.contains("<script>alert"), "{}: text is escaped", report.name);
        // The script may speak of NaN, the figures may not.
        let (markup, _) = report.text.rsplit_once("<script>").unwrap();
        assert!(!markup.contains("NaN"), "{}", report.name);
        for word in ["http://", "https://", " src=", "@import", "url("] {
            assert!(!report.text.contains(word), "{}: {word}", report.name);
        }
    }
}

#[test]
fn an_empty_gold_file_makes_reports_too() {
    let taxonomy = Taxonomy::china_economy();
    let output = Output::new(0, taxonomy.len());
    let thresholds = Thresholds::uniform(0.5);
    let systems =
        [SystemOutput { name: "rules", kind: Kind::Rules, output: &output, thresholds: &thresholds, seconds: 0.0 }];
    let evaluation = evaluate(&[], &systems, &taxonomy, &Options::default()).unwrap();
    let comparison = compare(&[], &systems, &taxonomy, None, &CompareOptions::default());
    let look = Look::new(&taxonomy);
    for format in EVALUATION_FORMATS {
        let text = (format.write)(&evaluation, &[], &look);
        let markup = text.rsplit_once("<script>").map_or(text.as_str(), |(markup, _)| markup);
        assert!(text.contains("nothing to score against") && !markup.contains("NaN"), "{}", format.name);
    }
    for format in COMPARISON_FORMATS {
        let text = (format.write)(&comparison, &[], &look);
        let markup = text.rsplit_once("<script>").map_or(text.as_str(), |(markup, _)| markup);
        assert!(text.contains("agreement needs two") && !markup.contains("NaN"), "{}", format.name);
    }
}
