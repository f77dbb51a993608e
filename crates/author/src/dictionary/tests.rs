//! Each format says the same small dictionary; mistakes name their lines; nothing panics.

use lundian_core::{Taxonomy, Unit};
use lundian_rules::{Origin, Pack, Rules};
use proptest::prelude::*;

use super::*;

const QUANTEDA: &str = "economy:\n  demand: [消费不足, 內需*]\n  trade:\n    - tariff*\n    - trade war\nother: 天气\n";
const LIWC: &str =
    "%\n1\teconomy\n\t2\tdemand\n\t3\ttrade\n4\tother\n%\n消费不足\t2\n內需*\t2\ntariff*\t3\ntrade war  3\n天气\t4\n";
const LEXICODER: &str = "+demand\n消费不足\n內需*\n\n+trade\ntariff*\ntrade war\n+other\n天气\n";
const WORDSTAT: &str = "economy\n\tdemand\n\t\t消费不足 (1)\n\t\t內需* (1)\n\ttrade\n\t\ttariff* (0.5)\n\t\ttrade_war (1)\nother\n\t天气 (1)\n";
const YOSHIKODER: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<dictionary style="050805" patternengine="substring">
<cnode name="all" desc=""><cnode name="economy"><cnode name="demand"><pnode name="消费不足"/><pnode name="內需*"/></cnode>
<cnode name="trade"><pnode name="tariff*"/><pnode name="trade war"/></cnode></cnode>
<cnode name="other"><pnode name="天气"/></cnode></cnode>
</dictionary>"#;

fn format(name: &str) -> &'static Format {
    FORMATS.iter().find(|f| f.name == name).unwrap()
}

fn terms(dictionary: &Dictionary) -> Vec<(String, Vec<&str>)> {
    let filled = dictionary.categories.iter().filter(|c| !c.terms.is_empty());
    filled.map(|c| (c.path(), c.terms.iter().map(|t| t.pattern.as_str()).collect())).collect()
}

fn two_theses() -> Taxonomy {
    Taxonomy::from_toml(
        r#"
name = "two"
version = "1"
[[family]]
slug = "f"
name = { zh = "族", en = "F" }
[[thesis]]
slug = "demand"
family = "f"
name = { zh = "需求", en = "Weak demand" }
proposition = { zh = "需求不足", en = "Demand is weak." }
[[thesis]]
slug = "closed-trade"
family = "f"
name = { zh = "贸易", en = "Trade" }
proposition = { zh = "贸易受阻", en = "Trade is closed." }
"#,
    )
    .unwrap()
}

#[test]
fn every_format_says_the_same() {
    let wanted: [(&str, &[&str]); 3] =
        [("demand", &["消费不足", "內需*"]), ("trade", &["tariff*", "trade war"]), ("other", &["天气"])];
    for (name, source) in [
        ("quanteda", QUANTEDA),
        ("liwc", LIWC),
        ("lexicoder", LEXICODER),
        ("wordstat", WORDSTAT),
        ("yoshikoder", YOSHIKODER),
    ] {
        let (dictionary, diagnostics) = Dictionary::parse(format(name), "d", source);
        assert_eq!(diagnostics, [], "{name}");
        let found = terms(&dictionary);
        assert_eq!(found.len(), wanted.len(), "{name}: {found:?}");
        for ((path, terms), (category, wanted)) in found.iter().zip(wanted) {
            let nested = name != "lexicoder" && category != "other";
            assert_eq!(*path, if nested { format!("economy.{category}") } else { category.to_owned() }, "{name}");
            assert_eq!(terms, wanted, "{name}");
        }
    }
}

