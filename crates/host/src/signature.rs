//! Who made a library: signatures of [minisign](https://jedisct1.github.io/minisign/), in a file beside it.
//!
//! The decision that matters: a signature never allows a library to run, it only narrows what the user may allow. It
//! covers the library's bytes and nothing else, so the hash in the user's list stays the one thing that counts when a
//! plugin is loaded.

use std::fmt;
use std::path::{Path, PathBuf};

use minisign_verify::{Error as Minisign, Signature};
use serde::{Deserialize, Serialize};

use crate::HostError;

/// The public key of somebody who makes plugins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey {
    base64: String,
    key: minisign_verify::PublicKey,
}

impl PublicKey {
    /// Reads a key as minisign prints it (56 characters of Base64, the first of them `RW`), or the file that holds it.
    ///
    /// # Errors
    /// [`HostError::PublicKey`], when it is neither.
    pub fn parse_or_read(key_or_file: &str) -> Result<Self, HostError> {
        if let Some(key) = Self::parse(key_or_file) {
            return Ok(key);
        }
        let error = |reason| HostError::PublicKey { key: key_or_file.to_owned(), reason };
        let text = std::fs::read_to_string(key_or_file).map_err(|e| error(e.to_string()))?;
        // The first line is a comment that nobody answers for.
        let key = text.lines().nth(1).and_then(Self::parse);
        key.ok_or_else(|| error("the second line of that file is none".to_owned()))
    }

    fn parse(base64: &str) -> Option<Self> {
        let base64 = base64.trim();
        let key = minisign_verify::PublicKey::from_base64(base64).ok()?;
        Some(Self { base64: base64.to_owned(), key })
    }

    /// Checks that the file `signature` holds a signature of `bytes` by this key.
    pub(crate) fn verify(&self, bytes: &[u8], signature: &Path) -> Result<(), SignatureError> {
        let path = || signature.to_owned();
        let text = std::fs::read_to_string(signature).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => SignatureError::Missing { path: path() },
            _ => SignatureError::Unreadable { path: path(), reason: error.to_string() },
        })?;
        let verified = Signature::decode(&text).and_then(|signature| self.key.verify(bytes, &signature, false));
        verified.map_err(|error| match error {
            Minisign::UnexpectedKeyId => SignatureError::OtherKey { path: path() },
            Minisign::InvalidSignature => SignatureError::OtherBytes { path: path() },
            Minisign::UnexpectedAlgorithm => SignatureError::Legacy { path: path() },
            other => SignatureError::Unreadable { path: path(), reason: other.to_string() },
        })
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base64)
    }
}

impl TryFrom<String> for PublicKey {
    type Error = String;

    fn try_from(base64: String) -> Result<Self, String> {
        Self::parse(&base64).ok_or_else(|| format!("{base64:?} is no public key of minisign"))
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.base64
    }
}

/// Where the signature of `library` is: beside it, with `.minisig` at the end.
pub(crate) fn signature_file(library: &Path) -> PathBuf {
    let mut path = library.as_os_str().to_owned();
    path.push(".minisig");
    path.into()
}

/// Why a library does not count as signed by a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is no signature.
    #[error("{} is not there", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is no signature.
    #[error("{} is no signature of minisign: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody else signed.
    #[error("{} was made with another key", path.display())]
    OtherKey {
        /// The signature.
        path: PathBuf,
    },
    /// The library, or the signature itself, is not as it was when it was signed.
    #[error("{} is not a signature of these bytes: the library is another than was signed", path.display())]
    OtherBytes {
        /// The signature.
        path: PathBuf,
    },
    /// The signature is of the kind that old versions of minisign made.
    #[error("{} was made without hashing first (`minisign -l`): it has to be made anew", path.display())]
    Legacy {
        /// The signature.
        path: PathBuf,
    },
    /// The user asks for another key than before.
    #[error("another key is asked for now: {asked}")]
    OtherKeyAsked {
        /// That key.
        asked: String,
    },
}
