//! Packs: rules read from TOML.
//!
//! A pack is read by hand from the spanned TOML tree, not by serde's derive: so every mistake of a file is found in one
//! pass, and each has a line, a column and a mend.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use lundian_plugin::{Diagnostic, Stance, Taxonomy, Unit};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::normal;
use crate::pattern::Pattern;

/// The format that this program reads.
const FORMAT: i64 = 1;
/// Characters between neighbours of `near` and `sequence` where the rule does not say.
const WITHIN: usize = 8;
/// Characters between a negation and what it negates where the rule does not say.
const NOT_BEFORE_WITHIN: usize = 4;
/// Characters that `…` in a term stands for, at most.
pub(crate) const ELLIPSIS: usize = 6;
/// Parts of a term, with `…` between them.
const PARTS: std::ops::RangeInclusive<usize> = 1..=4;
/// More characters than any sentence needs; keeps matching linear.
const MAX_WITHIN: i64 = 200;
/// Groups of a `near` or `sequence`; the sets of groups met so far are kept in a byte.
const GROUPS: std::ops::RangeInclusive<usize> = 2..=6;

/// A pack of rules, checked against a taxonomy.
#[derive(Clone, Debug)]
pub struct Pack {
    pub(crate) name: Arc<str>,
    pub(crate) path: Arc<str>,
    /// By [`TermId`].
    pub(crate) terms: Vec<Term>,
    pub(crate) rules: Vec<Arc<Rule>>,
}

/// A rule of a pack.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) thesis: usize,
    pub(crate) doc: String,
    pub(crate) weight: f32,
    pub(crate) stance: Stance,
    pub(crate) when: Conditions,
    pub(crate) positive: Vec<Example>,
    pub(crate) negative: Vec<Example>,
}

/// What must hold for a rule to fire: every condition that is there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    pub(crate) any: Vec<TermId>,
    pub(crate) all: Vec<Vec<TermId>>,
    pub(crate) near: Vec<Chain>,
    pub(crate) sequence: Vec<Chain>,
    pub(crate) regex: Vec<Arc<Pattern>>,
    pub(crate) not: Vec<TermId>,
    pub(crate) not_before: Option<NotBefore>,
    pub(crate) context: Option<Context>,
}

/// A term: normalised literals, with a gap of up to [`ELLIPSIS`] characters between neighbours. Never empty.
pub(crate) type Term = Vec<String>;

/// Number of a term in its pack: each is normalised and kept once, however often lists repeat it.
pub(crate) type TermId = u32;

/// One term of each group, close together.
#[derive(Clone, Debug)]
pub(crate) struct Chain {
    pub(crate) groups: Vec<Vec<TermId>>,
    pub(crate) within: usize,
}

/// Terms that take back a match that follows them.
#[derive(Clone, Debug)]
pub(crate) struct NotBefore {
    pub(crate) terms: Vec<TermId>,
    pub(crate) except: Vec<TermId>,
    pub(crate) within: usize,
}

/// Terms of which one must stand in the context.
#[derive(Clone, Debug, Default)]
pub(crate) struct Context {
    pub(crate) heading: Vec<TermId>,
    pub(crate) prev: Vec<TermId>,
    pub(crate) title: Vec<TermId>,
}

/// A paragraph in which a rule must, or must not, fire.
#[derive(Clone, Debug, Default)]
pub(crate) struct Example {
    pub(crate) text: String,
    pub(crate) heading: String,
    pub(crate) prev: String,
    pub(crate) title: String,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

impl Example {
    pub(crate) fn unit(&self) -> Unit<'_> {
        Unit { text: &self.text, prev: &self.prev, heading: &self.heading, title: &self.title }
    }
}

/// Whose a pack is, which says how strictly it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The user's, written for this taxonomy: a thesis that it does not have is a mistake.
    User,
    /// Built in, for any taxonomy: rules for other theses are left out. Its expressions are compiled when they are first
    /// needed, which saves half of the start; that they compile is shown by a test.
    BuiltIn,
}

