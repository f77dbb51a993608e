//! One worker process, seen from the program.

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use lundian_core::Cancel;
use lundian_plugin::border::{Level, one_line};
use rustix::io::Errno;
use rustix::net::SendFlags;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::frame::{FrameBuffer, FrameError, FromWorker, PREAMBLE, ToWorker};
use super::rhythm::Rhythm;
use super::serve::LOST_CHANNEL;
use super::{WorkerOptions, send_some};

/// Where the lines of one plugin's log go.
pub(crate) struct Listener {
    pub(crate) log: lundian_plugin::border::Log,
    /// How many lines it wrote to its standard output and error.
    pub(crate) printed: AtomicUsize,
}

/// How often a wait looks up: at the clock, at the process, at the user's wish to stop.
const TICK: Duration = Duration::from_millis(50);
/// How long a worker may be silent before it is asked for a sign of life.
const QUIET: Duration = Duration::from_secs(1);
/// How long a plugin has to stop when told to.
const GRACE: Duration = Duration::from_secs(2);
/// Lines of log that are passed on for each worker, and bytes of each; a flood helps nobody.
const LOG_LINES: usize = 1000;
const LOG_LINE_BYTES: u64 = 2000;
/// Variables that workers inherit. The rest of the environment (tokens, paths) is none of a plugin's business.
const INHERITED: [&str; 6] = ["LANG", "LC_ALL", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "RAYON_NUM_THREADS", "TZ"];

/// A running worker. Dropping it kills it and waits for it.
pub(crate) struct Child {
    process: std::process::Child,
    channel: UnixStream,
    buffer: FrameBuffer,
    listener: Arc<Listener>,
    lines: usize,
    last_words: Arc<Mutex<String>>,
    /// Closed when everything that the worker had to say on its standard output and error has been read.
    drained: mpsc::Receiver<()>,
    heard: Instant,
    heartbeat: Duration,
    /// When answers come after requests, for each byte of these.
    rhythm: Rhythm,
}

/// Why a worker is of no more use.
#[derive(Debug)]
pub(crate) enum Gone {
    /// It did not answer in time.
    Late(Duration),
    /// It shows no sign of life.
    Stuck(Duration),
    /// It ended, or closed its channel.
    Closed,
    /// It said something that is not of the protocol.
    Nonsense(FrameError),
    /// The user does not want the answer any more, and it did not stop.
    Cancelled,
    /// It speaks another version.
    Version,
}

impl Child {
    /// Starts a worker and exchanges preambles.
    pub(crate) fn start(options: &WorkerOptions, listener: Arc<Listener>) -> Result<Self, String> {
        let channels = UnixStream::pair().and_then(|(ours, theirs)| {
            ours.set_read_timeout(Some(TICK))?;
            Ok((ours, theirs))
        });
        let (channel, theirs) = channels.map_err(|e| format!("cannot be spoken to: {e}"))?;
        let (output, input) = std::io::pipe().map_err(|e| format!("cannot be listened to: {e}"))?;
        let mut command = Command::new(&options.program);
        command
            .arg0("lundian-worker")
            .args(&options.args)
            .arg(std::process::id().to_string())
            .env_clear()
            .envs(INHERITED.iter().filter_map(|name| Some((name, std::env::var_os(name)?))))
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stderr(input.try_clone().map_err(|e| format!("cannot be listened to: {e}"))?)
            .stdout(input)
            // Ctrl-C on the terminal is for the program, which then tells its workers; and what a plugin starts can be
            // killed with it.
            .process_group(0);
        let cannot_start = |e| format!("cannot be started ({}): {e}", options.program.display());
        let process = spawn(command).map_err(cannot_start)?;
        let last_words = Arc::default();
        let drained = drain(output, Arc::clone(&listener), Arc::clone(&last_words));
        let mut child = Self {
            process,
            channel,
            buffer: FrameBuffer::default(),
            listener,
            lines: 0,
            last_words,
            drained,
            heard: Instant::now(),
            heartbeat: options.heartbeat,
            rhythm: Rhythm::default(),
        };
        match child.send(&PREAMBLE).and_then(|()| child.greet(options.start_deadline)) {
            Ok(()) => Ok(child),
            Err(gone) => Err(child.end(&gone)),
        }
    }

    fn greet(&mut self, limit: Duration) -> Result<(), Gone> {
        let start = Instant::now();
        loop {
            if let Some(preamble) = self.buffer.take(PREAMBLE.len()) {
                return if preamble == PREAMBLE { Ok(()) } else { Err(Gone::Version) };
            }
            if start.elapsed() > limit {
                return Err(Gone::Late(limit));
            }
            self.wait()?;
        }
    }