#[test]
fn mistakes_name_their_lines_and_cost_only_themselves() {
    for (name, source, message) in [
        ("quanteda", "a:\n  - x\n  - [\n", "d:4: while parsing"),
        ("quanteda", "- x\n", "d:1: a dictionary is a mapping of categories, not a list"),
        ("quanteda", "a: &b x\nc: *b\n", "d:2: an alias (*name) is left out"),
        ("liwc", "a\t1\n", "d:1: no legend: the file should begin with a line that holds only %"),
        ("liwc", "%\n1\ta\n", "d:1: the legend does not end"),
        ("liwc", "%\n1\ta\n%\nx\t1\ny\t7\n", "d:5: \"y\" is in category 7, which the legend lacks"),
        ("liwc", "%\n1\ta\n%\nx\t1\nlike\t(1 2)1/1\n", "d:5: conditions on the words around \"like\" are left out"),
        ("lexicoder", "x\n+a\ny\n", "d:1: a term before any category"),
        ("wordstat", "x (1)\na\n\ty (1)\n", "d:1: a term outside any category"),
        ("wordstat", "a\n\ty (1)\n\t@R1 [y NEAR z] (1)\n", "d:3: rule \"@R1 [y NEAR z]\" is left out"),
        ("yoshikoder", "<dictionary>\n<cnode name='d'>\n</cnod>", "d:3: not XML: "),
        ("yoshikoder", "<dictionary><cnode name='d'/>\n<pnode name='x'/></dictionary>", "d:2: \"x\" is in no category"),
        ("yoshikoder", "<html/>", "d:1: not a Yoshikoder dictionary"),
        ("wordstat", "", "d: no terms in this wordstat dictionary (it should be WordStat: an indented outline)"),
    ] {
        let (_, diagnostics) = Dictionary::parse(format(name), "d", source);
        let found: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|d| d.starts_with(message)), "{message}: {found:?}");
    }
    let (dictionary, _) = Dictionary::parse(format("liwc"), "d", "%\n1\ta\n%\ny\t7\nx\t1\n");
    assert_eq!(terms(&dictionary), [("a".to_owned(), vec!["x"])]);
    let error = Dictionary::read(Path::new("words.txt")).unwrap_err().to_string();
    assert!(error.contains("rename it"), "{error}");
}

#[test]
fn the_outermost_node_of_yoshikoder_may_be_a_category() {
    let node = |name: &str| format!("<cnode name='{name}'><pnode name='x'/></cnode>");
    for (inside, wanted) in [
        (node("a"), &["a"][..]),
        (node("a") + &node("b"), &["a", "b"]),
        (format!("<cnode name='all'>{}</cnode>", node("a")), &["a"]),
    ] {
        let (d, messages) = Dictionary::parse(format("yoshikoder"), "d", &format!("<dictionary>{inside}</dictionary>"));
        assert_eq!(messages, []);
        assert_eq!(terms(&d).into_iter().map(|(path, _)| path).collect::<Vec<_>>(), wanted);
    }
}

#[test]
fn a_pack_labels_what_the_dictionary_means() {
    let taxonomy = two_theses();
    let (dictionary, _) = Dictionary::parse(format("quanteda"), "d.yml", QUANTEDA);
    let mapping = Mapping::from_pairs(["Trade=closed-trade"]).unwrap();
    let (text, diagnostics) =
        pack_from_dictionary(&dictionary, &mapping, &taxonomy, &PackOptions::new("mine").with_weight(0.75)).unwrap();
    let said: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(said, ["d.yml:6: category \"other\" is mapped to no thesis and left out (--map other=THESIS)"]);

    let (pack, diagnostics) = Pack::parse("mine", &text, &taxonomy, Origin::User);
    assert_eq!(diagnostics, [], "{text}");
    let rules = Rules::new(&taxonomy, &[pack]).unwrap();
    assert_eq!(rules.check(), []);
    let scores = |text: &str| rules.scores(&Unit { text, ..Unit::default() });
    assert_eq!(scores("内需不振，因为消费不足。"), [0.75, 0.0]);
    assert_eq!(scores("對華Tariffs上升。"), [0.0, 0.75]);
    assert_eq!(scores("a trade  war，又一次"), [0.0, 0.75]);
    assert_eq!(scores("antitariff, trade warrior, 消费正常"), [0.0, 0.0]);
}

