"""What comes in over a stream and what goes out: ticks read strictly, answers as JSON. Knows nothing of sockets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from serving.problem import Problem
from serving.request import read_items
from tasks.data.amounts import LARGEST
from tasks.data.dates import Stamp

NAME = r"^[!-~]{1,64}$"  # printable ASCII without blanks
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICRO = timedelta(microseconds=1)


class Tick(BaseModel):
    """One value of one instrument, at equal steps. A number for a time counts from 1970."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: Annotated[str, Field(pattern=NAME)]
    time: Stamp
    value: Annotated[float, Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)]

    @field_validator("time")
    @classmethod
    def _zoned(cls, time: datetime) -> datetime:
        if time.tzinfo is None:
            raise ValueError("the time has no zone: write 2026-03-01T09:30:00Z, or a number that counts from 1970")
        return time

    @property
    def micros(self) -> int:
        """Microseconds since 1970."""
        return (self.time - EPOCH) // MICRO


@dataclass(frozen=True, slots=True)
class Answer:
    """What one tick is answered.

    seq    how many ticks of the instrument were taken, this one included where it was
    score  of the detector; None for a tick that was not taken, and until the instrument's history is long enough
    since  the `seq` at which the run of far values began, at an alarm
    why    what was the matter: a word that programs read, and a sentence
    """

    instrument: str
    seq: int
    score: float | None = None
    alarm: bool = False
    since: int | None = None
    version: str = ""
    decision: str | None = None
    why: str | None = None
    detail: str | None = None


def read(text: str) -> tuple[list[Tick], bool]:
    """The ticks of a message, and whether they came as a list. Raises Problem, as the body of a request would."""
    return read_items(text.encode("utf-8", "surrogatepass"), Tick)


def write(answers: Sequence[Answer], many: bool) -> str:
    """The message that answers one of ticks: a list where a list was asked, in its order."""
    found = [_document(each) for each in answers]
    return json.dumps(found if many else found[0], allow_nan=False)


def refusal(problem: Problem) -> str:
    """The message that answers one which could not be read: the problem, whose `why` is "invalid"."""
    errors = [each.model_dump() for each in problem.errors]
    return json.dumps({"why": "invalid", "detail": problem.detail, "errors": errors})


def _document(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {
        "instrument": answer.instrument,
        "seq": answer.seq,
        "score": answer.score,
        "alarm": answer.alarm,
        "since": answer.since,
        "version": answer.version,
    }
    if answer.decision is not None:
        found["decision"] = answer.decision
    return found if answer.why is None else {**found, "why": answer.why, "detail": answer.detail}
