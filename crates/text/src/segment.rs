//! One document to paragraphs.
//!
//! The decision that matters: a paragraph is a line or block of at least ten Chinese characters (or as much in words
//! of other scripts). Anything shorter cannot carry an argument by itself and becomes the heading of what follows, so
//! that it is still seen as context.

use lundian_core::{Diagnostic, Document, Paragraph, SourceRange};

use crate::block::{Block, Kind, Metadata};
use crate::boilerplate::{self, Boilerplate};
use crate::decode::decode;
use crate::join::{UNITS, Words, join};
use crate::normalise::normalise;
use crate::reader::{Format, Options};
use crate::rows;
use crate::script::is_han;
use crate::{html, markdown};

/// Longest title, heading or name of an author, in bytes. Every paragraph carries them, so that a page with one as long
/// as itself would fill the memory.
const LONGEST_LABEL: usize = 600;

/// Cuts one document into paragraphs. `id` is the document's id; its file stem is the base of the ids of its
/// paragraphs and sections, and its ending gives the format if `options` does not. Duplicates are marked within the
/// document.
///
/// Never fails: what cannot be read is told by the diagnostics, and the document has no paragraphs then.
pub fn segment(id: &str, bytes: &[u8], options: &Options) -> (Document, Vec<Diagnostic>) {
    let format = options.format.or_else(|| Format::of_path(id)).unwrap_or_else(|| Format::sniff(bytes));
    if format.is_rows() {
        return rows::document(id, bytes, format, options);
    }
    let (mut document, diagnostics) = cut(id, stem(id), bytes, format, options);
    mark_duplicates(&mut document);
    (document, diagnostics)
}

/// [`segment`] for a document that is not rows, without marking duplicates.
pub(crate) fn cut(
    id: &str,
    stem: &str,
    bytes: &[u8],
    format: Format,
    options: &Options,
) -> (Document, Vec<Diagnostic>) {
    let source = match decode(bytes) {
        Ok(source) => source,
        Err(e) => {
            let problem = Diagnostic::error(id, e.to_string()).with_hint("save it as UTF-8 text, or leave it out");
            return (Document { id: id.to_owned(), ..Document::default() }, vec![problem]);
        }
    };
    let (metadata, blocks) = match format {
        Format::Html => html::html(&source),
        Format::Plain => markdown::plain(&source),
        _ => markdown::markdown(&source),
    };
    let document = Cutter::new(id, stem, metadata, options.min_length).cut(blocks, &source);
    let diagnostics = if document.paragraphs.is_empty() {
        let message = if source.trim().is_empty() { "the file is empty" } else { "there is no paragraph in it" };
        vec![Diagnostic::warning(id, message)]
    } else {
        Vec::new()
    };
    (document, diagnostics)
}

/// The file name of a document's id without its ending.
pub(crate) fn stem(id: &str) -> &str {
    let name = id.rsplit(['/', '\\']).next().unwrap_or(id);
    match name.rfind('.') {
        Some(dot) if dot > 0 => &name[..dot],
        _ if name == "-" => "stdin",
        _ => name,
    }
}

fn mark_duplicates(document: &mut Document) {
    let mut first: std::collections::HashMap<String, String> = std::collections::HashMap::new();
    for p in &mut document.paragraphs {
        match first.get(&p.text) {
            Some(id) => p.duplicate_of = Some(id.clone()),
            None => {
                first.insert(p.text.clone(), p.id.clone());
            }
        }
    }
}

/// How much a text says: two for each Chinese character (or kana, or Hangul), one for each word of other letters.
pub(crate) fn weight(text: &str) -> usize {
    let mut weight = 0;
    let mut in_word = false;
    for c in text.chars() {
        if is_han(c) || matches!(c, '\u{3040}'..='\u{30ff}' | '\u{ac00}'..='\u{d7a3}') {
            weight += 2;
            in_word = false;
        } else if c.is_alphabetic() {
            weight += usize::from(!in_word);
            in_word = true;
        } else if c != '\'' && c != '’' {
            in_word = false;
        }
    }
    weight
}

