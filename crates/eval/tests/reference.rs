//! Every statistic against what the field's own libraries compute (see `reference.py`), to 1e-9.
#![allow(clippy::unwrap_used)] // A test fails by panicking.

use lundian_core::{Kind, Output, Paragraph, Sample, Taxonomy, Thresholds};
use lundian_eval::{
    CompareOptions, Comparison, Evaluation, Labels, Mode, Objective, Options, Ratings, SystemOutput, agreement,
    ceiling, choose_thresholds, compare, counts, evaluate, holm, macro_average, masi_distance, micro, read_gold_str,
};
use serde_json::Value;

struct Reference {
    json: Value,
    taxonomy: Taxonomy,
    samples: Vec<Sample>,
    outputs: Vec<Output>,
}

fn array(v: &Value) -> &[Value] {
    v.as_array().map_or(&[], Vec::as_slice)
}

fn number(v: &Value) -> usize {
    v.as_u64().expect("a whole number") as usize
}

fn load() -> Reference {
    let json: Value = serde_json::from_str(include_str!("reference.json")).unwrap();
    let mut toml = String::from("name = \"reference\"\nversion = \"1\"\n");
    for family in ["f", "g"] {
        toml += &format!("[[family]]\nslug = \"{family}\"\nname = {{ zh = \"\", en = \"\" }}\n");
    }
    for (slug, family) in array(&json["slugs"]).iter().zip(array(&json["family"])) {
        let family = ["f", "g"][number(family)];
        toml += &format!("[[thesis]]\nslug = {slug}\nfamily = \"{family}\"\n");
        toml += "name = { zh = \"\", en = \"\" }\nproposition = { zh = \"\", en = \"\" }\n";
    }
    let taxonomy = Taxonomy::from_toml(&toml).unwrap();
    let rows: Vec<String> = array(&json["gold"]).iter().map(Value::to_string).collect();
    let (samples, diagnostics) = read_gold_str("reference", &rows.join("\n"), &taxonomy);
    assert_eq!(diagnostics, []);
    let output = |system: &Value| {
        let mut output = Output::new(samples.len(), taxonomy.len());
        for (row, scores) in array(&system["scores"]).iter().enumerate() {
            for (thesis, score) in array(scores).iter().enumerate() {
                output.set(row, thesis, score.as_f64().map_or(f32::NAN, |s| s as f32));
            }
        }
        for (row, scores) in array(&system["roles"]).iter().enumerate() {
            if let Ok(scores) = serde_json::from_value(scores.clone()) {
                output.set_role(row, scores);
            }
        }
        for e in array(&system["evidence"]) {
            let text = &samples[number(&e[0])].paragraph.text;
            let byte = |i: &Value| text.char_indices().map(|(b, _)| b).nth(number(i)).unwrap_or(text.len());
            output.add_evidence(number(&e[0]), number(&e[1]), byte(&e[2])..byte(&e[3]), 1.0);
        }
        output.check(|row| &samples[row].paragraph.text).unwrap();
        output
    };
    let outputs = array(&json["systems"]).iter().map(output).collect();
    Reference { json, taxonomy, samples, outputs }
}

impl Reference {
    fn systems<'a>(&'a self, thresholds: &'a Thresholds) -> Vec<SystemOutput<'a>> {
        let names = array(&self.json["systems"]).iter().map(|s| s["name"].as_str().unwrap());
        let system = |(name, output)| SystemOutput { name, kind: Kind::Plugin, output, thresholds, seconds: 2.0 };
        names.zip(&self.outputs).map(system).collect()
    }

    fn evaluation(&self, threads: usize) -> Evaluation {
        let draws = number(&self.json["draws"]);
        let seed = self.json["seed"].as_u64().unwrap();
        let options = Options { draws, seed, threads, ..Options::default() };
        evaluate(&self.samples, &self.systems(&Thresholds::default()), &self.taxonomy, &options).unwrap()
    }

    fn comparison(&self) -> Comparison {
        let options = CompareOptions {
            draws: number(&self.json["draws"]),
            seed: self.json["seed"].as_u64().unwrap(),
            ..CompareOptions::default()
        };
        let paragraphs: Vec<Paragraph> = self.samples.iter().map(|s| s.paragraph.clone()).collect();
        let gold = Labels::of_samples(&self.samples, self.taxonomy.len());
        compare(&paragraphs, &self.systems(&Thresholds::default()), &self.taxonomy, Some(&gold), &options)
    }
}

