//! `lundian plugin list | show | add | remove | check | new`

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::bail;
#[cfg(unix)]
use lundian_author::CheckOptions;
use lundian_author::dictionary::{Dictionary, Mapping};
use lundian_author::{Lang, ScaffoldOptions, find_checkout, scaffold, scaffold_dictionary};
use lundian_core::Taxonomy;
use lundian_host::{Candidate, Found, MANIFEST_FILE, Manifest, PublicKey};
use lundian_report::{Column, Table};
use lundian_rules::{Pack, Rules};

use crate::Outcome;
use crate::cli::Global;
use crate::config::Config;
use crate::output;
use crate::systems::{BUNDLED, Installed};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the plugins, without running any
    List,
    /// Show what a plugin says of itself, without running it
    Show {
        /// Name of the plugin
        name: String,
    },
    /// Show a plugin and allow its library, as it is now, to run
    Add {
        /// Folder of the plugin, or its library
        path: PathBuf,
        /// Add it only if this key of minisign signed the library: the key itself (RW...), or a file with it. The
        /// signature is the file LIBRARY.minisig beside the library. Later versions will need one by the same key
        #[arg(long, value_name = "PUBLIC_KEY")]
        signed_by: Option<String>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Forbid a plugin again, and delete its installed copy
    Remove {
        /// Name of the plugin
        name: String,
    },
    /// Check a plugin: the examples of rule packs, or what a plugin in a library promises
    Check(CheckArgs),
    /// Write the project of a new plugin
    New(NewArgs),
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// `rules` for the built-in packs, a rule pack (TOML), the name of a plugin that was added, or the folder or library
    /// of any plugin, which is run
    plugin: String,
    /// Run only this check (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Seed of the random check
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Run the random check again with the seed that it named
    #[arg(long, value_name = "SEED", conflicts_with_all = ["only", "seed"])]
    reproduce: Option<u64>,
    /// How to print the report
    #[arg(long, value_enum, default_value = "table")]
    format: CheckFormat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum CheckFormat {
    Table,
    Json,
}

#[derive(Debug, clap::Args)]
pub(crate) struct NewArgs {
    /// Name of the plugin: lower-case letters, digits and hyphens
    name: String,
    /// What to write it in
    #[arg(long, value_enum, default_value = "rust")]
    lang: NewLang,
    /// Folder to write to [default: the name]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Checkout of this program's repository that a Rust plugin is built against [default: the one that the program or
    /// the working directory lies in, if it does]
    #[arg(long, value_name = "PATH")]
    lundian: Option<PathBuf>,
    /// Make a rule pack of a dictionary: quanteda YAML, LIWC .dic, Lexicoder .lc3, WordStat .cat, Yoshikoder .ykd
    #[arg(long, value_name = "FILE", conflicts_with = "lang")]
    from: Option<PathBuf>,
    /// The thesis that a category of the dictionary speaks for; without one, none (repeatable)
    #[arg(long, value_name = "CATEGORY=THESIS", requires = "from")]
    map: Vec<String>,
    /// TOML file of such pairs; --map wins over it
    #[arg(long, value_name = "FILE", requires = "from")]
    map_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum NewLang {
    /// A crate
    Rust,
    /// C11 and a Makefile
    C,
    /// A rule pack: no code
    Rules,
}

impl From<NewLang> for Lang {
    fn from(lang: NewLang) -> Self {
        match lang {
            NewLang::Rust => Self::Rust,
            NewLang::C => Self::C,
            NewLang::Rules => Self::Rules,
        }
    }
}

pub(crate) fn run(command: &Command, global: &Global) -> anyhow::Result<Outcome> {
    match command {
        Command::List => list(global),
        Command::Show { name } => show(name, global),
        Command::Add { path, signed_by, yes } => add(path, signed_by.as_deref(), *yes, global),
        Command::Remove { name } => remove(name, global),
        Command::Check(args) => check(args, global),
        Command::New(args) => new(args, global),
    }
}

fn list(global: &Global) -> anyhow::Result<Outcome> {
    let installed = Installed::find(global)?;
    let mut table = Table::new(["plugin", "kind", "version", "state", "what it is"].map(Column::left).to_vec());
    for b in BUNDLED {
        let cells = [b.name, b.kind.as_str(), env!("CARGO_PKG_VERSION"), "built in", b.doc];
        table.row(cells.map(str::to_owned));
    }
    for Found { manifest: m, state, .. } in &installed.found {
        table.row([&m.id, m.kind.as_str(), &m.version, state.as_str(), &m.description].map(str::to_owned));
    }
    write!(std::io::stdout().lock(), "{table}")?;
    for (found, problem) in installed.found.iter().filter_map(|f| Some((f, f.problem.as_ref()?))) {
        output::say_warning(format_args!("{}: {problem}", found.manifest.id));
    }
    Ok(Outcome::Done)
}

fn show(name: &str, global: &Global) -> anyhow::Result<Outcome> {
    let mut out = std::io::stdout().lock();
    if let Some(b) = BUNDLED.iter().find(|b| b.name == name) {
        writeln!(out, "{} {} ({}), built in\n{}", b.name, env!("CARGO_PKG_VERSION"), b.kind.as_str(), b.doc)?;
        return Ok(Outcome::Done);
    }
    let installed = Installed::find(global)?;
    let Some(found) = installed.found.iter().find(|f| f.manifest.id == name) else {
        bail!("there is no plugin {name:?}; `lundian plugin list` names them");
    };
    let hash = found.sha256.as_deref().unwrap_or("cannot be read");
    let signer = found.sha256.as_deref().and_then(|hash| installed.trust.signer(hash));
    let signed = signer.map_or_else(|| "not checked".to_owned(), |key| format!("by {key}"));
    write!(out, "{}", description(&found.manifest, &found.library, hash, &signed))?;
    writeln!(out, "state    {}", found.state.as_str())?;
    if let Some(problem) = &found.problem {
        writeln!(out, "         {problem}")?;
    }
    Ok(Outcome::Done)
}

/// What there is to know of a plugin before it runs.
fn description(m: &Manifest, library: &Path, sha256: &str, signed: &str) -> String {
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    format!(
        "{} {} ({})\n{}\nlicence  {}\nlabels   {}\nreads    {}\nlibrary  {}\nsha256   {sha256}\nsigned   {signed}\n",
        m.id,
        m.version,
        m.kind.as_str(),
        or(m.description.clone(), "(no description)"),
        or(m.licence.clone(), "(not stated)"),
        or(m.theses.join(", "), "whatever the taxonomy holds"),
        or(m.languages.join(", "), "(not stated)"),
        library.display(),
    )
}

fn add(path: &Path, signed_by: Option<&str>, yes: bool, global: &Global) -> anyhow::Result<Outcome> {
    let mut installed = Installed::find(global)?;
    let key = signed_by.map(PublicKey::parse_or_read).transpose()?;
    let candidate = Candidate::at(path)?.with_signature_by(key);
    if BUNDLED.iter().any(|b| b.name == candidate.manifest.id) {
        bail!("{:?} is the name of a built-in plugin; give yours another id in plugin.toml", candidate.manifest.id);
    }
    let signed = match installed.trust.check_signature(&candidate)? {
        Some(key) => format!("by {key}"),
        None if candidate.signature().is_some() => "not checked: --signed-by PUBLIC_KEY checks it".to_owned(),
        None => "no".to_owned(),
    };
    let shown = description(&candidate.manifest, &candidate.library, &candidate.sha256, &signed);
    if !(yes && global.quiet) {
        write!(std::io::stderr().lock(), "{shown}")?;
    }
    if !yes {
        if !std::io::stdin().is_terminal() {
            bail!("a plugin is code that will run as you: say --yes to add it where nobody can be asked");
        }
        write!(std::io::stderr().lock(), "It is code that will run as you. Add it? [y/N] ")?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        if !matches!(answer.trim(), "y" | "Y" | "yes") {
            bail!("not added");
        }
    }
    let dir = installed.trust.add(&candidate, &installed.dirs, &installed.home)?;
    output::inform(global.quiet, format_args!("added; it lives in {}", dir.display()));
    Ok(Outcome::Done)
}

fn remove(name: &str, global: &Global) -> anyhow::Result<Outcome> {
    let mut installed = Installed::find(global)?;
    if !installed.trust.remove(name, &installed.home)? {
        bail!("there is no added plugin {name:?}; `lundian plugin list` names them");
    }
    output::inform(global.quiet, format_args!("removed {name}"));
    Ok(Outcome::Done)
}

fn check(args: &CheckArgs, global: &Global) -> anyhow::Result<Outcome> {
    let config = Config::load(global)?;
    let taxonomy = config.taxonomy(global)?;
    let path = Path::new(&args.plugin);
    if args.plugin == "rules" {
        let (packs, diagnostics) = lundian_rules::bundled(&taxonomy);
        report_check(&taxonomy, &packs, &diagnostics)
    } else if path.extension().is_some_and(|e| e == "toml") && path.file_name() != Some(MANIFEST_FILE.as_ref()) {
        let (pack, diagnostics) = Pack::read(path, &taxonomy);
        report_check(&taxonomy, &[pack], &diagnostics)
    } else if let Some(candidate) = installed(&args.plugin, global)? {
        check_library(&candidate, args, &config, &taxonomy)
    } else if path.exists() {
        check_library(&Candidate::at(path)?, args, &config, &taxonomy)
    } else if BUNDLED.iter().any(|b| b.name == args.plugin) {
        bail!("{:?} is built in: there is no library to check", args.plugin)
    } else {
        bail!("{:?} is neither `rules` nor a rule pack nor the name, folder or library of a plugin", args.plugin)
    }
}

/// The plugin of this name that may run, if there is one. It comes before a folder of that name: whoever means the plugin
/// that they trust must not run what lies in the working directory.
fn installed(name: &str, global: &Global) -> anyhow::Result<Option<Candidate>> {
    let path = Path::new(name);
    if path.file_name() != Some(name.as_ref()) {
        return Ok(None);
    }
    let Some(found) = Installed::find(global)?.found.into_iter().find(|f| f.manifest.id == name) else {
        return Ok(None);
    };
    if path.exists() {
        output::say(format_args!("{name} is taken as the name of a plugin; for what lies here, say ./{name}"));
    }
    Ok(Some(Candidate::try_from(found)?))
}

#[cfg(unix)]
fn check_library(
    plugin: &Candidate,
    args: &CheckArgs,
    config: &Config,
    taxonomy: &Taxonomy,
) -> anyhow::Result<Outcome> {
    let settings = config.plugin_settings(&plugin.manifest.id)?;
    let worker = lundian_host::WorkerOptions::this_program([crate::systems::WORKER])?;
    let options = CheckOptions::default().with_seed(args.seed).reproducing(args.reproduce).only(args.only.clone());
    let mut out = std::io::stdout().lock();
    let report = lundian_author::check(plugin, taxonomy, &settings, worker, &options, |_| {})?;
    match args.format {
        CheckFormat::Json => writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?,
        CheckFormat::Table => write!(out, "{report}")?,
    }
    Ok(if report.passed { Outcome::Done } else { Outcome::CheckFailed })
}

#[cfg(not(unix))]
fn check_library(_: &Candidate, _: &CheckArgs, _: &Config, _: &Taxonomy) -> anyhow::Result<Outcome> {
    bail!("plugins in libraries can be checked on Unix only: each check needs a worker process")
}

fn new(args: &NewArgs, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let dir = args.dir.clone().unwrap_or_else(|| PathBuf::from(&args.name));
    let files = if let Some(path) = &args.from {
        let (dictionary, mut messages) = Dictionary::read(path)?;
        let mut mapping = Mapping::from_pairs(&args.map)?;
        if let Some(file) = &args.map_file {
            mapping = Mapping::read(file)?.with(mapping);
        }
        let (files, mut more) = scaffold_dictionary(&args.name, &dir, &dictionary, &mapping, &taxonomy)?;
        messages.append(&mut more);
        for message in &messages {
            output::say_diagnostic(message);
        }
        files
    } else {
        let here = [std::env::current_exe().ok(), std::env::current_dir().ok()];
        let checkout = args.lundian.clone().or_else(|| here.iter().flatten().find_map(|p| find_checkout(p)));
        scaffold(&args.name, args.lang.into(), &dir, &taxonomy, &ScaffoldOptions::default().with_lundian(checkout))?
    };
    for file in files {
        output::inform(global.quiet, format_args!("wrote {}", file.display()));
    }
    Ok(Outcome::Done)
}

/// Runs the examples of `packs` and says what came out wrong.
fn report_check(
    taxonomy: &Taxonomy,
    packs: &[Pack],
    diagnostics: &[lundian_core::Diagnostic],
) -> anyhow::Result<Outcome> {
    for diagnostic in diagnostics {
        output::say_diagnostic(diagnostic);
    }
    let rules = Rules::new(taxonomy, packs)?;
    let failures = rules.check();
    for failure in &failures {
        output::say_diagnostic(&failure.diagnostic());
    }
    let wrong = diagnostics.iter().filter(|d| d.error).count() + failures.len();
    writeln!(
        std::io::stdout().lock(),
        "{} rules in {} packs, {} literals: {}",
        rules.len(),
        packs.len(),
        rules.literals(),
        if wrong == 0 { "every example comes out as it says".to_owned() } else { format!("{wrong} problems") }
    )?;
    Ok(if wrong == 0 { Outcome::Done } else { Outcome::CheckFailed })
}
