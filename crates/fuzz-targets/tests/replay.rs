//! Every seed of the fuzzer, and every case that it ever found, through the function that it was found with.

use std::fs;
use std::path::{Path, PathBuf};

use lundian_fuzz_targets::TARGETS;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files in a folder of `fuzz/`, in order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|e| e.expect("a file of the folder").path()).collect();
    files.sort();
    files
}

#[test]
fn seeds_and_cases_keep_every_promise() {
    for target in TARGETS {
        let seeds = files(&fuzz().join("seeds").join(target.name));
        assert!(!seeds.is_empty(), "{} has no seeds", target.name);
        for path in seeds.into_iter().chain(files(&fuzz().join("cases").join(target.name))) {
            let input = fs::read(&path).unwrap();
            // The path is what somebody needs who sees this fail.
            let run = std::panic::catch_unwind(|| (target.run)(&input));
            assert!(run.is_ok(), "{} breaks a promise", path.display());
        }
    }
}

#[test]
fn every_target_has_a_binary_and_every_folder_a_target() {
    let names: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
    for name in &names {
        let binary = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap_or_default();
        assert!(binary.contains(&format!("lundian_fuzz_targets::{name}::run")), "{name} has no binary");
    }
    for folder in ["fuzz_targets", "seeds", "cases"] {
        for path in files(&fuzz().join(folder)) {
            let stem = path.file_stem().unwrap().to_string_lossy();
            assert!(names.contains(&&*stem), "{} belongs to no target", path.display());
        }
    }
}
