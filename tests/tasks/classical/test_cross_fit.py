"""Cross-fitting: no row is answered by a fit that has seen its group."""

from __future__ import annotations

import numpy as np
import pytest

from tasks.classical.cross_fit import out_of_fold
from tasks.task import Classical, FloatArray, Inputs


def test_cross_fitting_never_answers_a_row_from_its_own_group() -> None:
    seen: list[tuple[set[str], set[str]]] = []
    groups = np.array([f"g{i % 7}" for i in range(40)])
    table = np.arange(40.0)[:, None]

    def fit(inputs: Inputs, target: FloatArray) -> dict[str, list[float]]:
        return {"rows": target[:, 0].tolist()}

    def raw(state: dict[str, list[float]], inputs: Inputs) -> FloatArray:
        learned = {groups[int(row)] for row in state["rows"]}
        asked = {groups[int(row)] for row in (inputs.table if inputs.table is not None else [])[:, 0]}
        seen.append((learned, asked))
        return np.asarray(inputs.table, dtype=np.float64)

    spy = Classical("spy", fit, raw)
    inputs = Inputs(owner=np.arange(40), table=table)
    answers = out_of_fold(spy, inputs, table, groups, folds=5, seed=3)
    assert np.array_equal(answers, table)
    assert len(seen) == 5
    assert all(not learned & asked for learned, asked in seen)
    with pytest.raises(ValueError, match="at least 2 groups of rows, found 1"):
        out_of_fold(spy, inputs, table, np.array(["same"] * 40), folds=5, seed=3)
