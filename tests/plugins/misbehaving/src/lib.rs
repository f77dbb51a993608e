//! A test plugin that does, when asked, what no plugin may do.
//!
//! It scores the first thesis by the length of a paragraph, and misbehaves at paragraphs that contain 毒, in the way
//! that its settings name.

use std::ffi::c_void;
use std::fs::File;
use std::hint::black_box;
use std::io::Write as _;
use std::net::{TcpStream, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lundian_plugin::border::abi::{self, LundianBatch, LundianEntry, LundianHost};
use lundian_plugin::{Batch, Classifier, ClassifierError, Output, Plugin, Setup, Unit};
use serde::Deserialize;

/// What it may be asked to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Behaviour {
    #[default]
    None,
    Panic,
    Error,
    Abort,
    Exit,
    NullWrite,
    StackOverflow,
    Loop,
    Allocate,
    Sleep,
    Stop,
    NotANumber,
    Infinite,
    Huge,
    RolesOfSumTwo,
    RolesByBatch,
    TooManyRows,
    EvidenceOutside,
    EvidenceInsideCharacter,
    EvidenceForUnknownThesis,
    EvidenceForUnknownRow,
    Noise,
    CloseDescriptors,
    Fork,
    ForkAndDie,
    ReadFile,
    WriteFile,
    OpenSocket,
    StartProgram,
    KillParent,
    Environment,
    AbortInCreate,
    SleepInCreate,
    RefuseInCreate,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Settings {
    behaviour: Behaviour,
    path: PathBuf,
}

/// The classifier.
#[derive(Debug)]
pub struct Misbehaving(Settings);

/// Whether `classify` is to write past the end of the matrix, which no safe code can do.
static TOO_MANY_ROWS: AtomicBool = AtomicBool::new(false);

impl Plugin for Misbehaving {
    fn create(setup: &Setup<'_>) -> Result<Self, ClassifierError> {
        let settings: Settings = setup.config()?;
        match settings.behaviour {
            Behaviour::AbortInCreate => std::process::abort(),
            Behaviour::SleepInCreate => std::thread::sleep(Duration::from_secs(3600)),
            Behaviour::RefuseInCreate => return Err(ClassifierError::Model("weights.bin is missing".into())),
            other => TOO_MANY_ROWS.store(other == Behaviour::TooManyRows, Ordering::Relaxed),
        }
        Ok(Self(settings))
    }
}

impl Classifier for Misbehaving {
    fn classify(&self, batch: &Batch<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        for (row, unit) in batch.units.iter().enumerate() {
            out.set(row, 0, unit.text.len() as f32 / 1000.0);
            if unit.text.contains('毒') {
                self.misbehave(row, unit, out)?;
            }
        }
        Ok(())
    }
}

impl Misbehaving {
    fn misbehave(&self, row: usize, unit: &Unit<'_>, out: &mut Output) -> Result<(), ClassifierError> {
        let len = unit.text.len();
        match self.0.behaviour {
            Behaviour::Panic => panic!("I panic"),
            Behaviour::Error => return Err("I return an error".into()),
            Behaviour::Abort => std::process::abort(),
            Behaviour::Exit => std::process::exit(7),
            // SAFETY: none: this is what the test is about.
            Behaviour::NullWrite => unsafe { black_box(std::ptr::null_mut::<u8>()).write_volatile(1) },
            Behaviour::StackOverflow => {
                black_box(endless(1));
            }
            Behaviour::Loop => loop {
                std::hint::spin_loop();
            },
            Behaviour::Allocate => {
                let mut hoard = Vec::new();
                loop {
                    hoard.push(vec![1_u8; 1 << 24]);
                    black_box(&hoard);
                }
            }
            Behaviour::Sleep => std::thread::sleep(Duration::from_secs(3600)),
            // SAFETY: a signal to this process.
            Behaviour::Stop => unsafe {
                libc::raise(libc::SIGSTOP);
            },
            Behaviour::NotANumber => out.set(row, 0, f32::NAN),
            Behaviour::Infinite => out.set(row, 0, f32::INFINITY),
            Behaviour::Huge => out.set(row, 0, 1e30),
            Behaviour::RolesOfSumTwo => out.set_role(row, [0.5; 4]),
            Behaviour::RolesByBatch if out.rows() > 1 => out.set_role(row, [1.0, 0.0, 0.0, 0.0]),
            Behaviour::EvidenceOutside => out.add_evidence(row, 0, 0..len + 1, 1.0),
            Behaviour::EvidenceInsideCharacter => out.add_evidence(row, 0, 1..len, 1.0),
            Behaviour::EvidenceForUnknownThesis => out.add_evidence(row, out.theses(), 0..len, 1.0),
            Behaviour::EvidenceForUnknownRow => out.add_evidence(out.rows() + 1000, 0, 0..len, 1.0),
            Behaviour::Noise => {
                let mut stdout = std::io::stdout();
                for i in 0..20_000 {
                    // A frame of the worker's protocol, and control characters.
                    let _ = stdout.write_all(b"\x01\0\0\0\x85 \x1b[2J garbage\n");
                    let _ = writeln!(stdout, "line {i}");
                }
            }
            Behaviour::CloseDescriptors => {
                for fd in 0..1024 {
                    // SAFETY: none: this is what the test is about.
                    unsafe { libc::close(fd) };
                }
            }
            Behaviour::Fork | Behaviour::ForkAndDie => {
                // SAFETY: the child does nothing but sleep.
                match unsafe { libc::fork() } {
                    -1 => out.fail(row, std::io::Error::last_os_error().to_string()),
                    0 => loop {
                        std::thread::sleep(Duration::from_secs(3600));
                    },
                    _ if self.0.behaviour == Behaviour::ForkAndDie => std::process::abort(),
                    _ => {}
                }
            }
            Behaviour::ReadFile => report(row, out, std::fs::read_to_string(&self.0.path)),
            Behaviour::WriteFile => report(row, out, File::create(&self.0.path)),
            Behaviour::OpenSocket => {
                report(row, out, TcpStream::connect("127.0.0.1:9").map(|_| ()).and(UdpSocket::bind("127.0.0.1:0")));
            }
            Behaviour::StartProgram => report(row, out, Command::new("/bin/true").status()),
            // SAFETY: a signal number that asks only whether the signal could be sent.
            Behaviour::KillParent => report(
                row,
                out,
                match unsafe { libc::kill(libc::getppid(), 0) } {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                },
            ),
            Behaviour::Environment => {
                report::<()>(
                    row,
                    out,
                    Err(std::io::Error::other(format!("{:?}", std::env::vars_os().collect::<Vec<_>>()))),
                );
            }
            Behaviour::None
            | Behaviour::RolesByBatch
            | Behaviour::TooManyRows
            | Behaviour::AbortInCreate
            | Behaviour::SleepInCreate
            | Behaviour::RefuseInCreate => {}
        }
        Ok(())
    }
}

fn report<T: std::fmt::Debug>(row: usize, out: &mut Output, result: std::io::Result<T>) {
    match result {
        Ok(value) => out.fail(row, format!("done: {value:?}")),
        Err(error) => out.fail(row, format!("refused: {error}")),
    }
}

#[expect(unconditional_recursion, reason = "this is what the test is about")]
fn endless(n: u64) -> u64 {
    black_box([n; 512])[0] + endless(n + 1)
}

static ENTRY: LundianEntry = LundianEntry {
    classify: Some(classify),
    ..lundian_plugin::border::entry::<Misbehaving>(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/plugin.toml")))
};

unsafe extern "C" fn classify(
    instance: *mut c_void,
    host: *const LundianHost,
    batch: *const LundianBatch,
    scores: *mut f32,
) -> i32 {
    let honest = lundian_plugin::border::entry::<Misbehaving>("").classify;
    // SAFETY: the arguments of this call, passed on.
    let status = honest.map_or(abi::STATUS_FAILED, |classify| unsafe { classify(instance, host, batch, scores) });
    if TOO_MANY_ROWS.load(Ordering::Relaxed) {
        // SAFETY: none: this is what the test is about. It stays small, to be found and not to crash.
        unsafe { scores.add((*batch).text.len * 22).write(0.5) };
    }
    status
}

// SAFETY: the name is the one that the host looks for; nothing else in this library defines it.
#[unsafe(no_mangle)]
extern "C" fn lundian_plugin() -> *const LundianEntry {
    &ENTRY
}
