//! One JSON document: what was run, then every paragraph, then a summary.

use std::io::{self, Write};

use lundian_runner::{Decision, Labelled, Summary};
use serde_json::{Map, Value, json};

use super::record::{record, rounded};
use super::{Context, FormatEntry, LabelWriter};

pub(super) const ENTRY: FormatEntry = FormatEntry {
    name: "json",
    endings: &["json"],
    doc: "one JSON document with the systems, the paragraphs and a summary",
    open: |mut out, context| {
        let taxonomy = context.taxonomy;
        let systems: Vec<Value> =
            context.systems.iter().map(|s| json!({"name": s.name, "kind": s.kind.as_str()})).collect();
        let thresholds: Map<String, Value> = taxonomy
            .theses()
            .iter()
            .zip(context.thresholds)
            .map(|(t, &v)| (t.slug.clone(), json!(rounded(v))))
            .collect();
        write!(out, "{{\"taxonomy\":{},", json!({"name": taxonomy.name(), "version": taxonomy.version()}))?;
        write!(out, "\"systems\":{},\"judge\":{},", json!(systems), json!(context.judge))?;
        write!(out, "\"thresholds\":{},\"paragraphs\":[", json!(thresholds))?;
        Ok(Box::new(Json { out, context, first: true }))
    },
};

struct Json<'a> {
    out: Box<dyn Write + 'a>,
    context: Context<'a>,
    first: bool,
}

impl LabelWriter for Json<'_> {
    fn row(&mut self, row: &Labelled, _scores: &[f32], labels: &[Decision]) -> io::Result<()> {
        self.out.write_all(if self.first { b"\n" } else { b",\n" })?;
        self.first = false;
        serde_json::to_writer(&mut self.out, &record(&self.context, row, labels))?;
        Ok(())
    }

    fn finish(&mut self, summary: &Summary) -> io::Result<()> {
        let systems: Vec<Value> = self
            .context
            .systems
            .iter()
            .zip(&summary.systems)
            .map(|(info, s)| {
                json!({"name": info.name, "seconds": s.seconds, "judged": s.judged, "failed": s.failed,
                       "first_failure": s.first_failure, "switched_off": s.switched_off})
            })
            .collect();
        let summary = json!({"paragraphs": summary.paragraphs, "seconds": summary.elapsed.as_secs_f64(),
                             "systems": systems});
        writeln!(self.out, "\n],\"summary\":{summary}}}")?;
        self.out.flush()
    }
}
