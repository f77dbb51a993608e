//! Bytes to text: UTF-8, UTF-16 with a byte-order mark, GB18030, Big5.
//!
//! The decision that matters: Chinese files without a mark are told apart by what they say. Each encoding's reading is
//! scored by how many of its characters are among the commonest of Chinese; a wrong one gives rare characters.

use std::io::{self, Read};

use encoding_rs::{BIG5, Decoder, Encoding, GB18030, UTF_8, UTF_16BE, UTF_16LE};

/// How many bytes are looked at to find the encoding of a stream.
const SAMPLE: usize = 64 * 1024;

/// The commonest characters of running Chinese, in both scripts.
const COMMON: &str = "的一是在不了有和人这這中大为為上个個国國我以要他时時来來用们們生到作地于於出就分对對成会會可主发發年动動\
    同工也能下过過子说說产產种種面而方后後多定行学學法所民得经經十三之进進着著等部度家电電力里理起心与與其实實现現";

/// Why bytes could not be read as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// There are control bytes in it that no text has.
    #[error("this is not a text file")]
    Binary,
    /// It reads as none of the encodings.
    #[error("the encoding is none of UTF-8, UTF-16, GB18030 and Big5")]
    Unknown,
}

/// The text of `bytes`, without a byte-order mark. A few damaged characters become U+FFFD.
///
/// # Errors
/// [`DecodeError`] if it is no text, or in no encoding that is known here.
pub fn decode(bytes: &[u8]) -> Result<String, DecodeError> {
    let (encoding, mark) = detect(bytes)?;
    Ok(encoding.decode_without_bom_handling(&bytes[mark..]).0.into_owned())
}

/// The encoding of a text that begins with `bytes`, and the length of its byte-order mark.
fn detect(bytes: &[u8]) -> Result<(&'static Encoding, usize), DecodeError> {
    if let Some(found) = Encoding::for_bom(bytes) {
        return Ok(found);
    }
    if bytes.iter().take(SAMPLE).any(|b| matches!(b, 0..=8 | 14..=26 | 28..=31)) {
        return Err(DecodeError::Binary);
    }
    // A sample may end within a character, which is no sign of another encoding.
    match std::str::from_utf8(bytes) {
        Ok(_) => return Ok((UTF_8, 0)),
        Err(e) if e.error_len().is_none() && e.valid_up_to() > 0 => return Ok((UTF_8, 0)),
        Err(_) => {}
    }
    let sample = &bytes[..bytes.len().min(SAMPLE)];
    let (score, best) = [UTF_8, GB18030, BIG5]
        .into_iter()
        .map(|encoding| (likeness(&encoding.decode_without_bom_handling(sample).0), encoding))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .ok_or(DecodeError::Unknown)?;
    if score < 0.05 { Err(DecodeError::Unknown) } else { Ok((best, 0)) }
}

/// How much `text` looks like Chinese: the share of common characters among those beyond ASCII, less a penalty for
/// damaged ones.
fn likeness(text: &str) -> f64 {
    let (mut all, mut common, mut damaged) = (0.0, 0.0, 0.0);
    for c in text.chars().filter(|c| !c.is_ascii()) {
        all += 1.0;
        if c == char::REPLACEMENT_CHARACTER {
            damaged += 1.0;
        } else if COMMON.contains(c) {
            common += 1.0;
        }
    }
    if all == 0.0 { 0.0 } else { (common - 10.0 * damaged) / all }
}

/// A stream of bytes, read as UTF-8 whatever its encoding was.
pub(crate) struct Utf8Reader<R> {
    inner: R,
    /// `None` for UTF-8, which is passed through: damage is then reported line by line.
    decoder: Option<Decoder>,
    /// Bytes read from `inner` and not yet decoded.
    input: Vec<u8>,
    /// Decoded bytes not yet given out, from `given` on.
    output: Vec<u8>,
    given: usize,
    ended: bool,
}

