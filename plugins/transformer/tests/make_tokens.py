"""Makes data/tokens.json: 200 mixed texts, and the pieces that Python's tokenizers finds in them.

    pip install tokenizers
    python make_tokens.py ../../../models/thesis-encoder/tokenizer.json
"""

import json
import pathlib
import random
import sys

import tokenizers

PARTS = [
    "东西卖不出去，工厂只好停工。", "工资涨得慢，谁敢花钱？", "產能過剩，價格越打越低", "地方政府靠賣地過日子；", "房价下跌之后，消费更弱了！",
    "GDP 增长 5.2%", "２０２３年ＧＤＰ", "Overcapacity is everywhere", "naïve café", "ΑΒΓ αβγ", "Привет", "ひらがなカタカナ", "한국어", "العربية",
    "🙂", "👨‍👩‍👧", "🇨🇳", "𠀀𠮷𪚥", "㐂䶮", "①②③", "㎡", "ﬁ", "…", "——", "“引号”‘单’", "「書名」", "《内循环》", "（括号）", "\u3000", "\u00a0", "  ", "\t", "\n",
    "\u200b", "\ufeff", "e\u0301", "http://example.com/a?b=c", "a@b.cn", "1,234.56", "３／４", "中美贸易战", "内卷", "躺平", "x" * 40, "0" * 30, "▁", "<s>", "</s>", "<mask>",
]
FIXED = ["", " ", "。", "\n\n", "🙂", "𠀀"]


def main():
    tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
    draw = random.Random(1)
    texts = FIXED + ["".join(draw.choices(PARTS, k=draw.randint(1, 8))) for _ in range(200 - len(FIXED))]
    rows = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts]
    out = pathlib.Path(__file__).parent / "data" / "tokens.json"
    out.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")


main()
