//! A plugin that says anything: an entry of the C border whose functions do what the input spells out.

use std::cell::RefCell;
use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use lundian_abi::{
    self as abi, LundianBatch, LundianEntry, LundianHost, LundianStr, LundianTaxonomy, LundianThresholds, TextFn,
};
use lundian_plugin::border::{Entry, Foreign};
use lundian_plugin::{Batch, Classifier, Output, RoleScores, Setup, Unit};
use serde_json::Value;

const TEXTS: [&str; 3] = ["论点", "", "a\u{1F600}b"];

/// Whatever the plugin does within the contract of C, the host's answer keeps every promise.
pub fn run(data: &[u8]) {
    let &[form, thresholds, ref rest @ ..] = data else { return };
    let (thresholds, script) = rest.split_at(rest.len().min(thresholds.into()));
    let entry = entry(form);
    // SAFETY: the entry lives until the end of this function, its text is static, and nothing keeps it for longer.
    let checked = unsafe { Entry::check(&raw const entry) };
    assert_eq!(checked.is_ok(), form & BROKEN == 0);
    let Ok(checked) = checked else { return };

    PLAY.set(Play { form, thresholds: thresholds.to_vec(), script: script.to_vec() });
    let log = Arc::new(|_, line: &str| assert!(!line.contains(char::is_control), "{line:?} is not one line"));
    let setup = Setup::new(&crate::TAXONOMY, &Value::Null);
    let Ok(foreign) = Foreign::create(checked, &setup, log) else { return };
    crate::assert_scores(&foreign.thresholds().resolve(&crate::TAXONOMY));

    let units = TEXTS.map(|text| Unit { text, ..Unit::default() });
    let mut out = Output::new(units.len(), crate::TAXONOMY.len());
    if foreign.classify(&Batch::new(&units), &mut out).is_ok() {
        out.check(|row| TEXTS[row]).expect("the border lets a broken promise through");
        let mut failed: Vec<usize> = out.failures.iter().map(|f| f.row).collect();
        failed.sort_unstable();
        assert!(failed.is_sorted_by(|a, b| a < b), "a row fails once");
        for row in failed {
            assert!(out.row(row).iter().all(|s| s.is_nan()) && out.evidence.iter().all(|e| e.row != row));
            assert_eq!(out.role(row), None);
        }
    }
}

/// Bits of the first byte: what is wrong with the entry, and how `create` and `extension` behave.
const MAGIC: u8 = 1;
const MAJOR: u8 = 2;
const SIZE: u8 = 4;
const NO_CLASSIFY: u8 = 8;
const NOT_TEXT: u8 = 16;
const BROKEN: u8 = MAGIC | MAJOR | SIZE | NO_CLASSIFY | NOT_TEXT;
const NO_EXTENSION: u8 = 32;
const NO_INSTANCE: u8 = 64;

fn entry(form: u8) -> LundianEntry {
    let is = |bit: u8| form & bit != 0;
    let manifest = if is(NOT_TEXT) { LundianStr { data: [0xff].as_ptr(), len: 1 } } else { LundianStr::EMPTY };
    LundianEntry {
        magic: abi::MAGIC ^ u64::from(is(MAGIC)),
        struct_size: if is(SIZE) { abi::ENTRY_SIZE_1_0 - 1 } else { size_of::<LundianEntry>() as u32 },
        abi_major: abi::ABI_MAJOR + u16::from(is(MAJOR)),
        abi_minor: abi::ABI_MINOR + 1,
        manifest,
        create: Some(create),
        classify: (!is(NO_CLASSIFY)).then_some(classify as abi::ClassifyFn),
        destroy: Some(destroy),
        extension: (!is(NO_EXTENSION)).then_some(extension as abi::ExtensionFn),
    }
}

/// What the plugin of this thread is to do.
#[derive(Default)]
struct Play {
    form: u8,
    thresholds: Vec<u8>,
    script: Vec<u8>,
}

thread_local! {
    static PLAY: RefCell<Play> = RefCell::default();
}

