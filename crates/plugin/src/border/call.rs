//! The host's side: what stands behind an entry, as a [`Classifier`].
//!
//! Nothing that comes back is trusted. The score matrix has a guard behind it, callbacks copy under a lock and are
//! bounded, and rows that break a promise fail alone.

use std::ffi::c_void;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::{Arc, Mutex, PoisonError};

use lundian_abi::{
    self as abi, ClassifyFn, CreateFn, DestroyFn, ExtensionFn, LundianBatch, LundianEntry, LundianHost, LundianStr,
    LundianTaxonomy, LundianThresholds,
};
use serde_json::Value;

use super::{Column, Level, bytes, error_of};
use crate::{Batch, Cancel, Classifier, ClassifierError, Evidence, Failure, Output, RoleScores, Setup, Thresholds};

/// Receives the lines of a plugin's log.
pub type Log = Arc<dyn Fn(Level, &str) + Send + Sync>;

/// Floats behind the score matrix that show whether a plugin wrote past its end.
const GUARD: usize = 256;
/// A NaN that no arithmetic makes.
const GUARD_BITS: u32 = 0x7fc1_5a5a;
/// Spans that a paragraph may have however short it is; longer ones may have one for each byte. Keeps a plugin from
/// filling the host's memory.
const SPANS_PER_PARAGRAPH: usize = 1024;
/// Characters of a message that are kept.
const MESSAGE_CHARS: usize = 1000;

/// Why an entry cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntryError {
    /// The entry function returned null.
    #[error("its function `{}` returned null", abi::ENTRY_SYMBOL)]
    Null,
    /// The first bytes are not [`abi::MAGIC`].
    #[error("its entry begins with {found:#018x} instead of the magic number {:#018x}", abi::MAGIC)]
    Magic {
        /// What stands there.
        found: u64,
    },
    /// Built for another border.
    #[error("it was built for plugin ABI {found}, this program speaks ABI {}: rebuild it", abi::ABI_MAJOR)]
    Major {
        /// `abi_major` of the plugin.
        found: u16,
    },
    /// The struct ends before its first version does.
    #[error("its entry has {found} bytes, ABI {}.0 has {}", abi::ABI_MAJOR, abi::ENTRY_SIZE_1_0)]
    Size {
        /// `struct_size` of the plugin.
        found: u32,
    },
    /// A function that every plugin must have is null.
    #[error("its entry has no function `{0}`")]
    Function(&'static str),
    /// The manifest in the library is not text.
    #[error("the manifest in its entry is not UTF-8")]
    Manifest,
}

/// A checked entry: what a plugin library says of itself.
#[derive(Clone, Copy)]
pub struct Entry {
    manifest: &'static str,
    minor: u16,
    create: CreateFn,
    classify: ClassifyFn,
    destroy: DestroyFn,
    extension: Option<ExtensionFn>,
}

impl Entry {
    /// Checks the entry at `entry`.
    ///
    /// # Errors
    /// What is wrong with it.
    ///
    /// # Safety
    /// `entry` came from the entry function of a library that is never unloaded, or points to a static
    /// [`LundianEntry`].
    pub unsafe fn check(entry: *const LundianEntry) -> Result<Self, EntryError> {
        if entry.is_null() || !entry.is_aligned() {
            return Err(EntryError::Null);
        }
        // SAFETY: the first four members have the same place in every version, and are read through raw pointers,
        // since the struct may be shorter than ours. The rest is read only after `struct_size` says that it is there.
        unsafe {
            match (&raw const (*entry).magic).read() {
                abi::MAGIC => {}
                found => return Err(EntryError::Magic { found }),
            }
            match (&raw const (*entry).abi_major).read() {
                abi::ABI_MAJOR => {}
                found => return Err(EntryError::Major { found }),
            }
            match (&raw const (*entry).struct_size).read() {
                abi::ENTRY_SIZE_1_0.. => {}
                found => return Err(EntryError::Size { found }),
            }
            let manifest = std::str::from_utf8(bytes((&raw const (*entry).manifest).read()));
            Ok(Self {
                manifest: manifest.map_err(|_| EntryError::Manifest)?,
                minor: (&raw const (*entry).abi_minor).read(),
                create: (*entry).create.ok_or(EntryError::Function("create"))?,
                classify: (*entry).classify.ok_or(EntryError::Function("classify"))?,
                destroy: (*entry).destroy.ok_or(EntryError::Function("destroy"))?,
                extension: (*entry).extension,
            })
        }
    }