impl Pack {
    /// Reads a pack. `path` is only for messages. The rules that are right are in the pack, and every mistake is a
    /// diagnostic with line, column and hint.
    pub fn parse(path: &str, source: &str, taxonomy: &Taxonomy, origin: Origin) -> (Self, Vec<Diagnostic>) {
        let mut reader = Reader {
            path,
            source,
            taxonomy,
            origin,
            lists: BTreeMap::new(),
            terms: Vec::new(),
            ids: HashMap::new(),
            diagnostics: Vec::new(),
            lines: line_starts(source),
            last_place: (0, 1),
        };
        let (tree, errors) = DeTable::parse_recoverable(source);
        for error in errors {
            reader.error(error.span().unwrap_or(0..0), error.message(), None);
        }
        // A tree with a hole in it would only repeat the same mistake as a missing key.
        let pack = if reader.diagnostics.is_empty() { reader.pack(&tree) } else { Self::empty(path) };
        (pack, reader.diagnostics)
    }

    /// Reads a pack from a file, for its own taxonomy.
    pub fn read(path: &Path, taxonomy: &Taxonomy) -> (Self, Vec<Diagnostic>) {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(source) => Self::parse(&shown, &source, taxonomy, Origin::User),
            Err(e) => {
                let d = Diagnostic::error(shown.as_str(), format!("cannot read the rule pack: {e}"))
                    .with_hint("name a TOML file in UTF-8");
                (Self::empty(&shown), vec![d])
            }
        }
    }

    /// A pack of which nothing could be read.
    fn empty(path: &str) -> Self {
        Self { name: "".into(), path: path.into(), terms: Vec::new(), rules: Vec::new() }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Number of rules.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True if it has no rules.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}

type Value<'i> = Spanned<DeValue<'i>>;

/// A list of terms: as written until somebody uses it, then expanded.
enum List<'t, 'i> {
    Written(&'t Value<'i>),
    Expanding,
    Expanded(Arc<[TermId]>),
}

/// Reads one file and notes what is wrong with it.
struct Reader<'t, 'i> {
    path: &'t str,
    source: &'t str,
    taxonomy: &'t Taxonomy,
    origin: Origin,
    lists: BTreeMap<String, List<'t, 'i>>,
    terms: Vec<Term>,
    /// By the text of the pack.
    ids: HashMap<&'t str, TermId>,
    diagnostics: Vec<Diagnostic>,
    /// Byte at which each line starts.
    lines: Vec<usize>,
    /// The byte whose place was asked for last, and its column.
    last_place: (usize, usize),
}

impl<'t, 'i> Reader<'t, 'i> {
    fn pack(&mut self, tree: &'t Spanned<DeTable<'i>>) -> Pack {
        let mut keys = Keys::new(tree.get_ref());
        let format = keys.take("format");
        match format.map(|v| (v, integer(v))) {
            Some((_, Some(FORMAT))) => {}
            Some((v, _)) => self.error(v.span(), "unknown format of rule packs", Some("this program reads format = 1")),
            None => self.error(0..0, "no format", Some("begin the file with: format = 1")),
        }
        let name = match keys.take("name") {
            Some(v) => self.slug(v, "name of the pack"),
            None => {
                self.error(0..0, "the pack has no name", Some("add a line such as: name = \"my-pack\""));
                None
            }
        };
        if let Some(lists) = keys.take("lists") {
            self.lists(lists);
        }
        let mut rules = Vec::new();
        let mut ids = BTreeSet::new();
        if let Some(list) = keys.take("rule") {
            for rule in self.array(list, "[[rule]] sections").unwrap_or_default() {
                let before = self.diagnostics.len();
                let rule = self.rule(rule, &mut ids);
                if self.diagnostics.len() == before {
                    rules.extend(rule.map(Arc::new));
                }
            }
        }
        self.unknown_keys(keys, &["format", "name", "lists", "rule"]);
        Pack {
            name: name.unwrap_or_default().into(),
            path: self.path.into(),
            terms: std::mem::take(&mut self.terms),
            rules,
        }
    }

    fn lists(&mut self, value: &'t Value<'i>) {
        let Some(table) = self.table(value, "a table of lists") else { return };
        for (name, list) in table {
            self.lists.insert(name.get_ref().to_string(), List::Written(list));
        }
        // Also the lists that no rule uses: a mistake should not wait until somebody does.
        let names: Vec<String> = self.lists.keys().cloned().collect();
        for name in names {
            self.expand(&name, value.span());
        }
    }

