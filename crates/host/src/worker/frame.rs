//! What the program and a worker say to each other, as bytes.
//!
//! A conversation opens with eight bytes from each side, [`PREAMBLE`], that say which protocol it speaks. They keep
//! this form for ever, so that a program can tell that its executable was replaced while it ran. After them come
//! frames: a length (`u32`, little-endian, of what follows), a tag, a body. Small bodies are JSON; paragraphs and
//! scores are flat numbers and texts, each kind in one piece, so that they are copied and checked in one go. Decoding
//! trusts nothing: a worker may be anything after a plugin has run in it.

use std::io::Read;
use std::path::PathBuf;

use lundian_core::{Batch, Evidence, Failure, Output, Role, RoleScores, Thresholds, Unit};
use serde::{Deserialize, Serialize};

/// What each side sends first: a name that never changes, and the version of everything that follows.
pub const PREAMBLE: [u8; 8] = [b'l', b'u', b'n', b'd', b'w', b'k', VERSION.to_le_bytes()[0], VERSION.to_le_bytes()[1]];
/// Version of the frames.
pub const VERSION: u16 = 3;
/// Longest frame, in bytes.
pub const MAX_FRAME: usize = 1 << 30;

/// Everything that a worker needs to make its classifier.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Load {
    /// Id of the plugin.
    pub id: String,
    /// Its library.
    pub library: PathBuf,
    /// Hash of the library's bytes.
    pub sha256: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Text of its `plugin.toml`.
    pub manifest: String,
    /// Its settings.
    pub settings: serde_json::Value,
    /// The taxonomy, as JSON.
    pub taxonomy: String,
    /// Bytes of address space that it may use.
    pub memory: Option<u64>,
    /// Seconds of processor time for each batch.
    pub cpu_seconds: Option<u64>,
    /// Whether to drop what a classifier does not need.
    pub sandbox: bool,
    /// Files and folders that it may read, besides its own and the system's libraries.
    pub readable: Vec<PathBuf>,
}

/// A frame to a worker.
#[derive(Debug)]
pub enum ToWorker<'a> {
    /// Make a classifier; once, first.
    Load(Box<Load>),
    /// Judge these paragraphs.
    Classify {
        /// Whether evidence is wanted.
        evidence: bool,
        /// The paragraphs.
        units: Vec<Unit<'a>>,
    },
    /// Judge these paragraphs on several threads at once, again and again, and see whether the answers agree.
    Stress {
        /// Number of threads.
        threads: usize,
        /// The paragraphs.
        units: Vec<Unit<'a>>,
    },
    /// Nobody waits for the answer any more.
    Cancel,
    /// Say that you are there.
    Ping,
}

/// A frame from a worker.
#[derive(Debug)]
pub enum FromWorker {
    /// The classifier is made.
    Ready {
        /// The thresholds that the plugin reports.
        thresholds: Option<Thresholds>,
    },
    /// The library cannot be used; the message is complete.
    Unusable(String),
    /// The plugin made no classifier, or did not judge a batch: a status of the ABI and the plugin's message.
    Failed(i32, String),
    /// The answer to a batch.
    Answer(Output),
    /// It is there.
    Pong,
    /// A line of the plugin's log, with its level as in the ABI.
    Log(u32, String),
}

/// Why bytes are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// Longer than [`MAX_FRAME`].
    #[error("a message of {0} bytes")]
    TooLong(usize),
    /// A tag or a body that is not of this protocol.
    #[error("a message that is not of the protocol")]
    Garbled,
}

/// Bytes of a paragraph whose texts are all empty: their lengths.
const UNIT_BYTES: usize = 16;
/// Bytes of the scores of a paragraph's roles.
const ROLE_BYTES: usize = size_of::<RoleScores>();

const LOAD: u8 = 1;
const CLASSIFY: u8 = 2;
const CANCEL: u8 = 3;
const PING: u8 = 4;
const STRESS: u8 = 5;
const READY: u8 = 129;
const UNUSABLE: u8 = 130;
const FAILED: u8 = 131;
const ANSWER: u8 = 132;
const PONG: u8 = 133;
const LOG: u8 = 134;

