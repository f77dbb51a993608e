//! Measures the segmenter against reference paragraphs of real documents, which are not part of the project. Where
//! they are absent, these tests say so and pass.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "tests stop at the first surprise, and say what they measure"
)]

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use lundian_text::{Options, segment};
use serde_json::Value;

fn corpus() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: there is no {}; the segmenter is not measured", path.display());
    None
}

fn folded(text: &str) -> String {
    text.split_whitespace().collect()
}

/// Texts of each document in a folder of JSONL files, distinct after white space is folded.
fn texts(folder: &Path) -> BTreeMap<String, HashSet<String>> {
    let mut texts: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        for line in std::fs::read_to_string(&path).unwrap().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            let field = |key: &str| row[key].as_str().unwrap().to_owned();
            texts.entry(field("doc")).or_default().insert(folded(&field("text")));
        }
    }
    texts
}

fn segmented(raw: &Path, doc: &str) -> Option<lundian_core::Document> {
    let name = format!("{doc}.md");
    let bytes = std::fs::read(raw.join(&name)).ok()?;
    Some(segment(&name, &bytes, &Options::default()).0)
}

#[test]
fn reference_paragraphs_are_recovered() {
    let Some(corpus) = corpus() else { return };
    for folder in ["reference", "gold"] {
        for (doc, wanted) in texts(&corpus.join(folder)) {
            let Some(document) = segmented(&corpus.join("raw"), &doc) else { continue };
            let found: HashSet<String> = document.paragraphs.iter().map(|p| folded(&p.text)).collect();
            let recovered = wanted.iter().filter(|t| found.contains(*t)).count();
            let share = recovered as f64 / wanted.len() as f64;
            eprintln!("{folder} {doc}: {recovered} of {} ({:.2} %)", wanted.len(), share * 100.0);
            assert!(share >= 0.98, "{folder} {doc}: {recovered} of {}", wanted.len());
        }
    }
}

#[test]
fn no_boilerplate_is_left() {
    let Some(corpus) = corpus() else { return };
    let opens = [
        "知乎用户",
        "编辑于",
        "发布于",
        "责任编辑",
        "展开阅读全文",
        "关注者",
        "被浏览",
        "特別聲明",
        "特别声明",
        "Notice:",
        "編輯:",
        "http://",
        "https://",
        "![",
        "date_saved",
        "Read on",
        "Read Original",
        "#Omnivore",
        "title:",
        "layout:",
        "赞同 ",
        "---",
        "* * *",
    ];
    for doc in ["inner-loop", "upgrading", "work-conference", "surplus-essay", "overcapacity-essay"] {
        let Some(document) = segmented(&corpus.join("raw"), doc) else { continue };
        for p in &document.paragraphs {
            assert!(!opens.iter().any(|o| p.text.starts_with(o)), "{doc}: {}", p.text);
            assert!(!p.text.contains("](") && !p.text.contains("**"), "{doc}: {}", p.text);
        }
    }
}

#[test]
fn source_ranges_contain_their_paragraphs() {
    let Some(corpus) = corpus() else { return };
    for doc in ["inner-loop", "upgrading", "work-conference", "surplus-essay", "overcapacity-essay"] {
        let Some(document) = segmented(&corpus.join("raw"), doc) else { continue };
        let source: Vec<char> =
            std::fs::read_to_string(corpus.join("raw").join(format!("{doc}.md"))).unwrap().chars().collect();
        let mut last = 0;
        for p in &document.paragraphs {
            let range = p.source.unwrap();
            assert!(range.start >= last && range.end > range.start && range.end <= source.len(), "{}", p.id);
            last = range.end;
            // Each character of the paragraph stands in the range, in order.
            let mut rest = source[range.start..range.end].iter();
            for c in p.text.chars().filter(|c| !c.is_whitespace()) {
                assert!(rest.any(|s| *s == c), "{}: {c} of {:?}", p.id, p.text);
            }
        }
    }
}
