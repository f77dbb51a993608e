//! The guide for plugin authors keeps up with the tables that it repeats.

use lundian_author::dictionary::FORMATS;

const GUIDE: &str = include_str!("../../../docs/plugins.md");

#[cfg(unix)]
#[test]
fn it_lists_every_check() {
    for check in lundian_host::CHECKS {
        let row = format!("| `{}` | {} |", check.name, check.doc);
        assert!(GUIDE.contains(&row), "docs/plugins.md lacks the row\n{row}");
    }
}

#[test]
fn it_lists_every_format_of_dictionaries() {
    for ending in FORMATS.iter().flat_map(|f| f.endings) {
        assert!(GUIDE.contains(&format!("`.{ending}`")), "docs/plugins.md lacks the ending .{ending}");
    }
}
