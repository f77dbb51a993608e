//! Signatures: what is checked when a plugin is added, and that it stays so.
//!
//! The files of `tests/data/signed` were made with minisign 0.11; the secret keys are gone.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod support;

use std::path::{Path, PathBuf};

use lundian_host::{Candidate, Found, HostError, PublicKey, State, Trust};
use proptest::prelude::*;
use support::World;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/signed").join(name)
}

fn key(name: &str) -> PublicKey {
    PublicKey::parse_or_read(data(name).to_str().unwrap()).unwrap()
}

/// A folder with the plugin, its library `library`, and beside it the signature `signature`.
fn plugin(world: &World, library: &str, signature: Option<&str>) -> PathBuf {
    let manifest = std::fs::read_to_string(data("plugin.toml")).unwrap();
    let dir = world.plugin(&manifest, &std::fs::read(data(library)).unwrap());
    let beside = dir.join("signed.bin.minisig");
    match signature {
        Some(name) => drop(std::fs::copy(data(name), beside).unwrap()),
        None => drop(std::fs::remove_file(beside)),
    }
    dir
}

/// Adds the plugin in `dir` for a user who asks for a signature by `key`. Returns where it lives, or what the user reads.
fn add(world: &World, dir: &Path, key: Option<PublicKey>) -> Result<PathBuf, String> {
    let candidate = Candidate::at(dir).unwrap().with_signature_by(key);
    let added = world.trust().add(&candidate, &[], &world.home);
    added.map_err(|e| e.to_string().replace(&world.path("plugins").display().to_string(), ""))
}

#[test]
fn a_good_signature_is_recorded_with_its_key() {
    let world = World::new();
    let dir = plugin(&world, "signed.bin", Some("signed.bin.minisig"));
    let maker = key("maker.pub");
    let candidate = Candidate::at(&dir).unwrap();
    assert_eq!(world.trust().check_signature(&candidate).unwrap(), None, "nobody asked");
    assert_eq!(candidate.signature(), Some(dir.join("signed.bin.minisig")));

    let installed = add(&world, &dir, Some(maker.clone())).unwrap();
    let trust = world.trust();
    assert_eq!(trust.signer(&candidate.sha256), Some(&maker));
    assert_eq!(Found::at(&installed, &trust).unwrap().state, State::Usable);
    // Neither the key nor the folder that it came from is needed to add it again.
    add(&world, &installed, None).unwrap();
    assert_eq!(world.trust().signer(&candidate.sha256), Some(&maker));
}

#[test]
fn what_is_not_signed_as_asked_is_not_added() {
    let maker = "RWR6sbcdbGN6S0Vyk5yg+lKp3joaDHiE8/lzP3+NVL2JE/G613e92lU/";
    for (library, signature, why) in [
        ("signed.bin", None, "/signed/signed.bin.minisig is not there"),
        ("signed.bin", Some("other.minisig"), "/signed/signed.bin.minisig was made with another key"),
        (
            "later.bin",
            Some("signed.bin.minisig"),
            "/signed/signed.bin.minisig is not a signature of these bytes: the library is another than was signed",
        ),
        (
            "signed.bin",
            Some("legacy.minisig"),
            "/signed/signed.bin.minisig was made without hashing first (`minisign -l`): it has to be made anew",
        ),
        (
            "signed.bin",
            Some("maker.pub"),
            "/signed/signed.bin.minisig is no signature of minisign: Invalid encoding in minisign data",
        ),
    ] {
        let world = World::new();
        let dir = plugin(&world, library, signature);
        let error = add(&world, &dir, Some(key("maker.pub"))).unwrap_err();
        assert_eq!(error, format!("plugin \"signed\" is not signed by {maker}: {why}"));
        assert!(world.trust().plugins().is_empty() && !world.home.plugins().exists());
    }
}