/// What the pieces of a document turn out to be.
enum Part {
    /// The author of what follows: a section begins.
    Section(String),
    /// A heading.
    Heading(String),
    /// Running text, with headings not yet told from it.
    Text(Block),
}

struct Cutter<'a> {
    stem: &'a str,
    min_weight: usize,
    document: Document,
}

impl<'a> Cutter<'a> {
    fn new(id: &str, stem: &'a str, metadata: Metadata, min_length: usize) -> Self {
        let document = Document {
            id: id.to_owned(),
            title: clipped(site_stripped(&metadata.title)).to_owned(),
            author: clipped(&metadata.author).to_owned(),
            date: clipped(&metadata.date).to_owned(),
            paragraphs: Vec::new(),
        };
        Self { stem, min_weight: min_length * 2, document }
    }

    fn cut(mut self, blocks: Vec<Block>, source: &str) -> Document {
        let parts = self.sort(blocks);
        let mut places = Places::new(source);
        let mut section = (0, String::new());
        let mut heading = String::new();
        let mut prev = String::new();
        let mut short = Vec::new();
        for part in parts {
            match part {
                Part::Section(author) => {
                    section = (section.0 + 1, author);
                    heading.clear();
                    prev.clear();
                }
                Part::Heading(text) => heading = text,
                Part::Text(block) if is_label(&block.text) && is_numbered_head(&block.text) => heading = block.text,
                Part::Text(block) if weight(&block.text) < self.min_weight => {
                    if is_label(&block.text) && block.text.chars().any(is_han) {
                        heading.clone_from(&block.text);
                    }
                    short.push(block);
                }
                Part::Text(block) => {
                    let paragraph = self.paragraph(block, &mut places);
                    self.document.paragraphs.push(Paragraph {
                        section: self.section_id(section.0),
                        author: if section.0 == 0 { self.document.author.clone() } else { section.1.clone() },
                        heading: heading.clone(),
                        prev: std::mem::replace(&mut prev, paragraph.text.clone()),
                        ..paragraph
                    });
                }
            }
        }
        // A text of nothing but short lines is still a text.
        if self.document.paragraphs.is_empty() {
            let mut places = Places::new(source);
            for block in short {
                let paragraph = self.paragraph(block, &mut places);
                let author = self.document.author.clone();
                self.document.paragraphs.push(Paragraph {
                    author,
                    prev: std::mem::replace(&mut prev, paragraph.text.clone()),
                    ..paragraph
                });
            }
        }
        self.document
    }

    fn section_id(&self, number: usize) -> String {
        if number == 0 { String::new() } else { format!("{}-a{number:03}", self.stem) }
    }

    fn paragraph(&self, block: Block, places: &mut Places<'_>) -> Paragraph {
        Paragraph {
            id: format!("{}-{:04}", self.stem, self.document.paragraphs.len() + 1),
            doc: self.document.id.clone(),
            title: self.document.title.clone(),
            date: self.document.date.clone(),
            source: Some(SourceRange { start: places.at(block.range.start), end: places.at(block.range.end) }),
            text: block.text,
            ..Paragraph::default()
        }
    }

