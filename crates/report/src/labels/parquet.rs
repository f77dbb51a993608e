//! A row a paragraph in Apache Parquet, for data frames: the columns of the CSV with their types kept, evidence as a
//! list of structs.
//!
//! The decision that matters: the file is written column by column through the format's own writer, without Arrow,
//! which would be twenty crates for a dozen columns. Rows are kept until a row group is full.

use std::io::{self, Write};
use std::iter::repeat_n;
use std::sync::Arc;

use lundian_core::{Paragraph, Role};
use lundian_runner::{Decision, Labelled, Summary, mean_role};
use parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, FloatType, Int64Type};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::{Context, FormatEntry, LabelWriter};
use crate::CodePoints;

pub(super) const ENTRY: FormatEntry = FormatEntry {
    name: "parquet",
    endings: &["parquet"],
    doc: "a row a paragraph with typed columns, for data frames and DuckDB",
    open: |out, context| Ok(Box::new(File::new(out, context).map_err(io::Error::other)?)),
};

/// Rows of a row group.
const GROUP: usize = 10_000;

/// Takes a column of text from a paragraph.
type TextOf = fn(&Paragraph) -> &str;

/// The columns of text; an empty one is null.
const TEXTS: [(&str, TextOf); 9] = [
    ("id", |p| &p.id),
    ("doc", |p| &p.doc),
    ("title", |p| &p.title),
    ("section", |p| &p.section),
    ("heading", |p| &p.heading),
    ("author", |p| &p.author),
    ("date", |p| &p.date),
    ("duplicate_of", |p| p.duplicate_of.as_deref().unwrap_or_default()),
    ("text", |p| &p.text),
];

struct File<'a> {
    out: Box<dyn Write + 'a>,
    context: Context<'a>,
    // The writer wants to be sent to other threads, which `out` cannot be: what it has written is moved on.
    writer: SerializedFileWriter<Vec<u8>>,
    columns: Columns,
    rows: usize,
}

impl<'a> File<'a> {
    fn new(out: Box<dyn Write + 'a>, context: Context<'a>) -> Result<Self> {
        let about = [("lundian.judge", context.judge), ("lundian.taxonomy", context.taxonomy.name())];
        let about = about.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("lundian ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_key_value_metadata(Some(about.into()))
            .build();
        let writer = SerializedFileWriter::new(Vec::new(), schema(&context)?, Arc::new(properties))?;
        let columns = Columns { scores: vec![Leaf::default(); context.taxonomy.len()], ..Columns::default() };
        Ok(Self { out, context, writer, columns, rows: 0 })
    }

    fn write_group(&mut self) -> Result<()> {
        if self.rows > 0 {
            let mut group = self.writer.next_row_group()?;
            self.columns.write(&mut group)?;
            group.close()?;
            self.rows = 0;
        }
        Ok(())
    }

    fn move_on(&mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.out.write_all(self.writer.inner())?;
        self.writer.inner_mut().clear();
        Ok(())
    }
}

impl LabelWriter for File<'_> {
    fn row(&mut self, row: &Labelled, scores: &[f32], labels: &[Decision]) -> io::Result<()> {
        self.columns.push(&self.context, row, scores, labels);
        self.rows += 1;
        if self.rows == GROUP {
            self.write_group().map_err(io::Error::other)?;
            self.move_on()?;
        }
        Ok(())
    }

    fn finish(&mut self, _summary: &Summary) -> io::Result<()> {
        self.write_group().map_err(io::Error::other)?;
        self.writer.finish().map_err(io::Error::other)?;
        self.move_on()?;
        self.out.flush()
    }
}

/// A column as Parquet stores it: values, and for each row (or item of a list) whether one is there and whether it
/// belongs to the row before.
#[derive(Clone)]
struct Leaf<T> {
    values: Vec<T>,
    definition: Vec<i16>,
    repetition: Vec<i16>,
}

impl<T> Default for Leaf<T> {
    fn default() -> Self {
        Self { values: Vec::new(), definition: Vec::new(), repetition: Vec::new() }
    }
}

impl<T> Leaf<T> {
    fn one(&mut self, value: Option<T>) {
        self.definition.push(i16::from(value.is_some()));
        self.repetition.push(0);
        self.values.extend(value);
    }

    fn list(&mut self, values: impl IntoIterator<Item = T>) {
        let before = self.values.len();
        self.values.extend(values);
        let n = self.values.len() - before;
        self.definition.extend(repeat_n(1, n));
        self.definition.extend((n == 0).then_some(0));
        self.repetition.push(0);
        self.repetition.extend(repeat_n(1, n.saturating_sub(1)));
    }

