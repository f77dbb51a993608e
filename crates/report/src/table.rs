//! Plain tables for the terminal, with columns that line up whatever the script.

use unicode_width::UnicodeWidthStr;

/// How a column is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A column: its head and how it is set.
#[derive(Clone, Debug)]
pub struct Column {
    head: String,
    align: Align,
}

impl Column {
    /// A column of text.
    pub fn left(head: impl Into<String>) -> Self {
        Self { head: head.into(), align: Align::Left }
    }

    /// A column of numbers.
    pub fn right(head: impl Into<String>) -> Self {
        Self { head: head.into(), align: Align::Right }
    }
}

/// A table that is set when it is printed.
#[derive(Clone, Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(columns: Vec<Column>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, cells beyond the last column are dropped.
    pub fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        let mut cells: Vec<String> = cells.into_iter().take(self.columns.len()).collect();
        cells.resize(self.columns.len(), String::new());
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    /// The head and the rows, two spaces between columns, no space at the end of a line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let heads: Vec<String> = self.columns.iter().map(|c| c.head.clone()).collect();
        let widths: Vec<usize> = (0..heads.len())
            .map(|i| self.rows.iter().chain([&heads]).map(|r| r[i].width()).max().unwrap_or(0))
            .collect();
        for row in [&heads].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for ((cell, column), width) in row.iter().zip(&self.columns).zip(&widths) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                let pad = " ".repeat(width - cell.width());
                match column.align {
                    Align::Left => line.extend([cell.as_str(), &pad]),
                    Align::Right => line.extend([&pad, cell.as_str()]),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `text` cut to `width` columns, with an ellipsis where it was cut.
pub(crate) fn truncated(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let w = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
        if used + w > width.saturating_sub(1) {
            break;
        }
        used += w;
        out.push(c);
    }
    if width > 0 {
        out.push('…');
    }
    out
}

/// The line above a table.
pub(crate) fn title(text: &str, color: bool) -> String {
    const STYLE: anstyle::Style = anstyle::Style::new().bold().underline();
    if color { format!("{STYLE}{text}{STYLE:#}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_takes_two_columns() {
        let mut table = Table::new(vec![Column::left("name"), Column::right("n")]);
        table.row(["产能过剩".into(), "7".into()]);
        table.row(["ab".into(), "12".into()]);
        assert_eq!(table.to_string(), "name       n\n产能过剩   7\nab        12\n");
    }
}
