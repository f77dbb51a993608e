//! Which libraries the user allows to run.
//!
//! Trust is in bytes, not in names or places: the file lists hashes of libraries. It stands in the user's own
//! configuration folder, and nothing else can allow a library to run. A plugin that was added with a signature is pinned
//! to its key: only what that key signs takes its place.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::discover::read_manifest;
use crate::manifest::stamped;
use crate::native::{check_hash, check_private, read_library, sha256_hex};
use crate::signature::signature_file;
use crate::{Found, Home, HostError, MANIFEST_FILE, Manifest, PublicKey, SignatureError};

const PREAMBLE: &str = "# Plugins that may run, by the hash of their library. Written by `lundian plugin add`.\n\n";

/// The list of libraries that may run.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    plugins: Vec<Trusted>,
}

/// One library that may run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trusted {
    /// Id of the plugin that it was added as.
    pub id: String,
    /// Version of that plugin.
    pub version: String,
    /// Hash of its bytes, in hexadecimal.
    pub sha256: String,
    /// The key that its signature was checked with when it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<PublicKey>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct TrustFile {
    #[serde(default, rename = "plugin")]
    plugins: Vec<Trusted>,
}

impl Trust {
    /// Reads the user's list; none is an empty one.
    ///
    /// # Errors
    /// When it cannot be read, is not such a list, or could be written by other users.
    pub fn read(home: &Home) -> Result<Self, HostError> {
        let path = home.trust_file();
        let source = match std::fs::read_to_string(&path) {
            Ok(source) => source,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(HostError::Io { path, error }),
        };
        check_private(&home.config)?;
        check_private(&path)?;
        let file: TrustFile = toml::from_str(&source)
            .map_err(|e| HostError::TrustFile { path, reason: e.to_string().trim_end().to_owned() })?;
        Ok(Self { plugins: file.plugins })
    }

    /// The libraries that may run.
    pub fn plugins(&self) -> &[Trusted] {
        &self.plugins
    }

    /// True if a library with this hash may run.
    pub fn allows(&self, sha256: &str) -> bool {
        self.plugins.iter().any(|p| p.sha256 == sha256)
    }

    /// The key that signed the library with this hash, if it may run and its signature was checked.
    pub fn signer(&self, sha256: &str) -> Option<&PublicKey> {
        self.plugins.iter().find(|p| p.sha256 == sha256)?.signed_by.as_ref()
    }

    /// Checks the signature of a library with the key that [the user asks for](Candidate::signed_by), or else the one
    /// that the plugin is pinned to. Returns that key; `None` if nobody asks for a signature.
    ///
    /// # Errors
    /// When there is no such signature, or the user asks for another key than the plugin is pinned to.
    pub fn check_signature(&self, candidate: &Candidate) -> Result<Option<PublicKey>, HostError> {
        self.signer_of(candidate, &candidate.read()?)
    }

    fn signer_of(&self, candidate: &Candidate, bytes: &[u8]) -> Result<Option<PublicKey>, HostError> {
        let id = &candidate.manifest.id;
        let pinned = self.plugins.iter().find(|p| p.id == *id).and_then(|p| p.signed_by.as_ref());
        let Some(key) = candidate.signed_by.as_ref().or(pinned) else {
            return Ok(None);
        };
        let checked = match pinned {
            Some(pinned) if pinned != key => Err(SignatureError::OtherKeyAsked { asked: key.to_string() }),
            _ => key.verify(bytes, &signature_file(&candidate.library)),
        };
        match (checked, pinned) {
            (Ok(()), _) => Ok(Some(key.clone())),
            (Err(error), Some(pinned)) => Err(HostError::Pinned { id: id.clone(), key: pinned.to_string(), error }),
            (Err(error), None) => Err(HostError::Signature { id: id.clone(), key: key.to_string(), error }),
        }
    }

