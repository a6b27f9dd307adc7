"""What a column seems to hold: a type, a range, a use, each with its reason. Nothing is learned from it."""

from __future__ import annotations

import keyword
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tasks.data.declaration import FieldDeclaration, FieldType
from tasks.data.field_types import flag_codes, read_column, word
from tasks.task import FloatArray

MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "?", "-", "--", ".", "missing"}
WORDS_MISSING = {"", "na", "n/a", "#n/a", "nan", "null"}  # of a category, where "none" and "-" may be words
MOST_WORDS = 60  # of a category
LONGEST_WORD = 60
SUSPICIOUS = 0.95  # area under the ROC curve of one column alone
TELLING = 0.7
# Words in a column's name. A basis on which the law forbids to tell people apart, or a stand-in for one:
PROTECTED = {
    "sex", "gender", "race", "ethnicity", "ethnic", "religion", "marital", "nationality", "national", "citizenship",
    "disability", "pregnant", "pregnancy", "foreign", "orientation", "caste", "colour", "color", "age", "birth", "dob",
    "birthdate", "birthday",
}  # fmt: skip
# What is often known only after the decision that is to be predicted:
AFTERWARDS = {
    "duration", "outcome", "result", "status", "closed", "closing", "settled", "settlement", "recovered", "recovery",
    "recoveries", "chargeoff", "charged", "writeoff", "collection", "collections", "repaid", "resolution", "resolved",
    "final", "actual", "realised", "realized", "end", "loss", "lgd", "target", "label",
}  # fmt: skip
UNIT = re.compile(r"([^\w\s.,+-]*)\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*([^\d.,+-]*)")

THOUSANDS = re.compile(r"[^\w\s]?-?\d{1,3}(?:[,.' ]\d{3})*(?:[.,]\d+)?")


@dataclass(frozen=True)
class Guess:
    """One column as it seems to be. `why` are sentences for the person who reads the declaration."""

    name: str
    field: FieldDeclaration
    why: tuple[str, ...]


@dataclass(frozen=True)
class Column:
    """The values of one column as the file holds them, and the truth of each row as numbers in [0, 1] or any scale."""

    name: str
    values: Sequence[Any]
    truth: FloatArray


def field_name(column: str, taken: Sequence[str]) -> str:
    """A field's name for a column: letters, digits and _, not taken yet."""
    plain: str = re.sub(r"[^0-9a-z]+", "_", column.strip().lower()).strip("_") or "field"
    plain = f"f_{plain}" if plain[0].isdigit() else plain
    if keyword.iskeyword(plain) or plain in {"copy", "json", "schema", "dict", "construct", "validate"}:
        plain += "_"
    if plain.startswith("model_"):
        plain = f"the_{plain}"
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    return name


def guess(column: Column, name: str) -> Guess:
    """The type, range, missing words and use of one column."""
    cells = [value.strip() if isinstance(value, str) else value for value in column.values]
    known = [cell for cell in cells if not _absent(cell, MISSING)]
    own = column.name if column.name != name else ""
    if len({word(cell) for cell in known}) <= 1:
        held = f"holds nothing but {word(known[0])!r}" if known else "holds nothing"
        return Guess(name, FieldDeclaration(type="category", use="ignore", column=own), (f"left out: {held}",))
    found = _number(cells, known) or _flag(known) or _date(name, known) or _words(cells, known)
    if found is None:
        return _long(name, own, column, known)
    field, why = found
    field = field.model_copy(update={"column": own, "missing": _missing_words(cells, field.type)})
    return _used(Guess(name, field, tuple(why)), column, known)


def _absent(cell: Any, words: set[str]) -> bool:
    return (
        cell is None
        or (isinstance(cell, float) and np.isnan(cell))
        or (isinstance(cell, str) and cell.lower() in words)
    )


def _missing_words(cells: Sequence[Any], kind: FieldType) -> tuple[str, ...] | None:
    words = WORDS_MISSING if kind in ("category", "text") else MISSING
    absent = {cell if isinstance(cell, str) else "" for cell in cells if _absent(cell, words)}
    return tuple(sorted(absent)) if absent else None


def _number(cells: Sequence[Any], known: Sequence[Any]) -> tuple[FieldDeclaration, list[str]] | None:
    """A number, whose unit may stand in the cells."""
    if any(isinstance(cell, bool) for cell in known) or not all(isinstance(cell, (str, int, float)) for cell in known):
        return None
    parts = [UNIT.fullmatch(word(cell)) for cell in known]
    if not all(parts):
        return None
    units = {(part[1], part[3].strip()) for part in parts if part}
    if len(units) > 1 or all(units.copy().pop()):
        return None
    values = np.array([float(part[2]) for part in parts if part])
    if set(values.tolist()) == {0.0, 1.0}:
        return FieldDeclaration(type="flag"), []
    whole = bool((values == np.floor(values)).all())
    low, high = float(values.min()), float(values.max())
    field = FieldDeclaration(
        type="whole" if whole else "number", unit="".join(next(iter(units))), range=_range(low, high)
    )
    why = [f"range: {low:g} to {high:g} was seen"]
    if whole and len(set(values.tolist())) <= 8:
        why.append("few whole numbers: if they are codes, make it a category")
    return field, why


def _range(low: float, high: float) -> tuple[float, float]:
    """Bounds that leave room: nothing below zero where nothing was, else ten times what was seen."""
    most = 10.0 ** np.ceil(np.log10(max(abs(low), abs(high), 1.0)) + 0.5)
    return (0.0 if low >= 0 else -most, float(most))


