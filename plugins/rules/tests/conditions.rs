//! Each kind of condition fires where it should, stays silent where it should, and shows what it matched.

use std::fs;

use lundian_plugin::serde_json::{Value, json};
use lundian_plugin::{
    Batch, Classifier, ClassifierError, Label, Output, Paragraph, Plugin, Sample, Setup, Stance, Taxonomy, Unit,
};
use lundian_rules::{Calibration, Origin, Pack, Rules, calibrate};

const TAXONOMY: &str = r#"
name = "two"
version = "1"
[[family]]
slug = "f"
name = { zh = "族", en = "F" }
[[thesis]]
slug = "a"
family = "f"
name = { zh = "甲", en = "A" }
proposition = { zh = "甲", en = "A." }
[[thesis]]
slug = "b"
family = "f"
name = { zh = "乙", en = "B" }
proposition = { zh = "乙", en = "B." }
"#;

const LISTS: &str = "
people = ['老百姓', '居民']
poor = ['没钱', '囊中羞涩']
everyone = ['@people', '企业']
";

fn taxonomy() -> Taxonomy {
    Taxonomy::from_toml(TAXONOMY).expect("a taxonomy")
}

/// A pack of rules for thesis `a` with these conditions, named r0, r1, ..., each with its weight.
fn pack(rules: &[(f32, &str)]) -> String {
    let mut source = format!("format = 1\nname = 'p'\n[lists]\n{LISTS}");
    for (i, (weight, conditions)) in rules.iter().enumerate() {
        source += &format!(
            "[[rule]]\nid = 'r{i}'\nthesis = 'a'\ndoc = 'd'\nweight = {weight}\npositive = ['x']\nnegative = ['y']\n{conditions}\n"
        );
    }
    source
}

fn rules(rules: &[(f32, &str)]) -> Rules {
    let taxonomy = taxonomy();
    let (pack, diagnostics) = Pack::parse("p.toml", &pack(rules), &taxonomy, Origin::User);
    assert_eq!(diagnostics, []);
    Rules::new(&taxonomy, &[pack]).expect("one pack")
}

/// What a rule with these conditions matches in a paragraph; `None` if it does not fire.
fn matched(conditions: &str, unit: Unit<'_>) -> Option<Vec<String>> {
    let rules = rules(&[(0.5, conditions)]);
    let fired = rules.explain(&unit).pop()?;
    Some(fired.spans.iter().map(|s| unit.text[s.clone()].to_owned()).collect())
}

#[track_caller]
fn fires(conditions: &str, text: &str, quotes: &[&str]) {
    let found = matched(conditions, Unit { text, ..Unit::default() });
    assert_eq!(found.as_deref(), Some(quotes.iter().map(|q| (*q).to_owned()).collect::<Vec<_>>().as_slice()), "{text}");
}

#[track_caller]
fn silent(conditions: &str, text: &str) {
    assert_eq!(matched(conditions, Unit { text, ..Unit::default() }), None, "{text}");
}

#[test]
fn any_is_one_of_the_terms_and_shows_all() {
    let any = "any = ['内需不足', '@poor']";
    fires(any, "内需不足，因为大家没钱。", &["内需不足", "没钱"]);
    fires(any, "没钱就没钱。", &["没钱", "没钱"]);
    silent(any, "内需充足。");
}

#[test]
fn overlapping_terms_are_all_seen() {
    fires("all = [['需求不足'], ['内需']]", "内需求不足", &["内需求不足"]);
    fires("any = ['剩', '过剩', '产能过剩']", "产能过剩", &["产能过剩"]);
}

#[test]
fn terms_match_whatever_the_script_width_and_case() {
    fires("any = ['产能过剩']", "內捲與產能過剩。", &["產能過剩"]);
    fires("any = ['GDP增速']", "ｇｄｐ增速下滑", &["ｇｄｐ增速"]);
    fires("any = ['gdp']", "看Gdp吧", &["Gdp"]);
    fires("any = ['產能，過剩']", "产能,过剩", &["产能,过剩"]);
}

#[test]
fn an_ellipsis_is_a_short_gap() {
    let any = "any = ['越…越穷']";
    fires(any, "我们越干越穷。", &["越干越穷"]);
    fires(any, "越是拼命干，越穷。", &["越是拼命干，越穷"]);
    silent(any, "越是这样拼命地干活，越穷。");
    silent(any, "越干。越穷。");
    silent(any, "越穷");
    silent("any = ['老百姓']\nnot = ['越…越穷']", "老百姓越干越穷");
    fires("any = ['老百姓']\nnot = ['越…越穷']", "老百姓越穷，越是这样干", &["老百姓"]);
}

