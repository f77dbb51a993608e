//! Projects to start from: a plugin in Rust, a plugin in C, a rule pack.
//!
//! The decision that matters: what is written works before it is touched. The templates are whole files under
//! `templates/`, filled with a thesis of the user's own taxonomy, so that the first run labels a paragraph.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use lundian_core::{Diagnostic, Taxonomy, Thesis};
use lundian_rules::{Origin, Pack, Rules};

use crate::dictionary::{Dictionary, Mapping, PackError, PackOptions, pack_from_dictionary};
use crate::text::{is_slug, one_line, quoted};

/// Where the source of this program lives.
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");
/// Longest name; it becomes a file name.
const NAME_LENGTH: usize = 60;
/// Names that mean something else, by what they mean.
const RESERVED: &[(&str, &str)] = &[
    (
        "a word of Rust",
        "abstract as async await become box break const continue crate do dyn else enum extern false \
        final fn for gen if impl in let loop macro match mod move mut override priv pub ref return self \
        static struct super trait true try type typeof unsafe unsized use virtual where while yield",
    ),
    ("a crate of Rust's own, or a folder of cargo's", "alloc build core deps examples incremental proc-macro std test"),
    ("a device on Windows", "aux con nul prn"),
    ("a part of Lundian", "lundian lundian-abi lundian-core lundian-plugin lundian-rules rules linear transformer"),
];

/// What a project is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// A crate that depends on `lundian-plugin`.
    #[default]
    Rust,
    /// C11 and a Makefile.
    C,
    /// A rule pack: no code.
    Rules,
}

/// How a project is written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ScaffoldOptions {
    /// A checkout of this program's repository, in which a Rust project finds `lundian-plugin`. Without one the project
    /// names the repository itself, and cargo fetches it.
    pub lundian: Option<PathBuf>,
}

impl ScaffoldOptions {
    /// The same options with a checkout.
    #[must_use]
    pub fn with_lundian(mut self, checkout: Option<PathBuf>) -> Self {
        self.lundian = checkout;
        self
    }
}

/// Why no project was written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScaffoldError {
    /// The name is none of a plugin.
    #[error(
        "{0:?} is no name of a plugin: begin with a letter and use lower-case ASCII letters, digits and single hyphens, {NAME_LENGTH} at most"
    )]
    Name(String),
    /// The name means something else.
    #[error("{name:?} cannot be the name of a plugin, since it is {meaning}: try \"my-{name}\"")]
    Reserved {
        /// The name.
        name: String,
        /// What it means.
        meaning: &'static str,
    },
    /// A file of the project is there already.
    #[error("{}: it exists, and nothing is overwritten: choose another folder", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The folder that was named as a checkout is none.
    #[error("{}: no checkout of Lundian: there is no crates/plugin in it", path.display())]
    Checkout {
        /// The folder.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The dictionary makes no pack.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The names of the taxonomy make no rules.
    #[error("the names of the taxonomy's theses make no rules: {0}")]
    Taxonomy(String),
}

/// A file of a project: its path in the folder, and its text.
type Draft = (String, String);

/// Writes a project named `name` into the folder `dir`, which need not exist. It is about the first theses of
/// `taxonomy`. Returns the files that were written.
///
/// # Errors
/// When the name will not do, or a file exists or cannot be written. Nothing is ever overwritten.
pub fn scaffold(
    name: &str,
    lang: Lang,
    dir: &Path,
    taxonomy: &Taxonomy,
    options: &ScaffoldOptions,
) -> Result<Vec<PathBuf>, ScaffoldError> {
    check_name(name)?;
    let words = Words::new(name, taxonomy);
    let drafts = match lang {
        Lang::Rust => rust(&words, taxonomy, options)?,
        Lang::C => c(&words),
        Lang::Rules => rules(&words, taxonomy)?,
    };
    write(dir, drafts)
}

/// Writes a rule pack made from a dictionary, with what is needed to use it, into the folder `dir`. Returns the files that
/// were written, and messages about what of the dictionary was left out.
///
/// # Errors
/// As [`scaffold`] and [`pack_from_dictionary`].
pub fn scaffold_dictionary(
    name: &str,
    dir: &Path,
    dictionary: &Dictionary,
    mapping: &Mapping,
    taxonomy: &Taxonomy,
) -> Result<(Vec<PathBuf>, Vec<Diagnostic>), ScaffoldError> {
    check_name(name)?;
    let (pack, diagnostics) = pack_from_dictionary(dictionary, mapping, taxonomy, &PackOptions::new(name))?;
    let mut words = Words::new(name, taxonomy);
    words.set(
        "origin",
        format!(
            "- It was made from the {} dictionary `{}`. The terms are its authors': see what they allow.\n",
            dictionary.format,
            one_line(&dictionary.path)
        ),
    );
    // The sample should say what the pack knows.
    if let Some(term) = first_example(&pack) {
        words.set("sentence_plain", term);
    }
    Ok((write(dir, pack_project(&words, pack))?, diagnostics))
}

