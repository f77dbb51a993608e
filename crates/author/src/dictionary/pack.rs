//! From a dictionary to a rule pack.
//!
//! The decision that matters: a pack that is written is a pack that passes. Every rule gets examples made of its own
//! terms, the text is read back and its examples are run before anybody sees it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;

use lundian_core::{Diagnostic, Taxonomy};
use lundian_rules::{Origin, Pack, Rules};

use super::pattern::{Compiled, Matcher, compile};
use super::{Category, Dictionary, MESSAGES, Mapping, MappingError};
use crate::text::{is_slug, quoted, slug};

/// Positive examples of a rule; more of the same kind teach nobody.
const EXAMPLES: usize = 3;
/// Words in one expression: few enough that the rules can look for them all at once.
const WORDS: usize = 200;
/// Columns of a line of terms.
const COLUMNS: usize = 110;
/// Sentences that hardly any dictionary has a term for. The last is for those that have.
const NEUTRAL: &[&str] = &["今天天气很好。", "他走进房间，坐了下来。", "请翻到第三页。", "嗯……", "。"];

/// How a pack is made.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PackOptions {
    /// Name of the pack: lower-case ASCII letters, digits and hyphens.
    pub name: String,
    /// Weight of its rules, in (0, 1]: how likely a paragraph that has a term argues the thesis. Default: 0.5.
    pub weight: f32,
}

impl PackOptions {
    /// The defaults, with a name.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), weight: 0.5 }
    }

    /// The same options with another weight.
    #[must_use]
    pub fn with_weight(mut self, weight: f32) -> Self {
        self.weight = weight;
        self
    }
}

/// Why no pack can be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The name is none of a pack.
    #[error("{0:?} is no name of a pack: use lower-case ASCII letters, digits and hyphens")]
    Name(String),
    /// The weight is out of range.
    #[error("weight {0} is outside (0, 1]")]
    Weight(f32),
    /// The mapping does not fit the dictionary or the taxonomy.
    #[error(transparent)]
    Mapping(#[from] MappingError),
    /// No category speaks for a thesis.
    #[error("{path}: no category is mapped to a thesis: say which with `--map CATEGORY=THESIS` (its categories: {})", categories.join(", "))]
    Nothing {
        /// The dictionary.
        path: String,
        /// Its first categories.
        categories: Vec<String>,
    },
    /// What was written is not a pack, which is a bug here.
    #[error("the pack that was made does not pass: {0}")]
    Unfit(String),
}

/// A rule to be written.
struct Rule<'a> {
    id: String,
    category: &'a Category,
    thesis: usize,
    words: bool,
    /// Literals, or expressions.
    patterns: Vec<String>,
    positive: Vec<String>,
    /// What may be its negative example, the best first.
    negative: Vec<String>,
}

/// Writes a rule pack from a dictionary: a rule for each category that speaks for a thesis (two, if it has both Chinese
/// and Latin terms). Returns its text, and messages about categories and terms that were left out.
///
/// # Errors
/// When nothing is mapped, or the mapping or the options are wrong.
pub fn pack_from_dictionary(
    dictionary: &Dictionary,
    mapping: &Mapping,
    taxonomy: &Taxonomy,
    options: &PackOptions,
) -> Result<(String, Vec<Diagnostic>), PackError> {
    if !is_slug(&options.name) {
        return Err(PackError::Name(options.name.clone()));
    }
    if !(options.weight > 0.0 && options.weight <= 1.0) {
        return Err(PackError::Weight(options.weight));
    }
    let theses = mapping.resolve(dictionary, taxonomy)?;
    let mut diagnostics = Vec::new();
    let mut rules: Vec<Rule<'_>> = Vec::new();
    let mut ids = BTreeSet::new();
    for (category, thesis) in dictionary.categories.iter().zip(theses).filter(|(c, _)| !c.terms.is_empty()) {
        match thesis {
            Some(thesis) => add_rules(category, thesis, dictionary, &mut rules, &mut ids, &mut diagnostics),
            None => {
                let message = format!("category {:?} is mapped to no thesis and left out", category.path());
                let hint = format!("--map {}=THESIS", category.path());
                note(
                    &mut diagnostics,
                    Diagnostic::warning(&dictionary.path, message).at_line(category.line).with_hint(hint),
                );
            }
        }
    }
    if rules.is_empty() {
        let categories = dictionary.categories.iter().take(10).map(Category::path).collect();
        return Err(PackError::Nothing { path: dictionary.path.clone(), categories });
    }
    // What another thesis says is the best example of what a rule should leave alone.
    let of = |rule: &Rule<'_>| (rule.thesis, rule.positive[0].clone());
    let first = of(&rules[0]);
    let second = rules.iter().find(|rule| rule.thesis != first.0).map(of);
    for rule in &mut rules {
        let other = if rule.thesis == first.0 { second.as_ref() } else { Some(&first) };
        // Popped from the end.
        rule.negative = NEUTRAL.iter().rev().map(|s| (*s).to_owned()).chain(other.map(|o| o.1.clone())).collect();
    }
    loop {
        let text = write_pack(dictionary, taxonomy, options, &rules);
        let wrong = failures(&text, taxonomy, options)?;
        if wrong.is_empty() {
            return Ok((text, diagnostics));
        }
        for rule in rules.iter_mut().filter(|rule| wrong.contains(&rule.id)) {
            rule.negative.pop();
            if rule.negative.is_empty() {
                let message = format!("the terms of category {:?} match every text", rule.category.path());
                return Err(PackError::Unfit(message));
            }
        }
    }
}