impl ToWorker<'_> {
    /// The frame that makes a classifier.
    ///
    /// # Errors
    /// [`FrameError::Garbled`] where a path is not Unicode.
    pub fn load(load: &Load) -> Result<Vec<u8>, FrameError> {
        json_frame(LOAD, load)
    }

    /// The frame that asks for a batch to be judged.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn classify(batch: &Batch<'_>) -> Result<Vec<u8>, FrameError> {
        batch_frame(CLASSIFY, u8::from(batch.evidence), batch)
    }

    /// The frame that asks for a batch to be judged on several threads at once.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn stress(threads: u8, batch: &Batch<'_>) -> Result<Vec<u8>, FrameError> {
        batch_frame(STRESS, threads, batch)
    }

    /// The frame that says that an answer is not wanted any more.
    pub fn cancel() -> Vec<u8> {
        vec![1, 0, 0, 0, CANCEL]
    }

    /// The frame that asks for a sign of life.
    pub fn ping() -> Vec<u8> {
        vec![1, 0, 0, 0, PING]
    }

    /// Whether a frame, without its length, brings a batch.
    pub fn is_batch(frame: &[u8]) -> bool {
        matches!(frame.first(), Some(&(CLASSIFY | STRESS)))
    }

    /// Reads a frame without its length.
    ///
    /// # Errors
    /// [`FrameError::Garbled`].
    pub fn decode(frame: &[u8]) -> Result<ToWorker<'_>, FrameError> {
        let (&tag, body) = frame.split_first().ok_or(FrameError::Garbled)?;
        let mut r = Reader(body);
        let message = match tag {
            LOAD => ToWorker::Load(serde_json::from_slice(r.rest()).map_err(|_| FrameError::Garbled)?),
            CLASSIFY => ToWorker::Classify { evidence: r.byte()? != 0, units: r.units()? },
            STRESS => ToWorker::Stress { threads: r.byte()?.into(), units: r.units()? },
            CANCEL => ToWorker::Cancel,
            PING => ToWorker::Ping,
            _ => return Err(FrameError::Garbled),
        };
        r.end(message)
    }
}

impl FromWorker {
    /// The bytes of the frame.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        match self {
            Self::Ready { thresholds } => json_frame(READY, thresholds),
            Self::Unusable(message) => json_frame(UNUSABLE, message),
            Self::Failed(status, message) => json_frame(FAILED, &(status, message)),
            Self::Pong => Ok(vec![1, 0, 0, 0, PONG]),
            Self::Log(level, line) => json_frame(LOG, &(level, line)),
            Self::Answer(out) => {
                let roles = flat_roles(out);
                let capacity = (out.scores().len() + roles.as_flattened().len()) * 4 + out.evidence.len() * 28 + 20;
                let mut w = Writer::new(ANSWER, capacity);
                w.number(out.rows());
                w.number(out.theses());
                w.floats(out.scores());
                w.bytes(&[u8::from(!roles.is_empty())]);
                w.floats(roles.as_flattened());
                w.number(out.evidence.len());
                for e in &out.evidence {
                    for n in [e.row, e.thesis, e.range.start, e.range.end] {
                        w.number(n);
                    }
                    w.bytes(&e.weight.to_bits().to_le_bytes());
                }
                w.number(out.failures.len());
                for f in &out.failures {
                    w.number(f.row);
                    w.text(&f.reason);
                }
                w.finish()
            }
        }
    }

    /// Reads a frame without its length. The rows of an answer may still lie outside it, and its scores, roles and
    /// evidence be out of range: [`Output::fail_broken_rows`] is for that.
    ///
    /// # Errors
    /// [`FrameError::Garbled`].
    pub fn decode(frame: &[u8]) -> Result<Self, FrameError> {
        fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, FrameError> {
            serde_json::from_slice(body).map_err(|_| FrameError::Garbled)
        }
        let (&tag, body) = frame.split_first().ok_or(FrameError::Garbled)?;
        let mut r = Reader(body);
        let message = match tag {
            READY => Self::Ready { thresholds: json(r.rest())? },
            UNUSABLE => Self::Unusable(json(r.rest())?),
            FAILED => json(r.rest()).map(|(status, message)| Self::Failed(status, message))?,
            PONG => Self::Pong,
            LOG => json(r.rest()).map(|(level, line)| Self::Log(level, line))?,
            ANSWER => {
                let (rows, theses) = (r.number()?, r.number()?);
                let cells =
                    rows.checked_mul(theses).and_then(|cells| cells.checked_mul(4)).ok_or(FrameError::Garbled)?;
                let scores = r.take(cells)?;
                let mut out = Output::new(rows, theses);
                for (score, bytes) in out.scores_mut().iter_mut().zip(scores.as_chunks().0) {
                    *score = f32::from_le_bytes(*bytes);
                }
                if r.flag()? {
                    let roles = r.take(rows.checked_mul(ROLE_BYTES).ok_or(FrameError::Garbled)?)?;
                    for (row, bytes) in roles.as_chunks::<ROLE_BYTES>().0.iter().enumerate() {
                        let mut scores = RoleScores::default();
                        for (score, bytes) in scores.iter_mut().zip(bytes.as_chunks().0) {
                            *score = f32::from_le_bytes(*bytes);
                        }
                        if !scores.iter().all(|s| s.is_nan()) {
                            out.set_role(row, scores);
                        }
                    }
                }
                for _ in 0..r.count(20)? {
                    let (row, thesis) = (r.number()?, r.number()?);
                    let range = r.number()?..r.number()?;
                    out.evidence.push(Evidence { row, thesis, range, weight: r.float()? });
                }
                for _ in 0..r.count(8)? {
                    out.failures.push(Failure { row: r.number()?, reason: r.text()?.to_owned() });
                }
                Self::Answer(out)
            }
            _ => return Err(FrameError::Garbled),
        };
        r.end(message)
    }
}

