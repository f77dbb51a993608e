//! Any text as a taxonomy, in TOML and in JSON.

use lundian_core::Taxonomy;

/// Whatever is accepted survives the plugin border, and its parts refer to each other.
pub fn run(data: &[u8]) {
    let Some(source) = crate::text(data) else { return };
    for read in [Taxonomy::from_toml(source), Taxonomy::from_json(source)] {
        let Ok(taxonomy) = read else { continue };
        assert!(!taxonomy.is_empty());
        for (i, thesis) in taxonomy.theses().iter().enumerate() {
            assert_eq!(taxonomy.index(&thesis.slug), Some(i));
            assert_eq!(taxonomy.families()[taxonomy.family_of(i)].slug, thesis.family);
            let misspelt = format!("{}x", thesis.slug);
            assert!(taxonomy.nearest(&misspelt).is_none_or(|near| taxonomy.index(near).is_some()));
        }
        assert_eq!(Taxonomy::from_json(&taxonomy.to_json()), Ok(taxonomy));
    }
}