    /// Sorts blocks into sections, headings and text; leaves boilerplate out and joins broken sentences.
    fn sort(&mut self, blocks: Vec<Block>) -> Vec<Part> {
        let mut parts = Vec::new();
        // Text since the last heading or section; joined when the next one comes.
        let mut text: Vec<Block> = Vec::new();
        let words = Words::new(&blocks);
        let flush = |text: &mut Vec<Block>, parts: &mut Vec<Part>| {
            let run = without_references(std::mem::take(text));
            parts.extend(join(run, &words).into_iter().map(Part::Text));
        };
        let mut in_references = false;
        let mut blocks = blocks.into_iter().peekable();
        while let Some(mut block) = blocks.next() {
            if matches!(block.kind, Kind::Heading | Kind::Author) && !is_label(&block.text) {
                block.kind = Kind::Text;
            }
            let author = match block.kind {
                Kind::Author => Some(block.text.clone()),
                Kind::Heading => author_heading(&block.text),
                _ => None,
            };
            if let Some(author) = author {
                flush(&mut text, &mut parts);
                // An author named twice in a row (picture, then name) opens one section.
                let repeated = matches!(parts.last(), Some(Part::Section(last)) if *last == author);
                if !repeated {
                    parts.push(Part::Section(author));
                }
                in_references = false;
                continue;
            }
            // A number that the page has set apart as an initial is no count.
            let initial = block.text.len() <= 4
                && block.text.bytes().all(|b| b.is_ascii_digit())
                && blocks.peek().is_some_and(|next| next.text.starts_with(|c| UNITS.contains(c)));
            if let Some(kind) = boilerplate::classify(&block.text).filter(|_| !initial) {
                self.learn(&block, kind);
                // A dropped line still stands between its neighbours, but a sentence may go on after it.
                continue;
            }
            if block.kind == Kind::Heading {
                flush(&mut text, &mut parts);
                in_references = boilerplate::is_reference_heading(&block.text);
                if !in_references && !self.is_title(&block, &parts) {
                    parts.push(Part::Heading(block.text));
                }
                continue;
            }
            if !in_references {
                text.push(block);
            }
        }
        flush(&mut text, &mut parts);
        parts
    }

    /// True for the heading that is the title of the document; takes it as the title if none was known.
    fn is_title(&mut self, block: &Block, parts: &[Part]) -> bool {
        let text = site_stripped(&block.text);
        if self.document.title.is_empty() && parts.is_empty() {
            text.clone_into(&mut self.document.title);
            return true;
        }
        // The page's title may go on with the name of a site that nobody has heard of.
        let rest = self.document.title.strip_prefix(text).unwrap_or_default().trim_start();
        if parts.is_empty() && rest.starts_with(['-', '_', '|', '—', '–']) {
            text.clone_into(&mut self.document.title);
            return true;
        }
        normalise(text) == normalise(&self.document.title)
    }

    /// Takes author and date out of a line that is dropped, where the document does not say them itself.
    fn learn(&mut self, block: &Block, kind: Boilerplate) {
        if kind == Boilerplate::Credit
            && self.document.author.is_empty()
            && let Some(author) = boilerplate::credited_author(&block.text)
        {
            author.clone_into(&mut self.document.author);
        }
        if kind == Boilerplate::Posted
            && self.document.date.is_empty()
            && let Some(date) = boilerplate::posted_date(&block.text)
        {
            date.clone_into(&mut self.document.date);
        }
    }
}

/// True if a text is short enough to be a title, a heading or a name.
fn is_label(text: &str) -> bool {
    text.len() <= LONGEST_LABEL
}

/// The beginning of `text` that is short enough to be a title or a name.
fn clipped(text: &str) -> &str {
    let ends = text.char_indices().map(|(at, c)| at + c.len_utf8());
    &text[..ends.take_while(|end| *end <= LONGEST_LABEL).last().unwrap_or(0)]
}

