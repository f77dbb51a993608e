//! Plugins as shared libraries in this process: one in C, one in Rust, and every way in which one can be wrong.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod support;

use std::path::Path;

use keyword::Keyword;
use lundian_core::{Evidence, Output, Role, Setup, Thresholds};
use lundian_host::{Candidate, Found, HostError, MANIFEST_FILE, State, Trust, discover};
use lundian_plugin::Plugin as _;
use serde_json::{Value, json};
use support::{World, fixture};

const C_MANIFEST: &str = "format = 1\nid = 'ckeyword'\nversion = '1.0'\nabi = 1\n";
const KEYWORD_MANIFEST: &str = include_str!("../../../tests/plugins/keyword/plugin.toml");

#[test]
fn a_plugin_in_c_labels_by_keyword_with_evidence() {
    let world = World::new();
    let found = world.add(&world.plugin(C_MANIFEST, &world.c_plugin(&[])));
    assert_eq!(found.state, State::Usable, "{:?}", found.problem);
    let plugin = world.load(&found, &json!({ "thesis": "overcapacity", "keyword": "过剩" })).unwrap();
    let out = world.classify(&*plugin, &["产能过剩。", "", "天气"]).unwrap();
    let thesis = world.taxonomy.index("overcapacity").unwrap();
    assert_eq!([0, 1, 2].map(|row| out.row(row)[thesis]), [1.0, 0.0, 0.0]);
    assert_eq!(out.scores().iter().filter(|s| !s.is_nan()).count(), 3);
    assert_eq!(out.evidence, [Evidence { row: 0, thesis, range: 6..12, weight: 1.0 }]);
    assert_eq!(plugin.thresholds(), Thresholds::default());

    let wrong = world.load(&found, &json!({ "thesis": "nonsense" })).err().unwrap();
    assert_eq!(wrong, "plugin \"ckeyword\": wrong settings: thesis: not one of the taxonomy");
}

#[test]
fn a_plugin_in_c_gives_roles_and_one_of_abi_1_0_works_without() {
    let world = World::new();
    let settings = json!({ "thesis": "overcapacity", "keyword": "过剩" });
    let answer = |library: &[u8]| {
        let found = world.add(&world.plugin(C_MANIFEST, library));
        let plugin = world.load(&found, &settings).unwrap();
        world.classify(&*plugin, &["产能过剩。", "天气"]).unwrap()
    };
    let new = answer(&world.c_plugin(&["-DROLE=LUNDIAN_ROLE_REMEDY"]));
    assert_eq!([0, 1].map(|row| new.role(row).map(Role::likeliest)), [Some(Role::Remedy), None]);
    // With the header as it was then: a shorter LundianHost, and the minor number 0.
    let old = answer(&world.c_plugin_for("tests/plugins/c/abi-1.0", &[]));
    assert_eq!([0, 1].map(|row| old.role(row)), [None, None]);
    let bits = |out: &Output| out.scores().iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!((bits(&new), new.evidence), (bits(&old), old.evidence));
}

#[test]
fn a_rust_plugin_scores_the_same_linked_in_and_as_a_shared_library() {
    let world = World::new();
    let settings = json!({
        "keywords": { "overcapacity": ["产能", "过剩"], "weak-demand": ["消费"] },
        "roles": { "explanation": ["而"], "remedy": ["不足", "费"], "other": ["天"] },
    });
    let texts = ["产能过剩,过剩!", "消费不足而产能过剩", "", "天气\0😀", "消費"];
    let linked = Keyword::create(&Setup::new(&world.taxonomy, &settings)).unwrap();
    let here = world.classify(&linked, &texts).unwrap();
    let found = world.add(&world.plugin(KEYWORD_MANIFEST, &fixture("keyword")));
    let loaded = world.load(&found, &settings).unwrap();
    let there = world.classify(&*loaded, &texts).unwrap();
    let bits = |scores: &[f32]| scores.iter().map(|s| s.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(here.scores()), bits(there.scores()));
    assert_eq!(here.evidence, there.evidence);
    assert_eq!(here.evidence.len(), 6);
    assert_eq!(here.roles(), there.roles());
    assert_eq!(here.role(1), Some(&[1.0 / 3.0, 0.0, 2.0 / 3.0, 0.0]));
    assert_eq!(loaded.thresholds(), Thresholds::uniform(0.1));
    // Two instances of one library do not get in each other's way.
    let other = world.load(&found, &Value::Null).unwrap();
    assert!(world.classify(&*other, &texts).unwrap().scores().iter().all(|s| s.is_nan()));
    assert_eq!(bits(world.classify(&*loaded, &texts).unwrap().scores()), bits(there.scores()));
}

#[test]
fn thresholds_of_the_manifest_win() {
    let world = World::new();
    let manifest = format!("{KEYWORD_MANIFEST}\n[thresholds]\nglobal = 0.25\n");
    let found = world.add(&world.plugin(&manifest, &fixture("keyword")));
    assert_eq!(world.load(&found, &Value::Null).unwrap().thresholds().global, 0.25);
}

