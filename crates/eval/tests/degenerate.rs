//! Input with nothing in it, or nothing to tell apart: every figure has a defined result, and none is NaN.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use lundian_core::{Kind, Label, Output, Paragraph, Sample, Stance, Taxonomy, Thresholds};
use lundian_eval::{
    CompareOptions, EvalError, Evaluation, Gate, GateError, Labels, Options, Ratings, SystemOutput, TwoByTwo,
    agreement, average_precision, ceiling, compare, evaluate, failed_gates, flip_rate, read_gold_str, to_label,
};
use serde_json::Value;

fn taxonomy() -> Taxonomy {
    Taxonomy::china_economy()
}

fn sample(id: &str, doc: &str, theses: &[usize]) -> Sample {
    let label = |t: &usize| Label { thesis: *t, stance: Stance::Endorse, evidence: Some(0..3) };
    let paragraph = Paragraph { id: id.into(), doc: doc.into(), text: "论点论点".into(), ..Paragraph::default() };
    Sample { paragraph, labels: theses.iter().map(label).collect(), ..Sample::default() }
}

/// An output with 0.9 where `given` says so, else 0.1.
fn output(given: &[&[usize]]) -> Output {
    let mut output = Output::new(given.len(), taxonomy().len());
    for (row, theses) in given.iter().enumerate() {
        output.row_mut(row).fill(0.1);
        theses.iter().for_each(|t| output.set(row, *t, 0.9));
    }
    output
}

fn system<'a>(name: &'a str, output: &'a Output, thresholds: &'a Thresholds) -> SystemOutput<'a> {
    SystemOutput { name, kind: Kind::Rules, output, thresholds, seconds: 0.0 }
}

fn run(samples: &[Sample], outputs: &[Output]) -> Evaluation {
    let thresholds = Thresholds::default();
    let names = ["a", "b", "c"];
    let systems: Vec<_> = names.into_iter().zip(outputs).map(|(n, o)| system(n, o, &thresholds)).collect();
    let options = Options { draws: 50, ..Options::default() };
    let evaluation = evaluate(samples, &systems, &taxonomy(), &options).unwrap();
    let json = serde_json::to_value(&evaluation).unwrap();
    ["systems", "pairs", "floor"].iter().for_each(|key| defined(key, &json[key]));
    evaluation
}

/// Asserts that the figures that have a value on any input are numbers. JSON has no NaN: it would be null.
fn defined(path: &str, value: &Value) {
    const ALWAYS: [&str; 15] = [
        "precision",
        "recall",
        "f1",
        "micro_f1",
        "macro_f1",
        "delta_macro_f1",
        "delta_micro_f1",
        "p_value",
        "p_holm",
        "threshold",
        "risk",
        "from",
        "to",
        "seconds",
        "support",
    ];
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                assert!(!ALWAYS.contains(&key.as_str()) || value.is_number(), "{path}.{key} is {value}");
                defined(&format!("{path}.{key}"), value);
            }
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(i, value)| defined(&format!("{path}[{i}]"), value));
            let bare = path.ends_with("ci95");
            assert!(!bare || values.iter().all(Value::is_number), "{path}: {values:?}");
        }
        _ => {}
    }
}

#[test]
fn empty_gold() {
    let e = run(&[], &[Output::new(0, 22), Output::new(0, 22)]);
    let s = &e.systems[0];
    assert_eq!((s.micro.prf.f1, s.macro_average.prf.f1, s.micro.ci95), (0.0, 0.0, None));
    assert_eq!((s.subset_accuracy, s.jaccard, s.ece, s.brier, s.coverage), (None, None, None, None, None));
    assert_eq!((s.risk_coverage.aurc, s.evidence.token_f1, s.paragraphs_per_second), (None, None, None));
    assert_eq!((e.pairs[0].delta_macro_f1, e.pairs[0].ci95, e.pairs[0].p_value), (0.0, None, 1.0));
    assert!(e.slices.is_empty() && e.ceiling.is_none() && e.notes[0].contains("no paragraphs"), "{:?}", e.notes);
}

