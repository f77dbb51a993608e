//! Any bytes as the two files of a linear model: `model.toml NUL weights.bin`.

use lundian_linear::{Linear, Model, sha256};
use lundian_plugin::{Batch, Classifier, Output, Unit};
use toml::{Table, Value};

/// Whatever is accepted reads back as it was written, and gives scores, and evidence within the paragraph.
pub fn run(data: &[u8]) {
    let (manifest, weights) = crate::parts(data);
    let Some(manifest) = crate::text(manifest).and_then(|m| stamped(m, weights)) else { return };
    let Ok(model) = Model::load(&manifest, weights) else { return };
    let files = model.to_files();
    let again = Model::load(&files.0, &files.1).expect("own files");
    assert_eq!(again.to_files(), files);

    // The n-grams stand in the file as they are.
    let text = format!("产能过剩，需求不足，GDP。{}", String::from_utf8_lossy(weights));
    let units = [Unit { text: &text, prev: "产能过剩", heading: "需求", title: "" }, Unit::default()];
    let mut out = Output::new(units.len(), crate::TAXONOMY.len());
    let linear = Linear::new(model, &crate::TAXONOMY);
    linear.classify(&Batch::new(&units), &mut out).expect("nothing cancels");
    out.check(|row| units[row].text).expect("a broken promise");
    let known = |slug: &String| crate::TAXONOMY.index(slug);
    assert!(linear.model().theses().iter().filter_map(known).all(|thesis| !out.row(0)[thesis].is_nan()));
}

/// The manifest with the hash of these weights, which no fuzzer could guess.
fn stamped(manifest: &str, weights: &[u8]) -> Option<String> {
    let mut table: Table = manifest.parse().ok()?;
    if let Some(Value::Table(file)) = table.get_mut("weights") {
        file.insert("sha256".to_owned(), sha256(weights).into());
    }
    Some(table.to_string())
}
