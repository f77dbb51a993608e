"""Makes reference.json: invented samples and scores, and what the field's own libraries compute from them.

    python -m venv venv
    venv/bin/pip install numpy==1.26.4 pandas==2.3.3 scipy==1.12.0 scikit-learn==1.9.1 statsmodels==0.15.0 \
        krippendorff==0.9.0 irrCAC==0.4.4 nltk==3.10.4 tqdm
    venv/bin/pip install --no-deps snorkel==0.10.0
    venv/bin/python reference.py

Snorkel's LFAnalysis needs neither torch nor spacy; the modules beside it do, so they are left out of the import.
"""

import json
import math
import pathlib
import random
import sys
import types
import warnings

import krippendorff
import numpy as np
import pandas as pd
from irrCAC.raw import CAC
from nltk.metrics.agreement import AnnotationTask
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    cohen_kappa_score,
    f1_score,
    jaccard_score,
    precision_recall_fscore_support,
)
from statsmodels.stats.multitest import multipletests

for name in ("snorkel.labeling.apply.core", "snorkel.labeling.apply.pandas", "snorkel.labeling.lf.core", "snorkel.labeling.lf"):
    stub = types.ModuleType(name)
    for attribute in ("LFApplier", "PandasLFApplier", "LabelingFunction", "labeling_function"):
        setattr(stub, attribute, object)
    sys.modules[name] = stub
from snorkel.labeling.analysis import LFAnalysis  # noqa: E402

warnings.filterwarnings("ignore")
rng = random.Random(20240607)
ROWS, THESES, DRAWS, SEED = 90, 5, 200, 11
# The last thesis never occurs in the gold labels; family f holds theses 0 and 1, family g the others.
SLUGS = ["t0", "t1", "t2", "t3", "t4"]
FAMILY = [0, 0, 1, 1, 1]
RATES = [0.3, 0.2, 0.15, 0.05, 0.0]

# --- inputs -------------------------------------------------------------------------------------------------------
gold_rows, gold = [], np.zeros((ROWS, THESES), int)
for i in range(ROWS):
    text = "".join(rng.choice("经济内需产能过剩 房价债务") for _ in range(rng.randint(12, 60)))
    labels = []
    for t in range(THESES):
        if rng.random() < RATES[t]:
            gold[i, t] = 1
            label = {"thesis": SLUGS[t], "stance": rng.choice(["endorse", "endorse", "reject", "report"])}
            if rng.random() < 0.8:
                start = rng.randrange(len(text) - 4)
                end = rng.randint(start + 2, min(len(text), start + 12))
                label |= {"start": start, "end": end, "quote": text[start:end]}
            labels.append(label)
    row = {"id": f"r{i}", "doc": f"d{i % 7}", "text": text, "labels": labels, "role": rng.choice(["explanation", "remedy"])}
    if i % 3:
        row["section"] = f"s{i % 19}"
    if i % 2:
        flip = lambda: [SLUGS[t] for t in range(THESES) if gold[i, t] ^ (rng.random() < 0.15)]
        row["annotators"] = {a: flip() for a in "abc" if rng.random() < 0.9}
    gold_rows.append(row)
# Some rows get a role that few have, or one that is no role.
ROLES = ["explanation", "evidence", "remedy", "other"]
role_rng = random.Random(20240608)
for row in gold_rows:
    if role_rng.random() < 0.4:
        row["role"] = role_rng.choice(["evidence", "evidence", "other", "hearsay"])


def make_system(name, signal, abstain):
    scores = np.full((ROWS, THESES), np.nan)
    evidence = []
    for i in range(ROWS):
        for t in range(THESES):
            if rng.random() >= abstain:
                raw = rng.random() * (1 - signal) + signal * gold[i, t] * rng.random() * 1.6
                scores[i, t] = min(64, round(raw * 64)) / 64
        for label in gold_rows[i]["labels"]:
            if "start" in label and rng.random() < 0.7:
                n = len(gold_rows[i]["text"])
                start = max(0, label["start"] + rng.randint(-3, 3))
                start = min(start, n - 2)
                end = min(n, max(start + 1, label["end"] + rng.randint(-3, 3)))
                evidence.append([i, SLUGS.index(label["thesis"]), start, end])
    return {"name": name, "scores": scores, "evidence": evidence}