/// The author that a heading names as in `知乎用户 X 发表`, if it is such a heading.
fn author_heading(heading: &str) -> Option<String> {
    let text = heading.trim();
    let (named, rest) =
        ["知乎用户", "知乎用戶", "匿名用户", "匿名用戶", "网友", "網友", "用户", "用戶", "答主", "作者", "回答者"]
            .iter()
            .find_map(|p| text.strip_prefix(p))
            .map_or((false, text), |rest| (true, rest.trim_start_matches([':', '：'])));
    let rest = rest.trim();
    let ended =
        ["发表", "發表", "的回答", "回答", "发布", "發布", "说", "說"].iter().find_map(|s| rest.strip_suffix(s));
    let name = ended.unwrap_or(rest);
    let spaced = name.is_empty() || name.ends_with(char::is_whitespace) || rest.ends_with("的回答");
    let plain = name.chars().count() <= 30 && !name.contains(['。', '，', '？', '！', '；']);
    (plain
        && (named && (ended.is_some() || text.contains([':', '：', ' ']))
            || ended.is_some() && spaced && !name.is_empty()))
    .then(|| if name.trim().is_empty() { text.to_owned() } else { name.trim().to_owned() })
}

/// True for a short line that is numbered like a chapter (`一、`, `（二）`, `第三章`, `04 `) and is no sentence. Items
/// numbered with plain figures are mostly claims, and long ones stay paragraphs.
fn is_numbered_head(text: &str) -> bool {
    const NUMERALS: &str = "一二三四五六七八九十百零";
    let numeral = |s: &str| s.trim_start_matches(|c| NUMERALS.contains(c)).len();
    let inner = text.trim_start_matches(['（', '(']);
    let rest = inner.strip_prefix('第').unwrap_or(inner);
    let after = &rest[rest.len() - numeral(rest)..];
    let chapter = after.len() < rest.len()
        && if rest.len() < inner.len() {
            after.starts_with(['章', '节', '節', '部', '篇', '编', '編', '讲', '講'])
        } else if inner.len() < text.len() {
            after.starts_with(['）', ')'])
        } else {
            after.starts_with(['、', '．', '.', ' '])
        };
    let figures = text.len() > 3
        && text.as_bytes()[..2].iter().all(u8::is_ascii_digit)
        && text[2..].starts_with([' ', '、', '.', '\u{3000}']);
    (chapter || figures)
        && weight(text) <= 34
        && !after
            .trim_start_matches(['、', '．', '.', '）', ')'])
            .contains(['，', '。', '；', '：', '！', ',', ';', ':', '、'])
        && !text.ends_with(['？', '?', '.'])
}

/// A title without the name of the site that pages put behind it.
fn site_stripped(title: &str) -> &str {
    const SITES: &[&str] = &[
        "知乎",
        "知乎专栏",
        "简书",
        "豆瓣",
        "微信公众平台",
        "新浪网",
        "新浪财经",
        "网易",
        "网易订阅",
        "腾讯网",
        "腾讯新闻",
        "搜狐",
        "搜狐网",
        "澎湃新闻",
        "观察者网",
        "人民网",
        "新华网",
        "凤凰网",
        "财新网",
        "36氪",
        "雪球",
        "今日头条",
        "百度百科",
        "维基百科",
    ];
    let title = title.trim();
    title
        .rsplit_once([' ', '-', '_', '|', '—', '–'])
        .filter(|(_, site)| SITES.contains(site))
        .map_or(title, |(rest, _)| rest.trim_end_matches([' ', '-', '_', '|', '—', '–']))
}

/// Leaves out the list of references at the end of a run of text: from a line that announces it, or from the first of
/// its numbered notes, where what follows reads like one.
fn without_references(mut blocks: Vec<Block>) -> Vec<Block> {
    let announced = blocks.iter().enumerate().position(|(i, b)| {
        boilerplate::is_reference_heading(&b.text)
            && blocks.get(i + 1).is_none_or(|next| boilerplate::is_reference_entry(&next.text))
    });
    if let Some(at) = announced {
        let after = blocks[at + 1..].iter().position(|b| !boilerplate::is_reference_entry(&b.text));
        let end = after.map_or(blocks.len(), |n| at + 1 + n);
        blocks.drain(at..end);
    }
    let first = blocks.iter().rposition(|b| boilerplate::note_number(&b.text) == Some(1));
    if let Some(at) = first {
        let notes = blocks[at..].iter().filter(|b| boilerplate::note_number(&b.text).is_some()).count();
        // Notes may be broken over several lines each, but not over many.
        let entries = blocks[at..].iter().filter(|b| boilerplate::is_reference_entry(&b.text)).count();
        if notes >= 2 && blocks.len() - at <= notes * 5 && entries * 2 >= blocks.len() - at {
            blocks.truncate(at);
        }
    }
    blocks
}

