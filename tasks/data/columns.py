"""A user's file as labelled rows: columns read some thousands of rows at a time, every wrong row with its reason."""

from __future__ import annotations

import dataclasses
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tasks.data.carried import Carried, carried_of
from tasks.data.cells import missing_of
from tasks.data.check import width_of
from tasks.data.files import open_file
from tasks.data.items import items_of
from tasks.data.mapping import Columns, mapping_of
from tasks.data.section import FileSection
from tasks.data.sheet import KEPT, Mistakes, Sheet, UserFile
from tasks.task import DataError, FloatArray, Inputs, IntArray, ReadRows, Rows, Task

WRITTEN = {"zone": "dates with a zone", "no zone": "dates without a zone"}


@dataclass(frozen=True)
class Reading:
    """What a user's file gave.

    facts     for the card: how the file was read, which columns were used, what was missing
    rejected  (row, reason) of each row that was left out; no more of them than file.max_bad_rows
    errors    what refuses the file; rows holds the rest of it all the same
    """

    rows: Rows
    facts: Mapping[str, Any]
    warnings: tuple[str, ...]
    rejected: tuple[tuple[str, str], ...]
    errors: tuple[ValueError, ...]


@dataclass
class _Held:
    """What has been read so far."""

    inputs: list[Inputs] = field(default_factory=list)
    target: list[FloatArray] = field(default_factory=list)
    times: list[IntArray] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    split: list[str] = field(default_factory=list)
    protected: dict[str, list[str]] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    errors: list[ValueError] = field(default_factory=list)
    bad: int = 0
    read: int = 0
    items: int = 0


def read_file(task: Task, path: str, columns: Mapping[str, str], how: FileSection = FileSection()) -> Rows:  # noqa: B008
    """The labelled rows of one file, with no more rows left out than `how.max_bad_rows`.

    Raises DataError that names the first wrong rows and the cure.
    """
    return whole(reading(task, opened(path, how), columns, how))


def opened(path: str, how: FileSection) -> UserFile:
    """A user's file of which every wrong row is met, however many; who reads it counts them. Raises DataError."""
    return open_file(path, how.model_copy(update={"max_bad_rows": sys.maxsize}))


def whole(found: Reading) -> Rows:
    """The rows of a file that nothing refuses. Raises the first error."""
    if found.errors:
        raise found.errors[0]
    return found.rows


def reading(task: Task, file: UserFile, columns: Mapping[str, str], how: FileSection) -> Reading:
    """Read an opened file whole, and say all that is wrong with it.

    `columns` maps an item field, or target, time, known, group, id, split, to the file's column; what is not mapped
    has the same name. Without a time column the rows are undated; `known` is the time where it is not given.
    Raises DataError where nothing can be read at all.
    """
    path = file.path
    used = mapping_of(task, path, columns, file.columns)
    held = _Held()
    for sheet in file.chunks():
        _take(task, used, sheet, file.cells, how, held)
    if not held.ids and not held.bad:
        raise DataError(f"{path} holds no rows: give it at least one row per class")
    if not held.ids:
        raise Mistakes(path, held.wrong, held.bad, "wrong rows")
    said, wrong = _times(task, held)
    errors = [*held.errors, *(DataError(sentence) for sentence in wrong)]
    warnings = [*file.facts.get("notes", ()), *used.warnings, *held.doubts]
    if held.bad > how.max_bad_rows:
        errors.insert(0, Mistakes(path, held.wrong, held.bad, "wrong rows"))
    elif held.bad:
        warnings.append(f"{held.bad} of {held.read} rows were left out; rejected.csv says which and why")
    facts = {
        "file": {**file.facts, "rows": held.read, "bad_rows": held.bad},
        "columns": used.facts,
        "missing": _missing(held.counts),
    }
    warnings += [
        f"{name}: {sum(words.values())} values were read as missing ({', '.join(map(repr, words))}): set file.missing "
        "where one of these words is meant"
        for name, words in facts["missing"].items()
    ]
    return Reading(_rows(held), facts, (*warnings, *said), tuple(held.rejected), tuple(errors))


def _take(task: Task, used: Columns, sheet: Sheet, cells: bool, how: FileSection, held: _Held) -> None:
    """Add the rows of one sheet that can be read, and the reasons of the others."""
    values = {name: sheet.columns[column] for name, column in used.used.items() if column in sheet.columns}
    carried = carried_of(task, values, sheet.lines, cells, missing_of(how))
    named = {*task.item.model_fields, *task.aside}
    fields = {name: column for name, column in values.items() if name in named}
    count = len(sheet.lines)
    found: ReadRows = (
        task.columns(values, cells) if task.columns else items_of(task, fields, count, cells, missing_of(how))
    )
    wrong = dict(found.wrong)
    for at, why in carried.wrong.items():
        wrong[at] = f"{wrong[at]}; {why}" if at in wrong else why
    _add(task, found, carried, wrong, held)
    lines = {**{int(sheet.lines[at]): f": {why}" for at, why in wrong.items()}}
    lines |= {line: f" {why}" for line, why in sheet.wrong.items()}
    where = f"{sheet.name} " if sheet.name else ""
    for line in sorted(lines):
        held.bad += 1
        if len(held.wrong) < KEPT:
            held.wrong.append(f"{where}row {line}{lines[line]}")
        if len(held.rejected) < how.max_bad_rows:
            held.rejected.append((f"{where}{line}", lines[line].lstrip(": ")))
    held.read += count + len(sheet.wrong)
    held.counts += carried.counts
    if task.doubts is not None and held.read == count + len(sheet.wrong):
        try:
            held.doubts += task.doubts(values, cells)
        except ValueError as error:
            held.errors.append(DataError(f"{used.path}: {error}"))


