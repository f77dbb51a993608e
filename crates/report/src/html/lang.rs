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
    ("only-labelled", "Labelled only", "只看有论点的"),
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
    ("role", "Role", "作用"),
    ("all-roles", "All", "全部"),
    ("roles", "roles", "段落作用"),
    ("role-explanation", "explanation", "解释"),
    ("role-evidence", "evidence", "论据"),
    ("role-remedy", "remedy", "对策"),
    ("role-other", "other", "其他"),
    ("failed", "failed", "失败"),
    ("duplicate", "repeats", "重复"),
    ("none", "No paragraph argues a thesis.", "没有段落提出论点。"),
    ("skip", "Skip to the text", "跳到正文"),
    ("theses", "Theses", "论点"),
    ("labels", "labels", "个标注"),
    ("paragraphs-head", "Paragraphs", "段落数"),
    ("labels-head", "Labels", "标注数"),
    ("documents", "documents", "个文档"),
    ("system", "System", "方法"),
    ("kind", "Kind", "类型"),
    ("kind-rules", "rules", "规则"),
    ("kind-linear", "linear model", "线性模型"),
    ("kind-transformer", "transformer", "Transformer"),
    ("kind-plugin", "plugin", "插件"),
    ("kind-aggregate", "aggregate", "综合"),
    ("kind-baseline", "baseline", "基线"),
    ("evaluation", "Evaluation", "评估"),
    ("skip-errors", "Skip to the errors", "跳到错误"),
    ("with-support", "theses with support", "个论点有样本"),
    ("intervals-from", "95 % intervals:", "95% 置信区间："),
    ("draws", "bootstrap draws", "次自助抽样"),
    ("clusters", "independent groups resampled:", "整群重抽样，群数："),
    ("seed", "seed", "随机种子"),
    ("how-good", "How good is each system?", "各方法的总体表现"),
    (
        "how-good-doc",
        "F1 runs from 0 to 1 and is high only if a system finds most of what people labelled (recall) and little else (precision); the whisker is the 95 % interval, how far off F1 may be because this is a sample and not everything ever written. Whether two systems differ is tested below.",
        "F1 介于 0 与 1 之间：既找得全（召回率）又找得准（精确率）时才高。横线为 95% 置信区间，即样本有限所带来的误差范围。两种方法是否有差异，见下文的检验。",
    ),
    ("training", "Training", "训练过程"),
    ("loss", "Loss on the samples, relative to its highest", "样本上的损失（相对于最高值）"),
    ("steps-done", "Share of all steps", "已完成步数的比例"),
    ("pass", "Pass", "轮次"),
    (
        "training-doc",
        "F1 is on the tuning samples, by which the best pass was chosen: on other text expect a little less.",
        "F1 在调参样本上计算，最佳轮次据此选出；在其他文本上会略低。",
    ),
    ("macro-f1", "Macro F1 (each thesis counts alike)", "宏平均 F1（各论点同等重要）"),
    ("micro-f1", "Micro F1 (each label counts alike)", "微平均 F1（各标注同等重要）"),
    ("delta-macro", "Macro F1", "宏平均 F1"),
    ("delta-micro", "Micro F1", "微平均 F1"),
    ("people", "people", "人工"),
    ("floor", "floor", "下限"),
    (
        "bounds-doc",
        "Floor: what one gets by giving every thesis to every paragraph. People: how well one annotator predicts the others, shown where the file holds several annotators; no system can be shown to be better than that.",
        "“下限”是给每段标上全部论点所得的分数。“人工”是一位标注者预测其他标注者的分数，仅在样本含多位标注者时显示；任何方法都无法证明自己高于此值。",
    ),
    ("figures", "Figures to cite", "可引用的数字"),
    (
        "figures-doc",
        "P: share of given labels that are right. R: share of the labels to be found that were given. Any thesis: F1 of telling whether a paragraph argues anything at all. Exact: share of paragraphs with exactly the right theses. ECE and Brier: how far scores are from probabilities (lower is better). Evidence: overlap of marked words with those that people marked. Click on a head to sort.",
        "P（精确率）：给出的标注中正确的比例。R（召回率）：应有的标注中被找到的比例。“有无论点”：判断段落是否提出任何论点的 F1。“完全一致”：论点集合完全正确的段落比例。ECE 与 Brier：分数偏离真实概率的程度（越低越好）。“证据”：所标词句与人工所标的重合程度。点击表头可排序。",
    ),
    ("macro", "Macro", "宏平均"),
    ("micro", "Micro", "微平均"),
    ("family-f1", "Families", "论点大类"),
    ("any-f1", "Any thesis", "有无论点"),
    ("exact", "Exact", "完全一致"),
    ("evidence-f1", "Evidence", "证据"),
    ("speed", "Paragraphs", "速度（段）"),
    ("per-thesis", "Which theses does it find?", "各论点的 F1"),
    (
        "per-thesis-doc",
        "F1 of each thesis, darker where higher; n is the number of paragraphs that argue it, and an F1 from fewer than about twenty is little more than an anecdote. Hover for the interval.",
        "各论点的 F1，颜色越深越高；n 为提出该论点的段落数，n 不足二十左右时 F1 参考价值有限。悬停可看置信区间。",
    ),
    ("thesis-details", "precision, recall, thresholds of each thesis", "各论点的详细数字"),
    ("given", "Given", "给出数"),
    ("average-precision", "Average precision", "平均精确率"),
    ("threshold", "Threshold", "阈值"),
    ("coverage", "Coverage", "覆盖率"),
    ("differences", "Are the differences real?", "差异是否可靠"),
    (
        "differences-doc",
        "p is the chance of a difference in macro F1 at least this large if the two systems were equally good (approximate randomisation); Holm's correction allows for all the pairs that were looked at.",
        "p 值：若两种方法实际一样好，出现至少这么大的宏平均 F1 差异的概率（近似随机化检验）；Holm 校正考虑了所有成对比较。",
    ),
    ("pair", "Pair", "方法对"),
    ("verdict", "At 5 %", "5% 水平"),
    ("real", "different", "有差异"),
    ("chance", "not shown to differ", "未见差异"),
    ("only-first", "Only first", "仅前者"),
    ("only-second", "Only second", "仅后者"),
    ("only-right", "Only right by", "仅以下方法判断正确："),
    ("only-right-list", "paragraphs that only one gets right", "仅一方判断正确的段落"),
    ("curves", "How far can its scores be trusted?", "分数有多可信"),
    ("pr-curve", "Precision and recall", "精确率与召回率"),
    (
        "pr-doc",
        "What precision costs what recall as the threshold moves: the nearer to the upper right corner, the better.",
        "阈值变动时精确率与召回率的取舍：曲线越靠近右上角越好。",
    ),
    ("recall", "Recall", "召回率"),
    ("precision", "Precision", "精确率"),
    ("reliability", "Reliability", "可靠性"),
    (
        "reliability-doc",
        "Of the labels with score 0.8, are 80 % right? On the diagonal, yes; below it the system is too sure of itself.",
        "得分 0.8 的标注是否有 80% 正确？在对角线上即是；低于对角线表示过于自信。",
    ),
    ("mean-score", "Mean score", "平均分数"),
    ("observed", "Share that is right", "实际正确比例"),
    ("risk-coverage", "Risk and coverage", "风险与覆盖"),
    (
        "risk-doc",
        "If only the surest paragraphs are left to the system and people read the rest, this share of what it keeps is not exactly right: a curve that rises late is good.",
        "若只把把握最大的段落交给该方法、其余由人工阅读，纵轴为其中判断不完全正确的比例：曲线上升得越晚越好。",
    ),
    ("kept", "Share of paragraphs kept", "保留段落比例"),
    ("risk", "Share that is wrong", "错误比例"),
    ("confusions", "What is taken for what?", "论点之间的混淆"),
    (
        "confusions-doc",
        "Paragraphs whose thesis was missed, and the theses wrongly given to the same paragraphs instead.",
        "漏标论点的段落数，以及同一段落被误标成的其他论点。",
    ),
    ("missed", "Missed", "漏标的论点"),
    ("nothing-given", "Nothing instead", "未误标其他"),
    ("given-instead", "Given instead", "误标为"),
    ("what-roles", "Does it see what a paragraph does?", "能否看出段落的作用"),
    (
        "what-roles-doc",
        "A paragraph explains, gives evidence, proposes a remedy, or does something else. Accuracy: share of paragraphs given the role that people recorded; where a system says no role, that counts as wrong, and “said” is how often it says one. κ (Cohen's kappa): agreement with people beyond chance. Columns of roles: F1. The prior always says the commonest role: what a system adds is what it is better by.",
        "段落的作用分为解释、论据、对策与其他。准确率：所给作用与人工标注相同的段落比例；方法未给出作用的段落按错误计，“给出比例”为其给出作用的段落比例。κ（Cohen κ）：与人工标注超出偶然的一致程度。各作用列为 F1。基线 prior 一律给出最常见的作用：高出它的部分才是方法的贡献。",
    ),
    ("role-accuracy", "Accuracy", "准确率"),
    ("role-said", "Said", "给出比例"),
    ("slices", "Where does it work?", "在哪些部分有效"),
    (
        "slices-doc",
        "Micro F1 on parts of the file, darker where higher; R marks recall where only that can be known.",
        "样本各部分的微平均 F1，颜色越深越高；R 表示只能计算召回率。",
    ),
    ("robustness", "Does it hold when the text changes?", "文本改变时是否稳定"),
    (
        "robustness-doc",
        "Flips: share of paragraphs whose theses change although the text says the same (in the other script). Drop: how far a score falls without its evidence; it should fall further than without other words of the same length, and evidence wins is how often it does.",
        "翻转：文意不变（仅简繁转换）而论点改变的段落比例。下降：删去证据后分数的降幅，应大于随机删去等长文字的降幅；“证据胜出”为其发生的比例。",
    ),
    ("change", "Change", "改动"),
    ("flips", "Flips", "翻转"),
    ("claims", "Labels tested", "检验的标注"),
    ("drop", "Drop", "下降"),
    ("random-drop", "Random drop", "随机下降"),
    ("wins", "Evidence wins", "证据胜出"),
    ("thresholds", "Where do the thresholds come from?", "阈值来源"),
    (
        "thresholds-doc",
        "Thresholds chosen on the very file that is scored would flatter a system.",
        "若阈值在被评估的样本上选定，结果会偏高。",
    ),
    ("not-said", "not said", "未注明"),
    ("errors", "Errors", "错误浏览"),
    (
        "errors-doc",
        "Wrong decisions, the surest first: false alarms are given and not argued, misses are argued and not given; marked words are the evidence that people marked. On the left the score.",
        "错误判断，最有把握的在前：“误报”是给出了而实际没有的论点，“漏报”是实际有而未给出的论点；高亮为人工标注的证据。左侧为分数。",
    ),
    ("kind-of-error", "Error", "错误"),
    ("false-alarm", "false alarm", "误报"),
    ("miss", "miss", "漏报"),
    ("gold", "People", "人工标注"),
    ("no-thesis", "no thesis", "无论点"),
    ("comparison", "Comparison of systems", "方法比较"),
    ("skip-disagreements", "Skip to the disagreements", "跳到分歧"),
    ("votes", "What does each system vote on?", "各方法的投票"),
    (
        "votes-doc",
        "Shares of all paragraph-thesis cells. Coverage: the system votes yes or no. Overlaps: another one votes, too. Conflicts: another one votes differently. Given: votes that say yes.",
        "均为“段落 × 论点”单元格的比例。覆盖率：该方法投了是或否；重叠：另有方法也投票；冲突：另有方法投票不同。给出数：投“是”的票数。",
    ),
    ("overlaps", "Overlaps", "重叠"),
    ("conflicts", "Conflicts", "冲突"),
    ("accuracy", "Emp. Acc.", "经验准确率"),
    ("seconds", "Seconds", "秒"),
    ("agreement", "How far do they agree?", "一致程度"),
    (
        "agreement-doc",
        "Agreement says nothing about who is right: two systems can agree in the same mistake.",
        "一致不等于正确：两种方法可能犯同样的错。",
    ),
    ("kappa", "Cohen's kappa", "Cohen κ"),
    (
        "kappa-doc",
        "Agreement beyond chance, 1 at best; it sinks where a label is rare, however well systems agree.",
        "超出偶然的一致程度，最高为 1；标签稀少时即使一致也会偏低。",
    ),
    ("ac1", "Gwet's AC1", "Gwet AC1"),
    (
        "ac1-doc",
        "Agreement beyond chance that does not sink with rare labels, and is high where most answers are no.",
        "不因标签稀少而偏低的一致程度；多数回答为“否”时偏高。",
    ),
    ("jaccard", "Jaccard", "Jaccard"),
    (
        "jaccard-doc",
        "Of the labels that either gave, the share that both gave: it looks at the yes votes only.",
        "任一方给出的标注中双方都给出的比例：只看投“是”的票。",
    ),
    ("equal-sets", "Equal sets", "集合相同"),
    ("both", "Both", "双方"),
    ("neither", "Neither", "均无"),
    ("alpha", "Krippendorff's alpha", "Krippendorff α"),
    (
        "alpha-doc",
        "Agreement of all systems at once: 1 is perfect, 0 is chance. Krippendorff asks for 0.8, and for 0.667 where tentative conclusions will do.",
        "全部方法的总体一致程度：1 为完全一致，0 为偶然水平。Krippendorff 建议不低于 0.8，初步结论不低于 0.667。",
    ),
    ("masi", "Sets of theses (MASI)", "论点集合（MASI）"),
    ("disagreements", "Disagreements", "分歧浏览"),
    (
        "disagreements-doc",
        "The paragraphs whose labelling teaches the most come first (on the left the vote entropy in bits). Bold scores reach the system's threshold; quotations are its evidence.",
        "最值得人工标注的段落在前（左侧为投票熵，单位比特）。粗体分数达到该方法的阈值；引文为其证据。",
    ),
    ("entropy", "vote entropy in bits", "投票熵（比特）"),
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
        let sources = [
            include_str!("mod.rs"),
            include_str!("labels.rs"),
            include_str!("../evaluation/page.rs"),
            include_str!("../comparison/page.rs"),
            include_str!("../training.rs"),
        ]
        .concat();
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
