//! `plugin.toml`: what a plugin is, without running it.
//!
//! The reading is strict: a misspelt key is an error with its line, since a plugin that silently lost its list of
//! theses would be worse than one that does not load.

use std::ops::Range;
use std::path::{Path, PathBuf};

use lundian_core::{Diagnostic, Kind, Thresholds};
use serde::Deserialize;

/// Name of the file.
pub const MANIFEST_FILE: &str = "plugin.toml";

/// The format that this program reads: the key `format` of the file.
const FORMAT: u32 = 1;

/// The description of a plugin.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Manifest {
    /// Format of the file; 1.
    pub format: u32,
    /// The name that users type: lower-case ASCII letters, digits and hyphens.
    pub id: String,
    /// Version of the plugin, as its author counts.
    pub version: String,
    /// What sort of method it is.
    #[serde(default = "plugin")]
    pub kind: Kind,
    /// The major number of the ABI that the library was built for.
    pub abi: u16,
    /// The library: a file name, or a name to which the system's prefix and suffix are added (`keyword` is
    /// `libkeyword.so` on Linux). The default is the id, with underscores for hyphens.
    #[serde(default)]
    pub library: Option<String>,
    /// Slugs of the theses that it can label; `*`, the default, means whatever the taxonomy holds.
    #[serde(default = "any")]
    pub theses: Vec<String>,
    /// Languages that it reads, as BCP 47 tags.
    #[serde(default)]
    pub languages: Vec<String>,
    /// Licence, as an SPDX expression.
    #[serde(default)]
    pub licence: String,
    /// What it does, in a sentence.
    #[serde(default)]
    pub description: String,
    /// Other files of the plugin, such as models: paths within its folder. They are copied when it is added.
    #[serde(default)]
    pub files: Vec<PathBuf>,
    /// Hash of the library's bytes, in hexadecimal. `lundian plugin add` writes it.
    #[serde(default)]
    pub sha256: Option<String>,
    /// The scores from which on its labels count; where absent, what the library reports.
    #[serde(default)]
    pub thresholds: Option<Thresholds>,
}

fn plugin() -> Kind {
    Kind::Plugin
}

fn any() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Why a manifest cannot be used, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ManifestError(pub Diagnostic);

impl Manifest {
    /// Reads a manifest; `path` is for messages.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn parse(source: &str, path: &Path) -> Result<Self, ManifestError> {
        let error = |at: Option<Range<usize>>, message: &str| {
            let mut d = Diagnostic::error(path.display().to_string(), message.trim_end());
            if let Some(before) = at.and_then(|at| source.get(..at.start)) {
                let line_start = before.rfind('\n').map_or(0, |i| i + 1);
                d = d.at_line(before.matches('\n').count() + 1).at_column(before[line_start..].chars().count() + 1);
            }
            d
        };
        let manifest: Self = toml::from_str(source).map_err(|e| ManifestError(error(e.span(), e.message())))?;
        // A key's value, for messages; the file parsed, so its keys stand at the start of lines.
        let at = |key: &str| {
            let is_key =
                |line: &str| line.trim_start().strip_prefix(key).is_some_and(|r| r.trim_start().starts_with('='));
            let mut start = 0;
            source.split_inclusive('\n').find_map(|line| {
                let here = start..start + line.len();
                start = here.end;
                is_key(line).then_some(here)
            })
        };
        let wrong = |key: &str, message: &str, hint: &str| {
            let d = error(at(key), message);
            Err(ManifestError(if hint.is_empty() { d } else { d.with_hint(hint) }))
        };
        if manifest.format != FORMAT {
            let message = format!("format {} of plugin.toml is not known to this version", manifest.format);
            return wrong("format", &message, "format = 1");
        }
        let named = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if manifest.id.is_empty() || !named(&manifest.id) {
            let hint = "use lower-case ASCII letters, digits and hyphens";
            return wrong("id", &format!("{:?} is no plugin id", manifest.id), hint);
        }
        if manifest.library.as_ref().is_some_and(|l| l.is_empty() || Path::new(l).file_name() != Some(l.as_ref())) {
            return wrong("library", "the library is not a plain file name", "it must stand beside plugin.toml");
        }
        if let Some(t) = manifest.theses.iter().find(|t| *t != "*" && (t.is_empty() || !named(t))) {
            return wrong("theses", &format!("{t:?} is no slug of a thesis"), "\"*\" means all of the taxonomy");
        }
        let inside = |p: &PathBuf| p.components().all(|c| matches!(c, std::path::Component::Normal(_)));
        if let Some(file) = manifest.files.iter().find(|f| !inside(f) || f.as_os_str().is_empty()) {
            return wrong("files", &format!("{} is not within the plugin's folder", file.display()), "");
        }
        let hexadecimal =
            |h: &String| h.len() == 64 && h.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if manifest.sha256.as_ref().is_some_and(|h| !hexadecimal(h)) {
            return wrong("sha256", "sha256 is not 64 lower-case hexadecimal digits", "");
        }
        let thresholds = manifest.thresholds.iter().flat_map(|t| t.per_thesis.values().chain([&t.global]));
        if let Some(t) = thresholds.into_iter().find(|t| !(0.0..=1.0).contains(*t)) {
            return wrong("global", &format!("threshold {t} is outside [0, 1]"), "");
        }
        Ok(manifest)
    }

    /// True if it can label the thesis `slug`.
    pub fn can_label(&self, slug: &str) -> bool {
        self.theses.iter().any(|t| t == "*" || t == slug)
    }

    /// File name of the library on this system.
    pub fn library_file(&self) -> String {
        use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
        match &self.library {
            Some(name) if name.contains('.') => name.clone(),
            Some(name) => format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"),
            None => format!("{DLL_PREFIX}{}{DLL_SUFFIX}", self.id.replace('-', "_")),
        }
    }
}