/// Asserts that a figure is the expected one; null expects `None`.
#[track_caller]
fn same(what: &str, got: impl Into<Option<f64>>, expected: &Value) {
    match (got.into(), expected.as_f64()) {
        (Some(got), Some(expected)) => {
            assert!((got - expected).abs() < 1e-9, "{what}: {got}, expected {expected}");
        }
        (got, expected) => assert_eq!(got, expected, "{what}"),
    }
}

#[track_caller]
fn same_interval(what: &str, got: Option<[f64; 2]>, expected: &Value) {
    same(what, got.map(|i| i[0]), &expected[0]);
    same(what, got.map(|i| i[1]), &expected[1]);
}

#[test]
fn metrics_of_systems() {
    let r = load();
    let evaluation = r.evaluation(2);
    assert_eq!(evaluation.resampling.clusters, number(&r.json["expected"]["clusters"]));
    same("floor", evaluation.floor.micro_f1, &r.json["expected"]["floor"][0]);
    same("floor", evaluation.floor.macro_f1, &r.json["expected"]["floor"][1]);
    for (got, expected) in evaluation.systems.iter().zip(array(&r.json["expected"]["systems"])) {
        let prf = |what: &str, p: lundian_eval::Prf, e: &Value| {
            same(what, p.precision, &e[0]);
            same(what, p.recall, &e[1]);
            same(what, p.f1, &e[2]);
        };
        prf("micro", got.micro.prf, &expected["micro"]);
        prf("macro", got.macro_average.prf, &expected["macro"]);
        prf("any thesis", got.any_thesis, &expected["any_thesis"]);
        same_interval("micro interval", got.micro.ci95, &expected["micro_ci95"]);
        same_interval("macro interval", got.macro_average.ci95, &expected["macro_ci95"]);
        same("family micro", got.family.micro_f1, &expected["family_micro_f1"]);
        same("family macro", got.family.macro_f1, &expected["family_macro_f1"]);
        same("subset accuracy", got.subset_accuracy, &expected["subset_accuracy"]);
        same("jaccard", got.jaccard, &expected["jaccard"]);
        for (t, e) in got.per_thesis.iter().zip(array(&expected["per_thesis"])) {
            same("precision", t.prf.precision, &e["precision"]);
            same("recall", t.prf.recall, &e["recall"]);
            same("f1", t.prf.f1, &e["f1"]);
            assert_eq!(t.support, e["support"].as_u64().unwrap());
            same("average precision", t.average_precision, &e["average_precision"]);
            same_interval("thesis interval", t.ci95, &e["ci95"]);
        }
        let evidence = &expected["evidence"];
        same("token f1", got.evidence.token_f1, &evidence["token_f1"]);
        same("token precision", got.evidence.token_precision, &evidence["token_precision"]);
        same("token recall", got.evidence.token_recall, &evidence["token_recall"]);
        same("token f1 where found", got.evidence.token_f1_found, &evidence["token_f1_found"]);
        same("span f1", got.evidence.iou50_f1, &evidence["iou50_f1"]);
    }
}

#[test]
fn calibration_of_systems() {
    let r = load();
    for (got, expected) in r.evaluation(1).systems.iter().zip(array(&r.json["expected"]["systems"])) {
        same("ece", got.ece, &expected["ece"]);
        same("brier", got.brier, &expected["brier"]);
        same("aurc", got.risk_coverage.aurc, &expected["aurc"]);
        let filled: Vec<_> = got.reliability.iter().filter(|b| b.count > 0).collect();
        assert_eq!(filled.len(), array(&expected["observed"]).len());
        for (i, bin) in filled.into_iter().enumerate() {
            same("observed", bin.observed, &expected["observed"][i]);
            same("mean score", bin.mean_score, &expected["mean_score"][i]);
            assert_eq!(bin.count, expected["bin_counts"][i].as_u64().unwrap());
        }
    }
}

#[test]
fn roles_of_systems() {
    let r = load();
    let evaluation = r.evaluation(2);
    let expected = array(&r.json["expected"]["systems"]).iter().map(|s| &s["role"]);
    let expected = expected.chain([&r.json["expected"]["role_of_prior"]]);
    assert_eq!(expected.clone().filter(|e| !e.is_null()).count(), 3);
    for (got, expected) in evaluation.systems.iter().zip(expected) {
        assert_eq!(got.role.is_none(), expected.is_null(), "{}", got.name);
        let Some(got) = &got.role else { continue };
        assert_eq!(got.paragraphs, number(&expected["paragraphs"]));
        same("coverage", got.coverage, &expected["coverage"]);
        same("accuracy", got.accuracy, &expected["accuracy"]);
        same_interval("accuracy interval", got.accuracy_ci95, &expected["accuracy_ci95"]);
        same("macro f1", got.macro_f1, &expected["macro_f1"]);
        same_interval("macro f1 interval", got.macro_f1_ci95, &expected["macro_f1_ci95"]);
        same("kappa", got.kappa, &expected["kappa"]);
        assert_eq!(got.per_role.len(), array(&expected["per_role"]).len());
        for (got, expected) in got.per_role.iter().zip(array(&expected["per_role"])) {
            assert_eq!(got.role.as_str(), expected["role"].as_str().unwrap());
            same("precision", got.prf.precision, &expected["precision"]);
            same("recall", got.prf.recall, &expected["recall"]);
            same("f1", got.prf.f1, &expected["f1"]);
            assert_eq!(
                (got.support, got.predicted),
                (expected["support"].as_u64().unwrap(), expected["predicted"].as_u64().unwrap())
            );
        }
    }
}

