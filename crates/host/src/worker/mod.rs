//! Plugins in processes of their own: what a plugin breaks there, it breaks for itself.
//!
//! The program starts itself again as a worker, which loads one plugin and judges the batches that come down a socket.
//! A worker that crashes, hangs, swells or talks nonsense is killed and waited for; the next call starts another, and
//! the module `bisect` finds the paragraph that did it.
//!
//! The decision that matters: everything that may go wrong goes wrong in the worker. The deadline, the signs of life
//! and the checks of every answer are on the program's side; limits and the sandbox are put on before the library is
//! loaded, so that even its initialisers run under them. It is a protection against faults, and makes mischief harder;
//! it is no jail for hostile code, which shares the user's kernel, processor and memory.

mod child;
pub mod frame;
mod limits;
mod pool;
mod rhythm;
mod serve;

use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(crate) use child::Listener;
use lundian_core::Setup;
pub(crate) use pool::Pool;
use rustix::net::SendFlags;
pub use serve::worker_main;

/// How worker processes are run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkerOptions {
    /// The executable to start: one that calls [`worker_main`].
    pub program: PathBuf,
    /// Its first arguments; those of [`worker_main`] come after them.
    pub args: Vec<OsString>,
    /// Worker processes for each plugin. Default: 1.
    pub workers: usize,
    /// How long a batch may take. Parts of a batch that failed get less. Default: 60 s.
    pub deadline: Duration,
    /// How long it may take to load the plugin and its model. Default: 120 s.
    pub start_deadline: Duration,
    /// How long a worker may be silent when asked for a sign of life: it is then stopped or starved, not just slow.
    /// Default: 15 s.
    pub heartbeat: Duration,
    /// Bytes of address space for each worker. Default: 4 GiB.
    pub memory: Option<u64>,
    /// Processor time for each batch, all threads together, rounded up to seconds. Default: none but what the deadline
    /// leaves.
    pub cpu: Option<Duration>,
    /// Whether workers drop what a classifier does not need.
    pub sandbox: Sandbox,
    /// Files and folders that plugins may read in the sandbox, besides their own folder and the system's libraries:
    /// models.
    pub readable: Vec<PathBuf>,
}

/// Whether workers drop what a classifier does not need: the network, starting programs, writing files, and reading
/// files other than their own. On Linux only; a kernel that lacks a part of it is no error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// They do.
    #[default]
    On,
    /// They keep what the program may do.
    Off,
}

impl WorkerOptions {
    /// The defaults, with `args` making this very program a worker: it must pass the rest of its arguments to
    /// [`worker_main`] before it does anything else.
    ///
    /// # Errors
    /// When the system does not say where the program is.
    pub fn this_program(args: impl IntoIterator<Item = impl Into<OsString>>) -> std::io::Result<Self> {
        // On Linux this is the program that runs, even when its file has since been replaced.
        let running = PathBuf::from("/proc/self/exe");
        let program = if running.exists() { running } else { std::env::current_exe()? };
        Ok(Self::new(program, args))
    }

    /// The defaults, with `program args...` as the command that starts a worker.
    pub fn new(program: impl Into<PathBuf>, args: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        Self {
            program: program.into(),
            args: args.into_iter().map(Into::into).collect(),
            workers: 1,
            deadline: Duration::from_secs(60),
            start_deadline: Duration::from_secs(120),
            heartbeat: Duration::from_secs(15),
            memory: Some(4 << 30),
            cpu: None,
            sandbox: Sandbox::On,
            readable: Vec::new(),
        }
    }
}

impl frame::Load {
    /// What a worker needs to know to make the plugin `plugin`, as `options` say.
    pub(crate) fn new(plugin: Plugin<'_>, setup: &Setup<'_>, options: &WorkerOptions) -> Self {
        Self {
            id: plugin.id.to_owned(),
            library: plugin.library.to_owned(),
            sha256: plugin.sha256.to_owned(),
            dir: plugin.dir.to_owned(),
            manifest: plugin.manifest.to_owned(),
            settings: setup.settings.clone(),
            taxonomy: setup.taxonomy.to_json(),
            memory: options.memory,
            cpu_seconds: options.cpu.map(|cpu| cpu.as_secs_f64().ceil() as u64),
            sandbox: options.sandbox == Sandbox::On,
            readable: options.readable.clone(),
        }
    }
}

/// The plugin that a worker is to run.
pub(crate) struct Plugin<'a> {
    pub(crate) id: &'a str,
    pub(crate) library: &'a Path,
    pub(crate) sha256: &'a str,
    pub(crate) dir: &'a Path,
    /// Text of its `plugin.toml`.
    pub(crate) manifest: &'a str,
}

/// Sends some of `bytes`, without the signal that would end a process whose peer is gone.
fn send_some(socket: &UnixStream, bytes: &[u8], flags: SendFlags) -> rustix::io::Result<usize> {
    #[cfg(not(target_vendor = "apple"))]
    let flags = flags | SendFlags::NOSIGNAL;
    #[cfg(target_vendor = "apple")]
    rustix::net::sockopt::set_socket_nosigpipe(socket, true)?;
    rustix::net::send(socket, bytes, flags)
}
