//! The plugin as a host sees it, with the built-in model and with models of its own.

#![allow(clippy::unwrap_used, reason = "a test")]

use std::fs;

use lundian_linear::{Linear, MANIFEST, Model, Params, WEIGHTS, cross_fit, sha256, train};
use lundian_plugin::serde_json::json;
use lundian_plugin::{
    Batch, Cancel, Classifier, ClassifierError, Label, Output, Paragraph, Plugin, Sample, Setup, Taxonomy, Unit,
    testing,
};
use proptest::prelude::*;

const SOLD: &str = "产能严重过剩，东西卖不出去，企业只好拼命降价，价格战打得谁都没有利润。";

fn built_in() -> Linear {
    Linear::create(&Setup::new(&Taxonomy::china_economy(), &json!({}))).unwrap()
}

fn classify(linear: &Linear, units: &[Unit<'_>]) -> Output {
    let mut out = Output::new(units.len(), Taxonomy::china_economy().len());
    linear.classify(&Batch::new(units), &mut out).unwrap();
    out.check(|row| units[row].text).unwrap();
    out
}

fn unit(text: &str) -> Unit<'_> {
    Unit { text, ..Unit::default() }
}

/// Samples that a few words tell apart, from `sections` authors.
fn samples(sections: usize) -> Vec<Sample> {
    let words = ["卖不出去的东西", "房价太高了", "今天天气很好", "工资实在太低"];
    (0..sections * 4)
        .map(|i| Sample {
            paragraph: Paragraph {
                id: format!("s{i}"),
                section: format!("a{}", i / 4),
                text: format!("{}，第{}段。", words[i % 4], i / 4),
                ..Paragraph::default()
            },
            labels: (i % 4 != 2)
                .then(|| Label { thesis: i % 4, stance: Default::default(), evidence: Some(0..12) })
                .into_iter()
                .collect(),
            ..Sample::default()
        })
        .collect()
}

fn small_model() -> Model {
    let params = Params { folds: 3, ..Params::default() }.check().unwrap();
    train(&Taxonomy::china_economy(), &samples(12), &params, &mut |_| {}).unwrap()
}

#[test]
fn finds_a_plain_thesis_and_shows_the_words() {
    let taxonomy = Taxonomy::china_economy();
    let thesis = taxonomy.index("overcapacity").unwrap();
    let linear = built_in();
    let out = classify(&linear, &[unit(SOLD), unit("大家好，我是新来的，请多关照。")]);
    let threshold = linear.thresholds().of("overcapacity");
    assert!(out.row(0)[thesis] > 0.5 && out.row(1)[thesis] < threshold, "{:?}", out.scores());
    let shown: Vec<&str> =
        out.evidence.iter().filter(|e| e.row == 0 && e.thesis == thesis).map(|e| &SOLD[e.range.clone()]).collect();
    assert!(shown.iter().any(|words| words.contains("过剩") || words.contains("卖不出去")), "{shown:?}");
}

#[test]
fn traditional_script_scores_the_same_with_evidence_in_its_own_words() {
    let traditional = "產能嚴重過剩，東西賣不出去，企業只好拼命降價，價格戰打得誰都沒有利潤。";
    let linear = built_in();
    let out = classify(&linear, &[unit(SOLD), unit(traditional)]);
    assert_eq!(out.row(0), out.row(1));
    let spans = |row: usize, text: &str| -> Vec<(usize, std::ops::Range<usize>)> {
        let chars = |at: usize| text[..at].chars().count();
        let of_row = out.evidence.iter().filter(|e| e.row == row);
        of_row.map(|e| (e.thesis, chars(e.range.start)..chars(e.range.end))).collect()
    };
    assert!(!spans(0, SOLD).is_empty());
    assert_eq!(spans(0, SOLD), spans(1, traditional));
}

#[test]
fn conforms_to_the_border() {
    testing::assert_conforms::<Linear>(&[SOLD, "", "房价太高，年轻人背着房贷不敢花钱。", "abc\u{200b}１２３"]);
}

#[test]
fn theses_that_the_model_does_not_know_are_abstained_from() {
    let toml = "name='x'\nversion='1'\n[[family]]\nslug='f'\nname={zh='族',en='F'}\n\
        [[thesis]]\nslug='mine'\nfamily='f'\nname={zh='甲',en='A'}\nproposition={zh='甲',en='A'}\n\
        [[thesis]]\nslug='overcapacity'\nfamily='f'\nname={zh='乙',en='B'}\nproposition={zh='乙',en='B'}\n";
    let taxonomy = Taxonomy::from_toml(toml).unwrap();
    let linear = Linear::create(&Setup::new(&taxonomy, &json!({}))).unwrap();
    let units = [unit(SOLD)];
    let mut out = Output::new(1, 2);
    linear.classify(&Batch::new(&units), &mut out).unwrap();
    assert!(out.row(0)[0].is_nan() && out.row(0)[1] > 0.5);
    assert!(out.evidence.iter().all(|e| e.thesis == 1));
}