    /// Sends bytes. Returns when all are on their way.
    pub(crate) fn send(&mut self, mut bytes: &[u8]) -> Result<(), Gone> {
        let start = Instant::now();
        while !bytes.is_empty() {
            // Not waiting: a worker that is stopped would never make room.
            match send_some(&self.channel, bytes, SendFlags::DONTWAIT) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) if start.elapsed() > self.heartbeat => return Err(Gone::Stuck(self.heartbeat)),
                Err(Errno::AGAIN) => self.wait_for_room()?,
                Err(_) => return Err(Gone::Closed),
            }
        }
        Ok(())
    }

    fn wait_for_room(&self) -> Result<(), Gone> {
        use rustix::event::{PollFd, PollFlags, poll};
        let tick = rustix::event::Timespec { tv_sec: 0, tv_nsec: TICK.as_nanos() as i64 };
        match poll(&mut [PollFd::new(&self.channel, PollFlags::OUT)], Some(&tick)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(_) => Err(Gone::Closed),
        }
    }

    /// Sends a batch and returns what comes of it.
    pub(crate) fn ask(&mut self, request: &[u8], limit: Duration, cancel: &Cancel) -> Result<FromWorker, Gone> {
        self.send(request)?;
        let sent = Instant::now();
        self.rhythm.await_input(&self.channel, request.len());
        let answer = self.receive(limit, cancel)?;
        self.rhythm.note(request.len(), sent.elapsed());
        Ok(answer)
    }

    /// The next frame that is neither log nor sign of life.
    pub(crate) fn receive(&mut self, limit: Duration, cancel: &Cancel) -> Result<FromWorker, Gone> {
        let start = Instant::now();
        let (mut asked, mut cancelled) = (None, None);
        self.heard = start;
        loop {
            while let Some(frame) = self.buffer.frame().map_err(Gone::Nonsense)? {
                match FromWorker::decode(&frame).map_err(Gone::Nonsense)? {
                    FromWorker::Log(level, line) => self.log_line(level, &line),
                    FromWorker::Pong => asked = None,
                    answer => return Ok(answer),
                }
            }
            let now = Instant::now();
            if now - start > limit {
                return Err(Gone::Late(limit));
            }
            match cancelled {
                None if cancel.is_cancelled() => {
                    self.send(&ToWorker::cancel())?;
                    cancelled = Some(now);
                }
                Some(since) if now - since > GRACE => return Err(Gone::Cancelled),
                _ => {}
            }
            match asked {
                None if now - self.heard > QUIET => {
                    self.send(&ToWorker::ping())?;
                    asked = Some(now);
                }
                Some(since) if now - since > self.heartbeat => return Err(Gone::Stuck(self.heartbeat)),
                _ => {}
            }
            self.wait()?;
        }
    }

    /// Waits a tick for bytes.
    fn wait(&mut self) -> Result<(), Gone> {
        match self.buffer.fill(&self.channel) {
            Ok(0) => Err(Gone::Closed),
            Ok(_) => {
                self.heard = Instant::now();
                Ok(())
            }
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock || e.kind() == std::io::ErrorKind::TimedOut => {
                // A process that it left behind may hold the channel open.
                if self.has_ended() { Err(Gone::Closed) } else { Ok(()) }
            }
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => Ok(()),
            Err(_) => Err(Gone::Closed),
        }
    }

    fn log_line(&mut self, level: u32, line: &str) {
        self.lines += 1;
        if self.lines <= LOG_LINES {
            (self.listener.log)(Level::from_abi(level), &one_line(line));
        }
    }

    /// Kilobytes of memory that the worker takes up; `None` where the system does not say.
    pub(crate) fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        status.lines().find_map(|l| l.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse().ok())
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.process.id()).ok()?)
    }

    /// Whether the process has ended, without taking its status: until then its number is not given to another.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.pid().is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    /// Kills what is left of the worker, waits for it, and says what happened to it.
    pub(crate) fn end(mut self, gone: &Gone) -> String {
        let mut closed_alive = false;
        if matches!(gone, Gone::Closed) {
            // The channel closes a moment before the process has ended.
            let start = Instant::now();
            while !self.has_ended() && start.elapsed() < Duration::from_secs(1) {
                std::thread::sleep(Duration::from_millis(2));
            }
            closed_alive = !self.has_ended();
        }
        let status = self.kill();
        let mut reason = match gone {
            Gone::Late(limit) => format!("gave no answer within {}", seconds(*limit)),
            Gone::Stuck(limit) => format!("showed no sign of life for {}", seconds(*limit)),
            Gone::Nonsense(error) => format!("sent {error}"),
            Gone::Cancelled => "did not stop when told to".to_owned(),
            Gone::Version => "speaks another version: the program was replaced while it ran; start it again".to_owned(),
            Gone::Closed if closed_alive => "lost its channel to the program".to_owned(),
            Gone::Closed => status.map_or_else(|| "ended".to_owned(), what_happened),
        };
        // What it wrote last is often the best explanation.
        let _ = self.drained.recv_timeout(Duration::from_millis(200));
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        if !words.is_empty() && matches!(gone, Gone::Closed) {
            reason.push_str(&format!("; its last words: {}", *words));
        }
        reason
    }

    fn kill(&mut self) -> Option<ExitStatus> {
        if let Some(pid) = self.pid() {
            // Its process group: whatever it started goes too. An error means that all of it has ended.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        let _ = self.process.kill();
        self.process.wait().ok()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // `wait` remembers the status: after `end` this does nothing but ask a group that is gone.
        if !matches!(self.process.try_wait(), Ok(Some(_))) {
            self.kill();
        }
    }
}

