//! HTML to blocks: the main content out of a page full of navigation, each block with its place in the source.
//!
//! The decision that matters: a scanner of our own, forgiving like a browser but much simpler. Libraries that extract
//! an article rewrite the tree and forget where the text stood; here every block points back into the source.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use crate::block::{Block, Kind, Metadata, fold_space};
use crate::boilerplate::{self, Boilerplate};

/// Elements that do not break a line.
const INLINE: &[&str] = &[
    "a", "span", "b", "strong", "i", "em", "u", "s", "small", "sub", "sup", "font", "code", "mark", "abbr", "label",
    "time", "cite", "q", "kbd", "var", "img", "wbr", "ins", "del", "big", "tt", "ruby", "rt", "rb", "rp", "bdi", "bdo",
    "dfn", "samp", "strike",
];
/// Elements without an end tag.
const VOID: &[&str] =
    &["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"];
/// Elements whose content is no text.
const RAW: &[&str] = &[
    "script", "style", "noscript", "template", "svg", "textarea", "iframe", "math", "object", "video", "audio",
    "canvas",
];
/// Elements that are never the main content.
const OUTSIDE: &[&str] =
    &["nav", "footer", "aside", "form", "button", "select", "option", "menu", "dialog", "figcaption"];
/// Parts of class names and ids of what stands around the main content.
const AROUND: &[&str] = &[
    "nav",
    "menu",
    "sidebar",
    "side-bar",
    "footer",
    "foot",
    "comment",
    "recommend",
    "related",
    "relate",
    "share",
    "breadcrumb",
    "crumb",
    "copyright",
    "advert",
    "banner",
    "toolbar",
    "login",
    "popup",
    "modal",
    "hot-",
    "rank",
    "tags",
    "pagination",
    "pager",
    "qrcode",
    "qr-code",
    "social",
    "topbar",
    "meta",
    "toc",
    "disclaimer",
    "statement",
    "reward",
    "vote",
    "actions",
    "subscribe",
    "cookie",
    "hidden",
    "editor-info",
    "links",
];

/// Characters of an element's class, and of its id, that are looked at: again for every text in it.
const LONGEST_NAMES: usize = 500;

/// An element of the page.
struct Element {
    tag: String,
    /// Class and id, in lower case.
    names: String,
    parent: Option<usize>,
    /// Bytes of running text in it.
    prose: usize,
    /// True for what surely stands around the main content.
    outside: bool,
}

/// A run of text between two block borders.
struct Run {
    range: Range<usize>,
    text: String,
    /// Bytes of it that are links.
    linked: usize,
    element: usize,
    adjacent: bool,
}

impl Run {
    /// Running text, as opposed to labels and lists of links.
    fn is_prose(&self) -> bool {
        self.linked * 3 < self.text.len()
            && (self.text.len() >= 60 || self.text.ends_with(['。', '！', '？', '.', '!', '?', '”', '；']))
    }
}