#[test]
fn all_is_one_of_each_group_anywhere() {
    let all = "all = [['@people'], ['@poor']]";
    fires(all, "没钱。真的。居民怎么办？", &["没钱", "居民"]);
    silent(all, "居民怎么办？");
}

#[test]
fn near_is_close_in_any_order_in_one_sentence() {
    let near = "near = { groups = [['@everyone'], ['@poor']], within = 3 }";
    fires(near, "企业都没钱", &["企业都没钱"]);
    fires(near, "没钱的老百姓", &["没钱的老百姓"]);
    fires(near, "企业一二三没钱", &["企业一二三没钱"]);
    silent(near, "企业一二三四没钱");
    silent(near, "企业。没钱");
    silent(near, "企业！没钱");
    silent(near, "没钱");
}

#[test]
fn near_takes_three_groups_and_alternatives() {
    let near = "near = { groups = [['甲'], ['乙'], ['丙']], within = 1 }";
    fires(near, "乙丙x甲", &["乙丙x甲"]);
    silent(near, "甲乙xx丙");
    silent(near, "甲乙甲乙");
    let either = "near = [{ groups = [['甲'], ['乙']], within = 0 }, { groups = [['丙'], ['丁']] }]";
    fires(either, "丁12345678丙，甲乙", &["丁12345678丙", "甲乙"]);
    silent(either, "甲1乙");
}

#[test]
fn the_terms_of_a_chain_do_not_overlap() {
    let near = "near = { groups = [['需求'], ['需求不足']], within = 3 }";
    silent(near, "需求不足");
    fires(near, "需求，需求不足", &["需求，需求不足"]);
}

#[test]
fn the_shortest_stretch_is_the_evidence() {
    let near = "near = { groups = [['收入'], ['低']], within = 8 }";
    fires(near, "收入和收入低，低", &["收入低"]);
    fires(near, "收入低，收入更低。", &["收入低", "收入更低"]);
}

#[test]
fn a_sequence_keeps_the_order() {
    let sequence = "sequence = { groups = [['收入'], ['太'], ['低', '少']], within = 2 }";
    fires(sequence, "收入实在太低了", &["收入实在太低"]);
    silent(sequence, "太少收入");
    silent(sequence, "低收入太多");
    silent(sequence, "收入少太多");
}

#[test]
fn expressions_see_the_normal_form() {
    fires(r"regex = ['(产能|库存).{0,3}过剩']", "產能嚴重過剩", &["產能嚴重過剩"]);
    fires(r"regex = ['降价，\d+%']", "降價,３０％", &["降價,３０％"]);
    fires(r"regex = ['GDP\w']", "gdp高", &["gdp高"]);
    fires(r"regex = ['甲（乙）']", "甲(乙)", &["甲(乙)"]);
    fires(r"regex = ['无', '\d{3}']", "共123家", &["123"]);
    silent(r"regex = ['^过剩$']", "产能过剩");
}

#[test]
fn not_is_nowhere_in_the_paragraph() {
    let rule = "any = ['过剩']\nnot = ['不是', '@poor']";
    fires(rule, "产能过剩", &["过剩"]);
    silent(rule, "没钱。但是产能过剩。");
}

#[test]
fn a_negation_reaches_within_its_clause() {
    let rule = "any = ['过剩']\nnot_before = { terms = ['不', '并非'], within = 2, except = ['不仅'] }";
    silent(rule, "产能并不过剩");
    silent(rule, "产能不是很过剩");
    fires(rule, "产能不是真的过剩", &["过剩"]);
    fires(rule, "并非，过剩", &["过剩"]);
    fires(rule, "不仅过剩", &["过剩"]);
    fires(rule, "过剩不好", &["过剩"]);
    fires(rule, "不过剩，但是真的过剩", &["过剩"]);
    let near = "near = { groups = [['@people'], ['@poor']] }\nnot_before = { terms = ['不是'] }";
    silent(near, "老百姓不是没钱");
    silent(near, "不是老百姓没钱");
    fires(near, "老百姓不是没钱，居民没钱", &["居民没钱"]);
    silent("regex = ['过.']\nnot_before = { terms = ['不'], within = 0 }", "不过剩");
}

#[test]
fn context_is_in_any_of_the_places_named() {
    let rule = "any = ['解决']\ncontext = { heading = ['内需'], prev = ['消费…不足'], title = ['经济'] }";
    let unit = |heading, prev, title| Unit { text: "先解决它", heading, prev, title };
    let hit = Some(vec!["解决".to_owned()]);
    assert_eq!(matched(rule, unit("擴大內需", "", "")), hit);
    assert_eq!(matched(rule, unit("", "消费长期不足", "")), hit);
    assert_eq!(matched(rule, unit("", "", "经济")), hit);
    assert_eq!(matched(rule, unit("经济", "内需", "消费不足")), None);
    assert_eq!(matched(rule, Unit { text: "内需消费不足，要解决", ..Unit::default() }), None);
}

