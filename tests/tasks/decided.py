"""Decisions of compliance and risk from numbers that a test chooses, as a version would make them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

import tasks
from tasks.compliance.source import OUTPUTS
from tasks.data.reasons import Reason
from tasks.task import Task
from tasks.validate import rationale
from tasks.validate.calibration import Calibration, predict
from tasks.validate.rationale import Decision

COMPLIANCE, RISK = tasks.get("compliance"), tasks.get("risk")
CLAUSES = "The card costs 4 euros. Paylora may close your account without notice. You may cancel at any time."
NONE = {"truncated": False, "out_of_distribution": False, "abstained": False}


def decided(task: Task, item: Any, raw: Any, reasons: list[Reason] | None = None, **flags: bool) -> Decision:
    """What a version with these calibrated numbers decides of an item, and the reasons that it gives, if any."""
    found = predict(task.head, Calibration(), np.asarray(raw, dtype=np.float64))
    own = {} if reasons is None else {"reasons": reasons}
    answer = task.answer(**task.decode(item, found), **own).model_dump(mode="json")
    return Decision(item, answer, found, NONE | flags, task.encode([item]).text)


def clauses(text: str, *highest: tuple[str, int, float], **flags: bool) -> Decision:
    """A text of which some sentences hold some outputs; every other logit is -3."""
    item = COMPLIANCE.item(text=text)
    raw = np.full((len(COMPLIANCE.encode([item])), len(OUTPUTS)), -3.0)
    for name, row, value in highest:
        raw[row, OUTPUTS.index(name)] = value
    return decided(COMPLIANCE, item, raw, **flags)


def applicant(logit: float, flags: dict[str, bool] | None = None, **fields: Any) -> Decision:
    """An applicant with the reasons that a version would give where default is the likelier."""
    item = RISK.item(**{**RISK.example, **fields})
    held = [
        Reason(
            code=RISK.reasons.codes[name].code,
            attribute=name,
            values={name: getattr(item, name)},
            log_odds=1 - at / 9,
            ci95=(0.1, 2),
            text=RISK.reasons.codes[name].text,
        )
        for at, name in enumerate(("checking_account", "housing", "duration_months", "employment"))
    ]
    return decided(RISK, item, [[logit]], reasons=held if logit > 0 else [], **(flags or {}))


def checked(task: Task, decision: Decision, text: str) -> None:
    assert task.rationale is not None
    rationale.check(task, task.rationale, decision, text)


def lying(task: Task, lie: Callable[[str], str]) -> Task:
    """The task with a writer whose sentences are then changed."""
    how = task.rationale
    assert how is not None
    return dataclasses.replace(task, rationale=dataclasses.replace(how, write=lambda given: lie(how.write(given))))