    /// Text of the manifest that is built into the library.
    pub fn manifest(&self) -> &'static str {
        self.manifest
    }

    /// The minor ABI number that it was built for; any will do.
    pub fn minor(&self) -> u16 {
        self.minor
    }
}

/// An instance behind the border.
pub struct Foreign {
    entry: Entry,
    instance: NonNull<c_void>,
    theses: usize,
    thresholds: Option<Thresholds>,
    log: Log,
}

// SAFETY: the contract lets `classify` and the thresholds be called from several threads at once on one instance, and
// `destroy` from any; `destroy` runs in `drop`, when no call is under way.
unsafe impl Send for Foreign {}
// SAFETY: as above.
unsafe impl Sync for Foreign {}

impl Foreign {
    /// Makes an instance.
    ///
    /// # Errors
    /// What the plugin reports.
    pub fn create(entry: Entry, setup: &Setup<'_>, log: Log) -> Result<Self, ClassifierError> {
        let slugs = Column::new(setup.taxonomy.theses().iter().map(|t| t.slug.as_str()));
        let json = setup.taxonomy.to_json();
        let taxonomy = LundianTaxonomy {
            struct_size: size_of::<LundianTaxonomy>() as u32,
            reserved: 0,
            slugs: slugs.as_abi(),
            json: LundianStr::new(&json),
        };
        let settings = if setup.settings.is_null() { "{}".to_owned() } else { Value::to_string(setup.settings) };
        let dir = setup.dir.map(path_bytes).transpose()?.unwrap_or_default();
        let dir = LundianStr { data: dir.as_ptr(), len: dir.len() };
        let call = Call::new(0, 0, Cancel::default(), &log);
        // SAFETY: everything that is passed lives until the call returns.
        let instance = unsafe { (entry.create)(&call.host(), &taxonomy, LundianStr::new(&settings), dir) };
        let Some(instance) = NonNull::new(instance) else {
            return Err(call.error(abi::STATUS_FAILED, "the plugin made no instance and did not say why"));
        };
        let mut made = Self { entry, instance, theses: setup.taxonomy.len(), thresholds: None, log };
        made.thresholds = made.read_thresholds()?;
        Ok(made)
    }

    /// The thresholds that the plugin reports, if it does.
    pub fn own_thresholds(&self) -> Option<&Thresholds> {
        self.thresholds.as_ref()
    }

    fn read_thresholds(&self) -> Result<Option<Thresholds>, ClassifierError> {
        unsafe extern "C" fn sink(context: *mut c_void, text: LundianStr) {
            // SAFETY: the context is the `Vec` below, and the plugin's text lives until this returns.
            unsafe { *context.cast::<Vec<u8>>() = bytes(text).to_vec() };
        }
        let Some(extension) = self.entry.extension else { return Ok(None) };
        // SAFETY: the plugin returns null or a static struct of the type that the id stands for.
        let table = unsafe { extension(LundianStr::new(abi::EXTENSION_THRESHOLDS)).cast::<LundianThresholds>() };
        // SAFETY: as above; its first and only version ends with `read`.
        let Some(read) = (!table.is_null()).then(|| unsafe { (*table).read }).flatten() else { return Ok(None) };
        let mut json: Vec<u8> = Vec::new();
        // SAFETY: the sink and its context are valid until the call returns.
        unsafe { read(self.instance.as_ptr(), sink, (&raw mut json).cast()) };
        let wrong = |why: String| ClassifierError::Failed(format!("the plugin's thresholds are wrong: {why}"));
        let thresholds: Thresholds = serde_json::from_slice(&json).map_err(|e| wrong(e.to_string()))?;
        if let Some(t) = thresholds.per_thesis.values().chain([&thresholds.global]).find(|t| !(0.0..=1.0).contains(*t))
        {
            return Err(wrong(format!("{t} is outside [0, 1]")));
        }
        Ok(Some(thresholds))
    }
}

