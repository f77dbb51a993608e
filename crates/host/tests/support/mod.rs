//! What the tests of this crate share: a throw-away home, plugin folders, and a C compiler.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test program uses its own part, and may panic"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use lundian_core::{Batch, Classifier, ClassifierError, Output, Setup, Taxonomy, Unit};
use lundian_host::{Candidate, Found, Home, Isolation, Loader, MANIFEST_FILE, Trust};
use serde_json::Value;

/// A user's home, and folders to keep plugins in, gone at the end of the test.
pub struct World {
    dir: tempfile::TempDir,
    pub home: Home,
    pub taxonomy: Taxonomy,
}

impl World {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { home: Home::at(dir.path().join("home")), dir, taxonomy: Taxonomy::china_economy() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// A folder with a manifest and a library.
    pub fn plugin(&self, manifest: &str, library: &[u8]) -> PathBuf {
        let parsed = lundian_host::Manifest::parse(manifest, Path::new(MANIFEST_FILE)).unwrap();
        let dir = self.path("plugins").join(&parsed.id);
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join(MANIFEST_FILE), manifest).unwrap();
        std::fs::write(dir.join(parsed.library_file()), library).unwrap();
        dir
    }

    /// The C plugin, built with `flags`.
    pub fn c_plugin(&self, flags: &[&str]) -> Vec<u8> {
        self.c_plugin_for("crates/abi/include", flags)
    }

    /// The C plugin, built with `flags` and the header in a folder of the repository.
    pub fn c_plugin_for(&self, header: &str, flags: &[&str]) -> Vec<u8> {
        let library = self.path("built.so");
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
        let built = Command::new("cc")
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"])
            .arg(format!("-I{root}/{header}"))
            .args(flags)
            .arg(format!("{root}/tests/plugins/c/keyword.c"))
            .arg("-o")
            .arg(&library)
            .output()
            .expect("a C compiler named cc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        std::fs::read(library).unwrap()
    }

    /// Trusts the plugin at `path` and finds it where it is installed.
    pub fn add(&self, path: &Path) -> Found {
        let mut trust = self.trust();
        let dir = trust.add(&Candidate::at(path).unwrap(), &[], &self.home).unwrap();
        Found::at(&dir, &trust).unwrap()
    }

    pub fn trust(&self) -> Trust {
        Trust::read(&self.home).unwrap()
    }

    pub fn load(&self, found: &Found, settings: &Value) -> Result<std::sync::Arc<dyn Classifier>, String> {
        let loader = Loader::new(self.trust(), Isolation::InProcess);
        loader.load(found, &Setup::new(&self.taxonomy, settings)).map_err(|e| e.to_string())
    }

    pub fn classify(&self, plugin: &dyn Classifier, texts: &[&str]) -> Result<Output, ClassifierError> {
        let units: Vec<Unit<'_>> = texts.iter().map(|text| Unit { text, ..Unit::default() }).collect();
        let mut out = Output::new(units.len(), self.taxonomy.len());
        plugin.classify(&Batch::new(&units), &mut out)?;
        Ok(out)
    }
}

/// The fixture plugin `name`, which cargo built beside this test program.
pub fn fixture(name: &str) -> Vec<u8> {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    let beside = std::env::current_exe().unwrap();
    std::fs::read(beside.with_file_name(format!("{DLL_PREFIX}{name}{DLL_SUFFIX}"))).unwrap()
}
