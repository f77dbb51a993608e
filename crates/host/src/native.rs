//! Loading a shared library and running it in this process.
//!
//! The bytes that were hashed are the bytes that are loaded: on Linux they go into a sealed memory file, which nobody
//! can change between the check and the load. It follows that a plugin is one library: it finds the system's
//! libraries, but none beside itself, which no hash would cover. A library is never unloaded, since code of it may
//! still run (threads, destructors of thread-locals).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lundian_abi::{ENTRY_SYMBOL, EntryFn};
use lundian_plugin::border::Entry;
use sha2::{Digest as _, Sha256};

use crate::{HostError, Manifest};

/// SHA-256 of `bytes` in lower-case hexadecimal.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// The bytes of the library of plugin `id`.
pub(crate) fn read_library(id: &str, path: &Path) -> Result<Vec<u8>, HostError> {
    std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => HostError::NoLibrary { id: id.to_owned(), path: path.to_owned() },
        _ => HostError::Io { path: path.to_owned(), error },
    })
}

/// Refuses a library that is not the one that is expected.
pub(crate) fn check_hash(id: &str, path: &Path, expected: &str, found: &str) -> Result<(), HostError> {
    if found == expected {
        return Ok(());
    }
    let (id, expected, found) = (id.to_owned(), expected.to_owned(), found.to_owned());
    Err(HostError::Changed { id, path: path.to_owned(), expected, found })
}

/// Refuses what other users could write to.
pub(crate) fn check_private(path: &Path) -> Result<(), HostError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().map_err(HostError::io(path))?.permissions().mode();
        if mode & 0o022 != 0 {
            return Err(HostError::Writable { path: path.to_owned() });
        }
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Loads the library whose bytes are `bytes` and checks its entry. `path` is where they came from. Bytes that were
/// loaded before are not loaded again.
///
/// # Errors
/// When they are no shared library, or not one of a plugin.
pub(crate) fn load(bytes: &[u8], path: &Path) -> Result<Entry, HostError> {
    static LOADED: Mutex<Option<HashMap<String, Entry>>> = Mutex::new(None);
    check_elf(bytes, path)?;
    let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
    let loaded = loaded.get_or_insert_default();
    let hash = sha256_hex(bytes);
    if let Some(entry) = loaded.get(&hash) {
        return Ok(*entry);
    }
    let entry = open(bytes, path)?;
    loaded.insert(hash, entry);
    Ok(entry)
}

fn open(bytes: &[u8], path: &Path) -> Result<Entry, HostError> {
    let place = frozen(bytes, path).unwrap_or_else(|| path.to_owned());
    let not_a_library = |e: libloading::Error| HostError::NotALibrary {
        path: path.to_owned(),
        // The loader knows the memory file only; the user knows the file.
        reason: e.to_string().replace(&*place.to_string_lossy(), &path.to_string_lossy()),
    };
    // SAFETY: initialisers of the library run. The user has allowed these very bytes to run.
    let library = unsafe { open_library(&place) }.map_err(not_a_library)?;
    let entry = {
        // SAFETY: a symbol of this name is a function of this type, by the contract of `lundian-abi`.
        let symbol = unsafe { library.get::<EntryFn>(ENTRY_SYMBOL) };
        let entry_of = symbol.map_err(|_| HostError::NoSymbol { path: path.to_owned() })?;
        // SAFETY: the function may be called at any time; the library is never unloaded.
        unsafe { Entry::check(entry_of()) }
    };
    std::mem::forget(library);
    entry.map_err(|error| HostError::Entry { path: path.to_owned(), error })
}