/// Cuts a page into the blocks of its main content.
pub(crate) fn html(source: &str) -> (Metadata, Vec<Block>) {
    let mut scanner = Scanner::new(source);
    scanner.run();
    let Scanner { mut elements, runs, mut metadata, .. } = scanner;
    if metadata.date.is_empty() {
        // Where the page says it only to its readers, it may stand around the main content.
        let says_when = |r: &&Run| {
            let named = ancestors(&elements, r.element).take(2).any(|e| {
                let element = &elements[e];
                element.tag == "time"
                    || ["time", "date", "meta", "info"].iter().any(|part| element.names.contains(part))
            });
            r.text.len() < 200 && (named || boilerplate::classify(&r.text) == Some(Boilerplate::Posted))
        };
        let date = runs.iter().filter(says_when).find_map(|r| boilerplate::posted_date(&r.text));
        date.unwrap_or_default().clone_into(&mut metadata.date);
    }
    let outside = choose(&mut elements, &runs);
    let root = main_content(&mut elements, &runs, &outside);
    let sections = sections(&elements, root, &outside);
    let authors = authors(&elements, &runs, &outside, &sections);
    let mut blocks: Vec<Block> = Vec::new();
    let mut section = None;
    for run in runs.iter().filter(|r| !outside[r.element]) {
        let path = || ancestors(&elements, run.element);
        if !path().any(|e| e == root) {
            continue;
        }
        let heading = path().any(|e| elements[e].is_heading());
        let author = path().any(|e| elements[e].names_author());
        if !heading && !author && run.linked * 5 > run.text.len() * 3 && run.text.len() < 180 {
            continue;
        }
        let inside = path().find(|e| sections.contains(e));
        let kind = if heading {
            Kind::Heading
        } else if path().any(|e| elements[e].tag == "li") {
            Kind::Item
        } else {
            Kind::Text
        };
        let mut block = Block { range: run.range.clone(), text: run.text.clone(), kind, adjacent: run.adjacent };
        if inside.is_some() && inside != section {
            section = inside;
            let named = inside.and_then(|e| authors.get(&e));
            let start = run.range.start;
            blocks.push(Block {
                range: named.map_or(start..start, |r| r.range.clone()),
                text: named.map(|r| r.text.clone()).unwrap_or_default(),
                kind: Kind::Author,
                adjacent: false,
            });
        }
        if author && block.text.chars().count() <= 30 {
            if inside.is_some() {
                continue;
            }
            block.text.insert_str(0, if block.text.starts_with("作者") { "" } else { "作者：" });
        }
        blocks.push(block);
    }
    (metadata, blocks)
}

impl Element {
    /// True for a label that names an author, as opposed to what an author wrote.
    fn names_author(&self) -> bool {
        self.prose == 0 && self.names.contains("author")
    }

    fn is_heading(&self) -> bool {
        matches!(self.tag.as_str(), "h1" | "h2" | "h3" | "h4" | "h5" | "h6")
    }
}

fn ancestors(elements: &[Element], from: usize) -> impl Iterator<Item = usize> + '_ {
    std::iter::successors(Some(from), |e| elements[*e].parent)
}

/// Adds up the prose of every element, over the runs that `skip` leaves.
fn add_up(elements: &mut [Element], runs: &[Run], skip: &[bool]) {
    for element in elements.iter_mut() {
        element.prose = 0;
    }
    for run in runs.iter().filter(|r| r.is_prose() && !skip[r.element]) {
        let mut at = Some(run.element);
        while let Some(e) = at {
            elements[e].prose += run.text.len();
            at = elements[e].parent;
        }
    }
}

/// For each element, whether it stands around the main content: by its kind, or by its name where it does not hold
/// much of the page's prose (a body may well be named after its sidebar).
fn choose(elements: &mut [Element], runs: &[Run]) -> Vec<bool> {
    add_up(elements, runs, &vec![false; elements.len()]);
    let total = elements.first().map_or(0, |e| e.prose);
    let mut outside: Vec<bool> = Vec::with_capacity(elements.len());
    for element in elements.iter() {
        let named = element.names.split([' ', '/']).any(|name| {
            ["header", "site-header", "page-header", "appheader", "top"].contains(&name)
                || !name.contains("content")
                    && !name.contains("article")
                    && AROUND.iter().any(|part| name.contains(part))
        });
        let here = element.outside || named && element.prose * 10 < total.max(1) * 4 && !element.is_heading();
        // Parents stand before their children.
        outside.push(here || element.parent.is_some_and(|p| outside[p]));
    }
    outside
}

/// The smallest element that holds four fifths of the prose.
fn main_content(elements: &mut [Element], runs: &[Run], outside: &[bool]) -> usize {
    add_up(elements, runs, outside);
    let total = elements.first().map_or(0, |e| e.prose);
    // Children come after their parents, so the last that qualifies is the deepest.
    (0..elements.len()).rev().find(|e| total > 0 && elements[*e].prose * 5 >= total * 4).map_or(0, |e| {
        // A single long paragraph is not the article.
        ancestors(elements, e)
            .find(|e| {
                let tag = elements[*e].tag.as_str();
                !matches!(tag, "p" | "blockquote" | "li" | "td") && !INLINE.contains(&tag) && !elements[*e].is_heading()
            })
            .unwrap_or(0)
    })
}

