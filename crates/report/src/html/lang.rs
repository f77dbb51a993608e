//! The words of the reports in the languages of their readers.

/// Language of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Chinese (Simplified).
    Zh,
}

/// Key, English, Chinese.
const WORDS: &[(&str, &str, &str)] = &[
    ("made-by", "Made by", "制作："),
    ("labelled", "Labelled paragraphs", "段落标注"),
    ("paragraphs", "paragraphs", "个段落"),
    ("argue", "argue a thesis", "个段落有论点"),
    ("by", "labels by", "标注依据"),
    ("systems", "systems", "方法"),
    ("filters", "Filters", "筛选"),
    ("all-documents", "All documents", "全部文档"),
    ("document", "Document", "文档"),
    ("search", "Search in text", "搜索文字"),
    ("min-score", "Lowest score", "最低分数"),
    ("only-labelled", "Only paragraphs with a label", "只看有论点的段落"),
    ("shown", "shown", "显示"),
    ("reset", "Reset", "重置"),
    ("share", "Share of paragraphs that argue each thesis", "各论点所占段落比例"),
    ("thesis", "Thesis", "论点"),
    ("all", "All", "合计"),
    ("together", "Argued together", "同段出现"),
    (
        "together-doc",
        "Paragraphs that argue both theses; the diagonal counts the thesis alone or with others.",
        "同时提出两个论点的段落数；对角线为该论点的段落总数。",
    ),
    ("quotations", "Best quotations", "代表性引文"),
    ("strip", "Where in the document", "在文中的分布"),
    ("failed", "failed", "失败"),
    ("duplicate", "repeats", "重复"),
    ("none", "No paragraph argues a thesis.", "没有段落提出论点。"),
    ("skip", "Skip to the text", "跳到正文"),
];

impl Lang {
    /// The BCP 47 code.
    pub fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-Hans",
        }
    }

    /// The word for `key`; the key itself if there is none, which a test forbids.
    pub(crate) fn t(self, key: &'static str) -> &'static str {
        WORDS.iter().find(|w| w.0 == key).map_or(key, |w| match self {
            Self::En => w.1,
            Self::Zh => w.2,
        })
    }

    /// The name in this language.
    pub(crate) fn name(self, names: &lundian_core::Names) -> &str {
        match self {
            Self::En => &names.en,
            Self::Zh => &names.zh,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::WORDS;

    #[test]
    fn every_word_that_is_used_is_there_once() {
        let sources = [include_str!("mod.rs"), include_str!("labels.rs")].concat();
        let mut used: Vec<&str> = sources.split("lang.t(\"").skip(1).filter_map(|s| s.split('"').next()).collect();
        used.retain(|k| !k.contains('{'));
        for key in &used {
            assert_eq!(WORDS.iter().filter(|w| w.0 == *key).count(), 1, "{key}");
        }
        for (key, ..) in WORDS {
            assert!(used.contains(key), "{key} is not used");
        }
    }
}