/// The roles of every row, NaN for those without; nothing if no row has one.
fn flat_roles(out: &Output) -> Vec<RoleScores> {
    if out.roles().iter().all(Option::is_none) {
        return Vec::new();
    }
    out.roles().iter().map(|role| role.unwrap_or([f32::NAN; Role::ALL.len()])).collect()
}

fn batch_frame(tag: u8, how: u8, batch: &Batch<'_>) -> Result<Vec<u8>, FrameError> {
    let len = |u: &Unit<'_>| u.text.len() + u.prev.len() + u.heading.len() + u.title.len() + UNIT_BYTES;
    let mut w = Writer::new(tag, batch.units.iter().map(len).sum());
    w.bytes(&[how]);
    w.number(batch.len());
    let texts = batch.units.iter().flat_map(|u| [u.text, u.prev, u.heading, u.title]);
    texts.clone().for_each(|text| w.number(text.len()));
    texts.for_each(|text| w.bytes(text.as_bytes()));
    w.finish()
}

fn json_frame(tag: u8, body: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut w = Writer::new(tag, 256);
    serde_json::to_writer(&mut w.0, body).map_err(|_| FrameError::Garbled)?;
    w.finish()
}

/// A frame that is being written. Numbers are `u32`: no frame is long enough to need more.
struct Writer(Vec<u8>);