#[test]
fn pairs_of_systems() {
    let r = load();
    let evaluation = r.evaluation(2);
    let expected = array(&r.json["expected"]["pairs"]);
    assert_eq!(evaluation.pairs.len(), expected.len());
    for (got, expected) in evaluation.pairs.iter().zip(expected) {
        same("delta", got.delta_macro_f1, &expected["delta_macro_f1"]);
        same_interval("delta interval", got.ci95, &expected["ci95"]);
        same("p", got.p_value, &expected["p_value"]);
        same("holm", got.p_holm, &expected["p_holm"]);
        let ids: Vec<&str> = array(&expected["only_a_right"]).iter().filter_map(Value::as_str).collect();
        assert_eq!(got.only_a_right, ids);
    }
    let [p_values, adjusted] = array(&r.json["expected"]["holm"]) else { panic!("two lists") };
    let p_values: Vec<f64> = array(p_values).iter().filter_map(Value::as_f64).collect();
    for (got, expected) in holm(&p_values).into_iter().zip(array(adjusted)) {
        same("holm", got, expected);
    }
}

#[test]
fn slices_of_the_gold_file() {
    let r = load();
    let evaluation = r.evaluation(2);
    let slice = |key: &str, value: &str| evaluation.slices.iter().find(|s| s.key == key && s.value == value).unwrap();
    for (i, expected) in array(&r.json["expected"]["systems"]).iter().enumerate() {
        for role in ["explanation", "remedy"] {
            let (got, expected) = (&slice("role", role).systems[i], &expected["slices"][role]);
            same("precision", got.precision, &expected["micro"][0]);
            same("recall", got.recall, &expected["micro"][1]);
            same("f1", got.f1, &expected["micro"][2]);
            same("macro", got.macro_f1, &expected["macro_f1"]);
            same("subset", got.subset_accuracy, &expected["subset_accuracy"]);
            same_interval("interval", got.ci95, &expected["ci95"]);
        }
        let reject = &slice("stance", "reject").systems[i];
        same("reject", reject.recall, &expected["reject_recall"]);
        assert_eq!((reject.precision, reject.f1), (None, None));
    }
    let keys: std::collections::BTreeSet<&str> = evaluation.slices.iter().map(|s| s.key.as_str()).collect();
    assert_eq!(Vec::from_iter(keys), ["document", "length", "needs_context", "role", "stance"]);
    for key in ["document", "length", "role", "needs_context"] {
        let rows: usize = evaluation.slices.iter().filter(|s| s.key == key).map(|s| s.paragraphs).sum();
        assert_eq!(rows, r.samples.len(), "{key}");
    }
}

#[test]
fn the_annotators_ceiling() {
    let r = load();
    let got = ceiling(&r.samples, r.taxonomy.len()).unwrap();
    let expected = array(&r.json["expected"]["ceiling"]);
    assert_eq!(got.annotators.len(), expected.len());
    for (got, expected) in got.annotators.iter().zip(expected) {
        assert_eq!(
            (got.name.as_str(), got.paragraphs),
            (expected["name"].as_str().unwrap(), number(&expected["paragraphs"]))
        );
        same("micro", got.micro_f1, &expected["micro_f1"]);
        same("macro", got.macro_f1, &expected["macro_f1"]);
    }
}

