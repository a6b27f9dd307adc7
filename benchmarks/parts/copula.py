"""German credit, a copula per class: learned from synthetic rows and tested on real ones, beside real rows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.parts.credit import stratified
from tasks import get
from tasks.privacy.synthesise import judged, synthesised
from tasks.task import Place

FOLDS, SEED = 5, 1
MOST_LOST = 0.03


def rows() -> list[dict[str, Any]]:
    """`synthetic_auc` with copies and distances, means over the folds."""
    task = get("risk")
    real = task.sources["embedded"].read(Place(None, SEED))
    fold = stratified(real.target[:, 0], FOLDS, SEED)
    told = []
    for number in range(FOLDS):
        split = np.where(fold == number, "test", "train").astype("U5")
        parts = replace(real, split=split)
        made = synthesised(task, parts.take(np.flatnonzero(split == "train")), SEED + number)
        told.append(judged(task, made, parts, SEED))
    mean = {key: round(float(np.mean([one[key] for one in told])), 4) for key in told[0]}
    error = round(float(np.std([one["auc"] for one in told]) / FOLDS**0.5), 4)
    copies = sum(one["copies"] for one in told)
    lost = mean["auc_real"] - mean["auc"]
    return [
        {
            "case": "synthetic_auc", "ours": mean["auc"], "peer": mean["auc_real"],
            "peer_name": "LightGBM on real rows",
            "ratio": round(mean["auc"] / mean["auc_real"], 3), "unit": "AUC on real rows, mean of five folds",
            "error": error, "bar": f"at most {MOST_LOST} below real rows", "pass": lost <= MOST_LOST,
        },
        {
            "case": "synthetic_copies", "ours": copies, "peer": None, "peer_name": None, "ratio": None,
            "unit": "synthetic rows that are a real one", "bar": "none", "pass": copies == 0,
        },
        {
            "case": "synthetic_nearest", "ours": mean["nearest"], "peer": mean["nearest_unseen"],
            "peer_name": "real rows that were not imitated",
            "ratio": round(mean["nearest"] / mean["nearest_unseen"], 3),
            "unit": "median distance to the nearest real row, in standard deviations",
            "bar": "not nearer than unseen real rows", "pass": mean["nearest"] >= mean["nearest_unseen"],
        },
    ]  # fmt: skip
