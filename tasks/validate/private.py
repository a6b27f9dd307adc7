"""The judgement of a private version: a temperature under the budget, and what of the version lies outside it.

Training and validation rows are different rows, so that a budget spent on each of them is spent once on any row
(parallel composition: McSherry 2009, theorem 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tasks.task import FloatArray, Head, Task
from tasks.validate import calibrate
from tasks.validate.calibration import Calibration, calibrated

TEMPERATURES = np.geomspace(0.1, 4.0, 24)
MOST = 3.0  # nats: what one row counts at most
OFF = ("classical part", "frame", "conformal score and distance", "sweep", "early stopping", "digests of rows")
CARD = ("source", "licence", "synthetic", "task", "target", "rows")


def calibration(head: Head, raw: FloatArray, target: FloatArray, epsilon: float) -> Calibration:
    """A temperature drawn by the exponential mechanism (McSherry and Talwar 2007); no set, no distance, no count.

    raw (n, head.width) and target (n, k) of validation rows. A row moves each sum by MOST at most.
    """
    total = np.zeros(len(TEMPERATURES))
    for place, temperature in enumerate(TEMPERATURES):
        scaled = calibrated(head, Calibration(temperature=float(temperature)), raw)
        total[place] = sum(
            min(calibrate.loss(head, scaled[at : at + 1], target[at : at + 1]), MOST) for at in range(len(raw))
        )
    chance = np.exp(-epsilon * (total - total.min()) / (2 * MOST))
    drawn = np.random.default_rng().choice(len(TEMPERATURES), p=chance / chance.sum())
    return Calibration(temperature=float(TEMPERATURES[drawn]))


def card(told: Mapping[str, Any]) -> dict[str, Any]:
    """What of a data card may lie in a private version: where the rows are from, how many, nothing counted in them."""
    kept = {key: value for key, value in told.items() if key in CARD}
    return {**kept, "warnings": [], "fingerprint": None}


def document(spent: Mapping[str, Any], task: Task) -> dict[str, Any]:
    """What a version tells of its budget: what is inside, off, and outside. Only without the last is it private."""
    outside = [
        "test rows: the figures of this report, and the cases that it explains and prints",
        "the fingerprint of the rows, their number and their dates, in the report and the registry",
        "which rows preparation left out, and how it cut them",
    ]
    if "audit" in spent:
        outside.append("the audit's own figures")
    if task.reads != ("text",):
        outside.append("background rows of the explanations, drawn from training rows")
    inside = ["head" if spent["learns"] == "head" else "adapter and head", "temperature"]
    return {**spent, "inside": inside, "off": list(OFF), "outside": outside, "private": not outside}


def beyond(spent: Mapping[str, Any]) -> str | None:
    """A sentence where the audit bounds epsilon above what is claimed."""
    found = spent.get("audit", {}).get("epsilon_at_least", 0.0)
    if found <= spent["epsilon"]:
        return None
    return (
        f"the audit bounds epsilon at {found:.2f} or more with 95 % confidence, and the version claims "
        f"{spent['epsilon']:.2f}: something that learns from rows is outside the budget"
    )
