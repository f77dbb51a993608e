//! Whole documents of kinds that people scrape, written for this project, and inputs as users give them.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, stop at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

use lundian_core::{Diagnostic, Document, Paragraph};
use lundian_text::{Format, Item, Options, ReadError, read, segment};
use proptest::prelude::*;

fn data(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn document(name: &str) -> Document {
    let (document, diagnostics) = segment(name, &data(name), &Options::default());
    assert_eq!(diagnostics, []);
    document
}

fn texts(document: &Document) -> Vec<&str> {
    document.paragraphs.iter().map(|p| p.text.as_str()).collect()
}

#[test]
fn a_thread_of_answers() {
    let d = document("thread.md");
    assert_eq!((d.title.as_str(), d.date.as_str()), ("为什么大家都不敢花钱？", "2023-05-06"));
    assert_eq!(
        texts(&d),
        [
            "大家不敢花钱，不是观念的问题，而是手里真的没有钱。",
            "一是收入跟不上，房贷又压在身上；",
            "二是社保太薄，病一场就回到从前了。",
            "1. 工资在国民收入里的份额一直太低；",
            "2. 公共服务的钱又花在了修路上。",
            "老人越来越多，养老的钱却没有着落，年轻人怎么敢花。",
            "说说我的看法：产能已经多到没有地方放了，可是上面的办法还是再盖工厂，这条路走不通。",
            "大家不敢花钱，不是观念的问题，而是手里真的没有钱。",
        ]
    );
    let of = |i: usize| {
        let p = &d.paragraphs[i];
        (p.id.as_str(), p.section.as_str(), p.author.as_str(), p.heading.as_str(), p.prev.as_str())
    };
    assert_eq!(of(0), ("thread-0001", "thread-a001", "青石桥", "", ""));
    assert_eq!(of(5).3, "未富先老");
    assert_eq!(of(6), ("thread-0007", "thread-a002", "Old Wang", "", ""));
    assert_eq!(d.paragraphs[7].duplicate_of.as_deref(), Some("thread-0001"));
    assert_eq!(d.paragraphs[7].prev, d.paragraphs[6].text);
}

#[test]
fn a_page_saved_by_a_read_it_later_service() {
    let d = document("omnivore.md");
    assert_eq!((d.title.as_str(), d.date.as_str()), ("读一份会议公报：钱往哪里去", "2023-12-12 05:25:14"));
    assert_eq!(
        texts(&d),
        [
            "公报里说要扩大内需，可是没有说居民的收入怎么增加。",
            "合理扩大地方专项债券用作资本金的范围；",
            "严控一般性支出，机关要习惯过紧日子。",
            "要统筹化解房地产和地方债务的风险，守住底线。",
        ]
    );
    assert!(d.paragraphs.iter().all(|p| p.author == "某甲" && p.section == "omnivore-a001"));
    assert_eq!(d.paragraphs[1].heading, "1，钱从哪里来？");
}

#[test]
fn an_opinion_piece_wrapped_by_hand_in_every_encoding() {
    let text = String::from_utf8(data("opinion.txt")).unwrap();
    let encodings = [
        text.as_bytes().to_vec(),
        format!("\u{feff}{text}").into_bytes(),
        encoding_rs::BIG5.encode(&text).0.into_owned(),
        encoding_rs::GB18030.encode(&text).0.into_owned(),
    ];
    for bytes in encodings {
        let (d, diagnostics) = segment("opinion.txt", &bytes, &Options::default());
        assert_eq!(diagnostics, []);
        assert_eq!((d.author.as_str(), d.date.as_str()), ("林某某", "2024年3月5日"));
        assert_eq!(d.paragraphs.len(), 2, "{:#?}", texts(&d));
        assert!(d.paragraphs[0].text.starts_with("這幾年") && d.paragraphs[0].text.ends_with("死循環。"));
        assert!(d.paragraphs[0].text.contains("居民手裡的錢並沒有跟著增加"));
        assert_eq!(d.title, "需求才是根本");
        let range = d.paragraphs[1].source.unwrap();
        let source: String = text.chars().skip(range.start).take(range.end - range.start).collect();
        assert!(source.starts_with("要走出") && source.ends_with("過剩了。"));
    }
}

#[test]
fn a_policy_page() {
    let d = document("policy.html");
    assert_eq!(d.title, "关于促进居民消费的若干意见");
    assert_eq!((d.author.as_str(), d.date.as_str()), ("某某办公室", "2024-02-03 09:00"));
    assert_eq!(
        texts(&d),
        [
            "为进一步提高居民收入，增强消费能力，现提出以下意见。",
            "坚持以人民为中心，把扩大内需同深化改革结合起来，",
            "着力解决“不敢消费、不愿消费”的问题。",
            "（一）健全工资正常增长机制，提高劳动报酬在初次分配中的比重。",
            "（二）完善社会保障，减轻居民在医疗、教育、养老方面的负担。",
        ]
    );
    assert_eq!(d.paragraphs[1].heading, "一、总体要求");
    let page = String::from_utf8(data("policy.html")).unwrap();
    let range = d.paragraphs[0].source.unwrap();
    let source: String = page.chars().skip(range.start).take(range.end - range.start).collect();
    assert_eq!(source, "为进一步提高居民收入，增强消费能力，<strong>现提出以下意见</strong>。");
}

#[test]
fn a_page_of_a_public_account() {
    let d = document("account.html");
    assert_eq!(
        (d.title.as_str(), d.author.as_str(), d.date.as_str()),
        ("内需为什么起不来", "某号", "2024-05-06 08:00")
    );
    assert_eq!(
        texts(&d),
        [
            "居民的消费率多年上不去，根子在收入分配。",
            "企业赚的钱、政府收的税都在涨，唯独居民的份额没有涨。",
            "钱进了楼市，也进了基建，就是没有进老百姓的口袋。",
            "“没有分配的改革，就没有内需。”这句话我同意。",
            "提高最低工资，并且真正执行下去，不打折扣。",
        ]
    );
    assert_eq!(d.paragraphs[2].heading, "01 钱去哪里了");
}

#[test]
fn a_page_of_questions_and_answers() {
    let d = document("answers.html");
    assert_eq!(d.title, "为什么说内循环要靠分配？");
    let found: Vec<(&str, &str)> = d.paragraphs.iter().map(|p| (p.author.as_str(), p.text.as_str())).collect();
    assert_eq!(
        found,
        [
            ("", "大家都在讲内循环，可是钱从哪里来，这个问题没有人讲清楚过。"),
            ("甲乙", "因为内需就是收入，收入就是分配，绕不过去的。"),
            ("甲乙", "这些年居民收入占比一直偏低，所以要靠出口来补。"),
            ("匿名用户", "我不同意，内循环的关键是产业升级，没有好东西谁买。"),
            ("匿名用户", "产业上去了，工资自然就上去了，这是先后的问题。"),
        ]
    );
}

#[test]
fn a_text_of_short_lines_only_is_still_a_text() {
    let (d, _) = segment("a.md", "产能过剩\n\n内需不足\n".as_bytes(), &Options::default());
    assert_eq!(texts(&d), ["产能过剩", "内需不足"]);
}

/// A folder with these files in it.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

fn read_all(inputs: &[PathBuf], options: &Options) -> (Vec<Paragraph>, Vec<Diagnostic>) {
    let inputs: Vec<String> = inputs.iter().map(|p| p.to_string_lossy().into_owned()).collect();
    let (mut paragraphs, mut diagnostics) = (Vec::new(), Vec::new());
    for item in read(&inputs, options).unwrap() {
        match item {
            Item::Paragraph(p) => paragraphs.push(p),
            Item::Diagnostic(d) => diagnostics.push(d),
        }
    }
    (paragraphs, diagnostics)
}

const LINE: &str = "居民的收入跟不上，工厂造出来的东西卖不出去。";

#[test]
fn a_folder_is_recursed_and_what_cannot_be_read_costs_only_itself() {
    let dir = folder(&[
        ("a.md", LINE.as_bytes()),
        ("b/a.txt", "分配不改，需求永远也起不来。".as_bytes()),
        ("b/picture.md", b"\x89PNG\r\n\x1a\n\0\0\0"),
        ("b/.hidden.md", LINE.as_bytes()),
        ("c.rs", LINE.as_bytes()),
        ("d.md", LINE.as_bytes()),
        ("empty.md", b""),
    ]);
    let missing = dir.path().join("missing.md");
    let (paragraphs, diagnostics) = read_all(&[missing, dir.path().to_owned()], &Options::default());
    let ids: Vec<(&str, &str)> = paragraphs.iter().map(|p| (p.doc.as_str(), p.id.as_str())).collect();
    assert_eq!(ids, [("a.md", "a-0001"), ("b/a.txt", "a~2-0001"), ("d.md", "d-0001")]);
    assert_eq!(paragraphs[2].duplicate_of.as_deref(), Some("a-0001"));
    let messages: Vec<(bool, &str)> = diagnostics.iter().map(|d| (d.error, d.message.as_str())).collect();
    assert_eq!(
        messages,
        [(true, "there is no such file or folder"), (true, "this is not a text file"), (false, "the file is empty")]
    );
    assert!(diagnostics[1].path.ends_with("picture.md") && diagnostics[1].hint.is_some());
}

#[test]
fn nothing_to_read_is_an_error() {
    let dir = folder(&[("a.rs", b"fn main() {}")]);
    let input = dir.path().to_string_lossy().into_owned();
    let error = read(std::slice::from_ref(&input), &Options::default()).unwrap_err();
    assert!(matches!(&error, ReadError::Unreadable(d) if d.len() == 1));
    assert!(error.to_string().contains("there are no documents in this folder"), "{error}");
    assert_eq!(read(&[], &Options::default()).unwrap_err(), ReadError::NoInput);
}

#[test]
fn jsonl_rows_keep_what_they_say() {
    let lines = [
        r#"{"id": 7, "doc": "x", "section": "x-a1", "text": "第一段说的是分配。", "labels": [], "role": "other"}"#,
        "",
        r#"{"text": "第二段。", "doc": "x", "section": "x-a1", "title": null}"#,
        r#"{"text": "第三段。", "doc": "x", "section": "x-a2", "prev": "", "author": "某人"}"#,
        r#"{"text": 坏}"#,
        r#"["不是对象"]"#,
        r#"{"content": "没有那个键"}"#,
        r#"{"text": "第二段。"}"#,
    ];
    let dir = folder(&[("rows.jsonl", lines.join("\n").as_bytes())]);
    let path = dir.path().join("rows.jsonl");
    let (paragraphs, diagnostics) = read_all(std::slice::from_ref(&path), &Options::default());
    let first = &paragraphs[0];
    assert_eq!((first.id.as_str(), first.doc.as_str(), first.section.as_str()), ("7", "x", "x-a1"));
    assert_eq!(first.extra.keys().collect::<Vec<_>>(), ["labels", "role"]);
    assert_eq!((paragraphs[1].id.as_str(), paragraphs[1].prev.as_str()), ("rows-0002", "第一段说的是分配。"));
    assert_eq!((paragraphs[2].prev.as_str(), paragraphs[2].author.as_str()), ("", "某人"));
    assert_eq!(paragraphs[3].duplicate_of.as_deref(), Some("rows-0002"));
    let places: Vec<_> = diagnostics.iter().map(|d| (d.line, d.column, d.error)).collect();
    assert_eq!(places, [(Some(5), Some(10), true), (Some(6), None, true), (Some(7), None, true)]);
    assert!(diagnostics[2].message.contains("content") && diagnostics[2].hint.is_some());
}

#[test]
fn a_json_document_gets_one_message_and_is_left_alone_in_a_folder() {
    let array = "[\n {\n  \"text\": \"甲\"\n }\n]\n".as_bytes();
    let dir = folder(&[("index.json", array), ("a.md", "仓库里的货堆到了屋顶，谁来买呢？\n".as_bytes())]);
    let (paragraphs, diagnostics) = read_all(&[dir.path().to_owned()], &Options::default());
    assert_eq!((paragraphs.len(), diagnostics.len()), (1, 0));
    for content in ["[\n {\n  \"text\": \"甲\"\n }\n]\n", "[{\"text\": \"甲\"}]", "{\n \"text\": \"甲\"\n}\n"] {
        std::fs::write(dir.path().join("index.json"), content).unwrap();
        let (paragraphs, diagnostics) = read_all(&[dir.path().join("index.json")], &Options::default());
        assert_eq!((paragraphs.len(), diagnostics.len()), (0, 1), "{content}");
        assert!(diagnostics[0].error && diagnostics[0].hint.as_ref().unwrap().contains("jq"));
    }
}

#[test]
fn csv_rows_in_the_encoding_of_a_spreadsheet() {
    let table = "编号,正文,备注\n1,\"产能过剩，\n需求不足。\",甲\n2,分配才是根本。,乙\n";
    let dir = folder(&[("t.csv", &encoding_rs::GB18030.encode(table).0)]);
    let mut options = Options::default();
    let (paragraphs, diagnostics) = read_all(&[dir.path().join("t.csv")], &options);
    assert_eq!(paragraphs, []);
    assert_eq!(diagnostics[0].message, "there is no column \"text\"; the columns are 编号, 正文, 备注");
    options.text_column = "正文".into();
    let (paragraphs, diagnostics) = read_all(&[dir.path().join("t.csv")], &options);
    assert_eq!(diagnostics, []);
    assert_eq!(paragraphs[0].text, "产能过剩，\n需求不足。");
    assert_eq!((paragraphs[1].id.as_str(), paragraphs[1].extra["备注"].as_str()), ("t-0002", Some("乙")));
}

#[test]
fn formats_without_an_ending_are_told_by_content() {
    assert_eq!(Format::sniff(b"  <!DOCTYPE html><html>"), Format::Html);
    assert_eq!(Format::sniff(b"\xef\xbb\xbf{\"text\": 1}"), Format::Jsonl);
    assert_eq!(Format::sniff("正文".as_bytes()), Format::Markdown);
    assert_eq!(Format::of_path("a/B.HTM"), Some(Format::Html));
}

/// Repetition without end must cost no more than its length.
#[test]
fn monotonous_input_is_read_in_good_time() {
    for piece in [
        "[", "![", "*", "_a", "<", "<b", "<div>", "，\n", "「\n", "](", "&", "\\", "> ", "# ", "[^", "{", "\"",
        "<p a='", "[1]\n",
    ] {
        let source = piece.repeat(200_000 / piece.len());
        for format in [Format::Markdown, Format::Html, Format::Plain, Format::Jsonl, Format::Csv] {
            let mut options = Options::default();
            options.format = Some(format);
            let _ = segment("x", source.as_bytes(), &options);
        }
    }
}

/// What pages are made of, in any order.
fn page() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        3 => "[产能过剩需求不足的经济，。；]{1,30}",
        1 => prop_oneof![Just("\n"), Just("\n\n"), Just("  \n"), Just("\r\n"), Just("---\n"), Just("### "), Just("* "), Just("> "), Just("1. ")]
            .prop_map(str::to_owned),
        1 => "[\\[\\]()*_`!\\\\<>&#;/=\"' a-z]{1,8}",
        1 => prop_oneof![Just("<p>"), Just("</p>"), Just("<div class=\"nav\">"), Just("</div>"), Just("<br>"), Just("&nbsp;"), Just("<script>")]
            .prop_map(str::to_owned),
        1 => Just("{\"text\": \"一段\"}\n".to_owned()),
        1 => "\\PC{0,6}",
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|p| p.concat())
}

