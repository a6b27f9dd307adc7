"""Cells of a file as numbers: what means missing, and how people write an amount."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from tasks.task import FloatArray

MISSING = frozenset({"", "null", "nan", "na", "n/a", "#n/a", "none", "nil", "-", "."})
LARGEST = 1e15  # beyond it no price and no measurement
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")


def numbers(values: Sequence[Any], least: float, largest: float) -> tuple[FloatArray, dict[int, str]]:
    """Numbers (n,), NaN where one is missing, and why a row has none that can be used."""
    found, wrong = np.full(len(values), np.nan), {}
    for at, value in enumerate(values):
        try:
            found[at] = number(value)
        except ValueError as error:
            wrong[at] = str(error)
            continue
        if found[at] <= 0 < least:
            wrong[at] = f"the price {value!r} is not positive: correct it, or leave the cell empty"
        elif not math.isnan(found[at]) and not least <= found[at] <= largest:
            wrong[at] = f"{value!r} is outside {least:g} to {largest:g}: correct it, or leave the cell empty"
    return found, wrong


def number(value: Any) -> float:
    """A cell as a number, NaN where it is missing; "$1,234.50" is one too. Raises ValueError with the cure."""
    if value is None:
        return math.nan
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in MISSING:
            return math.nan
        bare = text.removeprefix("$")
        if _THOUSANDS.fullmatch(bare):
            bare = bare.replace(",", "")
        if not _NUMBER.fullmatch(bare):
            raise ValueError(f"{value!r} is no number: correct it, or leave the cell empty")
        return float(bare)
    try:
        return float("no" if isinstance(value, bool) else value)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{value!r} is no number: correct it, or leave the cell empty") from error