#[test]
fn no_evidence_unless_asked_and_stops_when_cancelled() {
    let linear = built_in();
    let units = [unit(SOLD)];
    let mut out = Output::new(1, 22);
    linear.classify(&Batch::new(&units).without_evidence(), &mut out).unwrap();
    assert!(out.evidence.is_empty());
    let cancel = Cancel::default();
    cancel.cancel();
    let cancelled = linear.classify(&Batch::new(&units).with_cancel(cancel), &mut out);
    assert_eq!(cancelled, Err(ClassifierError::Cancelled));
}

#[test]
fn saved_models_come_back_the_same_and_are_found_by_the_setting() {
    let taxonomy = Taxonomy::china_economy();
    let dir = tempfile::tempdir().unwrap();
    let mut model = small_model();
    model.metrics.insert("dev.macro_f1".to_owned(), 0.25);
    model.save(&dir.path().join("mine")).unwrap();
    let settings = json!({ "model": "mine" });
    let linear = Linear::create(&Setup::new(&taxonomy, &settings).with_dir(dir.path())).unwrap();
    assert_eq!(linear.model().to_files(), model.to_files());
    let units = [unit("东西卖不出去"), unit("房价太高了")];
    let (a, b) = (classify(&linear, &units), classify(&Linear::new(model, &taxonomy), &units));
    assert_eq!((a.scores(), &a.evidence), (b.scores(), &b.evidence));
    let missing = Linear::create(&Setup::new(&taxonomy, &json!({ "model": "nowhere" })).with_dir(dir.path()));
    assert!(matches!(missing, Err(ClassifierError::Model(m)) if m.contains("nowhere")));
    assert!(matches!(
        Linear::create(&Setup::new(&taxonomy, &json!({ "modle": "x" }))),
        Err(ClassifierError::Config(m)) if m.contains("modle")
    ));
}

#[test]
fn training_learns_repeats_itself_and_does_not_depend_on_threads() {
    let taxonomy = Taxonomy::china_economy();
    let model = small_model();
    let params = Params { folds: 3, threads: 3, ..Params::default() }.check().unwrap();
    let mut steps = Vec::new();
    let again = train(&taxonomy, &samples(12), &params, &mut |p| steps.push((p.done, p.total))).unwrap();
    assert_eq!(again.to_files().1, model.to_files().1);
    assert_eq!(steps, [(1, 5), (2, 5), (3, 5), (4, 5), (5, 5)]);
    let linear = Linear::new(model, &taxonomy);
    let out = classify(&linear, &[unit("房价太高了，真的。"), unit("今天天气很好。")]);
    let threshold = linear.thresholds().global;
    assert!(out.row(0)[1] > threshold && out.row(0)[0] < threshold && out.row(1)[1] < threshold, "{:?}", out.scores());
}

#[test]
fn l1_leaves_the_ngrams_that_a_thesis_uses() {
    let taxonomy = Taxonomy::china_economy();
    let with = |l1_ratio: f64, c: f64| {
        let params = Params { folds: 3, l1_ratio, c, ..Params::default() }.check().unwrap();
        train(&taxonomy, &samples(12), &params, &mut |_| {})
    };
    let (dense, sparse) = (with(0.0, 5.0).unwrap(), with(1.0, 5.0).unwrap());
    assert!(sparse.features() > 0 && sparse.features() < dense.features() / 4, "{}", sparse.features());
    let (manifest, weights) = sparse.to_files();
    assert!(weights.len() < dense.to_files().1.len() / 2);
    let linear = Linear::new(Model::load(&manifest, &weights).unwrap(), &taxonomy);
    let out = classify(&linear, &[unit("卖不出去的东西"), unit("今天天气很好")]);
    assert!(out.scores()[0] > 0.5 && out.scores()[taxonomy.len()] < 0.1, "{:?}", out.scores());
    let error = with(1.0, 1e-6).unwrap_err().to_string();
    assert!(error.contains("raise c"), "{error}");
}

#[test]
fn cross_fitted_scores_do_not_leak_labels() {
    // Every sample has words of its own and a label that nothing foretells: a model that has seen it knows the label.
    let taxonomy = Taxonomy::china_economy();
    let mut state = 1u64;
    let samples: Vec<Sample> = (0..200u32)
        .map(|i| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let own = char::from_u32(0x4e00 + i).unwrap();
            let common = char::from_u32(0x6000 + i % 10).unwrap();
            let paragraph = Paragraph {
                id: i.to_string(),
                section: (i / 2).to_string(),
                text: format!("{own}{own}{common}"),
                ..Default::default()
            };
            let argues = state >> 63 == 1;
            let labels = argues.then(|| Label { thesis: 0, stance: Default::default(), evidence: None });
            Sample { paragraph, labels: labels.into_iter().collect(), ..Sample::default() }
        })
        .collect();
    let params = Params { min_df: 1, ..Params::default() }.check().unwrap();
    let area = |scores: &[f32]| {
        let of = |argues: bool| -> Vec<f32> {
            let chosen = samples.iter().enumerate().filter(|(_, s)| s.argues(0) == argues);
            chosen.map(|(i, _)| scores[i * taxonomy.len()]).collect()
        };
        let (positive, negative) = (of(true), of(false));
        let pairs = positive.iter().flat_map(|p| negative.iter().map(move |n| (p, n)));
        let wins: f64 = pairs.map(|(p, n)| f64::from(u8::from(p > n)) + 0.5 * f64::from(u8::from(p == n))).sum();
        wins / (positive.len() * negative.len()) as f64
    };
    let scores = cross_fit(&taxonomy, &samples, &params, &mut |_| {}).unwrap();
    assert_eq!(scores.len(), samples.len() * taxonomy.len());
    assert!(scores.iter().all(|s| (0.0..=1.0).contains(s)));
    assert!((0.35..0.65).contains(&area(&scores)), "{}", area(&scores));
}

