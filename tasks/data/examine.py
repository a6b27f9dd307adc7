"""Everything between a source and rows that can be trained on: read, checked, as of a day, each once, divided."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tasks.data import contract, doubts, labelled, leaks
from tasks.data.card import card_of
from tasks.data.check import as_of, check, check_labels, deduplicated
from tasks.data.columns import opened, reading
from tasks.data.long_columns import mapped
from tasks.data.long_file import read_rows
from tasks.data.parquet import is_saved, load_rows, marks_of
from tasks.data.section import DataSection, Splits, TaskSection
from tasks.data.sheet import Mistakes, alike
from tasks.data.split import NAMES, How, divide
from tasks.privacy.redact import masked
from tasks.privacy.spans import RULED
from tasks.task import Contract, DataError, Place, Rows, Task

SYNTHETIC = "synthetic"  # the mark of a file of rows that nobody is: the fingerprint of those that they are like
TORN = 0.1  # share of wrong rows


@dataclass
class Examined:
    """What was found out about one task's rows.

    rows      divided rows, None where the examination could not go so far
    card      the data card, as far as it is known
    errors    what refuses the rows, in the order in which it was met
    warnings  what is legal and odd
    rejected  (row, reason) of rows that were left out
    torn      so many rows cannot be read that what is left shows nothing about the whole
    """

    rows: Rows | None = None
    card: dict[str, Any] = field(default_factory=dict)
    errors: list[ValueError] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rejected: tuple[tuple[str, str], ...] = ()
    torn: bool = False

    @property
    def mistakes(self) -> list[str]:
        """One sentence for each mistake; rows that are wrong in the same way share one."""
        return [one for error in self.errors for one in alike(error)]

    def tried(self, step: Callable[[], Any]) -> Any:
        """What a step gives; None where it refuses, which is kept."""
        try:
            return step()
        except ValueError as error:
            if not self.torn:
                self.errors.append(error)
            return None

    def holds(self, step: Callable[[], None]) -> bool:
        """Whether a check passes; where it refuses, that is kept."""

        def passes() -> bool:
            step()
            return True

        return self.tried(passes) is not None


@dataclass(frozen=True)
class Asked:
    """Whose rows are examined, and how they are divided; `labelled` is a file of decisions that join them."""

    task: Task
    section: TaskSection
    data: DataSection
    splits: Splits
    seed: int
    labelled: str | None = None

    @property
    def place(self) -> Place:
        """Where the source may look."""
        root = None if self.data.root is None else Path(self.data.root).expanduser()
        return Place(root=root, seed=self.seed)


def examine(asked: Asked) -> Examined:
    """Go as far as the rows let one go; every mistake and every doubt on the way is kept."""
    found = Examined()
    facts: dict[str, Any] = {}
    read: Read | None = found.tried(lambda: _read(asked, found, facts))
    if read is None or not found.holds(lambda: check(asked.task, read.rows)):
        return found
    rows, again = read.rows, read.again
    if again is not None:
        facts["audit"] = found.tried(lambda: leaks.truncated(asked.task, again, asked.place, rows)) or {}
    more: Rows | None = None if asked.labelled is None else _labelled(asked, found)
    if more is not None:
        facts["feedback"] = len(np.unique(more.inputs.owner))
        source, decisions = rows, more
        rows = found.tried(lambda: labelled.added(asked.task, source, decisions))
        if rows is None or not found.holds(lambda: check(asked.task, rows)):
            return found
    dropped = {"read": len(rows)}
    current = found.tried(lambda: as_of(rows, asked.data.as_of))
    if current is None:
        return found
    dropped["as_of"] = dropped["read"] - len(current)
    facts["contract"] = contract.measured(asked.task, current)
    found.errors += contract.broken(_contract(asked), asked.task, current, asked.data.as_of)
    said, wrong, torn = doubts.contradictions(asked.task, current)
    found.warnings += [*said, *doubts.odd_times(current), *doubts.equal_rows(current)]
    found.errors += [DataError(sentence) for sentence in wrong]
    unique = deduplicated(current)
    dropped |= {"repeated": len(current) - len(unique), "contradicting": torn}
    how = _how(asked.task, unique, facts)
    facts["how"] = how
    divided = found.tried(lambda: _divided(asked, unique, how, () if more is None else more.ids))
    if divided is not None:
        dropped["purged"] = len(unique) - len(divided)
        _judge(asked, divided, found, facts)
        found.card = card_of(asked.task, divided, facts) | {"how": how, "dropped": dropped}
        found.card["seed"], found.card["feedback"] = asked.seed, facts.get("feedback", 0)
        found.card["as_of"] = None if asked.data.as_of is None else asked.data.as_of.isoformat()
        found.card["warnings"] = [_published(one) for one in found.warnings]
        if "notes" in found.card.get("file", {}):
            found.card["file"] = found.card["file"] | {
                "notes": [_published(one) for one in found.card["file"]["notes"]]
            }
        found.rows = divided
    return found


def _published(sentence: str) -> str:
    """A sentence as a version may keep it: without a word of the file, and without what tells a person."""
    return masked(re.sub(r", for example ('[^']*'|\"[^\"]*\")", "", sentence), RULED)


def _contract(asked: Asked) -> Contract:
    """What the rows promise: a named source by itself, a file by its task."""
    named = asked.task.sources.get(asked.section.source)
    return asked.task.contract if named is None else named.contract


def _labelled(asked: Asked, found: Examined) -> Rows | None:
    """Decisions that were labelled since. Those that cannot be read any more are left out: None where it is all."""
    assert asked.labelled is not None
    try:
        read = labelled.read(asked.task, asked.labelled)
    except Mistakes as error:  # none of them can be read; who may label may not stop the learning
        found.warnings += [f"no labelled decision is learned from: {sentence}" for sentence in alike(error)]
        return None
    found.rejected = (*found.rejected, *read.rejected)
    return read.rows


def _divided(asked: Asked, rows: Rows, how: How, decisions: Sequence[str]) -> Rows:
    """Rows with their side. Decisions are trained on alone: people chose them, so they are no sample to test on.

    By time they are divided like all others, for what is later than a test must not teach.
    """
    own = np.isin(rows.ids, decisions)
    rest = rows.take(np.flatnonzero(~own)) if how != "time" else rows
    divided = divide(rest, how, asked.splits, asked.task.purge_days, asked.seed)
    if how == "time" or not own.any():
        return divided
    return labelled.added(asked.task, divided, rows.take(np.flatnonzero(own)))


def _judge(asked: Asked, rows: Rows, found: Examined, facts: dict[str, Any]) -> None:
    """What can be said of divided rows."""
    found.holds(lambda: check_labels(asked.task, rows, asked.section.absent))
    facts["absent"] = list(asked.section.absent)
    facts["audit"] = facts.get("audit", {}) | (found.tried(lambda: leaks.disjoint(asked.task, rows)) or {})
    found.warnings += [*doubts.odd_labels(asked.task, rows), *doubts.odd_groups(rows, facts["how"])]


@dataclass(frozen=True)
class Read:
    """Rows, and how they are read as of a day, where they can be."""

    rows: Rows
    again: Callable[[Place], Rows] | None = None


def _how(task: Task, rows: Rows, facts: Mapping[str, Any]) -> Literal["time", "group", "random"]:
    """By time where a long file has too few streams to be divided by them: one side lies wholly before the other."""
    few = "long" in facts and len(np.unique(rows.group)) < len(NAMES)
    return "time" if few else task.split


def _read(asked: Asked, found: Examined, facts: dict[str, Any]) -> Read:
    """The rows of a named source or of a user's file; `facts` gets what is known about their licence."""
    task, source, columns = asked.task, asked.section.source, asked.section.columns
    if source in task.sources:
        if columns:
            raise DataError(
                f"tasks.{task.name}.columns is given, but source {source!r} has its own columns: leave columns out, "
                "or set source to the path of a file"
            )
        known = task.sources[source]
        facts |= {"source": source, "licence": known.licence, "synthetic": known.synthetic}
        if known.vintage:
            facts["vintage"] = known.vintage
        return Read(known.read(asked.place), known.read)
    path = _path(task, source, asked.place.root)
    if is_saved(path) and SYNTHETIC in (marks := marks_of(path)):
        facts |= {"source": Path(source).name, "licence": marks["licence"], "synthetic": True, "like": marks[SYNTHETIC]}
        return Read(load_rows(path))
    facts |= {"source": Path(source).name, "licence": "the user's own", "synthetic": False}
    file = opened(path, asked.section.file)
    if (columns_of := mapped(task, file.columns, columns)) is not None:
        long = read_rows(task, file, columns_of, asked.section.file, asked.place)
        facts |= long.facts
        found.warnings += long.warnings
        found.rejected = long.rejected
        return Read(long.rows, long.again)
    if asked.section.file.zone is not None:
        zone = asked.section.file.zone
        raise DataError(f"tasks.{task.name}.file.zone = {zone!r} is for files of one row per moment: leave it out")
    read = reading(task, file, columns, asked.section.file)
    facts |= {**read.facts, "rejected": len(read.rejected)}
    found.warnings += read.warnings
    found.rejected = read.rejected
    found.errors += read.errors
    found.torn = bool(read.errors) and read.facts["file"]["bad_rows"] > TORN * read.facts["file"]["rows"]
    return Read(read.rows)


def _path(task: Task, source: str, root: Path | None) -> str:
    """Where a user's file lies: as given, or under data.root where that is set. Addresses pass."""
    if not source:
        raise DataError(f"tasks.{task.name}.source is not given: set it to the path of a .csv, .jsonl or .parquet file")
    if "://" in source:
        return source
    if not Path(source).suffix and "/" not in source:
        raise DataError(
            f"tasks.{task.name}.source = {source!r} is no source of this task: take one of "
            f"{', '.join(sorted(task.sources))}, or the path of a .csv, .jsonl or .parquet file"
        )
    return str((root or Path()) / Path(source).expanduser())


def raised(found: Examined) -> ValueError | None:
    """The one error, or all of them in one sentence."""
    if len(found.errors) > 1:
        return Mistakes("", found.mistakes)
    return found.errors[0] if found.errors else None


def asked_of(
    task: Task,
    section: Mapping[str, Any],
    data: Mapping[str, Any],
    seed: int,
    splits: Mapping[str, Any],
    labelled: str | None = None,
) -> Asked:
    """The sections of a recipe as their types."""
    return Asked(task, task.section(**section), DataSection(**data), Splits(**splits), seed, labelled)
