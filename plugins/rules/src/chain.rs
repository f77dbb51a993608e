//! `near` and `sequence`: one item of each group, close together, in one sentence.
//!
//! Items are visited from left to right, and each remembers which sets of groups can end with it and how short. Only
//! neighbours within reach are looked at, so the time is linear in the text for a given distance.

use crate::normal::ends_sentence;
use crate::scan::{Scan, Span};

/// A term that stands in the text, and the group that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Item {
    pub(crate) span: Span,
    pub(crate) group: u8,
}

/// A chain that ends with some item: the groups that it has, and where it stands.
#[derive(Clone, Copy, Debug)]
struct Partial {
    groups: u8,
    span: Span,
    /// Start of its last item.
    last: u32,
}

/// The chains of one item of each of `groups` groups, shortest first come, none overlapping another.
pub(crate) fn chains(scan: &Scan, items: &mut [Item], groups: usize, within: usize, ordered: bool) -> Vec<Span> {
    items.sort_unstable();
    let all = ((1u16 << groups) - 1) as u8;
    let longest = items.iter().map(|i| i.span.end - i.span.start).max().unwrap_or(0);
    let reach = longest + 4 * within as u32;
    let mut partials: Vec<Partial> = Vec::new();
    let mut found: Vec<Span> = Vec::new();
    for item in items.iter() {
        let bit = 1u8 << item.group;
        let first = partials.len();
        if !ordered || item.group == 0 {
            partials.push(Partial { groups: bit, span: item.span, last: item.span.start });
        }
        for i in (0..first).rev() {
            let before = partials[i];
            if before.last + reach < item.span.start {
                break;
            }
            let fits = if ordered { before.groups == bit - 1 } else { before.groups & bit == 0 };
            if !fits || before.span.end > item.span.start || !joined(scan, before.span.end, item.span.start, within) {
                continue;
            }
            let grown = Partial {
                groups: before.groups | bit,
                span: Span { start: before.span.start, end: item.span.end },
                last: item.span.start,
            };
            if grown.groups == all {
                found.push(grown.span);
                continue;
            }
            // Of chains with the same groups and the same end, the shortest is enough.
            match partials[first..].iter_mut().find(|p| p.groups == grown.groups) {
                Some(other) => other.span.start = other.span.start.max(grown.span.start),
                None => partials.push(grown),
            }
        }
    }
    disjoint(found)
}

/// True if at most `within` characters, and no end of a sentence, stand between two places.
fn joined(scan: &Scan, start: u32, end: u32, within: usize) -> bool {
    if (end - start) as usize > 4 * within {
        return false;
    }
    let mut gap = 0;
    scan.between(start, end).chars().all(|c| {
        gap += 1;
        gap <= within && !ends_sentence(c)
    })
}

/// The spans that end first, leaving out those that overlap them.
fn disjoint(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|s| (s.end, std::cmp::Reverse(s.start)));
    let mut end = 0;
    spans.retain(|s| {
        let free = s.start >= end;
        if free {
            end = s.end;
        }
        free
    });
    spans
}
