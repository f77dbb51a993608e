"""Prints the plugin beside scikit-learn's character TF-IDF and logistic regression, trained on the same files.

    pip install scikit-learn
    cargo build --release
    python compare_sklearn.py CORPUS target/release/lundian

CORPUS is a folder with gold/ and synthetic/. For both, the one threshold that makes micro-F1 and macro-F1 together
largest on gold/dev.jsonl is used for gold/dev-ood.jsonl, too.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

if len(sys.argv) != 3 or not pathlib.Path(sys.argv[1], "gold").is_dir():
    sys.exit(f"skipped: there is no corpus\n{__doc__}")
corpus, program = pathlib.Path(sys.argv[1]), sys.argv[2]
train = ["gold/train.jsonl", "gold/train-more.jsonl", "synthetic/paragraphs.jsonl", "synthetic/documents.jsonl"]


def read(name):
    rows = [json.loads(line) for line in open(corpus / name, encoding="utf-8")]
    return [r["text"] for r in rows], [{label["thesis"] for label in r["labels"]} for r in rows]


def f1(called, argued):
    hits, calls, support = (called & argued).sum(0), called.sum(0), argued.sum(0)
    each = (2 * hits / np.maximum(calls + support, 1))[support > 0]
    return each.mean(), 2 * hits.sum() / (calls.sum() + support.sum())


texts, labels = map(lambda parts: sum(parts, []), zip(*(read(name) for name in train)))
theses = sorted(set().union(*labels))
matrix = lambda sets: np.array([[t in s for t in theses] for s in sets])
started = time.time()
vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, sublinear_tf=True)
x, y = vectorizer.fit_transform(texts), matrix(labels)
models = [LogisticRegression(C=10, solver="liblinear", random_state=0).fit(x, y[:, t]) for t in range(len(theses))]
seconds = time.time() - started
score = lambda texts: np.stack([m.decision_function(vectorizer.transform(texts)) for m in models], 1)
dev_texts, dev_labels = read("gold/dev.jsonl")
ood_texts, ood_labels = read("gold/dev-ood.jsonl")
dev_scores, ood_scores = score(dev_texts), score(ood_texts)
dev, ood = matrix(dev_labels), matrix(ood_labels)
candidates = np.unique(np.quantile(dev_scores, np.linspace(0.8, 0.999, 1000)))
threshold = max(candidates, key=lambda t: sum(f1(dev_scores >= t, dev)))
print(f"scikit-learn  {len(texts)} samples, {x.shape[1]} n-grams, {seconds:.1f} s")
for name, scores, argued in [("dev.jsonl", dev_scores, dev), ("dev-ood.jsonl", ood_scores, ood)]:
    print("scikit-learn  {}: macro {:.3f} micro {:.3f}".format(name, *f1(scores >= threshold, argued)))

with tempfile.TemporaryDirectory() as folder:
    command = [program, "train", "linear", "--output", folder]
    command += ["--tune", corpus / "gold/dev.jsonl", "--test", corpus / "gold/dev-ood.jsonl"]
    command += ["--calibrate-on", "double, adjudicated", "--calibrate-on", "written"]
    for name in train:
        command += ["--gold", corpus / name]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
for line in result.stderr.splitlines():
    if "f1" in line or "samples" in line:
        print(f"lundian       {line}")
