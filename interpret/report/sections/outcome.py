"""Sections 6, 8, 9 and 11: performance, attributions over all rows and over kinds of rows, interactions."""

from __future__ import annotations

from typing import Any

import numpy as np

from interpret.attribution import cases, overview
from interpret.attribution.game import values
from interpret.attribution.overview import Explained
from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words
from interpret.report.sections.front import comparison
from tasks.validate.calibrate import calibrated, probability

BINS = 8
FEW = 5


def performance(facts: Facts, study: Study) -> list[Block]:
    """Section 6: the metric beside the baseline's, what each part is worth, calibration."""
    m = facts.metrics
    if not m:
        return [blocks.absent("metric", "Metric and baseline", "not_provided", "metrics.json is not in the version.")]
    base = m.get("baseline") or {}
    rows = [
        ("this version", m.get("value"), *_ends(m.get("ci95"))),
        (f"baseline: {base.get('name')}", base.get("value"), *_ends(base.get("ci95"))),
        ("difference", m.get("lift", _minus(m.get("value"), base.get("value"))), *_ends(m.get("lift_ci95"))),
    ]
    champion = m.get("champion") or {}
    if "value" in champion:
        rows.append((f"champion: {champion['version']}", champion["value"], *_ends(champion.get("ci95"))))
        rows.append(("difference to it", champion["lift"], *_ends(champion.get("lift_ci95"))))
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


def global_view(facts: Facts, study: Study) -> list[Block]:
    """Section 8: what moves the answers over all explained rows."""
    unit = words.scale(facts.task.head)
    top = study.importance[:14]
    data = {
        "names": [line["name"] for line in top],
        "values": [line["mean_abs"] for line in top],
        "ci95": [line["ci95"] for line in top],
        "kinds": [line["modality"] for line in top],
        "xlabel": f"mean |value| in {unit}; the line is the 95 % interval over {len(study.rows)} rows",
    }
    alt = "Mean absolute value per player: " + ", ".join(f"{line['name']} {line['mean_abs']:.3g}" for line in top[:6])
    found = [blocks.figure("importance", "bars", "What moves the answers", alt, data)]
    columns = [("player", "text"), ("modality", "text"), ("mean |value|", "number"), ("95 % from", "number")]
    columns += [("to", "number"), ("mean value", "signed")]
    rows = [(x["name"], x["modality"], x["mean_abs"], *x["ci95"], x["mean"]) for x in study.importance]
    found.append(blocks.table("table", f"All players, in {unit}", columns, rows))
    columns = [("modality", "text"), ("share of |value|", "percent"), ("95 % from", "percent"), ("to", "percent")]
    share_rows = [(words.MODALITIES[x["modality"]], x["share"], *x["ci95"]) for x in study.shares]
    found.append(blocks.table("shares", "Share of each modality", columns, share_rows))
    found += [_phrases(facts, study), *_signs(study)]
    if study.stability is None:
        note = "Fewer than three players are common to all rows, so there is no order to compare."
        return [*found, blocks.absent("stability", "Order in two halves of the rows", "not_applicable", note)]
    said = f"The order of mean |value| in two halves of the rows agrees with Kendall's tau {study.stability:.2f}."
    return [*found, blocks.text("stability", said)]


def cohorts(facts: Facts, study: Study) -> list[Block]:
    """Section 9: the same view for kinds of outcome and for the earlier and later half of the test period."""
    kinds = np.array(cases.outcome(facts.task.head, study.raw, study.pool.target))
    middle = np.median(study.pool.time.astype(np.int64))
    when = np.where(study.pool.time.astype(np.int64) <= middle, "earlier half", "later half")
    found = [_cohort("outcome", "By outcome", study, kinds)] if facts.task.head.kind != "regress" else []
    if len(set(when)) > 1:
        found.append(_cohort("period", "By time", study, when))
    else:
        found.append(blocks.absent("period", "By time", "not_applicable", "The test rows carry one date only."))
    note = "Protected attributes are not inputs and are not among the rows of this report."
    return [*found, blocks.absent("protected", "By protected group", "not_provided", note)]


