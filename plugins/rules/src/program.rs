//! All rules of all packs, made ready to run.
//!
//! Each rule names a set of literals of which at least one must be in a paragraph for the rule to fire, the rarest such
//! set that its conditions give. One pass of one automaton finds the literals; only the rules that they name are then
//! looked at. A rule whose only condition is an expression without a literal is looked at always.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use daachorse::CharwiseDoubleArrayAhoCorasickBuilder;
use lundian_plugin::Unit;

use crate::chain::{Item, chains};
use crate::normal::ends_clause;
use crate::pack::{Chain, Conditions, ELLIPSIS, NotBefore, Pack, TermId};
use crate::pattern::Pattern;
use crate::scan::{Automaton, LiteralId, Scan, Span};

/// The terms of all packs.
#[derive(Debug, Default)]
struct Terms(Vec<Box<[LiteralId]>>);

/// The conditions of one rule, in numbers; terms are those of [`Terms`].
#[derive(Debug)]
struct Test {
    any: Vec<TermId>,
    all: Vec<Vec<TermId>>,
    /// `near`, then `sequence`: any of each.
    chains: [Vec<Chain>; 2],
    regex: Vec<Expression>,
    not: Vec<TermId>,
    not_before: Option<NotBefore>,
    /// Heading, previous paragraph, title.
    context: Option<[Vec<TermId>; 3]>,
}

#[derive(Debug)]
struct Expression {
    pattern: Arc<Pattern>,
    /// At least one of these is in every match; `None` if nothing is known.
    required: Option<Vec<LiteralId>>,
}

/// Compiled rules. Rules are numbered in the order in which they came.
pub(crate) struct Program {
    automaton: Option<Automaton>,
    literals: usize,
    terms: Terms,
    tests: Vec<Test>,
    /// By literal: the rules to look at where it is seen.
    triggered: Vec<Vec<u32>>,
    /// The rules to look at always.
    always: Vec<u32>,
}

/// The scratch pads of one thread.
#[derive(Debug)]
pub(crate) struct Scratch {
    text: Scan,
    /// Heading, previous paragraph, title; scanned only where a rule asks.
    context: [Scan; 3],
    candidates: Vec<u32>,
}

/// A rule that fired, and where: spans of the normalised text, from left to right, none touching another.
#[derive(Debug)]
pub(crate) struct Firing {
    pub(crate) rule: usize,
    pub(crate) spans: Vec<Span>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("literals", &self.literals).field("tests", &self.tests).finish_non_exhaustive()
    }
}

impl Program {
    /// Makes ready the rules of `packs`, numbered in their order.
    pub(crate) fn new(packs: &[Pack]) -> Result<Self, String> {
        let mut literals = Interner::default();
        let mut terms = Terms::default();
        let mut tests = Vec::new();
        for pack in packs {
            let first = terms.0.len() as TermId;
            terms.0.extend(pack.terms.iter().map(|parts| parts.iter().map(|text| literals.literal(text)).collect()));
            tests.extend(pack.rules.iter().map(|rule| Test::new(&rule.when, first, &mut literals)));
        }
        let automaton = if literals.texts.is_empty() {
            None
        } else {
            let patterns = literals.texts.iter().zip(0..).map(|(text, id)| (text.as_str(), id));
            let builder = CharwiseDoubleArrayAhoCorasickBuilder::new();
            Some(builder.build_with_values(patterns).map_err(|e| format!("cannot build the automaton: {e}"))?)
        };
        let mut triggered = vec![Vec::new(); literals.texts.len()];
        let mut always = Vec::new();
        for (test, rule) in tests.iter().zip(0..) {
            match (Triggers { terms: &terms, literals: &literals.texts }).of(test) {
                Some(mut set) => {
                    set.sort_unstable();
                    set.dedup();
                    set.iter().for_each(|&literal| triggered[literal as usize].push(rule));
                }
                None => always.push(rule),
            }
        }
        Ok(Self { automaton, literals: literals.texts.len(), terms, tests, triggered, always })
    }

    /// Number of different literals.
    pub(crate) fn literals(&self) -> usize {
        self.literals
    }

    pub(crate) fn scratch(&self) -> Scratch {
        let scan = || Scan::new(self.literals);
        Scratch { text: scan(), context: [scan(), scan(), scan()], candidates: Vec::new() }
    }

