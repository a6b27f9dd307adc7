"""Section 6: the metric beside its baseline's, what each part is worth, calibration, kinds of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.summary import comparison
from tasks.validate.calibrate import calibrated, probability

BINS = 8


def performance(facts: Facts, study: Study) -> list[Block]:
    """Section 6: the metric beside the baseline's, what each part is worth, calibration."""
    m = facts.metrics
    if not m:
        return [blocks.absent("metric", "Metric and baseline", "not_provided", "metrics.json is not in the version.")]
    base = m.get("baseline") or {}
    rows = [
        ("this version", m.get("value"), *words.ends(m.get("ci95"))),
        (f"baseline: {base.get('name')}", base.get("value"), *words.ends(base.get("ci95"))),
        ("difference", m.get("lift", _minus(m.get("value"), base.get("value"))), *words.ends(m.get("lift_ci95"))),
    ]
    champion = m.get("champion") or {}
    if "value" in champion:
        rows.append((f"champion: {champion['version']}", champion["value"], *words.ends(champion.get("ci95"))))
        rows.append(("difference to it", champion["lift"], *words.ends(champion.get("lift_ci95"))))
    columns = [("", "text"), (str(m.get("metric")), "number"), ("95 % from", "number"), ("to", "number")]
    drawn = m.get("clusters") or {}
    found = [
        comparison("figure", facts),
        blocks.table("metric", "On the test rows", columns, rows),
        blocks.text(
            "how",
            "Intervals are cluster bootstraps: rows that depend on each other are drawn together"
            + (f" (by {drawn.get('by')}, {drawn.get('count')} clusters, {drawn.get('draws')} draws)." if drawn else ".")
            + " The difference is paired: both models are scored on the same draws.",
        ),
    ]
    if "why" in champion:
        found.append(blocks.text("champion", f"Not compared with {champion['version']}: {champion['why']}."))
    return [*found, *_ablation(m), *_calibration(facts, study), *_segments(m), *_abstention(m)]


def _segments(metrics: Any) -> list[Block]:
    """The figure on kinds of test rows, those without a near neighbour in training among them."""
    kinds = metrics.get("segments") or []
    if not kinds:
        note = "The test rows hold no text, no missing value and no dates that would tell kinds of them apart."
        return [blocks.absent("segments", "Figures by segment", "not_applicable", note)]
    columns = [
        ("segment", "text"),
        ("rows", "integer"),
        (str(metrics.get("metric")), "number"),
        ("95 % from", "number"),
    ]
    columns += [("to", "number"), ("lift", "signed"), ("95 % from", "signed"), ("to", "signed")]
    rows = [
        (k["segment"], k["rows"], k["value"], *words.ends(k["ci95"]), k["lift"], *words.ends(k["lift_ci95"]))
        for k in kinds
    ]
    return [blocks.table("segments", "Figures by segment; lift over the baseline", columns, rows)]


def _abstention(metrics: Any) -> list[Block]:
    """The figure where only the surest rows are answered."""
    told = metrics.get("abstention") or []
    columns = [("rows answered, the surest first", "percent"), (str(metrics.get("metric")), "number")]
    rows = [(line["answered"], line["value"]) for line in told]
    return [blocks.table("abstention", "If the least sure rows went to a person", columns, rows)] if told else []


def _ablation(metrics: Any) -> list[Block]:
    parts: dict[str, Any] = metrics.get("ablation") or {}
    if not parts:
        return [blocks.absent("ablation", "Worth of each part", "not_measured", "validate.ablation was off.")]
    names = [f"without {words.MODALITIES.get(part, part)}" for part in parts]
    full = ("all parts", metrics.get("value"), None, None, None)
    rows = [
        full,
        *(
            (n, p["value"], p["loss"], *words.ends(p.get("loss_ci95")))
            for n, p in zip(names, parts.values(), strict=True)
        ),
    ]
    columns = [
        ("", "text"),
        (str(metrics.get("metric")), "number"),
        ("lost or gained", "signed"),
        ("95 % from", "signed"),
        ("to", "signed"),
    ]
    data: dict[str, Any] = {
        "names": names,
        "values": [part["loss"] for part in parts.values()],
        "ci95": [part.get("loss_ci95") for part in parts.values()],
        "kinds": ["off"] * len(parts),
        "xlabel": f"{metrics.get('metric')} of the whole minus without the part: right of zero, the part helps",
        "zero": True,
    }
    alt = "; ".join(f"{name}: {part['loss']:+.3g}" for name, part in zip(names, parts.values(), strict=True))
    drawable = all(isinstance(value, (int, float)) for value in data["values"])
    drawn = [blocks.figure("ablation", "estimates", "What each part is worth", alt, data)] if drawable else []
    return [*drawn, blocks.table("ablation_table", "With one part switched off", columns, rows)]


def _calibration(facts: Facts, study: Study) -> list[Block]:
    m = facts.metrics.get("calibration") or {}
    rows = [(key.replace("_", " "), value, "number") for key, value in sorted(m.items())]
    found = [blocks.facts("calibration", "Calibration", rows)] if rows else []
    if facts.task.head.kind == "regress" or len(study.pool) < 4 * BINS:
        return found
    chance = probability(facts.task.head, calibrated(facts.task.head, words.fitted(facts), study.raw))
    if facts.task.head.kind == "classify":
        said, true = chance.max(axis=1), chance.argmax(axis=1) == study.pool.target[:, 0].astype(int)
    else:
        said, true = chance.ravel(), study.pool.target.ravel() > 0.5
    parts = np.array_split(np.argsort(said, kind="stable"), BINS)
    data: dict[str, Any] = {
        "predicted": [float(said[part].mean()) for part in parts],
        "observed": [float(true[part].mean()) for part in parts],
        "count": [len(part) for part in parts],
        "xlabel": "probability that was given",
        "ylabel": "share that was true",
    }
    pairs = ", ".join(f"{a:.2f} → {b:.2f}" for a, b in zip(data["predicted"], data["observed"], strict=True))
    alt = f"Given probability against observed share in {BINS} groups of equal size: {pairs}"
    title = f"Given probability against what happened, {len(study.pool)} test rows"
    return [*found, blocks.figure("reliability", "reliability", title, alt, data)]


def _minus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a - b