fn formats() -> impl Strategy<Value = Format> {
    prop_oneof![Just(Format::Markdown), Just(Format::Html), Just(Format::Plain), Just(Format::Jsonl), Just(Format::Csv)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), format in formats()) {
        let mut options = Options::default();
        options.format = Some(format);
        let _ = segment("x", &bytes, &options);
    }

    #[test]
    fn ranges_are_in_order_and_contain_the_text(source in page(), format in formats()) {
        let mut options = Options::default();
        options.format = Some(format);
        let (d, _) = segment("x", source.as_bytes(), &options);
        let chars: Vec<char> = source.trim_start_matches('\u{feff}').chars().collect();
        let mut last = 0;
        for p in d.paragraphs.iter().filter(|_| !format.is_rows()) {
            let range = p.source.unwrap();
            prop_assert!(range.start >= last && range.start < range.end && range.end <= chars.len());
            last = range.end;
            if format == Format::Plain {
                let mut rest = chars[range.start..range.end].iter();
                prop_assert!(p.text.chars().filter(|c| !c.is_whitespace()).all(|c| rest.any(|s| *s == c)));
            }
        }
    }

    /// Every line that is long enough comes out, whatever stands around it.
    #[test]
    fn no_sentence_is_lost(before in page(), number in 0u32..1000) {
        let sentence = format!("第{number}个人说，居民的收入跟不上，工厂造出来的东西卖不出去。");
        let source = format!("{}\n\n{sentence}\n\n{}", before.replace(['`', '~', '<', '[', '-', '+', '.'], ""), LINE);
        let (d, _) = segment("x.md", source.as_bytes(), &Options::default());
        prop_assert!(d.paragraphs.iter().any(|p| p.text.contains(&sentence)), "{:?}", source);
    }
}
