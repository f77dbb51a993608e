//! The workers of one plugin, as something that judges batches.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use lundian_core::{Batch, Cancel, ClassifierError, Output, OutputError, Thresholds};
use lundian_plugin::border::{abi, error_of, one_line};

use super::WorkerOptions;
use super::child::{Child, Gone, Listener};
use super::frame::{FrameError, FromWorker, Load, ToWorker};
use crate::HostError;
use crate::bisect::{Attempt, Setback};

/// The least part of the deadline that a part of a batch gets: what a call costs whatever its size.
const LEAST_SHARE: f64 = 0.125;

/// Workers that wait for batches. A worker that was lost is replaced when it is next needed.
pub(crate) struct Pool {
    options: WorkerOptions,
    load: Load,
    theses: usize,
    thresholds: Option<Thresholds>,
    listener: Arc<Listener>,
    idle: Mutex<Vec<Option<Child>>>,
    freed: Condvar,
}

impl Pool {
    /// Starts the first worker, to learn whether the plugin can be made at all.
    pub(crate) fn start(
        options: WorkerOptions,
        load: Load,
        theses: usize,
        listener: Arc<Listener>,
    ) -> Result<Self, HostError> {
        let (first, thresholds) = start(&options, &load, &listener).map_err(|e| match e {
            StartError::Host(message) => HostError::Worker { id: load.id.clone(), message },
            StartError::Unusable(message) => HostError::Unusable { message },
            StartError::Create(error) => HostError::Create { id: load.id.clone(), error },
        })?;
        let mut idle: Vec<Option<Child>> = (1..options.workers).map(|_| None).collect();
        idle.push(Some(first));
        Ok(Self { options, load, theses, thresholds, listener, idle: Mutex::new(idle), freed: Condvar::new() })
    }

    fn take(&self) -> Option<Child> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match idle.pop() {
                Some(slot) => return slot,
                None => idle = self.freed.wait(idle).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn give_back(&self, slot: Option<Child>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(slot);
        self.freed.notify_one();
    }

    /// Lines that the plugin wrote to its standard output and error.
    pub(crate) fn printed(&self) -> usize {
        self.listener.printed.load(Ordering::Relaxed)
    }

    /// Kilobytes of memory that an idle worker takes up; `None` where the system does not say.
    pub(crate) fn resident(&self) -> Option<u64> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).last()?.as_ref()?.resident()
    }

    fn ask(
        &self,
        worker: &mut Child,
        request: &[u8],
        part: &Batch<'_>,
        share: f64,
    ) -> Result<Result<Output, Setback>, Gone> {
        let limit = self.options.deadline.mul_f64(share.max(LEAST_SHARE));
        match worker.ask(request, limit, &part.cancel)? {
            FromWorker::Failed(status, message) => Ok(Err(error_of(status, one_line(&message)).into())),
            FromWorker::Answer(out) if (out.rows(), out.theses()) == (part.len(), self.theses) => {
                let wrong = |e| Setback::Paragraphs(format!("the plugin's answer is wrong: {e}"));
                Ok(checked(out, part).map_err(wrong))
            }
            FromWorker::Answer(out) => {
                let (rows, expected) = (out.rows(), part.len());
                Ok(Err(Setback::Paragraphs(format!("it answered {rows} rows for {expected} paragraphs"))))
            }
            _ => Err(Gone::Nonsense(FrameError::Garbled)),
        }
    }
}

impl Attempt for Pool {
    fn attempt(&self, part: &Batch<'_>, share: f64) -> Result<Output, Setback> {
        self.request(ToWorker::classify(part), part, share)
    }

    fn thresholds(&self) -> Thresholds {
        self.thresholds.clone().unwrap_or_default()
    }
}

impl Pool {
    /// The answer to a batch that several threads of one worker ask for at once, if they all get the same.
    pub(crate) fn stress(&self, threads: u8, batch: &Batch<'_>) -> Result<Output, Setback> {
        self.request(ToWorker::stress(threads, batch), batch, 1.0)
    }