/// The checkout of this program's repository that `from` lies in, if it does.
pub fn find_checkout(from: &Path) -> Option<PathBuf> {
    let from = from.canonicalize().ok()?;
    from.ancestors().find(|dir| is_checkout(dir)).map(Path::to_owned)
}

fn is_checkout(dir: &Path) -> bool {
    let manifest = fs::read_to_string(dir.join("crates/plugin/Cargo.toml"));
    manifest.is_ok_and(|text| text.contains("name = \"lundian-plugin\""))
}

fn check_name(name: &str) -> Result<(), ScaffoldError> {
    let hyphens_join = !name.contains("--") && !name.ends_with('-');
    if !is_slug(name)
        || !name.starts_with(|c: char| c.is_ascii_lowercase())
        || !hyphens_join
        || name.len() > NAME_LENGTH
    {
        return Err(ScaffoldError::Name(name.to_owned()));
    }
    match RESERVED.iter().find(|(_, names)| names.split_whitespace().any(|n| n == name)) {
        Some((meaning, _)) => Err(ScaffoldError::Reserved { name: name.to_owned(), meaning }),
        None => Ok(()),
    }
}

fn rust(words: &Words, taxonomy: &Taxonomy, options: &ScaffoldOptions) -> Result<Vec<Draft>, ScaffoldError> {
    let mut words = words.clone();
    let (dependency, note) = match &options.lundian {
        Some(path) => {
            let checkout = path.canonicalize().ok().filter(|path| is_checkout(path));
            let checkout = checkout.ok_or_else(|| ScaffoldError::Checkout { path: path.clone() })?;
            let crate_dir = checkout.join("crates/plugin").display().to_string();
            let note = "It is a folder of this machine: for others, name the repository, `{ git = \"";
            (format!("{{ path = {} }}", quoted(&crate_dir)), format!("{note}{REPOSITORY}\" }}`."))
        }
        None => {
            let note =
                "If you have a checkout of that repository, name it instead: `{ path = \"CHECKOUT/crates/plugin\" }`.";
            (format!("{{ git = {} }}", quoted(REPOSITORY)), note.to_owned())
        }
    };
    words.set("dependency", dependency);
    words.set("dependency_note", note);
    let own = *taxonomy != Taxonomy::china_economy();
    let bench = if own {
        "let taxonomy = lundian_plugin::Taxonomy::from_json(include_str!(\"taxonomy.json\"));\n    \
         Bench { taxonomy: taxonomy.expect(\"it was written by lundian\"), ..Bench::default() }"
    } else {
        "Bench::default()"
    };
    words.set("bench", bench.to_owned());
    words.set("word", format!("{:?}", words.get("word_plain")));
    words.set("sentence", format!("{:?}", words.get("sentence_plain")));
    let mut drafts = words.fill(&[
        ("Cargo.toml", include_str!("../templates/rust/Cargo.toml.in")),
        ("plugin.toml", include_str!("../templates/plugin.toml.in")),
        ("src/lib.rs", include_str!("../templates/rust/lib.rs.in")),
        ("tests/plugin.rs", include_str!("../templates/rust/test.rs.in")),
        ("README.md", include_str!("../templates/rust/README.md.in")),
        ("rustfmt.toml", include_str!("../templates/rust/rustfmt.toml.in")),
        ("sample.md", include_str!("../templates/sample.md.in")),
        (".gitignore", "/target\n"),
    ]);
    if own {
        drafts.push(("tests/taxonomy.json".to_owned(), taxonomy.to_json()));
    }
    Ok(drafts)
}

fn c(words: &Words) -> Vec<Draft> {
    let mut words = words.clone();
    words.set("word", c_string(words.get("word_plain")));
    let mut drafts = words.fill(&[
        ("plugin.c", include_str!("../templates/c/plugin.c.in")),
        ("test.c", include_str!("../templates/c/test.c.in")),
        ("Makefile", include_str!("../templates/c/Makefile.in")),
        ("plugin.toml", include_str!("../templates/plugin.toml.in")),
        ("README.md", include_str!("../templates/c/README.md.in")),
        ("sample.md", include_str!("../templates/sample.md.in")),
        (".gitignore", "*.so\n*.dylib\nmanifest.h\nrun-tests\n"),
    ]);
    drafts.push(("lundian.h".to_owned(), lundian_abi::HEADER.to_owned()));
    drafts
}

fn rules(words: &Words, taxonomy: &Taxonomy) -> Result<Vec<Draft>, ScaffoldError> {
    let [(_, pack)] = &words.fill(&[("", include_str!("../templates/rules/pack.toml.in"))])[..] else {
        return Ok(Vec::new());
    };
    let (parsed, diagnostics) = Pack::parse("pack", pack, taxonomy, Origin::User);
    if let Some(d) = diagnostics.first() {
        return Err(ScaffoldError::Taxonomy(d.to_string()));
    }
    let rules = Rules::new(taxonomy, &[parsed]).map_err(|e| ScaffoldError::Taxonomy(e.to_string()))?;
    match rules.check().first() {
        Some(failure) => Err(ScaffoldError::Taxonomy(failure.to_string())),
        None => Ok(pack_project(words, pack.clone())),
    }
}