impl Writer {
    fn new(tag: u8, capacity: usize) -> Self {
        let mut frame = Vec::with_capacity(capacity + 16);
        frame.extend([0, 0, 0, 0, tag]);
        Self(frame)
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn number(&mut self, n: usize) {
        // A number that does not fit makes a frame that is too long, or a row that does not exist.
        self.bytes(&u32::try_from(n).unwrap_or(u32::MAX).to_le_bytes());
    }

    fn floats(&mut self, floats: &[f32]) {
        let start = self.0.len();
        self.0.resize(start + floats.len() * 4, 0);
        let (places, _) = self.0[start..].as_chunks_mut();
        for (place, float) in places.iter_mut().zip(floats) {
            *place = float.to_le_bytes();
        }
    }

    fn text(&mut self, text: &str) {
        self.number(text.len());
        self.bytes(text.as_bytes());
    }

    fn finish(mut self) -> Result<Vec<u8>, FrameError> {
        let len = self.0.len() - 4;
        if len > MAX_FRAME {
            return Err(FrameError::TooLong(len));
        }
        self.0[..4].copy_from_slice(&(len as u32).to_le_bytes());
        Ok(self.0)
    }
}

/// A frame that is being read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], FrameError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(FrameError::Garbled)?;
        self.0 = rest;
        Ok(taken)
    }

    fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    fn four(&mut self) -> Result<[u8; 4], FrameError> {
        self.take(4)?.try_into().map_err(|_| FrameError::Garbled)
    }

    fn byte(&mut self) -> Result<u8, FrameError> {
        Ok(self.take(1)?[0])
    }

    fn flag(&mut self) -> Result<bool, FrameError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(FrameError::Garbled),
        }
    }

    fn number(&mut self) -> Result<usize, FrameError> {
        Ok(u32::from_le_bytes(self.four()?) as usize)
    }

    /// How many items of at least `size` bytes follow; more than there is room for is refused before anything is
    /// allocated for them.
    fn count(&mut self, size: usize) -> Result<usize, FrameError> {
        let n = self.number()?;
        if n > self.0.len() / size { Err(FrameError::Garbled) } else { Ok(n) }
    }

    fn float(&mut self) -> Result<f32, FrameError> {
        Ok(f32::from_le_bytes(self.four()?))
    }

    fn text(&mut self) -> Result<&'a str, FrameError> {
        let len = self.number()?;
        self.utf8(len)
    }

    fn utf8(&mut self, len: usize) -> Result<&'a str, FrameError> {
        simdutf8::basic::from_utf8(self.take(len)?).map_err(|_| FrameError::Garbled)
    }

    fn units(&mut self) -> Result<Vec<Unit<'a>>, FrameError> {
        let rows = self.count(UNIT_BYTES)?;
        let (lengths, _) = self.take(rows * UNIT_BYTES)?.as_chunks();
        let mut lengths = lengths.iter().map(|len| u32::from_le_bytes(*len) as usize);
        let total = lengths.clone().try_fold(0_usize, usize::checked_add).ok_or(FrameError::Garbled)?;
        let mut texts = self.utf8(total)?;
        let mut next = || {
            let (text, rest) = texts.split_at_checked(lengths.next()?)?;
            texts = rest;
            Some(text)
        };
        let mut units = Vec::with_capacity(rows);
        for _ in 0..rows {
            let mut text = || next().ok_or(FrameError::Garbled);
            units.push(Unit { text: text()?, prev: text()?, heading: text()?, title: text()? });
        }
        Ok(units)
    }

    /// `message`, if nothing is left over.
    fn end<T>(&self, message: T) -> Result<T, FrameError> {
        if self.0.is_empty() { Ok(message) } else { Err(FrameError::Garbled) }
    }
}

/// Bytes as they arrive, cut into frames.
///
/// A frame that arrives in pieces is gathered in a buffer of its own size, so that a large one is copied once.
#[derive(Debug, Default)]
pub struct FrameBuffer {
    bytes: Vec<u8>,
}

impl FrameBuffer {
    /// Reads once from `source` into the buffer, and returns how many bytes came: 0 at its end.
    ///
    /// # Errors
    /// Those of the source.
    pub fn fill(&mut self, mut source: impl Read) -> std::io::Result<usize> {
        const CHUNK: usize = 1 << 16;
        let have = self.bytes.len();
        // At least what is missing of the frame, unless it claims to be longer than what there was reason to believe.
        let missing = self.frame_len().map_or(0, |len| (len + 4).saturating_sub(have)).min(CHUNK.max(have));
        self.bytes.resize(have + missing.max(CHUNK), 0);
        let read = source.read(&mut self.bytes[have..]);
        self.bytes.truncate(have + *read.as_ref().unwrap_or(&0));
        read
    }

    /// Takes the first `len` bytes, once they are there.
    pub fn take(&mut self, len: usize) -> Option<Vec<u8>> {
        if self.bytes.len() < len {
            return None;
        }
        let rest = self.bytes.split_off(len);
        Some(std::mem::replace(&mut self.bytes, rest))
    }

