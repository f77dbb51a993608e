//! Where results and messages go: data to standard output or a file, everything else to standard error.

use std::fmt::Arguments;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use lundian_core::{Cancel, Diagnostic};

/// The user pressed Ctrl-C.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted: nothing was written to the output file")
    }
}

impl std::error::Error for Interrupted {}

/// True if the reader of our output went away, which is its right.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let io = |e: &(dyn std::error::Error + 'static)| e.downcast_ref::<io::Error>().map(io::Error::kind);
    error.chain().any(|e| io(e) == Some(io::ErrorKind::BrokenPipe))
}

/// Writes a line to standard error; if even that fails there is nobody to tell.
pub(crate) fn say(message: Arguments<'_>) {
    let _ = writeln!(anstream::stderr(), "{message}");
}

/// Writes progress or a figure to standard error, unless the user asked for quiet.
pub(crate) fn inform(quiet: bool, message: Arguments<'_>) {
    if !quiet {
        say(message);
    }
}

/// Writes an error to standard error.
pub(crate) fn say_error(message: Arguments<'_>) {
    let red = clap::builder::styling::AnsiColor::Red.on_default().bold();
    say(format_args!("{red}error:{red:#} {message}"));
}

/// Writes a warning to standard error.
pub(crate) fn say_warning(message: Arguments<'_>) {
    let yellow = clap::builder::styling::AnsiColor::Yellow.on_default().bold();
    say(format_args!("{yellow}warning:{yellow:#} {message}"));
}

/// Writes a diagnostic to standard error.
pub(crate) fn say_diagnostic(diagnostic: &Diagnostic) {
    if diagnostic.error { say_error(format_args!("{diagnostic}")) } else { say_warning(format_args!("{diagnostic}")) }
}

/// The temporary file of the output being written, for the case that the program must end at once.
static UNFINISHED: Mutex<Option<PathBuf>> = Mutex::new(None);

fn remember_unfinished(path: Option<PathBuf>) -> Option<PathBuf> {
    std::mem::replace(&mut *UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner), path)
}

/// Makes Ctrl-C end the run in good order, and a second one at once (standard input may never end by itself).
pub(crate) fn stop_on_interrupt(cancel: Cancel) -> anyhow::Result<()> {
    ctrlc::set_handler(move || {
        if cancel.is_cancelled() {
            if let Some(path) = remember_unfinished(None) {
                let _ = std::fs::remove_file(path);
            }
            std::process::exit(130);
        }
        cancel.cancel();
    })?;
    Ok(())
}

/// An output that becomes visible only when it is whole.
pub(crate) enum Sink {
    /// Standard output.
    Stdout(BufWriter<io::StdoutLock<'static>>),
    /// A temporary file beside the real one.
    File { file: BufWriter<tempfile::NamedTempFile>, path: PathBuf },
}

impl Sink {
    /// Opens `path`, or standard output.
    pub(crate) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        let Some(path) = path else { return Ok(Self::Stdout(BufWriter::new(io::stdout().lock()))) };
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = tempfile::Builder::new()
            .prefix(".lundian-")
            .tempfile_in(folder)
            .with_context(|| format!("{}: cannot write here", path.display()))?;
        remember_unfinished(Some(file.path().to_owned()));
        Ok(Self::File { file: BufWriter::new(file), path: path.to_owned() })
    }

    /// Makes the output visible.
    pub(crate) fn commit(self) -> anyhow::Result<()> {
        match self {
            Self::Stdout(mut out) => Ok(out.flush()?),
            Self::File { file, path } => {
                let file = file.into_inner().with_context(|| format!("{}: cannot write", path.display()))?;
                // A temporary file is private; a result is as public as any other new file.
                #[cfg(unix)]
                {
                    use std::os::unix::fs::PermissionsExt as _;
                    let mode = if path.exists() { std::fs::metadata(&path)?.permissions().mode() } else { 0o644 };
                    file.as_file().set_permissions(std::fs::Permissions::from_mode(mode))?;
                }
                file.persist(&path).with_context(|| format!("{}: cannot write", path.display()))?;
                remember_unfinished(None);
                Ok(())
            }
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(out) => out.write(bytes),
            Self::File { file, .. } => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.flush(),
            Self::File { file, .. } => file.flush(),
        }
    }
}

/// Whether to colour what goes to standard output: a terminal that has not been asked to stay plain.
pub(crate) fn color() -> bool {
    anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never
}

/// Columns of the terminal; 100 where there is none.
pub(crate) fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(w, _)| usize::from(w.0).clamp(40, 160))
}

/// A progress bar where there is a terminal that shows nothing else, nothing elsewhere.
pub(crate) fn progress(quiet: bool) -> indicatif::ProgressBar {
    if quiet || !io::stderr().is_terminal() || io::stdout().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let style = indicatif::ProgressStyle::with_template("{spinner} {human_pos} paragraphs  {elapsed}  {per_sec}")
        .unwrap_or_else(|_| indicatif::ProgressStyle::default_spinner());
    indicatif::ProgressBar::new_spinner().with_style(style)
}
