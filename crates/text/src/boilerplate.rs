//! Lines that a page puts around a text: counts, buttons, notices, credits, reference lists.
//!
//! The decision that matters: a line is judged as a whole and by its kind. A line of counts and buttons is one that
//! has nothing else in it; a notice or credit is one that opens like one. Nothing is cut out of a sentence.

use std::sync::LazyLock;

use crate::normalise::normalise;

/// Why a line is not part of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Boilerplate {
    /// Counts, buttons and labels of a page's interface.
    Interface,
    /// When and where it was posted or edited.
    Posted,
    /// Author, editor, source.
    Credit,
    /// Copyright, disclaimer, site notice, invitation to follow.
    Notice,
    /// An address, or a label with an address.
    Address,
    /// Only hash-tags.
    Tags,
    /// No letter or digit at all.
    Empty,
}

/// Words of interfaces, longest first so that none is cut by another.
static INTERFACE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let mut words: Vec<&str> = "展开阅读全文 阅读全文 展开全文 阅读原文 查看原文 显示全部 查看全部 收起全文 继续阅读 加载更多 查看更多 更多回答 点击加载 \
        关注者 被浏览 关注问题 写回答 邀请回答 好问题 添加评论 条评论 写评论 写留言 精选留言 全部评论 暂无评论 评论 申请转载 举报 \
        已认证账号 已认证 认证账号 人赞同了该回答 人赞同了该文章 人赞同 赞同 反对 点赞 赞 喜欢 收藏 收起 分享 转发 关注 已关注 粉丝 回复 \
        阅读量 阅读数 阅读 浏览量 浏览数 浏览 点击量 点击 播放 次 人 个 条 万 亿 在看 打赏 赞赏 感谢 默认排序 按时间排序 时间排序 排序 \
        登录 注册 首页 返回首页 返回顶部 回到顶部 上一页 下一页 上一篇 下一篇 打印 打印本页 关闭窗口 字号 字体 大 中 小 复制链接 复制 微信 微博 \
        朋友圈 空间 扫一扫 扫码 二维码 客户端 下载 打开 打开知乎 目录 更多 全部 搜索 热搜 推荐 广告 新知答主 优秀答主 年度 知乎十年新知答主 \
        知乎 话题 专栏 文章 回答 视频 想法 作者 楼主 编辑 等 的 了 app qq read share like comment follow menu login"
        .split_whitespace()
        .collect();
    words.sort_by_key(|w| std::cmp::Reverse(w.len()));
    words
});

/// Openings of lines about posting.
const POSTED: &[&str] = &[
    "编辑于",
    "发布于",
    "发表于",
    "创建于",
    "更新于",
    "修改于",
    "最后编辑",
    "最后更新",
    "首发于",
    "更新时间",
    "发布时间",
    "发表时间",
    "发布日期",
    "更新日期",
    "ip属地",
    "ip 属地",
    "date_saved",
    "date_published",
    "published on",
    "saved on",
    "updated on",
];

/// Openings of credits; a colon or space follows where the word alone could open a sentence.
const CREDIT: &[&str] = &[
    "责任编辑",
    "责编",
    "编辑:",
    "编辑 ",
    "编辑丨",
    "编辑|",
    "校对",
    "审核:",
    "排版",
    "监制",
    "主编:",
    "文字编辑",
    "图片编辑",
    "值班编辑",
    "来源:",
    "来源 ",
    "来源|",
    "文章来源",
    "稿源",
    "信息来源",
    "资料来源",
    "图片来源",
    "图源",
    "供稿",
    "作者:",
    "作者 ",
    "作者|",
    "作者丨",
    "作者简介",
    "作者系",
    "作者单位",
    "记者:",
    "记者 ",
    "通讯员",
    "文|",
    "文丨",
    "文/",
    "撰文:",
    "撰文|",
    "译者",
    "原标题",
    "原文标题",
    "题图",
    "头图",
    "封面图",
    "标签:",
    "关键词:",
    "分类:",
    "本文作者",
    "本文来自",
    "本文来源",
    "本文首发",
    "本文原载",
    "本文转自",
    "本文系",
    "转自",
    "原载",
];