impl Classifier for Foreign {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        let units = batch.units;
        let text = Column::new(units.iter().map(|u| u.text));
        let prev = Column::new(units.iter().map(|u| u.prev));
        let heading = Column::new(units.iter().map(|u| u.heading));
        let title = Column::new(units.iter().map(|u| u.title));
        let request = LundianBatch {
            struct_size: size_of::<LundianBatch>() as u32,
            flags: if batch.evidence { abi::BATCH_EVIDENCE } else { 0 },
            text: text.as_abi(),
            prev: prev.as_abi(),
            heading: heading.as_abi(),
            title: title.as_abi(),
        };
        let cells = units.len() * self.theses;
        let mut scores = vec![f32::NAN; cells];
        scores.resize(cells + GUARD, f32::from_bits(GUARD_BITS));
        let spans = text.data.len() + units.len() * SPANS_PER_PARAGRAPH;
        let call = Call::new(units.len(), spans, batch.cancel.clone(), &self.log);
        // SAFETY: everything that is passed lives until the call returns, and the matrix has a cell for every
        // paragraph and thesis.
        let status =
            unsafe { (self.entry.classify)(self.instance.as_ptr(), &call.host(), &request, scores.as_mut_ptr()) };
        if scores[cells..].iter().any(|s| s.to_bits() != GUARD_BITS) {
            return Err("the plugin wrote past the end of the score matrix: it returned too many rows".into());
        }
        if status != abi::STATUS_OK {
            return Err(call.error(status, "the plugin failed and did not say why"));
        }
        let answer = call.into_answer();
        if answer.spans_lost {
            return Err("the plugin returned more pieces of evidence than its paragraphs have bytes".into());
        }
        out.scores_mut().copy_from_slice(&scores[..cells]);
        out.evidence = answer.evidence;
        out.failures.clear();
        let mut failed = vec![false; units.len()];
        for (row, reason) in answer.failures {
            let Some(failed) = failed.get_mut(row) else {
                return Err(format!("the plugin failed paragraph {row} of a batch of {}", units.len()).into());
            };
            if !std::mem::replace(failed, true) {
                out.row_mut(row).fill(f32::NAN);
                out.failures.push(Failure { row, reason });
            }
        }
        if let Some(row) = answer.role_lost {
            return Err(format!("the plugin gave a role to paragraph {row} of a batch of {}", units.len()).into());
        }
        for (row, role) in answer.roles.into_iter().enumerate() {
            if let Some(role) = role.filter(|_| !failed[row]) {
                out.set_role(row, role);
            }
        }
        out.evidence.retain(|e| !failed.get(e.row).is_some_and(|failed| *failed));
        out.fail_broken_rows(|row| units[row].text).map_err(|e| format!("the plugin's answer is wrong: {e}").into())
    }

    fn thresholds(&self) -> Thresholds {
        self.thresholds.clone().unwrap_or_default()
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: the instance came from `create`, and no call on it is under way.
        unsafe { (self.entry.destroy)(self.instance.as_ptr()) };
    }
}

/// What the callbacks of one call gather.
#[derive(Default)]
struct Answer {
    evidence: Vec<Evidence>,
    spans_lost: bool,
    /// By row; empty until one comes.
    roles: Vec<Option<RoleScores>>,
    /// A row that got a role and is not there.
    role_lost: Option<usize>,
    failures: Vec<(usize, String)>,
    error: Option<(i32, String)>,
}

/// One call across the border: the context of its callbacks.
struct Call<'a> {
    rows: usize,
    /// The most evidence spans that are taken.
    spans: usize,
    cancel: Cancel,
    log: &'a Log,
    answer: Mutex<Answer>,
}

impl<'a> Call<'a> {
    fn new(rows: usize, spans: usize, cancel: Cancel, log: &'a Log) -> Self {
        Self { rows, spans, cancel, log, answer: Mutex::default() }
    }

    /// The callbacks with this call as their context, for as long as it stays where it is.
    fn host(&self) -> LundianHost {
        LundianHost {
            struct_size: size_of::<LundianHost>() as u32,
            reserved: 0,
            context: (&raw const *self).cast_mut().cast(),
            evidence: Self::evidence,
            fail_row: Self::fail_row,
            error: Self::report,
            log: Self::log_line,
            cancelled: Self::cancelled,
            role: Self::role,
        }
    }