/// `source` with the key `sha256` set, everything else as its author wrote it.
pub(crate) fn stamped(source: &str, sha256: &str) -> String {
    let is_hash =
        |line: &str| line.trim_start().strip_prefix("sha256").is_some_and(|r| r.trim_start().starts_with('='));
    let mut lines: Vec<&str> = source.lines().collect();
    // Keys of the file itself end where its first table begins.
    let end = lines.iter().position(|l| l.trim_start().starts_with('[')).unwrap_or(lines.len());
    let stamp = format!("sha256 = \"{sha256}\"");
    match lines[..end].iter().position(|l| is_hash(l)) {
        Some(i) => lines[i] = &stamp,
        None => {
            let last_key = lines[..end].iter().rposition(|l| !l.trim().is_empty()).map_or(0, |i| i + 1);
            lines.insert(last_key, &stamp);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "format = 1\nid = \"two-words\"\nversion = \"0.1.0\"\nabi = 1\n";

    fn parse(source: &str) -> Result<Manifest, String> {
        Manifest::parse(source, Path::new("p/plugin.toml")).map_err(|e| e.to_string())
    }

    #[test]
    fn a_short_manifest_has_defaults() {
        let m = parse(GOOD).unwrap();
        assert_eq!((m.kind, m.can_label("anything"), m.sha256.as_deref()), (Kind::Plugin, true, None));
        let name = |library: &str| parse(&format!("{GOOD}library = \"{library}\"")).unwrap().library_file();
        assert_eq!(name("x.bin"), "x.bin");
        if cfg!(target_os = "linux") {
            assert_eq!(m.library_file(), "libtwo_words.so");
            assert_eq!(name("other"), "libother.so");
        }
    }

    #[test]
    fn errors_name_the_place() {
        for (from, to, error) in [
            (
                "format = 1",
                "format = 2",
                "p/plugin.toml:1:1: format 2 of plugin.toml is not known to this version (format = 1)",
            ),
            (
                "two-words",
                "Two Words",
                "p/plugin.toml:2:1: \"Two Words\" is no plugin id (use lower-case ASCII letters, digits and hyphens)",
            ),
            ("abi = 1", "abi = \"x\"", "p/plugin.toml:4:7: invalid type: string \"x\", expected u16"),
            (
                "abi = 1",
                "abi = 1\nlibrary = \"../x.so\"",
                "p/plugin.toml:5:1: the library is not a plain file name (it must stand beside plugin.toml)",
            ),
            (
                "abi = 1",
                "abi = 1\nfiles = [\"m\", \"../x\"]",
                "p/plugin.toml:5:1: ../x is not within the plugin's folder",
            ),
            (
                "abi = 1",
                "abi = 1\nsha256 = \"12\"",
                "p/plugin.toml:5:1: sha256 is not 64 lower-case hexadecimal digits",
            ),
            ("abi = 1", "abi = 1\n[thresholds]\nglobal = 1.5", "p/plugin.toml:6:1: threshold 1.5 is outside [0, 1]"),
        ] {
            assert_eq!(parse(&GOOD.replace(from, to)).unwrap_err(), error);
        }
        assert!(
            parse(&GOOD.replace("version", "verison"))
                .unwrap_err()
                .starts_with("p/plugin.toml:3:1: unknown field `verison`")
        );
        assert!(parse("format = 1\nid = \"a").unwrap_err().starts_with("p/plugin.toml:2:"));
    }

    #[test]
    fn stamping_keeps_what_the_author_wrote() {
        let hash = "0".repeat(64);
        let source = format!("# mine\n{GOOD}\n[thresholds]\nglobal = 0.5\n");
        let once = stamped(&source, &hash);
        assert_eq!(once, source.replace("abi = 1\n", &format!("abi = 1\nsha256 = \"{hash}\"\n")));
        assert_eq!(parse(&once).unwrap().sha256, Some(hash));
        let other = "1".repeat(64);
        assert_eq!(parse(&stamped(&once, &other)).unwrap().sha256, Some(other));
    }
}
