//! The C border between Lundian and its plugins: flat structs, constants, and the header `include/lundian.h`.
//!
//! The decision that matters: plain C by hand, with no Rust types, so that a plugin may be written in any language and
//! built by any compiler. The rules, for every struct and function here:
//!
//! - **One symbol.** A plugin exports [`ENTRY_SYMBOL`], an [`EntryFn`] that returns a static [`LundianEntry`].
//! - **Versions.** [`LundianEntry::magic`], `struct_size`, `abi_major` and `abi_minor` keep their places for ever.
//!   Host and plugin must have the same [`ABI_MAJOR`]; any `abi_minor` goes with any other. Structs only grow at the
//!   end, and `struct_size` says how far the other side may read: what came with a later minor (its description says
//!   which) is there only if `struct_size` reaches its end. The ABI number does not follow crate versions.
//! - **Ownership.** No memory ever changes owner. What the host passes lives until the call returns; a plugin that
//!   needs it longer copies it. What a plugin passes to a callback lives until the callback returns; the host copies
//!   it. The score matrix is the host's. Only the pointer from [`LundianEntry::create`] is the plugin's, and it goes
//!   back to [`LundianEntry::destroy`].
//! - **Threads.** `create` and `destroy` are each called once per instance, with no other call on it under way.
//!   `classify` may be called from several threads at once on one instance. The callbacks of [`LundianHost`] may be
//!   called from any thread, until the call that they were passed to returns.
//! - **Text** is UTF-8, not NUL-terminated; it may contain NUL. Positions are bytes of the paragraph's text.
//! - **Unwinding** (a Rust panic, a C++ exception) must not cross the border in either direction.

use std::ffi::c_void;

/// The C header that says the same as this crate; a test holds them together.
pub const HEADER: &str = include_str!("../include/lundian.h");

/// First eight bytes of an entry: `LUNDIAN` and a NUL, read as a little-endian number.
pub const MAGIC: u64 = u64::from_le_bytes(*b"LUNDIAN\0");
/// Number that host and plugin must share.
pub const ABI_MAJOR: u16 = 1;
/// Number that grows with every addition; host and plugin may differ in it. 1: [`LundianHost::role`].
pub const ABI_MINOR: u16 = 1;

/// Name of the one exported function, an [`EntryFn`].
pub const ENTRY_SYMBOL: &str = "lundian_plugin";
/// Id of the extension [`LundianThresholds`].
pub const EXTENSION_THRESHOLDS: &str = "lundian.thresholds/1";

/// `classify`: the batch is judged.
pub const STATUS_OK: i32 = 0;
/// The batch could not be judged, or the instance not be made, for a reason that is none of the others.
pub const STATUS_FAILED: i32 = 1;
/// The host asked for the work to stop, and it did.
pub const STATUS_CANCELLED: i32 = 2;
/// The settings are wrong.
pub const STATUS_CONFIG: i32 = 3;
/// A model or other file of the plugin is missing or wrong.
pub const STATUS_MODEL: i32 = 4;

/// [`LundianBatch::flags`]: evidence is wanted.
pub const BATCH_EVIDENCE: u32 = 1;

/// Number of roles that a paragraph may have: scores of roles are at the indices `ROLE_EXPLANATION` to `ROLE_OTHER`.
pub const ROLES: usize = 4;
/// It says what is the case and why.
pub const ROLE_EXPLANATION: usize = 0;
/// It gives data, a case, a story.
pub const ROLE_EVIDENCE: usize = 1;
/// It says what should be done.
pub const ROLE_REMEDY: usize = 2;
/// None of the others: framing, transition, greeting.
pub const ROLE_OTHER: usize = 3;

/// Level of a log line: something is lost.
pub const LOG_ERROR: u32 = 1;
/// Level of a log line: something is odd.
pub const LOG_WARN: u32 = 2;
/// Level of a log line: something is worth knowing.
pub const LOG_INFO: u32 = 3;
/// Level of a log line: for the plugin's author.
pub const LOG_DEBUG: u32 = 4;

