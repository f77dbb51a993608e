//! Both sides of the C border: the one place where `lundian-abi` structs become this crate's types and back.
//!
//! [`entry`] is the plugin's side, used by [`export!`](crate::export); [`Foreign`] is the host's side, which makes
//! whatever stands behind an entry a [`Classifier`](crate::Classifier). They live together so that a plugin can be
//! tested through the border without a host, and so that neither can drift from the other. Plugin authors need
//! nothing from here.
//!
//! The decision that matters: neither side trusts the other with more than the C contract asks. Texts are checked to
//! be UTF-8 when they come in, panics stop at the border, and an answer is checked before anybody sees it.

mod call;
mod export;

use std::fmt;

pub use call::{Entry, EntryError, Foreign, Log, one_line};
pub use export::entry;
pub use lundian_abi as abi;
use lundian_abi::{LundianStr, LundianStrings};

use crate::{ClassifierError, Role};

/// The border and `lundian-core` have the same roles, in the same order.
const _: () = {
    assert!(Role::ALL.len() == abi::ROLES);
    assert!(matches!(Role::ALL[abi::ROLE_EXPLANATION], Role::Explanation));
    assert!(matches!(Role::ALL[abi::ROLE_EVIDENCE], Role::Evidence));
    assert!(matches!(Role::ALL[abi::ROLE_REMEDY], Role::Remedy));
    assert!(matches!(Role::ALL[abi::ROLE_OTHER], Role::Other));
};

/// How much a line of a plugin's log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is lost.
    Error,
    /// Something is odd.
    Warn,
    /// Something is worth knowing.
    Info,
    /// For the plugin's author.
    Debug,
}

impl Level {
    /// The level of a number that crossed the border; unknown ones are for the plugin's author.
    pub fn from_abi(level: u32) -> Self {
        match level {
            abi::LOG_ERROR => Self::Error,
            abi::LOG_WARN => Self::Warn,
            abi::LOG_INFO => Self::Info,
            _ => Self::Debug,
        }
    }

    /// The number that crosses the border.
    pub fn to_abi(self) -> u32 {
        match self {
            Self::Error => abi::LOG_ERROR,
            Self::Warn => abi::LOG_WARN,
            Self::Info => abi::LOG_INFO,
            Self::Debug => abi::LOG_DEBUG,
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warn => "warning",
            Self::Info => "info",
            Self::Debug => "debug",
        })
    }
}

/// The status and the message by which an error crosses the border.
pub fn status_of(error: &ClassifierError) -> (i32, String) {
    match error {
        ClassifierError::Config(m) => (abi::STATUS_CONFIG, m.clone()),
        ClassifierError::Model(m) => (abi::STATUS_MODEL, m.clone()),
        ClassifierError::Cancelled => (abi::STATUS_CANCELLED, String::new()),
        other => (abi::STATUS_FAILED, other.to_string()),
    }
}

/// The error that crossed the border as a status and a message.
pub fn error_of(status: i32, message: String) -> ClassifierError {
    match status {
        abi::STATUS_CONFIG => ClassifierError::Config(message),
        abi::STATUS_MODEL => ClassifierError::Model(message),
        abi::STATUS_CANCELLED => ClassifierError::Cancelled,
        _ => ClassifierError::Failed(message),
    }
}

/// The bytes of a text from the far side.
///
/// # Safety
/// `text.data` is null or valid for reads of `text.len` bytes for as long as the result is used.
unsafe fn bytes<'a>(text: LundianStr) -> &'a [u8] {
    if text.data.is_null() || text.len > isize::MAX as usize {
        return &[];
    }
    // SAFETY: by the caller's promise; a null pointer and a length that no slice may have were dealt with above.
    unsafe { std::slice::from_raw_parts(text.data, text.len) }
}

/// The texts of a column from the far side.
///
/// # Safety
/// `column` is as `lundian-abi` describes it, and valid for as long as the result is used.
unsafe fn texts<'a>(column: &LundianStrings) -> Result<Vec<&'a str>, ClassifierError> {
    let wrong = || ClassifierError::Failed("the host passed texts that are not UTF-8 or offsets out of order".into());
    if column.offsets.is_null() {
        return Err(wrong());
    }
    // SAFETY: a column has `len + 1` offsets.
    let offsets = unsafe { std::slice::from_raw_parts(column.offsets, column.len + 1) };
    let offsets: Vec<usize> =
        offsets.iter().map(|&o| usize::try_from(o)).collect::<Result<_, _>>().map_err(|_| wrong())?;
    let len = offsets[column.len];
    // SAFETY: the last offset is the number of bytes.
    let data = std::str::from_utf8(unsafe { bytes(LundianStr { data: column.data, len }) }).map_err(|_| wrong())?;
    offsets.windows(2).map(|pair| data.get(pair[0]..pair[1]).ok_or_else(wrong)).collect()
}

/// A column of texts on its way to the far side.
struct Column {
    offsets: Vec<i64>,
    data: String,
}

impl Column {
    fn new<'a>(texts: impl Iterator<Item = &'a str> + Clone) -> Self {
        let mut data = String::with_capacity(texts.clone().map(str::len).sum());
        let mut offsets = vec![0];
        for text in texts {
            data.push_str(text);
            offsets.push(data.len() as i64);
        }
        Self { offsets, data }
    }

    /// Borrows the column, which must outlive every use of the result.
    fn as_abi(&self) -> LundianStrings {
        LundianStrings { len: self.offsets.len() - 1, offsets: self.offsets.as_ptr(), data: self.data.as_ptr() }
    }
}
