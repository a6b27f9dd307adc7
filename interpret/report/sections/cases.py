"""Sections 10 and 12: single rows, and the reason codes that may be given for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from interpret.attribution.overview import Explained
from interpret.attribution.study import Study
from interpret.report import blocks
from interpret.report.blocks import Block
from interpret.report.facts import Facts
from interpret.report.sections import refusals, words
from tasks.data import program
from tasks.privacy.redact import blanked, identifier
from tasks.task import Feature, FloatArray, Head, Task
from tasks.validate.calibration import calibrated, probability


def local_cases(facts: Facts, study: Study) -> list[Block]:
    """Section 10: how to read a case, and one record per case."""
    legend = (
        "Base plus the values of all players is the answer. Blue parts push towards the explained output, orange parts "
        "(with a dotted line in the text) away from it; a stronger colour is a larger value. The thin line on a "
        "bar is the 95 % interval. It counts all that was drawn, reference rows too. Ranks that it does not tell apart "
        "are tied (=). The row and its answer are those of the served version. Dots stand for names, accounts "
        "and numbers of people: a report does not show them."
    )
    cases = [_case(facts, study, row, number) for number, row in enumerate(study.local, start=1)]
    return [blocks.text("legend", legend), *cases, *_decided(facts)]


def _decided(facts: Facts) -> list[Block]:
    """What moved decisions that several rows lead to together."""
    if facts.decided is None:
        return []
    title = "What moved decisions that rows lead to together"
    if not facts.decided:
        note = "In no item of the test rows did predictions move the decision: it is the one of equal predictions."
        return [blocks.absent("decided", title, "not_applicable", note)]
    columns = [("item", "text"), ("row", "text"), ("decision", "number"), ("where no row says anything", "number")]
    columns += [("moved by its own prediction", "signed"), ("± 95 %", "number"), ("most by that of", "text")]
    columns += [("by", "signed"), ("± 95 %", "number"), ("by all others", "signed")]
    rows = [
        (d.item, d.name, d.decision, d.base, d.own, d.own_reach, d.other, d.other_value, d.other_reach, d.rest)
        for d in facts.decided
    ]
    return [blocks.table("decided", title, columns, rows)]


def reasons(facts: Facts, study: Study) -> list[Block]:
    """Section 12: what may be told to whom the version refuses; nothing where its task has no list of that."""
    if facts.run.refused is not None:
        return refusals.told(facts.run.refused)
    note = "The task has no reasons.toml. What moved single answers stands in section 10, and is no reason to give."
    none = "Counterfactuals are searched where a list says which groups nobody can change."
    return [
        blocks.absent("codes", "Reason codes", "not_declared", note),
        blocks.absent("counterfactuals", "Counterfactuals", "not_declared", none),
    ]


def _case(facts: Facts, study: Study, row: Explained, number: int) -> Block:
    head, index = facts.task.head, row.case.index
    raw = study.raw[index]
    given = probability(head, calibrated(head, facts.calibration, raw[None]))[0]
    text = row.game.row.text[0] if row.game.row.text is not None else ""
    return {
        "kind": "case",
        "slug": f"case_{number}",
        "number": number,
        "role": row.case.role,
        "row": identifier(study.pool.ids[index]),
        "output": words.output_name(head, row.case.output),
        "unit": words.scale(head),
        "truth": _truth(head, study.pool.target[index]),
        "program": program.text(raw[1:]) or None if head.kind == "program" else None,
        "probability": None if head.kind == "regress" else given[row.case.output],
        "reading": words.reading(head, float(row.served[row.case.output])),
        "full": row.served[row.case.output],
        "base": row.attribution.base[row.case.output],
        "sum": float(row.values.sum()),
        "further": _further(row),
        "method": row.attribution.method,
        "runs": row.attribution.runs,
        "evaluations": row.attribution.evaluations,
        "converged": row.converged,
        "text": _pieces(blanked(text, _restated(row)), row),
        "players": [
            {
                "name": p.name,
                "modality": p.modality,
                "value": v,
                "error": e,
                "reach": reach,
                "rank": rank,
                "tied": tied,
                "shown": _shown(facts.task, row, p.columns),
            }
            for p, v, e, reach, (rank, tied) in zip(
                row.game.players, row.values, row.errors, row.reach, row.ranks, strict=True
            )
        ],
    }


def _further(row: Explained) -> dict[str, Any] | None:
    """How many players a page does not show one by one, and the sum of their values."""
    rest = np.argsort(-np.abs(row.values), kind="stable")[blocks.SHOWN :]
    return {"count": len(rest), "value": float(row.values[rest].sum())} if len(rest) else None


def _restated(row: Explained) -> tuple[tuple[int, int], ...]:
    """Where the text says what a field of the row holds, which the case shows below."""
    return tuple(player.span for player in row.game.players if player.columns and player.hides)


def _pieces(content: str, row: Explained) -> list[dict[str, Any]]:
    """The text cut at the players' ends; `player` is the place in the list of players, None between them."""
    pieces: list[dict[str, Any]] = []
    at = 0
    spans = [(player.span, place) for place, player in enumerate(row.game.players) if player.hides]
    for (start, end), place in sorted(spans):
        if start > at:
            pieces.append({"text": content[at:start], "player": None})
        pieces.append({"text": content[start:end], "player": place})
        at = end
    if at < len(content):
        pieces.append({"text": content[at:], "player": None})
    return pieces


def _shown(task: Task, row: Explained, columns: tuple[int, ...]) -> list[dict[str, Any]]:
    """The values of a group's features, as the model saw them; of one-hot columns only those that are set.

    A category is its word, and what is missing is None.
    """
    if row.game.row.table is None:
        return []
    values = {task.features[c].name: _value(task.features[c], float(row.game.row.table[0, c])) for c in columns}
    if all("=" in name for name in values) and not any(task.features[c].levels for c in columns):
        # One column per level: the level that is set says it all.
        values = {name: value for name, value in values.items() if value}
    return [{"name": name, "value": value} for name, value in values.items()]


def _value(feature: Feature, value: float) -> float | str | None:
    if not np.isfinite(value):
        return None
    return feature.levels[int(value)] if feature.levels else value


def _truth(head: Head, target: FloatArray) -> str:
    if head.kind == "classify":
        return head.outputs[int(target[0])]
    if head.kind == "program":
        written, given = program.text(target[2:]), "not in the document" if np.isnan(target[0]) else f"{target[0]:.6g}"
        return f"{given} ({written})" if written else given
    if head.kind == "multilabel":
        return ", ".join(n for n, t in zip(head.outputs, target, strict=True) if t > 0.5) or "no label"
    return f"{target[0]:.4g}" if head.kind == "regress" else ("yes" if target[0] > 0.5 else "no")
