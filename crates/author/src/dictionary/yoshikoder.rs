//! Yoshikoder (`.ykd`): XML; `<cnode name="...">` is a category and `<pnode name="...">` a term. A single outermost `cnode`
//! without terms is the dictionary itself.

use std::collections::HashMap;

use roxmltree::{Document, Node, NodeId};

use super::{DEPTH, Reader};

/// The parser compares each attribute of a tag with all before it, and no tag of a dictionary has many.
const LONGEST_TAG: usize = 16 << 10;

pub(super) fn read(source: &str, reader: &mut Reader<'_>) {
    if source.split('<').any(|piece| piece.len() > LONGEST_TAG) {
        return reader.broken(1, format!("not a Yoshikoder dictionary: a tag of more than {LONGEST_TAG} bytes"));
    }
    let document = match Document::parse(source) {
        Ok(document) => document,
        Err(error) => return reader.broken(error.pos().row as usize, format!("not XML: {error}")),
    };
    let starts: Vec<usize> = std::iter::once(0).chain(source.match_indices('\n').map(|(i, _)| i + 1)).collect();
    // By node: its category (none for the dictionary itself) and its depth. Parents come before their children.
    let mut known: HashMap<NodeId, (Option<usize>, usize)> = HashMap::new();
    let root = document.root_element();
    if root.tag_name().name() != "dictionary" {
        reader.broken(1, "not a Yoshikoder dictionary: its outermost element should be <dictionary>");
        return;
    }
    if root.attribute("patternengine") == Some("regexp") {
        reader.skipped(1, "its patterns are regular expressions, and are read as plain terms", "");
    }
    let named = |node: &Node<'_, '_>, name| node.is_element() && node.tag_name().name() == name;
    let outermost: Vec<Node<'_, '_>> = root.children().filter(|n| named(n, "cnode")).collect();
    let itself = match &outermost[..] {
        [only] if !only.children().any(|n| named(&n, "pnode")) => Some(only.id()),
        _ => {
            known.insert(root.id(), (None, 0));
            None
        }
    };
    for node in root.descendants().filter(|n| n.is_element() && n.id() != root.id()) {
        let line = starts.partition_point(|&start| start <= node.range().start);
        let name = node.attribute("name").unwrap_or_default().trim();
        let parent = node.parent().and_then(|parent| known.get(&parent.id()).copied());
        match (node.tag_name().name(), parent) {
            ("cnode", _) if Some(node.id()) == itself => {
                known.insert(node.id(), (None, 0));
            }
            ("cnode", Some((_, depth))) if name.is_empty() || depth >= DEPTH => {
                reader.skipped(line, "a category without a name, or too deep in others, is left out", "");
            }
            ("cnode", Some((within, depth))) => {
                let category = reader.category(within, name, line);
                known.insert(node.id(), (Some(category), depth + 1));
            }
            ("pnode", Some((Some(category), _))) => reader.term(category, name, line),
            ("pnode", _) => {
                reader.skipped(line, format!("{name:?} is in no category"), "put its <pnode> into a <cnode>")
            }
            _ => {}
        }
    }
}
