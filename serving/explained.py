"""One decision explained by the version that made it: what drove it, the reasons, and what would have turned it.

Pure: an item and what the log says in, a JSON document out. The numbers are drawn from the item alone, so that who asks
again, a replica or `./assay explain --offline`, is told the same, and the same as the answer said.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import numpy as np

from serving import service
from serving.comparing import compared
from serving.service import Served
from tasks.data.reasons import TEXT, shown
from tasks.model import forward
from tasks.task import FloatArray, Inputs, Task
from tasks.validate import calibration, counterfactual, drivers, reasons
from tasks.validate.counterfactual import Counterfactual

WITHOUT_TEXT = frozenset({"text"})
TEXT_EVALUATIONS, PHRASES = 64, 6  # all coalitions of six phrases


class NotExplainable(ValueError):
    """The version keeps nothing that this decision could be explained against; the sentence says what does."""


def explain(served: Served, row: Mapping[str, Any], item: Any, answer: Mapping[str, Any] | None) -> dict[str, Any]:
    """The explanation of a decision, from its item, its row in the log and, where it can still be read, its answer.

    Raises NotExplainable.
    """
    task, name = served.task, served.task.name
    check(served)
    inputs = service.encode(task, [item])
    (outcome,) = service.answer(served, [item], [datetime.fromisoformat(row["time"])])
    before = {"raw": row["raw"], **(answer or {})}
    after = {"raw": outcome.raw, **outcome.answer}
    same = compared(row, before, {key: after.get(key) for key in before}).same
    raw = forward.raw(served.model, name, inputs)
    at, output = _explained(task, raw)
    told = {
        "decision": row["id"],
        "task": name,
        "version": served.version,
        "digest": served.digest,
        "time": row["time"],
        "same": same,
        "output": task.head.outputs[output],
        "probability": outcome.answer["probability"],
        "flags": outcome.answer["flags"],
        "row": at,
    }
    one = inputs.take(np.array([at]))
    return told | (_of_text(served, one, output) if served.reasons is None else _of_table(served, one, raw[at, 0]))


def check(served: Served) -> None:
    """Raise NotExplainable where no decision of a version could be explained."""
    task = served.task
    if served.reasons is None and (task.needs != ("text",) or task.writer is not None or task.head.kind == "regress"):
        raise NotExplainable(
            f"{served.version} keeps no reference rows that a decision on {task.name} could be explained against; "
            f"how the version decides stands in its report: ./assay report {served.version}"
        )


def _explained(task: Task, raw: FloatArray) -> tuple[int, int]:
    """The row and the output of an item that its decision rests on: the highest logit, of a score its only one."""
    row, output = np.unravel_index(int(np.argmax(raw)), raw.shape)
    return int(row), 0 if task.head.kind == "score" else int(output)


def _of_table(served: Served, row: Inputs, raw: float) -> dict[str, Any]:
    """Of a task with a list of reasons: the value of every group, the reasons, and the ways out."""
    known, name, temperature = served.reasons, served.task.name, served.calibration.temperature
    assert known is not None
    assert row.table is not None
    found = drivers.values(served.model, name, known, row, raw, temperature)
    ways = counterfactual.search(
        served.task,
        known,
        row,
        quick=lambda rows: forward.raw(served.model, name, Inputs(rows.owner, table=rows.table), WITHOUT_TEXT),
        raw=lambda rows: forward.raw(served.model, name, rows),
    )
    return {
        "adverse": reasons.is_adverse(known, raw),
        "list": known.listed.version,
        "labels": {group: one.label or group for group, one in known.listed.codes.items()},
        "unit": "log odds of the output, against the rows that the version learned from",
        "attributions": [
            {
                "attribute": group,
                "values": None if group == TEXT else shown(served.task, group, row.table[0]),
                "value": round(value, 6),
                "ci95": [round(value - reach, 6), round(value + reach, 6)],
            }
            for group, value, reach in zip(found.groups, found.value.tolist(), found.reach.tolist(), strict=True)
        ],
        "reasons": [
            each.model_dump(mode="json") for each in reasons.reasons(served.model, name, known, row, raw, temperature)
        ],
        "counterfactuals": [_way(served, way) for way in ways],
    }


def _way(served: Served, way: Counterfactual) -> dict[str, Any]:
    """A way out with the version's answer then: its probability, and what it cannot rule out."""
    head, raw = served.task.head, np.array([[way.raw]])
    (chance,) = calibration.predict(head, served.calibration, raw).probability[:, 0].tolist()
    (left,) = calibration.label_sets(head, served.calibration, raw)
    changes = [{"attribute": c.attribute, "from": dict(c.given), "to": dict(c.needed)} for c in way.changes]
    return {"changes": changes, "probability": chance, "set": list(left)}


def _of_text(served: Served, row: Inputs, output: int) -> dict[str, Any]:
    """Of a text alone: the exact value of each of its phrases for the output, against the text without them."""
    from interpret.attribution.game import game_of
    from interpret.attribution.shapley import attribute

    name, scale = served.task.name, served.calibration.temperature
    game = game_of(served.task, row, None, lambda rows: forward.raw(served.model, name, rows), PHRASES)
    found = attribute(game, output, TEXT_EVALUATIONS, tolerance=0.01, seed=0)
    value, reach = found.values[:, output] / scale, found.reach[:, output] / scale
    return {
        "adverse": None,
        "list": None,
        "unit": "logit of the output, against the text with the phrase hidden",
        "attributions": [
            {
                "attribute": player.name,
                "span": list(player.span),
                "value": round(v, 6),
                "ci95": [round(v - r, 6), round(v + r, 6)],
            }
            for player, v, r in zip(game.players, value.tolist(), reach.tolist(), strict=True)
        ],
        "reasons": None,
        "counterfactuals": None,
    }
