"""Checks before anything is learned from rows: the contract's shapes, labels, times; and deduplication."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from tasks.task import PROGRAM, UNDATED, DataError, FloatArray, Head, Inputs, IntArray, Rows, Task

CHUNK = 20_000  # rows that are brought to bytes together


def check(task: Task, rows: Rows) -> None:
    """Refuse rows that break the contract: none, no time, known too early, a target that is no number, wrong shapes."""
    if not len(rows):
        raise DataError(f"the source of {task.name} holds no rows: give it at least one per class and split")
    width = width_of(task.head)
    if rows.target.shape != (len(rows), width):
        raise DataError(
            f"{task.name} targets have shape {rows.target.shape}, not {(len(rows), width)}: mend its source"
        )
    for name, wrong, cure in (
        ("time", np.isnat(rows.time) | np.isnat(rows.known), "give every row a time"),
        ("known time", rows.known < rows.time, "a row is known at or after the time it happened"),
        ("target", _unlabelled(task, rows.target), "remove the rows without a label"),
    ):
        if wrong.any():
            first = int(np.flatnonzero(wrong)[0])
            raise DataError(
                f"{int(wrong.sum())} of {len(rows)} rows of {task.name} have a wrong {name} "
                f"(first: row {rows.ids[first]!r}): {cure}"
            )
    _check_shapes(task, rows.inputs)


def width_of(head: Head) -> int:
    """How many numbers the target of a row has."""
    return {"multilabel": len(head.outputs), "program": 2 + PROGRAM}.get(head.kind, 1)


def _unlabelled(task: Task, target: FloatArray) -> NDArray[np.bool_]:
    """(n,) rows without a label: a number that is none. A program may be unknown where its answer is known, or it."""
    known = np.isfinite(target)
    if task.head.kind == "program":
        return np.asarray(~(known[:, 1] & (known[:, 0] | known[:, 2])))
    return np.asarray(~known.all(axis=1))


def _check_shapes(task: Task, inputs: Inputs) -> None:
    """Refuse inputs whose width is not the declared one, or a series with a hole."""
    missing = [part for part in task.needs if part not in inputs.modalities]
    if missing:
        raise DataError(f"the rows of {task.name} hold no {missing[0]}, which it needs: map a column to it")
    if inputs.table is not None and inputs.table.shape[1] != len(task.features):
        raise DataError(
            f"{task.name} tables have {inputs.table.shape[1]} columns, not {len(task.features)}: mend its encode"
        )
    if inputs.table is not None and np.isinf(inputs.table).any():
        raise DataError(f"a table of {task.name} holds an infinite value: leave it empty where it is unknown")
    if inputs.series is not None:
        if inputs.series.shape[1:] != (len(task.channels), task.length):
            raise DataError(
                f"{task.name} series have shape {inputs.series.shape[1:]}, not {(len(task.channels), task.length)}: "
                "mend its encode"
            )
        if not np.isfinite(inputs.series).all():
            raise DataError(f"a series of {task.name} holds a value that is no number: fill or cut the gap")


def check_labels(task: Task, rows: Rows, absent: Sequence[str] = ()) -> None:
    """Refuse labels outside the head's outputs, training or test rows of one class, and outputs that no row has.

    `absent` are the outputs that are declared to have none.
    """
    head, target = task.head, rows.target
    if head.kind == "program":
        _check_absent(task, rows, absent)
        return
    top = len(head.outputs) - 1 if head.kind == "classify" else 1
    if head.kind != "regress" and not np.isin(target, np.arange(top + 1)).all():
        wrong = target[~np.isin(target, np.arange(top + 1))][0]
        raise DataError(
            f"a label of {task.name} is {wrong:g}, outside 0..{top} ({', '.join(head.outputs)}): mend the labels"
        )
    for name in ("train", "test"):
        part = target[rows.split == name]
        if len(np.unique(part, axis=0)) < 2:
            raise DataError(
                f"the {len(part)} {name} rows of {task.name} are all of one class: add rows of another class"
            )
    _check_absent(task, rows, absent)


def _check_absent(task: Task, rows: Rows, absent: Sequence[str]) -> None:
    """Refuse outputs without a row that are not declared so, and declared ones that have rows or are none."""
    unknown = [name for name in absent if name not in outputs(task)]
    if unknown:
        raise DataError(
            f"tasks.{task.name}.absent names {unknown[0]!r}, which is no output; they are {', '.join(outputs(task))}"
        )
    lacking = absent_outputs(task, rows)
    undeclared = [name for name in lacking if name not in absent]
    if undeclared:
        listed = ", ".join(f'"{name}"' for name in lacking)
        raise DataError(
            f"no row of {task.name} is {' or '.join(map(repr, undeclared))}: the version would never say so; add rows "
            f"of it, or declare that with tasks.{task.name}.absent = [{listed}]"
        )
    there = [name for name in absent if name not in lacking]
    if there:
        raise DataError(f"tasks.{task.name}.absent names {there[0]!r}, and rows have it: leave it out of absent")


def outputs(task: Task) -> tuple[str, ...]:
    """The outputs that a row can have: the two sides of a score; none of a program."""
    if task.head.kind == "program":
        return ()
    return ("0", "1") if task.head.kind == "score" else task.head.outputs


def has_output(task: Task, rows: Rows) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Each output, and which rows have it (n,)."""
    for at, name in enumerate(outputs(task)):
        yield name, rows.target[:, at] > 0 if task.head.kind == "multilabel" else rows.target[:, 0] == at


