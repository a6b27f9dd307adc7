"""A boosted model of another model's answers: what moves them on rows that occur, without a masked one among them."""

from __future__ import annotations

import numpy as np

from tasks.task import FloatArray

ROUNDS = 200
SETTINGS = {"num_leaves": 15, "learning_rate": 0.05, "min_data_in_leaf": 10, "verbosity": -1, "num_threads": 1}


def contributions(
    columns: FloatArray, answers: FloatArray, asked: FloatArray, said: FloatArray, seed: int
) -> tuple[FloatArray, float]:
    """What each column adds to the answers to `asked` (m, columns), and the share of the variance of `said` explained.

    Learned from columns (n, columns) and answers (n,); values by TreeSHAP (Lundberg et al. 2020, doi
    10.1038/s42256-019-0138-9), in units of the answers.
    """
    import lightgbm

    rows = lightgbm.Dataset(columns, answers)
    model = lightgbm.train({"objective": "regression", "seed": seed, **SETTINGS}, rows, ROUNDS)
    left = ((np.asarray(model.predict(asked)) - said) ** 2).sum()
    spread = ((said - said.mean()) ** 2).sum()
    values = np.asarray(model.predict(asked, pred_contrib=True), dtype=np.float64)[:, :-1]
    return values, float(1 - left / spread) if spread > 0 else 0.0
