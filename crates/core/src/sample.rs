//! Labelled samples: what evaluators score against and trainers learn from.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::Paragraph;

/// How a paragraph stands to a thesis that it brings up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stance {
    /// Argues or assumes it.
    #[default]
    Endorse,
    /// Argues against it.
    Reject,
    /// Relays that others hold it, and takes no side.
    Report,
}

impl Stance {
    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Endorse => "endorse",
            Self::Reject => "reject",
            Self::Report => "report",
        }
    }
}

/// What a paragraph does in its argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Says what is the case and why: diagnosis, cause, mechanism, prediction.
    Explanation,
    /// Gives data, a case, a story or a historical example.
    Evidence,
    /// Says what should be done.
    Remedy,
    /// Framing, transition, greeting, definition, promotion.
    Other,
}

impl Role {
    /// All of them, in the order of [`RoleScores`].
    pub const ALL: [Self; 4] = [Self::Explanation, Self::Evidence, Self::Remedy, Self::Other];

    /// The word used in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explanation => "explanation",
            Self::Evidence => "evidence",
            Self::Remedy => "remedy",
            Self::Other => "other",
        }
    }

    /// The role of that word; `None` for words that are none of ours.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == word)
    }

    /// The likeliest role of a paragraph; of equally likely ones the first.
    pub fn likeliest(scores: &RoleScores) -> Self {
        let mut best = 0;
        for (i, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = i;
            }
        }
        Self::ALL[best]
    }
}

/// How likely each role is, in the order of [`Role::ALL`]: in [0, 1], of sum 1.
pub type RoleScores = [f32; Role::ALL.len()];

/// One thesis that a labelled paragraph argues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Index of the thesis in the taxonomy.
    pub thesis: usize,
    /// How the paragraph stands to it.
    pub stance: Stance,
    /// The words that show it: bytes of the paragraph's text, on character boundaries; `None` if not recorded.
    pub evidence: Option<Range<usize>>,
}

/// One labelled paragraph. No labels is a real answer: it argues no thesis.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The paragraph; keys of the file without a meaning here are in its `extra`.
    pub paragraph: Paragraph,
    /// The theses that it argues, each at most once.
    pub labels: Vec<Label>,
    /// What the paragraph does (explanation, evidence, remedy, other); empty if not recorded.
    pub role: String,
    /// True if the labels could not be given without the context.
    pub needs_context: bool,
    /// Where several annotators labelled it: by annotator, the indices of the theses that each gave.
    pub annotators: BTreeMap<String, Vec<usize>>,
}

impl Sample {
    /// True if the paragraph argues thesis number `thesis`.
    pub fn argues(&self, thesis: usize) -> bool {
        self.labels.iter().any(|l| l.thesis == thesis)
    }

    /// What the paragraph does; `None` if that is not recorded, or in another word than ours.
    pub fn known_role(&self) -> Option<Role> {
        Role::from_word(&self.role)
    }

    /// The unit of resampling and of cross-fitting: the section where there is one, else the document, else the
    /// paragraph itself.
    pub fn cluster(&self) -> &str {
        let p = &self.paragraph;
        [&p.section, &p.doc].into_iter().find(|s| !s.is_empty()).unwrap_or(&p.id)
    }
}
