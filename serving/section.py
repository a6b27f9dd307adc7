"""The recipe's [serve] and [release]: how many replicas answer, and how a new version comes to answer at all.

Light: the recipe's reader needs it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from tasks.task import Section

Share = Annotated[float, Field(gt=0, le=1)]


class Autoscale(Section):
    """Between so many replicas Serve keeps each at `target_ongoing_requests` requests under way, by the last 30 s."""

    min_replicas: int = Field(default=2, ge=1, le=64)
    max_replicas: int = Field(default=4, ge=1, le=64)
    target_ongoing_requests: float = Field(default=16.0, gt=0, le=128)  # 128 is where a replica refuses

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.max_replicas < self.min_replicas:
            raise ValueError(f"max_replicas {self.max_replicas} is below min_replicas {self.min_replicas}; raise it")
        return self


class ServeSection(Section):
    """Two replicas, so that one which dies is not an outage; one thread each, since a replica's passes are short.

    With `autoscale` their number follows the load instead. A request that has not begun `deadline_ms` after it came is
    refused with 503: who asks again later is served.
    """

    replicas: int = Field(default=2, ge=1, le=64)
    threads: int = Field(default=1, ge=1, le=64)
    autoscale: Autoscale | None = None
    deadline_ms: int = Field(default=300, ge=1, le=600_000)


class Limits(Section):
    """What a challenger must not exceed, each as a mean over requests.

    error_rate    share of its own requests that it cannot answer, where the champion can
    p99_ratio     its 99th percentile of time, in champion's
    disagreement  share of requests that it decides otherwise than the champion
    score_shift   distance of its scores from the champion's: total variation, or of means in widths of the interval
    quality       share of decisions, labelled while it is on trial, that it gets wrong beyond the champion's share
    """

    error_rate: float = Field(default=0.005, gt=0, lt=1)
    p99_ratio: float = Field(default=2.0, ge=1, allow_inf_nan=False)
    disagreement: float = Field(default=0.15, gt=0, lt=1)
    score_shift: float = Field(default=0.2, gt=0, lt=1)
    quality: float = Field(default=0.05, gt=0, lt=1)


class ReleaseSection(Section):
    """Who lets a version answer: a person (the default), or the recipe itself, which is recorded as such.

    steps     what a version on trial goes through: compared in the shadow, then shares of the clients, all of them last
    limits    each is tested after every request; `alpha` is the chance of a false alarm in a whole release, by limit
    requests  how many it must have been seen on in a step before the next
    """

    approval: Literal["person", "automatic"] = "person"
    steps: tuple[Literal["shadow"] | Share, ...] = ("shadow", 0.01, 0.1, 0.5, 1.0)
    limits: Limits = Limits()
    alpha: float = Field(default=0.001, gt=0, lt=0.5)
    requests: int = Field(default=200, ge=1)

    @field_validator("steps")
    @classmethod
    def _grow(cls, steps: tuple[Literal["shadow"] | float, ...]) -> tuple[Literal["shadow"] | float, ...]:
        shares = [0.0 if step == "shadow" else float(step) for step in steps]
        if not shares or shares[-1] != 1 or any(one >= other for one, other in pairwise(shares)):
            raise ValueError('steps grow and end with 1, as ["shadow", 0.01, 0.1, 0.5, 1]')
        return steps

    def names(self) -> tuple[str, ...]:
        """The steps as the registry writes them: shadow, 0.01 ... 1."""
        return tuple(step if isinstance(step, str) else f"{step:g}" for step in self.steps)


DEFAULT, RELEASE = ServeSection(), ReleaseSection()
