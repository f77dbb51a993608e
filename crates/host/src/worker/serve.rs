//! The worker itself: loads one plugin and answers until its channel closes.
//!
//! The main thread, which has the largest stack, reads batches and runs the plugin. While it does, another looks at the
//! channel now and then: it answers signs of life, so that a plugin that computes for long is told from a process that
//! is stuck, passes on that the answer is not wanted any more, and ends the process when the program is gone.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lundian_core::{Batch, Cancel, Classifier as _, ClassifierError, Output, Setup, Taxonomy};
use lundian_plugin::border::{Foreign, Level, status_of};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::getppid;

use super::frame::{Frame, FrameBuffer, FromWorker, Load, PREAMBLE, ToWorker};
use super::rhythm::Rhythm;
use super::{limits, send_some};
use crate::conform::difference;
use crate::native::{check_agreement, check_hash, load, read_library, sha256_hex};
use crate::{MANIFEST_FILE, Manifest};

/// Exit code of a worker whose channel closed before its work was done, or was closed by its plugin.
pub(crate) const LOST_CHANNEL: u8 = 74;

/// How often the channel is looked at while the plugin runs.
const WATCH: Duration = Duration::from_millis(50);
/// How often each thread of a stress test asks.
const STRESS_ROUNDS: usize = 5;

/// Runs a worker process: what the program does when it is started with the arguments of
/// [`WorkerOptions`](crate::WorkerOptions), of which `args` is the rest. It must be the first thing that the program
/// does. Returns when the channel closes.
pub fn worker_main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let parent = args.into_iter().next().and_then(|arg| arg.to_str()?.parse().ok());
    // Before anything that takes time: a parent that dies from here on takes the worker with it.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    let orphaned = parent != getppid().map(|pid| pid.as_raw_nonzero().get());
    match Channel::open() {
        Some(channel) if !orphaned => match serve(&channel) {
            Some(()) => ExitCode::SUCCESS,
            None => ExitCode::from(LOST_CHANNEL),
        },
        _ => ExitCode::from(LOST_CHANNEL),
    }
}

/// Serves until the channel closes; `None` if it closed too early or brought nonsense.
fn serve(channel: &Arc<Channel>) -> Option<()> {
    let mut incoming = Incoming::new(Arc::clone(channel));
    channel.send_bytes(&PREAMBLE)?;
    if incoming.preamble()? != PREAMBLE {
        return None;
    }
    let frame = incoming.frame()?;
    let Ok(ToWorker::Load(order)) = ToWorker::decode(&frame) else { return None };
    let prepared = prepare(&order, channel);
    let desk = Arc::new(Desk { incoming: Mutex::new(incoming), busy: AtomicBool::new(true), cancel: Mutex::default() });
    // After the sandbox, so that this thread is in it too; before the library is loaded, which may take long.
    let watched = Arc::clone(&desk);
    std::thread::spawn(move || watched.watch());
    let plugin = match prepared.and_then(|bytes| make(&order, &bytes, channel)) {
        Ok(plugin) => plugin,
        Err(refusal) => {
            channel.send(&refusal)?;
            // The program closes the channel when it has read why.
            return desk.next_batch().is_none().then_some(());
        }
    };
    channel.send(&FromWorker::Ready { thresholds: plugin.foreign.own_thresholds().cloned() })?;
    while let Some((frame, cancel)) = desk.next_batch() {
        limits::allow_cpu(order.cpu_seconds);
        let answer = match ToWorker::decode(&frame) {
            Ok(ToWorker::Classify { evidence, units }) => {
                let mut batch = Batch::new(&units).with_cancel(cancel);
                batch.evidence = evidence;
                plugin.answer(&batch)
            }
            Ok(ToWorker::Stress { threads, units }) => plugin.stress(threads, &Batch::new(&units).with_cancel(cancel)),
            _ => return None,
        };
        channel.send(&answer.map_or_else(|e| failed(&e), FromWorker::Answer))?;
    }
    Some(())
}

struct Plugin {
    foreign: Foreign,
    theses: usize,
}

