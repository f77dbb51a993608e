//! The plugin's side: C functions around a [`Plugin`].
//!
//! No panic leaves a function of this module: it becomes the error of the call, with the panic's message.

use std::any::Any;
use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use lundian_abi::{
    self as abi, LundianBatch, LundianEntry, LundianHost, LundianStr, LundianTaxonomy, LundianThresholds, TextFn,
};
use serde_json::Value;

use super::{bytes, status_of, texts};
use crate::{Batch, Cancel, ClassifierError, Output, Plugin, Setup, Taxonomy, Unit};

/// The entry of a plugin whose `plugin.toml` reads `manifest`.
pub const fn entry<P: Plugin>(manifest: &'static str) -> LundianEntry {
    LundianEntry {
        magic: abi::MAGIC,
        struct_size: size_of::<LundianEntry>() as u32,
        abi_major: abi::ABI_MAJOR,
        abi_minor: abi::ABI_MINOR,
        manifest: LundianStr::new(manifest),
        create: Some(create::<P>),
        classify: Some(classify::<P>),
        destroy: Some(destroy::<P>),
        extension: Some(extension::<P>),
    }
}

/// What `create` hands out.
struct Instance<P> {
    plugin: P,
    theses: usize,
}

unsafe extern "C" fn create<P: Plugin>(
    host: *const LundianHost,
    taxonomy: *const LundianTaxonomy,
    settings: LundianStr,
    dir: LundianStr,
) -> *mut c_void {
    let made = caught(|| {
        // SAFETY: the host passes texts that live until this call returns.
        let (taxonomy, settings, dir) = unsafe { (bytes((*taxonomy).json), bytes(settings), bytes(dir)) };
        let taxonomy = std::str::from_utf8(taxonomy).map_err(|e| e.to_string())?;
        let taxonomy = Taxonomy::from_json(taxonomy).map_err(|e| e.to_string())?;
        let settings: Value = serde_json::from_slice(settings).map_err(|e| ClassifierError::Config(e.to_string()))?;
        let dir = path(dir)?;
        let mut setup = Setup::new(&taxonomy, &settings);
        if let Some(dir) = &dir {
            setup = setup.with_dir(dir);
        }
        Ok(Instance { plugin: P::create(&setup)?, theses: taxonomy.len() })
    });
    match made {
        Ok(instance) => Box::into_raw(Box::new(instance)).cast(),
        Err(error) => {
            // SAFETY: `host` is the one that this call was given.
            unsafe { report(host, &error) };
            std::ptr::null_mut()
        }
    }
}

unsafe extern "C" fn classify<P: Plugin>(
    instance: *mut c_void,
    host: *const LundianHost,
    batch: *const LundianBatch,
    scores: *mut f32,
) -> i32 {
    // SAFETY: the host passes what `create` returned, and does not destroy it during this call.
    let instance = unsafe { &*instance.cast::<Instance<P>>() };
    let alive = Alive::new(host);
    // SAFETY: the host passes a batch that lives until this call returns, and so do the host's callbacks.
    let answer = caught(|| unsafe {
        let batch = &*batch;
        let (text, prev) = (texts(&batch.text)?, texts(&batch.prev)?);
        let (heading, title) = (texts(&batch.heading)?, texts(&batch.title)?);
        if [prev.len(), heading.len(), title.len()] != [text.len(); 3] {
            return Err("the host passed columns of different lengths".into());
        }
        let units: Vec<Unit<'_>> = (0..text.len())
            .map(|i| Unit { text: text[i], prev: prev[i], heading: heading[i], title: title[i] })
            .collect();
        let mut request = Batch::new(&units).with_cancel(alive.cancel());
        request.evidence = batch.flags & abi::BATCH_EVIDENCE != 0;
        let mut out = Output::new(units.len(), instance.theses);
        instance.plugin.classify(&request, &mut out)?;
        if (out.rows(), out.theses()) != (units.len(), instance.theses) {
            return Err("the plugin replaced the output that it was given by one of another size".into());
        }
        Ok(out)
    });
    // SAFETY: `host` is the one that this call was given, and `scores` has room for the whole matrix.
    unsafe {
        match answer {
            Ok(out) => {
                std::ptr::copy_nonoverlapping(out.scores().as_ptr(), scores, out.scores().len());
                let context = (*host).context;
                for e in &out.evidence {
                    ((*host).evidence)(context, e.row, e.thesis, e.range.start, e.range.end, e.weight);
                }
                for f in &out.failures {
                    ((*host).fail_row)(context, f.row, LundianStr::new(&f.reason));
                }
                // An older host has no use for roles.
                if let Some(send) = LundianHost::role_of(host) {
                    for (row, role) in out.roles().iter().enumerate() {
                        if let Some(scores) = role {
                            send(context, row, scores.as_ptr());
                        }
                    }
                }
                abi::STATUS_OK
            }
            Err(error) => report(host, &error),
        }
    }
}