systems = [make_system("one", 0.7, 0.0), make_system("two", 0.55, 0.1), make_system("three", 0.2, 0.5)]


def make_roles(signal, silence):
    """Role scores in 64ths, None where the system says none."""
    rows = []
    for row in gold_rows:
        weights = [1 + signal * (r == row["role"]) * role_rng.random() for r in ROLES]
        drawn = role_rng.choices(ROLES, weights, k=64)
        rows.append(None if role_rng.random() < silence else [drawn.count(r) / 64 for r in ROLES])
    return rows


for system, rows in zip(systems, [make_roles(3, 0.0), make_roles(2, 0.2), [None] * ROWS]):
    system["roles"] = rows
predicted = [np.nan_to_num(s["scores"], nan=-1) >= 0.5 for s in systems]
predicted = [p.astype(int) for p in predicted]
names = [row.get("section") or row["doc"] for row in gold_rows]
order = list(dict.fromkeys(names))
cluster = np.array([order.index(n) for n in names])

# --- the same generator as in random.rs ------------------------------------------------------------------------------
MASK = (1 << 64) - 1


class SplitMix:
    def __init__(self, state):
        self.state = state & MASK

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    @classmethod
    def of_draw(cls, seed, draw):
        return cls(cls(seed ^ (draw * 0xD1B54A32D192ED03 & MASK)).next())


def resampled_rows(clusters, draw):
    r = SplitMix.of_draw(SEED, draw)
    n = int(max(clusters)) + 1
    drawn = [(r.next() * n) >> 64 for _ in range(n)]
    return np.concatenate([np.flatnonzero(clusters == c) for c in drawn])


def supported(y):
    return [t for t in range(THESES) if y[:, t].sum() > 0]


def macro_f1(y, p):
    labels = supported(y)
    return f1_score(y, p, labels=labels, average="macro", zero_division=0) if labels else 0.0


def micro_f1(y, p):
    return f1_score(y, p, average="micro", zero_division=0)


def percentiles(values):
    return list(np.percentile(values, [2.5, 97.5])) if len(values) else None


# --- one system against gold -----------------------------------------------------------------------------------------
def prf(y, p, average, labels=None):
    return list(precision_recall_fscore_support(y, p, labels=labels, average=average, zero_division=0)[:3])


def grouped(m):
    return np.stack([m[:, [t for t in range(THESES) if FAMILY[t] == f]].max(axis=1) for f in (0, 1)], axis=1)


def ece(y, s):
    observed, mean = calibration_curve(y, s, n_bins=10, strategy="uniform")
    counts = [c for c in np.bincount(np.searchsorted(np.linspace(0, 1, 11)[1:-1], s), minlength=10) if c]
    return float(np.sum(np.array(counts) * np.abs(observed - mean)) / len(s)), list(observed), list(mean), [int(c) for c in counts]


def aurc(confidence, wrong):
    """Mean risk over all coverages; ties are averaged over their orders, by linearity of the expected error count."""
    n, risks, seen, errors = len(wrong), [], 0, 0.0
    for c in sorted(set(confidence), reverse=True):
        group = [w for w, k in zip(wrong, confidence) if k == c]
        for _ in group:
            seen += 1
            errors += sum(group) / len(group)
            risks.append(errors / seen)
    return sum(risks) / n


def evidence_scores(system, p):
    there, given, there_found, given_found = [], [], [], []
    spans_tp = spans_given = spans_there = 0
    for i, row in enumerate(gold_rows):
        text = row["text"]
        keep = [j for j, c in enumerate(text) if not c.isspace()]
        for label in row["labels"]:
            if "start" not in label:
                continue
            t = SLUGS.index(label["thesis"])
            spans = sorted({(s, e) for r, u, s, e in system["evidence"] if (r, u) == (i, t)}) if p[i, t] else []
            g = [int(label["start"] <= j < label["end"]) for j in keep]
            m = [int(any(s <= j < e for s, e in spans)) for j in keep]
            there += g
            given += m
            if p[i, t]:
                there_found += g
                given_found += m
            quote = {j for j in keep if label["start"] <= j < label["end"]}
            hits = [len(quote & set(range(s, e))) / len(quote | ({j for j in keep if s <= j < e})) >= 0.5 for s, e in spans]
            spans_tp += any(hits)
            spans_given += len(spans)
            spans_there += 1
    p_, r_, f_ = prf(there, given, "binary")
    return {
        "token_precision": p_, "token_recall": r_, "token_f1": f_,
        "token_f1_found": f1_score(there_found, given_found),
        "iou50_f1": 2 * spans_tp / (spans_given + spans_there),
    }