    /// The terms of the list `name`, which is used at `span`.
    fn expand(&mut self, name: &str, span: Range<usize>) -> Arc<[TermId]> {
        let Some(list) = self.lists.get_mut(name) else {
            let known: Vec<&str> = self.lists.keys().map(String::as_str).collect();
            let hint = if known.is_empty() {
                format!("define it under [lists]: {name} = [\"...\"]")
            } else {
                format!("the lists of this pack are {}", known.join(", "))
            };
            self.error(span, &format!("no list {name:?}"), Some(&hint));
            return Arc::default();
        };
        match std::mem::replace(list, List::Expanding) {
            List::Written(value) => {
                let terms: Arc<[TermId]> = self.terms(value).into();
                self.lists.insert(name.to_owned(), List::Expanded(terms.clone()));
                terms
            }
            List::Expanding => {
                let hint = "take this use of the list out";
                self.error(span, &format!("list {name:?} contains itself"), Some(hint));
                Arc::default()
            }
            List::Expanded(terms) => {
                *list = List::Expanded(terms.clone());
                terms
            }
        }
    }

    /// A non-empty array of terms, lists expanded, doubles dropped.
    fn terms(&mut self, value: &'t Value<'i>) -> Vec<TermId> {
        let Some(items) = self.array(value, "a list of terms") else { return Vec::new() };
        if items.is_empty() {
            self.error(value.span(), "no terms", Some("give at least one term, or leave the key out"));
        }
        let mut terms = Vec::new();
        let (mut seen, mut expanded) = (HashSet::new(), HashSet::new());
        for item in items {
            let Some(text) = self.text(item, "a term") else { continue };
            match text.strip_prefix('@') {
                Some(name) if expanded.insert(name) => {
                    terms.extend(self.expand(name, item.span()).iter().copied().filter(|&term| seen.insert(term)));
                }
                Some(_) => {}
                None => terms.extend(self.term(text, item.span()).filter(|&term| seen.insert(term))),
            }
        }
        terms
    }

    fn term(&mut self, text: &'t str, span: Range<usize>) -> Option<TermId> {
        if let Some(&id) = self.ids.get(text) {
            return Some(id);
        }
        let mut parts: Term = text.split('…').map(|part| normal::literal(part.trim())).collect();
        if parts.first().is_none_or(String::is_empty) || parts.last().is_none_or(String::is_empty) {
            let hint = "a term has at least one character at each end; … stands between two words";
            self.error(span, "empty term", Some(hint));
            return None;
        }
        // `……` is one mark in Chinese, and leaves an empty part in the middle.
        parts.retain(|part| !part.is_empty());
        if !PARTS.contains(&parts.len()) {
            let hint = format!("a term has at most {} parts; use sequence for more", PARTS.end());
            self.error(span, "too many … in a term", Some(&hint));
            return None;
        }
        let id = u32::try_from(self.terms.len()).ok()?;
        self.terms.push(parts);
        self.ids.insert(text, id);
        Some(id)
    }

    /// An array of groups of terms.
    fn groups(&mut self, value: &'t Value<'i>) -> Vec<Vec<TermId>> {
        let what = "a list of groups, each a list of terms: [[\"...\"], [\"...\"]]";
        self.array(value, what).unwrap_or_default().iter().map(|group| self.terms(group)).collect()
    }

    /// One table, or an array of tables, of `near` and `sequence`.
    fn chains(&mut self, value: &'t Value<'i>) -> Vec<Chain> {
        match value.get_ref() {
            DeValue::Array(tables) => tables.iter().filter_map(|t| self.chain(t)).collect(),
            _ => self.chain(value).into_iter().collect(),
        }
    }

    fn chain(&mut self, value: &'t Value<'i>) -> Option<Chain> {
        let table = self.table(value, "a table such as { groups = [[\"...\"], [\"...\"]], within = 8 }")?;
        let mut keys = Keys::new(table);
        let groups = keys.take("groups").map_or_else(Vec::new, |v| self.groups(v));
        if !GROUPS.contains(&groups.len()) {
            let hint = format!("give {} to {} groups", GROUPS.start(), GROUPS.end());
            self.error(value.span(), &format!("wrong number of groups: {}", groups.len()), Some(&hint));
        }
        let within = self.within(keys.take("within"), WITHIN);
        self.unknown_keys(keys, &["groups", "within"]);
        Some(Chain { groups, within })
    }

