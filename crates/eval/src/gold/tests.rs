use lundian_core::{Diagnostic, Label, Paragraph, Sample, Stance, Taxonomy};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn taxonomy() -> Taxonomy {
    Taxonomy::china_economy()
}

fn read(text: &str) -> (Vec<Sample>, Vec<Diagnostic>) {
    read_gold_str("g.jsonl", text, &taxonomy())
}

/// The only message about `text`.
fn complaint(text: &str) -> String {
    let (samples, diagnostics) = read(text);
    assert_eq!((samples.len(), diagnostics.len()), (0, 1), "{samples:?} {diagnostics:?}");
    assert!(diagnostics[0].error);
    diagnostics[0].to_string()
}

const GOOD: &str = r#"{"id":"x-1","doc":"x","section":"x-a","title":"题","text":"他说东西卖不出去。","labels":[{"thesis":"overcapacity","stance":"reject","start":2,"end":8,"quote":"东西卖不出去"}],"role":"explanation","needs_context":true,"register":"qa","annotators":{"a":["overcapacity"],"b":[]}}"#;

#[test]
fn our_rows() {
    let (samples, diagnostics) = read(&format!("\u{feff}{GOOD}\r\n\n{}\n", r#"{"id":2,"text":"","labels":[]}"#));
    assert_eq!(diagnostics, []);
    let t = taxonomy();
    let s = &samples[0];
    let thesis = t.index("overcapacity").unwrap();
    assert_eq!(s.labels, [Label { thesis, stance: Stance::Reject, evidence: Some(6..24) }]);
    assert_eq!((s.cluster(), s.role.as_str(), s.needs_context), ("x-a", "explanation", true));
    assert_eq!(s.annotators["a"], [thesis]);
    assert!(s.annotators["b"].is_empty());
    assert_eq!(s.paragraph.extra["register"], "qa");
    assert_eq!((samples[1].paragraph.id.as_str(), samples[1].labels.len()), ("2", 0));
}

#[test]
fn each_fault_names_file_line_and_mend() {
    let cases = [
        (GOOD.replace("\"overcapacity\",\"st", "\"overcapacty\",\"st"), "unknown thesis \"overcapacty\" (did you mean"),
        (GOOD.replace("\"end\":8", "\"end\":80"), "beyond the text, which has 9 characters"),
        (GOOD.replace("\"start\":2", "\"start\":1"), "does not match 1..8"),
        (GOOD.replace("\"start\":2", "\"start\":\"2\""), "give \"start\" and \"end\" as whole numbers"),
        (GOOD.replace("\"start\":2", "\"start\":-2"), "evidence from -2 to 8"),
        (GOOD.replace("\"start\":2,", ""), "evidence from missing to 8"),
        (GOOD.replace("\"reject\"", "\"maybe\""), "unknown stance \"maybe\" (write endorse, reject or report)"),
        (GOOD.replace("\"x-1\"", "[1]"), "\"id\" is an array"),
        (GOOD.replace("\"id\":\"x-1\",", ""), "there is no \"id\""),
        (GOOD.replace("\"needs_context\":true", "\"needs_context\":1"), "\"needs_context\" is a number"),
        (GOOD.replace("\"b\":[]", "\"b\":0"), "annotator \"b\" has a number"),
        (r#"{"id":"1","text":"a"}"#.to_owned(), "write \"labels\": []"),
        (r#"{"id":"1","labels":[]}"#.to_owned(), "there is no \"text\""),
        (r#"{"id":"1","text":"a","labels":{}}"#.to_owned(), "\"labels\" is an object"),
        (r#"{"id":"1","text":"a","labels":[7]}"#.to_owned(), "a label is a number"),
        (r#"{"id":"1","text":"a","labels":[{"stance":"endorse"}]}"#.to_owned(), "a label names no thesis"),
        ("{\"id\":\"论点\" 1}".to_owned(), "g.jsonl:1:12: not JSON: expected `,` or `}`"),
        ("{".to_owned(), "not JSON: EOF"),
        ("[1".to_owned(), "not JSON"),
        ("[1]".to_owned(), "a row is a number"),
        ("a,b\n1,2\n".to_owned(), "not a label file"),
    ];
    for (text, expected) in cases {
        let said = complaint(&text);
        assert!(said.contains(expected), "{said}\nshould contain {expected}");
        assert!(said.starts_with("g.jsonl") && said.ends_with(')'), "{said}");
    }
}

#[test]
fn a_bad_row_costs_only_itself() {
    let text = format!("{GOOD}\n{GOOD}\n{{\"id\":\"y\",\"text\":\"a\",\"labels\":[]}}");
    let (samples, diagnostics) = read(&text);
    assert_eq!(samples.iter().map(|s| s.paragraph.id.as_str()).collect::<Vec<_>>(), ["x-1", "y"]);
    assert!(diagnostics[0].to_string().starts_with("g.jsonl:2: id \"x-1\" is already on line 1"), "{diagnostics:?}");
}

#[test]
fn of_one_thesis_twice_the_first_counts() {
    let text = r#"{"id":"1","text":"ab","labels":[{"thesis":"debt-and-credit","start":0,"end":1},{"thesis":"debt-and-credit","stance":"reject"}]}"#;
    let (samples, diagnostics) = read(text);
    assert_eq!((samples[0].labels.len(), samples[0].labels[0].evidence.clone()), (1, Some(0..1)));
    assert!(diagnostics[0].message.contains("labelled twice") && !diagnostics[0].error, "{diagnostics:?}");
}

#[test]
fn another_taxonomy_is_refused_with_its_slugs() {
    let row =
        |i: usize, slug: &str| format!("{{\"id\":\"{i}\",\"text\":\"a\",\"labels\":[{{\"thesis\":\"{slug}\"}}]}}\n");
    let text: String =
        ["sports", "weather", "sports", "overcapacity"].iter().enumerate().map(|(i, s)| row(i, s)).collect();
    let said = complaint(&text);
    assert!(
        said.contains("without 2 of its slugs: sports, weather (give its taxonomy with `--taxonomy FILE`)"),
        "{said}"
    );
}

#[test]
fn rows_that_wait_for_labels_are_left_out() {
    let (samples, diagnostics) = read("{\"id\":\"1\",\"text\":\"a\",\"labels\":null}\n");
    assert!(samples.is_empty() && !diagnostics[0].error, "{diagnostics:?}");
    let (samples, diagnostics) = read("");
    assert!(samples.is_empty() && diagnostics.len() == 1 && !diagnostics[0].error);
}

#[test]
fn doccano_exports() {
    let text = r#"{"id":7,"text":"他说东西卖不出去。","label":[[2,8,"overcapacity"],[0,1,"overcapacity"]],"Comments":[],"sample_id":"x-1"}
{"id":8,"text":"甲","label":["weak-demand"]}
{"id":9,"text":"甲乙","entities":[{"id":1,"label":"property","start_offset":1,"end_offset":2}],"relations":[]}
"#;
    let (samples, diagnostics) = read(text);
    assert_eq!(diagnostics, []);
    assert_eq!(samples.iter().map(|s| s.paragraph.id.as_str()).collect::<Vec<_>>(), ["x-1", "8", "9"]);
    assert_eq!((samples[0].labels.len(), samples[0].labels[0].evidence.clone()), (1, Some(6..24)));
    assert_eq!(samples[1].labels[0].evidence, None);
    assert_eq!(samples[2].labels[0].evidence, Some(3..6));
}

#[test]
fn label_studio_exports() {
    let region = |slug: &str| json!({"type":"labels","value":{"start":1,"end":3,"text":"卖不","labels":[slug]}});
    let text = json!([
        {"id":1,"data":{"id":"x-1","text":"😀卖不出去","doc":"d"},"annotations":[
            {"completed_by":{"id":3,"email":"a@b"},"result":[region("overcapacity"), region("property")]},
            {"completed_by":4,"result":[{"type":"choices","value":{"choices":["overcapacity"]}}]},
            {"completed_by":5,"was_cancelled":true,"result":[]},
        ]},
        {"id":2,"data":{"text":"乙"},"annotations":[{"completed_by":4,"result":[]}]},
        {"id":3,"data":{"text":"丙"},"annotations":[]},
    ]);
    for text in [text.to_string(), serde_json::to_string_pretty(&text).unwrap()] {
        let (samples, diagnostics) = read(&text);
        assert!(diagnostics.len() == 1 && !diagnostics[0].error, "{diagnostics:?}");
        let t = taxonomy();
        let thesis = t.index("overcapacity").unwrap();
        assert_eq!(samples[0].labels, [Label { thesis, stance: Stance::Endorse, evidence: Some(4..10) }]);
        assert_eq!(samples[0].annotators.keys().collect::<Vec<_>>(), ["4", "a@b"]);
        assert_eq!((samples[1].paragraph.id.as_str(), samples[1].labels.len(), samples.len()), ("2", 0, 2));
    }
    let pretty = serde_json::to_string_pretty(&text).unwrap().replace("\"property\"", "\"propert\"");
    let (_, diagnostics) = read(&pretty);
    assert!(diagnostics[1].to_string().starts_with("g.jsonl:2: unknown thesis"), "{diagnostics:?}");
}

#[test]
fn long_csv() {
    let text = "task,worker,label\n1,a,overcapacity\n1,a,property\n1,b,overcapacity\n1,c,\n2,a,\n3,a,overcapaciti\n4,,property\n";
    let (samples, diagnostics) = read(text);
    let said: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert!(said.len() == 2 && said[0].starts_with("g.jsonl:7: unknown") && said[1].contains(":8:"), "{said:?}");
    assert_eq!(samples.len(), 2);
    let t = taxonomy();
    assert_eq!(samples[0].labels.iter().map(|l| l.thesis).collect::<Vec<_>>(), [t.index("overcapacity").unwrap()]);
    assert_eq!((samples[0].annotators.len(), samples[0].annotators["a"].len()), (3, 2));
    assert!(samples[0].annotators["c"].is_empty());
}

fn sample() -> impl Strategy<Value = Sample> {
    let text = "[a论点😀\\\\\"é\u{301} ]{1,12}";
    let labels = proptest::collection::vec((0usize..22, 0usize..3, any::<Option<(u8, u8)>>()), 0..4);
    ("[a-z]{1,8}", text, labels, any::<bool>()).prop_map(|(id, text, raw, needs_context)| {
        let mut bounds: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
        bounds.push(text.len());
        let mut labels: Vec<Label> = Vec::new();
        for (thesis, stance, span) in raw {
            let evidence = span.map(|(a, b)| {
                let from = a as usize % (bounds.len() - 1);
                let to = from + 1 + b as usize % (bounds.len() - 1 - from);
                bounds[from]..bounds[to]
            });
            if labels.iter().all(|l| l.thesis != thesis) {
                labels.push(Label {
                    thesis,
                    stance: [Stance::Endorse, Stance::Reject, Stance::Report][stance],
                    evidence,
                });
            }
        }
        let paragraph = Paragraph { id, text, section: "s".into(), ..Paragraph::default() };
        Sample { paragraph, labels, needs_context, ..Sample::default() }
    })
}

proptest! {
    #[test]
    fn our_rows_come_back_as_they_were(s in sample()) {
        let t = taxonomy();
        let (back, diagnostics) = read(&sample_row(&s, &t));
        prop_assert_eq!(diagnostics, vec![]);
        prop_assert_eq!(back, vec![s]);
    }

    #[test]
    fn tools_give_back_theses_and_evidence(mut s in sample()) {
        let t = taxonomy();
        for l in &mut s.labels {
            l.stance = Stance::Endorse;
        }
        let (back, diagnostics) = read(&label_studio_annotated(std::slice::from_ref(&s), &t).to_string());
        prop_assert_eq!(&diagnostics, &[]);
        prop_assert_eq!(&back[0].labels, &s.labels);
        prop_assert_eq!(&back[0].paragraph, &s.paragraph);
        let (back, diagnostics) = read(&doccano_row(&s.paragraph, &s.labels, &t));
        prop_assert_eq!(&diagnostics, &[]);
        let whole = 0..s.paragraph.text.len();
        for l in &mut s.labels {
            l.evidence.get_or_insert(whole.clone());
        }
        prop_assert_eq!(&back[0].labels, &s.labels);
        prop_assert_eq!(&back[0].paragraph, &s.paragraph);
    }

    #[test]
    fn nothing_panics(text in "[\\[{]?[\\]{}\"a:,1\\[a-z论\n]{0,60}") {
        read(&text);
    }
}

#[test]
fn a_paragraph_to_label_is_not_gold_until_it_is() {
    let t = taxonomy();
    let paragraph = Paragraph { id: "p".into(), text: "甲乙丙".into(), ..Paragraph::default() };
    let proposals =
        vec![Proposal { system: "rules", thesis: 3, score: 0.8, labelled: true, evidence: vec![3..6, 6..9] }];
    let item = ToLabel { paragraph: &paragraph, entropy: 1.0, proposals };
    let row = unlabelled_row(&item, &t);
    assert!(row.contains(r#""start":1,"end":2,"quote":"乙""#), "{row}");
    assert!(read(&row).0.is_empty());
    let (samples, diagnostics) = read(&row.replace("\"labels\":null", "\"labels\":[]"));
    assert!(samples.len() == 1 && diagnostics.is_empty());
    let tasks = label_studio_tasks(&[item], &t);
    assert_eq!(tasks[0]["predictions"][0]["result"].as_array().unwrap().len(), 2);
    assert!(read(&tasks.to_string()).0.is_empty());
    assert!(label_studio_config(&t).contains("<Label value=\"overcapacity\""));
}

#[test]
fn what_ends_too_early_ends_on_its_last_line() {
    assert!(complaint("[{\"id\":1},\n{\"id\":\n").starts_with("g.jsonl:2:7: not JSON"));
}

#[test]
fn many_labels_and_faults_of_a_long_row_cost_no_more_than_they_should() {
    let (length, slug) = (100_000, "overcapacity");
    let text = "产".repeat(length);
    let row = |labels: Vec<serde_json::Value>| json!({"id": "x", "text": text, "labels": labels}).to_string();
    let (samples, _) = read(&row(vec![json!([length - 1, length, slug]); length / 10]));
    assert_eq!(samples[0].labels[0].evidence, Some(3 * length - 3..3 * length));

    let wrong = json!({"label": slug, "start": 0, "end": length, "quote": "乙".repeat(1000)});
    let (samples, diagnostics) = read(&row(vec![wrong; 100]));
    assert!(samples.is_empty() && diagnostics.len() < 30);
    assert!(diagnostics.iter().all(|d| d.to_string().len() < 1000));
}