def role_scores(given):
    """`given` is a role for each row, or none; only rows whose role is one of ours count."""
    y, p = np.array([row["role"] for row in gold_rows]), np.array(given)
    ours = np.isin(y, ROLES)
    macro = lambda y, p: f1_score(y, p, labels=[r for r in ROLES if r in y], average="macro", zero_division=0)
    inner = [rows[ours[rows]] for rows in draws]
    inner = [rows for rows in inner if len(rows)]
    precision, recall, f1, support = precision_recall_fscore_support(y[ours], p[ours], labels=ROLES, zero_division=0)
    return {
        "paragraphs": int(ours.sum()), "coverage": float(np.isin(p[ours], ROLES).mean()),
        "accuracy": accuracy_score(y[ours], p[ours]),
        "accuracy_ci95": percentiles([accuracy_score(y[rows], p[rows]) for rows in inner]),
        "macro_f1": macro(y[ours], p[ours]), "macro_f1_ci95": percentiles([macro(y[rows], p[rows]) for rows in inner]),
        "kappa": cohen_kappa_score(y[ours], p[ours]),
        "per_role": [{"role": r, "precision": precision[i], "recall": recall[i], "f1": f1[i], "support": int(support[i]),
                      "predicted": int((p[ours] == r).sum())} for i, r in enumerate(ROLES)],
    }


draws = [resampled_rows(cluster, d) for d in range(DRAWS)]
drawn_macro = [[macro_f1(gold[rows], p[rows]) for rows in draws] for p in predicted]
drawn_micro = [[micro_f1(gold[rows], p[rows]) for rows in draws] for p in predicted]
expected_systems = []
for s, (system, p) in enumerate(zip(systems, predicted)):
    scores = system["scores"]
    told = ~np.isnan(scores)
    precision, recall, f1, support = precision_recall_fscore_support(gold, p, average=None, zero_division=0)
    per_thesis = []
    for t in range(THESES):
        f1s = [f1_score(gold[rows, t], p[rows, t], zero_division=0) for rows in draws if gold[rows, t].sum()]
        ap = average_precision_score(gold[:, t], np.nan_to_num(scores[:, t], nan=-1)) if gold[:, t].sum() else None
        per_thesis.append({"precision": precision[t], "recall": recall[t], "f1": f1[t], "support": int(support[t]),
                           "average_precision": ap, "ci95": percentiles(f1s)})
    error, observed, mean, counts = ece(gold[told], scores[told])
    confidence = [np.nanmin(np.abs(r - 0.5)) if (~np.isnan(r)).any() else 0.0 for r in scores]
    wrong = [int((g != q).any()) for g, q in zip(gold, p)]
    slices = {}
    for role in ("explanation", "remedy"):
        rows = np.array([i for i, r in enumerate(gold_rows) if r["role"] == role])
        inner = [d[np.isin(d, rows)] for d in draws]
        f1s = [micro_f1(gold[d], p[d]) for d in inner if gold[d].sum() + p[d].sum()]
        slices[role] = {"micro": prf(gold[rows], p[rows], "micro"), "macro_f1": macro_f1(gold[rows], p[rows]),
                        "subset_accuracy": accuracy_score(gold[rows], p[rows]), "ci95": percentiles(f1s)}
    stance = np.array([[0] * THESES for _ in range(ROWS)])
    for i, row in enumerate(gold_rows):
        for label in row["labels"]:
            if label["stance"] == "reject":
                stance[i, SLUGS.index(label["thesis"])] = 1
    expected_systems.append({
        "micro": prf(gold, p, "micro"), "micro_ci95": percentiles(drawn_micro[s]),
        "macro": prf(gold, p, "macro", supported(gold)), "macro_ci95": percentiles(drawn_macro[s]),
        "family_micro_f1": f1_score(grouped(gold), grouped(p), average="micro"),
        "family_macro_f1": f1_score(grouped(gold), grouped(p), average="macro"),
        "subset_accuracy": accuracy_score(gold, p),
        "jaccard": jaccard_score(gold, p, average="samples", zero_division=1),
        "any_thesis": prf(gold.max(axis=1), p.max(axis=1), "binary"),
        "ece": error, "observed": observed, "mean_score": mean, "bin_counts": counts,
        "brier": brier_score_loss(gold[told], scores[told]),
        "aurc": aurc(confidence, wrong),
        "evidence": evidence_scores(system, p),
        "per_thesis": per_thesis,
        "role": role_scores([ROLES[np.argmax(r)] if r else "none" for r in system["roles"]]) if any(system["roles"]) else None,
        "slices": slices,
        "reject_recall": float((p * stance).sum() / stance.sum()),
        "best_macro_f1": max(macro_f1(gold, (np.nan_to_num(scores, nan=-1) >= c / 64).astype(int)) for c in range(1, 65)),
        "best_micro_f1": max(micro_f1(gold, (np.nan_to_num(scores, nan=-1) >= c / 64).astype(int)) for c in range(1, 65)),
    })

