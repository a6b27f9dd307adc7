"""Sections 8, 9 and 11: attributions over all rows and over kinds of rows, interactions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from interpret.attribution import cases, overview
from interpret.attribution.evidence import mean_answers
from interpret.attribution.overview import Explained
from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import words

DRAWN = 14  # players in the figure; all of them are in the table
FEW = 5  # rows below which a cohort has no figures


def global_view(facts: Facts, study: Study) -> list[Block]:
    """Section 8: what moves the answers over all explained rows."""
    unit = words.scale(facts.task.head)
    top = study.importance[:DRAWN]
    data = {
        "names": [line.name for line in top],
        "values": [line.mean_abs for line in top],
        "ci95": [line.ci95 for line in top],
        "kinds": [line.modality for line in top],
        "xlabel": f"mean |value| in {unit}; the line is the 95 % interval over {len(study.rows)} rows",
    }
    alt = "Mean absolute value per player: " + ", ".join(f"{line.name} {line.mean_abs:.3g}" for line in top[:6])
    columns = [("player", "text"), ("modality", "text"), ("mean |value|", "number"), ("95 % from", "number")]
    columns += [("to", "number"), ("mean value", "signed")]
    rows = [(line.name, line.modality, line.mean_abs, *line.ci95, line.mean) for line in study.importance]
    return [
        blocks.figure("importance", "bars", "What moves the answers", alt, data),
        blocks.text("in_words", words.value(facts.task.head)),
        blocks.table("table", f"All players, in {unit}", columns, rows),
        _shares(study),
        _phrases(facts, study),
        _signs(study),
        _stability(study),
    ]


def cohorts(facts: Facts, study: Study) -> list[Block]:
    """Section 9: the same view for kinds of outcome and for the earlier and later half of the test period."""
    kinds = np.array(
        cases.outcome(facts.task.head, study.raw, study.pool.target if study.right is None else study.right[:, None])
    )
    middle = np.median(study.pool.time.astype(np.int64))
    when = np.where(study.pool.time.astype(np.int64) <= middle, "earlier half", "later half")
    found = [_cohort("outcome", "By outcome", study, kinds)] if facts.task.head.kind != "regress" else []
    if len(set(when)) > 1:
        found.append(_cohort("period", "By time", study, when))
    else:
        found.append(blocks.absent("period", "By time", "not_applicable", "The test rows carry one date only."))
    note = "Explained rows do not carry their groups; section 14 has what was measured by group."
    return [*found, blocks.absent("protected", "By protected group", "not_measured", note)]


def interactions(facts: Facts, study: Study) -> list[Block]:
    """Section 11: how far parts act together."""
    gaps = np.array([_interaction(row) for row in study.local])
    low, high = overview.interval(gaps, facts.run.seed)
    said = (
        f"Shown alone, the players would move the answers by sums that miss the whole by {100 * gaps.mean():.0f} % of "
        f"the sum of |value| on average over the cases (95 % interval {100 * low:.0f} to {100 * high:.0f} %): this "
        "much is said by parts together and by none alone. The values in this report share it evenly."
    )
    note = "Each task has an adapter of its own; reports of the other tasks hold their attributions."
    return [
        blocks.text("sum", said),
        blocks.absent("pairs", "Values of pairs", "not_measured", "Pairs need more evaluations than the budget."),
        blocks.absent("heads", "Overlap with other heads", "not_measured", note),
    ]


def _shares(study: Study) -> Block:
    columns = [("modality", "text"), ("share of |value|", "percent"), ("95 % from", "percent"), ("to", "percent")]
    rows = [(words.MODALITIES[line.modality], line.share, *line.ci95) for line in study.shares]
    return blocks.table("shares", "Share of each modality", columns, rows)


def _phrases(facts: Facts, study: Study) -> Block:
    if not study.phrases:
        return blocks.absent("phrases", "Phrases that moved an answer most", "not_applicable", "The rows hold no text.")
    columns = [("phrase", "text"), ("towards", "text"), ("value", "signed")]
    columns += [("standard error", "number"), ("case", "integer")]
    rows = [
        (phrase.words, words.output_name(facts.task.head, phrase.output), phrase.value, phrase.error, phrase.case)
        for phrase in study.phrases
    ]
    return blocks.table("phrases", "Phrases that moved an answer most, among the cases", columns, rows)


def _signs(study: Study) -> Block:
    if not study.signs:
        return blocks.absent(
            "signs", "Check of expected signs", "not_applicable", "The task reads no numbers; see section 15."
        )
    columns = [("feature", "text"), ("declared", "signed"), ("found (rank correlation)", "signed")]
    columns += [("95 % from", "signed"), ("to", "signed"), ("verdict", "verdict")]
    rows = [
        (sign.feature, sign.declared or None, sign.found, *words.ends(sign.ci95), sign.verdict) for sign in study.signs
    ]
    return blocks.table("signs", "Expected signs against found directions", columns, rows)


def _stability(study: Study) -> Block:
    if study.stability is None:
        note = "Fewer than three players are common to all rows, so there is no order to compare."
        return blocks.absent("stability", "Order in two halves of the rows", "not_applicable", note)
    said = f"The order of mean |value| in two halves of the rows agrees with Kendall's tau {study.stability:.2f}."
    return blocks.text("stability", said)


def _cohort(slug: str, title: str, study: Study, label: NDArray[np.str_]) -> Block:
    """Per cohort the mean sum of |value|, its interval, and the share of each modality. `label` is (pool,)."""
    kinds = [line.modality for line in study.shares]
    columns = [("cohort", "text"), ("rows", "integer"), ("mean sum of |value|", "number")]
    columns += [("95 % from", "number"), ("to", "number"), *((f"{kind} share", "percent") for kind in kinds)]
    rows: list[tuple[Any, ...]] = []
    for name in sorted({str(x) for x in label}):
        mine = [row for row in study.rows if label[row.case.index] == name]
        if len(mine) < FEW:
            rows.append((name, len(mine), *[None] * (3 + len(kinds))))
            continue
        sums = np.array([np.abs(row.values).sum() for row in mine])
        parts = {line.modality: line.share for line in overview.shares(mine, 0)}
        shares = (parts.get(kind, 0.0) for kind in kinds)
        rows.append((name, len(mine), sums.mean(), *overview.interval(sums, 0), *shares))
    return blocks.table(slug, f"{title} (dashes: fewer than {FEW} rows)", columns, rows)


def _interaction(row: Explained) -> float:
    """|whole - sum of what each player does alone| over the sum of |value|."""
    output, count = row.case.output, len(row.game.players)
    base, whole, *single = mean_answers(row, np.vstack([np.zeros(count), np.ones(count), np.eye(count)]))[:, output]
    return float(abs(whole - base - (np.array(single) - base).sum()) / row.weight)
