//! Markdown and plain text to blocks, line by line.
//!
//! The decision that matters: every line is a block of its own. Scraped Markdown has one paragraph a line far more
//! often than it has soft line breaks; where a text really is wrapped by hand, `join` finds out from the widths.

use std::ops::Range;

use crate::block::{Block, Kind, Metadata, fold_space};

/// Cuts Markdown into blocks.
pub(crate) fn markdown(source: &str) -> (Metadata, Vec<Block>) {
    let (metadata, body) = front_matter(source);
    let mut blocks: Vec<Block> = Vec::new();
    let mut adjacent = false;
    let mut fenced = false;
    for range in lines(source, body) {
        let line = &source[range.clone()];
        let trimmed = line.trim();
        if trimmed.starts_with("```") || trimmed.starts_with("~~~") {
            fenced = !fenced;
            adjacent = false;
            continue;
        }
        if trimmed.is_empty() {
            adjacent = false;
            continue;
        }
        if trimmed.starts_with("[^") && trimmed.contains("]:") {
            // The text of a footnote.
            adjacent = false;
            continue;
        }
        if is_rule(trimmed) {
            // A row of dashes right under a line makes it a heading, unless that line is plainly a sentence.
            let underline = adjacent && !trimmed.contains(' ') && trimmed.starts_with(['-', '=']);
            if underline
                && let Some(above) = blocks.last_mut().filter(|b| b.kind == Kind::Text && is_heading_like(&b.text))
            {
                above.kind = Kind::Heading;
            }
            adjacent = false;
            continue;
        }
        let (kind, content) = if fenced { (Kind::Text, trimmed) } else { line_kind(trimmed) };
        let Inline { text, links, plain } = inline(content);
        let text = fold_space(&text);
        // A line that is nothing but a link to somebody's page names the author of what follows.
        let kind = match links.as_slice() {
            [url] if kind == Kind::Text && plain == 0 && !text.is_empty() && is_profile(url) => Kind::Author,
            _ => kind,
        };
        if text.is_empty() {
            // Images and empty links stand between paragraphs, so what follows is not the same block.
            adjacent = false;
            continue;
        }
        blocks.push(Block { range: trimmed_range(source, range), text, kind, adjacent });
        adjacent = true;
    }
    (metadata, blocks)
}

/// Cuts plain text into blocks. An indented line opens a paragraph, whatever stands before it; a first line that is no
/// sentence is the title.
pub(crate) fn plain(source: &str) -> (Metadata, Vec<Block>) {
    /// First lines that head a text but do not name it.
    const OPENINGS: &[&str] =
        &["前言", "引言", "序", "序言", "导语", "導語", "导言", "摘要", "目录", "目錄", "正文", "编者按", "編者按"];
    let mut blocks = Vec::new();
    let mut adjacent = false;
    for range in lines(source, 0) {
        let line = &source[range.clone()];
        let text = fold_space(line);
        if text.is_empty() || is_rule(&text) {
            adjacent = false;
            continue;
        }
        let indented = line.starts_with("\u{3000}") || line.starts_with("  ") || line.starts_with('\t');
        let title = blocks.is_empty() && is_heading_like(&text) && text.chars().count() <= 30;
        let kind = if title && !OPENINGS.contains(&text.as_str()) { Kind::Heading } else { Kind::Text };
        blocks.push(Block { range: trimmed_range(source, range), text, kind, adjacent: adjacent && !indented });
        adjacent = true;
    }
    (Metadata::default(), blocks)
}

/// The ranges of the lines of `source` from `start` on, without their ends.
fn lines(source: &str, start: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let mut at = start;
    source[start..].split_inclusive('\n').map(move |line| {
        let range = at..at + line.trim_end_matches(['\n', '\r']).len();
        at += line.len();
        range
    })
}

fn trimmed_range(source: &str, range: Range<usize>) -> Range<usize> {
    let line = &source[range.clone()];
    let start = range.start + (line.len() - line.trim_start().len());
    start..start + line.trim().len()
}

/// True for a line of dashes, stars, equals signs or underscores, spaced or not, escaped or not.
fn is_rule(line: &str) -> bool {
    let mut signs = line.chars().filter(|c| !c.is_whitespace() && *c != '\\');
    let Some(first) = signs.next() else { return false };
    let long = line.chars().filter(|c| *c == first).count() >= 2;
    "-*=_—─＝﹣－~·.".contains(first) && long && signs.all(|c| c == first)
}

