//! `lundian plugin list | show | add | remove | check`

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::bail;
use lundian_core::Taxonomy;
use lundian_host::{Candidate, Found, Manifest};
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
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Forbid a plugin again, and delete its installed copy
    Remove {
        /// Name of the plugin
        name: String,
    },
    /// Run a plugin's own examples: `rules` for the built-in packs, or a pack file
    Check {
        /// `rules`, or the path of a rule pack (TOML)
        plugin: String,
    },
}

pub(crate) fn run(command: &Command, global: &Global) -> anyhow::Result<Outcome> {
    match command {
        Command::List => list(global),
        Command::Show { name } => show(name, global),
        Command::Add { path, yes } => add(path, *yes, global),
        Command::Remove { name } => remove(name, global),
        Command::Check { plugin } => check(plugin, global),
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
    write!(out, "{}", description(&found.manifest, &found.library, hash))?;
    writeln!(out, "state    {}", found.state.as_str())?;
    if let Some(problem) = &found.problem {
        writeln!(out, "         {problem}")?;
    }
    Ok(Outcome::Done)
}

/// What there is to know of a plugin before it runs.
fn description(m: &Manifest, library: &Path, sha256: &str) -> String {
    let or = |text: String, other: &str| if text.is_empty() { other.to_owned() } else { text };
    format!(
        "{} {} ({})\n{}\nlicence  {}\nlabels   {}\nreads    {}\nlibrary  {}\nsha256   {sha256}\n",
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

fn add(path: &Path, yes: bool, global: &Global) -> anyhow::Result<Outcome> {
    let mut installed = Installed::find(global)?;
    let candidate = Candidate::at(path)?;
    if BUNDLED.iter().any(|b| b.name == candidate.manifest.id) {
        bail!("{:?} is the name of a built-in plugin; give yours another id in plugin.toml", candidate.manifest.id);
    }
    let shown = description(&candidate.manifest, &candidate.library, &candidate.sha256);
    write!(std::io::stderr().lock(), "{shown}")?;
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
    output::say(format_args!("added; it lives in {}", dir.display()));
    Ok(Outcome::Done)
}

fn remove(name: &str, global: &Global) -> anyhow::Result<Outcome> {
    let mut installed = Installed::find(global)?;
    if !installed.trust.remove(name, &installed.home)? {
        bail!("there is no added plugin {name:?}; `lundian plugin list` names them");
    }
    output::say(format_args!("removed {name}"));
    Ok(Outcome::Done)
}

fn check(plugin: &str, global: &Global) -> anyhow::Result<Outcome> {
    let taxonomy = Config::load(global)?.taxonomy(global)?;
    let path = Path::new(plugin);
    if plugin == "rules" {
        let (packs, diagnostics) = lundian_rules::bundled(&taxonomy);
        report_check(&taxonomy, &packs, &diagnostics)
    } else if path.extension().is_some_and(|e| e == "toml") && path.is_file() {
        let (pack, diagnostics) = Pack::read(path, &taxonomy);
        report_check(&taxonomy, &[pack], &diagnostics)
    } else if BUNDLED.iter().any(|b| b.name == plugin) {
        bail!("plugin {plugin:?} has no examples to run; only `rules` and rule packs have")
    } else {
        bail!("{plugin:?} is neither `rules` nor a rule pack: give the path of a TOML file")
    }
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
