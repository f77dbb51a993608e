//! Taxonomies: families of theses, read from TOML.
//!
//! The default is embedded as a file like any other; nothing here, or anywhere else in code, names a thesis.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// The embedded default taxonomy, as TOML.
const CHINA_ECONOMY: &str = include_str!("../taxonomies/china-economy.toml");

/// A name in the languages of the program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Names {
    /// In Chinese.
    pub zh: String,
    /// In English.
    pub en: String,
}

/// A group of theses about one side of the economy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Family {
    /// Its name in files: lower-case ASCII letters, digits and hyphens.
    pub slug: String,
    /// Its name for readers.
    pub name: Names,
}

/// A proposition that a paragraph may argue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thesis {
    /// Its name in files: lower-case ASCII letters, digits and hyphens.
    pub slug: String,
    /// Slug of its family.
    pub family: String,
    /// Its name for readers.
    pub name: Names,
    /// The claim itself, in both languages.
    pub proposition: Names,
    /// What counts as arguing it.
    #[serde(default)]
    pub include: Vec<String>,
    /// What does not, and which thesis it belongs to.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// Sentences that argue it.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Sentences that look like it and do not.
    #[serde(default)]
    pub counterexamples: Vec<String>,
}

/// A checked set of theses in families. The order of the theses is the order of every score matrix.
#[derive(Clone, Debug, PartialEq)]
pub struct Taxonomy {
    raw: RawTaxonomy,
    by_slug: HashMap<String, usize>,
    family_of: Vec<usize>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTaxonomy {
    name: String,
    version: String,
    #[serde(default)]
    description: String,
    #[serde(default, rename = "family")]
    families: Vec<Family>,
    #[serde(default, rename = "thesis")]
    theses: Vec<Thesis>,
}

impl Taxonomy {
    /// Reads a taxonomy from TOML.
    ///
    /// # Errors
    /// What is wrong, with line and column where TOML gives them.
    pub fn from_toml(source: &str) -> Result<Self, TaxonomyError> {
        Self::check(toml::from_str(source).map_err(|e| TaxonomyError::Toml(e.to_string().trim_end().to_owned()))?)
    }

    /// Reads a taxonomy from the JSON that [`to_json`](Self::to_json) writes: how it crosses the plugin border.
    ///
    /// # Errors
    /// What is wrong.
    pub fn from_json(source: &str) -> Result<Self, TaxonomyError> {
        Self::check(serde_json::from_str(source).map_err(|e| TaxonomyError::Json(e.to_string()))?)
    }

    /// The taxonomy as one JSON object with the keys of the TOML form.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.raw).expect("a taxonomy holds only strings")
    }

    /// The default: debate about China's economy.
    pub fn china_economy() -> Self {
        Self::from_toml(CHINA_ECONOMY).expect("the embedded taxonomy is checked by a test")
    }

    fn check(raw: RawTaxonomy) -> Result<Self, TaxonomyError> {
        let mut families = HashMap::new();
        for (i, family) in raw.families.iter().enumerate() {
            check_slug(&family.slug)?;
            if families.insert(family.slug.as_str(), i).is_some() {
                return Err(TaxonomyError::Duplicate { what: "family", slug: family.slug.clone() });
            }
        }
        if raw.theses.is_empty() {
            return Err(TaxonomyError::Empty);
        }
        let mut by_slug = HashMap::new();
        let mut family_of = Vec::with_capacity(raw.theses.len());
        for (i, thesis) in raw.theses.iter().enumerate() {
            check_slug(&thesis.slug)?;
            if by_slug.insert(thesis.slug.clone(), i).is_some() {
                return Err(TaxonomyError::Duplicate { what: "thesis", slug: thesis.slug.clone() });
            }
            let family = families.get(thesis.family.as_str()).ok_or_else(|| TaxonomyError::UnknownFamily {
                thesis: thesis.slug.clone(),
                family: thesis.family.clone(),
            })?;
            family_of.push(*family);
        }
        Ok(Self { by_slug, family_of, raw })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.raw.name
    }

    /// Its version, as written.
    pub fn version(&self) -> &str {
        &self.raw.version
    }

    /// What it is about, in a sentence or two.
    pub fn description(&self) -> &str {
        &self.raw.description
    }

    /// The families, in order.
    pub fn families(&self) -> &[Family] {
        &self.raw.families
    }

    /// The theses, in the order of every score matrix.
    pub fn theses(&self) -> &[Thesis] {
        &self.raw.theses
    }

    /// Number of theses.
    pub fn len(&self) -> usize {
        self.raw.theses.len()
    }

    /// Always false: a taxonomy without theses is refused.
    pub fn is_empty(&self) -> bool {
        self.raw.theses.is_empty()
    }