    /// Installs a plugin and allows it to run, instead of whatever had its id before. One that lies in one of
    /// `searched` stays where it is; any other is copied into the user's data folder. Returns its folder.
    ///
    /// # Errors
    /// When something cannot be written, the library changed since the user looked at it, or it is not
    /// [signed](Self::check_signature) as it has to be.
    pub fn add(&mut self, candidate: &Candidate, searched: &[PathBuf], home: &Home) -> Result<PathBuf, HostError> {
        let bytes = candidate.read()?;
        let signed_by = self.signer_of(candidate, &bytes)?;
        let in_place = candidate.library.parent() == Some(&candidate.dir)
            && searched
                .iter()
                .filter_map(|d| d.canonicalize().ok())
                .any(|d| candidate.dir == d || candidate.dir.parent() == Some(&d));
        let dir =
            if in_place { candidate.dir.clone() } else { candidate.install(&bytes, signed_by.is_some(), home)? };
        let manifest_file = dir.join(MANIFEST_FILE);
        write_whole(&manifest_file, stamped(&candidate.source, &candidate.sha256).as_bytes())?;
        let Manifest { id, version, .. } = &candidate.manifest;
        self.plugins.retain(|p| p.id != *id);
        let (id, version, sha256) = (id.clone(), version.clone(), candidate.sha256.clone());
        self.plugins.push(Trusted { id, version, sha256, signed_by });
        self.write(home)?;
        Ok(dir)
    }

    /// Forbids the plugin `id`, and deletes its copy in the user's data folder, if there is one. False if it was
    /// neither allowed nor installed.
    ///
    /// # Errors
    /// When something cannot be written or deleted.
    pub fn remove(&mut self, id: &str, home: &Home) -> Result<bool, HostError> {
        let before = self.plugins.len();
        self.plugins.retain(|p| p.id != id);
        let known = self.plugins.len() < before;
        if known {
            self.write(home)?;
        }
        let copy = home.plugins().join(id);
        // An id from the command line must not lead out of the folder of plugins.
        let installed = Path::new(id).file_name() == Some(id.as_ref()) && copy.join(MANIFEST_FILE).is_file();
        if installed {
            std::fs::remove_dir_all(&copy).map_err(HostError::io(&copy))?;
        }
        Ok(known || installed)
    }

    fn write(&self, home: &Home) -> Result<(), HostError> {
        let path = home.trust_file();
        make_private_dir(&home.config)?;
        let file = TrustFile { plugins: self.plugins.clone() };
        let text =
            toml::to_string(&file).map_err(|e| HostError::TrustFile { path: path.clone(), reason: e.to_string() })?;
        write_whole(&path, format!("{PREAMBLE}{text}").as_bytes())
    }
}

/// A plugin that the user may want to add: what there is to see before it is trusted.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Candidate {
    /// What it says of itself.
    pub manifest: Manifest,
    /// Its folder, absolute.
    pub dir: PathBuf,
    /// Its library, absolute.
    pub library: PathBuf,
    /// Hash of the library's bytes, in hexadecimal.
    pub sha256: String,
    /// The key that the user wants its library to be signed with.
    pub signed_by: Option<PublicKey>,
    source: String,
}

impl TryFrom<Found> for Candidate {
    type Error = HostError;

    /// An installed plugin, as it is; the error is the [`problem`](Found::problem) of one that may not run.
    fn try_from(found: Found) -> Result<Self, HostError> {
        let Found { manifest, dir, library, sha256, problem, source, .. } = found;
        match (sha256, problem) {
            (_, Some(problem)) => Err(problem),
            (Some(sha256), None) => Ok(Self { manifest, dir, library, sha256, signed_by: None, source }),
            (None, None) => Err(HostError::NoLibrary { id: manifest.id, path: library }),
        }
    }
}

