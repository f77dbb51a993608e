//! Which thesis a category of a dictionary speaks for.

use std::collections::BTreeMap;
use std::path::Path;

use lundian_core::Taxonomy;

use super::{Category, Dictionary};

/// Theses by category, as the user gives them. A category is named by its path (`policy.fiscal`) or its last name
/// (`fiscal`), in upper or lower case; categories within it go with it unless they are mapped themselves. Where nothing
/// is given, a category goes to the thesis that has its name: as slug, in Chinese or in English.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mapping(BTreeMap<String, String>);

/// Why a mapping cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// Not `category=thesis`.
    #[error("{0:?} is no mapping: write category=thesis")]
    Pair(String),
    /// The file is not TOML with a text for each category.
    #[error("{path}: {message}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, with its line.
        message: String,
    },
    /// The thesis is not in the taxonomy.
    #[error("category {category:?} is mapped to {thesis:?}, which is no thesis{}", hint.as_ref().map_or_else(|| ": `lundian thesis list` prints them".to_owned(), |h| format!("; do you mean {h:?}?")))]
    Thesis {
        /// The category.
        category: String,
        /// The thesis named.
        thesis: String,
        /// The nearest one.
        hint: Option<String>,
    },
    /// The category is not in the dictionary.
    #[error("the dictionary has no category {category:?}: it has {}", known.join(", "))]
    Category {
        /// The category named.
        category: String,
        /// The first categories that there are.
        known: Vec<String>,
    },
}

impl Mapping {
    /// Reads pairs `category=thesis`; an empty thesis leaves the category out.
    ///
    /// # Errors
    /// [`MappingError::Pair`].
    pub fn from_pairs<S: AsRef<str>>(pairs: impl IntoIterator<Item = S>) -> Result<Self, MappingError> {
        let mut map = Self::default();
        for pair in pairs {
            let pair = pair.as_ref();
            match pair.rsplit_once('=') {
                Some((category, thesis)) if !category.trim().is_empty() => map.insert(category, thesis),
                _ => return Err(MappingError::Pair(pair.to_owned())),
            }
        }
        Ok(map)
    }

    /// Reads a TOML file of lines `category = "thesis"`.
    ///
    /// # Errors
    /// [`MappingError::File`].
    pub fn read(path: &Path) -> Result<Self, MappingError> {
        let error = |message: String| MappingError::File { path: path.display().to_string(), message };
        let source = std::fs::read_to_string(path).map_err(|e| error(e.to_string()))?;
        let pairs: BTreeMap<String, String> =
            toml::from_str(&source).map_err(|e| error(e.to_string().trim_end().to_owned()))?;
        let mut map = Self::default();
        pairs.iter().for_each(|(category, thesis)| map.insert(category, thesis));
        Ok(map)
    }

    /// The same mapping with the pairs of `other`, which win.
    #[must_use]
    pub fn with(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    fn insert(&mut self, category: &str, thesis: &str) {
        self.0.insert(category.trim().to_lowercase(), thesis.trim().to_owned());
    }

    /// By category of the dictionary: index of its thesis.
    ///
    /// # Errors
    /// When the mapping names a category or a thesis that there is not.
    pub(super) fn resolve(
        &self,
        dictionary: &Dictionary,
        taxonomy: &Taxonomy,
    ) -> Result<Vec<Option<usize>>, MappingError> {
        for (category, thesis) in &self.0 {
            if !thesis.is_empty() && taxonomy.index(thesis).is_none() {
                let hint = taxonomy.nearest(thesis).map(str::to_owned);
                return Err(MappingError::Thesis { category: category.clone(), thesis: thesis.clone(), hint });
            }
            let names = |c: &Category| c.path().to_lowercase() == *category || last(c).to_lowercase() == *category;
            if !dictionary.categories.iter().any(names) {
                let known = dictionary.categories.iter().take(10).map(Category::path).collect();
                return Err(MappingError::Category { category: category.clone(), known });
            }
        }
        Ok(dictionary.categories.iter().map(|category| self.thesis(category, taxonomy)).collect())
    }

    fn thesis(&self, category: &Category, taxonomy: &Taxonomy) -> Option<usize> {
        let outwards = || (1..=category.names.len()).rev().map(|n| &category.names[..n]);
        let given = outwards().find_map(|names| {
            let name = names.last()?.to_lowercase();
            self.0.get(&names.join(".").to_lowercase()).or_else(|| self.0.get(&name))
        });
        match given {
            Some(thesis) => taxonomy.index(thesis),
            None => outwards().find_map(|names| by_name(names.last()?, taxonomy)),
        }
    }
}

fn last(category: &Category) -> &str {
    category.names.last().map_or("", String::as_str)
}

fn by_name(name: &str, taxonomy: &Taxonomy) -> Option<usize> {
    let slug: Vec<String> =
        name.to_lowercase().split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).map(Into::into).collect();
    let (slug, zh) = (slug.join("-"), lundian_text::normalise(name));
    let same = |t: &lundian_core::Thesis| {
        t.slug == slug || lundian_text::normalise(&t.name.zh) == zh || t.name.en.to_lowercase() == name.to_lowercase()
    };
    taxonomy.theses().iter().position(same)
}