#[test]
fn no_positives_anywhere() {
    let e = run(&[sample("1", "d", &[]), sample("2", "e", &[])], &[output(&[&[], &[]]), output(&[&[3], &[]])]);
    let (quiet, loud) = (&e.systems[0], &e.systems[1]);
    assert_eq!((quiet.micro.prf.f1, quiet.subset_accuracy, quiet.jaccard), (0.0, Some(1.0), Some(1.0)));
    assert_eq!(quiet.per_thesis[3].average_precision, None);
    assert_eq!((quiet.per_thesis[3].ci95, quiet.macro_average.ci95), (None, Some([0.0, 0.0])));
    assert_eq!((loud.micro.prf.precision, loud.subset_accuracy, loud.jaccard), (0.0, Some(0.5), Some(0.5)));
    assert!(loud.precision_recall.is_empty());
    assert_eq!((e.floor.macro_f1, e.gold.theses), (0.0, 0));
    assert_eq!(e.pairs[0].only_a_right, ["1"]);
}

#[test]
fn one_document_gives_no_interval() {
    let e = run(&[sample("1", "d", &[0]), sample("2", "d", &[])], &[output(&[&[0], &[0]])]);
    let s = &e.systems[0];
    assert_eq!((s.micro.ci95, s.macro_average.ci95, s.per_thesis[0].ci95), (None, None, None));
    assert!(e.slices.iter().flat_map(|s| &s.systems).all(|s| s.ci95.is_none()));
    assert!(e.notes.iter().any(|n| n.contains("no intervals")));
}

#[test]
fn a_system_that_abstains_throughout() {
    let mut silent = Output::new(2, 22);
    silent.fail(1, "too long");
    let e = run(&[sample("1", "d", &[0]), sample("2", "e", &[1])], &[silent]);
    let s = &e.systems[0];
    assert_eq!((s.micro.prf.f1, s.micro.prf.recall, s.coverage, s.failed), (0.0, 0.0, Some(0.0), 1));
    assert_eq!((s.ece, s.brier, s.per_thesis[0].average_precision), (None, None, None));
    assert!(s.errors.iter().all(|e| e.score.is_none() && e.confidence.is_none()));
    assert_eq!((s.errors.len(), s.risk_coverage.aurc), (2, Some(1.0)));
}

#[test]
fn an_absent_thesis_costs_the_macro_average_nothing() {
    let e = run(&[sample("1", "d", &[0]), sample("2", "e", &[0])], &[output(&[&[0], &[0]])]);
    let s = &e.systems[0];
    assert_eq!((s.macro_average.prf.f1, s.micro.prf.f1, s.per_thesis[1].support), (1.0, 1.0, 0));
    assert_eq!(s.per_thesis[1].ci95, None);
}

#[test]
fn abstaining_ranks_below_every_score() {
    let nan = f32::NAN;
    assert_eq!(average_precision(&mut [(0.0, true), (nan, false)]), Some(1.0));
    assert_eq!(average_precision(&mut [(0.0, false), (nan, true)]), Some(0.5));
    assert_eq!(average_precision(&mut [(nan, true)]), None);
    assert_eq!(average_precision(&mut []), None);
}

#[test]
fn equal_systems_do_not_differ() {
    let gold = [sample("1", "d", &[0]), sample("2", "e", &[1]), sample("3", "f", &[])];
    let out = output(&[&[0], &[0], &[]]);
    let pair = &run(&gold, &[out.clone(), out]).pairs[0];
    assert_eq!((pair.delta_macro_f1, pair.ci95, pair.p_value, pair.p_holm), (0.0, Some([0.0, 0.0]), 1.0, 1.0));
    assert!(pair.only_a_right.is_empty() && pair.only_b_right.is_empty());
}