    /// The rules that fire in a paragraph, in order. Their spans can be mapped back until the next run.
    pub(crate) fn run(&self, unit: &Unit<'_>, scratch: &mut Scratch) -> Vec<Firing> {
        let Scratch { text, context, candidates } = scratch;
        text.load(unit.text, self.automaton.as_ref());
        candidates.clear();
        candidates.extend_from_slice(&self.always);
        for &literal in text.seen() {
            candidates.extend_from_slice(&self.triggered[literal as usize]);
        }
        candidates.sort_unstable();
        candidates.dedup();
        let fired = candidates.iter().filter_map(|&rule| {
            let test = &self.tests[rule as usize];
            let spans = test.spans(&self.terms, text)?;
            let holds = test.context.as_ref().is_none_or(|sides| {
                let texts = [unit.heading, unit.prev, unit.title];
                sides.iter().zip(texts).zip(context.iter_mut()).any(|((terms, text), scan)| {
                    !terms.is_empty() && {
                        scan.load(text, self.automaton.as_ref());
                        terms.iter().any(|&term| self.terms.present(term, scan))
                    }
                })
            });
            holds.then_some(Firing { rule: rule as usize, spans })
        });
        fired.collect()
    }
}

impl Scratch {
    /// Bytes of the paragraph that a span of the last run covers.
    pub(crate) fn original(&self, span: Span) -> std::ops::Range<usize> {
        self.text.original(span)
    }
}

impl Test {
    /// The conditions of a rule of the pack whose terms begin at `first`.
    fn new(when: &Conditions, first: TermId, literals: &mut Interner) -> Self {
        let terms = |ids: &[TermId]| -> Vec<TermId> { ids.iter().map(|id| first + id).collect() };
        let groups = |groups: &[Vec<TermId>]| -> Vec<Vec<TermId>> { groups.iter().map(|ids| terms(ids)).collect() };
        let chains = |chains: &[Chain]| -> Vec<Chain> {
            chains.iter().map(|c| Chain { groups: groups(&c.groups), within: c.within }).collect()
        };
        let expression = |pattern: &Arc<Pattern>| {
            let required = pattern.required().map(|set| set.iter().map(|text| literals.literal(text)).collect());
            Expression { pattern: pattern.clone(), required }
        };
        Self {
            regex: when.regex.iter().map(expression).collect(),
            any: terms(&when.any),
            all: groups(&when.all),
            chains: [chains(&when.near), chains(&when.sequence)],
            not: terms(&when.not),
            not_before: when.not_before.as_ref().map(|n| NotBefore {
                terms: terms(&n.terms),
                except: terms(&n.except),
                within: n.within,
            }),
            context: when.context.as_ref().map(|c| [&c.heading, &c.prev, &c.title].map(|ids| terms(ids))),
        }
    }

    /// What the conditions on the paragraph itself matched; `None` if one does not hold.
    fn spans(&self, terms: &Terms, scan: &Scan) -> Option<Vec<Span>> {
        if self.not.iter().any(|&term| terms.present(term, scan)) {
            return None;
        }
        let negations = Negations::of(self.not_before.as_ref(), terms, scan);
        let holds = |span: &Span| !negations.reach(span.start, scan);
        let mut spans: Vec<Span> = Vec::new();
        // Adds what one condition matched; false if that is nothing.
        let mut add = |matched: &mut dyn Iterator<Item = Span>| {
            let before = spans.len();
            spans.extend(matched);
            spans.len() > before
        };
        let occurrences =
            |ids: &[TermId]| -> Vec<Span> { ids.iter().flat_map(|&id| terms.places(id, scan)).filter(holds).collect() };

        if !self.any.is_empty() && !add(&mut occurrences(&self.any).into_iter()) {
            return None;
        }
        for group in &self.all {
            if !add(&mut occurrences(group).into_iter()) {
                return None;
            }
        }
        for (alternatives, ordered) in self.chains.iter().zip([false, true]) {
            let mut matched = alternatives.iter().flat_map(|chain| {
                let mut items = Vec::new();
                for (ids, group) in chain.groups.iter().zip(0..) {
                    let before = items.len();
                    items.extend(occurrences(ids).into_iter().map(|span| Item { span, group }));
                    if items.len() == before {
                        return Vec::new();
                    }
                }
                chains(scan, &mut items, chain.groups.len(), chain.within, ordered)
            });
            if !alternatives.is_empty() && !add(&mut matched) {
                return None;
            }
        }
        if !self.regex.is_empty() {
            let possible = |e: &&Expression| e.required.as_ref().is_none_or(|set| set.iter().any(|&l| scan.has(l)));
            let regexes = self.regex.iter().filter(possible).filter_map(|e| e.pattern.regex());
            let mut matched = regexes.flat_map(|regex| {
                regex.find_iter(scan.text()).map(|m| Span { start: m.start() as u32, end: m.end() as u32 })
            });
            if !add(&mut matched.by_ref().filter(holds)) {
                return None;
            }
        }
        Some(merged(spans))
    }
}

/// Where the negations of a text end, from left to right, and how far they reach.
struct Negations {
    ends: Vec<u32>,
    within: usize,
}