/// Borrowed UTF-8 text. `data` may be null where `len` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LundianStr {
    /// First byte.
    pub data: *const u8,
    /// Number of bytes.
    pub len: usize,
}

impl LundianStr {
    /// No text.
    pub const EMPTY: Self = Self { data: std::ptr::null(), len: 0 };

    /// Borrows `text`, which must outlive every use of the result.
    pub const fn new(text: &str) -> Self {
        Self { data: text.as_ptr(), len: text.len() }
    }
}

/// A column of texts in Arrow's LargeUtf8 layout: text `i` is `data[offsets[i] .. offsets[i + 1]]`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LundianStrings {
    /// Number of texts.
    pub len: usize,
    /// `len + 1` byte positions in `data`, ascending from 0. Never null.
    pub offsets: *const i64,
    /// The texts, end to end. May be null where all are empty.
    pub data: *const u8,
}

/// What the theses are. Columns of every score matrix follow this order.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LundianTaxonomy {
    /// Bytes of this struct as the host knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Slug of each thesis.
    pub slugs: LundianStrings,
    /// The whole taxonomy as one JSON object with the keys of its TOML file.
    pub json: LundianStr,
}

/// Paragraphs to be labelled together; the four columns are of one length.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LundianBatch {
    /// Bytes of this struct as the host knows it.
    pub struct_size: u32,
    /// [`BATCH_EVIDENCE`] or 0; ignore bits that you don't know.
    pub flags: u32,
    /// The paragraphs, as found (not normalised).
    pub text: LundianStrings,
    /// The paragraph before each; empty if none.
    pub prev: LundianStrings,
    /// The heading above each; empty if none.
    pub heading: LundianStrings,
    /// The title of each one's document; empty if unknown.
    pub title: LundianStrings,
}

/// What a plugin may call while one of its functions runs. The host copies whatever is passed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LundianHost {
    /// Bytes of this struct as the host knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// First argument of every callback; means nothing to the plugin.
    pub context: *mut c_void,
    /// `classify` only: bytes `start .. end` of paragraph `row` support thesis number `thesis`, with a weight in
    /// [0, 1]. Both ends on character boundaries, `start < end`.
    pub evidence:
        unsafe extern "C" fn(context: *mut c_void, row: usize, thesis: usize, start: usize, end: usize, weight: f32),
    /// `classify` only: paragraph `row` could not be judged; the others stand.
    pub fail_row: unsafe extern "C" fn(context: *mut c_void, row: usize, message: LundianStr),
    /// Why the call is about to fail, in one line, with the status that says of what sort it is.
    pub error: unsafe extern "C" fn(context: *mut c_void, status: i32, message: LundianStr),
    /// A line for the plugin's log; `level` is one of the `LOG_` constants.
    pub log: unsafe extern "C" fn(context: *mut c_void, level: u32, message: LundianStr),
    /// Not 0 once nobody waits for the answer any more; a slow plugin asks now and then, and returns
    /// [`STATUS_CANCELLED`].
    pub cancelled: unsafe extern "C" fn(context: *mut c_void) -> u32,
    /// Since 1.1: a host of 1.0 ends before it, see [`role_of`](Self::role_of). `classify` only: how likely each role
    /// of paragraph `row` is: [`ROLES`] scores in [0, 1], of sum 1. A later call for the same row replaces the former;
    /// a plugin that knows nothing of roles never calls it.
    pub role: RoleFn,
}

impl LundianHost {
    /// The callback [`role`](Self::role), if the host is new enough to have it.
    ///
    /// # Safety
    /// `host` points to as many bytes as its `struct_size` says, 1.0's at least. They need not be a whole
    /// [`LundianHost`], so there may be no reference to one.
    pub unsafe fn role_of(host: *const Self) -> Option<RoleFn> {
        const END: usize = std::mem::offset_of!(LundianHost, role) + size_of::<RoleFn>();
        // SAFETY: each member is read in its place, and this one only where the host reaches to its end.
        unsafe { ((&raw const (*host).struct_size).read() as usize >= END).then(|| (&raw const (*host).role).read()) }
    }
}