unsafe extern "C" fn create(
    host: *const LundianHost,
    _: *const LundianTaxonomy,
    _: LundianStr,
    _: LundianStr,
) -> *mut c_void {
    PLAY.with_borrow(|play| {
        if play.form & NO_INSTANCE == 0 {
            return ptr::dangling_mut::<u8>().cast();
        }
        // SAFETY: the host lives until this returns, and so does the text.
        unsafe { perform(&*host, &play.script, &mut []) };
        ptr::null_mut()
    })
}

unsafe extern "C" fn classify(
    _: *mut c_void,
    host: *const LundianHost,
    batch: *const LundianBatch,
    scores: *mut f32,
) -> i32 {
    // SAFETY: the host and the batch live until this returns, and the matrix has a cell for each row and thesis.
    unsafe {
        let cells = (*batch).text.len * crate::TAXONOMY.len();
        let scores = std::slice::from_raw_parts_mut(scores, cells);
        PLAY.with_borrow(|play| perform(&*host, &play.script, scores))
    }
}

unsafe extern "C" fn destroy(_: *mut c_void) {}

unsafe extern "C" fn extension(_: LundianStr) -> *const c_void {
    static TABLE: LundianThresholds =
        LundianThresholds { struct_size: size_of::<LundianThresholds>() as u32, reserved: 0, read: Some(thresholds) };
    (&raw const TABLE).cast()
}

unsafe extern "C" fn thresholds(_: *mut c_void, sink: TextFn, context: *mut c_void) {
    PLAY.with_borrow(|play| {
        let json: &[u8] = if play.thresholds.is_empty() { b"{\"global\":0.5}" } else { &play.thresholds };
        // SAFETY: the sink copies the text before it returns.
        unsafe { sink(context, borrowed(json)) };
    });
}

/// Does what `script` says, and returns the status.
///
/// # Safety
/// `host` is what the call under way was given.
unsafe fn perform(host: &LundianHost, script: &[u8], scores: &mut [f32]) -> i32 {
    let mut script = Script(script);
    while let Some(step) = script.byte() {
        // SAFETY: by the caller's promise; texts live until the callbacks return.
        unsafe {
            match step % 8 {
                0 => {
                    let (cell, score) = (script.number(), script.float());
                    if let Some(cell) = scores.get_mut(cell) {
                        *cell = score;
                    }
                }
                1 => {
                    let [row, thesis, start, end] = [(); 4].map(|()| script.number());
                    (host.evidence)(host.context, row, thesis, start, end, script.float());
                }
                2 => (host.fail_row)(host.context, script.number(), script.text()),
                3 => (host.error)(host.context, script.number() as i32, script.text()),
                4 => (host.log)(host.context, script.number() as u32, script.text()),
                5 => drop((host.cancelled)(host.context)),
                6 => return script.number() as i32,
                _ => {
                    let row = script.number();
                    let scores = script.role();
                    (host.role)(host.context, row, scores.as_ref().map_or(ptr::null(), |s| s.as_ptr()));
                }
            }
        }
    }
    abi::STATUS_OK
}

struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// Small numbers, and the largest that there are.
    fn number(&mut self) -> usize {
        match self.byte().unwrap_or(0) {
            byte @ 248.. => usize::MAX - usize::from(u8::MAX - byte),
            byte => byte.into(),
        }
    }

    fn float(&mut self) -> f32 {
        match self.0.split_first_chunk() {
            Some((bytes, rest)) => {
                self.0 = rest;
                f32::from_le_bytes(*bytes)
            }
            None => 0.5,
        }
    }

    /// Scores of any sum; quarters, so that it is often 1. Now and then null.
    fn role(&mut self) -> Option<RoleScores> {
        let bytes = [(); 4].map(|()| self.byte().unwrap_or(0));
        (bytes[0] != u8::MAX).then(|| bytes.map(quarters))
    }

    /// A text of any bytes; now and then null.
    fn text(&mut self) -> LundianStr {
        let len = usize::from(self.byte().unwrap_or(0)).min(self.0.len());
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        if text.is_empty() { LundianStr { data: ptr::null(), len: 7 } } else { borrowed(text) }
    }
}

/// A quarter for each, and the float that is none.
fn quarters(byte: u8) -> f32 {
    if byte == u8::MAX { f32::NAN } else { f32::from(byte) / 4.0 }
}

fn borrowed(bytes: &[u8]) -> LundianStr {
    LundianStr { data: bytes.as_ptr(), len: bytes.len() }
}
