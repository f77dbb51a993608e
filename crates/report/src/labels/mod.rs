//! Labelled paragraphs, the output of `classify`: one file a format, one row each in [`FORMATS`].

mod csv;
mod json;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;
pub(crate) mod record;
mod table;

use std::io::{self, Write};
use std::path::Path;

use lundian_core::{Kind, Taxonomy};
use lundian_runner::{Decision, Labelled, Summary};

use crate::html::Lang;

/// A system as reports name it.
#[derive(Clone, Debug)]
pub struct SystemInfo {
    /// Its name.
    pub name: String,
    /// What sort of method it is.
    pub kind: Kind,
}

/// What a writer needs to know besides the paragraphs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Context<'a> {
    /// The theses.
    pub taxonomy: &'a Taxonomy,
    /// The systems, in the order of the verdicts.
    pub systems: Vec<SystemInfo>,
    /// The system or aggregate that the labels come from.
    pub judge: &'a str,
    /// Its thresholds, one a thesis.
    pub thresholds: &'a [f32],
    /// Whether to write colours (terminal formats only).
    pub color: bool,
    /// Columns of the terminal (terminal formats only).
    pub width: usize,
    /// Language of the words around the data (pages only).
    pub lang: Lang,
}

impl<'a> Context<'a> {
    /// A context without colour, 100 columns wide.
    pub fn new(taxonomy: &'a Taxonomy, systems: Vec<SystemInfo>, judge: &'a str, thresholds: &'a [f32]) -> Self {
        Self { taxonomy, systems, judge, thresholds, color: false, width: 100, lang: Lang::En }
    }
}

/// Writes labelled paragraphs.
pub trait LabelWriter {
    /// Writes one paragraph. `scores` are the judge's, one a thesis, NaN where all systems abstain.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn row(&mut self, row: &Labelled, scores: &[f32], labels: &[Decision]) -> io::Result<()>;

    /// Writes what comes after the last paragraph.
    ///
    /// # Errors
    /// When the output cannot be written.
    fn finish(&mut self, summary: &Summary) -> io::Result<()>;
}

/// One output format.
#[derive(Clone, Copy)]
pub struct FormatEntry {
    /// The word that `--format` takes.
    pub name: &'static str,
    /// The file endings that choose it.
    pub endings: &'static [&'static str],
    /// What it is, in a line.
    pub doc: &'static str,
    /// Begins a report.
    pub open: Open,
}

/// Begins a report on an output.
pub type Open = for<'a> fn(Box<dyn Write + 'a>, Context<'a>) -> io::Result<Box<dyn LabelWriter + 'a>>;

/// Every output format of `classify`.
pub const FORMATS: &[FormatEntry] = &[
    table::ENTRY,
    jsonl::ENTRY,
    json::ENTRY,
    csv::ENTRY,
    #[cfg(feature = "parquet")]
    parquet::ENTRY,
    crate::html::labels::ENTRY,
];

/// The format called `name`.
pub fn find_format(name: &str) -> Option<&'static FormatEntry> {
    FORMATS.iter().find(|f| f.name == name)
}

