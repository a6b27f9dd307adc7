"""From items to answers: encode, pass the model, calibrate, decode. Knows nothing of HTTP, and of no other request."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from serving import flags
from serving.outcome import Outcome
from serving.problem import Fault, Problem, invalid
from tasks.data import program
from tasks.model import forward
from tasks.model.features import Features
from tasks.model.model import Model
from tasks.task import FloatArray, Head, Inputs, IntArray, Prediction, Task
from tasks.validate import calibration, rationale
from tasks.validate.calibration import Calibration, Told

log = logging.getLogger("assay.serving")


@dataclass(frozen=True)
class Served:
    """One task as this release answers it. `model` holds the weights; tasks on the same backbone share it."""

    task: Task
    version: str
    digest: str
    since: str
    model: Model
    calibration: Calibration


@dataclass(frozen=True)
class Release:
    """What one deployment answers with. A request sees one release from start to end."""

    served: Mapping[str, Served]
    number: int
    digest: str
    since: str


def answer(served: Served, items: Sequence[Any], asked: Sequence[datetime] = ()) -> list[Outcome]:
    """Answers to items of one task, in their order, beside nobody else's. Raises Problem 422 for what has none.

    `asked` are the moments at which a replay's items were asked; without them it is now.
    """
    inputs, name = encode(served.task, items), served.task.name
    found = forward.features_many(served.model, {name: inputs})[name]
    return outcomes(served, items, inputs, say(served, inputs, found), asked=asked)


def encode(task: Task, items: Sequence[Any]) -> Inputs:
    """What the model sees of the items. Raises Problem 422 that names the item which cannot be read."""
    try:
        return task.encode(items)
    except ValueError as error:
        place = next((n for n, item in enumerate(items) if _refuses(task, item)), 0)
        raise _unanswerable(error, place, len(items)) from error


def outcomes(
    served: Served, items: Sequence[Any], inputs: Inputs, said: Said, first: int = 0, asked: Sequence[datetime] = ()
) -> list[Outcome]:
    """The answers to items of one request, which stand in `inputs` and `said` from the item `first` on.

    Raises Problem 422 that names the item which cannot be answered.
    """
    found = []
    for place, item in enumerate(items):
        own = said.of(first + place)
        odd = flags.odd(served.task, item, inputs, own.rows, asked[place] if asked else None)
        try:
            filled = served.task.answer.model_validate(served.task.decode(item, own.predicted))
        except ValidationError:
            raise  # the task broke its own promise: a fault of ours, not of the caller
        except ValueError as error:
            raise _unanswerable(error, place, len(items)) from error
        told = {
            "decision": uuid.uuid4().hex,
            "task": served.task.name,
            "version": served.version,
            "digest": served.digest,
            "answer": filled.model_dump(mode="json"),
            **own.record,
            "flags": flags.with_odd(own.record["flags"], odd),
            "unread": flags.unread(served.model, served.task, item, texts(inputs, own.rows) or (), own.cut),
        }
        found.append(Outcome(_reasoned(served.task, item, told, own, inputs), own.raw))
    return found


def _reasoned(task: Task, item: Any, said: dict[str, Any], own: Own, inputs: Inputs) -> dict[str, Any]:
    """The answer with its rationale, or with the flag that it has none for it disagrees."""
    decision = rationale.Decision(item, said["answer"], own.predicted, said["flags"], texts(inputs, own.rows))
    written = rationale.write(task, decision)
    if written.fault is not None:
        log.warning("the rationale of a decision on %s is withheld: %s", task.name, written.fault)
    return {**said, "rationale": written.text, "flags": {**said["flags"], "disagrees": written.disagrees}}


def texts(inputs: Inputs, rows: IntArray) -> list[str] | None:
    """What the model read of some rows; None where they hold no text."""
    return None if inputs.text is None else [inputs.text[row] for row in rows.tolist()]


@dataclass(frozen=True)
class Own:
    """What a version says of one item: its rows, what decode is given, what every answer carries, raw numbers.

    `cut` says of each row whether the end of its text was not read.
    """

    rows: IntArray
    predicted: Prediction
    record: dict[str, Any]
    raw: list[list[float]]
    cut: list[bool]


@dataclass(frozen=True)
class Said:
    """What a version says of n items, whose rows lie in `order`, those of item k from bounds[k] to bounds[k + 1]."""

    head: Head
    raw: FloatArray
    told: Told
    predicted: Prediction
    truncated: NDArray[np.bool_]
    order: IntArray
    bounds: IntArray

    def of(self, place: int) -> Own:
        """The item at `place`."""
        rows = self.order[self.bounds[place] : self.bounds[place + 1]]
        records = [calibration.record(self.head, self.told, row) for row in rows.tolist()]
        cut = self.truncated[rows].tolist()
        return Own(rows, self.predicted.take(rows), _merged(records, any(cut)), program.kept(self.raw[rows]), cut)


def say(served: Served, inputs: Inputs, found: Features) -> Said:
    """One version on the hidden states of its inputs: raw numbers, records, flags. Shared by every way in."""
    head, name = served.task.head, served.task.name
    raw, hidden = forward.combine(served.model, name, found), forward.side_by_side(served.model, name, found)
    order = np.argsort(inputs.owner, kind="stable")
    items = int(inputs.owner.max(initial=-1)) + 1
    return Said(
        head=head,
        raw=raw,
        told=calibration.tell(head, served.calibration, raw, hidden, forward.beyond(served.model, name, inputs)),
        predicted=calibration.predict(head, served.calibration, raw),
        truncated=np.zeros(len(inputs), dtype=np.bool_) if found.truncated is None else found.truncated,
        order=order,
        bounds=np.searchsorted(inputs.owner[order], np.arange(items + 1)),
    )


def _merged(records: Sequence[dict[str, Any]], truncated: bool) -> dict[str, Any]:
    """One record for an item: its row's own, or lists over its rows.

    A flag is up where half of the rows carry it, `borderline` where one does.
    """
    names = sorted({name for record in records for name in record["flags"]})
    most = {name: 2 * sum(record["flags"][name] for record in records) >= len(records) for name in names}
    near = any(record["flags"]["borderline"] for record in records)
    up = most | {"truncated": truncated, "borderline": near}
    if len(records) == 1:
        return {**records[0], "flags": up}
    parts = ("probability", "interval", "set")
    lists = {part: [record[part] for record in records] for part in parts}
    return {part: None if None in rows else rows for part, rows in lists.items()} | {"flags": up}


def _refuses(task: Task, item: Any) -> bool:
    try:
        task.encode([item])
    except ValueError:
        return True
    return False


def _unanswerable(error: ValueError, place: int, count: int) -> Problem:
    prefix = f"/{place}" if count > 1 else ""
    faults = invalid(error, prefix) if isinstance(error, ValidationError) else [Fault(path=prefix, message=str(error))]
    return Problem(422, "the item fits the task's form but cannot be answered", faults)
