"""From items to answers: encode, pass the model, calibrate, decode. Knows nothing of HTTP.

The model has one thread. An answer is a generator that pauses after each pass, so that a question with thousands of
rows keeps no other waiting for longer than a pass.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from serving.problem import Fault, Problem, invalid
from tasks.data import program
from tasks.model import forward
from tasks.model.cache import Cache
from tasks.model.model import Model
from tasks.task import FloatArray, Head, Inputs, IntArray, Prediction, Task
from tasks.validate import calibration, rationale
from tasks.validate.calibration import Calibration, Told

log = logging.getLogger("assay.serving")

TURN = 64  # rows after which a long question lets others go first: one pass of the body
WRITTEN = 8  # the same of rows for which programs are written, a pass for each symbol
Done = TypeVar("Done")
Turns = Generator[None, None, Done]


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


@dataclass(frozen=True)
class Outcome:
    """One answer as the caller gets it, and the raw numbers behind it, which the decision log keeps."""

    answer: dict[str, Any]
    raw: list[list[float]]


def answer(served: Served, items: Sequence[Any]) -> Turns[list[Outcome]]:
    """Answers to items of one task, in their order. Raises Problem 422 where an item cannot be answered."""
    inputs = encode(served.task, items)
    found = yield from _features([served], {served.task.name: inputs})
    return _outcomes(served, items, inputs, found[served.task.name])


def analyze(release: Release, items: Mapping[str, Any]) -> Turns[list[Outcome]]:
    """One item per task, answered together: tasks on the same backbone share its pass."""
    asked = {name: release.served[name] for name in items}
    inputs = {name: encode(asked[name].task, [item]) for name, item in items.items()}
    found = yield from _features(list(asked.values()), inputs)
    return [_outcomes(asked[name], [item], inputs[name], found[name])[0] for name, item in items.items()]


def advance(turns: Turns[Done]) -> tuple[bool, Done | None]:
    """The next turn of an answer: (True, the answer) after the last one, else (False, None)."""
    try:
        next(turns)
    except StopIteration as end:
        return True, end.value
    return False, None


def encode(task: Task, items: Sequence[Any]) -> Inputs:
    """What the model sees of the items. Raises Problem 422 that names the item which cannot be read."""
    try:
        return task.encode(items)
    except ValueError as error:
        place = next((n for n, item in enumerate(items) if _refuses(task, item)), 0)
        raise _unanswerable(error, place, len(items)) from error


def _features(asked: Sequence[Served], inputs: Mapping[str, Inputs]) -> Turns[dict[str, forward.Features]]:
    """The hidden states of all rows, a turn at a time; a text that comes again is read once."""
    models = {id(served.model): (served.model, Cache()) for served in asked}
    parts: dict[str, list[forward.Features]] = {name: [] for name in inputs}
    turn = min(TURN if served.task.writer is None else WRITTEN for served in asked)
    for start in range(0, max(1, *map(len, inputs.values())), turn):
        if start:
            yield
        for key, (model, cache) in models.items():
            names = [served.task.name for served in asked if id(served.model) == key]
            rows = {n: _some(inputs[n], start, turn) for n in names if start < max(1, len(inputs[n]))}
            for name, found in forward.features_many(model, rows, cache).items():
                parts[name].append(found)
    return {name: _joined(found) for name, found in parts.items()}


def _some(inputs: Inputs, start: int, turn: int) -> Inputs:
    return inputs.take(np.arange(start, min(start + turn, len(inputs))))


def _joined(parts: Sequence[forward.Features]) -> forward.Features:
    """The features of rows that were computed in turns, one after the other."""

    def along(values: Sequence[Any]) -> Any:
        return None if any(value is None for value in values) else np.concatenate(values)

    rest = [field.name for field in fields(forward.Features) if field.name not in ("hidden", "rows")]
    return forward.Features(
        hidden={name: along([part.hidden[name] for part in parts]) for name in parts[0].hidden},
        rows=sum(part.rows for part in parts),
        **{name: along([getattr(part, name) for part in parts]) for name in rest},
    )


def _outcomes(served: Served, items: Sequence[Any], inputs: Inputs, found: forward.Features) -> list[Outcome]:
    told = say(served, inputs, found)
    outcomes = []
    for place, item in enumerate(items):
        own = told.of(place)
        try:
            filled = served.task.answer.model_validate(served.task.decode(item, own.predicted))
        except ValidationError:
            raise  # the task broke its own promise: a fault of ours, not of the caller
        except ValueError as error:
            raise _unanswerable(error, place, len(items)) from error
        said = {
            "decision": uuid.uuid4().hex,
            "task": served.task.name,
            "version": served.version,
            "digest": served.digest,
            "answer": filled.model_dump(mode="json"),
            **own.record,
        }
        outcomes.append(Outcome(_reasoned(served.task, item, said, own, inputs), own.raw))
    return outcomes


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
    """What a version says of one item: its rows, what decode is given, what every answer carries, raw numbers."""

    rows: IntArray
    predicted: Prediction
    record: dict[str, Any]
    raw: list[list[float]]


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
        record = _merged(records, bool(self.truncated[rows].any()))
        return Own(rows, self.predicted.take(rows), record, program.kept(self.raw[rows]))


def say(served: Served, inputs: Inputs, found: forward.Features) -> Said:
    """One version on the hidden states of its inputs: raw numbers, records, flags. Shared by every way in."""
    head, name = served.task.head, served.task.name
    raw = forward.combine(served.model, name, found)
    order = np.argsort(inputs.owner, kind="stable")
    items = int(inputs.owner.max(initial=-1)) + 1
    return Said(
        head=head,
        raw=raw,
        told=calibration.tell(head, served.calibration, raw, forward.side_by_side(served.model, name, found)),
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
    flags = most | {"truncated": truncated, "borderline": near}
    if len(records) == 1:
        return {**records[0], "flags": flags}
    parts = ("probability", "interval", "set")
    lists = {part: [record[part] for record in records] for part in parts}
    return {part: None if None in rows else rows for part, rows in lists.items()} | {"flags": flags}


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