    fn within(&mut self, value: Option<&'t Value<'i>>, default: usize) -> usize {
        let Some(value) = value else { return default };
        match integer(value).filter(|n| (0..=MAX_WITHIN).contains(n)) {
            Some(n) => usize::try_from(n).unwrap_or(default),
            None => {
                let hint = format!("a whole number of characters from 0 to {MAX_WITHIN}");
                self.error(value.span(), "wrong distance", Some(&hint));
                default
            }
        }
    }

    fn rule(&mut self, value: &'t Value<'i>, ids: &mut BTreeSet<String>) -> Option<Rule> {
        let table = self.table(value, "a [[rule]] section")?;
        // The span of a section is its whole text; its first line is where the eye should go.
        let head = value.span().start..value.span().start;
        let mut keys = Keys::new(table);

        let id = match keys.take("id") {
            Some(v) => {
                let id = self.slug(v, "id of the rule");
                if let Some(id) = &id
                    && !ids.insert(id.clone())
                {
                    let message = format!("two rules of this pack have the id {id:?}");
                    self.error(v.span(), &message, Some("ids are unique in a pack"));
                }
                id
            }
            None => self.missing(&head, "id", "id = \"what-it-says\""),
        };
        let thesis = match keys.take("thesis") {
            Some(v) => self.thesis(v),
            None => self.missing(&head, "thesis", "thesis = \"slug\"; `lundian thesis list` prints the slugs"),
        };
        let doc = match keys.take("doc") {
            Some(v) => self.text(v, "a sentence").unwrap_or_default().trim().to_owned(),
            None => self.missing(&head, "doc", "doc = \"Says that ...\"").unwrap_or_default(),
        };
        let weight = match keys.take("weight") {
            Some(v) => self.weight(v),
            None => self.missing(&head, "weight", "weight = 0.7").unwrap_or_default(),
        };
        let stance = keys.take("stance").map_or(Stance::Endorse, |v| self.stance(v));
        let when = self.conditions(&mut keys, &head);
        let positive = self.examples(keys.take("positive"), &head, "positive", "a paragraph in which the rule fires");
        let negative =
            self.examples(keys.take("negative"), &head, "negative", "a near miss in which the rule does not fire");
        self.unknown_keys(keys, RULE_KEYS);
        Some(Rule { id: id?, thesis: thesis??, doc, weight, stance, when, positive, negative })
    }

    fn conditions(&mut self, keys: &mut Keys<'t, 'i>, head: &Range<usize>) -> Conditions {
        let mut when = Conditions::default();
        let mut positive = false;
        if let Some(v) = keys.take("any") {
            positive = true;
            when.any = self.terms(v);
        }
        if let Some(v) = keys.take("all") {
            positive = true;
            when.all = self.groups(v);
        }
        if let Some(v) = keys.take("near") {
            positive = true;
            when.near = self.chains(v);
        }
        if let Some(v) = keys.take("sequence") {
            positive = true;
            when.sequence = self.chains(v);
        }
        if let Some(v) = keys.take("regex") {
            positive = true;
            for item in self.array(v, "a list of regular expressions").unwrap_or_default() {
                if let Some(pattern) = self.text(item, "a regular expression") {
                    when.regex.extend(self.regex(pattern, item.span()));
                }
            }
        }
        if !positive {
            let hint = "give at least one of any, all, near, sequence, regex";
            self.error(head.clone(), "the rule has no condition that can match", Some(hint));
        }
        if let Some(v) = keys.take("not") {
            when.not = self.terms(v);
        }
        if let Some(v) = keys.take("not_before") {
            when.not_before = self.not_before(v);
        }
        if let Some(v) = keys.take("context") {
            when.context = self.context(v);
        }
        when
    }

    fn not_before(&mut self, value: &'t Value<'i>) -> Option<NotBefore> {
        let table = self.table(value, "a table such as { terms = [\"不\"], within = 4 }")?;
        let mut keys = Keys::new(table);
        let terms = match keys.take("terms") {
            Some(v) => self.terms(v),
            None => self.missing(&value.span(), "terms", "terms = [\"不\"]").unwrap_or_default(),
        };
        let except = keys.take("except").map_or_else(Vec::new, |v| self.terms(v));
        let within = self.within(keys.take("within"), NOT_BEFORE_WITHIN);
        self.unknown_keys(keys, &["terms", "within", "except"]);
        Some(NotBefore { terms, except, within })
    }