impl<R: Read> Utf8Reader<R> {
    /// Looks at the first bytes of `inner` to find its encoding.
    pub(crate) fn new(mut inner: R) -> io::Result<Result<Self, DecodeError>> {
        let mut input = Vec::new();
        inner.by_ref().take(SAMPLE as u64).read_to_end(&mut input)?;
        Ok(detect(&input).map(|(encoding, mark)| {
            input.drain(..mark);
            let decoder = (encoding != UTF_8).then(|| encoding.new_decoder_without_bom_handling());
            debug_assert!(decoder.is_none() || [GB18030, BIG5, UTF_16BE, UTF_16LE].contains(&encoding));
            Self { inner, decoder, input, output: Vec::new(), given: 0, ended: false }
        }))
    }
}

impl<R: Read> Read for Utf8Reader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.given < self.output.len() {
                let n = buffer.len().min(self.output.len() - self.given);
                buffer[..n].copy_from_slice(&self.output[self.given..self.given + n]);
                self.given += n;
                return Ok(n);
            }
            if self.ended {
                return Ok(0);
            }
            (self.given, self.output) = (0, Vec::new());
            if self.input.is_empty() {
                self.inner.by_ref().take(SAMPLE as u64).read_to_end(&mut self.input)?;
            }
            self.ended = self.input.is_empty();
            match &mut self.decoder {
                None => std::mem::swap(&mut self.input, &mut self.output),
                Some(decoder) => {
                    let room = decoder.max_utf8_buffer_length(self.input.len()).unwrap_or(self.input.len() * 3 + 16);
                    let mut text = String::with_capacity(room);
                    let _ = decoder.decode_to_string(&self.input, &mut text, self.ended);
                    self.input.clear();
                    self.output = text.into_bytes();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIMPLIFIED: &str = "居民的收入跟不上，工厂造出来的东西就卖不出去。这不是某一个行业的问题，而是分配的问题。";
    const TRADITIONAL: &str = "居民的收入跟不上，工廠造出來的東西就賣不出去。這不是某一個行業的問題，而是分配的問題。";

    #[test]
    fn encodings_are_told_apart() {
        let utf16 = |text: &str, be: bool| -> Vec<u8> {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            units.flat_map(|u| if be { u.to_be_bytes() } else { u.to_le_bytes() }).collect()
        };
        for text in [SIMPLIFIED, TRADITIONAL, "两会之后，需求仍弱。", "需求不足的經濟", "plain ASCII"]
        {
            assert_eq!(decode(text.as_bytes()).unwrap(), text);
            assert_eq!(decode(format!("\u{feff}{text}").as_bytes()).unwrap(), text);
            assert_eq!(decode(&utf16(text, true)).unwrap(), text);
            assert_eq!(decode(&utf16(text, false)).unwrap(), text);
            assert_eq!(decode(&GB18030.encode(text).0).unwrap(), text);
        }
        for text in [TRADITIONAL, "需求不足的經濟", "政府不應該干預市場，這是我的看法。"] {
            assert_eq!(decode(&BIG5.encode(text).0).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        assert_eq!(decode(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), Err(DecodeError::Binary));
        assert_eq!(
            decode("déjà vu à la carte".chars().map(|c| c as u8).collect::<Vec<_>>().as_slice()),
            Err(DecodeError::Unknown)
        );
        assert_eq!(decode(b""), Ok(String::new()));
    }

    #[test]
    fn a_damaged_character_costs_only_itself() {
        let mut bytes = SIMPLIFIED.repeat(20).into_bytes();
        bytes[10] = 0xff;
        let text = decode(&bytes).unwrap();
        assert!(text.ends_with("分配的问题。") && text.contains('\u{fffd}'));
    }

    #[test]
    fn streams_read_as_utf8() {
        let long = SIMPLIFIED.repeat(3000);
        for bytes in [long.clone().into_bytes(), GB18030.encode(&long).0.into_owned()] {
            let mut read = String::new();
            Utf8Reader::new(bytes.as_slice()).unwrap().unwrap().read_to_string(&mut read).unwrap();
            assert_eq!(read, long);
        }
    }
}