unsafe extern "C" fn destroy<P: Plugin>(instance: *mut c_void) {
    // SAFETY: the host gives back what `create` returned, once.
    let instance = unsafe { Box::from_raw(instance.cast::<Instance<P>>()) };
    // There is nobody to tell about a panic of a destructor; the instance is gone either way.
    let _ = catch_unwind(AssertUnwindSafe(move || drop(instance)));
}

unsafe extern "C" fn extension<P: Plugin>(id: LundianStr) -> *const c_void {
    // SAFETY: the host passes a text that lives until this call returns.
    match unsafe { bytes(id) } {
        id if id == abi::EXTENSION_THRESHOLDS.as_bytes() => (&raw const *thresholds_table::<P>()).cast(),
        _ => std::ptr::null(),
    }
}

fn thresholds_table<P: Plugin>() -> &'static LundianThresholds {
    const {
        &LundianThresholds {
            struct_size: size_of::<LundianThresholds>() as u32,
            reserved: 0,
            read: Some(thresholds::<P>),
        }
    }
}

unsafe extern "C" fn thresholds<P: Plugin>(instance: *mut c_void, sink: TextFn, context: *mut c_void) {
    // SAFETY: the host passes what `create` returned.
    let instance = unsafe { &*instance.cast::<Instance<P>>() };
    let json = caught(|| serde_json::to_string(&instance.plugin.thresholds()).map_err(|e| e.to_string().into()));
    if let Ok(json) = json {
        // SAFETY: the sink copies the text before it returns.
        unsafe { sink(context, LundianStr::new(&json)) };
    }
}

/// Runs `f`; a panic in it becomes an error.
fn caught<T>(f: impl FnOnce() -> Result<T, ClassifierError>) -> Result<T, ClassifierError> {
    // What the closure shares with the outside is only read, or thrown away after a panic.
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let message = panic_message(&*payload).unwrap_or("no message");
        let error = ClassifierError::Failed(format!("panicked: {message}"));
        // Dropping a payload can panic in its turn.
        std::mem::forget(payload);
        Err(error)
    })
}

fn panic_message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// Tells the host why a call fails, and returns the status for it.
///
/// # Safety
/// `host` is what the call under way was given.
unsafe fn report(host: *const LundianHost, error: &ClassifierError) -> i32 {
    let (status, message) = status_of(error);
    // SAFETY: by the caller's promise.
    unsafe { ((*host).error)((*host).context, status, LundianStr::new(&message)) };
    status
}

#[cfg(unix)]
fn path(bytes: &[u8]) -> Result<Option<PathBuf>, ClassifierError> {
    use std::os::unix::ffi::OsStrExt as _;
    Ok((!bytes.is_empty()).then(|| std::ffi::OsStr::from_bytes(bytes).into()))
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> Result<Option<PathBuf>, ClassifierError> {
    let text = std::str::from_utf8(bytes).map_err(|e| ClassifierError::Failed(e.to_string()))?;
    Ok((!text.is_empty()).then(|| text.into()))
}

/// The host of a call under way. Ends the [`Cancel`] flags that were made of it when the call ends, since a plugin
/// may keep one for longer.
struct Alive(Arc<RwLock<Option<HostPointer>>>);

#[derive(Clone, Copy)]
struct HostPointer(*const LundianHost);

// SAFETY: the host's callbacks may be called from any thread until the call returns; `Alive` sees to the rest.
unsafe impl Send for HostPointer {}
// SAFETY: as above.
unsafe impl Sync for HostPointer {}

impl Alive {
    fn new(host: *const LundianHost) -> Self {
        Self(Arc::new(RwLock::new(Some(HostPointer(host)))))
    }

    fn cancel(&self) -> Cancel {
        let alive = Arc::clone(&self.0);
        Cancel::from_fn(move || {
            let host = alive.read().unwrap_or_else(PoisonError::into_inner);
            // SAFETY: while the lock is held the call is under way, and its host may be asked from any thread.
            host.is_none_or(|HostPointer(host)| unsafe { ((*host).cancelled)((*host).context) != 0 })
        })
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