def absent_outputs(task: Task, rows: Rows) -> tuple[str, ...]:
    """The outputs that no row has; a number and a program have none."""
    if task.head.kind in ("regress", "program"):
        return ()
    return tuple(name for name, held in has_output(task, rows) if not held.any())


def as_of(rows: Rows, day: datetime | None) -> Rows:
    """The rows that happened and were known by `day`; an item with a later row is left out as a whole."""
    if day is None:
        return rows
    if (rows.time == UNDATED).all():
        raise DataError(
            f"data.as_of = {day.isoformat()} needs dated rows, and this source has no times: map a time column"
        )
    moment = np.datetime64(day.astimezone(UTC).replace(tzinfo=None) if day.tzinfo else day, "us")
    late = np.unique(rows.inputs.owner[(rows.time > moment) | (rows.known > moment)])
    kept = np.flatnonzero(~np.isin(rows.inputs.owner, late))
    if not len(kept):
        raise DataError(
            f"data.as_of = {day.isoformat()} leaves no row (the first is of {rows.time.min()}): take a later day"
        )
    return rows.take(kept)


def deduplicated(rows: Rows) -> Rows:
    """Each item once (deduplication): the earliest stays; a test row is never repeated in training or validation.

    Rows with text repeat each other where all inputs are equal; rows of numbers alone also need the same moment and
    group, since two calm windows may be equal by chance, and where they have neither the same id: two people may be
    alike in all that a table says of them. A test split that the source gives is published: it is kept.
    """
    owners, first, item = np.unique(rows.inputs.owner, return_index=True, return_inverse=True)
    keys = _item_keys(rows, item, first)
    ranks = np.select([rows.split[first] == name for name in ("test", "valid", "train")], [0, 1, 2], 3)
    published = (ranks == 0).tolist()
    seen: set[bytes] = set()
    keep = np.zeros(len(owners), dtype=bool)
    for number in np.lexsort((first, rows.known[first], ranks)).tolist():
        keep[number] = keys[number] not in seen or published[number]
        seen.add(keys[number])
    return rows.take(np.flatnonzero(keep[item]))


def _item_keys(rows: Rows, item: IntArray, first: IntArray) -> list[bytes]:
    """What makes an item the same as another: the digest of its rows in their order."""
    digests = row_digests(rows)
    for index in np.flatnonzero(alone(rows)).tolist():
        digests[index] += rows.ids[index].encode()
    if len(first) == len(rows):
        return [digests[index] for index in first.tolist()]
    keys = [hashlib.sha256() for _ in first]
    for index, number in enumerate(item.tolist()):
        keys[number].update(digests[index])
    return [key.digest() for key in keys]


def alone(rows: Rows) -> NDArray[np.bool_]:
    """(n,) rows of numbers with neither a time nor a group: nothing but their id tells two equal ones apart."""
    if rows.inputs.text is not None:
        return np.zeros(len(rows), dtype=np.bool_)
    return np.asarray((rows.time == UNDATED) & (rows.group == ""))


def alike(rows: Rows) -> tuple[IntArray, IntArray]:
    """Of rows of numbers with neither time nor group: where they stand (m,), and a number that alike ones share (m,).

    Sums of the bits with odd weights stand for the values: a million rows need no hash each, and two rows that meet by
    chance are merely taken for alike.
    """
    arrays = [held for held in (rows.inputs.table, rows.inputs.series) if held is not None]
    plain = np.flatnonzero(alone(rows)) if arrays else np.zeros(0, dtype=np.int64)
    if not len(plain):
        return plain, plain
    values = np.concatenate([held[plain].reshape(len(plain), -1) for held in arrays], axis=1)
    odd = np.random.default_rng(0).integers(2**63, size=values.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
    sums = (np.ascontiguousarray(values).view(np.uint64) * odd).sum(axis=1, dtype=np.uint64)
    return plain, np.unique(sums, return_inverse=True)[1].reshape(-1)


def row_digests(rows: Rows) -> list[bytes]:
    """What makes a row the same as another."""
    return [digest for start in range(0, len(rows), CHUNK) for digest in _digests(rows, start, start + CHUNK)]


def _digests(rows: Rows, start: int, end: int) -> Iterator[bytes]:
    """The digests of some rows, from columns brought to bytes together: a call per value costs more than its hash."""
    inputs = rows.inputs
    if inputs.text is not None:
        heads = [" ".join(text.split()) for text in inputs.text[start:end]]
    else:
        moments, groups = np.datetime_as_string(rows.time[start:end]).tolist(), rows.group[start:end].tolist()
        heads = [f"{moment}|{group}|" for moment, group in zip(moments, groups, strict=True)]
    blocks = [array[start:end] for array in (inputs.table, inputs.series) if array is not None]
    data = [np.ascontiguousarray(block).reshape(len(heads), -1) for block in blocks]
    bodies = [block.view(np.uint8).reshape(len(heads), -1) for block in data if block.size]
    for place, head in enumerate(heads):
        digest = hashlib.sha256(head.encode())
        for body in bodies:
            digest.update(b"|" + body[place].tobytes())
        yield digest.digest()