    /// Index of the thesis `slug`.
    pub fn index(&self, slug: &str) -> Option<usize> {
        self.by_slug.get(slug).copied()
    }

    /// Index of the family of thesis number `thesis`.
    ///
    /// # Panics
    /// If `thesis` is not below [`len`](Self::len).
    pub fn family_of(&self, thesis: usize) -> usize {
        self.family_of[thesis]
    }

    /// The slug nearest to a misspelt one, for hints; `None` if nothing is near.
    pub fn nearest(&self, slug: &str) -> Option<&str> {
        let length = slug.chars().count();
        self.raw
            .theses
            .iter()
            // Words differ at least as much as their lengths do; a slug may be as long as the file that it stands in.
            .filter(|t| length.abs_diff(t.slug.len()) * 2 <= t.slug.len())
            .map(|t| (edit_distance(slug, &t.slug), t.slug.as_str()))
            .filter(|(d, s)| *d * 2 <= s.chars().count())
            .min()
            .map(|(_, s)| s)
    }
}

/// Levenshtein distance in characters.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &cb) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(ca != cb);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

fn check_slug(slug: &str) -> Result<(), TaxonomyError> {
    let fits = !slug.is_empty() && slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits { Ok(()) } else { Err(TaxonomyError::Slug(slug.to_owned())) }
}

/// Why a taxonomy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TaxonomyError {
    /// Not the TOML of a taxonomy; the message carries line and column.
    #[error("not a taxonomy: {0}")]
    Toml(String),
    /// Not the JSON of a taxonomy.
    #[error("not a taxonomy: {0}")]
    Json(String),
    /// A slug with characters that files should not have.
    #[error("slug {0:?}: use lower-case ASCII letters, digits and hyphens")]
    Slug(String),
    /// Two families or theses of one name.
    #[error("{what} {slug:?} is defined twice")]
    Duplicate {
        /// `family` or `thesis`.
        what: &'static str,
        /// The slug.
        slug: String,
    },
    /// A thesis in a family that is not defined.
    #[error("thesis {thesis:?} is in family {family:?}, which is not defined: add a [[family]] with that slug")]
    UnknownFamily {
        /// The thesis.
        thesis: String,
        /// The family that it names.
        family: String,
    },
    /// No thesis at all.
    #[error("there is no [[thesis]] in it")]
    Empty,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
name = "small"
version = "1"
[[family]]
slug = "f"
name = { zh = "族", en = "F" }
[[thesis]]
slug = "a-thesis"
family = "f"
name = { zh = "论点", en = "A" }
proposition = { zh = "甲", en = "A." }
"#;

    #[test]
    fn the_default_is_complete_in_both_languages() {
        let t = Taxonomy::china_economy();
        assert_eq!((t.families().len(), t.len()), (6, 22));
        for thesis in t.theses() {
            for names in [&thesis.name, &thesis.proposition] {
                assert!(!names.zh.is_empty() && !names.en.is_empty(), "{}", thesis.slug);
            }
            assert!(thesis.examples.len() >= 2 && !thesis.counterexamples.is_empty(), "{}", thesis.slug);
            assert!(!thesis.include.is_empty() && !thesis.exclude.is_empty(), "{}", thesis.slug);
        }
    }

    #[test]
    fn json_round_trip() {
        let t = Taxonomy::china_economy();
        assert_eq!(Taxonomy::from_json(&t.to_json()).unwrap(), t);
    }

    #[test]
    fn a_user_taxonomy_and_a_near_miss() {
        let t = Taxonomy::from_toml(SMALL).unwrap();
        assert_eq!(t.index("a-thesis"), Some(0));
        assert_eq!(t.nearest("a-theses"), Some("a-thesis"));
        assert_eq!(t.nearest("zzz"), None);
        assert_eq!(t.nearest(&"a".repeat(10_000_000)), None);
        assert_eq!(t.family_of(0), 0);
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let e = |s: &str| Taxonomy::from_toml(s).unwrap_err();
        assert!(matches!(e("name = 1"), TaxonomyError::Toml(m) if m.contains("line 1")));
        assert_eq!(e("name = \"x\"\nversion = \"1\""), TaxonomyError::Empty);
        assert!(matches!(e(&SMALL.replace("family = \"f\"", "family = \"g\"")), TaxonomyError::UnknownFamily { .. }));
        assert!(matches!(e(&SMALL.replace("a-thesis", "A thesis")), TaxonomyError::Slug(_)));
        let twice = format!("{SMALL}{}", &SMALL[SMALL.find("[[thesis]]").unwrap()..]);
        assert!(matches!(e(&twice), TaxonomyError::Duplicate { what: "thesis", .. }));
    }
}