#[test]
fn a_signed_plugin_is_replaced_only_by_what_the_same_key_signed() {
    let world = World::new();
    let signed = || plugin(&world, "signed.bin", Some("signed.bin.minisig"));
    add(&world, &signed(), Some(key("maker.pub"))).unwrap();
    let before = world.trust().plugins().to_vec();

    let refused = |dir: PathBuf, asked: Option<PublicKey>, why: &str| {
        let error = add(&world, &dir, asked).unwrap_err();
        for word in
            [&format!("was added as signed by {}", key("maker.pub")), why, "`lundian plugin remove signed` first"]
        {
            assert!(error.contains(word), "{word:?} is not in: {error}");
        }
        assert_eq!(world.trust().plugins(), before);
    };
    refused(plugin(&world, "later.bin", None), None, "signed.bin.minisig is not there");
    refused(plugin(&world, "signed.bin", None), None, "signed.bin.minisig is not there");
    refused(plugin(&world, "signed.bin", Some("other.minisig")), None, "was made with another key");
    refused(plugin(&world, "later.bin", Some("signed.bin.minisig")), None, "is not a signature of these bytes");
    let other = key("other.pub");
    let asked = format!("another key is asked for now: {other}");
    refused(plugin(&world, "signed.bin", Some("other.minisig")), Some(other.clone()), &asked);
    refused(signed(), Some(other.clone()), &asked);

    // A later version by the same maker.
    let later = plugin(&world, "later.bin", Some("later.bin.minisig"));
    add(&world, &later, None).unwrap();
    let sha256 = Candidate::at(&later).unwrap().sha256;
    assert_eq!((world.trust().plugins().len(), world.trust().signer(&sha256)), (1, Some(&key("maker.pub"))));

    // Removing it gives up the key.
    assert!(world.trust().remove("signed", &world.home).unwrap());
    add(&world, &plugin(&world, "signed.bin", Some("other.minisig")), Some(other)).unwrap();
    assert!(world.trust().remove("signed", &world.home).unwrap());
    add(&world, &plugin(&world, "later.bin", None), None).unwrap();
    assert_eq!(world.trust().plugins()[0].signed_by, None);
}

#[test]
fn keys_are_read_as_minisign_writes_them() {
    let maker = key("maker.pub");
    assert_eq!(PublicKey::parse_or_read(&maker.to_string()).unwrap(), maker);
    for (wrong, why) in [
        ("RWnonsense".to_owned(), "\"RWnonsense\" is no public key of minisign ("),
        (data("later.bin").to_str().unwrap().to_owned(), "the second line of that file is none"),
        (data("later.bin.minisig").to_str().unwrap().to_owned(), "the second line of that file is none"),
    ] {
        let error = PublicKey::parse_or_read(&wrong).unwrap_err();
        assert!(matches!(error, HostError::PublicKey { .. }) && error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_key_in_the_list_that_is_none_is_an_error_with_its_line() {
    let world = World::new();
    std::fs::create_dir_all(&world.home.config).unwrap();
    let entry = format!("[[plugin]]\nid = \"x\"\nversion = \"1\"\nsha256 = \"{}\"\n", "0".repeat(64));
    std::fs::write(world.home.trust_file(), &entry).unwrap();
    assert_eq!(world.trust().plugins()[0].signed_by, None, "lists from before there were signatures");
    std::fs::write(world.home.trust_file(), format!("{entry}signed_by = \"RWx\"\n")).unwrap();
    let error = Trust::read(&world.home).unwrap_err().to_string();
    assert!(error.contains("line 5") && error.contains("\"RWx\" is no public key of minisign"), "{error}");
}

proptest! {
    /// Whatever stands in the files, the answer is an answer.
    #[test]
    fn no_signature_or_key_panics(text in "\\PC{0,80}(\n\\PC{0,120}){0,4}", at in 0usize..96, byte in any::<u8>()) {
        let world = World::new();
        let dir = plugin(&world, "signed.bin", Some("signed.bin.minisig"));
        let beside = dir.join("signed.bin.minisig");
        // The second line is the signature, in Base64 of 100 characters; the last few of them have bits to spare.
        let mut damaged = std::fs::read(&beside).unwrap();
        let at = damaged.iter().position(|b| *b == b'\n').unwrap() + 1 + at;
        prop_assume!(damaged[at] != byte);
        damaged[at] = byte;
        for content in [text.as_bytes(), &damaged] {
            std::fs::write(&beside, content).unwrap();
            let added = add(&world, &dir, Some(key("maker.pub")));
            prop_assert!(added.is_err());
        }
        std::fs::write(dir.join("key"), &text).unwrap();
        prop_assert!(PublicKey::parse_or_read(dir.join("key").to_str().unwrap()).is_err());
    }
}