/// Elements that are each one author's answer, where the page has several.
fn sections(elements: &[Element], root: usize, outside: &[bool]) -> HashSet<usize> {
    let is_answer = |e: &Element| {
        e.tag == "article"
            || e.names
                .split([' ', '/'])
                .any(|n| ["answeritem", "answer-item", "answer", "post", "reply", "list-item"].contains(&n))
    };
    let found: HashSet<usize> = (0..elements.len())
        .filter(|e| !outside[*e] && elements[*e].prose > 0 && is_answer(&elements[*e]))
        .filter(|e| ancestors(elements, *e).skip(1).any(|a| a == root))
        .filter(|e| !ancestors(elements, *e).skip(1).any(|a| a != root && is_answer(&elements[a])))
        .collect();
    if found.len() >= 2 { found } else { HashSet::new() }
}

/// By section the first short label of an author in it, which names it; sections without one have no name.
fn authors<'r>(
    elements: &[Element],
    runs: &'r [Run],
    outside: &[bool],
    sections: &HashSet<usize>,
) -> HashMap<usize, &'r Run> {
    let mut found = HashMap::new();
    if sections.is_empty() {
        return found;
    }
    for run in runs.iter().filter(|r| !outside[r.element] && r.text.chars().count() <= 20) {
        if ancestors(elements, run.element).any(|e| elements[e].names_author()) {
            for section in ancestors(elements, run.element).filter(|e| sections.contains(e)) {
                found.entry(section).or_insert(run);
            }
        }
    }
    found
}

/// Walks over a page and collects its elements and runs of text.
struct Scanner<'a> {
    source: &'a str,
    elements: Vec<Element>,
    open: Vec<usize>,
    runs: Vec<Run>,
    metadata: Metadata,
    /// The run at hand: its text so far, where it begins and ends, and how much of it is links.
    text: String,
    range: Option<Range<usize>>,
    /// The element that its first text stands in.
    element: usize,
    linked: usize,
    links: usize,
    /// True after a line break that is no border of a block.
    adjacent: bool,
}

impl<'a> Scanner<'a> {
    fn new(source: &'a str) -> Self {
        let page = Element { tag: String::new(), names: String::new(), parent: None, prose: 0, outside: false };
        Self {
            source,
            elements: vec![page],
            open: vec![0],
            runs: Vec::new(),
            metadata: Metadata::default(),
            text: String::new(),
            range: None,
            element: 0,
            linked: 0,
            links: 0,
            adjacent: false,
        }
    }

    fn run(&mut self) {
        let source = self.source;
        let mut at = 0;
        while at < source.len() {
            let rest = &source[at..];
            let text = rest.find('<').unwrap_or(rest.len());
            self.add_text(at, &rest[..text]);
            at += text;
            if at >= source.len() {
                break;
            }
            let rest = &source[at..];
            at += if rest.starts_with("<!--") {
                rest.find("-->").map_or(rest.len(), |n| n + 3)
            } else if rest.starts_with("<!") || rest.starts_with("<?") {
                rest.find('>').map_or(rest.len(), |n| n + 1)
            } else if let Some(name) =
                rest.strip_prefix("</").filter(|n| n.starts_with(|c: char| c.is_ascii_alphabetic()))
            {
                let end = rest.find('>').map_or(rest.len(), |n| n + 1);
                self.close(&tag_name(name));
                end
            } else if rest[1..].starts_with(|c: char| c.is_ascii_alphabetic()) {
                self.start(rest)
            } else {
                self.add_text(at, "<");
                1
            };
        }
        self.flush(false);
    }

