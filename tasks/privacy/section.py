"""`[privacy]`: how much of a single row may be seen in a version. Read without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from tasks.task import Section


class PrivacySection(Section):
    """`[privacy]`: differential privacy of what a version learns; off unless `epsilon` is set.

    epsilon      budget of the whole version, for one training or validation row more or less
    delta        probability that the bound does not hold; below one in the number of rows
    clip         the longest gradient of one row
    sample_rate  the chance of each row to be in a step (Poisson sampling); 1 takes every row, with the least noise for
                 what is learned, and is cheap for a head; lower it for "all"
    steps        of learning; the noise follows from all of these
    learns       "head" reads the frozen body; "all" learns the adapter too, under the same budget
    """

    epsilon: float | None = Field(None, gt=0)
    delta: float = Field(1e-5, gt=0, lt=1)
    clip: float = Field(1.0, gt=0)
    sample_rate: float = Field(1.0, gt=0, le=1)
    steps: int = Field(100, ge=1, le=100_000)
    learns: Literal["head", "all"] = "head"