/// Openings of notices.
const NOTICE: &[&str] = &[
    "特别声明",
    "免责声明",
    "版权声明",
    "版权所有",
    "声明:",
    "著作权归",
    "未经授权",
    "未经许可",
    "转载请",
    "转载须",
    "如需转载",
    "欢迎转载",
    "notice:",
    "copyright",
    "©",
    "all rights reserved",
    "点击关注",
    "扫描二维码",
    "扫描下方",
    "微信公众号:",
    "公众号:",
    "投稿邮箱",
    "联系邮箱",
    "相关阅读",
    "推荐阅读",
    "延伸阅读",
    "相关文章",
    "相关推荐",
    "相关新闻",
    "猜你喜欢",
    "热门推荐",
    "热点推荐",
    "点击上方",
    "点击下方",
    "点击蓝字",
    "点击图片",
    "点击查看",
    "点击阅读原文",
    "分享到",
    "分享至",
    "上一篇:",
    "上一篇 ",
    "下一篇:",
    "下一篇 ",
    "本文链接",
    "原文链接",
    "原文地址",
    "网页链接",
    "read on ",
    "read original",
    "view original",
    "full content",
    "highlights",
    "本平台仅提供",
    "本文仅代表",
    "违法和不良信息",
    "网站标识码",
    "京公网安备",
    "您当前的位置",
    "您的位置",
    "当前位置",
    "你的位置",
    "喜欢此内容",
    "继续滑动",
    "微信扫一扫",
    "预览时标签",
    "打开app",
];

/// Openings of notices that could open a sentence of argument, too: only a line that is no full sentence, or that asks
/// to follow somebody, is one.
const INVITATION: &[&str] =
    &["长按", "扫码", "往期", "微信号", "欢迎关注", "主办单位", "承办单位", "本网站", "更多精彩", "商务合作", "轻触"];

/// Words that make a line a notice wherever they stand in it.
const NOTICE_INSIDE: &[&str] = &[
    "信息存储服务",
    "social media platform and only provides",
    "不代表本平台",
    "不代表本网",
    "不代表本站",
    "版权归原作者",
    "著作权归作者",
    "icp备",
    "公网安备",
    "互联网新闻信息服务许可证",
    "转载请注明",
    "请联系删除",
    "请联系我们删除",
    "商业转载请联系",
    "在看点这里",
    "点个在看",
    "点赞在看",
    "星标公众号",
];

/// Headings of reference lists.
const REFERENCES: &[&str] = &[
    "参考文献",
    "参考资料",
    "引用文献",
    "引用资料",
    "引用",
    "参考",
    "注释",
    "注",
    "脚注",
    "尾注",
    "资料来源",
    "references",
    "notes",
    "bibliography",
];

/// The kind of boilerplate that `line` is, if it is any.
pub(crate) fn classify(line: &str) -> Option<Boilerplate> {
    let form = normalise(line).to_lowercase();
    let form = form
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '*' | '_' | '[' | ']' | '(' | ')' | '■' | '>' | '|'));
    if !form.chars().any(char::is_alphanumeric) {
        // The end of a sentence that the page has broken off is not nothing.
        let rest = line.trim_start().starts_with(['」', '』', '”', '）', '》']);
        return (!rest).then_some(Boilerplate::Empty);
    }
    let length = form.chars().count();
    if is_tags(form) {
        return Some(Boilerplate::Tags);
    }
    if is_address(form) {
        return Some(Boilerplate::Address);
    }
    let opens = |words: &[&str]| words.iter().any(|w| form.starts_with(w));
    if length <= 80 && opens(POSTED) && (length <= 12 || form.contains(|c: char| c.is_ascii_digit())) || is_date(form) {
        return Some(Boilerplate::Posted);
    }
    // A credit is short and no sentence, unless it is a sentence about the author or the text itself.
    let labelled =
        form.chars().take(12).any(|c| ":|丨/".contains(c)) || form.starts_with("作者系") || form.starts_with("本文");
    let sentence =
        form.ends_with('。') && (!labelled || length > 30 && form.contains(',') && !form.starts_with("本文"));
    if length <= 60 && opens(CREDIT) && !sentence {
        return Some(Boilerplate::Credit);
    }
    // The number of a note may stand on a line of its own; the list of notes is judged as a whole.
    if note_number(line).is_none() && is_interface(form) {
        return Some(Boilerplate::Interface);
    }
    let invites = ["关注", "公众号", "二维码", "微信"].iter().any(|w| form.contains(w));
    if length <= 60 && opens(INVITATION) && (invites || !form.ends_with('。')) {
        return Some(Boilerplate::Notice);
    }
    if length <= 200 && opens(NOTICE) || length <= 300 && NOTICE_INSIDE.iter().any(|w| form.contains(w)) {
        return Some(Boilerplate::Notice);
    }
    None
}

