"""What a task.toml says: the head, the fields of its file with types and uses, the figure that judges it."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from tasks.task import DataError, HeadKind, Section

FieldType = Literal["number", "whole", "category", "flag", "date", "text", "series"]
Use = Literal["input", "protected", "id", "group", "time", "known", "split", "ignore"]
DateFeature = Literal["age", "month", "since"]
MetricName = Literal["auc", "average_precision", "brier", "macro_f1", "weighted_f1", "r2", "mae", "pinball"]
BaselineName = Literal["gradient_boosting", "scorecard", "ridge", "tfidf"]
METRICS: Mapping[HeadKind, tuple[MetricName, ...]] = {
    "score": ("auc", "average_precision", "brier"),
    "classify": ("weighted_f1", "macro_f1", "brier"),
    "multilabel": ("macro_f1", "weighted_f1", "average_precision", "brier"),
    "regress": ("r2", "mae", "pinball"),
}  # the first is taken where none is named


class FieldDeclaration(Section):
    """`[fields.<name>]`: one column of the file, and one field of a request where its use is input.

    column   its name in the file, where that is another
    unit     as it is written behind or before a number ("%", "EUR"); it may stand in the cells
    range    the least and the largest value that are believed
    words    every word that a category may hold; for a flag the word for no, then the word for yes
    missing  words that mean that nothing is known; without it every row must hold a value
    sign     +1 where more of it should raise the answer, -1 where it should lower it
    group    correlated fields with one name here are explained together
    length   how many values of a series are read, the last ones
    features what a date becomes: years before the row's time, its month, years since 2000
    most_missing  the largest share of rows that may lack it; more refuses the file
    unique   no two rows may hold the same
    """

    type: FieldType
    use: Use = "input"
    about: str = ""
    column: str = ""
    unit: str = ""
    range: tuple[float, float] | None = None
    words: tuple[str, ...] = ()
    missing: tuple[str, ...] | None = None
    sign: Literal[-1, 0, 1] = 0
    group: str = ""
    length: int = Field(default=0, ge=0)
    features: tuple[DateFeature, ...] = ()
    most_missing: float | None = Field(default=None, ge=0, le=1)
    unique: bool = False

    @field_validator("words", "missing", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        """A word that looks like a number may be written as one: words = [0, 1]."""
        return [str(word) for word in value] if isinstance(value, list) else value


class HeadDeclaration(Section):
    """`[head]`: what is answered, in which column of the file the truth stands, and how it is written there.

    words  output -> the words of the file that mean it, beside its own name; a score has its one output and one other
           name, which is the opposite
    """

    kind: HeadKind
    outputs: tuple[str, ...] = Field(min_length=1)
    column: str = "target"
    words: Mapping[str, tuple[str, ...]] = {}

    @field_validator("words", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return {key: [str(word) for word in held] if isinstance(held, list) else held for key, held in value.items()}


class Declaration(Section):
    """A whole task.toml. With `like` and no fields a shipped task is taken over as it is, under another name.

    `fresh_days` is how old the newest row may be; an older file is refused.
    """

    summary: str = Field(min_length=1)
    like: str = ""
    head: HeadDeclaration | None = None
    fields: Mapping[str, FieldDeclaration] = {}
    metric: MetricName | None = None
    baseline: BaselineName | None = None
    split: Literal["time", "group", "random"] = "random"
    purge_days: int = Field(default=0, ge=0)
    fresh_days: int | None = Field(default=None, ge=0)
    example: Mapping[str, Any] = {}

    def used(self, *uses: Use) -> dict[str, FieldDeclaration]:
        """The fields of these uses, in the order of the file."""
        return {name: field for name, field in self.fields.items() if field.use in uses}


def read(path: Path) -> Declaration:
    """The declaration in a task.toml. Raises DataError with every mistake: key, value, cure."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path.name} is not TOML in UTF-8: {error}") from error
    try:
        declared = Declaration(**document)
    except (ValidationError, TypeError) as error:
        raise DataError(f"{path.name} cannot be used: {_mistakes(error)}") from error
    wrong = [*_of_head(declared), *(text for name, field in declared.fields.items() for text in _of_field(name, field))]
    wrong += _of_whole(declared)
    if wrong:
        raise DataError(f"{path.name} cannot be used: {'; '.join(wrong)}")
    return declared