/// True for a line that can be a heading: short, and not ended or broken like a sentence.
pub(crate) fn is_heading_like(text: &str) -> bool {
    text.chars().count() <= 40
        && !text.ends_with(['。', '，', ',', '；', ';', '、', '：', ':'])
        && !text.trim_end_matches(['？', '?', '！', '!']).contains(['。', '；', '！', '？'])
}

/// What kind of line it is, and the line without the marks that say so.
fn line_kind(line: &str) -> (Kind, &str) {
    let mut content = line;
    let mut kind = Kind::Text;
    while let Some(rest) = content.strip_prefix('>') {
        content = rest.trim_start();
    }
    let marks = content.len() - content.trim_start_matches('#').len();
    if (1..=6).contains(&marks) && content[marks..].starts_with(char::is_whitespace) {
        return (Kind::Heading, content[marks..].trim().trim_end_matches('#').trim_end());
    }
    for mark in ["* ", "- ", "+ ", "*\t", "-\t", "•", "· "] {
        if let Some(rest) = content.strip_prefix(mark) {
            (kind, content) = (Kind::Item, rest.trim_start());
            break;
        }
    }
    let digits = content.len() - content.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    if (1..=3).contains(&digits) && (content[digits..].starts_with(". ") || content[digits..].starts_with("\\. ")) {
        kind = Kind::Item;
    }
    (kind, content)
}

/// A line of Markdown without its inline markup.
struct Inline<'a> {
    text: String,
    /// Where its links with text go to.
    links: Vec<&'a str>,
    /// Number of characters, other than white space, outside links.
    plain: usize,
}

/// Bytes that a link's text, or its address, may have.
const LONGEST_LINK: usize = 12 << 10;
/// Links within the text of links, such as pictures; deeper ones are read as plain text.
const LINK_DEPTH: usize = 4;

/// Resolves escapes, images, links, emphasis, tags and entities.
fn inline(line: &str) -> Inline<'_> {
    let brackets = if line.contains("](") { Brackets::of(line) } else { Brackets::default() };
    inline_within(line, 0, &brackets, LINK_DEPTH)
}

/// [`inline`] for the part `line` of a line that begins at `offset` of it and has the brackets `brackets`. Links nest
/// `depth` deep at most.
fn inline_within<'a>(line: &'a str, offset: usize, brackets: &Brackets, depth: usize) -> Inline<'a> {
    let paired = |mark: char| line.chars().filter(|c| *c == mark).nth(1).is_some();
    let (stars, underscores) = (paired('*'), paired('_'));
    let link = |at: usize| if depth > 0 { brackets.link(line, offset, at) } else { None };
    let mut out = Inline { text: String::with_capacity(line.len()), links: Vec::new(), plain: 0 };
    let mut at = 0;
    while let Some(c) = line[at..].chars().next() {
        let rest = &line[at..];
        let after = at + c.len_utf8();
        match c {
            '\\' => {
                match line[after..].chars().next() {
                    Some(escaped) if escaped.is_ascii_punctuation() => {
                        out.text.push(escaped);
                        out.plain += 1;
                        at = after + 1;
                    }
                    Some(_) => {
                        out.text.push(c);
                        at = after;
                    }
                    // At the end of a line it is a hard break.
                    None => at = after,
                }
                continue;
            }
            '!' if rest.starts_with("![") => {
                if let Some((_, _, end)) = link(after) {
                    at = end;
                    continue;
                }
            }
            '[' => {
                if rest.starts_with("[^")
                    && let Some(end) = rest.bytes().take(40).position(|b| b == b']')
                {
                    at += end + 1;
                    continue;
                }
                if let Some((text, url, end)) = link(at) {
                    let inner = inline_within(&line[text.clone()], offset + text.start, brackets, depth - 1);
                    if !inner.text.trim().is_empty() {
                        out.links.push(&line[url]);
                    }
                    out.text.push_str(&inner.text);
                    at = end;
                    continue;
                }
            }
            '<' => {
                if let Some(end) = rest.bytes().take(200).position(|b| b == b'>') {
                    let tag = rest[1..end].trim_start_matches('/');
                    if tag.starts_with(|c: char| c.is_ascii_alphabetic()) {
                        if tag.starts_with("http") {
                            out.text.push_str(tag);
                        } else if tag.starts_with("br") {
                            out.text.push(' ');
                        }
                        at += end + 1;
                        continue;
                    }
                }
            }
            '&' => {
                if let Some((decoded, len)) = crate::html::entity(rest) {
                    out.text.push_str(&decoded);
                    out.plain += 1;
                    at += len;
                    continue;
                }
            }
            '`' => {
                at = after;
                continue;
            }
            '*' | '~' | '_' if is_emphasis(line, at, c, if c == '_' { underscores } else { stars }) => {
                at = after;
                continue;
            }
            _ => {}
        }
        out.text.push(c);
        out.plain += usize::from(!c.is_whitespace());
        at = after;
    }
    out
}