    /// A start tag at the beginning of `rest`; returns the length of what it takes.
    fn start(&mut self, rest: &str) -> usize {
        let name = tag_name(&rest[1..]);
        let (attributes, end) = attributes(rest, 1 + name.len());
        let get = |key: &str| attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_ref());
        if RAW.contains(&name.as_str()) || name == "title" {
            if rest[..end].ends_with("/>") {
                return end;
            }
            let close = format!("</{name}");
            let body = end..find_ignoring_case(&rest[end..], &close).map_or(rest.len(), |n| end + n);
            if name == "title" && self.metadata.title.is_empty() {
                self.metadata.title = fold_space(&decode_entities(&rest[body.clone()]));
            }
            return rest[body.end..].find('>').map_or(rest.len(), |n| body.end + n + 1);
        }
        if name == "meta" {
            self.meta(
                get("property").or(get("name")).or(get("itemprop")).unwrap_or_default(),
                get("content").unwrap_or_default(),
            );
        }
        if name == "br" {
            self.flush(true);
        } else if !INLINE.contains(&name.as_str()) {
            self.flush(false);
        }
        if VOID.contains(&name.as_str())
            || rest[..end].ends_with("/>") && !["p", "div", "span", "a", "li"].contains(&name.as_str())
        {
            return end;
        }
        // What HTML closes by itself.
        let implied: &[&str] = match name.as_str() {
            "li" => &["li", "p"],
            "dt" | "dd" => &["dt", "dd", "p"],
            "tr" => &["tr", "td", "th", "p"],
            "td" | "th" => &["td", "th", "p"],
            n if !INLINE.contains(&n) => &["p"],
            _ => &[],
        };
        while let Some(top) = self.open.last().copied().filter(|top| *top != 0) {
            if !implied.contains(&self.elements[top].tag.as_str()) {
                break;
            }
            self.pop();
        }
        let style = get("style").unwrap_or_default().replace(' ', "").to_lowercase();
        let outside = OUTSIDE.contains(&name.as_str())
            || style.contains("display:none")
            || get("hidden").is_some()
            || get("aria-hidden") == Some("true")
            || get("role").is_some_and(|r| {
                ["navigation", "banner", "contentinfo", "complementary", "search", "menu"].contains(&r)
            });
        let named = [get("class"), get("id")].map(|names| names.unwrap_or_default().chars().take(LONGEST_NAMES));
        let [class, id] = named.map(|names| names.collect::<String>().to_lowercase());
        let mut names = format!("{class} {id}");
        if get("rel") == Some("author") || get("itemprop") == Some("author") {
            names.push_str(" author");
        }
        // A page that nests without end is read flat from some depth on: ancestors are walked again and again.
        if self.open.len() > 256 {
            return end;
        }
        self.links += usize::from(name == "a");
        self.elements.push(Element { tag: name, names, parent: self.open.last().copied(), prose: 0, outside });
        self.open.push(self.elements.len() - 1);
        end
    }

    fn meta(&mut self, name: &str, content: &str) {
        let content = fold_space(content);
        if content.is_empty() {
            return;
        }
        match name.to_lowercase().as_str() {
            // What a page says of itself for sharing has no name of the site in it.
            "og:title" | "twitter:title" | "articletitle" => self.metadata.title = content,
            "author" | "article:author" | "og:article:author" | "contentsource"
                if self.metadata.author.is_empty() && !content.starts_with("http") =>
            {
                self.metadata.author = content;
            }
            "article:published_time"
            | "pubdate"
            | "publishdate"
            | "datepublished"
            | "date"
            | "og:release_date"
            | "publish_time"
                if self.metadata.date.is_empty() =>
            {
                self.metadata.date = content;
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        if !INLINE.contains(&name) {
            self.flush(false);
        }
        let Some(at) = self.open.iter().rposition(|e| self.elements[*e].tag == name) else { return };
        while self.open.len() > at.max(1) {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some(e) = self.open.pop() {
            self.links -= usize::from(self.elements[e].tag == "a");
        }
    }

    fn add_text(&mut self, at: usize, raw: &str) {
        let trimmed = raw.trim();
        if trimmed.is_empty() {
            if !raw.is_empty() && !self.text.is_empty() {
                self.text.push(' ');
            }
            return;
        }
        let start = at + (raw.len() - raw.trim_start().len());
        let end = start + trimmed.len();
        if self.range.is_none() {
            self.element = self.open.last().copied().unwrap_or(0);
        }
        self.range = Some(self.range.as_ref().map_or(start, |r| r.start)..end);
        let before = self.text.len();
        self.text.push_str(&decode_entities(raw));
        if self.links > 0 {
            self.linked += self.text.len() - before;
        }
    }

    /// Ends the run at hand. `line` is true for a mere line break.
    fn flush(&mut self, line: bool) {
        let text = fold_space(&std::mem::take(&mut self.text));
        let linked = std::mem::take(&mut self.linked);
        let range = self.range.take();
        if let (Some(range), false) = (range, text.is_empty()) {
            self.runs.push(Run { range, text, linked, element: self.element, adjacent: self.adjacent });
            self.adjacent = line;
        } else {
            self.adjacent = false;
        }
    }
}

fn tag_name(rest: &str) -> String {
    rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == ':').collect::<String>().to_lowercase()
}

/// Position of `needle`, which is in lower case, in ASCII letters of any case.
fn find_ignoring_case(text: &str, needle: &str) -> Option<usize> {
    text.as_bytes().windows(needle.len()).position(|w| w.eq_ignore_ascii_case(needle.as_bytes()))
}

type Attributes<'a> = Vec<(String, Cow<'a, str>)>;