#[test]
fn every_condition_must_hold() {
    let rule = "any = ['甲']\nall = [['乙'], ['丙']]\nnear = { groups = [['丁'], ['戊']] }\nregex = ['己.']";
    fires(rule, "甲，乙，丙，丁戊，己庚", &["甲", "乙", "丙", "丁戊", "己庚"]);
    for text in ["乙，丙，丁戊，己庚", "甲，丙，丁戊，己庚", "甲，乙，丙，己庚", "甲，乙，丙，丁戊"]
    {
        silent(rule, text);
    }
}

#[test]
fn scores_are_the_noisy_or_and_evidence_is_merged() {
    let rules = rules(&[(0.5, "any = ['产能过剩']"), (0.8, "any = ['过剩严重', '没人买']"), (0.9, "any = ['无']")]);
    let text = "說到產能過剩嚴重，沒人買。";
    let units = [Unit { text, ..Unit::default() }, Unit { text: "天气好", ..Unit::default() }];
    let mut out = Output::new(2, 2);
    rules.classify(&Batch::new(&units), &mut out).unwrap();
    assert!((out.row(0)[0] - 0.9).abs() < 1e-6);
    assert_eq!(out.row(1)[0], 0.0, "nothing fired");
    assert!(out.row(0)[1].is_nan() && out.row(1)[1].is_nan(), "no rule is about the second thesis");
    let quotes: Vec<_> = out.evidence.iter().map(|e| (&text[e.range.clone()], e.weight)).collect();
    assert_eq!(quotes, [("產能過剩嚴重", 0.8), ("沒人買", 0.8)]);
    let mut bare = Output::new(2, 2);
    rules.classify(&Batch::new(&units).without_evidence(), &mut bare).unwrap();
    assert_eq!((bare.row(0)[0], bare.evidence.len()), (out.row(0)[0], 0));
}

#[test]
fn explaining_names_the_rules() {
    let rules = rules(&[(0.5, "any = ['过剩']\nstance = 'reject'"), (0.8, "any = ['无']")]);
    let fired = rules.explain(&Unit { text: "过剩", ..Unit::default() });
    assert_eq!(fired.len(), 1);
    let f = &fired[0];
    assert_eq!((f.pack, f.id, f.thesis, f.doc, f.stance, f.weight), ("p", "r0", 0, "d", Stance::Reject, 0.5));
    assert_eq!(f.spans, vec![0.."过剩".len()]);
}

#[test]
fn examples_that_come_out_wrong_are_found() {
    let taxonomy = taxonomy();
    let source = pack(&[(0.5, "any = ['过剩']")])
        .replace("positive = ['x']", "positive = ['过剩', { text = '不足', heading = '过剩' }]")
        .replace("negative = ['y']", "negative = [\n  '不足',\n  '並不過剩']");
    let (pack, diagnostics) = Pack::parse("p.toml", &source, &taxonomy, Origin::User);
    assert_eq!(diagnostics, []);
    let failures = Rules::new(&taxonomy, &[pack]).unwrap().check();
    let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert_eq!(
        shown,
        [
            "p.toml:13:19: rule \"r0\" does not fire in its positive example: 不足",
            "p.toml:16:3: rule \"r0\" fires in its negative example: 並不過剩 (it matched 過剩)",
        ]
    );
}

fn sample(text: &str, argues: bool) -> Sample {
    let label = Label { thesis: 0, stance: Stance::Endorse, evidence: None };
    Sample {
        paragraph: Paragraph { text: text.to_owned(), ..Paragraph::default() },
        labels: argues.then_some(label).into_iter().collect(),
        ..Sample::default()
    }
}

#[test]
fn weights_are_drawn_from_the_prior_towards_precision() {
    let rules = rules(&[(0.5, "any = ['甲']"), (0.5, "any = ['乙']"), (0.7, "any = ['丙']")]);
    let mut train = vec![sample("甲", true); 8];
    train.extend(vec![sample("乙", false); 8]);
    let calibration = calibrate(&rules, &train, &[]);
    assert_eq!(calibration.weights["p"].get("r0"), Some(&0.83), "(8 + 4 * 0.5) / (8 + 4)");
    assert_eq!(calibration.weights["p"].get("r1"), Some(&0.17), "(0 + 4 * 0.5) / (8 + 4)");
    assert_eq!(calibration.weights["p"].get("r2"), Some(&0.7), "never fired");
    let threshold = calibration.thresholds.global;
    assert!(threshold > 0.17 && threshold <= 0.83, "{threshold} keeps apart what can be told apart");

    let calibrated = rules.with_calibration(&calibration);
    let score = |text| calibrated.scores(&Unit { text, ..Unit::default() })[0];
    assert_eq!((score("甲"), score("丙")), (0.83, 0.7));
    assert_eq!(calibrated.thresholds(), calibration.thresholds);
    assert_eq!(Calibration::from_toml(&calibration.to_toml()).unwrap(), calibration);
    assert_eq!(calibrate(&calibrated, &train, &[]), calibration, "an earlier calibration leaves no trace");
}