# --- pairs of systems ------------------------------------------------------------------------------------------------
pairs = []
for a in range(3):
    for b in range(a + 1, 3):
        differing = [c for c in range(len(order)) if (predicted[a][cluster == c] != predicted[b][cluster == c]).any()]
        # A cluster also differs for the counts only if some sum differs.
        def sums(p, c):
            rows = cluster == c
            return [(int((p[rows, t] & gold[rows, t]).sum()), int(p[rows, t].sum())) for t in range(THESES)]
        differing = [c for c in differing if sums(predicted[a], c) != sums(predicted[b], c)]
        observed = abs(macro_f1(gold, predicted[a]) - macro_f1(gold, predicted[b]))
        larger = 0
        for d in range(DRAWS):
            r = SplitMix.of_draw(~SEED & MASK, d)
            x, y = predicted[a].copy(), predicted[b].copy()
            for at in range(0, len(differing), 64):
                bits = r.next()
                for k, c in enumerate(differing[at:at + 64]):
                    if bits >> k & 1:
                        rows = cluster == c
                        x[rows], y[rows] = y[rows].copy(), x[rows].copy()
            larger += abs(macro_f1(gold, x) - macro_f1(gold, y)) >= observed - 1e-12
        pairs.append({
            "delta_macro_f1": macro_f1(gold, predicted[a]) - macro_f1(gold, predicted[b]),
            "ci95": percentiles(np.array(drawn_macro[a]) - np.array(drawn_macro[b])),
            "p_value": (1 + larger) / (1 + DRAWS),
            "only_a_right": [gold_rows[i]["id"] for i in range(ROWS)
                             if (predicted[a][i] == gold[i]).all() and (predicted[b][i] != gold[i]).any()],
        })
for pair, p in zip(pairs, multipletests([p["p_value"] for p in pairs], method="holm")[1]):
    pair["p_holm"] = p
p_values = [0.01, 0.04, 0.03, 0.005, 0.9, 0.04]

# --- agreement without gold ------------------------------------------------------------------------------------------
votes = [np.where(np.isnan(s["scores"]), -1, p) for s, p in zip(systems, predicted)]


def sets_of(v):
    """A rater's set for each unit, None without any opinion."""
    return [None if (row == -1).all() else frozenset(np.flatnonzero(row == 1).tolist()) for row in v]


def masi(a, b):
    if a == b:
        return 0.0
    both, either = len(a & b), len(a | b)
    m = 0.0 if not both else 2 / 3 if both == min(len(a), len(b)) else 1 / 3
    return 1 - both / either * m


def masi_alpha(units):
    """NLTK's alpha over units, each a list of (rater, set)."""
    data = [(r, i, s) for i, unit in enumerate(units) if len(unit) > 1 for r, s in unit]
    return AnnotationTask(data=data, distance=masi).alpha()


def nominal_alpha(v):
    """v: raters x units with -1 for missing."""
    data = np.where(v == -1, np.nan, v.astype(float))
    try:
        a = krippendorff.alpha(reliability_data=data, level_of_measurement="nominal")
    except ValueError:
        return None
    return None if math.isnan(a) else float(a)