/// The format that the ending of `path` stands for.
pub fn format_of_path(path: &Path) -> Option<&'static FormatEntry> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    FORMATS.iter().find(|f| f.endings.contains(&ending.as_str()))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use lundian_core::{Paragraph, SourceRange};
    use lundian_runner::{EvidenceSpan, Verdict, Why};
    use serde_json::{Value, json};

    use super::*;

    #[derive(Clone, Default)]
    struct Shared(Rc<RefCell<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(name: &str, color: bool) -> String {
        String::from_utf8(written_bytes(name, color)).unwrap()
    }

    /// Two paragraphs, the second without a label or a role and with a failed system, in the format `name`. Both come with
    /// a role of their own.
    fn written_bytes(name: &str, color: bool) -> Vec<u8> {
        let taxonomy = Taxonomy::china_economy();
        let thresholds = vec![0.5; taxonomy.len()];
        let systems = vec![
            SystemInfo { name: "rules".into(), kind: Kind::Rules },
            SystemInfo { name: "linear".into(), kind: Kind::Linear },
        ];
        let mut context = Context::new(&taxonomy, systems, "mean", &thresholds);
        context.color = color;
        context.width = 60;
        let out = Shared::default();
        let mut writer = (find_format(name).unwrap().open)(Box::new(out.clone()), context).unwrap();

        let mut scores = vec![0.0; taxonomy.len()];
        scores[1] = 0.123_456;
        scores[4] = 0.93;
        let mut abstaining = scores.clone();
        abstaining[0] = f32::NAN;
        let verdict = |scores: Vec<f32>| Verdict { scores, ..Verdict::default() };
        let mut paragraph = Paragraph {
            id: "a-0001".into(),
            doc: "a.md".into(),
            title: "题".into(),
            text: "😀仓库里的货堆到了屋顶，\"谁\"来买？".into(),
            source: Some(SourceRange { start: 4, end: 20 }),
            ..Paragraph::default()
        };
        paragraph.extra.insert("note".into(), json!([1]));
        paragraph.extra.insert("text".into(), json!("shadowed"));
        paragraph.extra.insert("role".into(), json!("shadowed"));
        let labels = vec![Decision {
            thesis: 4,
            score: 0.93,
            evidence: vec![EvidenceSpan { range: 13..22, weight: 0.8, system: 0 }],
            why: vec![Why { system: 0, reason: "rule x".into() }],
        }];
        let says_role = Verdict { role: Some([0.2, 0.05, 0.700_04, 0.05]), ..verdict(abstaining) };
        let row = Labelled { paragraph: paragraph.clone(), verdicts: vec![verdict(scores.clone()), says_role] };
        writer.row(&row, &scores, &labels).unwrap();
        let failed = Verdict { scores: vec![f32::NAN; taxonomy.len()], failed: Some("x".into()), ..Verdict::default() };
        paragraph.id = "a-0002".into();
        paragraph.source = None;
        let row = Labelled { paragraph, verdicts: vec![verdict(vec![0.0; taxonomy.len()]), failed] };
        writer.row(&row, &vec![0.0; taxonomy.len()], &[]).unwrap();
        writer.finish(&Summary { paragraphs: 2, ..Summary::default() }).unwrap();
        drop(writer);
        out.0.take()
    }

    fn check_first(row: &Value) {
        assert_eq!(row["id"], "a-0001");
        assert_eq!(row["source"], json!({"start": 4, "end": 20}));
        assert_eq!(row["note"], json!([1]), "foreign keys pass through");
        assert_ne!(row["text"], "shadowed", "but do not replace ours");
        let label = &row["labels"][0];
        assert_eq!((&label["thesis"], &label["family"]), (&json!("overcapacity"), &json!("production")));
        assert_eq!(label["score"], json!(0.93));
        let evidence = &label["evidence"][0];
        assert_eq!(evidence, &json!({"start": 4, "end": 7, "quote": "的货堆", "weight": 0.8, "system": "rules"}));
        let text: Vec<char> = row["text"].as_str().unwrap().chars().collect();
        assert_eq!(text[4..7].iter().collect::<String>(), "的货堆");
        assert_eq!(label["why"], json!([{"system": "rules", "reason": "rule x"}]));
        assert_eq!(row["systems"]["rules"], json!({"unequal-distribution": 0.1235, "overcapacity": 0.93}));
        assert_eq!(row["systems"]["linear"]["weak-demand"], Value::Null, "null is an abstention");
        assert_eq!(row["role"], "remedy");
        assert_eq!(row["roles"], json!({"explanation": 0.2, "evidence": 0.05, "remedy": 0.7, "other": 0.05}));
        assert_eq!(row["failed"], json!([]));
    }

    #[test]
    fn jsonl_is_one_object_a_paragraph() {
        let text = written("jsonl", false);
        let rows: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(rows.len(), 2);
        check_first(&rows[0]);
        assert_eq!(rows[1]["labels"], json!([]));
        assert_eq!(rows[1]["failed"], json!(["linear"]));
        assert!(rows[1].get("source").is_none());
        assert!(rows[1].get("role").is_none() && rows[1].get("roles").is_none(), "nobody said one: {}", rows[1]);
    }

    #[test]
    fn json_is_one_document() {
        let value: Value = serde_json::from_str(&written("json", false)).unwrap();
        check_first(&value["paragraphs"][0]);
        assert_eq!(value["judge"], "mean");
        assert_eq!(value["taxonomy"]["name"], "china-economy");
        assert_eq!(value["systems"][1], json!({"name": "linear", "kind": "linear"}));
        assert_eq!(value["summary"]["paragraphs"], 2);
    }

    #[test]
    fn csv_has_a_column_a_thesis() {
        let text = written("csv", false);
        let mut reader = ::csv::Reader::from_reader(text.as_bytes());
        let headers = reader.headers().unwrap().clone();
        let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
        let cell = |row: usize, name: &str| rows[row].get(headers.iter().position(|h| h == name).unwrap()).unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(cell(0, "theses"), "overcapacity");
        assert_eq!(cell(0, "overcapacity"), "0.93");
        assert_eq!(cell(0, "evidence"), "overcapacity: 的货堆");
        assert_eq!(cell(1, "theses"), "");
        assert_eq!(cell(1, "failed"), "linear");
        assert_eq!((cell(0, "role"), cell(1, "role")), ("remedy", ""));
    }

    #[cfg(feature = "parquet")]
    #[test]
    fn parquet_reads_back() {
        use ::parquet::file::reader::{FileReader, SerializedFileReader};

        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&written_bytes("parquet", false)).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let about = reader.metadata().file_metadata().key_value_metadata().unwrap();
        assert!(about.iter().any(|k| k.key == "lundian.judge" && k.value.as_deref() == Some("mean")));
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        let cell = |row: usize, name: &str| {
            let (_, field) = rows[row].get_column_iter().find(|(n, _)| *n == name).unwrap();
            field.to_string()
        };
        assert_eq!(rows.len(), 2);
        assert_eq!((cell(0, "id"), cell(1, "id")), ("\"a-0001\"".into(), "\"a-0002\"".into()));
        assert_eq!((cell(0, "start"), cell(1, "start"), cell(0, "author")), ("4".into(), "null".into(), "null".into()));
        assert_eq!((cell(0, "theses"), cell(1, "theses")), ("[\"overcapacity\"]".into(), "[]".into()));
        let evidence =
            "[{thesis: \"overcapacity\", start: 4, end: 7, quote: \"的货堆\", weight: 0.8, system: \"rules\"}]";
        assert_eq!((cell(0, "evidence"), cell(1, "evidence")), (evidence.into(), "[]".into()));
        assert_eq!((cell(0, "failed"), cell(1, "failed")), ("[]".into(), "[\"linear\"]".into()));
        assert_eq!((cell(0, "role"), cell(1, "role")), ("\"remedy\"".into(), "null".into()));
        assert_eq!(cell(0, "overcapacity"), "0.93");
    }

    #[test]
    fn the_table_marks_evidence_and_fits_the_width() {
        let plain = written("table", false);
        assert!(plain.contains("【的货堆】"), "{plain}");
        assert!(plain.contains("overcapacity") && plain.contains("产能过剩与内卷") && plain.contains("0.93"));
        assert!(plain.contains("rules: rule x"));
        assert!(plain.contains("\n对策  → 0.93"), "the text is one line: {plain}");
        assert!(plain.contains("\n    1  对策 remedy ") && !plain.contains("explanation"), "{plain}");
        assert!(!plain.contains('\x1b'));
        for line in plain.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= 60, "{line}");
        }
        let colored = written("table", true);
        assert!(colored.contains('\x1b') && !colored.contains('【'));
    }

    #[test]
    fn the_page_tags_and_filters_roles() {
        let page = written("html", false);
        let articles: Vec<&str> = page.split("<article").skip(1).filter_map(|a| a.split("</article>").next()).collect();
        assert!(
            articles[0].contains("data-role=\"remedy\"") && articles[0].contains(">remedy</span>"),
            "{}",
            articles[0]
        );
        assert!(articles[0].contains("explanation 0.20 · evidence 0.05 · remedy 0.70 · other 0.05"), "{}", articles[0]);
        assert!(!articles[1].contains("role"), "{}", articles[1]);
        let (_, select) = page.split_once("<select data-by=\"role\">").unwrap();
        let (options, _) = select.split_once("</select>").unwrap();
        assert_eq!(options, "<option value=\"\">All</option><option value=\"remedy\">remedy 1</option>");
    }

    #[test]
    fn names_and_endings_are_unique() {
        let mut words: Vec<_> =
            FORMATS.iter().flat_map(|f| f.endings.iter().filter(|e| **e != f.name).chain([&f.name])).collect();
        words.sort_unstable();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all);
        assert_eq!(format_of_path(Path::new("x/Y.JSONL")).unwrap().name, "jsonl");
        assert!(format_of_path(Path::new("x")).is_none());
    }
}
