"""Those whom a version refuses on the test rows: the reasons that it gives them, and the ways out that it confirms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.data.reasons import Reason, ReasonList
from tasks.model import forward
from tasks.model.folder import Folder
from tasks.model.model import Model
from tasks.task import Inputs, Rows
from tasks.validate import counterfactual, reasons, reasons_file
from tasks.validate.calibration import from_json
from tasks.validate.counterfactual import Counterfactual

MOST = 50  # refused rows that are told
WITHOUT_TEXT = frozenset({"text"})


@dataclass(frozen=True)
class Refused:
    """One refused test row: its id, calibrated log odds, reasons, and ways out."""

    row: str
    log_odds: float
    reasons: tuple[Reason, ...]
    ways: tuple[Counterfactual, ...]


@dataclass(frozen=True)
class Refusals:
    """The list of a version, how many test rows it refuses, and those that are told, the least clear ones first."""

    listed: ReasonList
    count: int
    told: tuple[Refused, ...]


def explain(model: Model, name: str, folder: Folder, test: Rows) -> Refusals | None:
    """What the refused test rows would be told; None where the version keeps no list. Raises ValueError as its file."""
    known = reasons_file.of_folder(folder, model.tasks[name])
    if known is None:
        return None
    raw = forward.raw(model, name, test.inputs)[:, 0]
    refused = [at for at in np.argsort(np.abs(raw), kind="stable").tolist() if reasons.is_adverse(known, raw[at])]
    temperature = from_json(folder.read(folder.calibration)).temperature
    told = []
    for at in refused[:MOST]:
        row = test.inputs.take(np.array([at]))
        ways = counterfactual.search(
            model.tasks[name],
            known,
            row,
            quick=lambda rows: forward.raw(model, name, Inputs(rows.owner, table=rows.table), WITHOUT_TEXT),
            raw=lambda rows: forward.raw(model, name, rows),
        )
        found = reasons.reasons(model, name, known, row, float(raw[at]), temperature)
        told.append(Refused(test.ids[at], float(raw[at]) / temperature, tuple(found), ways))
    return Refusals(known.listed, len(refused), tuple(told))
