//! Any text as a `plugin.toml`.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use lundian_host::Manifest;

fuzz_target!(|source: &str| {
    if let Ok(manifest) = Manifest::parse(source, Path::new("plugin.toml")) {
        let file = manifest.library_file();
        assert_eq!(Path::new(&file).file_name(), Some(file.as_ref()), "the library stands beside the manifest");
    }
});
