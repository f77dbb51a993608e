//! Regular expressions, and the literals that every match of one must contain one of.
//!
//! The literals let the one automaton over all terms rule out most expressions, so that few are ever tried, and those
//! of the built-in packs are compiled only then.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Class, Hir, HirKind};

use crate::normal;

/// Memory of a compiled expression, in bytes; keeps a pack from eating it all.
const SIZE: usize = 1 << 20;
/// A class of more characters than this says nothing.
const CLASS: usize = 16;
/// More literals than this are not worth looking for.
const LITERALS: usize = 256;

/// An expression that is known to be well formed and not to match the empty text.
#[derive(Debug)]
pub(crate) struct Pattern {
    source: String,
    regex: OnceLock<Option<Regex>>,
    required: Option<Vec<String>>,
}

impl Pattern {
    /// Parses an expression as it stands in a pack; the error says what is wrong.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let source = normal::pattern(pattern);
        let hir = regex_syntax::parse(&source).map_err(|e| last_line(&e.to_string()))?;
        if hir.properties().minimum_len() == Some(0) {
            return Err("the expression matches the empty text".to_owned());
        }
        let required = required(&source, &hir);
        Ok(Self { source, regex: OnceLock::new(), required })
    }

    /// Compiles the expression now; the error says why it cannot be.
    pub(crate) fn compile(&self) -> Result<(), String> {
        let regex = RegexBuilder::new(&self.source).case_insensitive(true).size_limit(SIZE).build();
        let regex = regex.map_err(|e| last_line(&e.to_string()))?;
        self.regex.get_or_init(|| Some(regex));
        Ok(())
    }

    /// The compiled expression; `None` if it is too large to be compiled.
    pub(crate) fn regex(&self) -> Option<&Regex> {
        let compile = || RegexBuilder::new(&self.source).case_insensitive(true).size_limit(SIZE).build().ok();
        self.regex.get_or_init(compile).as_ref()
    }

    /// Literals, in lower case, of which every match contains at least one; `None` if no such set is known.
    pub(crate) fn required(&self) -> Option<&[String]> {
        self.required.as_deref()
    }
}

/// The last line of a syntax error says what is wrong; those above draw the place.
fn last_line(error: &str) -> String {
    let what = error.lines().last().unwrap_or_default().trim().trim_start_matches("error: ");
    format!("bad regular expression: {what}")
}

fn required(source: &str, hir: &Hir) -> Option<Vec<String>> {
    // Expressions ignore case; beyond ASCII the text does not come in lower case.
    if source.chars().any(|c| !c.is_ascii() && (c.is_lowercase() || c.is_uppercase())) {
        return None;
    }
    let mut set = of(hir)?;
    for text in &mut set {
        text.make_ascii_lowercase();
    }
    set.sort_unstable();
    set.dedup();
    Some(set)
}

fn of(hir: &Hir) -> Option<Vec<String>> {
    let set = match hir.kind() {
        HirKind::Literal(literal) => vec![String::from_utf8(literal.0.to_vec()).ok()?],
        HirKind::Class(Class::Unicode(class)) => {
            let mut characters = class.iter().flat_map(|r| r.start()..=r.end());
            let set: Vec<String> = characters.by_ref().take(CLASS).map(String::from).collect();
            if set.is_empty() || characters.next().is_some() {
                return None;
            }
            set
        }
        HirKind::Capture(capture) => of(&capture.sub)?,
        HirKind::Repetition(repetition) if repetition.min > 0 => of(&repetition.sub)?,
        HirKind::Alternation(parts) => parts.iter().map(of).collect::<Option<Vec<_>>>()?.concat(),
        // Any part will do; the one whose shortest literal is longest, then the one with the fewest literals.
        HirKind::Concat(parts) => parts
            .iter()
            .filter_map(of)
            .max_by_key(|set| (set.iter().map(|text| text.chars().count()).min(), std::cmp::Reverse(set.len())))?,
        _ => return None,
    };
    (set.len() <= LITERALS && set.iter().all(|text| !text.is_empty())).then_some(set)
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn finds_what_a_match_cannot_do_without() {
        let of = |p| Pattern::new(p).unwrap().required().map(|s| s.join(" "));
        assert_eq!(of("内需.{0,4}(不足|疲软)").as_deref(), Some("内需"));
        assert_eq!(of("(收入|工资)[低少]?").as_deref(), Some("工资 收入"));
        assert_eq!(of("[低少]+.*").as_deref(), Some("低 少"));
        assert_eq!(of("GDP").as_deref(), Some("gdp"));
        assert_eq!(of("(?i)gd+p").as_deref(), Some("p"));
        assert_eq!(of("äöü"), None);
        assert_eq!(of(r"\d+%?"), None);
        assert_eq!(of("(甲|.)乙?"), None);
    }

    #[test]
    fn refuses_what_cannot_work() {
        for empty in ["a*", "", "^", "(甲|乙?)"] {
            assert!(Pattern::new(empty).is_err_and(|e| e.contains("empty text")), "{empty}");
        }
        assert!(Pattern::new("(").is_err_and(|e| e.contains("unclosed group")));
        let large = Pattern::new("(.{500}){500}").unwrap();
        assert!(large.compile().is_err_and(|e| e.contains("size limit")));
        assert!(large.regex().is_none());
        let fine = Pattern::new("甲.").unwrap();
        assert!(fine.compile().is_ok() && fine.regex().is_some_and(|r| r.is_match("甲乙")));
    }
}