/// True if there is nothing in the line but words of an interface, numbers and signs, and it is not one plain word
/// that could be a heading.
fn is_interface(form: &str) -> bool {
    if form.chars().count() > 60 {
        return false;
    }
    let mut rest = form;
    let mut words = 0;
    while let Some(c) = rest.chars().next() {
        if !c.is_alphabetic() || c == 'k' || c == 'w' {
            rest = &rest[c.len_utf8()..];
        } else if let Some(word) = INTERFACE.iter().find(|w| rest.starts_with(**w)) {
            words += 1;
            rest = &rest[word.len()..];
        } else {
            return false;
        }
    }
    words > 0
        || form.chars().all(|c| c.is_ascii_digit() || ",.+kw% ".contains(c))
            && form.contains(|c: char| c.is_ascii_digit())
}

fn is_tags(form: &str) -> bool {
    form.starts_with('#')
        && form.split_whitespace().all(|w| w.len() > 1 && w.starts_with('#') && !w.starts_with("##"))
        && form.chars().count() < 80
}

/// True for an address alone or with a short label.
fn is_address(form: &str) -> bool {
    let Some(at) = form.find("http://").or_else(|| form.find("https://")).or_else(|| form.find("www.")) else {
        return false;
    };
    let end = form[at..].find(|c: char| c.is_whitespace() || !c.is_ascii()).map_or(form.len(), |n| at + n);
    form[..at].chars().chain(form[end..].chars()).filter(|c| c.is_alphanumeric()).count() < 10
}

/// True for a date alone, with or without a time.
fn is_date(form: &str) -> bool {
    let digits = form.chars().filter(char::is_ascii_digit).count();
    (4..=14).contains(&digits)
        && (form.starts_with("19") || form.starts_with("20"))
        && form.chars().all(|c| c.is_ascii_digit() || "年月日时分秒星期周一二三四五六日天上下午-/.: t+z".contains(c))
        && form.contains(['-', '/', '.', '年'])
}

/// The author that a credit line names, if it is short and plain.
pub(crate) fn credited_author(line: &str) -> Option<&str> {
    let line = line.trim();
    let rest = ["作者", "文"].iter().find_map(|w| line.strip_prefix(w))?;
    let name = rest.strip_prefix([':', '：', '|', '丨', '/', '／'])?.trim();
    (!name.is_empty() && name.chars().count() <= 20 && !name.contains(['。', '，', ','])).then_some(name)
}

/// The date that a line about posting names: from the first year to the end of the digits.
pub(crate) fn posted_date(line: &str) -> Option<&str> {
    let at = line.find("20").or_else(|| line.find("19"))?;
    let date = &line[at..];
    let end = date.find(|c: char| !(c.is_ascii_digit() || "年月日-/.: T".contains(c))).unwrap_or(date.len());
    let date = date[..end].trim_end();
    (date.chars().filter(char::is_ascii_digit).count() >= 6).then_some(date)
}

/// True for the heading of a reference list.
pub(crate) fn is_reference_heading(line: &str) -> bool {
    let form = normalise(line).to_lowercase();
    let form = form.trim_matches(|c: char| !c.is_alphanumeric());
    REFERENCES.contains(&form)
}

/// The number of a note, if `line` opens with one in square brackets: `[3] ...`.
pub(crate) fn note_number(line: &str) -> Option<u32> {
    let rest = line.trim_start().strip_prefix(['[', '［', '【', '〔'])?;
    let end = rest.find([']', '］', '】', '〕'])?;
    rest[..end].parse().ok()
}