    fn context(&mut self, value: &'t Value<'i>) -> Option<Context> {
        let table = self.table(value, "a table such as { heading = [\"...\"] }")?;
        let mut keys = Keys::new(table);
        let mut of = |key| keys.take(key).map_or_else(Vec::new, |v| self.terms(v));
        let context = Context { heading: of("heading"), prev: of("prev"), title: of("title") };
        if table.is_empty() {
            self.error(value.span(), "empty context", Some("give terms of the heading, prev or title"));
        }
        self.unknown_keys(keys, &["heading", "prev", "title"]);
        Some(context)
    }

    fn regex(&mut self, pattern: &str, span: Range<usize>) -> Option<Arc<Pattern>> {
        let checked = Pattern::new(pattern).and_then(|pattern| match self.origin {
            Origin::User => pattern.compile().map(|_| pattern),
            Origin::BuiltIn => Ok(pattern),
        });
        match checked {
            Ok(pattern) => Some(Arc::new(pattern)),
            Err(message) => {
                let hint = "the syntax is that of the Rust regex crate: no look-around, no back references; some part \
                            must be required; write it in '...', where a backslash is a backslash";
                self.error(span, &message, Some(hint));
                None
            }
        }
    }

    /// `None` on a mistake, `Some(None)` where the rule is to be left out.
    fn thesis(&mut self, value: &'t Value<'i>) -> Option<Option<usize>> {
        let slug = self.text(value, "the slug of a thesis")?;
        match (self.taxonomy.index(slug), self.origin) {
            (Some(index), _) => Some(Some(index)),
            (None, Origin::BuiltIn) => Some(None),
            (None, Origin::User) => {
                let hint = match self.taxonomy.nearest(slug) {
                    Some(near) => format!("did you mean {near:?}?"),
                    None => "`lundian thesis list` prints the slugs".to_owned(),
                };
                let message = format!("taxonomy {:?} has no thesis {slug:?}", self.taxonomy.name());
                self.error(value.span(), &message, Some(&hint));
                None
            }
        }
    }

    fn weight(&mut self, value: &'t Value<'i>) -> f32 {
        let number = match value.get_ref() {
            DeValue::Float(f) => f.as_str().parse::<f32>().ok(),
            DeValue::Integer(i) => i.as_str().parse::<f32>().ok(),
            _ => None,
        };
        number.filter(|w| *w > 0.0 && *w <= 1.0).unwrap_or_else(|| {
            let hint = "a number above 0 and at most 1: how likely a match argues the thesis";
            self.error(value.span(), "wrong weight", Some(hint));
            0.0
        })
    }

    fn stance(&mut self, value: &'t Value<'i>) -> Stance {
        match self.text(value, "a stance") {
            Some("endorse") => Stance::Endorse,
            Some("reject") => Stance::Reject,
            Some("report") => Stance::Report,
            Some(other) => {
                let message = format!("unknown stance {other:?}");
                self.error(value.span(), &message, Some("one of endorse, reject, report"));
                Stance::Endorse
            }
            None => Stance::Endorse,
        }
    }

    fn examples(&mut self, value: Option<&'t Value<'i>>, head: &Range<usize>, key: &str, what: &str) -> Vec<Example> {
        let items = match value {
            Some(v) => match self.array(v, "a list of examples") {
                Some(items) => items,
                None => return Vec::new(),
            },
            None => &[],
        };
        if items.is_empty() {
            let span = value.map_or(head.clone(), Spanned::span);
            self.error(span, &format!("no {key} example"), Some(&format!("add {key} = [\"...\"] with {what}")));
        }
        items.iter().filter_map(|item| self.example(item)).collect()
    }

    fn example(&mut self, value: &'t Value<'i>) -> Option<Example> {
        let (line, column) = self.place(value.span().start);
        let mut example = Example { line, column, ..Example::default() };
        if let DeValue::Table(table) = value.get_ref() {
            let mut keys = Keys::new(table);
            let mut of = |key| keys.take(key).and_then(|v| self.text(v, "a text")).unwrap_or_default().to_owned();
            (example.text, example.heading) = (of("text"), of("heading"));
            (example.prev, example.title) = (of("prev"), of("title"));
            self.unknown_keys(keys, &["text", "heading", "prev", "title"]);
        } else {
            self.text(value, "an example: a text, or a table { text = \"...\", heading = \"...\" }")?
                .clone_into(&mut example.text);
        }
        if example.text.trim().is_empty() {
            self.error(value.span(), "the example has no text", Some("write the paragraph"));
        }
        Some(example)
    }