def _flag(known: Sequence[Any]) -> tuple[FieldDeclaration, list[str]] | None:
    words = {word(cell).casefold() for cell in known}
    codes = flag_codes(FieldDeclaration(type="flag"))
    if len(words) == 2 and words <= set(codes) and len({codes[each] for each in words}) == 2:
        return FieldDeclaration(type="flag"), []
    return None


def _date(name: str, known: Sequence[Any]) -> tuple[FieldDeclaration, list[str]] | None:
    read = read_column(name, FieldDeclaration(type="date"), known[:1000])
    if read.wrong or len(read_column(name, FieldDeclaration(type="date"), known).wrong):
        return None
    return FieldDeclaration(type="date"), ["becomes its month and the years since 2000"]


def _words(cells: Sequence[Any], known: Sequence[Any]) -> tuple[FieldDeclaration, list[str]] | None:
    """A category: few words that come back."""
    counts = Counter(word(cell) for cell in cells if not _absent(cell, WORDS_MISSING))
    if len(counts) > min(MOST_WORDS, max(2, len(known) // 5)) or max(map(len, counts)) > LONGEST_WORD:
        return None
    rare = [each for each, count in counts.items() if count < 10]
    why = [f"seen fewer than ten times: {', '.join(sorted(rare)[:8])}"] if rare else []
    return FieldDeclaration(type="category", words=tuple(sorted(counts))), why


def _long(name: str, own: str, column: Column, known: Sequence[Any]) -> Guess:
    """Strings of which most occur once: texts, or names of things."""
    words = [len(str(cell).split()) for cell in known]
    if float(np.mean(words)) >= 3 and all(isinstance(cell, str) for cell in known):
        missing = _missing_words([*column.values], "text")
        return Guess(name, FieldDeclaration(type="text", column=own, missing=missing), ())
    distinct = len({word(cell) for cell in known})
    if all(THOUSANDS.fullmatch(word(cell)) for cell in known):
        why = f"left out: numbers with marks between the thousands, such as {known[0]!r}; write them without"
        return Guess(name, FieldDeclaration(type="category", use="ignore", column=own), (why,))
    why = f"left out: {distinct} different values in {len(known)} rows say who it is, not what it is like"
    return Guess(name, FieldDeclaration(type="category", use="ignore", column=own), (why,))


def _used(found: Guess, column: Column, known: Sequence[Any]) -> Guess:
    """What a column is for: an identifier and what is known afterwards are left out, protected grounds kept aside."""
    tokens = _tokens(column.name)
    field, why = found.field, list(found.why)
    if field.type == "whole" and len(set(map(word, known))) == len(column.values) >= 20:
        why = ["left out: every row has another number, as an identifier has"]
        return Guess(found.name, field.model_copy(update={"use": "ignore"}), tuple(why))
    telling = alone(found.name, field, column)
    if telling > SUSPICIOUS:
        why.append(f"left out: alone it tells the answer (AUC {telling:.3f}); is it known before the decision?")
        return Guess(found.name, field.model_copy(update={"use": "ignore"}), tuple(why))
    if tokens & AFTERWARDS and telling > TELLING:
        why.append(f"left out: its name and its weight (AUC {telling:.3f} alone) are of what is known only afterwards")
        return Guess(found.name, field.model_copy(update={"use": "ignore"}), tuple(why))
    if tokens & AFTERWARDS:
        why.append("by its name it may be known only afterwards: use = 'ignore' if so")
    if tokens & PROTECTED and field.type in ("category", "flag"):
        why.append("a protected ground by its name: kept aside for the fairness table, never an input")
        field = field.model_copy(update={"use": "protected"})
    elif tokens & PROTECTED:
        why.append("a protected ground by its name: use = 'ignore' unless the law lets you decide by it")
    return Guess(found.name, field, tuple(why))


def protected_ground(name: str) -> bool:
    """Whether a column is, by its name, a basis on which the law forbids to tell people apart, or stands in for one."""
    return bool(_tokens(name) & PROTECTED)


def _tokens(name: str) -> set[str]:
    return set(re.split(r"[^a-z]+", re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()))


def alone(name: str, field: FieldDeclaration, column: Column) -> float:
    """How well one column alone orders the truth, .5 (not at all) to 1: the area under the ROC curve.

    A category is ordered by the truth of its words in the other half of the rows. A truth that is no yes or no is cut
    at its median.
    """
    values = read_column(name, field.model_copy(update={"missing": field.missing or ("",)}), column.values).values
    truth = column.truth
    if len(np.unique(truth)) > 2:
        truth = (truth > np.median(truth)).astype(np.float64)
    if field.type == "category":
        return _area(_by_other_half(values[:, 0], truth), truth)
    return max(_area(part, truth) for part in values.T)


def _by_other_half(codes: FloatArray, truth: FloatArray) -> FloatArray:
    """(n,) the mean truth of each row's word among the rows of the other half."""
    place = np.nan_to_num(codes, nan=-1.0).astype(np.int64) + 1
    half = np.arange(len(codes)) % 2
    found = np.zeros(len(codes))
    for side in (0, 1):
        other = half != side
        sums, counts = (
            np.bincount(place[other], weights, minlength=int(place.max(initial=0)) + 1)
            for weights in (truth[other], None)
        )
        found[half == side] = ((sums + truth.mean()) / (counts + 1.0))[place[half == side]]
    return found


def _area(values: FloatArray, truth: FloatArray) -> float:
    """The area under the ROC curve in whichever direction it is larger; missing values stand below all others."""
    from scipy.stats import rankdata

    ranks = rankdata(np.nan_to_num(values, nan=-np.inf, neginf=-np.inf))
    positive = truth > 0
    hits, others = int(positive.sum()), int((~positive).sum())
    if not hits or not others:
        return 0.5
    area = (ranks[positive].sum() - hits * (hits + 1) / 2) / (hits * others)
    return float(max(area, 1 - area))