#[test]
fn errors_and_confusions_point_at_the_paragraphs() {
    let mut scores = output(&[&[4], &[], &[7]]);
    scores.set(0, 4, 0.95);
    scores.set(0, 2, f32::NAN);
    scores.set(2, 7, 0.6);
    let e = run(&[sample("1", "d", &[2]), sample("2", "d", &[4]), sample("3", "e", &[])], &[scores]);
    let s = &e.systems[0];
    let slug = |t: usize| taxonomy().theses()[t].slug.clone();
    let said: Vec<_> = s.errors.iter().map(|e| (e.id.as_str(), e.thesis.clone(), e.score)).collect();
    let expected =
        [("1", slug(4), Some(0.95)), ("2", slug(4), Some(0.1)), ("3", slug(7), Some(0.6)), ("1", slug(2), None)];
    assert_eq!(said, expected);
    let confusions: Vec<_> = s.confusions.iter().map(|c| (c.thesis.clone(), c.given.clone(), c.count)).collect();
    assert_eq!(confusions, [(slug(2), Some(slug(4)), 1), (slug(4), None, 1)]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let thresholds = Thresholds::default();
    let (small, fits) = (Output::new(1, 3), Output::new(1, 22));
    let samples = [sample("1", "d", &[])];
    let go = |systems: &[SystemOutput<'_>]| evaluate(&samples, systems, &taxonomy(), &Options::default()).unwrap_err();
    assert!(matches!(go(&[system("a", &small, &thresholds)]), EvalError::Shape { theses: 3, .. }));
    let twice = [system("a", &fits, &thresholds), system("a", &fits, &thresholds)];
    assert_eq!(go(&twice), EvalError::Duplicate("a".into()));
}

#[test]
fn slices_by_any_key() {
    let mut samples = [sample("1", "d", &[0]), sample("2", "e", &[0]), sample("3", "e", &[])];
    samples[0].paragraph.extra.insert("register".into(), "qa".into());
    samples[1].paragraph.extra.insert("register".into(), 7.into());
    let thresholds = Thresholds::default();
    let out = output(&[&[0], &[], &[]]);
    let options = Options {
        draws: 0,
        slices: vec!["register".into(), "colour".into()],
        script: Some(|_| "hans".into()),
        ..Options::default()
    };
    let e = evaluate(&samples, &[system("a", &out, &thresholds)], &taxonomy(), &options).unwrap();
    let values: Vec<_> = e.slices.iter().filter(|s| s.key == "register").map(|s| (&*s.value, s.paragraphs)).collect();
    assert_eq!(values, [("7", 1), ("qa", 1)]);
    assert!(e.slices.iter().any(|s| s.key == "script" && s.value == "hans" && s.paragraphs == 3));
    assert!(e.notes.iter().any(|n| n.contains("\"colour\"")), "{:?}", e.notes);
}

#[test]
fn gates() {
    let e = run(&[sample("1", "d", &[0]), sample("2", "e", &[1])], &[output(&[&[0], &[]]), output(&[&[0], &[1]])]);
    let failures = |gates: &[&str]| {
        let gates: Vec<Gate> = gates.iter().map(|g| g.parse().unwrap()).collect();
        failed_gates(&e, &gates).map(|f| f.iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(failures(&["macro_f1=0.5", "b/macro_f1=1", "micro_precision = 1"]).unwrap(), [""; 0]);
    assert_eq!(failures(&["macro_f1=0.51"]).unwrap(), ["a: macro_f1 is 0.5000, below 0.51"]);
    let slug = taxonomy().theses()[1].slug.clone();
    assert_eq!(failures(&[&format!("f1:{slug}=0.1")]).unwrap(), [format!("a: f1:{slug} is 0.0000, below 0.1")]);
    assert_eq!(failures(&["b/ece=0.05"]).unwrap(), ["b: ece is 0.1000, above 0.05"]);
    assert_eq!(failures(&["b/token_f1=0"]).unwrap().len(), 1, "a figure that is not defined fails");
    assert_eq!(failures(&["a/role_accuracy=0", "b/role_macro_f1=0"]).unwrap().len(), 2);
    assert_eq!(failures(&["zzz/macro_f1=0"]), Err(GateError::System("zzz".into())));
    assert_eq!(failures(&["f1:zzz=0"]), Err(GateError::Thesis("zzz".into())));
    let wrong = |g: &str| g.parse::<Gate>().unwrap_err().to_string();
    assert!(wrong("macro_f1").contains("write METRIC=VALUE"));
    assert!(wrong("macro_f2=1").contains("use one of macro_f1, "));
    assert!(wrong("macro_f1=good").contains("\"good\" in \"macro_f1=good\" is not a number"));
    assert!(wrong("macro_f1=NaN").contains("is not a number"));
}

#[test]
fn flips() {
    let labels = |given: &[&[usize]]| Labels::of_output(&output(given), &[0.5; 22]);
    let f = flip_rate(&labels(&[&[0], &[1], &[]]), &labels(&[&[0], &[2], &[]]));
    assert_eq!((f.flip_rate, f.changed, f.per_thesis[1], f.per_thesis[2]), (Some(1.0 / 3.0), vec![1], 1, 1));
    assert_eq!(flip_rate(&Labels::none(0, 22), &Labels::none(0, 22)).flip_rate, None);
}

#[test]
fn raters_who_share_nothing_get_no_number() {
    let (one, two) = ([sample("1", "d", &[0])], [sample("2", "d", &[0])]);
    let a = agreement(&Ratings::of_files(&[("x", &one), ("y", &two)], 22), &taxonomy(), 50, 0, 2);
    assert_eq!((a.units, a.shared_units, a.masi.alpha, a.masi.ci95), (2, 0, None, None));
    let pair = &a.pairs[0];
    assert_eq!((pair.shared_units, pair.identical_sets, pair.all.kappa, pair.all.ac1), (0, None, None, None));
    assert!(a.notes[0].contains("x and y share no units"), "{:?}", a.notes);
    assert!(serde_json::to_string(&a).unwrap().contains("\"kappa\":null"));
    let none = agreement(&Ratings::of_files(&[], 22), &taxonomy(), 50, 0, 2);
    assert!(none.pairs.is_empty() && none.notes[0].contains("needs two"), "{none:?}");
}

#[test]
fn one_id_for_two_texts_is_said() {
    let (one, mut two) = ([sample("1", "d", &[0])], [sample("1", "d", &[0])]);
    two[0].paragraph.text = "另一段".into();
    let a = agreement(&Ratings::of_files(&[("x", &one), ("y", &two)], 22), &taxonomy(), 0, 0, 1);
    assert_eq!(a.notes, ["1 ids stand for different texts in different files, \"1\" first"]);
}

#[test]
fn kappa_of_one_answer_is_not_defined_and_ac1_is() {
    let t = TwoByTwo::new(0, 0, 0, 40);
    assert_eq!((t.observed, t.kappa, t.ac1, t.jaccard), (Some(1.0), None, Some(1.0), None));
    // The paradox: 98 % equal answers, and a kappa below 0.
    let t = TwoByTwo::new(0, 1, 1, 98);
    assert!(t.kappa.unwrap() < 0.0 && t.ac1.unwrap() > 0.97, "{t:?}");
}

#[test]
fn identical_raters_agree_fully() {
    let file = [sample("1", "d", &[0]), sample("2", "e", &[1, 2]), sample("3", "f", &[])];
    let a = agreement(&Ratings::of_files(&[("x", &file), ("y", &file)], 22), &taxonomy(), 50, 0, 2);
    assert_eq!((a.masi.alpha, a.shared_units, a.pairs[0].all.kappa), (Some(1.0), 3, Some(1.0)));
    assert_eq!((a.per_thesis[0].alpha.alpha, a.per_thesis[9].alpha.alpha), (Some(1.0), None));
}

#[test]
fn disagreements_come_most_informative_first_and_can_be_labelled() {
    let t = taxonomy();
    let thresholds = Thresholds::default();
    let samples = [sample("1", "d", &[]), sample("2", "d", &[]), sample("3", "d", &[])];
    let paragraphs: Vec<Paragraph> = samples.into_iter().map(|s| s.paragraph).collect();
    let (mut a, b) = (output(&[&[0], &[1, 2], &[5]]), output(&[&[0], &[3], &[]]));
    a.add_evidence(1, 2, 3..6, 0.5);
    a.set(2, 5, f32::NAN);
    let systems = [system("a", &a, &thresholds), system("b", &b, &thresholds)];
    let c = compare(&paragraphs, &systems, &t, None, &CompareOptions { draws: 20, ..CompareOptions::default() });
    assert_eq!(c.disagreements.len(), 1, "abstaining is no disagreement");
    let d = &c.disagreements[0];
    assert_eq!((d.id.as_str(), d.entropy, d.theses.len()), ("2", 3.0, 3));
    assert_eq!(c.systems[0].all.empirical_accuracy, None);
    let items = to_label(&c.disagreements, &paragraphs, &systems, &t);
    assert_eq!(items[0].proposals.len(), 6, "both systems on the three theses");
    let row = lundian_eval::gold::unlabelled_row(&items[0], &t);
    assert!(row.contains(r#""evidence":[{"start":1,"end":2,"quote":"点"}]"#), "{row}");
    let (read, _) = read_gold_str("back.jsonl", &row.replace("\"labels\":null", "\"labels\":[]"), &t);
    assert_eq!((read.len(), read[0].paragraph.id.as_str()), (1, "2"));
    let silent = compare(&[], &[], &t, None, &CompareOptions::default());
    assert!(silent.systems.is_empty() && silent.disagreements.is_empty());
}

#[test]
fn a_ceiling_needs_two_annotators() {
    let mut one = sample("1", "d", &[0]);
    one.annotators.insert("a".into(), vec![0]);
    assert_eq!(ceiling(std::slice::from_ref(&one), 22), None);
    one.annotators.insert("b".into(), vec![0, 1]);
    let c = ceiling(&[one], 22).unwrap();
    assert!((c.micro_f1 - 2.0 / 3.0).abs() < 1e-12 && c.paragraphs == 1 && c.subset_accuracy == 0.0, "{c:?}");
}