#[test]
fn a_mapping_that_does_not_fit_says_what_would() {
    let taxonomy = two_theses();
    let (dictionary, _) = Dictionary::parse(format("lexicoder"), "d", LEXICODER);
    let error = |pairs: &[&str], name: &str| {
        let mapping = Mapping::from_pairs(pairs).unwrap();
        pack_from_dictionary(&dictionary, &mapping, &taxonomy, &PackOptions::new(name)).unwrap_err().to_string()
    };
    assert_eq!(
        error(&["trade=closed-trad"], "x"),
        "category \"trade\" is mapped to \"closed-trad\", which is no thesis; do you mean \"closed-trade\"?"
    );
    assert_eq!(error(&["tarde=demand"], "x"), "the dictionary has no category \"tarde\": it has demand, trade, other");
    assert_eq!(
        error(&["demand=", "trade="], "x"),
        "d: no category is mapped to a thesis: say which with `--map CATEGORY=THESIS` (its categories: demand, trade, other)"
    );
    assert!(error(&[], "My Pack").contains("no name of a pack"));
    assert!(matches!(Mapping::from_pairs(["x"]), Err(MappingError::Pair(_))));
}

#[test]
fn categories_do_not_multiply_the_name_that_they_lie_in() {
    let children: String = (0..100).map(|i| format!("\tk{i}\n\t\tt (1)\n")).collect();
    let source = format!("{}\n{children}", "题".repeat(100_000));
    let (dictionary, diagnostics) = Dictionary::parse(format("wordstat"), "d", &source);
    assert_eq!((dictionary.categories.len(), diagnostics.len()), (101, 0));
    assert!(dictionary.categories.iter().all(|c| c.path().len() < 1000));
}

#[test]
fn a_tag_as_long_as_the_file_is_refused_before_it_is_parsed() {
    let attributes: String = (0..200_000).map(|i| format!("a{i}='' ")).collect();
    let (_, diagnostics) = Dictionary::parse(format("yoshikoder"), "d", &format!("<dictionary {attributes}/>"));
    assert!(diagnostics[0].to_string().contains("a tag of more than"), "{diagnostics:?}");
}

/// Whether what was made passes, or was refused for a reason of its own: a dictionary of single marks may match whatever
/// is said.
fn fits(made: Result<(String, Vec<Diagnostic>), PackError>) -> bool {
    !matches!(made, Err(PackError::Unfit(message)) if !message.ends_with("match every text"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn no_text_breaks_a_reader_or_what_comes_after(
        index in 0..FORMATS.len(),
        source in r#"([a-z:\[\]{}&*?|>'"%+<>/=()@0-9 \t\n-]|[一-三]|dictionary|cnode|pnode|name=|\PC){0,60}"#,
    ) {
        let (dictionary, _) = Dictionary::parse(&FORMATS[index], "d", &source);
        let taxonomy = two_theses();
        let all = dictionary.categories.iter().map(|c| format!("{}=demand", c.path()));
        let Ok(mapping) = Mapping::from_pairs(all) else { return Ok(()) };
        prop_assert!(fits(pack_from_dictionary(&dictionary, &mapping, &taxonomy, &PackOptions::new("p"))));
    }

    #[test]
    fn no_term_breaks_a_pack(terms in prop::collection::vec(r#"[a-c*?@_…\\"'. 一二过過\u{0}-\u{20}（＊\PC]{1,8}"#, 1..6)) {
        let source: String = terms.iter().map(|t| format!("{}\n", t.replace(['\n', '\r'], " "))).collect();
        let (dictionary, _) = Dictionary::parse(format("lexicoder"), "d", &format!("+demand\nx\n{source}"));
        let made = pack_from_dictionary(&dictionary, &Mapping::default(), &two_theses(), &PackOptions::new("p"));
        prop_assert!(fits(made));
    }
}
