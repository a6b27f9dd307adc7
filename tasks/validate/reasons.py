"""The reasons in an answer: what counted most against a person in the served model, from the task's list."""

from __future__ import annotations

import numpy as np

from tasks.data.reasons import TEXT, Reason, shown
from tasks.model.model import Model
from tasks.task import Inputs
from tasks.validate.drivers import values
from tasks.validate.reasons_file import Known

MOST = 4  # reasons of one answer, as is usual in adverse action notices (comment 9(b)(2)-1 to Regulation B)


def is_adverse(known: Known, raw: float) -> bool:
    """Whether an answer, on its raw or calibrated scale, is the one that its list is for: beyond one half."""
    return bool(known.listed.sign * raw > 0)


def reasons(model: Model, name: str, known: Known, row: Inputs, raw: float, temperature: float) -> list[Reason]:
    """At most four reasons of one row whose raw answer is `raw`, the largest first; none where it is not adverse.

    Each has a lower bound above zero, and none names a group of which the row holds nothing.
    """
    if not is_adverse(known, raw) or row.table is None:
        return []
    task, found = model.tasks[name], values(model, name, known, row, raw, temperature)
    low = known.listed.sign * found.value - found.reach
    order = [at for at in np.argsort(-known.listed.sign * found.value, kind="stable").tolist() if low[at] > 0][:MOST]
    return [
        Reason(
            code=known.listed.codes[group].code,
            attribute=group,
            values={} if group == TEXT else shown(task, group, row.table[0]),
            log_odds=round(float(known.listed.sign * found.value[at]), 6),
            ci95=(round(float(low[at]), 6), round(float(low[at] + 2 * found.reach[at]), 6)),
            text=known.listed.codes[group].text,
        )
        for at, group in ((at, found.groups[at]) for at in order)
    ]
