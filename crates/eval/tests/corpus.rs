//! Real label files, where they are at hand: they must read without a fault, and the agreement of their annotators
//! must be what is known of them.

#![allow(clippy::unwrap_used, clippy::print_stderr)] // A test fails by panicking, and says why it is skipped.

use std::path::{Path, PathBuf};

use lundian_core::{Sample, Taxonomy};
use lundian_eval::{Ratings, agreement, ceiling, read_gold};

/// Label files under `folder` of the corpus; none, with a word about it, where there is no corpus.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus").join(folder);
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("skipped: there is no {}", folder.display());
        return Vec::new();
    };
    let paths = entries.flatten().map(|e| e.path());
    paths.filter(|p| p.extension().is_some_and(|e| e == "jsonl")).collect()
}

#[test]
fn label_files_read_without_a_fault() {
    for path in files("gold").into_iter().chain(files("synthetic")) {
        let (samples, diagnostics) = read_gold(&path, &Taxonomy::china_economy());
        assert!(diagnostics.iter().all(|d| !d.error), "{diagnostics:?}");
        assert!(samples.len() > 300, "{}: {}", path.display(), samples.len());
    }
}

#[test]
fn annotators_agree_as_is_known() {
    let taxonomy = Taxonomy::china_economy();
    let samples: Vec<Sample> = files("gold").iter().flat_map(|p| read_gold(p, &taxonomy).0).collect();
    if samples.is_empty() {
        return;
    }
    let a = agreement(&Ratings::of_files(&[("gold", &samples)], taxonomy.len()), &taxonomy, 200, 0, 2);
    let ceiling = ceiling(&samples, taxonomy.len()).unwrap();
    let (alpha, pair) = (a.masi.alpha.unwrap(), &a.pairs[0]);
    eprintln!(
        "{} shared, MASI alpha {alpha:.3} {:?}, identical {:?}, any kappa {:?}, kappa {:?}, F1 {:.3} {:.3}",
        a.shared_units,
        a.masi.ci95,
        pair.identical_sets,
        pair.any_thesis.kappa,
        pair.all.kappa,
        ceiling.micro_f1,
        ceiling.macro_f1
    );
    assert!((0.87..0.93).contains(&alpha), "{alpha}");
    assert!((0.90..0.95).contains(&ceiling.micro_f1), "{}", ceiling.micro_f1);
    assert!((0.88..0.93).contains(&pair.identical_sets.unwrap()));
}