def _mistakes(error: ValidationError | TypeError) -> str:
    if isinstance(error, TypeError):
        return str(error)
    return "; ".join(
        f"{'.'.join(map(str, row['loc']))} = {repr(row['input'])[:60]}: "
        + ("no such key" if row["type"] == "extra_forbidden" else str(row["msg"]))
        for row in error.errors()
    )


def _of_head(declared: Declaration) -> list[str]:
    """What is wrong with the head."""
    head = declared.head
    if head is None:
        return [] if declared.like else ["[head] is missing: give kind, outputs and the column of the truth, or like"]
    found = []
    names = {"score": 1, "regress": 1}.get(head.kind)
    if names and len(head.outputs) != names:
        found.append(f"head.outputs names {len(head.outputs)} outputs; a head of kind {head.kind} has one")
    if head.kind == "classify" and len(head.outputs) < 2:
        found.append("head.outputs names one class; name two or more, or take kind = 'score'")
    if len(set(head.outputs)) < len(head.outputs):
        found.append("head.outputs names an output twice; name each once")
    others = [name for name in head.words if name not in head.outputs]
    if head.kind == "score" and len(others) != 1:
        found.append(f"head.words names {len(others)} opposites of {head.outputs[0]!r}; name one, with its words")
    if head.kind in ("classify", "multilabel") and others:
        found.append(f"head.words.{others[0]} is no output; the outputs are {', '.join(head.outputs)}")
    written = [word.strip().casefold() for held in head.words.values() for word in held]
    twice = sorted({word for word in written if written.count(word) > 1})
    if twice:
        found.append(f"head.words holds {twice[0]!r} twice; one word means one output")
    return found


def _of_field(name: str, field: FieldDeclaration) -> list[str]:
    """What is wrong with one field."""
    found = []
    if not name.isidentifier() or name.startswith("_"):
        found.append(f"fields.{name}: a field's name is letters, digits and _; put the file's own name into column")
    if field.use == "input" and field.type == "category" and len(field.words) < 2:
        found.append(f"fields.{name}.words holds {len(field.words)} words; a category needs at least two")
    if field.type == "flag" and len(field.words) not in (0, 2):
        found.append(f"fields.{name}.words: a flag has the word for no and the word for yes, in this order, or none")
    if field.range is not None and not field.range[0] < field.range[1]:
        found.append(f"fields.{name}.range = {list(field.range)}: the first must be below the second")
    if field.sign and field.type not in ("number", "whole", "flag"):
        found.append(f"fields.{name}.sign: a {field.type} has no direction; leave it out")
    if field.most_missing is not None and (field.missing is None or field.use != "input"):
        found.append(f"fields.{name}.most_missing: only an input with `missing` words may lack a value")
    if field.unique and field.use not in ("input", "id"):
        found.append(f"fields.{name}.unique: an input or the id may be unique, not a field with use = {field.use!r}")
    if field.type == "series" and field.use == "input" and field.length < 2:
        found.append(f"fields.{name}.length = {field.length}: say how many values of the series are read")
    return found


def _of_whole(declared: Declaration) -> list[str]:
    """What is wrong between the parts."""
    found = []
    for use in ("id", "group", "time", "known", "split"):
        names = list(declared.used(use))
        if len(names) > 1:
            found.append(f"fields {' and '.join(names)} both have use = {use!r}; one may")
    if declared.fields and not declared.used("input"):
        found.append("no field has use = 'input', so there is nothing to learn from")
    if not declared.fields and not declared.like:
        found.append("[fields.<name>] is missing: declare every column that is read")
    if declared.head is not None and declared.metric and declared.metric not in METRICS[declared.head.kind]:
        known = ", ".join(METRICS[declared.head.kind])
        found.append(f"metric = {declared.metric!r} does not judge a head of kind {declared.head.kind}; take {known}")
    if declared.fields and declared.split == "time" and not declared.used("time"):
        found.append("split = 'time' needs a field with use = 'time'")
    if declared.fresh_days is not None and not declared.used("time"):
        found.append("fresh_days needs a field with use = 'time'")
    if declared.fields and declared.split == "group" and not declared.used("group"):
        found.append("split = 'group' needs a field with use = 'group'")
    aged = [name for name, field in declared.used("input").items() if "age" in field.features]
    if aged and not declared.used("time"):
        found.append(f"fields.{aged[0]}.features holds 'age', which needs a field with use = 'time'")
    return found