#[test]
fn agreement_of_systems() {
    let r = load();
    let got = r.comparison().agreement;
    let expected = &r.json["expected"];
    same("masi", got.masi.alpha, &expected["masi_alpha"]);
    for (t, got) in got.per_thesis.iter().enumerate() {
        same("alpha", got.alpha.alpha, &expected["alpha"][t]);
        same_interval("alpha interval", got.alpha.ci95, &expected["alpha_ci95"][t]);
    }
    assert_eq!((got.per_thesis.len(), got.pairs.len()), (5, 3));
    for (got, expected) in got.pairs.iter().zip(array(&expected["pair_agreement"])) {
        assert_eq!(got.per_thesis.len(), array(&expected["per_thesis_kappa"]).len());
        same("kappa", got.all.kappa, &expected["kappa"]);
        same("ac1", got.all.ac1, &expected["ac1"]);
        same("jaccard", got.all.jaccard, &expected["jaccard"]);
        same("identical sets", got.identical_sets, &expected["identical_sets"]);
        for (got, expected) in got.per_thesis.iter().zip(array(&expected["per_thesis_kappa"])) {
            same("kappa of a thesis", got.kappa, expected);
        }
        let interval = got.kappa_ci95.unwrap();
        assert!(interval[0] < got.all.kappa.unwrap() && got.all.kappa.unwrap() < interval[1]);
    }
    for case in array(&expected["masi"]) {
        let set = |v: &Value| array(v).iter().map(number).collect::<Vec<_>>();
        same("masi distance", masi_distance(&set(&case[0]), &set(&case[1])), &case[2]);
    }
}

#[test]
fn agreement_of_annotators() {
    let r = load();
    let ratings = Ratings::of_files(&[("gold.jsonl", &r.samples)], r.taxonomy.len());
    assert_eq!(ratings.names(), ["a", "b", "c"]);
    let got = agreement(&ratings, &r.taxonomy, 100, 0, 2);
    same("masi", got.masi.alpha, &r.json["expected"]["file_masi_alpha"]);
    let interval = got.masi.ci95.unwrap();
    assert!(interval[0] < got.masi.alpha.unwrap() && got.masi.alpha.unwrap() < interval[1]);
}

#[test]
fn labelling_function_analysis() {
    let r = load();
    let got = r.comparison();
    let expected = array(&r.json["expected"]["lf"]);
    assert_eq!((got.systems.len(), got.systems[0].per_thesis.len() + 1), (3, expected.len()));
    for (i, system) in got.systems.iter().enumerate() {
        let theses = system.per_thesis.iter().map(|t| t.votes).chain([system.all]);
        for (votes, expected) in theses.zip(expected) {
            same("coverage", votes.coverage, &expected["coverage"][i]);
            same("overlaps", votes.overlaps, &expected["overlaps"][i]);
            same("conflicts", votes.conflicts, &expected["conflicts"][i]);
            same("empirical accuracy", votes.empirical_accuracy, &expected["accuracy"][i]);
        }
    }
}

#[test]
fn thresholds_reach_the_best_there_is() {
    let r = load();
    let gold = Labels::of_samples(&r.samples, r.taxonomy.len());
    for (output, expected) in r.outputs.iter().zip(array(&r.json["expected"]["systems"])) {
        for (objective, key) in [(Objective::MacroF1, "best_macro_f1"), (Objective::MicroF1, "best_micro_f1")] {
            let chosen = choose_thresholds(&r.samples, output, &r.taxonomy, Mode::Global, objective, "tune.jsonl");
            let counts = counts(&gold, &Labels::of_output(output, &chosen.resolve(&r.taxonomy)));
            let got = if objective == Objective::MacroF1 { macro_average(&counts).f1 } else { micro(&counts).f1 };
            same(key, got, &expected[key]);
        }
    }
}

#[test]
fn threads_change_nothing_and_json_has_the_agreed_keys() {
    let r = load();
    let (one, four) = (r.evaluation(1), r.evaluation(4));
    assert_eq!(one, four);
    let json = serde_json::to_string(&one).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    let keys = |v: &Value, expected: &[&str]| expected.iter().for_each(|k| assert!(v.get(k).is_some(), "{k}"));
    keys(&json["gold"], &["file", "paragraphs", "labels", "documents"]);
    let system = &json["systems"][0];
    keys(system, &["name", "kind", "micro", "macro", "family", "subset_accuracy", "ece", "any_thesis", "evidence"]);
    keys(system, &["per_thesis", "seconds", "paragraphs_per_second"]);
    keys(&system["micro"], &["precision", "recall", "f1", "ci95"]);
    keys(&system["macro"], &["precision", "recall", "f1", "ci95"]);
    keys(&system["family"], &["micro_f1", "macro_f1"]);
    keys(&system["any_thesis"], &["precision", "recall", "f1"]);
    keys(&system["evidence"], &["token_f1", "iou50_f1"]);
    let thesis = ["thesis", "support", "precision", "recall", "f1", "ci95", "average_precision", "threshold"];
    keys(&system["per_thesis"][0], &thesis);
    keys(&json["pairs"][0], &["a", "b", "delta_macro_f1", "ci95", "p_value"]);
    assert_eq!(json["systems"][3]["kind"], "baseline");
}
