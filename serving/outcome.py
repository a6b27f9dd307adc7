"""An answer on its way: what the caller gets, what the log keeps beside it. No model is needed to hold one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One answer as the caller gets it, and the raw numbers behind it, which the decision log keeps."""

    answer: dict[str, Any]
    raw: list[list[float]]