/// The attributes of a tag whose name ends at `at`, and where the tag ends.
fn attributes(tag: &str, mut at: usize) -> (Attributes<'_>, usize) {
    let mut found = Vec::new();
    loop {
        at += tag[at..].len() - tag[at..].trim_start_matches(|c: char| c.is_whitespace() || c == '/').len();
        let rest = &tag[at..];
        if rest.is_empty() {
            return (found, at);
        }
        if rest.starts_with('>') {
            return (found, at + 1);
        }
        let name_len = rest.find(|c: char| c.is_whitespace() || "=>/".contains(c)).unwrap_or(rest.len()).max(1);
        // A stray sign of more than one byte must not be cut.
        let name_len = (name_len..=rest.len()).find(|i| rest.is_char_boundary(*i)).unwrap_or(rest.len());
        let name = rest[..name_len].to_lowercase();
        at += name_len;
        let after = tag[at..].trim_start();
        let Some(value) = after.strip_prefix('=') else {
            found.push((name, Cow::Borrowed("")));
            continue;
        };
        let value = value.trim_start();
        at = tag.len() - value.len();
        let (value, len) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let end = value[1..].find(quote).map_or(value.len(), |n| n + 1);
                (&value[1..end.max(1)], (end + 1).min(value.len()))
            }
            _ => {
                let end = value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len());
                (&value[..end], end)
            }
        };
        at += len;
        found.push((name, decode_entities(value)));
    }
}