def interactions(facts: Facts, study: Study) -> list[Block]:
    """Section 11: how far parts act together."""
    gaps = [_interaction(row) for row in study.local]
    mean, ends = float(np.mean(gaps)), overview.interval(np.array(gaps), facts.seed)
    said = (
        f"Shown alone, the players would move the answers by sums that miss the whole by {100 * mean:.0f} % of the sum "
        f"of |value| on average over the cases (95 % interval {100 * ends[0]:.0f} to {100 * ends[1]:.0f} %): this much "
        "is said by parts together and by none alone. The values in this report share it evenly."
    )
    found: list[Block] = [blocks.text("sum", said)]
    found.append(
        blocks.absent("pairs", "Values of pairs", "not_measured", "Pairs need more evaluations than the budget.")
    )
    note = "Each task has an adapter of its own; reports of the other tasks hold their attributions."
    return [*found, blocks.absent("heads", "Overlap with other heads", "not_measured", note)]


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
    rows = [(k["segment"], k["rows"], k["value"], *_ends(k["ci95"]), k["lift"], *_ends(k["lift_ci95"])) for k in kinds]
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
        *((n, p["value"], p["loss"], *_ends(p.get("loss_ci95"))) for n, p in zip(names, parts.values(), strict=True)),
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


def _phrases(facts: Facts, study: Study) -> Block:
    if not study.phrases:
        return blocks.absent("phrases", "Phrases that moved an answer most", "not_applicable", "The rows hold no text.")
    columns = [
        ("phrase", "text"),
        ("towards", "text"),
        ("value", "signed"),
        ("standard error", "number"),
        ("case", "integer"),
    ]
    head = facts.task.head
    rows = [
        (p["phrase"], words.output_name(head, p["output"]), p["value"], p["error"], p["case"]) for p in study.phrases
    ]
    return blocks.table("phrases", "Phrases that moved an answer most, among the cases", columns, rows)


def _signs(study: Study) -> list[Block]:
    if not study.signs:
        return [blocks.absent("signs", "Check of expected signs", "not_applicable", "No sign is declared.")]
    columns = [
        ("feature", "text"),
        ("declared", "signed"),
        ("found (rank correlation)", "signed"),
        ("95 % from", "signed"),
    ]
    columns += [("to", "signed"), ("verdict", "verdict")]
    rows = [(x["feature"], x["declared"], x["found"], *_ends(x["ci95"]), x["verdict"]) for x in study.signs]
    return [blocks.table("signs", "Expected signs against found directions", columns, rows)]


def _cohort(slug: str, title: str, study: Study, label: Any) -> Block:
    """Per cohort the mean sum of |value|, its interval, and the share of each modality."""
    columns = [
        ("cohort", "text"),
        ("rows", "integer"),
        ("mean sum of |value|", "number"),
        ("95 % from", "number"),
        ("to", "number"),
    ]
    kinds = [share["modality"] for share in study.shares]
    rows: list[tuple[Any, ...]] = []
    for name in sorted({str(x) for x in label}):
        mine = [row for row in study.rows if label[row.case.index] == name]
        if len(mine) < FEW:
            rows.append((name, len(mine), *[None] * (3 + len(kinds))))
            continue
        sums = np.array([np.abs(row.values).sum() for row in mine])
        parts = {share["modality"]: share["share"] for share in overview.shares(mine, 0)}
        rows.append(
            (name, len(mine), sums.mean(), *overview.interval(sums, 0), *(parts.get(kind, 0.0) for kind in kinds))
        )
    return blocks.table(
        slug,
        f"{title} (dashes: fewer than {FEW} rows)",
        [*columns, *((f"{kind} share", "percent") for kind in kinds)],
        rows,
    )


def _interaction(row: Explained) -> float:
    """|whole - sum of what each player does alone| over the sum of |value|."""
    output, count = row.case.output, len(row.game.players)
    single = values(row.game, row.attribution.memo, np.eye(count)).mean(axis=1)[:, output]
    base = row.attribution.base[output]
    whole = row.attribution.full[output] - base
    return float(abs(whole - (single - base).sum()) / max(np.abs(row.values).sum(), 1e-300))


def _ends(pair: Any) -> tuple[Any, Any]:
    return (pair[0], pair[1]) if pair else (None, None)


def _minus(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a - b