/// Starts a process from a thread that lives as long as the program. Workers ask the kernel to be killed when their
/// parent dies, and by parent the kernel means the thread.
fn spawn(command: Command) -> std::io::Result<std::process::Child> {
    type Order = (Command, mpsc::Sender<std::io::Result<std::process::Child>>);
    static SPAWNER: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (orders, inbox) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, reply) in inbox {
                let _ = reply.send(command.spawn());
            }
        });
        Mutex::new(orders)
    });
    let (reply, process) = mpsc::channel();
    let gone = || std::io::Error::other("the thread that starts processes has ended");
    spawner.lock().unwrap_or_else(PoisonError::into_inner).send((command, reply)).map_err(|_| gone())?;
    process.recv().map_err(|_| gone())?
}

/// Passes on what a worker writes to its standard output and error, a line at a time, and keeps the last line.
fn drain(output: std::io::PipeReader, listener: Arc<Listener>, last_words: Arc<Mutex<String>>) -> mpsc::Receiver<()> {
    let (open, drained) = mpsc::channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(output);
        let (mut line, mut lines) = (Vec::new(), 0);
        // A line without end is cut, and goes on in the next.
        while reader.by_ref().take(LOG_LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = one_line(&String::from_utf8_lossy(&line));
            line.clear();
            if text.is_empty() {
                continue;
            }
            lines += 1;
            listener.printed.fetch_add(1, Ordering::Relaxed);
            match lines {
                ..=LOG_LINES => (listener.log)(Level::Info, &text),
                n if n == LOG_LINES + 1 => (listener.log)(Level::Warn, "it writes on and on; the rest is not shown"),
                _ => {}
            }
            // Rust's run-time system ends with a hint for programmers.
            if !text.starts_with("note: ") {
                *last_words.lock().unwrap_or_else(PoisonError::into_inner) = text;
            }
        }
        drop(open);
    });
    drained
}

fn seconds(duration: Duration) -> String {
    format!("{} s", (duration.as_secs_f64() * 10.0).round() / 10.0)
}

fn what_happened(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return match status.code().unwrap_or_default() {
            code if code == i32::from(LOST_CHANNEL) => "lost its channel to the program".to_owned(),
            code => format!("ended by itself with exit code {code}"),
        };
    };
    let (name, meaning) = match Signal::from_named_raw(signal) {
        Some(Signal::SEGV) => ("SIGSEGV", "crashed on a bad memory access"),
        Some(Signal::BUS) => ("SIGBUS", "crashed on a bad memory access"),
        Some(Signal::ABORT) => ("SIGABRT", "aborted"),
        Some(Signal::ILL) => ("SIGILL", "crashed on an illegal instruction"),
        Some(Signal::FPE) => ("SIGFPE", "crashed on a wrong calculation"),
        Some(Signal::SYS) => ("SIGSYS", "crashed on a forbidden system call"),
        Some(Signal::XCPU) => ("SIGXCPU", "used more processor time than it may"),
        Some(Signal::KILL) => ("SIGKILL", "was killed, perhaps for want of memory"),
        _ => return format!("was ended by signal {signal}"),
    };
    format!("{meaning} ({name})")
}