fn decode_entities(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        match entity(rest) {
            Some((decoded, len)) => {
                out.push_str(&decoded);
                rest = &rest[len..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// The text of the entity that `text` begins with, and the entity's length.
pub(crate) fn entity(text: &str) -> Option<(Cow<'static, str>, usize)> {
    const NAMED: &[(&str, &str)] = &[
        ("amp", "&"),
        ("lt", "<"),
        ("gt", ">"),
        ("quot", "\""),
        ("apos", "'"),
        ("nbsp", "\u{a0}"),
        ("ldquo", "“"),
        ("rdquo", "”"),
        ("lsquo", "‘"),
        ("rsquo", "’"),
        ("hellip", "…"),
        ("mdash", "—"),
        ("ndash", "–"),
        ("middot", "·"),
        ("emsp", "\u{2003}"),
        ("ensp", "\u{2002}"),
        ("thinsp", "\u{2009}"),
        ("zwnj", ""),
        ("zwj", ""),
        ("shy", ""),
        ("copy", "©"),
        ("reg", "®"),
        ("times", "×"),
        ("deg", "°"),
        ("laquo", "«"),
        ("raquo", "»"),
        ("bull", "•"),
        ("yen", "¥"),
        ("permil", "‰"),
        ("divide", "÷"),
        ("plusmn", "±"),
        ("rarr", "→"),
        ("larr", "←"),
    ];
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(12).position(|b| b == b';')?;
    let name = body.get(..end)?;
    let decoded = if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        };
        Cow::Owned(char::from_u32(code).filter(|c| *c != '\0')?.to_string())
    } else {
        Cow::Borrowed(NAMED.iter().find(|(n, _)| *n == name)?.1)
    };
    Some((decoded, end + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<!DOCTYPE html><html><head><title>需求与供给 - 某某网</title>
<meta property="og:title" content="需求与供给"><meta name="author" content="王某"><meta name="PubDate" content="2024-03-05">
<style>p { color: red }</style><script>var a = "<p>不是正文。</p>";</script></head>
<body class="has-sidebar"><nav><ul><li><a href="/">首页</a></li><li><a href="/a">财经新闻</a></li></ul></nav>
<div class="breadcrumb">您的位置：<a href="/">首页</a> &gt; 评论</div>
<div id="main"><h1>需求与供给</h1><div class="article-content">
<p>　　居民的收入跟不上，<b>工厂</b>造出来的东西&ldquo;卖不出去&rdquo;，这是大家都看得到的。</p>
<h2>一、分配</h2>
<p>解决的办法是把收入分给劳动者，
而不是再去补贴企业扩大产能。<br/>另起一行的也是一段话，说的是同一件事情。
<p>没有结束标签的一段话，浏览器也能读懂它，我们也要能读懂。
<ul><li>列表里的第一项说的是要提高最低工资的标准。</li></ul>
</div></div>
<div class="sidebar"><p>这是边栏里的一段推荐文字，它和正文没有什么关系，只是很长而已。</p></div>
<footer><p>版权所有，未经许可不得转载本网站的任何内容，违者必究。</p></footer></body></html>"#;

    #[test]
    fn the_main_content_is_found_with_its_place() {
        let (metadata, blocks) = html(PAGE);
        assert_eq!(
            (metadata.title.as_str(), metadata.author.as_str(), metadata.date.as_str()),
            ("需求与供给", "王某", "2024-03-05")
        );
        let texts: Vec<(Kind, &str)> = blocks.iter().map(|b| (b.kind, b.text.as_str())).collect();
        assert_eq!(
            texts,
            [
                (Kind::Text, "居民的收入跟不上，工厂造出来的东西“卖不出去”，这是大家都看得到的。"),
                (Kind::Heading, "一、分配"),
                (Kind::Text, "解决的办法是把收入分给劳动者， 而不是再去补贴企业扩大产能。"),
                (Kind::Text, "另起一行的也是一段话，说的是同一件事情。"),
                (Kind::Text, "没有结束标签的一段话，浏览器也能读懂它，我们也要能读懂。"),
                (Kind::Item, "列表里的第一项说的是要提高最低工资的标准。"),
            ]
        );
        assert_eq!(&PAGE[blocks[1].range.clone()], "一、分配");
        assert!(
            PAGE[blocks[0].range.clone()].starts_with("居民") && PAGE[blocks[0].range.clone()].contains("<b>工厂</b>")
        );
    }

    #[test]
    fn several_answers_are_sections_with_authors() {
        let answer = |name: &str, text: &str| {
            format!("<div class=\"AnswerItem\"><span class=\"AuthorInfo-name\"><a>{name}</a></span><p>{text}</p></div>")
        };
        let text = "居民收入的份额太低，所以需求总是不足，这和技术没有关系。";
        let page = format!("<body><main>{}{}</main></body>", answer("甲", text), answer("乙", text));
        let authors: Vec<String> =
            html(&page).1.into_iter().filter(|b| b.kind == Kind::Author).map(|b| b.text).collect();
        assert_eq!(authors, ["甲", "乙"]);
    }

    #[test]
    fn broken_markup_is_read_somehow() {
        for source in
            ["<", "<p", "<p class='", "</", "<a b=\"c>d", "&#xFFFFFFFF;&#0;&;", "<!--", "<script>", "<é>", "<p é=>文"]
        {
            let _ = html(source);
        }
    }
}
