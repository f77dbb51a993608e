"""Writes parity.json: what scikit-learn makes of a few texts, for the tests of features and solver to agree with.

    pip install scikit-learn && python parity.py SYNTHETIC_PARAGRAPHS.jsonl > parity.json

Takes short paragraphs of the project's own synthetic samples. The reference is LogisticRegression: with liblinear for L2,
whose intercept is regularised like ours; with saga for L1 and the elastic net, whose intercept is not, like ours.
"""

import json
import sys
import unicodedata

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

rows = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
# Texts without quotation marks in NFKC are their own normal form, so that only the features are compared.
plain = [r for r in rows if len(r["text"]) <= 45 and not set(r["text"]) & set("“”‘’「」『』")]
wanted = "overcapacity"
positive = [r for r in plain if any(l["thesis"] == wanted for l in r["labels"])][:8]
negative = [r for r in plain if all(l["thesis"] != wanted for l in r["labels"])][:16]
texts = [unicodedata.normalize("NFKC", r["text"]) for r in positive + negative]
y = np.array([1] * len(positive) + [0] * len(negative))
costs = np.array([1.0 + 0.5 * (i % 3) for i in range(len(y))])

vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), min_df=2, lowercase=False, sublinear_tf=True)
x = vectorizer.fit_transform(texts)
x.sort_indices()
c = 10.0
model = LogisticRegression(C=c, solver="liblinear", tol=1e-10, max_iter=100_000)
model.fit(x, y, sample_weight=costs)


def sparse(l1_ratio):
    model = LogisticRegression(C=c, l1_ratio=l1_ratio, solver="saga", tol=1e-12, max_iter=1_000_000, random_state=0)
    model.fit(x, y, sample_weight=costs)
    weights = [[j, round(float(w), 6)] for j, w in enumerate(model.coef_[0]) if w != 0]
    return {"l1_ratio": l1_ratio, "weights": weights, "bias": round(float(model.intercept_[0]), 6)}


row = lambda i: [[int(j), round(float(v), 7)] for j, v in zip(x[i].indices, x[i].data)]
json.dump(
    {
        "texts": texts,
        "ngrams": vectorizer.get_feature_names_out().tolist(),
        "rows": [row(i) for i in range(len(texts))],
        "positive": y.astype(bool).tolist(),
        "costs": (c * costs).tolist(),
        "weights": [round(float(w), 6) for w in model.coef_[0]],
        "bias": round(float(model.intercept_[0]), 6),
        "elastic_net": [sparse(l1_ratio) for l1_ratio in (1.0, 0.5)],
    },
    sys.stdout,
    ensure_ascii=False,
    indent=None,
)