#[test]
fn samples_that_do_not_suffice_are_refused_with_the_mend() {
    let taxonomy = Taxonomy::china_economy();
    let message = |samples: &[Sample], params: Params| {
        train(&taxonomy, samples, &params.check().unwrap(), &mut |_| {}).unwrap_err().to_string()
    };
    assert!(message(&[], Params::default()).contains("nothing can be learned"));
    assert!(message(&samples(3), Params::default()).contains("set folds = 3"));
    let unknown = Params { calibrate_on: vec!["double".to_owned()], ..Params::default() };
    assert!(message(&samples(9), unknown).contains("calibrate_on"));
    let rare = Params { min_df: 1000, ..Params::default() };
    assert!(message(&samples(9), rare).contains("lower min_df"));
}

#[test]
fn damaged_models_say_what_is_wrong() {
    let (manifest, weights) = small_model().to_files();
    let error = |manifest: &str, weights: &[u8]| Model::load(manifest, weights).unwrap_err().to_string();
    // What the hash would say first.
    let signed = |weights: &[u8]| {
        let said = sha256(&small_model().to_files().1);
        error(&manifest.replace(&said, &sha256(weights)), weights)
    };
    assert!(error(&manifest, &weights[..weights.len() - 1]).contains("SHA-256"));
    assert!(error(&manifest.replace("format = 1", "format = 9"), &weights).contains("format 9"));
    assert!(error(&manifest.replace("\"linear\"", "\"cubic\""), &weights).contains("cubic"));
    assert!(error("", &weights).contains("format"));
    assert!(signed(&weights[..weights.len() - 1]).contains("cut short"));
    assert!(signed(&[weights.clone(), vec![0]].concat()).contains("too many"));
    assert!(signed(b"PK\x03\x04 and so on").contains("not the weights"));
    let mut nan = weights.clone();
    nan[20..24].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(signed(&nan).contains("not finite"));
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(MANIFEST), &manifest).unwrap();
    assert!(Model::open(dir.path()).unwrap_err().to_string().contains(WEIGHTS));
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,60}",
        "[产能过剩房价工资低卖不出去，。的了0-9a-zA-Z「」\u{200b}\u{301}]{0,80}",
        Just(SOLD.to_owned()),
        Just(String::new()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_give_what_single_paragraphs_give(
        rows in prop::collection::vec((texts(), texts(), texts()), 1..8),
        follow in prop::collection::vec(any::<bool>(), 8),
    ) {
        let linear = built_in();
        let units: Vec<Unit<'_>> = rows.iter().enumerate().map(|(i, (text, prev, heading))| Unit {
            text,
            // Some paragraphs really come after the one before them.
            prev: if i > 0 && follow[i] { &rows[i - 1].0 } else { prev },
            heading,
            title: "",
        }).collect();
        let together = classify(&linear, &units);
        for (row, unit) in units.iter().enumerate() {
            let alone = classify(&linear, std::slice::from_ref(unit));
            prop_assert_eq!(alone.row(0), together.row(row));
            let spans = |out: &Output, row: usize| -> Vec<_> {
                out.evidence.iter().filter(|e| e.row == row).map(|e| (e.thesis, e.range.clone(), e.weight)).collect()
            };
            prop_assert_eq!(spans(&alone, 0), spans(&together, row));
        }
    }

    #[test]
    fn damaged_bytes_never_panic(place in 0usize..4000, byte: u8, cut in prop::option::of(0usize..4000)) {
        thread_local!(static FILES: (String, Vec<u8>) = small_model().to_files());
        FILES.with(|(manifest, weights)| {
            let mut damaged = weights.clone();
            if let Some(b) = damaged.get_mut(place) {
                *b = byte;
            }
            damaged.truncate(cut.unwrap_or(usize::MAX));
            let manifest = manifest.replace(&sha256(weights), &sha256(&damaged));
            if let Ok(model) = Model::load(&manifest, &damaged) {
                classify(&Linear::new(model, &Taxonomy::china_economy()), &[unit(SOLD), unit("房价太高了")]);
            }
        });
    }
}