/// True if the mark `c` at `at` is emphasis and not text: stars that touch a word or other stars, doubled tildes, and
/// underscores at the border of a word. `paired` says that the line has more than one of it.
fn is_emphasis(line: &str, at: usize, c: char, paired: bool) -> bool {
    let before = line[..at].chars().next_back();
    let after = line[at + 1..].chars().next();
    let spaced = |c: Option<char>| c.is_none_or(char::is_whitespace);
    let doubled = before == Some(c) || after == Some(c);
    match c {
        '~' => doubled,
        '_' => {
            let in_word = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
            paired && !(in_word(before) && in_word(after))
        }
        _ => doubled || (!(spaced(before) && spaced(after)) && paired),
    }
}

/// Where the brackets of a line are closed, found in one pass: a line may be one long row of them.
#[derive(Default)]
struct Brackets {
    /// Each `[` and `(` that is closed, with its end, in order.
    pairs: Vec<(usize, usize)>,
    /// Each `)`, escaped or not.
    ends: Vec<usize>,
}

impl Brackets {
    fn of(line: &str) -> Self {
        let mut found = Self::default();
        let (mut square, mut round) = (Vec::new(), Vec::new());
        let mut escaped = false;
        for (at, byte) in line.bytes().enumerate() {
            if byte == b')' {
                found.ends.push(at);
            }
            if std::mem::take(&mut escaped) {
                continue;
            }
            match byte {
                b'\\' => escaped = true,
                b'[' => square.push(at),
                b'(' => round.push(at),
                b']' => found.pairs.extend(square.pop().map(|open| (open, at))),
                b')' => found.pairs.extend(round.pop().map(|open| (open, at))),
                _ => {}
            }
        }
        found.pairs.sort_unstable();
        found
    }

    /// Where the bracket at `open` is closed, within the length that a link may have.
    fn end_of(&self, open: usize) -> Option<usize> {
        let at = self.pairs.binary_search_by_key(&open, |pair| pair.0).ok()?;
        let end = self.pairs[at].1;
        (end - open < LONGEST_LINK).then_some(end)
    }

    /// The text and the address of the link whose `[` stands at `at` of `line`, and where it ends. `line` begins at
    /// `offset` of the line that the brackets are of. Brackets and parentheses nest.
    fn link(&self, line: &str, offset: usize, at: usize) -> Option<(Range<usize>, Range<usize>, usize)> {
        let within = |end: &usize| *end < offset + line.len();
        let close = self.end_of(offset + at).filter(within)? - offset;
        if !line[close + 1..].starts_with('(') {
            return None;
        }
        // An address with unbalanced parentheses ends at the first one.
        let open = offset + close + 1;
        let first = || self.ends.get(self.ends.partition_point(|end| *end < open)).copied();
        let first = || first().filter(|end| end - open < LONGEST_LINK);
        let end = self.end_of(open).filter(within).or_else(first).filter(within)? - offset;
        Some((at + 1..close, close + 2..end, end + 1))
    }
}

/// True for the address of a person's or an organisation's page on a site.
fn is_profile(url: &str) -> bool {
    ["/people/", "/org/", "/user/", "/users/", "/u/", "/profile/", "/author/", "/authors/", "/@", "//space."]
        .iter()
        .any(|part| url.contains(part))
}

