//! Waiting for a message without falling asleep over it.
//!
//! A process that sleeps is woken tens of microseconds after its message has come, more where the processor has gone to
//! sleep with it: for a fast plugin, that is most of what a worker costs. Most waits end when the last one would let one
//! expect it, though. So a short one sleeps until shortly before that, then looks again and again.
//!
//! The decision that matters: looking is for idle processors only. Who looks gives way each time, and when somebody
//! else took the offer, or nothing came in time, the next waits just sleep, more of them each time.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long before and after the expected moment is looked, at most.
const MARGIN: Duration = Duration::from_micros(100);
/// The longest wait that is not just slept through: against it, waking up is nothing.
const LONGEST: Duration = Duration::from_millis(3);
/// Giving way takes longer than this only if somebody else runs meanwhile.
const UNDISTURBED: Duration = Duration::from_micros(20);
/// How many waits are slept through after the first disappointment, and after many.
const RESTS: [u32; 2] = [8, 1024];

/// When messages are expected.
#[derive(Debug, Default)]
pub(crate) struct Rhythm {
    /// Seconds that a message of one unit of weight took last.
    pace: Option<f64>,
    /// Waits that are still to be slept through.
    rest: u32,
    /// How many there will be after the next disappointment.
    next_rest: u32,
}

impl Rhythm {
    /// How long a wait for something of this weight, which is anything that the time is proportional to, will be.
    fn expected(&self, weight: usize) -> Option<Duration> {
        let expected = Duration::try_from_secs_f64(self.pace? * weight as f64).ok()?;
        (expected <= LONGEST).then_some(expected)
    }

    /// Takes note of how long a wait for something of this weight was.
    pub(crate) fn note(&mut self, weight: usize, took: Duration) {
        self.pace = Some(took.as_secs_f64() / weight.max(1) as f64);
    }

    /// Returns when there is something to read, or nothing more is to be gained by looking: then a read may sleep.
    pub(crate) fn await_input(&mut self, source: &impl AsFd, weight: usize) {
        if self.rest > 0 {
            self.rest -= 1;
            return;
        }
        let Some(expected) = self.expected(weight) else { return };
        let start = Instant::now();
        let has_input = |timeout: Duration| {
            let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(timeout.subsec_nanos()) };
            // An error is for the read to find out.
            !matches!(poll(&mut [PollFd::new(source, PollFlags::IN)], Some(&timeout)), Ok(0))
        };
        if let Some(sleep) = expected.checked_sub(MARGIN)
            && has_input(sleep)
        {
            return;
        }
        while !has_input(Duration::ZERO) {
            let offered = Instant::now();
            std::thread::yield_now();
            if offered.elapsed() > UNDISTURBED || start.elapsed() > expected + MARGIN {
                let [least, most] = RESTS;
                self.rest = self.next_rest.clamp(least, most);
                self.next_rest = self.rest * 2;
                return;
            }
        }
        self.next_rest = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn expectations_go_by_weight_and_end_where_sleep_is_cheap() {
        let mut rhythm = Rhythm::default();
        assert_eq!(rhythm.expected(1), None);
        rhythm.note(100, Duration::from_micros(500));
        assert_eq!(rhythm.expected(200), Some(Duration::from_micros(1000)));
        assert_eq!(rhythm.expected(200_000), None);
        rhythm.note(0, Duration::from_secs(10));
        assert_eq!((rhythm.expected(1), rhythm.expected(usize::MAX)), (None, None));
    }

    #[test]
    fn input_and_its_end_are_noticed() {
        let (mut ours, theirs) = UnixStream::pair().unwrap();
        let mut rhythm = Rhythm::default();
        rhythm.note(1, LONGEST);
        ours.write_all(b"x").unwrap();
        rhythm.await_input(&theirs, 1);
        let (ours, theirs) = UnixStream::pair().unwrap();
        drop(ours);
        rhythm.await_input(&theirs, 1);
        // Else it would rest.
        assert_eq!((rhythm.rest, rhythm.next_rest), (0, 0));
    }

    #[test]
    fn disappointments_make_it_rest_ever_longer() {
        let (_ours, theirs) = UnixStream::pair().unwrap();
        let mut rhythm = Rhythm::default();
        rhythm.note(1, Duration::from_micros(200));
        for expected in [8, 16, 32, 64, 128, 256, 512, 1024, 1024] {
            // It comes back, although nothing ever arrives.
            rhythm.await_input(&theirs, 1);
            assert_eq!(rhythm.rest, expected);
            for left in (0..expected).rev() {
                rhythm.await_input(&theirs, 1);
                assert_eq!(rhythm.rest, left);
            }
        }
    }
}