rater_sets = [sets_of(v) for v in votes]
units = [[(f"r{r}", s[i]) for r, s in enumerate(rater_sets) if s[i] is not None] for i in range(ROWS)]
alphas, alpha_cis = [], []
for t in range(THESES):
    v = np.stack([x[:, t] for x in votes])
    alphas.append(nominal_alpha(v))
    drawn = [nominal_alpha(v[:, rows]) for rows in draws]
    alpha_cis.append(percentiles([a for a in drawn if a is not None]))
kappas = []
for a in range(3):
    for b in range(a + 1, 3):
        x, y = votes[a].ravel(), votes[b].ravel()
        both = (x != -1) & (y != -1)
        frame = pd.DataFrame({"a": x[both], "b": y[both]})
        kappas.append({
            "kappa": cohen_kappa_score(x[both], y[both]),
            "ac1": float(CAC(frame, digits=12).gwet()["est"]["coefficient_value"]),
            "jaccard": jaccard_score(x[both], y[both]),
            "per_thesis_kappa": [cohen_kappa_score(votes[a][m, t], votes[b][m, t]) if len(set(votes[a][m, t]) | set(votes[b][m, t])) > 1 else None
                                 for t in range(THESES) for m in [(votes[a][:, t] != -1) & (votes[b][:, t] != -1)]],
            "identical_sets": float(np.mean([p == q for p, q in zip(rater_sets[a], rater_sets[b]) if p is not None and q is not None])),
        })
lf = []
for t in range(THESES + 1):
    L = np.stack([v[:, t] if t < THESES else v.ravel() for v in votes], axis=1)
    Y = gold[:, t] if t < THESES else gold.ravel()
    analysis = LFAnalysis(L)
    lf.append({"coverage": list(analysis.lf_coverages()), "overlaps": list(analysis.lf_overlaps()),
               "conflicts": list(analysis.lf_conflicts()), "accuracy": list(analysis.lf_empirical_accuracies(Y))})
file_units = [[(a, frozenset(SLUGS.index(x) for x in slugs)) for a, slugs in row.get("annotators", {}).items()] for row in gold_rows]

# --- ceiling ---------------------------------------------------------------------------------------------------------
ceiling = []
for a in "abc":
    own, others = [], []
    for row in gold_rows:
        given = row.get("annotators", {})
        if a in given and len(given) > 1:
            rest = [v for k, v in given.items() if k != a]
            own.append([int(s in given[a]) for s in SLUGS])
            others.append([int(2 * sum(s in v for v in rest) > len(rest)) for s in SLUGS])
    own, others = np.array(own), np.array(others)
    ceiling.append({"name": a, "micro_f1": micro_f1(others, own), "macro_f1": macro_f1(others, own), "paragraphs": len(own)})

out = {
    "slugs": SLUGS, "family": FAMILY, "draws": DRAWS, "seed": SEED,
    "gold": gold_rows,
    "systems": [{"name": s["name"], "scores": [[None if math.isnan(x) else x for x in row] for row in s["scores"]],
                 "roles": s["roles"], "evidence": s["evidence"]} for s in systems],
    "expected": {
        "clusters": len(order), "systems": expected_systems, "pairs": pairs, "ceiling": ceiling,
        "role_of_prior": role_scores([max(ROLES, key=[row["role"] for row in gold_rows].count)] * ROWS),
        "floor": [micro_f1(gold, np.ones_like(gold)), macro_f1(gold, np.ones_like(gold))],
        "holm": [p_values, list(multipletests(p_values, method="holm")[1])],
        "alpha": alphas, "alpha_ci95": alpha_cis, "masi_alpha": masi_alpha(units),
        "file_masi_alpha": masi_alpha(file_units),
        "masi": [[[0, 1], [0, 1], 0.0], [[0, 1], [0], masi({0, 1}, {0})], [[0, 1], [1, 2], masi({0, 1}, {1, 2})],
                 [[0], [1], 1.0], [[], [1], 1.0], [[], [], 0.0]],
        "pair_agreement": kappas, "lf": lf,
    },
}


def plain(x):
    return x.item() if isinstance(x, np.generic) else str(x)


path = pathlib.Path(__file__).with_name("reference.json")
path.write_text(json.dumps(out, ensure_ascii=False, default=plain, separators=(",", ":")) + "\n")
print(path, path.stat().st_size)
