//! One pass of the automaton over a text, and where each literal stands in it.
//!
//! A scan is a scratch pad: it is loaded with one text after another and keeps its memory, so that a paragraph costs no
//! allocation beyond its normal form.

use daachorse::CharwiseDoubleArrayAhoCorasick;
use lundian_text::Normalised;

/// A place in the normalised text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// Number of a literal in the automaton.
pub(crate) type LiteralId = u32;

/// All literals of all packs.
pub(crate) type Automaton = CharwiseDoubleArrayAhoCorasick<LiteralId>;

const NONE: u32 = u32::MAX;

/// Longest text that is scanned, in bytes. Normalising makes no text 18 times as long, so that offsets fit 32 bits.
pub(crate) const LONGEST: usize = 64 << 20;

/// Where the literals of the automaton stand in one text.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    original: String,
    loaded: bool,
    normalised: Normalised,
    /// The normal form in lower case, where that differs.
    lower: Option<String>,
    hits: Vec<Hit>,
    /// By literal: its first and last hit.
    ends: Vec<[u32; 2]>,
    /// The literals that were seen, each once.
    seen: Vec<LiteralId>,
}

#[derive(Debug)]
struct Hit {
    span: Span,
    next: u32,
}

impl Scan {
    pub(crate) fn new(literals: usize) -> Self {
        Self { ends: vec![[NONE; 2]; literals], ..Self::default() }
    }

    /// Scans `text`, of at most [`LONGEST`] bytes, unless it is the text scanned last: titles and headings repeat.
    pub(crate) fn load(&mut self, text: &str, automaton: Option<&Automaton>) {
        if self.loaded && self.original == text {
            return;
        }
        self.loaded = true;
        text.clone_into(&mut self.original);
        self.normalised = Normalised::new(text);
        let normal = self.normalised.as_str();
        self.lower = normal.bytes().any(|b| b.is_ascii_uppercase()).then(|| normal.to_ascii_lowercase());

        for literal in self.seen.drain(..) {
            self.ends[literal as usize] = [NONE; 2];
        }
        self.hits.clear();
        let Some(automaton) = automaton else { return };
        let text = self.lower.as_deref().unwrap_or(self.normalised.as_str());
        for hit in automaton.find_overlapping_iter(text) {
            let (literal, index) = (hit.value(), self.hits.len() as u32);
            let [first, last] = &mut self.ends[literal as usize];
            if *first == NONE {
                *first = index;
                self.seen.push(literal);
            } else {
                self.hits[*last as usize].next = index;
            }
            *last = index;
            self.hits.push(Hit { span: Span { start: hit.start() as u32, end: hit.end() as u32 }, next: NONE });
        }
    }

    /// The text that spans count in.
    pub(crate) fn text(&self) -> &str {
        self.lower.as_deref().unwrap_or(self.normalised.as_str())
    }

    /// The literals in the text, each once, by first appearance.
    pub(crate) fn seen(&self) -> &[LiteralId] {
        &self.seen
    }

    pub(crate) fn has(&self, literal: LiteralId) -> bool {
        self.ends[literal as usize][0] != NONE
    }

    /// Where a literal stands, from left to right.
    pub(crate) fn spans(&self, literal: LiteralId) -> impl Iterator<Item = Span> + '_ {
        let mut next = self.ends[literal as usize][0];
        std::iter::from_fn(move || {
            let hit = self.hits.get(next as usize)?;
            next = hit.next;
            Some(hit.span)
        })
    }

    /// The text between two places, which are borders of spans.
    pub(crate) fn between(&self, start: u32, end: u32) -> &str {
        &self.text()[start as usize..end as usize]
    }

    /// Bytes of the original text that a span covers.
    pub(crate) fn original(&self, span: Span) -> std::ops::Range<usize> {
        self.normalised.to_original(span.start as usize..span.end as usize)
    }
}
