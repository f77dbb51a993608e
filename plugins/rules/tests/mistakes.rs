//! Every mistake of a pack is reported, all in one pass, each with line, column and mend.

use lundian_plugin::Taxonomy;
use lundian_rules::{Origin, Pack, Rules};

fn mistakes(source: &str) -> Vec<String> {
    let (_, diagnostics) = Pack::parse("p.toml", source, &Taxonomy::china_economy(), Origin::User);
    diagnostics.iter().map(ToString::to_string).collect()
}

/// The mistake of a pack with one rule that has these extra lines, of which the first is line 10.
#[track_caller]
fn mistake_in_rule(lines: &str) -> String {
    let source = format!(
        "format = 1\nname = 'p'\nlists = {{ a = ['甲'] }}\n[[rule]]\nid = 'r'\ndoc = 'd'\nthesis = 'property'\npositive = ['x']\nnegative = ['y']\n{lines}\n"
    );
    let mut found = mistakes(&source);
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[track_caller]
fn assert_mistake(lines: &str, start: &str) {
    let found = mistake_in_rule(lines);
    assert!(found.starts_with(start), "{found}");
    assert!(found.ends_with(')'), "no hint: {found}");
}

#[test]
fn of_the_conditions() {
    assert_mistake("weight = 0.5\nany = ['@nobody']", "p.toml:11:8: no list \"nobody\" (the lists of this pack are a");
    assert_mistake("weight = 0.5\nany = ['甲乙', '']", "p.toml:11:14: empty term");
    assert_mistake("weight = 0.5\nany = ['…甲']", "p.toml:11:8: empty term");
    assert_mistake("weight = 0.5\nany = ['甲…乙…丙…丁…戊']", "p.toml:11:8: too many … in a term");
    assert_mistake("weight = 0.5\nany = []", "p.toml:11:7: no terms");
    assert_mistake("weight = 0.5\nregex = ['(']", "p.toml:11:10: bad regular expression: unclosed group");
    assert_mistake("weight = 0.5\nregex = ['x', 'a*']", "p.toml:11:15: the expression matches the empty text");
    assert_mistake("weight = 0.5\nnot = ['甲']", "p.toml:4:1: the rule has no condition");
    assert_mistake("weight = 0.5\nnear = { groups = [['甲']] }", "p.toml:11:8: wrong number of groups: 1 (give 2 to 6");
    assert_mistake("weight = 0.5\nnear = { groups = [['甲'], ['乙']], within = 999 }", "p.toml:11:44: wrong distance");
    assert_mistake(
        "weight = 0.5\nnear = { groups = [['甲'], ['乙']], with = 9 }",
        "p.toml:11:35: unknown key \"with\"",
    );
    assert_mistake("weight = 0.5\nany = ['甲']\nnot_before = {}", "p.toml:12:14: no terms");
    assert_mistake("weight = 0.5\nany = ['甲']\ncontext = {}", "p.toml:12:11: empty context");
    assert_mistake("weight = 0.5\nany = ['甲']\ncontext = { headng = ['x'] }", "p.toml:12:13: unknown key \"headng\"");
}

#[test]
fn of_the_wrong_type() {
    let shown = mistake_in_rule("weight = 0.5\nany = '甲'");
    assert_eq!(shown, "p.toml:11:7: found string where a list of terms should be");
    let shown = mistake_in_rule("weight = 0.5\nany = ['甲', 3]");
    assert_eq!(shown, "p.toml:11:13: found integer where a term should be");
}

#[test]
fn of_the_rest_of_a_rule() {
    assert_mistake("any = ['甲']", "p.toml:4:1: no weight");
    for weight in ["0", "1.1", "-0.5", "nan", "inf", "'x'"] {
        assert_mistake(&format!("any = ['甲']\nweight = {weight}"), "p.toml:11:10: wrong weight");
    }
    assert_mistake("any = ['甲']\nweight = 1\nstance = 'for'", "p.toml:12:10: unknown stance \"for\"");
    assert_mistake("any = ['甲']\nweight = 1\nanny = ['乙']", "p.toml:12:1: unknown key \"anny\"");
}

#[test]
fn of_a_thesis_with_the_nearest_slug() {
    let rule = "format = 1\nname = 'p'\n[[rule]]\nid = 'r'\ndoc = 'd'\nweight = 1\nany = ['甲']\npositive = ['甲']\nnegative = ['乙']\n";
    let near = mistakes(&format!("{rule}thesis = 'propery'"));
    assert_eq!(
        near,
        ["p.toml:10:10: taxonomy \"china-economy\" has no thesis \"propery\" (did you mean \"property\"?)"]
    );
    let source = format!("{rule}thesis = 'unheard-of-thing'");
    assert!(mistakes(&source)[0].ends_with("(`lundian thesis list` prints the slugs)"));
    let (pack, diagnostics) = Pack::parse("p.toml", &source, &Taxonomy::china_economy(), Origin::BuiltIn);
    assert!(pack.is_empty() && diagnostics.is_empty(), "skipped in a pack that serves many taxonomies");
}

#[test]
fn of_the_whole_file() {
    assert_eq!(
        mistakes("name = 'P 1'\nnam = 1\n"),
        [
            "p.toml:1:1: no format (begin the file with: format = 1)",
            "p.toml:1:8: name of the pack \"P 1\" (use lower-case ASCII letters, digits, hyphens)",
            "p.toml:2:1: unknown key \"nam\" (the keys here are format, name, lists, rule)",
        ]
    );
    assert_eq!(
        mistakes("format = 2\nname = 'p'"),
        ["p.toml:1:10: unknown format of rule packs (this program reads format = 1)"]
    );
    let syntax = mistakes("format = 1\nname = \n");
    assert!(syntax[0].starts_with("p.toml:2:"), "{syntax:?}");
    assert!(mistakes("format = 1\nname = 'p'\nname = 'q'")[0].starts_with("p.toml:3:1: "));
}

#[test]
fn of_lists_also_unused() {
    let head = "format = 1\nname = 'p'\n[lists]\n";
    assert_eq!(
        mistakes(&format!("{head}a = ['甲', '@b']\nb = ['@c']\nc = ['@a']\n")),
        ["p.toml:6:6: list \"a\" contains itself (take this use of the list out)"]
    );
    assert!(mistakes(&format!("{head}a = ['@a']"))[0].starts_with("p.toml:4:6: list \"a\" contains itself"));
    assert!(mistakes(&format!("{head}a = ['@z']"))[0].starts_with("p.toml:4:6: no list \"z\""));
    assert!(mistakes(&format!("{head}a = []"))[0].starts_with("p.toml:4:5: no terms"));
}

#[test]
fn in_lists_that_repeat_each_other_and_lines_as_long_as_the_file() {
    let terms: String = (0..2000).map(|i| format!("'{i}', ")).collect();
    let uses = "'@all', ".repeat(20_000);
    let source = format!("format = 1\nname = 'p'\n[lists]\nall = [{terms}]\nmore = [{uses}1]\n");
    let column = "more = [".len() + uses.len() + 1;
    let found = mistakes(&source);
    assert_eq!(found.len(), 1);
    assert!(found[0].starts_with(&format!("p.toml:5:{column}: found integer")), "{found:?}");

    let examples = "'甲', ".repeat(100_000);
    let column = "positive = [".len() + 5 * 100_000 + 1;
    let rule = "format = 1\nname = 'p'\n[[rule]]\nid = 'r'\ndoc = 'd'\nthesis = 'property'\nweight = 0.5\nany = ['甲']";
    let found = mistakes(&format!("{rule}\npositive = [{examples}1, 2]\nnegative = ['乙']\n"));
    assert_eq!(found.len(), 2);
    for (found, column) in found.iter().zip([column, column + 3]) {
        assert!(found.starts_with(&format!("p.toml:9:{column}: ")), "{found:?}");
    }
}

#[test]
fn of_missing_and_wrong_examples_and_double_ids() {
    let rule = "[[rule]]\nid = 'r'\ndoc = 'd'\nthesis = 'property'\nweight = 1\nany = ['甲']\n";
    let found =
        mistakes(&format!("format = 1\nname = 'p'\n{rule}{rule}positive = ['甲', {{ txt = '' }}]\nnegative = []\n"));
    assert_eq!(
        found,
        [
            "p.toml:3:1: no positive example (add positive = [\"...\"] with a paragraph in which the rule fires)",
            "p.toml:3:1: no negative example (add negative = [\"...\"] with a near miss in which the rule does not fire)",
            "p.toml:10:6: two rules of this pack have the id \"r\" (ids are unique in a pack)",
            "p.toml:15:20: unknown key \"txt\" (the keys here are text, heading, prev, title)",
            "p.toml:15:18: the example has no text (write the paragraph)",
            "p.toml:16:12: no negative example (add negative = [\"...\"] with a near miss in which the rule does not fire)",
        ]
    );
}

#[test]
fn one_bad_rule_does_not_cost_the_others() {
    let good = "[[rule]]\nid = 'g'\ndoc = 'd'\nthesis = 'property'\nweight = 1\nany = ['甲']\npositive = ['甲']\nnegative = ['乙']\n";
    let source = format!("format = 1\nname = 'p'\n{}{good}", good.replace("'g'", "'b'").replace("weight = 1", ""));
    let (pack, diagnostics) = Pack::parse("p.toml", &source, &Taxonomy::china_economy(), Origin::User);
    assert_eq!((pack.len(), diagnostics.len()), (1, 1));
}

#[test]
fn the_page_about_packs_shows_a_pack_that_works() {
    let page = include_str!("../packs/README.md");
    let start = page.find("format = 1").unwrap();
    let source = &page[start..start + page[start..].find("```").unwrap()];
    assert_eq!(mistakes(source), Vec::<String>::new());
    let taxonomy = Taxonomy::china_economy();
    let (pack, _) = Pack::parse("README.md", source, &taxonomy, Origin::User);
    assert_eq!(Rules::new(&taxonomy, &[pack]).unwrap().check(), []);
}
