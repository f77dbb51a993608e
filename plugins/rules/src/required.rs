//! Literals that every match of a regular expression must contain one of.
//!
//! They let the one automaton over all literals rule out most expressions, so that few are ever tried.

use regex_syntax::hir::{Class, Hir, HirKind};

/// A class of more characters than this says nothing.
const CLASS: usize = 16;
/// More literals than this are not worth looking for.
const LITERALS: usize = 256;

/// Literals, in lower case, of which each match of `pattern` in lower-case text contains at least one; `None` if no such
/// set is found.
pub(crate) fn literals(pattern: &str) -> Option<Vec<String>> {
    // Expressions ignore case; beyond ASCII the text does not come in lower case.
    if pattern.chars().any(|c| !c.is_ascii() && (c.is_lowercase() || c.is_uppercase())) {
        return None;
    }
    let hir = regex_syntax::parse(pattern).ok()?;
    let mut set = of(&hir)?;
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
    use super::literals;

    #[test]
    fn finds_what_a_match_cannot_do_without() {
        let of = |p| literals(p).map(|s| s.join(" "));
        assert_eq!(of("内需.{0,4}(不足|疲软)").as_deref(), Some("内需"));
        assert_eq!(of("(收入|工资)[低少]?").as_deref(), Some("工资 收入"));
        assert_eq!(of("[低少]+.*").as_deref(), Some("低 少"));
        assert_eq!(of("GDP").as_deref(), Some("gdp"));
        assert_eq!(of("(?i)gd+p").as_deref(), Some("p"));
        assert_eq!(of("äöü"), None);
        assert_eq!(of(r"\d+%?"), None);
        assert_eq!(of("(甲|.)乙?"), None);
    }
}