#[cfg(unix)]
unsafe fn open_library(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: the caller answers for the library's initialisers.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
unsafe fn open_library(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: the caller answers for the library's initialisers.
    unsafe { libloading::Library::new(path) }
}

/// The absolute path of a copy of `bytes` that nobody can change any more. `None` where the system has no such thing:
/// then the file itself is loaded, which only the user can change.
#[cfg(target_os = "linux")]
fn frozen(bytes: &[u8], path: &Path) -> Option<PathBuf> {
    use std::io::Write as _;
    use std::os::fd::IntoRawFd as _;

    use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

    let name = path.file_name().unwrap_or_default();
    let fd = memfd_create(name, MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).ok()?;
    let mut file = std::fs::File::from(fd);
    file.write_all(bytes).ok()?;
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL).ok()?;
    // Never closed: the loader knows libraries by path, and a later file with the same number would be taken for this
    // one.
    let place = PathBuf::from(format!("/proc/self/fd/{}", file.into_raw_fd()));
    place.exists().then_some(place)
}

#[cfg(not(target_os = "linux"))]
fn frozen(_: &[u8], _: &Path) -> Option<PathBuf> {
    None
}

/// Refuses files that are no ELF library, or that end before their headers say: the loader would map what is not
/// there, and the program would die on first touch. Only 64-bit little-endian ELF is looked into.
fn check_elf(bytes: &[u8], path: &Path) -> Result<(), HostError> {
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    if !bytes.starts_with(b"\x7fELF") {
        let reason = "it does not begin as ELF files do".to_owned();
        return Err(HostError::NotALibrary { path: path.to_owned(), reason });
    }
    let truncated = |expected| HostError::Truncated { path: path.to_owned(), found: bytes.len() as u64, expected };
    let number = |at: u64, len: usize| -> Option<u64> {
        let at = usize::try_from(at).ok()?;
        let field = bytes.get(at..at.checked_add(len)?)?;
        Some(field.iter().rev().fold(0, |n, &b| n << 8 | u64::from(b)))
    };
    const HEADER: u64 = 64;
    const CLASS_64_LITTLE_ENDIAN: u64 = 0x0102;
    if (bytes.len() as u64) < HEADER {
        return Err(truncated(HEADER));
    }
    if number(4, 2) != Some(CLASS_64_LITTLE_ENDIAN) {
        return Ok(());
    }
    // Field offsets: ELF-64 object file format, version 1.5, figures 3 and 6.
    let table = |offset: u64, entry: u64, count: u64| Some((number(offset, 8)?, number(entry, 2)?, number(count, 2)?));
    let (Some(segments), Some(sections)) = (table(32, 54, 56), table(40, 58, 60)) else {
        return Err(truncated(HEADER));
    };
    let end = |(offset, entry, count): (u64, u64, u64)| offset.saturating_add(entry.saturating_mul(count));
    let mut needed = end(segments).max(end(sections));
    for i in 0..segments.2 {
        let segment = segments.0.saturating_add(i * segments.1);
        let (offset, size) = (number(segment.saturating_add(8), 8), number(segment.saturating_add(32), 8));
        needed = needed.max(offset.unwrap_or(0).saturating_add(size.unwrap_or(0)));
    }
    if needed > bytes.len() as u64 { Err(truncated(needed)) } else { Ok(()) }
}

/// Refuses a library whose built-in manifest says something else than `plugin.toml`.
pub(crate) fn check_agreement(entry: &Entry, beside: &Manifest, path: &Path) -> Result<(), HostError> {
    let inside = Manifest::parse(entry.manifest(), &path.join("(manifest inside)"))?;
    let sorted = |theses: &[String]| {
        let mut theses = theses.to_vec();
        theses.sort();
        theses.join(", ")
    };
    for (key, beside, inside) in [
        ("id", beside.id.clone(), inside.id),
        ("version", beside.version.clone(), inside.version),
        ("kind", beside.kind.as_str().to_owned(), inside.kind.as_str().to_owned()),
        ("theses", format!("[{}]", sorted(&beside.theses)), format!("[{}]", sorted(&inside.theses))),
    ] {
        if beside != inside {
            return Err(HostError::Disagreement { path: path.to_owned(), key, beside, inside });
        }
    }
    Ok(())
}