    fn write<D: DataType<T = T>>(&mut self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<()> {
        let missing = || ParquetError::General("more columns than the schema has".to_owned());
        let mut column = group.next_column()?.ok_or_else(missing)?;
        column.typed::<D>().write_batch(&self.values, Some(&self.definition), Some(&self.repetition))?;
        column.close()?;
        *self = Self::default();
        Ok(())
    }
}

/// The columns, in the order of the schema.
#[derive(Default)]
struct Columns {
    texts: [Leaf<ByteArray>; TEXTS.len()],
    start: Leaf<i64>,
    end: Leaf<i64>,
    theses: Leaf<ByteArray>,
    evidence: Evidence,
    role: Leaf<ByteArray>,
    failed: Leaf<ByteArray>,
    scores: Vec<Leaf<f32>>,
}

#[derive(Default)]
struct Evidence {
    thesis: Leaf<ByteArray>,
    start: Leaf<i64>,
    end: Leaf<i64>,
    quote: Leaf<ByteArray>,
    weight: Leaf<f32>,
    system: Leaf<ByteArray>,
}

impl Columns {
    fn push(&mut self, context: &Context<'_>, row: &Labelled, scores: &[f32], labels: &[Decision]) {
        let p = &row.paragraph;
        for (leaf, (_, text)) in self.texts.iter_mut().zip(TEXTS) {
            leaf.one(Some(text(p)).filter(|t| !t.is_empty()).map(ByteArray::from));
        }
        self.start.one(p.source.map(|s| s.start as i64));
        self.end.one(p.source.map(|s| s.end as i64));
        let slug = |label: &Decision| ByteArray::from(context.taxonomy.theses()[label.thesis].slug.as_str());
        self.theses.list(labels.iter().map(slug));
        let points = CodePoints::new(&p.text);
        let spans: Vec<_> = labels.iter().flat_map(|l| l.evidence.iter().map(move |e| (l, e))).collect();
        let evidence = &mut self.evidence;
        evidence.thesis.list(spans.iter().map(|(l, _)| slug(l)));
        evidence.start.list(spans.iter().map(|(_, e)| points.of(e.range.start) as i64));
        evidence.end.list(spans.iter().map(|(_, e)| points.of(e.range.end) as i64));
        evidence.quote.list(spans.iter().map(|(_, e)| ByteArray::from(&p.text[e.range.clone()])));
        evidence.weight.list(spans.iter().map(|(_, e)| e.weight));
        evidence.system.list(spans.iter().map(|(_, e)| ByteArray::from(context.systems[e.system].name.as_str())));
        self.role.one(mean_role(&row.verdicts).map(|scores| ByteArray::from(Role::likeliest(&scores).as_str())));
        let failed = context.systems.iter().zip(&row.verdicts).filter(|(_, v)| v.failed.is_some());
        self.failed.list(failed.map(|(s, _)| ByteArray::from(s.name.as_str())));
        for (leaf, score) in self.scores.iter_mut().zip(scores) {
            leaf.one(Some(*score).filter(|s| !s.is_nan()));
        }
    }

    fn write(&mut self, group: &mut SerializedRowGroupWriter<'_, Vec<u8>>) -> Result<()> {
        for leaf in &mut self.texts {
            leaf.write::<ByteArrayType>(group)?;
        }
        self.start.write::<Int64Type>(group)?;
        self.end.write::<Int64Type>(group)?;
        self.theses.write::<ByteArrayType>(group)?;
        self.evidence.thesis.write::<ByteArrayType>(group)?;
        self.evidence.start.write::<Int64Type>(group)?;
        self.evidence.end.write::<Int64Type>(group)?;
        self.evidence.quote.write::<ByteArrayType>(group)?;
        self.evidence.weight.write::<FloatType>(group)?;
        self.evidence.system.write::<ByteArrayType>(group)?;
        self.role.write::<ByteArrayType>(group)?;
        self.failed.write::<ByteArrayType>(group)?;
        self.scores.iter_mut().try_for_each(|leaf| leaf.write::<FloatType>(group))
    }
}

fn schema(context: &Context<'_>) -> Result<TypePtr> {
    use Physical::{BYTE_ARRAY, FLOAT, INT64};
    let mut fields = Vec::new();
    for (name, _) in TEXTS {
        fields.push(leaf(name, BYTE_ARRAY, Repetition::OPTIONAL)?);
    }
    fields.extend([leaf("start", INT64, Repetition::OPTIONAL)?, leaf("end", INT64, Repetition::OPTIONAL)?]);
    fields.push(list("theses", leaf("element", BYTE_ARRAY, Repetition::REQUIRED)?)?);
    let span = vec![
        leaf("thesis", BYTE_ARRAY, Repetition::REQUIRED)?,
        leaf("start", INT64, Repetition::REQUIRED)?,
        leaf("end", INT64, Repetition::REQUIRED)?,
        leaf("quote", BYTE_ARRAY, Repetition::REQUIRED)?,
        leaf("weight", FLOAT, Repetition::REQUIRED)?,
        leaf("system", BYTE_ARRAY, Repetition::REQUIRED)?,
    ];
    let span = Type::group_type_builder("element").with_repetition(Repetition::REQUIRED).with_fields(span).build()?;
    fields.push(list("evidence", Arc::new(span))?);
    fields.push(leaf("role", BYTE_ARRAY, Repetition::OPTIONAL)?);
    fields.push(list("failed", leaf("element", BYTE_ARRAY, Repetition::REQUIRED)?)?);
    for thesis in context.taxonomy.theses() {
        fields.push(leaf(&thesis.slug, FLOAT, Repetition::OPTIONAL)?);
    }
    Ok(Arc::new(Type::group_type_builder("paragraphs").with_fields(fields).build()?))
}

fn leaf(name: &str, physical: Physical, repetition: Repetition) -> Result<TypePtr> {
    let text = (physical == Physical::BYTE_ARRAY).then_some(LogicalType::String);
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition).with_logical_type(text);
    Ok(Arc::new(builder.build()?))
}

/// A list of at least no items, in the three levels that the format's specification asks for.
fn list(name: &str, element: TypePtr) -> Result<TypePtr> {
    let items = Type::group_type_builder("list").with_repetition(Repetition::REPEATED).with_fields(vec![element]);
    let list = Type::group_type_builder(name)
        .with_repetition(Repetition::REQUIRED)
        .with_logical_type(Some(LogicalType::List))
        .with_fields(vec![Arc::new(items.build()?)]);
    Ok(Arc::new(list.build()?))
}
