"""Makes reference.json: votes of five systems with abstentions, and what crowd-kit and snorkel make of them.

    python -m venv venv && venv/bin/pip install crowd-kit==1.4.2 snorkel==0.10.0 && venv/bin/python reference.py

Dawid-Skene is run to its fixed point (a negative tolerance never stops it), so that the number of rounds does not matter. Snorkel's LabelModel estimates its
parameters by stochastic gradients; what is compared is its posterior, given those parameters.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from crowdkit.aggregation import DawidSkene
from crowdkit.aggregation import MajorityVote
from snorkel.labeling.model import LabelModel, MajorityLabelVoter

ROWS, SYSTEMS = 300, 5
SENSITIVITY = [0.85, 0.7, 0.6, 0.75, 0.65]
SPECIFICITY = [0.9, 0.95, 0.8, 0.85, 0.92]
COVERAGE = [0.95, 0.8, 0.9, 0.7, 1.0]

rng = np.random.default_rng(7)
argued = rng.random(ROWS) < 0.35
chance = np.where(argued[:, None], SENSITIVITY, 1 - np.array(SPECIFICITY))
votes = (rng.random((ROWS, SYSTEMS)) < chance).astype(int)
votes[rng.random((ROWS, SYSTEMS)) >= COVERAGE] = -1
votes[(votes == -1).all(axis=1), 0] = 0

long = pd.DataFrame(
    [(row, system, votes[row, system]) for row in range(ROWS) for system in range(SYSTEMS) if votes[row, system] >= 0],
    columns=["task", "worker", "label"],
)
share = MajorityVote().fit_predict_proba(long)[1]
skene = DawidSkene(n_iter=400, tol=-1.0).fit(long)
errors = skene.errors_
posterior = skene.probas_[1]

snorkel_majority = MajorityLabelVoter(cardinality=2).predict_proba(votes)[:, 1]

label_model = LabelModel(cardinality=2, verbose=False)
label_model.fit(votes, n_epochs=500, seed=1, progress_bar=False)
# P(vote | class), of shape systems x votes x classes. Only the ratios between the classes matter to the posterior:
# they are turned into the sensitivity and specificity that have the same.
conditional = label_model.get_conditional_probs()[:, 1:, :]
yes = conditional[:, 1, 1] / conditional[:, 1, 0]
no = conditional[:, 0, 1] / conditional[:, 0, 0]
specificity = (yes - 1) / (yes - no)
sensitivity = 1 - no * specificity

out = {
    "votes": votes.tolist(),
    "majority": [float(share.get(row)) for row in range(ROWS)],
    "snorkel_majority": snorkel_majority.tolist(),
    "dawid_skene": {
        "prior": float(skene.priors_[1]),
        "sensitivity": [float(errors.loc[(system, 1), 1]) for system in range(SYSTEMS)],
        "specificity": [float(errors.loc[(system, 0), 0]) for system in range(SYSTEMS)],
        "posterior": [float(posterior.get(row)) for row in range(ROWS)],
    },
    "label_model": {
        "prior": float(label_model.p[1]),
        "sensitivity": sensitivity.tolist(),
        "specificity": specificity.tolist(),
        "posterior": label_model.predict_proba(votes)[:, 1].tolist(),
    },
}
Path(__file__).with_name("reference.json").write_text(json.dumps(out) + "\n")