/// Title, author and date out of front matter (YAML, TOML, or Pandoc's `%` lines), and where the text begins after it.
fn front_matter(source: &str) -> (Metadata, usize) {
    let mut metadata = Metadata::default();
    if source.starts_with("% ") {
        let mut end = 0;
        let fields = [&mut metadata.title, &mut metadata.author, &mut metadata.date];
        for (field, range) in fields.into_iter().zip(lines(source, 0)) {
            let Some(value) = source[range.clone()].strip_prefix('%') else { break };
            value.trim().clone_into(field);
            end = range.end;
        }
        return (metadata, end);
    }
    let mut lines = lines(source, 0);
    let fence = match lines.next() {
        Some(first) if source[first.clone()].trim_end() == "---" => "---",
        Some(first) if source[first.clone()].trim_end() == "+++" => "+++",
        _ => return (metadata, 0),
    };
    let mut key = String::new();
    for (n, range) in lines.enumerate() {
        let line = &source[range.clone()];
        if line.trim_end() == fence || fence == "---" && line.trim_end() == "..." {
            let end =
                range.end + source[range.end..].len() - source[range.end..].trim_start_matches(['\r', '\n']).len();
            return (metadata, end);
        }
        // Without an end in sight it was a rule, not front matter.
        if n > 200 {
            break;
        }
        let value = if line.starts_with(char::is_whitespace) {
            line.trim()
        } else {
            let Some((name, value)) = line.split_once([':', '=']) else { continue };
            key = name.trim().to_lowercase();
            value.trim()
        };
        let value = value.trim_matches(['"', '\'']);
        if value.is_empty() || ["|", ">", "|-", ">-", "unknown", "null", "~"].contains(&value) {
            continue;
        }
        let field = match key.as_str() {
            "title" => &mut metadata.title,
            "author" | "authors" | "creator" => &mut metadata.author,
            "date" | "date_published" | "published" | "pubdate" => &mut metadata.date,
            _ => continue,
        };
        if field.is_empty() {
            value.trim_start_matches("- ").clone_into(field);
        }
    }
    (Metadata::default(), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(source: &str) -> Vec<(Kind, String)> {
        markdown(source).1.into_iter().map(|b| (b.kind, b.text)).collect()
    }

    fn text(line: &str) -> String {
        inline(line).text
    }

    #[test]
    fn inline_markup_is_resolved() {
        for (line, plain) in [
            ("**需求**不足", "需求不足"),
            ("*需求*与_供给_", "需求与供给"),
            ("3 * 4 = 12", "3 * 4 = 12"),
            ("snake_case_name", "snake_case_name"),
            (r"1\. 第一 \*星\*", "1. 第一 *星*"),
            ("看[这里](http://a.b/c(d)e)吧", "看这里吧"),
            ("看[这[个]](http://a.b/?q=[x])吧", "看这[个]吧"),
            ("[![头像](i.png)](http://a/people/x)", ""),
            ("前![图](a.png)后", "前后"),
            ("注[\\[4\\]](#)。", "注[4]。"),
            ("A&amp;B&nbsp;C&#20013;", "A&B\u{a0}C中"),
            ("<b>粗</b>一<br>二", "粗一 二"),
            ("a < b > c", "a < b > c"),
            ("[没有链接]", "[没有链接]"),
            ("断\\", "断"),
            ("有注。[^1]", "有注。"),
            ("[一](a(b)二", "一二"),
            ("[[[[[五](e)](d)](c)](b)](a)", "[五](e)"),
        ] {
            assert_eq!(text(line), plain, "{line}");
        }
        // Rows of brackets are read once, not once for each of them.
        let row = format!("{}](a)", "[".repeat(1 << 20));
        assert_eq!(text(&row).len(), (1 << 20) - 1);
    }

    #[test]
    fn lines_become_blocks() {
        let source = "# 题\n\n一段。\n> 引文。\n* 项目\n\n---\n\n小标题\n---\n这是一句完整的话。\n----\n";
        assert_eq!(
            texts(source),
            [
                (Kind::Heading, "题".into()),
                (Kind::Text, "一段。".into()),
                (Kind::Text, "引文。".into()),
                (Kind::Item, "项目".into()),
                (Kind::Heading, "小标题".into()),
                (Kind::Text, "这是一句完整的话。".into()),
            ]
        );
    }

    #[test]
    fn front_matter_gives_title_author_and_date() {
        let (metadata, blocks) =
            markdown("---\ntitle: |\n  一个题目\nauthor: \"王某\"\ndate: 2022-01-02\n---\n\n正文。\n");
        assert_eq!(
            (metadata.title.as_str(), metadata.author.as_str(), metadata.date.as_str()),
            ("一个题目", "王某", "2022-01-02")
        );
        assert_eq!(blocks[0].text, "正文。");
        let (metadata, blocks) = markdown("% 题目\n% 王某\n% 2020\n\n正文。\n");
        assert_eq!(
            (metadata.title.as_str(), metadata.author.as_str(), metadata.date.as_str()),
            ("题目", "王某", "2020")
        );
        assert_eq!(blocks.len(), 1);
        // A rule at the top is not front matter.
        assert_eq!(texts("---\n正文。\n"), [(Kind::Text, "正文。".into())]);
    }

    #[test]
    fn a_link_to_a_person_names_an_author() {
        assert_eq!(texts("[王某](https://www.zhihu.com/people/wang)")[0], (Kind::Author, "王某".into()));
        assert_eq!(texts("见[王某](https://www.zhihu.com/people/wang)")[0].0, Kind::Text);
    }
}
