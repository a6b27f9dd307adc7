"""`[validate]`: the gates, how many bootstrap draws, whether each part is switched off in turn. Read without torch."""

from __future__ import annotations

from pydantic import Field

from tasks.data.section import Splits
from tasks.task import Section


class Gates(Section):
    """What a version must hold to be accepted. A gate that is None is open.

    margin      the non-inferiority margin, in units of the metric: refused where even the upper end of the lift's
                interval, over the classical model or over the champion, lies below -margin
    min_lift    the lower end of the lift's interval must reach it: the strict form, -0.02 says "proven to be at most
                0.02 worse", 0 says "proven to be better"
    min_value   the metric itself must reach it, and min_segment on every segment of the test rows
    max_ece     the expected calibration error on test rows must not exceed it
    coverage    refused where the 90 % sets or intervals hold the truth less often than chance allows
    collapse    refused where the version gives one answer to every test row
    """

    margin: float | None = Field(default=0.0, ge=0)
    min_lift: float | None = None
    min_value: float | None = None
    min_segment: float | None = None
    max_ece: float | None = Field(default=0.2, gt=0, le=1)
    coverage: bool = True
    collapse: bool = True


class ValidateSection(Section):
    """`[validate]`: shares of the splits, the gates, how many draws, whether each part is switched off in turn."""

    splits: Splits = Splits()
    gates: Gates = Gates()
    draws: int = Field(default=1000, ge=100, le=100_000)
    ablation: bool = True
