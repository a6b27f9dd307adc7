"""Cross-fitting: answers of a classical model for rows that it was not fitted on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks.task import Classical, FloatArray, Inputs

MANY = 100_000  # rows from which two folds do: half of so many rows teach nearly what four fifths do


def out_of_fold(
    classical: Classical, inputs: Inputs, target: FloatArray, groups: NDArray[Any], folds: int, seed: int
) -> FloatArray:
    """(n, width) answers for each row from a fit that saw no row of its group: the network learns honest residuals.

    Rows are dealt to folds by group at random; with fewer groups than folds there are as many folds as groups. Of MANY
    rows there are two folds.
    """
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ValueError(
            f"cross-fitting needs at least 2 groups of rows, found {len(names)}; give the rows groups of their own"
        )
    folds = 2 if len(target) >= MANY else folds
    fold_of = np.random.default_rng(seed).permutation(len(names)) % min(folds, len(names))
    fold = fold_of[member]
    answers: FloatArray | None = None
    for part in range(int(fold_of.max()) + 1):
        rest, held = np.flatnonzero(fold != part), np.flatnonzero(fold == part)
        found = classical.raw(classical.fit(inputs.take(rest), target[rest]), inputs.take(held))
        if answers is None:
            answers = np.zeros((len(target), found.shape[1]))
        answers[held] = found
    assert answers is not None
    return answers