#[test]
fn weights_are_corrected_on_samples_that_nobody_read() {
    let rules = rules(&[(0.9, "any = ['甲']"), (0.9, "any = ['乙']")]);
    let train = vec![sample("甲", true); 20];
    let tune = [vec![sample("甲", true); 10], vec![sample("甲", false); 10]].concat();
    let calibration = calibrate(&rules, &train, &tune);
    let weights = &calibration.weights["p"];
    assert!((weights["r0"] - 0.5).abs() < 0.1, "half of what it claims is right: {}", weights["r0"]);
    assert!(weights["r1"] < 0.9 && weights["r1"] < weights["r0"], "every rule is corrected, in the same order");
    assert!(calibration.thresholds.global <= weights["r0"], "and still worth listening to");
}

#[test]
fn a_calibration_is_checked() {
    let error = |source: &str| Calibration::from_toml(source).unwrap_err().to_string();
    assert!(error("format = 2").contains("format 2"));
    assert!(error("format = 1\n[weights.p]\nr = 1.5").contains("p/r"));
    assert!(error("format = 1\n[weights.p]\nr = 0").contains("(0, 1]"));
    assert!(error("format = 1\n[thresholds]\nglobal = -1.0").contains("threshold -1"));
    assert!(error("format = 1\nx = 1").contains("line 2"));
}

fn create(settings: &Value, dir: Option<&std::path::Path>) -> Result<Rules, ClassifierError> {
    let taxonomy = taxonomy();
    let setup = Setup::new(&taxonomy, settings);
    Rules::create(&match dir {
        Some(dir) => setup.with_dir(dir),
        None => setup,
    })
}

#[test]
fn packs_of_the_users_own() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p.toml"), pack(&[(0.9, "any = ['过剩']")])).unwrap();
    fs::write(dir.path().join("c.toml"), "format = 1\n[thresholds]\nglobal = 0.3\n[weights.p]\nr0 = 0.4\n").unwrap();
    let unit = Unit { text: "产能过剩", ..Unit::default() };

    let rules = create(&json!({ "packs": ["p.toml"] }), Some(dir.path())).unwrap();
    assert_eq!(rules.scores(&unit)[0], 0.9);
    assert_eq!(rules.len(), 1, "the built-in packs have no rule for this taxonomy");
    let absolute = dir.path().join("p.toml");
    let rules = create(&json!({ "packs": [absolute], "bundled": false, "threshold": 0.2 }), None).unwrap();
    assert_eq!((rules.len(), rules.thresholds().of("a")), (1, 0.2));
    let rules = create(&json!({ "packs": ["p.toml"], "bundled": false }), Some(dir.path())).unwrap();
    assert_eq!(rules.thresholds().of("a"), 0.5, "the built-in calibration is about the built-in packs only");
    let rules = create(&json!({ "packs": ["p.toml"], "calibration": "c.toml" }), Some(dir.path())).unwrap();
    assert_eq!((rules.scores(&unit)[0], rules.thresholds().of("a")), (0.4, 0.3));
}

#[test]
fn wrong_settings_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("p.toml"), pack(&[(0.9, "any = ['过剩']")])).unwrap();
    fs::write(dir.path().join("bad.toml"), pack(&[(0.9, "any = ['@nobody']"), (2.0, "any = ['甲']")])).unwrap();
    let error = |settings: Value| create(&settings, Some(dir.path())).unwrap_err().to_string();
    assert!(error(json!({ "pack": [] })).contains("pack"));
    assert!(error(json!({ "threshold": 2 })).contains("outside [0, 1]"));
    assert!(error(json!({ "packs": ["none.toml"] })).contains("none.toml: cannot read the rule pack"));
    assert!(error(json!({ "packs": ["p.toml", "p.toml"] })).contains("rename one of them"));
    assert!(error(json!({ "calibration": "none.toml" })).contains("none.toml"));
    let both = error(json!({ "packs": ["bad.toml"] }));
    assert!(both.contains("no list \"nobody\"") && both.contains("wrong weight"), "{both}");
}