/// True if a line reads like an entry of a reference list.
pub(crate) fn is_reference_entry(line: &str) -> bool {
    let form = normalise(line).to_lowercase();
    let titled = form.contains(['《', '〈', '》', '〉']) || form.contains("http") || form.contains("doi");
    let numbered = note_number(line).is_some() || form.starts_with(['^', '(']) || starts_with_number(&form);
    let published = ["出版", "日报", "学报", "期刊", "页", "年版", "press", "journal", "vol", "pp."]
        .iter()
        .any(|w| form.contains(w))
        || form.contains("[j]")
        || form.contains("[m]")
        || form.contains("[n]")
        || form.contains("[d]");
    !form.trim_end().ends_with('。') && (titled || numbered || published)
        || note_number(line).is_some()
        || titled && published
}

fn starts_with_number(form: &str) -> bool {
    let rest = form.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < form.len() && rest.starts_with(['.', '、', ')', ' ', ','])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_boilerplate() {
        for (line, kind) in [
            ("关注者", Boilerplate::Interface),
            ("1,542", Boilerplate::Interface),
            ("赞同 2.3 万 12 条评论 收藏 喜欢 收起", Boilerplate::Interface),
            ("140 人赞同了该回答", Boilerplate::Interface),
            ("展开阅读全文 \u{200b}", Boilerplate::Interface),
            ("閱讀 10萬+", Boilerplate::Interface),
            ("2022 年度新知答主", Boilerplate::Interface),
            ("编辑于 2023-12-13 10:55・IP 属地重庆", Boilerplate::Posted),
            ("2024年3月5日 10:20", Boilerplate::Posted),
            ("責任編輯：王某", Boilerplate::Credit),
            ("編輯:726", Boilerplate::Credit),
            ("来源：某某日报", Boilerplate::Credit),
            ("文｜李某", Boilerplate::Credit),
            ("作者 吴某 为政治工作者", Boilerplate::Credit),
            ("特別聲明：以上內容為用戶上傳", Boilerplate::Notice),
            ("著作权归作者所有。商业转载请联系作者获得授权。", Boilerplate::Notice),
            ("© 2024 某网 版权所有 京ICP备12345号", Boilerplate::Notice),
            ("[Read on Omnivore]", Boilerplate::Notice),
            ("上一篇：怎么看待内需", Boilerplate::Notice),
            ("长按识别二维码，关注我们的公众号。", Boilerplate::Notice),
            ("作者系某大学经济学院教授。", Boilerplate::Credit),
            ("#Omnivore", Boilerplate::Tags),
            ("#经济 #内需", Boilerplate::Tags),
            ("https://example.com/a?b=c", Boilerplate::Address),
            ("链接：https://example.com/", Boilerplate::Address),
            ("————", Boilerplate::Empty),
        ] {
            assert_eq!(classify(line), Some(kind), "{line}");
        }
    }

    #[test]
    fn sentences_are_not_boilerplate() {
        for line in [
            "关注分配，才能把内需做起来。",
            "编辑部的同事说，需求不足才是根本。",
            "来源于出口的收入越来越少，只能靠内需来补。",
            "作者认为产能过剩的根源在于地方政府的补贴。",
            "2023年的出口下降了百分之五，内需没有接上。",
            "评论区很多人说要发钱，我不同意。",
            "大中小企业都没有订单。",
            "据 https://example.com 的数据，居民消费占比长期低于四成，这说明分配出了问题。",
            "转发新闻的人并不明白什么叫产能过剩。",
            "上一篇我们讲了内需不足的根源在哪里。",
            "扫码支付已经普及到每一个菜市场了。",
            "发表于权威刊物的文章大多主张扩大内需。",
            "校对这些数据的人发现产能利用率被高估了。",
            "记者问到产能过剩的时候他没有回答。",
        ] {
            assert_eq!(classify(line), None, "{line}");
        }
    }

    #[test]
    fn what_a_credit_says() {
        assert_eq!(credited_author("作者：王某某"), Some("王某某"));
        assert_eq!(credited_author("作者认为不对"), None);
        assert_eq!(posted_date("编辑于 2023-12-13 10:55・IP"), Some("2023-12-13 10:55"));
        assert_eq!(note_number("[3]雷某，《书》"), Some(3));
        assert!(is_reference_heading("参考文献："));
    }
}