def _add(task: Task, found: ReadRows, carried: Carried, wrong: dict[int, str], held: _Held) -> None:
    """Add the rows of items that are not wrong; a target that does not fit makes an item wrong."""
    position = found.kept[found.inputs.owner] if len(found.kept) else np.zeros(0, dtype=np.int64)
    rows_of = np.bincount(position, minlength=len(carried.ids))
    width = width_of(task.head)
    spread: dict[int, list[list[float]]] = {}
    for at in np.unique(position).tolist():
        if at not in wrong:
            target = carried.target[at]
            try:
                spread[at] = _targets(task, target, int(rows_of[at]), width)
            except ValueError as error:
                wrong[at] = str(error)
    if not spread:
        return
    index = np.flatnonzero(np.isin(position, list(spread)))
    position = position[index]
    good, owner = np.unique(position, return_inverse=True)
    held.inputs.append(dataclasses.replace(found.inputs.take(index), owner=owner.reshape(-1) + held.items))
    held.items += len(good)
    nth = _nth(position)
    held.target.append(
        np.array(
            [spread[at][n] for at, n in zip(position.tolist(), nth.tolist(), strict=True)], dtype=np.float64
        ).reshape(-1, width)
    )
    held.times.append(carried.times[position])
    for at, n in zip(position.tolist(), nth.tolist(), strict=True):
        held.ids.append(carried.ids[at] if rows_of[at] == 1 else f"{carried.ids[at]}/{n}")
        held.group.append(carried.group[at])
        held.split.append(carried.split[at])
    place = np.full(len(carried.ids), -1)
    place[found.kept] = np.arange(len(found.kept))
    for name, groups in found.protected.items():
        held.protected.setdefault(name, []).extend(groups[at] for at in place[position].tolist())


def _targets(task: Task, target: Sequence[float], rows: int, width: int) -> list[list[float]]:
    """The target of each row of an item. Raises ValueError where one label would be made the label of several rows."""
    if len(target) == rows * width:
        return [list(target[at : at + width]) for at in range(0, len(target), width)]
    if len(target) != width:
        raise ValueError(f"the target has {len(target)} numbers, not {width} or {rows * width}")
    if task.head.kind == "regress" or (task.head.kind != "classify" and not any(target)):
        return [list(target)] * rows  # one return for all assets; a document that is fair is so in each sentence
    raise ValueError(
        f"one label stands on {rows} sentences, and would be learned for each of them: give one row per sentence, with "
        "the sentence's own label"
    )


def _nth(position: IntArray) -> IntArray:
    """(n,) how many rows of the same item stand before each; the rows of an item follow each other."""
    start = np.flatnonzero(np.diff(position, prepend=-1) != 0)
    sizes = np.diff(np.append(start, len(position)))
    return np.arange(len(position)) - np.repeat(start, sizes)


def _rows(held: _Held) -> Rows:
    times = np.concatenate(held.times).astype("datetime64[us]")
    return Rows(
        ids=tuple(held.ids),
        inputs=_joined(held.inputs),
        target=np.concatenate(held.target),
        time=times[:, 0].copy(),
        known=times[:, 1].copy(),
        group=np.array(held.group, dtype=np.str_),
        split=np.array(held.split, dtype=np.str_),
        protected={name: np.array(groups, dtype=np.str_) for name, groups in held.protected.items()},
    )


def _joined(parts: Sequence[Inputs]) -> Inputs:
    """All inputs one after the other; a sheet none of whose items has an optional text has blank ones."""
    if len(parts) == 1:
        return parts[0]

    def joined(name: str) -> Any:
        arrays = [getattr(part, name) for part in parts if getattr(part, name) is not None]
        return np.concatenate(arrays) if arrays else None

    texts = any(part.text is not None for part in parts)
    return Inputs(
        owner=joined("owner"),
        text=tuple(text for part in parts for text in part.text or ("",) * len(part)) if texts else None,
        table=joined("table"),
        series=joined("series"),
    )


def _missing(counts: Mapping[tuple[str, str], int]) -> dict[str, dict[str, int]]:
    """Field -> word -> how often it was read as missing."""
    found: dict[str, dict[str, int]] = {}
    for (name, word), count in counts.items():
        if not name.startswith("."):
            found.setdefault(name, {})[word] = count
    return found


def _times(task: Task, held: _Held) -> tuple[list[str], list[str]]:
    """(warnings, mistakes) about the times of all rows."""
    said, wrong = list[str](), list[str]()
    kinds = {kind: count for (name, kind), count in held.counts.items() if name == ".time"}
    empty = kinds.pop("empty", 0)
    if empty and kinds:
        sentence = f"{empty} of {held.read} rows have no time, while the others have one: give all rows one, or none"
        (wrong if task.split == "time" else said).append(sentence)
    said += [
        f"{count} times are numbers, read as {kind} since 1970 in UTC"
        for kind, count in kinds.items()
        if kind not in WRITTEN
    ]
    if len(kinds) > 1:
        mixed = ", ".join(f"{count} {WRITTEN.get(kind, kind)}" for kind, count in kinds.items())
        said.append(f"times are written in {len(kinds)} ways ({mixed}); those without a zone count as UTC")
    twice = len(held.ids) - len(set(held.ids))
    said += [f"{twice} rows have an id that another row has too"] if twice else []
    return said, wrong
