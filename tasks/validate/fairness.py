"""Whom a score refuses: rates by protected group. The columns are never inputs; they stand beside the rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fairlearn.metrics import MetricFrame, count, false_positive_rate, selection_rate, true_positive_rate
from numpy.typing import NDArray

from tasks.task import FloatArray
from tasks.validate.judgement import FairnessRow

CUT = 0.5  # a row whose event is more likely than not is refused
DRAWS = 200  # of fairlearn's bootstrap
FEW = 30  # rows of a group below which a rate is only shown


def table(
    groups: Mapping[str, Sequence[str] | NDArray[np.str_]], event: FloatArray, chance: FloatArray, seed: int
) -> tuple[FairnessRow, ...]:
    """Per protected column and group of n rows: how many are spared, how many of the good and the bad ones are refused.

    event (n,) is 1 where what is feared happened, chance (n,) its probability. Each rate has a 95 % interval. `ratio`
    is a group's spared share over that of the group that is spared most, None where either has fewer than FEW rows;
    below four fifths it is evidence of adverse impact (29 CFR 1607.4 D).
    """

    def spared(true: Any, refused: Any) -> float:
        return 1.0 - float(selection_rate(true, refused))

    rates = {"rows": count, "spared": spared, "good_refused": false_positive_rate, "bad_refused": true_positive_rate}
    told = []
    for column, held in sorted(groups.items()):
        frame = MetricFrame(
            metrics=rates, y_true=event.astype(int), y_pred=(chance >= CUT).astype(int),
            sensitive_features=np.asarray(held), n_boot=DRAWS, ci_quantiles=[0.025, 0.975], random_state=seed,
        )  # fmt: skip
        found, (low, high) = frame.by_group, frame.by_group_ci
        enough = found[found["rows"] >= FEW]
        best = float(enough["spared"].max()) if len(enough) > 1 else None
        for group in found.index:
            line: dict[str, Any] = {"column": column, "group": str(group), "rows": int(found.loc[group, "rows"])}
            for rate in ("spared", "good_refused", "bad_refused"):
                line[rate] = float(found.loc[group, rate])
                line[f"{rate}_ci95"] = (float(low.loc[group, rate]), float(high.loc[group, rate]))
            line["ratio"] = line["spared"] / best if best and group in enough.index else None
            told.append(FairnessRow(**line))
    return tuple(told)
