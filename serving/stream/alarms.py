"""Alarms in the log of answers: each is a decision, on disk before it is sent. Other ticks stand in the journal alone.

Sealed is the tick with what the detector said of it, so that a replay asks the version again, not the history.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict

from serving import decisions
from serving.decisions import Asked, Given
from serving.outcome import Outcome
from serving.stream.engine import Alarm
from serving.stream.judge import Judge
from tasks.anomaly.task import TASK
from tasks.validate import calibration


class Heard(BaseModel):
    """A tick and the detector's score of it: what the version was asked."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: str
    time: str
    value: float
    seq: int
    score: float


def keeper(decision_log: decisions.Log) -> Callable[[Judge, Sequence[Alarm]], None]:
    """A function that puts alarms into the log, and returns once they are on disk. It raises NoRoom, OSError."""

    def keep(judge: Judge, alarms: Sequence[Alarm]) -> None:
        waits = []
        for tenant in {alarm.tenant for alarm in alarms}:
            own = [alarm for alarm in alarms if alarm.tenant == tenant]
            outcomes = [_outcome(judge, alarm) for alarm in own]
            given = Given([_heard(alarm) for alarm in own], outcomes, None)
            waits.append(decisions.put(decision_log, Asked(tenant), given))
        for wait in waits:
            wait.result()

    return keep


def is_alarm(held: Mapping[str, Any] | None) -> bool:
    """Whether what was sealed of a decision is an alarm of a stream."""
    return held is not None and held["item"].keys() == Heard.model_fields.keys()


def again(judge: Judge, held: Mapping[str, Any]) -> dict[str, Any]:
    """What a version says now of a sealed alarm: its answer with `raw`. Score and beginning are the history's."""
    (odds,) = judge.odds(np.array([held["item"]["score"]])).tolist()
    own = {"version": judge.version, "digest": judge.digest, **_sure(judge, odds)}
    return {**held["answer"], **own, "answer": {**held["answer"]["answer"], "alarm": odds >= 0}, "raw": [[odds]]}


def _heard(alarm: Alarm) -> Heard:
    tick, answer = alarm.tick, alarm.answer
    score = answer.score
    assert score is not None
    time = tick.time.isoformat()
    return Heard(instrument=tick.instrument, time=time, value=tick.value, seq=answer.seq, score=score)


def _outcome(judge: Judge, alarm: Alarm) -> Outcome:
    answer = alarm.answer
    told = {"score": answer.score, "alarm": answer.alarm, "since": answer.since, "seq": answer.seq}
    said = {"decision": answer.decision, "task": TASK.name, "version": judge.version, "digest": judge.digest}
    return Outcome({**said, "answer": told, **_sure(judge, alarm.odds)}, [[alarm.odds]])


def _sure(judge: Judge, odds: float) -> dict[str, Any]:
    """What every answer carries: the calibrated probability, no set and no interval, flags."""
    chance = calibration.probability(TASK.head, np.array([[odds]]))
    near = calibration.borderline(TASK.head, judge.calibration, chance, None, 1)[0]
    probability = dict(zip(TASK.head.outputs, chance[0].tolist(), strict=True))
    flags = {"abstained": False, "borderline": near}
    return {"probability": probability, "interval": None, "set": None, "flags": flags}
