//! Any text as a `plugin.toml`.

use std::path::Path;

use lundian_host::Manifest;

/// Whatever is accepted names a library beside the manifest, and files within the plugin's folder.
pub fn run(data: &[u8]) {
    let Some(source) = crate::text(data) else { return };
    let path = Path::new("plugin.toml");
    match Manifest::parse(source, path) {
        Ok(manifest) => {
            let file = manifest.library_file();
            assert_eq!(Path::new(&file).file_name(), Some(file.as_ref()), "the library stands beside the manifest");
            let folder = Path::new("/plugins/x");
            for file in &manifest.files {
                let place = folder.join(file);
                let climbs = place.components().any(|c| matches!(c, std::path::Component::ParentDir));
                assert!(place.starts_with(folder) && !climbs, "{file:?} leaves the plugin's folder");
            }
            let id = manifest.id.as_str();
            assert!(!id.is_empty() && id.bytes().all(|b| b == b'-' || b.is_ascii_digit() || b.is_ascii_lowercase()));
            if let Some(thresholds) = &manifest.thresholds {
                crate::assert_scores(&thresholds.resolve(&crate::TAXONOMY));
            }
            assert_eq!(Manifest::parse(source, path), Ok(manifest));
        }
        Err(error) => {
            let lines = source.split('\n').count();
            assert!(error.0.line.is_none_or(|line| (1..=lines).contains(&line)), "{error} is outside {lines} lines");
        }
    }
}