impl Negations {
    fn of(not_before: Option<&NotBefore>, terms: &Terms, scan: &Scan) -> Self {
        let Some(NotBefore { terms: negations, except, within }) = not_before else {
            return Self { ends: Vec::new(), within: 0 };
        };
        let places = |ids: &[TermId]| -> Vec<Span> { ids.iter().flat_map(|&id| terms.places(id, scan)).collect() };
        let mut except = places(except);
        except.sort_unstable();
        let longest = except.iter().map(|e| e.end - e.start).max().unwrap_or(0);
        let excepted = |n: &Span| {
            let from_left = &except[..except.partition_point(|e| e.start <= n.start)];
            let near = from_left.iter().rev().take_while(|e| n.end - e.start <= longest);
            near.into_iter().any(|e| n.end <= e.end)
        };
        let mut ends: Vec<u32> = places(negations).into_iter().filter(|n| !excepted(n)).map(|n| n.end).collect();
        ends.sort_unstable();
        Self { ends, within: *within }
    }

    /// True if one of them reaches what begins at `start`, in the same clause.
    fn reach(&self, start: u32, scan: &Scan) -> bool {
        let before = &self.ends[..self.ends.partition_point(|&end| end <= start)];
        // The last is the nearest: if it does not reach, none does.
        before.last().is_some_and(|&end| {
            (start - end) as usize <= 4 * self.within && {
                let gap = scan.between(end, start);
                gap.chars().count() <= self.within && !gap.contains(ends_clause)
            }
        })
    }
}

impl Terms {
    /// Whether a term stands in the text.
    fn present(&self, term: TermId, scan: &Scan) -> bool {
        match &*self.0[term as usize] {
            [literal] => scan.has(*literal),
            _ => !self.places(term, scan).is_empty(),
        }
    }

    /// Where a term stands in the text.
    fn places(&self, term: TermId, scan: &Scan) -> Vec<Span> {
        match &*self.0[term as usize] {
            [literal] => scan.spans(*literal).collect(),
            parts if !parts.iter().all(|&literal| scan.has(literal)) => Vec::new(),
            parts => {
                let of =
                    |(&literal, group): (&LiteralId, u8)| scan.spans(literal).map(move |span| Item { span, group });
                let mut items: Vec<Item> = parts.iter().zip(0..).flat_map(of).collect();
                chains(scan, &mut items, parts.len(), ELLIPSIS, true)
            }
        }
    }
}

/// Spans from left to right, those that overlap or touch made one.
fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable();
    spans.dedup_by(|next, kept| {
        let touches = next.start <= kept.end;
        if touches {
            kept.end = kept.end.max(next.end);
        }
        touches
    });
    spans
}

/// Gives each literal a number.
#[derive(Default)]
struct Interner {
    ids: HashMap<String, LiteralId>,
    texts: Vec<String>,
}

impl Interner {
    fn literal(&mut self, text: &str) -> LiteralId {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = self.texts.len() as LiteralId;
        self.ids.insert(text.to_owned(), id);
        self.texts.push(text.to_owned());
        id
    }
}

/// Chooses what brings a rule up.
struct Triggers<'p> {
    terms: &'p Terms,
    literals: &'p [String],
}

impl Triggers<'_> {
    /// Literals of which one is in every paragraph where the rule fires: the rarest set that one condition gives.
    fn of(&self, test: &Test) -> Option<Vec<LiteralId>> {
        let mut sets = Vec::new();
        if !test.any.is_empty() {
            sets.push(self.keys(&test.any));
        }
        sets.extend(test.all.iter().map(|group| self.keys(group)));
        for alternatives in test.chains.iter().filter(|a| !a.is_empty()) {
            let rarest = |chain: &Chain| self.rarest(chain.groups.iter().map(|group| self.keys(group)).collect());
            sets.extend(alternatives.iter().map(rarest).collect::<Option<Vec<_>>>().map(|sets| sets.concat()));
        }
        if !test.regex.is_empty() {
            let known: Option<Vec<_>> = test.regex.iter().map(|p| p.required.clone()).collect();
            sets.extend(known.map(|sets| sets.concat()));
        }
        self.rarest(sets)
    }

    /// Of each term its longest literal.
    fn keys(&self, terms: &[TermId]) -> Vec<LiteralId> {
        let longest = |parts: &[LiteralId]| parts.iter().copied().max_by_key(|&l| self.literals[l as usize].len());
        terms.iter().filter_map(|&term| longest(&self.terms.0[term as usize])).collect()
    }

    fn rarest(&self, sets: Vec<Vec<LiteralId>>) -> Option<Vec<LiteralId>> {
        // Each further character makes a literal some eight times as rare.
        let rarity = |literal: &LiteralId| 8f64.powi(-(self.literals[*literal as usize].chars().count() as i32));
        sets.into_iter()
            .map(|set| (set.iter().map(rarity).sum::<f64>(), set))
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, set)| set)
    }
}
