"""The classical pair of a declared table: the part that the network adds to, and the baseline that both must beat."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.classical.table import Trees, lightgbm_table
from tasks.task import Classical, Feature, Head

OWN = Trees(rounds=300, leaves=31, rate=0.1, penalty=0.0)
DEFAULTS = Trees(rounds=100, leaves=31, rate=0.1, penalty=0.0)  # LightGBM's documented ones


def stock(head: Head, features: Sequence[Feature]) -> tuple[Classical, Classical]:
    """(classical, baseline) of a table with these columns, for the heads `score`, `classify` and `regress`.

    Both are gradient boosting with LightGBM's own handling of categories. Declared signs bind the classical part alone,
    and of its columns the numbers alone.
    """
    signs = [0 if feature.levels else feature.sign for feature in features]
    return (
        lightgbm_table(head, monotone=signs, features=features, trees=OWN),
        lightgbm_table(head, features=features, trees=DEFAULTS),
    )
