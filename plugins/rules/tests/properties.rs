//! What holds for any text: batches, spans, scripts, and packs that are damaged.

use std::sync::LazyLock;

use lundian_plugin::serde_json::Value;
use lundian_plugin::{Batch, Classifier, Output, Plugin, Setup, Taxonomy, Unit, testing};
use lundian_rules::{Calibration, Origin, Pack, Rules, bundled};
use proptest::prelude::*;

/// Written for this project, one a line.
const PARAGRAPHS: &str = include_str!("../benches/paragraphs.txt");
const A_PACK: &str = include_str!("../packs/demand.toml");

static TAXONOMY: LazyLock<Taxonomy> = LazyLock::new(Taxonomy::china_economy);
static RULES: LazyLock<Rules> =
    LazyLock::new(|| Rules::create(&Setup::new(&TAXONOMY, &Value::Null)).expect("the built-in packs are right"));

fn classify(units: &[Unit<'_>]) -> Output {
    let mut out = Output::new(units.len(), TAXONOMY.len());
    RULES.classify(&Batch::new(units), &mut out).expect("nothing cancels it");
    out.check(|row| units[row].text).expect("every promise is kept");
    out
}

/// Text that rules are likely to fire in, cut and mixed with anything.
fn text() -> impl Strategy<Value = String> {
    let lines: Vec<&str> = PARAGRAPHS.lines().collect();
    let piece = (prop::sample::select(lines), 0usize..60, 1usize..60)
        .prop_map(|(line, skip, take)| line.chars().skip(skip).take(take).collect::<String>());
    let noise = prop_oneof![
        any::<String>(),
        "[，。！？；、\n ]{1,3}",
        "[a-zA-Zａ-ｚ０-９]{1,4}",
        "[體裝產👩\u{301}\u{200d}\u{20000}]{1,4}"
    ];
    prop::collection::vec(prop_oneof![3 => piece, 1 => noise], 0..5).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_batch_is_its_paragraphs_one_by_one(texts in prop::collection::vec((text(), text(), text()), 1..6)) {
        let unit = |(text, prev, heading): &'_ (String, String, String)| -> (String, String, String) {
            (text.clone(), prev.clone(), heading.clone())
        };
        let rows: Vec<_> = texts.iter().map(unit).collect();
        let units: Vec<Unit<'_>> =
            rows.iter().map(|(text, prev, heading)| Unit { text, prev, heading, title: "经济" }).collect();
        let together = classify(&units);
        for (row, unit) in units.iter().enumerate() {
            let alone = classify(std::slice::from_ref(unit));
            prop_assert_eq!(together.row(row), alone.row(0));
            let evidence = |out: &Output, row| -> Vec<_> {
                out.evidence.iter().filter(|e| e.row == row).map(|e| (e.thesis, e.range.clone(), e.weight)).collect()
            };
            prop_assert_eq!(evidence(&together, row), evidence(&alone, 0));
        }
    }

    #[test]
    fn what_scores_has_evidence(text in text()) {
        let unit = Unit { text: &text, ..Unit::default() };
        let out = classify(std::slice::from_ref(&unit));
        for (thesis, &score) in out.row(0).iter().enumerate() {
            prop_assert_eq!(score > 0.0, out.evidence.iter().any(|e| e.thesis == thesis));
        }
        for fired in RULES.explain(&unit) {
            for pair in fired.spans.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start);
            }
        }
    }

    #[test]
    fn a_damaged_pack_is_reported_inside_the_file(from in 0usize..20_000, len in 0usize..40, with in "[\\[\\]{}'\"=@…a-z\n]{0,4}") {
        let at = |i: usize| (i.min(A_PACK.len())..=A_PACK.len()).find(|&i| A_PACK.is_char_boundary(i)).unwrap_or(0);
        let (start, end) = (at(from), at(from + len));
        let damaged = format!("{}{with}{}", &A_PACK[..start], &A_PACK[end..]);
        let (_, diagnostics) = Pack::parse("p.toml", &damaged, &TAXONOMY, Origin::User);
        let lines = damaged.lines().count() + 1;
        for d in diagnostics {
            prop_assert!(d.line.is_some_and(|line| (1..=lines).contains(&line)), "{}", d);
        }
    }

    #[test]
    fn any_text_may_be_a_pack(source in any::<String>()) {
        Pack::parse("p.toml", &source, &TAXONOMY, Origin::User);
    }
}

#[test]
fn both_scripts_score_alike() {
    let mut fired = 0;
    for text in PARAGRAPHS.lines() {
        let traditional = lundian_text::to_traditional(text);
        let scores = |text| RULES.scores(&Unit { text, ..Unit::default() });
        let found = scores(text);
        assert_eq!(found, scores(&traditional), "{traditional}");
        fired += usize::from(found.iter().any(|s| *s > 0.0));
    }
    assert!(fired > 50, "rules fired in only {fired} paragraphs");
}

#[test]
fn the_built_in_packs_are_right() {
    let (packs, diagnostics) = bundled(&TAXONOMY);
    assert_eq!(diagnostics, []);
    let rules = Rules::new(&TAXONOMY, &packs).unwrap();
    let failures: Vec<String> = rules.check().iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let silent = rules.scores(&Unit::default());
    for (thesis, score) in TAXONOMY.theses().iter().zip(silent) {
        assert_eq!(score, 0.0, "no rule is about {}", thesis.slug);
    }
}

#[test]
fn the_built_in_packs_are_right_when_read_strictly() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("packs");
    let mut found = 0;
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "toml") {
            let (pack, diagnostics) = Pack::read(&path, &TAXONOMY);
            assert_eq!(diagnostics, []);
            assert_eq!(path.file_stem().unwrap(), pack.name(), "a pack is named like its file");
            found += 1;
        }
    }
    assert_eq!(found, bundled(&TAXONOMY).0.len(), "every pack of the folder is built in");
}

#[test]
fn the_built_in_calibration_is_about_the_built_in_rules() {
    let (packs, _) = bundled(&TAXONOMY);
    let rules = Rules::new(&TAXONOMY, &packs).unwrap();
    let calibration = Calibration::from_toml(include_str!("../calibration.toml")).unwrap();
    let known: std::collections::BTreeSet<(&str, &str)> = rules.ids().collect();
    for (pack, ids) in &calibration.weights {
        for id in ids.keys() {
            assert!(
                known.contains(&(pack.as_str(), id.as_str())),
                "calibration.toml weighs {pack}/{id}, which is gone"
            );
        }
    }
}

#[test]
fn keeps_the_promises_of_a_plugin() {
    let texts: Vec<&str> = PARAGRAPHS.lines().take(40).chain(["", "。", "👩‍👩‍👧"]).collect();
    testing::assert_conforms::<Rules>(&texts);
}