    fn error(self, status: i32, silent: &str) -> ClassifierError {
        match self.into_answer().error {
            Some((status, message)) => error_of(status, message),
            None => error_of(status, silent.to_owned()),
        }
    }

    fn into_answer(self) -> Answer {
        self.answer.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `f` on what was gathered so far.
    ///
    /// # Safety
    /// `context` is what [`host`](Self::host) gave out, and the call is under way.
    unsafe fn with(context: *mut c_void, f: impl FnOnce(&Self, &mut Answer)) {
        // SAFETY: by the caller's promise; the call is only shared, never borrowed mutably, while it is under way.
        let call = unsafe { &*context.cast::<Call<'_>>() };
        let mut answer = call.answer.lock().unwrap_or_else(PoisonError::into_inner);
        f(call, &mut answer);
    }

    unsafe extern "C" fn evidence(
        context: *mut c_void,
        row: usize,
        thesis: usize,
        start: usize,
        end: usize,
        weight: f32,
    ) {
        // SAFETY: plugins pass back the context that they were given.
        unsafe {
            Self::with(context, |call, answer| {
                if answer.evidence.len() >= call.spans {
                    answer.spans_lost = true;
                } else {
                    answer.evidence.push(Evidence { row, thesis, range: start..end, weight });
                }
            });
        }
    }

    unsafe extern "C" fn fail_row(context: *mut c_void, row: usize, message: LundianStr) {
        // SAFETY: plugins pass back the context that they were given, and a text that lives until this returns.
        unsafe {
            let message = message_of(message);
            Self::with(context, |call, answer| {
                if answer.failures.len() <= call.rows {
                    answer.failures.push((row, message));
                }
            });
        }
    }

    unsafe extern "C" fn report(context: *mut c_void, status: i32, message: LundianStr) {
        // SAFETY: plugins pass back the context that they were given, and a text that lives until this returns.
        unsafe {
            let message = message_of(message);
            Self::with(context, |_, answer| answer.error = Some((status, message)));
        }
    }

    unsafe extern "C" fn log_line(context: *mut c_void, level: u32, message: LundianStr) {
        // SAFETY: plugins pass back the context that they were given, and a text that lives until this returns.
        let (call, message) = unsafe { (&*context.cast::<Call<'_>>(), message_of(message)) };
        (call.log)(Level::from_abi(level), &message);
    }

    unsafe extern "C" fn cancelled(context: *mut c_void) -> u32 {
        // SAFETY: plugins pass back the context that they were given.
        let call = unsafe { &*context.cast::<Call<'_>>() };
        u32::from(call.cancel.is_cancelled())
    }

    unsafe extern "C" fn role(context: *mut c_void, row: usize, scores: *const f32) {
        if scores.is_null() {
            return;
        }
        // SAFETY: plugins pass back the context that they were given, and as many scores as there are roles.
        unsafe {
            let scores: RoleScores = scores.cast::<RoleScores>().read_unaligned();
            Self::with(context, |call, answer| {
                answer.roles.resize(call.rows, None);
                match answer.roles.get_mut(row) {
                    Some(role) => *role = Some(scores),
                    None => answer.role_lost = Some(row),
                }
            });
        }
    }
}

/// A message of a plugin, fit to be shown: one line, of bounded length, without control characters.
///
/// # Safety
/// As for [`bytes`], until this returns.
unsafe fn message_of(text: LundianStr) -> String {
    // SAFETY: by the caller's promise.
    let bytes = unsafe { bytes(text) };
    one_line(&String::from_utf8_lossy(&bytes[..bytes.len().min(4 * MESSAGE_CHARS)]))
}

/// The beginning of `text` on one line, without control characters (which could rewrite a terminal).
pub fn one_line(text: &str) -> String {
    text.trim().chars().take(MESSAGE_CHARS).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(unix)]
fn path_bytes(path: &Path) -> Result<&[u8], ClassifierError> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok(path.as_os_str().as_bytes())
}

#[cfg(not(unix))]
fn path_bytes(path: &Path) -> Result<&[u8], ClassifierError> {
    path.to_str().map(str::as_bytes).ok_or_else(|| format!("{} is not Unicode", path.display()).into())
}