/// What the user reads when the C plugin, built with `flags` and described by `manifest`, is loaded.
fn refusal(manifest: &str, flags: &[&str]) -> String {
    let world = World::new();
    let found = world.add(&world.plugin(manifest, &world.c_plugin(flags)));
    assert_eq!(found.state, State::Usable, "{:?}", found.problem);
    let settings = json!({ "thesis": "overcapacity", "keyword": "过剩" });
    let error = world.load(&found, &settings).err().unwrap_or_default();
    error.replace(&world.path("").display().to_string(), "")
}

#[test]
fn every_wrong_library_has_its_own_message() {
    let path = "home/data/plugins/ckeyword/libckeyword.so";
    assert_eq!(
        refusal(C_MANIFEST, &["-DMAGIC=7"]),
        format!("{path}: its entry begins with 0x0000000000000007 instead of the magic number 0x004e4149444e554c")
    );
    assert_eq!(
        refusal(C_MANIFEST, &["-DMAJOR=2"]),
        format!("{path}: it was built for plugin ABI 2, this program speaks ABI 1: rebuild it")
    );
    assert_eq!(refusal(C_MANIFEST, &["-DSIZE=16"]), format!("{path}: its entry has 16 bytes, ABI 1.0 has 64"));
    assert_eq!(
        refusal(C_MANIFEST, &["-Dlundian_plugin=other"]),
        format!("{path}: a shared library, but not a plugin: it does not export `lundian_plugin`")
    );
    assert_eq!(refusal(C_MANIFEST, &["-DMINOR=9", "-DSIZE=4096"]), "", "a later minor is welcome");
    for (lie, key) in [
        (C_MANIFEST.replace("1.0", "2.0"), "version"),
        (format!("{C_MANIFEST}kind = 'rules'\n"), "kind"),
        (format!("{C_MANIFEST}theses = ['overcapacity']\n"), "theses"),
    ] {
        let message = refusal(&lie, &[]);
        assert!(message.starts_with(&format!("{path}: plugin.toml says `{key} = ")), "{message}");
    }
    let lie = C_MANIFEST.replace("ckeyword", "rules");
    let message = refusal(&lie, &[]);
    assert!(message.contains("plugin.toml says `id = rules`, the library itself says `id = ckeyword`"), "{message}");
}