    /// Takes the next frame with its length, once it is there.
    ///
    /// # Errors
    /// [`FrameError::TooLong`].
    pub fn frame(&mut self) -> Result<Option<Frame>, FrameError> {
        match self.frame_len() {
            Some(len) if len > MAX_FRAME => Err(FrameError::TooLong(len)),
            Some(len) => Ok(self.take(4 + len).map(Frame)),
            None => Ok(None),
        }
    }

    fn frame_len(&self) -> Option<usize> {
        self.bytes.first_chunk::<4>().map(|len| u32::from_le_bytes(*len) as usize)
    }
}

/// A frame as it arrived.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame(Vec<u8>);

impl std::ops::Deref for Frame {
    type Target = [u8];

    /// Tag and body, without the length.
    fn deref(&self) -> &[u8] {
        self.0.get(4..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only_frame(bytes: &[u8]) -> Vec<u8> {
        let mut buffer = FrameBuffer::default();
        // One byte at a time, as a slow pipe would bring it.
        for byte in &bytes[..bytes.len() - 1] {
            buffer.fill(&[*byte][..]).unwrap();
            assert_eq!(buffer.frame(), Ok(None));
        }
        buffer.fill(&[bytes[bytes.len() - 1], 9][..]).unwrap();
        let frame = buffer.frame().unwrap().unwrap();
        assert_eq!(buffer.bytes, [9]);
        frame.to_vec()
    }

    #[test]
    fn batches_survive_the_way() {
        let units = [Unit { text: "论点\0😀", prev: "前", heading: "", title: "t" }, Unit::default()];
        let frame = only_frame(&ToWorker::classify(&Batch::new(&units).without_evidence()).unwrap());
        let ToWorker::Classify { evidence, units: read } = ToWorker::decode(&frame).unwrap() else { panic!() };
        assert_eq!((evidence, read.as_slice()), (false, &units[..]));
        let load = Load { id: "x".into(), dir: "/a/论点".into(), memory: Some(1), ..Load::default() };
        let frame = only_frame(&ToWorker::load(&load).unwrap());
        assert!(matches!(ToWorker::decode(&frame), Ok(ToWorker::Load(read)) if *read == load));
        let frame = only_frame(&ToWorker::stress(7, &Batch::new(&units)).unwrap());
        assert!(matches!(ToWorker::decode(&frame), Ok(ToWorker::Stress { threads: 7, units: read }) if read == units));
        for frame in [ToWorker::cancel(), ToWorker::ping()] {
            assert!(ToWorker::decode(&only_frame(&frame)).is_ok());
        }
    }

    #[test]
    fn a_long_frame_arrives_whole() {
        let text = "长".repeat(100_000);
        let units = [Unit { text: &text, ..Unit::default() }; 3];
        let bytes = ToWorker::classify(&Batch::new(&units)).unwrap();
        let (mut buffer, mut source) = (FrameBuffer::default(), &bytes[..]);
        let frame = loop {
            if let Some(frame) = buffer.frame().unwrap() {
                break frame;
            }
            assert!(buffer.fill(&mut source).unwrap() > 0);
        };
        assert!(matches!(ToWorker::decode(&frame), Ok(ToWorker::Classify { units: read, .. }) if read == units));
    }

    fn answer() -> Output {
        let mut out = Output::new(2, 3);
        out.set(0, 1, 0.25);
        out.add_evidence(0, 1, 3..6, 0.5);
        out.fail(1, "poison");
        out
    }

    fn answer_with_roles() -> Output {
        let mut out = answer();
        out.set_role(0, [0.125, 0.25, 0.5, 0.125]);
        out
    }

    #[test]
    fn answers_survive_the_way() {
        let frames = [answer(), answer_with_roles()].map(|answer| {
            let frame = only_frame(&FromWorker::Answer(answer.clone()).encode().unwrap());
            let FromWorker::Answer(read) = FromWorker::decode(&frame).unwrap() else { panic!() };
            let bits = |o: &Output| o.scores().iter().map(|s| s.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&read), bits(&answer));
            assert_eq!([0, 1].map(|row| read.role(row)), [0, 1].map(|row| answer.role(row)));
            assert_eq!((read.evidence, read.failures), (answer.evidence, answer.failures));
            frame
        });
        // Two rows of four floats; who gives no role pays a byte.
        assert_eq!(frames[1].len() - frames[0].len(), 32);
        let mut silent = answer_with_roles();
        silent.failures.clear();
        silent.fail(0, "");
        silent.fail(1, "poison");
        let frame = FromWorker::Answer(silent).encode().unwrap();
        assert!(frame.len() < frames[0].len(), "roles that failed take no room");
        for message in [
            FromWorker::Ready { thresholds: Some(Thresholds::uniform(0.25)) },
            FromWorker::Unusable("no".into()),
            FromWorker::Failed(3, "no".into()),
            FromWorker::Pong,
            FromWorker::Log(2, "hm".into()),
        ] {
            let read = FromWorker::decode(&only_frame(&message.encode().unwrap())).unwrap();
            assert_eq!(format!("{read:?}"), format!("{message:?}"));
        }
    }

    #[test]
    fn garbage_is_refused_without_harm() {
        for good in [answer(), answer_with_roles()].map(|a| FromWorker::Answer(a).encode().unwrap()) {
            for cut in 5..good.len() - 1 {
                assert_eq!(FromWorker::decode(&good[4..cut]).unwrap_err(), FrameError::Garbled);
            }
            // Whether there are roles.
            let mut bad = good.clone();
            bad[4 + 1 + 8 + 6 * 4] = 2;
            assert_eq!(FromWorker::decode(&bad[4..]).unwrap_err(), FrameError::Garbled);
        }
        // Four thousand million rows without theses, whose roles would begin here: nothing is allocated for them.
        let endless = [&[ANSWER][..], &[255; 4], &[0; 4], &[1], &[0; 64]].concat();
        assert_eq!(FromWorker::decode(&endless).unwrap_err(), FrameError::Garbled);
        for frame in
            [&[][..], &[0], &[ANSWER], &[ANSWER, 255, 255, 255, 255, 255, 255, 255, 255], &[PONG, 0], &[READY, b'{']]
        {
            assert_eq!(FromWorker::decode(frame).unwrap_err(), FrameError::Garbled, "{frame:?}");
        }
        assert_eq!(ToWorker::decode(&[CLASSIFY, 1, 255, 255, 255, 255]).unwrap_err(), FrameError::Garbled);
        // Texts that end inside a character, are no text, or leave something over.
        let units = [Unit { text: "论", prev: "点", ..Unit::default() }];
        let good = ToWorker::classify(&Batch::new(&units)).unwrap();
        for (at, byte) in [(10, 2), (14, 2), (14, 4), (29, 255), (6, 2)] {
            let mut bad = good.clone();
            assert_ne!(std::mem::replace(&mut bad[at], byte), byte);
            assert_eq!(ToWorker::decode(&bad[4..]).unwrap_err(), FrameError::Garbled, "{at}");
        }
        let mut buffer = FrameBuffer::default();
        buffer.fill(&[255; 8][..]).unwrap();
        assert_eq!(buffer.frame(), Err(FrameError::TooLong(u32::MAX as usize)));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_do_harm(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), tag in 0_usize..12) {
            let _ = (ToWorker::decode(&bytes), FromWorker::decode(&bytes));
            let tags = [LOAD, CLASSIFY, STRESS, CANCEL, PING, READY, UNUSABLE, FAILED, ANSWER, PONG, LOG, 0];
            let tagged: Vec<u8> = [tags[tag]].into_iter().chain(bytes).collect();
            let _ = (ToWorker::decode(&tagged), FromWorker::decode(&tagged));
        }

        #[test]
        fn a_damaged_answer_is_refused_or_can_be_checked(at in 4_usize..120, flip in 1_u8..) {
            let mut bytes = FromWorker::Answer(answer_with_roles()).encode().unwrap();
            let at = at % (bytes.len() - 4) + 4;
            bytes[at] ^= flip;
            if let Ok(FromWorker::Answer(mut out)) = FromWorker::decode(&bytes[4..]) {
                let texts = vec!["论点"; out.rows()];
                let _ = out.fail_broken_rows(|row| texts[row]);
            }
        }
    }
}