/// Turns bytes into code points, for positions that mostly go forward.
struct Places<'a> {
    source: &'a str,
    byte: usize,
    point: usize,
}

impl<'a> Places<'a> {
    fn new(source: &'a str) -> Self {
        Self { source, byte: 0, point: 0 }
    }

    fn at(&mut self, byte: usize) -> usize {
        if byte < self.byte {
            (self.byte, self.point) = (0, 0);
        }
        self.point += self.source[self.byte..byte].chars().count();
        self.byte = byte;
        self.point
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authors_in_headings() {
        for (heading, author) in [
            ("知乎用户 赵某 发表", Some("赵某")),
            ("知乎用户  SOME ONE 发表", Some("SOME ONE")),
            ("匿名用户 发表", Some("匿名用户 发表")),
            ("王某 的回答", Some("王某")),
            ("王某 发表", Some("王某")),
            ("怎么扩大内需？", None),
            ("用户需求与供给", None),
            ("作者的话", None),
        ] {
            assert_eq!(author_heading(heading).as_deref(), author, "{heading}");
        }
    }

    #[test]
    fn weight_counts_characters_and_words() {
        assert_eq!(weight("产能过剩"), 8);
        assert_eq!(weight("GDP 增长 3.5%"), 5);
        assert_eq!(weight("it's a test"), 3);
    }

    #[test]
    fn titles_lose_the_name_of_the_site() {
        assert_eq!(site_stripped("怎么扩大内需？ - 知乎"), "怎么扩大内需？");
        assert_eq!(site_stripped("需求与供给_新浪财经"), "需求与供给");
        assert_eq!(site_stripped("供给-需求"), "供给-需求");
    }

    #[test]
    fn numbered_heads() {
        for head in [
            "一、产业转型升级的进展",
            "（二）管理机制还不健全的几个方面",
            "第三章 内需与外需的关系",
            "04 分配问题才是问题的根子",
        ] {
            assert!(is_numbered_head(head), "{head}");
        }
        for text in [
            "一、现在的繁荣只是短期的，长期看是停滞。",
            "1、这会造成企业高额负债",
            "一方面是产能过剩的问题",
            "2008 年的时候危机已经爆发",
            "第一次工业革命带来了棉纺织业的机器",
            "二、消费不振可能会成为长期的风险。",
        ] {
            assert!(!is_numbered_head(text), "{text}");
        }
    }

    #[test]
    fn what_every_paragraph_carries_is_short() {
        let (long, text) = ("题".repeat(1000), "改革是根本，改革要快，也要稳。");
        for source in [
            format!("---\ntitle: {long}\nauthor: {long}\n---\n\n{text}\n"),
            format!("# {long}\n\n{text}\n"),
            format!("# 题目\n\n## {long}\n\n{text}\n"),
            format!("[{long}](https://a/people/x)\n\n{text}\n"),
            format!("# 题目\n\n题{}\n\n{text}\n", "1".repeat(1000)),
        ] {
            let (document, _) = segment("a.md", source.as_bytes(), &Options::default());
            let last = document.paragraphs.last().unwrap();
            assert_eq!(last.text, text);
            for label in [&last.title, &last.heading, &last.author, &document.title, &document.author] {
                assert!(label.len() <= LONGEST_LABEL, "{}", label.len());
            }
        }
    }

    #[test]
    fn stems() {
        assert_eq!(stem("a/b.c.md"), "b.c");
        assert_eq!(stem("-"), "stdin");
        assert_eq!(stem(".hidden"), ".hidden");
    }
}
