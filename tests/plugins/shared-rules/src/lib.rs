//! The bundled plugin `rules` as a shared library.
//!
//! The plugin's own cargo feature `export` does the same; a crate of its own keeps that feature out of the builds that
//! link the plugin in.

lundian_plugin::export!(lundian_rules::Rules, manifest = MANIFEST);

/// What the plugin says of itself.
pub const MANIFEST: &str = include_str!("../../../../plugins/rules/plugin.toml");