    fn request(&self, request: Result<Vec<u8>, FrameError>, part: &Batch<'_>, share: f64) -> Result<Output, Setback> {
        let request = request.map_err(|e| Setback::Paragraphs(format!("it would be sent {e}")))?;
        let mut worker = match self.take() {
            Some(worker) => worker,
            None => match start(&self.options, &self.load, &self.listener) {
                Ok((worker, _)) => worker,
                Err(e) => {
                    self.give_back(None);
                    return Err(Setback::Plugin(format!("it could not be started again: {}", e.message())));
                }
            },
        };
        match self.ask(&mut worker, &request, part, share) {
            Ok(answer) => {
                self.give_back(Some(worker));
                answer
            }
            Err(gone) => {
                let reason = worker.end(&gone);
                self.give_back(None);
                if matches!(gone, Gone::Cancelled) {
                    return Err(Setback::Call(ClassifierError::Cancelled));
                }
                Err(Setback::Paragraphs(format!("its process {reason}")))
            }
        }
    }
}

/// An answer as it came from a process that may be anything by now, made to keep what a classifier promises.
fn checked(mut out: Output, part: &Batch<'_>) -> Result<Output, OutputError> {
    let failures = std::mem::take(&mut out.failures);
    let mut failed = vec![false; out.rows()];
    for failure in failures {
        let first = failed.get_mut(failure.row).ok_or(OutputError::Row { row: failure.row, rows: part.len() })?;
        if !std::mem::replace(first, true) {
            out.fail(failure.row, one_line(&failure.reason));
        }
    }
    out.fail_broken_rows(|row| part.units[row].text)?;
    Ok(out)
}

/// Why a worker with its plugin could not be started.
enum StartError {
    /// The process.
    Host(String),
    /// The library.
    Unusable(String),
    /// The plugin.
    Create(ClassifierError),
}

impl StartError {
    fn message(self) -> String {
        match self {
            Self::Host(message) | Self::Unusable(message) => message,
            Self::Create(error) => error.to_string(),
        }
    }
}

fn start(
    options: &WorkerOptions,
    load: &Load,
    listener: &Arc<Listener>,
) -> Result<(Child, Option<Thresholds>), StartError> {
    let not_unicode = |_| StartError::Host("cannot be told of files whose path is not Unicode: move them".to_owned());
    let frame = ToWorker::load(load).map_err(not_unicode)?;
    let mut worker = Child::start(options, Arc::clone(listener)).map_err(StartError::Host)?;
    let answer = worker.send(&frame).and_then(|()| worker.receive(options.start_deadline, &Cancel::default()));
    match answer {
        Ok(FromWorker::Ready { thresholds }) => Ok((worker, thresholds)),
        Ok(FromWorker::Unusable(message)) => Err(StartError::Unusable(message)),
        Ok(FromWorker::Failed(status, message)) => Err(StartError::Create(match status {
            abi::STATUS_OK => ClassifierError::Failed(message),
            status => error_of(status, message),
        })),
        Ok(_) => Err(StartError::Host(worker.end(&Gone::Nonsense(FrameError::Garbled)))),
        Err(gone) => Err(StartError::Host(worker.end(&gone))),
    }
}

#[cfg(test)]
mod tests {
    use lundian_core::{Evidence, Failure, Unit};

    use super::*;

    #[test]
    fn an_answer_from_a_broken_process_is_put_right_or_refused() {
        let units = [Unit { text: "论点", ..Unit::default() }; 2];
        let answer = || {
            let mut out = Output::new(2, 1);
            out.scores_mut().copy_from_slice(&[0.5, 0.5]);
            (0..2).for_each(|row| out.set_role(row, [0.0, 1.0, 0.0, 0.0]));
            out.evidence = vec![Evidence { row: 1, thesis: 0, range: 0..3, weight: 1.0 }];
            out.failures =
                vec![Failure { row: 1, reason: "a\u{1b}[2J".into() }, Failure { row: 1, reason: "b".into() }];
            out
        };
        let out = checked(answer(), &Batch::new(&units)).unwrap();
        assert_eq!(out.failures, [Failure { row: 1, reason: "a [2J".into() }]);
        assert!(out.row(0)[0] == 0.5 && out.row(1)[0].is_nan() && out.evidence.is_empty());
        assert!(out.role(0).is_some() && out.role(1).is_none());
        let mut out = answer();
        out.failures[0].row = 2;
        assert_eq!(checked(out, &Batch::new(&units)).unwrap_err(), OutputError::Row { row: 2, rows: 2 });
    }
}
