"""A whole file as a declaration: every column guessed, the head from the column of the truth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.data.declaration import Declaration, FieldDeclaration, HeadDeclaration, Use
from tasks.data.field_types import NO, YES, read_column, word
from tasks.data.files import UserFile
from tasks.data.guess import MISSING, Column, Guess, field_name, guess
from tasks.task import DataError, FloatArray

MOST_ROWS = 200_000  # that are looked at
MOST_CLASSES = 30
FEW_NUMBERS = 10  # different numbers that are still taken for codes of classes


@dataclass(frozen=True)
class Wish:
    """What the person said: the column of the truth, of the group, of the time; the shipped task to be like."""

    target: str
    group: str = ""
    time: str = ""
    like: str = ""


@dataclass(frozen=True)
class Survey:
    """What was found: the declaration, a comment per field, comments on the head, and how many rows were looked at."""

    declaration: Declaration
    fields: tuple[Guess, ...]
    head_why: tuple[str, ...]
    rows: int
    whole: bool


def survey(file: UserFile, wish: Wish) -> Survey:
    """Look at a file. Raises DataError where a named column is not there, or the truth has one value alone."""
    for option, column in (("--target", wish.target), ("--group", wish.group), ("--time", wish.time)):
        if column and column not in file.columns:
            raise DataError(f"{option} {column!r}: {file.path} has no such column, it has {', '.join(file.columns)}")
    columns, whole = _values(file)
    kept = [
        at for at, value in enumerate(columns[wish.target]) if value is not None and word(value).lower() not in MISSING
    ]
    labels = [columns[wish.target][at] for at in kept]
    if not labels:
        raise DataError(f"the column {wish.target!r} of {file.path} is empty, so there is nothing to learn: fill it")
    head, truth, head_why = _head(wish.target, labels)
    guesses = _fields(columns, kept, truth, wish)
    declared = Declaration(
        summary=f"{wish.target} as {file.path.rsplit('/', 1)[-1]} tells it",
        like=wish.like,
        head=head,
        fields={each.name: each.field for each in guesses},
        split="time" if wish.time else "group" if wish.group else "random",
        example=_example(guesses, columns),
    )
    if not declared.used("input"):
        why = _reasons(guesses) or "it has no other column than the truth"
        raise DataError(f"no column of {file.path} can be an input: {why}")
    return Survey(declared, guesses, head_why, len(columns[wish.target]), whole)


def _values(file: UserFile) -> tuple[dict[str, list[Any]], bool]:
    """The columns of the first rows, and whether that is the whole file."""
    found: dict[str, list[Any]] = {column: [] for column in file.columns}
    for sheet in file.chunks():
        for column, values in found.items():
            values.extend(sheet.columns.get(column, [None] * len(sheet.lines)))
        if len(next(iter(found.values()))) >= MOST_ROWS:
            return {column: values[:MOST_ROWS] for column, values in found.items()}, False
    return found, True


def _head(column: str, labels: Sequence[Any]) -> tuple[HeadDeclaration, FloatArray, tuple[str, ...]]:
    """The head, the truth of each row as a number, and why."""
    counts = Counter(word(label) for label in labels)
    if len(counts) < 2:
        raise DataError(f"the column {column!r} holds {next(iter(counts))!r} alone; give rows of another kind")
    order = sorted(counts)
    codes = np.array([order.index(word(label)) for label in labels], dtype=np.float64)
    numbers = _as_numbers(labels)
    if numbers is not None and len(counts) > FEW_NUMBERS:
        head = HeadDeclaration(kind="regress", outputs=(field_name(column, ()),), column=column)
        return head, numbers, (f"{len(counts)} different numbers: a number is predicted",)
    if len(counts) == 2:
        event, other = _event(counts)
        names = (field_name(column, ()), f"not_{field_name(column, ())}") if event.lower() in YES else (event, other)
        head = HeadDeclaration(
            kind="score", outputs=names[:1], column=column, words={names[0]: (event,), names[1]: (other,)}
        )
        why = f"{counts[event]} of {len(labels)} rows hold {event!r}; if the event is {other!r}, exchange the two"
        return head, np.array([float(word(label) == event) for label in labels]), (why,)
    if len(counts) > MOST_CLASSES:
        raise DataError(
            f"the column {column!r} holds {len(counts)} different words (the first: {', '.join(order[:5])}); "
            f"at most {MOST_CLASSES} classes are guessed: write the head by hand, or take another column"
        )
    head = HeadDeclaration(kind="classify", outputs=tuple(order), column=column)
    why = ", ".join(f"{name} {counts[name]}" for name in order)
    return head, codes, (f"rows of each class: {why}",)


def _as_numbers(labels: Sequence[Any]) -> FloatArray | None:
    try:
        return np.array([float(label) for label in labels])
    except (TypeError, ValueError):
        return None


def _event(counts: Counter[str]) -> tuple[str, str]:
    """Of two words the one that is predicted: yes rather than no, else the rarer."""
    for yes, no in (tuple(counts), tuple(counts)[::-1]):
        if yes.lower() in YES and no.lower() in NO:
            return yes, no
    rarer = min(counts, key=lambda each: (counts[each], each))
    return rarer, next(each for each in counts if each != rarer)


def _fields(
    columns: Mapping[str, Sequence[Any]], kept: Sequence[int], truth: FloatArray, wish: Wish
) -> tuple[Guess, ...]:
    found: list[Guess] = []
    given: Mapping[str, Use] = {wish.group: "group", wish.time: "time"}
    for column, values in columns.items():
        if column == wish.target:
            continue
        name = field_name(column, [each.name for each in found])
        if column in given:
            kind = "date" if given[column] == "time" else "category"
            field = FieldDeclaration(type=kind, use=given[column], column=column if column != name else "")
            found.append(Guess(name, field, (f"as --{given[column]} said",)))
        else:
            found.append(guess(Column(column, [values[at] for at in kept], truth), name))
    return tuple(found)


def _example(guesses: Sequence[Guess], columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """A made-up row, no row of the file: the middle of each number, the most frequent word, a plain text."""
    found: dict[str, Any] = {}
    for each in guesses:
        field = each.field
        if field.use != "input":
            continue
        values = columns[field.column or each.name]
        if field.type in ("number", "whole", "flag"):
            numbers = read_column(
                each.name, field.model_copy(update={"missing": field.missing or ("",)}), values
            ).values[:, 0]
            middle = float(np.nanmedian(numbers))
            found[each.name] = (
                bool(middle > 0.5) if field.type == "flag" else int(middle) if field.type == "whole" else middle
            )
        elif field.type == "category":
            counts = Counter(word(value) for value in values if word(value) in field.words)
            found[each.name] = counts.most_common(1)[0][0]
        elif field.type == "date":
            found[each.name] = "2024-06-30"
        elif field.type == "text":
            found[each.name] = "Write an example of your own here."
    return found


def _reasons(guesses: Sequence[Guess]) -> str:
    return "; ".join(f"{each.name}: {each.why[-1]}" for each in guesses if each.why)
