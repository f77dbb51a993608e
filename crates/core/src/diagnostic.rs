//! A message about one place in the user's input.
//!
//! Parsers yield `(T, Vec<Diagnostic>)`: what could be read, and what could not with its place and its mend, so that
//! one bad paragraph never costs the others.

use std::fmt;

/// One message about one place: what is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Diagnostic {
    /// The file, as the user named it; `-` is standard input.
    pub path: String,
    /// Line, counted from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// Column in characters, counted from 1.
    pub column: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// True where input was lost (the run then ends with exit code 3); false for a mere remark.
    pub error: bool,
}

impl Diagnostic {
    /// An error about the whole of `path`.
    pub fn error(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, column: None, message: message.into(), hint: None, error: true }
    }

    /// A remark about the whole of `path`: nothing was lost.
    pub fn warning(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { error: false, ..Self::error(path, message) }
    }

    /// Sets the line (counted from 1).
    #[must_use]
    pub fn at_line(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }

    /// Sets the column (characters, counted from 1).
    #[must_use]
    pub fn at_column(mut self, column: usize) -> Self {
        self.column = Some(column);
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Diagnostic {
    /// `path:line:column: message (hint)`, the form that editors can jump to.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        write!(f, ": {}", self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Diagnostic;

    #[test]
    fn reads_like_a_compiler_message() {
        let d = Diagnostic::error("a.jsonl", "not JSON").at_line(3).at_column(7).with_hint("one object a line");
        assert_eq!(d.to_string(), "a.jsonl:3:7: not JSON (one object a line)");
        assert!(d.error);
        assert!(!Diagnostic::warning("a", "b").error);
    }
}
