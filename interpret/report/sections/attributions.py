"""Sections 8, 9 and 11: attributions over all rows and over kinds of rows, interactions."""

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

FEW = 5


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
    rows = [(x["feature"], x["declared"], x["found"], *words.ends(x["ci95"]), x["verdict"]) for x in study.signs]
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