fn note(diagnostics: &mut Vec<Diagnostic>, diagnostic: Diagnostic) {
    if diagnostics.len() < MESSAGES {
        diagnostics.push(diagnostic);
    }
}

fn add_rules<'a>(
    category: &'a Category,
    thesis: usize,
    dictionary: &Dictionary,
    rules: &mut Vec<Rule<'a>>,
    ids: &mut BTreeSet<String>,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut literals: Vec<String> = Vec::new();
    let mut expressions: BTreeMap<(bool, bool), Vec<String>> = BTreeMap::new();
    let (mut of_literals, mut of_expressions) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for term in &category.terms {
        match compile(&term.pattern) {
            Ok(Compiled { matcher, example }) => {
                if !seen.insert(matcher.clone()) {
                    continue;
                }
                let examples = match matcher {
                    Matcher::Literal(text) => {
                        literals.push(text);
                        &mut of_literals
                    }
                    Matcher::Expression { body, start, end } => {
                        expressions.entry((start, end)).or_default().push(body);
                        &mut of_expressions
                    }
                };
                if examples.len() < EXAMPLES {
                    examples.push(example);
                }
            }
            Err(reason) => {
                let message = format!("term {:?} is left out: {reason}", term.pattern);
                note(diagnostics, Diagnostic::warning(&dictionary.path, message).at_line(term.line));
            }
        }
    }
    let expressions: Vec<String> = expressions
        .iter()
        .flat_map(|(borders, bodies)| bodies.chunks(WORDS).map(move |chunk| expression(*borders, chunk)))
        .collect();
    let base = match slug(&category.names.join(" ")) {
        // Chinese names have no slug.
        s if s.is_empty() => format!("category-{}", category.line),
        s => s,
    };
    for (words, patterns, positive) in [(false, literals, of_literals), (true, expressions, of_expressions)] {
        if patterns.is_empty() {
            continue;
        }
        let stem = if words { format!("{base}-words") } else { base.clone() };
        let mut names = std::iter::once(stem.clone()).chain((2..).map(|n| format!("{stem}-{n}")));
        let Some(id) = names.find(|id| !ids.contains(id)) else { continue };
        ids.insert(id.clone());
        rules.push(Rule { id, category, thesis, words, patterns, positive, negative: Vec::new() });
    }
}

/// One expression for words with the same borders. ASCII borders, since to Unicode a Chinese character is a letter, and
/// 用AI做 has no border.
fn expression((start, end): (bool, bool), bodies: &[String]) -> String {
    let border = |there: bool| if there { r"(?-u:\b)" } else { "" };
    format!("{}(?:{}){}", border(start), bodies.join("|"), border(end))
}

/// The ids of rules of which an example comes out wrong.
fn failures(text: &str, taxonomy: &Taxonomy, options: &PackOptions) -> Result<HashSet<String>, PackError> {
    let (pack, diagnostics) = Pack::parse(&options.name, text, taxonomy, Origin::User);
    if let Some(d) = diagnostics.first() {
        return Err(PackError::Unfit(d.to_string()));
    }
    let rules = Rules::new(taxonomy, &[pack]).map_err(|e| PackError::Unfit(e.to_string()))?;
    let failures = rules.check();
    match failures.iter().find(|f| f.positive) {
        Some(failure) => Err(PackError::Unfit(failure.to_string())),
        None => Ok(failures.into_iter().map(|f| f.rule).collect()),
    }
}

fn write_pack(dictionary: &Dictionary, taxonomy: &Taxonomy, options: &PackOptions, rules: &[Rule<'_>]) -> String {
    let mut out = format!(
        "# Made from the {} dictionary {} by `lundian plugin new --from`.\n\
         # The weights are a guess: `lundian evaluate` with labelled samples shows what each thesis is worth.\n\
         format = 1\nname = {}\n",
        dictionary.format,
        crate::text::one_line(&dictionary.path),
        quoted(&options.name)
    );
    for rule in rules {
        let what = if rule.words { "Latin terms" } else { "terms" };
        let doc = format!("Says one of the {what} of the dictionary's category {:?}.", rule.category.path());
        let negative: Vec<String> = rule.negative.last().cloned().into_iter().collect();
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            "\n[[rule]]\nid = {}\nthesis = {}\ndoc = {}\nweight = {:?}\n{} = {}\npositive = {}\nnegative = {}\n",
            quoted(&rule.id),
            quoted(&taxonomy.theses()[rule.thesis].slug),
            quoted(&doc),
            options.weight,
            if rule.words { "regex" } else { "any" },
            array(&rule.patterns),
            array(&rule.positive),
            array(&negative),
        );
    }
    out
}

/// A TOML array of texts, on one line if it fits.
fn array(texts: &[String]) -> String {
    let items: Vec<String> = texts.iter().map(|t| quoted(t)).collect();
    if items.iter().map(|i| i.chars().count() + 2).sum::<usize>() < COLUMNS {
        return format!("[{}]", items.join(", "));
    }
    let (mut out, mut column) = ("[\n ".to_owned(), 1);
    for item in items {
        let width = item.chars().count() + 2;
        if column > 1 && column + width > COLUMNS {
            out.push_str("\n ");
            column = 1;
        }
        column += width;
        let _ = write!(out, " {item},");
    }
    out + "\n]"
}