/// [`LundianHost::role`].
pub type RoleFn = unsafe extern "C" fn(context: *mut c_void, row: usize, scores: *const f32);

/// [`LundianEntry::create`].
pub type CreateFn = unsafe extern "C" fn(
    host: *const LundianHost,
    taxonomy: *const LundianTaxonomy,
    settings: LundianStr,
    dir: LundianStr,
) -> *mut c_void;

/// [`LundianEntry::classify`].
pub type ClassifyFn = unsafe extern "C" fn(
    instance: *mut c_void,
    host: *const LundianHost,
    batch: *const LundianBatch,
    scores: *mut f32,
) -> i32;

/// [`LundianEntry::destroy`].
pub type DestroyFn = unsafe extern "C" fn(instance: *mut c_void);

/// [`LundianEntry::extension`].
pub type ExtensionFn = unsafe extern "C" fn(id: LundianStr) -> *const c_void;

/// What a plugin is: static, read-only, valid for as long as the library is loaded (the host never unloads it).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LundianEntry {
    /// [`MAGIC`].
    pub magic: u64,
    /// Bytes of this struct as the plugin knows it.
    pub struct_size: u32,
    /// [`ABI_MAJOR`] that the plugin was built for.
    pub abi_major: u16,
    /// [`ABI_MINOR`] that the plugin was built for.
    pub abi_minor: u16,
    /// Text of the plugin's `plugin.toml`, without the hash of the library. It must agree with the file beside it.
    pub manifest: LundianStr,
    /// Makes an instance for a taxonomy and settings (a JSON object, `{}` for none). `dir` is the folder of the
    /// plugin's own files, empty if it has none. Null on failure, after a call of [`LundianHost::error`].
    pub create: Option<CreateFn>,
    /// Scores a batch into `scores`: row-major, paragraphs x theses, [0, 1], or NaN to abstain; it comes in all NaN.
    /// Returns a status; when it is not [`STATUS_OK`], after a call of [`LundianHost::error`], and the matrix and the
    /// evidence are thrown away. Answers must not depend on how paragraphs are batched.
    pub classify: Option<ClassifyFn>,
    /// Frees an instance.
    pub destroy: Option<DestroyFn>,
    /// A static struct of functions for the ability `id` (such as [`EXTENSION_THRESHOLDS`]), or null. May itself be
    /// null. May be called at any time from any thread.
    pub extension: Option<ExtensionFn>,
}

// SAFETY: an entry is a constant: nobody writes to it or to what it points at after the library is loaded, and its
// functions state on their own from which threads they may be called.
unsafe impl Sync for LundianEntry {}

/// The exported function: returns the plugin's entry. Must not fail, block or depend on anything.
pub type EntryFn = unsafe extern "C" fn() -> *const LundianEntry;

/// Receives a text; copies it before it returns.
pub type TextFn = unsafe extern "C" fn(context: *mut c_void, text: LundianStr);

/// The ability [`EXTENSION_THRESHOLDS`]: the scores from which on the plugin's model means "argued".
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LundianThresholds {
    /// Bytes of this struct as the plugin knows it.
    pub struct_size: u32,
    /// Zero.
    pub reserved: u32,
    /// Calls `sink` once with a JSON object: `global` (in [0, 1]), and optionally `per_thesis` (slug to [0, 1]) and
    /// `origin` (where they come from, in words). May be called from any thread.
    pub read: Option<unsafe extern "C" fn(instance: *mut c_void, sink: TextFn, context: *mut c_void)>,
}

/// Bytes of a [`LundianEntry`] of ABI 1.0, up to its last member then: no plugin may have a smaller one.
pub const ENTRY_SIZE_1_0: u32 = (std::mem::offset_of!(LundianEntry, extension) + size_of::<usize>()) as u32;