impl Candidate {
    /// Looks at the plugin at `path`: its folder, or its library. The library is looked for beside `plugin.toml`, and
    /// then where cargo puts it (`target/release`, `target/debug`); runs nothing.
    ///
    /// # Errors
    /// When there is no manifest or library, or other users could change them.
    pub fn at(path: &Path) -> Result<Self, HostError> {
        let path = path.canonicalize().map_err(HostError::io(path))?;
        let named_library = path.is_file() && path.file_name() != Some(MANIFEST_FILE.as_ref());
        let beside = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(&path) };
        // A library that cargo built stands two folders below its plugin.toml.
        let dir = beside.ancestors().take(3).find(|d| d.join(MANIFEST_FILE).is_file());
        let dir = match dir {
            Some(dir) if named_library || dir == beside => dir.to_owned(),
            _ => return Err(HostError::NoManifest { dir: beside.to_owned() }),
        };
        let (manifest, source) = read_manifest(&dir)?;
        let name = manifest.library_file();
        let library = if named_library {
            path
        } else {
            let places =
                [dir.join(&name), dir.join("target/release").join(&name), dir.join("target/debug").join(&name)];
            let [first, ..] = &places;
            places.iter().find(|p| p.is_file()).unwrap_or(first).clone()
        };
        for path in [&dir, &dir.join(MANIFEST_FILE), &library] {
            if path.exists() {
                check_private(path)?;
            }
        }
        let sha256 = sha256_hex(&read_library(&manifest.id, &library)?);
        Ok(Self { manifest, dir, library, sha256, signed_by: None, source })
    }

    /// The same plugin, which is to be added only if `key` signed its library.
    #[must_use]
    pub fn with_signature_by(mut self, key: Option<PublicKey>) -> Self {
        self.signed_by = key;
        self
    }

    /// The file with the signature of its library, if there is one: beside it, with `.minisig` at the end.
    pub fn signature(&self) -> Option<PathBuf> {
        Some(signature_file(&self.library)).filter(|path| path.is_file())
    }

    /// The bytes of its library, which must be those that were looked at.
    fn read(&self) -> Result<Vec<u8>, HostError> {
        let bytes = read_library(&self.manifest.id, &self.library)?;
        check_hash(&self.manifest.id, &self.library, &self.sha256, &sha256_hex(&bytes))?;
        Ok(bytes)
    }

    /// Text of its manifest.
    #[cfg(unix)]
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// Copies the plugin into the user's data folder, all but the manifest. A copy that was there is replaced.
    fn install(&self, library: &[u8], signed: bool, home: &Home) -> Result<PathBuf, HostError> {
        let plugins = home.plugins();
        make_private_dir(&plugins)?;
        let staged =
            tempfile::Builder::new().prefix(".adding-").tempdir_in(&plugins).map_err(HostError::io(&plugins))?;
        let mut names: BTreeSet<PathBuf> = BTreeSet::new();
        for file in &self.manifest.files {
            collect_files(&self.dir, file, &mut names)?;
        }
        for name in names {
            let (from, to) = (self.dir.join(&name), staged.path().join(&name));
            if let Some(parent) = to.parent() {
                make_private_dir(parent)?;
            }
            std::fs::copy(&from, &to).map_err(HostError::io(&from))?;
            make_private(&to, 0o644)?;
        }
        let copy = staged.path().join(self.manifest.library_file());
        write_whole(&copy, library)?;
        if signed {
            // So that it can be added again from where it is.
            let signature = signature_file(&self.library);
            let bytes = std::fs::read(&signature).map_err(HostError::io(&signature))?;
            write_whole(&signature_file(&copy), &bytes)?;
        }
        write_whole(&staged.path().join(MANIFEST_FILE), self.source.as_bytes())?;
        let dir = plugins.join(&self.manifest.id);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).map_err(HostError::io(&dir))?;
        }
        std::fs::rename(staged.path(), &dir).map_err(HostError::io(&dir))?;
        // The folder has moved away from where it would be deleted.
        let _ = staged.keep();
        make_private(&dir, 0o755)?;
        dir.canonicalize().map_err(HostError::io(&dir))
    }
}

/// The regular files at and below `root/name`, relative to `root`. Links are not followed out of the folder.
fn collect_files(root: &Path, name: &Path, names: &mut BTreeSet<PathBuf>) -> Result<(), HostError> {
    let path = root.join(name);
    let kind = std::fs::symlink_metadata(&path).map_err(HostError::io(&path))?.file_type();
    if kind.is_dir() {
        for entry in std::fs::read_dir(&path).map_err(HostError::io(&path))? {
            let entry = entry.map_err(HostError::io(&path))?;
            collect_files(root, &name.join(entry.file_name()), names)?;
        }
        return Ok(());
    }
    let real = path.canonicalize().map_err(HostError::io(&path))?;
    if !real.starts_with(root) || !real.is_file() {
        let error = std::io::Error::other("not a file within the plugin's folder");
        return Err(HostError::Io { path, error });
    }
    names.insert(name.to_owned());
    Ok(())
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), HostError> {
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        file.write_all(bytes)?;
        file.persist(path).map_err(|e| e.error)
    };
    write().map_err(HostError::io(path))?;
    make_private(path, 0o644)
}

fn make_private_dir(dir: &Path) -> Result<(), HostError> {
    if dir.is_dir() {
        return Ok(());
    }
    std::fs::create_dir_all(dir).map_err(HostError::io(dir))?;
    make_private(dir, 0o755)
}

/// Sets the mode, whatever the umask was.
fn make_private(path: &Path, mode: u32) -> Result<(), HostError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(HostError::io(path))?;
    }
    #[cfg(not(unix))]
    let _ = (path, mode);
    Ok(())
}