/// The files beside a pack.
fn pack_project(words: &Words, pack: String) -> Vec<Draft> {
    let mut drafts = words.fill(&[
        ("lundian.toml", include_str!("../templates/rules/lundian.toml.in")),
        ("README.md", include_str!("../templates/rules/README.md.in")),
        ("sample.md", include_str!("../templates/sample.md.in")),
    ]);
    drafts.insert(0, (format!("{}.toml", words.get("name")), pack));
    drafts
}

/// The first positive example of a pack.
fn first_example(pack: &str) -> Option<String> {
    let table: toml::Table = pack.parse().ok()?;
    let example = table.get("rule")?.get(0)?.get("positive")?.get(0)?;
    example.as_str().map(str::to_owned)
}

/// What stands in a template for `{{key}}`.
#[derive(Clone)]
struct Words(Vec<(&'static str, String)>);

impl Words {
    fn new(name: &str, taxonomy: &Taxonomy) -> Self {
        // A taxonomy has a thesis; perhaps only one.
        let theses = taxonomy.theses();
        let (first, second) = (&theses[0], &theses[1.min(theses.len() - 1)]);
        let (word, word2) = (spoken(first), spoken(second));
        let sentence = format!("有人说：{word}。");
        Self(vec![
            ("name", name.to_owned()),
            ("lib", name.replace('-', "_")),
            ("repository", REPOSITORY.to_owned()),
            ("abi", lundian_abi::ABI_MAJOR.to_string()),
            ("thesis", first.slug.clone()),
            ("thesis2", second.slug.clone()),
            ("word", quoted(&word)),
            ("word2", quoted(&word2)),
            ("sentence", quoted(&sentence)),
            ("argued", quoted(&format!("有人认为，{word2}。"))),
            ("denied", quoted(&format!("没有人认为{word2}。"))),
            ("sentence_plain", sentence),
            ("word_plain", word),
            ("origin", String::new()),
        ])
    }

    fn get(&self, key: &str) -> &str {
        self.0.iter().find(|(k, _)| *k == key).map_or("", |(_, value)| value)
    }

    fn set(&mut self, key: &'static str, value: String) {
        self.0.retain(|(k, _)| *k != key);
        self.0.push((key, value));
    }

    fn fill(&self, templates: &[(&str, &str)]) -> Vec<Draft> {
        templates.iter().map(|(path, template)| ((*path).to_owned(), self.filled(template))).collect()
    }

    /// `template` with its keys replaced, in one pass: what is put in is not looked at again.
    fn filled(&self, template: &str) -> String {
        let (mut out, mut rest) = (String::with_capacity(template.len()), template);
        while let Some((before, (key, after))) =
            rest.split_once("{{").and_then(|(before, rest)| Some((before, rest.split_once("}}")?)))
        {
            out.push_str(before);
            out.push_str(self.get(key));
            rest = after;
        }
        out + rest
    }
}

/// The name of a thesis, as somebody might say it: on one line, fit for quotation marks of any language.
fn spoken(thesis: &Thesis) -> String {
    let name = [&thesis.name.zh, &thesis.name.en, &thesis.slug].into_iter().find(|n| !n.trim().is_empty());
    name.map_or("", |n| n.trim()).chars().filter(|c| !c.is_control() && !matches!(c, '"' | '\\')).collect()
}

/// `text` as a string literal of C. It holds no control characters, quotation marks or backslashes.
fn c_string(text: &str) -> String {
    // `??` begins a trigraph.
    format!("\"{}\"", text.replace('?', "\\?"))
}

fn write(dir: &Path, drafts: Vec<Draft>) -> Result<Vec<PathBuf>, ScaffoldError> {
    let files: Vec<(PathBuf, String)> = drafts.into_iter().map(|(path, text)| (dir.join(path), text)).collect();
    if let Some((path, _)) = files.iter().find(|(path, _)| path.symlink_metadata().is_ok()) {
        return Err(ScaffoldError::Exists { path: path.clone() });
    }
    let mut written = Vec::with_capacity(files.len());
    for (path, text) in files {
        let create = || {
            if let Some(parent) = path.parent() {
                folder().create(parent)?;
            }
            file().open(&path)?.write_all(text.as_bytes())
        };
        create().map_err(|error| ScaffoldError::Io { path: path.clone(), error })?;
        written.push(path);
    }
    Ok(written)
}

/// How folders and files are made: so that nobody else can write to them, whatever the umask. A plugin that others can
/// write to is refused.
fn folder() -> fs::DirBuilder {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder
}

fn file() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    options
}