    fn slug(&mut self, value: &'t Value<'i>, what: &str) -> Option<String> {
        let text = self.text(value, what)?;
        let fits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !fits {
            self.error(
                value.span(),
                &format!("{what} {text:?}"),
                Some("use lower-case ASCII letters, digits, hyphens"),
            );
        }
        fits.then(|| text.to_owned())
    }

    fn text(&mut self, value: &'t Value<'i>, wanted: &str) -> Option<&'t str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.wrong_type(value, wanted);
        }
        text
    }

    fn array(&mut self, value: &'t Value<'i>, wanted: &str) -> Option<&'t [Value<'i>]> {
        match value.get_ref() {
            DeValue::Array(items) => Some(items),
            _ => {
                self.wrong_type(value, wanted);
                None
            }
        }
    }

    fn table(&mut self, value: &'t Value<'i>, wanted: &str) -> Option<&'t DeTable<'i>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong_type(value, wanted);
        }
        table
    }

    fn wrong_type(&mut self, value: &'t Value<'i>, wanted: &str) {
        let found = value.get_ref().type_str();
        self.error(value.span(), &format!("found {found} where {wanted} should be"), None);
    }

    fn missing<T>(&mut self, head: &Range<usize>, key: &str, line: &str) -> Option<T> {
        self.error(head.clone(), &format!("no {key}"), Some(&format!("add {line}")));
        None
    }

    fn unknown_keys(&mut self, keys: Keys<'t, 'i>, known: &[&str]) {
        for (key, span) in keys.left() {
            let hint = format!("the keys here are {}", known.join(", "));
            self.error(span, &format!("unknown key {key:?}"), Some(&hint));
        }
    }

    /// Line and column (in characters), counted from 1, of a byte of the source.
    fn place(&mut self, offset: usize) -> (usize, usize) {
        let line = self.lines.partition_point(|&start| start <= offset);
        let start = self.lines[line - 1];
        // Places mostly come in order, and a line may be as long as the file: counting goes on from the last one.
        let (from, before) = match self.last_place {
            (last, column) if start <= last && last <= offset => (last, column),
            _ => (start, 1),
        };
        let Some(text) = self.source.get(from..offset) else { return (line, 1) };
        let column = before + text.chars().count();
        self.last_place = (offset, column);
        (line, column)
    }

    fn error(&mut self, span: Range<usize>, message: &str, hint: Option<&str>) {
        let (line, column) = self.place(span.start);
        let d = Diagnostic::error(self.path, message).at_line(line).at_column(column);
        self.diagnostics.push(match hint {
            Some(hint) => d.with_hint(hint),
            None => d,
        });
    }
}

const RULE_KEYS: &[&str] = &[
    "id",
    "thesis",
    "doc",
    "weight",
    "stance",
    "any",
    "all",
    "near",
    "sequence",
    "regex",
    "not",
    "not_before",
    "context",
    "positive",
    "negative",
];

/// The keys of a table, taken one by one; what is left was not expected.
struct Keys<'t, 'i> {
    table: &'t DeTable<'i>,
    taken: Vec<&'static str>,
}

impl<'t, 'i> Keys<'t, 'i> {
    fn new(table: &'t DeTable<'i>) -> Self {
        Self { table, taken: Vec::new() }
    }

    fn take(&mut self, key: &'static str) -> Option<&'t Value<'i>> {
        self.taken.push(key);
        self.table.iter().find(|(k, _)| k.get_ref() == key).map(|(_, v)| v)
    }

    fn left(self) -> impl Iterator<Item = (&'t str, Range<usize>)> {
        let Self { table, taken } = self;
        table.keys().filter(move |k| !taken.contains(&k.get_ref().as_ref())).map(|k| (k.get_ref().as_ref(), k.span()))
    }
}

fn integer(value: &Value<'_>) -> Option<i64> {
    let integer = value.get_ref().as_integer()?;
    i64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn line_starts(source: &str) -> Vec<usize> {
    std::iter::once(0).chain(source.match_indices('\n').map(|(i, _)| i + 1)).collect()
}