impl Plugin {
    fn answer(&self, batch: &Batch<'_>) -> Result<Output, ClassifierError> {
        let mut out = Output::new(batch.len(), self.theses);
        self.foreign.classify(batch, &mut out)?;
        Ok(out)
    }

    /// The answer to a batch that several threads ask for at once, if they all get the same.
    fn stress(&self, threads: usize, batch: &Batch<'_>) -> Result<Output, ClassifierError> {
        let expected = self.answer(batch)?;
        std::thread::scope(|scope| {
            let askers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        (0..STRESS_ROUNDS).try_for_each(|_| match difference(&expected, &self.answer(batch)?) {
                            Some(what) => Err(ClassifierError::Failed(format!("on several threads at once, {what}"))),
                            None => Ok(()),
                        })
                    })
                })
                .collect();
            let gone = || Err(ClassifierError::Failed("a thread that asked it panicked".to_owned()));
            askers.into_iter().try_for_each(|asker| asker.join().unwrap_or_else(|_| gone()))
        })?;
        Ok(expected)
    }
}

fn failed(error: &ClassifierError) -> FromWorker {
    let (status, message) = status_of(error);
    FromWorker::Failed(status, message)
}

/// Reads the library, then gives up whatever the plugin is not to have.
fn prepare(order: &Load, channel: &Arc<Channel>) -> Result<Vec<u8>, FromWorker> {
    let unusable = |e: crate::HostError| FromWorker::Unusable(e.to_string());
    let bytes = read_library(&order.id, &order.library).map_err(unusable)?;
    check_hash(&order.id, &order.library, &order.sha256, &sha256_hex(&bytes)).map_err(unusable)?;
    limits::set(order);
    if order.sandbox {
        for missing in limits::enter_sandbox(order) {
            channel.log(Level::Warn, &format!("the sandbox is incomplete: {missing}"));
        }
    }
    Ok(bytes)
}

fn make(order: &Load, bytes: &[u8], channel: &Arc<Channel>) -> Result<Plugin, FromWorker> {
    let unusable = |e: crate::HostError| FromWorker::Unusable(e.to_string());
    let entry = load(bytes, &order.library).map_err(unusable)?;
    let manifest = Manifest::parse(&order.manifest, &order.dir.join(MANIFEST_FILE)).map_err(|e| unusable(e.into()))?;
    check_agreement(&entry, &manifest, &order.library).map_err(unusable)?;
    let taxonomy = Taxonomy::from_json(&order.taxonomy).map_err(|e| FromWorker::Unusable(e.to_string()))?;
    let setup = Setup::new(&taxonomy, &order.settings).with_dir(&order.dir);
    let log = Arc::clone(channel);
    let foreign = Foreign::create(entry, &setup, Arc::new(move |level, line| log.log(level, line)));
    Ok(Plugin { foreign: foreign.map_err(|e| failed(&e))?, theses: taxonomy.len() })
}

/// The worker's end of the channel.
struct Channel {
    socket: UnixStream,
    sending: Mutex<()>,
}

impl Channel {
    /// Takes the channel, which is standard input, away from where a plugin would look for input.
    fn open() -> Option<Arc<Self>> {
        let socket = rustix::io::fcntl_dupfd_cloexec(std::io::stdin(), 64).ok()?;
        let nothing = std::fs::File::open("/dev/null").ok()?;
        rustix::stdio::dup2_stdin(nothing).ok()?;
        Some(Arc::new(Self { socket: UnixStream::from(socket), sending: Mutex::default() }))
    }

    fn send(&self, message: &FromWorker) -> Option<()> {
        let frame = message.encode().or_else(|e| {
            let why = format!("the answer would be {e}");
            FromWorker::Failed(lundian_plugin::border::abi::STATUS_FAILED, why).encode()
        });
        self.send_bytes(&frame.ok()?)
    }

    fn send_bytes(&self, mut bytes: &[u8]) -> Option<()> {
        let _sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        while !bytes.is_empty() {
            match send_some(&self.socket, bytes, SendFlags::empty()) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::INTR) => {}
                Err(_) => return None,
            }
        }
        Some(())
    }

    fn log(&self, level: Level, line: &str) {
        // A log line that cannot be sent has no other place to go.
        let _ = self.send(&FromWorker::Log(level.to_abi(), line.to_owned()));
    }
}