#[test]
fn what_is_no_library_is_refused_before_the_loader_sees_it() {
    let world = World::new();
    let library = fixture("keyword");
    for (bytes, message) in [
        (&b"#!/bin/sh\n"[..], "not a shared library for this machine: it does not begin as ELF files do"),
        (&library[..library.len() / 2], "truncated: it has "),
        (&library[..20], "truncated: it has 20 bytes and should have 64 or more; copy or build it again"),
    ] {
        let found = world.add(&world.plugin(KEYWORD_MANIFEST, bytes));
        let error = world.load(&found, &Value::Null).err().unwrap();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn nothing_runs_without_trust_and_changed_bytes_are_refused() {
    let world = World::new();
    let dir = world.plugin(C_MANIFEST, &world.c_plugin(&[]));
    let settings = json!({ "thesis": "overcapacity", "keyword": "过剩" });
    let problem = |dir: &Path| {
        let found = Found::at(dir, &world.trust()).unwrap();
        let message = found.problem.as_ref().map(ToString::to_string).unwrap_or_default();
        // Loading says the same as listing.
        assert_eq!(world.load(&found, &settings).err().unwrap_or_default(), message);
        (found.state, message)
    };
    let (state, message) = problem(&dir);
    assert_eq!(state, State::Broken);
    assert!(message.ends_with(&format!("there is no sha256 in it: run `lundian plugin add {}`", dir.display())));

    // A folder can describe its library truly and still not be trusted.
    let hash = Candidate::at(&dir).unwrap().sha256;
    std::fs::write(dir.join(MANIFEST_FILE), format!("{C_MANIFEST}sha256 = '{hash}'\n")).unwrap();
    let (state, message) = problem(&dir);
    assert_eq!(state, State::Untrusted);
    assert!(message.contains("plugin \"ckeyword\" is not trusted"), "{message}");

    // Added where it lies, since it is in a folder that is searched.
    let mut trust = world.trust();
    let searched = [world.path("plugins")];
    assert_eq!(trust.add(&Candidate::at(&dir).unwrap(), &searched, &world.home).unwrap(), dir);
    assert_eq!(problem(&dir), (State::Usable, String::new()));

    let mut bytes = std::fs::read(dir.join("libckeyword.so")).unwrap();
    bytes.push(0);
    std::fs::write(dir.join("libckeyword.so"), &bytes).unwrap();
    let (state, message) = problem(&dir);
    assert_eq!(state, State::Changed);
    assert!(message.contains("its bytes have changed since plugin \"ckeyword\" was added"), "{message}");
    // Writing the new hash beside the new bytes does not help.
    let hash = Candidate::at(&dir).unwrap().sha256;
    std::fs::write(dir.join(MANIFEST_FILE), format!("{C_MANIFEST}sha256 = '{hash}'\n")).unwrap();
    assert_eq!(problem(&dir).0, State::Untrusted);

    trust.add(&Candidate::at(&dir).unwrap(), &searched, &world.home).unwrap();
    assert_eq!(problem(&dir).0, State::Usable);
    assert_eq!(world.trust().plugins().len(), 1, "one plugin, one entry");
    assert!(trust.remove("ckeyword", &world.home).unwrap());
    assert_eq!(problem(&dir).0, State::Untrusted);
    assert!(dir.is_dir(), "what was not installed is not deleted");
    assert!(!trust.remove("ckeyword", &world.home).unwrap());
}

#[test]
fn adding_copies_the_plugin_and_what_it_names() {
    let world = World::new();
    let manifest = format!("{C_MANIFEST}files = ['model', 'words.txt']\n");
    let dir = world.plugin(&manifest, &world.c_plugin(&[]));
    std::fs::create_dir(dir.join("model")).unwrap();
    for name in ["model/weights.bin", "words.txt", "secret.txt"] {
        std::fs::write(dir.join(name), name).unwrap();
    }
    let found = world.add(&dir.join("libckeyword.so"));
    assert_eq!(found.dir, world.home.plugins().canonicalize().unwrap().join("ckeyword"));
    assert_eq!(std::fs::read_to_string(found.dir.join("model/weights.bin")).unwrap(), "model/weights.bin");
    assert!(found.dir.join("words.txt").exists() && !found.dir.join("secret.txt").exists());
    assert_eq!(world.add(&dir).state, State::Usable, "again, over the first");
    assert!(world.trust().remove("ckeyword", &world.home).unwrap());
    assert!(!found.dir.exists());
    let mut trust = world.trust();
    assert!(!trust.remove("..", &world.home).unwrap() && !trust.remove("", &world.home).unwrap());

    // A library that cargo built is found below the folder of its plugin.toml.
    let built = dir.join("target/release");
    std::fs::create_dir_all(&built).unwrap();
    std::fs::rename(dir.join("libckeyword.so"), built.join("libckeyword.so")).unwrap();
    assert_eq!(world.add(&dir).state, State::Usable);
    assert_eq!(world.add(&built.join("libckeyword.so")).state, State::Usable);

    std::fs::remove_file(built.join("libckeyword.so")).unwrap();
    let error = Candidate::at(&dir).unwrap_err().to_string();
    assert!(error.contains("the library of plugin \"ckeyword\" is not there"), "{error}");
    assert!(matches!(Candidate::at(&world.path("")), Err(HostError::NoManifest { .. })));
}

#[cfg(unix)]
#[test]
fn what_other_users_can_write_to_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let open = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let world = World::new();
    let dir = world.plugin(C_MANIFEST, &world.c_plugin(&[]));
    let found = world.add(&dir);
    for name in ["", "libckeyword.so", MANIFEST_FILE] {
        for (dir, installed) in [(&dir, false), (&found.dir, true)] {
            let path = if name.is_empty() { dir.clone() } else { dir.join(name) };
            open(&path, 0o775);
            let message = if installed {
                let found = Found::at(dir, &world.trust()).unwrap();
                assert_eq!(found.state, State::Broken);
                world.load(&found, &Value::Null).err().unwrap()
            } else {
                Candidate::at(dir).unwrap_err().to_string()
            };
            assert_eq!(message, format!("{0}: other users can write to it: run `chmod go-w {0}`", path.display()));
            open(&path, 0o755);
        }
    }
    open(&world.home.trust_file(), 0o666);
    assert!(matches!(Trust::read(&world.home), Err(HostError::Writable { .. })));
    open(&world.home.trust_file(), 0o644);
    assert!(Trust::read(&world.home).is_ok());
    std::fs::write(world.home.trust_file(), "[[plugin]]\nid = 7\n").unwrap();
    assert!(Trust::read(&world.home).unwrap_err().to_string().contains("line 2"));
}

#[test]
fn discovery_lists_without_running_and_the_first_folder_wins() {
    let world = World::new();
    let dir = world.plugin(C_MANIFEST, b"no library at all");
    world.plugin(KEYWORD_MANIFEST, &fixture("keyword"));
    let second = world.path("second");
    std::fs::create_dir_all(second.join("again")).unwrap();
    std::fs::write(second.join("again").join(MANIFEST_FILE), C_MANIFEST).unwrap();
    std::fs::create_dir_all(second.join("bad")).unwrap();
    std::fs::write(second.join("bad").join(MANIFEST_FILE), "format = 1\nid =").unwrap();
    std::fs::create_dir_all(second.join("no plugin")).unwrap();

    let dirs = [world.path("plugins"), world.path("missing"), second, dir.clone()];
    let (found, messages) = discover(&dirs, &Trust::default());
    assert_eq!(found.iter().map(|f| f.manifest.id.as_str()).collect::<Vec<_>>(), ["ckeyword", "keyword"]);
    assert_eq!(found[0].dir, dir);
    let messages: Vec<String> = messages.iter().map(ToString::to_string).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages[0].contains(&format!("plugin \"ckeyword\" is hidden by {}", dir.display())));
    assert!(messages[1].contains("bad/plugin.toml:2:"), "{}", messages[1]);
}
