"""Whom a score refuses: rates by protected group. The columns stand beside the rows, whether inputs or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fairlearn.metrics import MetricFrame, count, false_positive_rate, selection_rate, true_positive_rate
from numpy.typing import NDArray

from tasks.task import FloatArray
from tasks.validate.judgement import FairnessRow
from tasks.validate.reliability import wilson

CUT = 0.5  # a row whose event is more likely than not is refused
FEW = 30  # rows of a group below which a rate is only shown


def table(
    groups: Mapping[str, Sequence[str] | NDArray[np.str_]], event: FloatArray, chance: FloatArray
) -> tuple[FairnessRow, ...]:
    """Per protected column and group of n rows: how many are spared, how many of the good and the bad ones are refused.

    event (n,) is 1 where what is feared happened, chance (n,) its probability. Each rate has Wilson's 95 % interval,
    which says something of 8 rows that were all spared, too; a rate over no row is None. `ratio` is a group's spared
    share over that of the group that is spared most, None where either has fewer than FEW rows.
    """

    def spared(true: Any, refused: Any) -> float:
        return 1.0 - float(selection_rate(true, refused))

    rates = {"rows": count, "spared": spared, "good_refused": false_positive_rate, "bad_refused": true_positive_rate}
    told = []
    for column, held in sorted(groups.items()):
        names = np.asarray(held)
        frame = MetricFrame(
            metrics=rates, y_true=event.astype(int), y_pred=(chance >= CUT).astype(int), sensitive_features=names
        )
        found = frame.by_group
        enough = found[found["rows"] >= FEW]
        best = float(enough["spared"].max()) if len(enough) > 1 else None
        for group in found.index:
            own = event[names == group]
            counts = {"spared": len(own), "good_refused": int((own < 0.5).sum()), "bad_refused": int((own > 0.5).sum())}
            line: dict[str, Any] = {"column": column, "group": str(group), "rows": len(own)}
            for rate, rows in counts.items():
                line[rate] = float(found.loc[group, rate]) if rows else None
                line[f"{rate}_ci95"] = wilson(line[rate], rows) if rows else None
            line["ratio"] = line["spared"] / best if best and group in enough.index else None
            told.append(FairnessRow(**line))
    return tuple(told)