/// Where the two threads meet.
struct Desk {
    incoming: Mutex<Incoming>,
    /// Whether the main thread runs the plugin; else it reads the channel itself.
    busy: AtomicBool,
    /// The flag of the batch that is being judged.
    cancel: Mutex<Cancel>,
}

impl Desk {
    /// The next batch, and the flag that says that its answer is not wanted any more; `None` when the channel closes.
    fn next_batch(&self) -> Option<(Frame, Cancel)> {
        self.busy.store(false, Ordering::SeqCst);
        let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = incoming.next_batch()?;
        let cancel = Cancel::default();
        *self.cancel.lock().unwrap_or_else(PoisonError::into_inner) = cancel.clone();
        self.busy.store(true, Ordering::SeqCst);
        Some((frame, cancel))
    }

    /// Looks at the channel while the main thread cannot. When it closes, ends the process, whatever the plugin is
    /// doing, and without running its clean-up code.
    fn watch(&self) {
        let mut open = true;
        while open {
            std::thread::sleep(WATCH);
            if self.busy.load(Ordering::SeqCst) {
                let mut incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
                // It may have become idle, and then be waiting for this lock.
                open = !self.busy.load(Ordering::SeqCst) || incoming.attend(&self.cancel).is_some();
            }
        }
        // SAFETY: ends the process on the spot, which is always possible.
        unsafe { libc::_exit(i32::from(LOST_CHANNEL)) }
    }
}

/// What comes down the channel.
struct Incoming {
    channel: Arc<Channel>,
    buffer: FrameBuffer,
    /// Batches that arrived while another was being judged.
    batches: VecDeque<Frame>,
    /// When batches come after answers.
    rhythm: Rhythm,
}

impl Incoming {
    fn new(channel: Arc<Channel>) -> Self {
        Self { channel, buffer: FrameBuffer::default(), batches: VecDeque::new(), rhythm: Rhythm::default() }
    }

    /// Waits for the next batch.
    fn next_batch(&mut self) -> Option<Frame> {
        let start = Instant::now();
        if self.batches.is_empty() {
            self.rhythm.await_input(&self.channel.socket, 1);
        }
        loop {
            if let Some(batch) = self.batches.pop_front() {
                self.rhythm.note(1, start.elapsed());
                return Some(batch);
            }
            let frame = self.frame()?;
            self.sort(frame, None)?;
        }
    }

    fn preamble(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(preamble) = self.buffer.take(PREAMBLE.len()) {
                return Some(preamble);
            }
            self.fill()?;
        }
    }

    /// Waits for the next frame.
    fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.buffer.frame().ok()? {
                return Some(frame);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> Option<()> {
        loop {
            match self.buffer.fill(&self.channel.socket) {
                Ok(0) => return None,
                Ok(_) => return Some(()),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Deals with what has arrived, without waiting for more.
    fn attend(&mut self, cancel: &Mutex<Cancel>) -> Option<()> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            while let Some(frame) = self.buffer.frame().ok()? {
                self.sort(frame, Some(cancel))?;
            }
            match poll(&mut [PollFd::new(&self.channel.socket, PollFlags::IN)], Some(&at_once)) {
                Ok(0) | Err(Errno::INTR) => return Some(()),
                Ok(_) => self.fill()?,
                Err(_) => return None,
            }
        }
    }

    /// Deals with a frame; batches are kept for the main thread. `cancel` is that of the batch being judged, if any.
    fn sort(&mut self, frame: Frame, cancel: Option<&Mutex<Cancel>>) -> Option<()> {
        if ToWorker::is_batch(&frame) {
            self.batches.push_back(frame);
            return Some(());
        }
        match ToWorker::decode(&frame) {
            Ok(ToWorker::Cancel) => {
                if let Some(cancel) = cancel {
                    cancel.lock().unwrap_or_else(PoisonError::into_inner).cancel();
                }
                Some(())
            }
            Ok(ToWorker::Ping) => self.channel.send(&FromWorker::Pong),
            _ => None,
        }
    }
}
