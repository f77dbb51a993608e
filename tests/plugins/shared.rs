//! What the tests of the bundled plugins as shared libraries have in common.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
use std::path::Path;

use lundian_core::{Batch, Classifier, Output, Setup, Taxonomy, Unit};
use lundian_host::{Candidate, Found, Home, Isolation, Loader, Trust};
use lundian_plugin::Plugin;
use serde_json::Value;

/// Compares the plugin `P` with the shared library `library`, which cargo built from it beside the test program.
pub(crate) fn assert_same<P: Plugin>(library: &str, manifest: &str) {
    let dir = tempfile::tempdir().unwrap();
    let file = format!("{DLL_PREFIX}{library}{DLL_SUFFIX}");
    std::fs::copy(std::env::current_exe().unwrap().with_file_name(&file), dir.path().join(&file)).unwrap();
    let manifest: String = manifest.lines().filter(|l| !l.starts_with("library")).map(|l| format!("{l}\n")).collect();
    std::fs::write(dir.path().join("plugin.toml"), format!("library = \"{library}\"\n{manifest}")).unwrap();
    let (home, mut trust) = (Home::at(dir.path().join("home")), Trust::default());
    let installed = trust.add(&Candidate::at(dir.path()).unwrap(), &[], &home).unwrap();
    let found = Found::at(&installed, &trust).unwrap();

    let (taxonomy, settings) = (Taxonomy::china_economy(), Value::Null);
    let setup = Setup::new(&taxonomy, &settings);
    let linked = P::create(&setup).unwrap();
    let loaded = Loader::new(trust, Isolation::InProcess).load(&found, &setup).unwrap();
    assert_eq!(linked.thresholds(), loaded.thresholds());

    let texts = texts(&taxonomy);
    let units: Vec<Unit<'_>> = texts
        .windows(2)
        .map(|pair| Unit { text: &pair[1], prev: &pair[0], heading: "经济", title: "题目" })
        .chain([Unit::default()])
        .collect();
    let answer = |plugin: &dyn Classifier| {
        let mut out = Output::new(units.len(), taxonomy.len());
        plugin.classify(&Batch::new(&units), &mut out).unwrap();
        let bits: Vec<u32> = out.scores().iter().map(|s| s.to_bits()).collect();
        (bits, out.evidence, out.failures)
    };
    let (here, there) = (answer(&linked), answer(&*loaded));
    assert!(here == there, "they differ");
    assert!(!here.1.is_empty(), "there is evidence to compare");
}

/// The taxonomy's own sentences, and the lines of the sample documents.
fn texts(taxonomy: &Taxonomy) -> Vec<String> {
    let mut texts: Vec<String> = taxonomy.theses().iter().flat_map(|t| t.examples.clone()).collect();
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data/documents");
    for entry in std::fs::read_dir(&data).unwrap() {
        // One of them is in another encoding: what comes of it is as good as any odd text.
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        texts.extend(String::from_utf8_lossy(&bytes).lines().map(str::to_owned));
    }
    assert!(texts.len() > 100, "{}: no sample documents", data.display());
    texts
}
