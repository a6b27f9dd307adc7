"""The classical part and the baseline of a declared table."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.classical.table import lightgbm_table
from tasks.task import Classical, Feature, Head


def stock(head: Head, features: Sequence[Feature]) -> tuple[Classical, Classical]:
    """Classical part and baseline."""
    return lightgbm_table(head), lightgbm_table(head)
