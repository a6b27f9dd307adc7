"""The contract that every task folder keeps: a frozen record of functions and types. Nothing to inherit.

A folder with a `task.py` that holds `TASK: Task`, or with a `task.toml` from which tasks/declared.py makes one, is all
it takes. This module imports neither torch nor pandas, so that a command line can list tasks at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

Modality = Literal["text", "table", "series"]
HeadKind = Literal["classify", "multilabel", "regress", "score", "program"]
PROGRAM = 32  # symbols of a program at most
Span = tuple[int, int]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

UNDATED = np.datetime64("1970-01-01", "us")  # the time of rows whose source has none


class DataError(ValueError):
    """A file or source that cannot be learned from as it is."""


class Section(BaseModel):
    """One part of a recipe: frozen, and a key that is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Item(BaseModel):
    """One thing that a task answers about, as a request carries it; a task adds its fields by a subclass."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Head:
    """The output layer of a task.

    `classify` and `multilabel` give one logit per output, `score` one logit, `regress` a mean and a log variance,
    `program` the logit that its program is right, and the program's codes (tasks/data/program.py), NaN after the last.
    """

    kind: HeadKind
    outputs: tuple[str, ...]

    @property
    def width(self) -> int:
        """How many raw numbers the head gives per row."""
        widths = {"score": 1, "regress": 2, "program": 1 + PROGRAM}
        return widths.get(self.kind, len(self.outputs))


@dataclass(frozen=True)
class Feature:
    """One column of a task's table. `sign` is the direction the card expects: +1, -1, or 0 for none declared.

    `levels` are the words of a category: its number in the table is the place of the word, NaN where it is missing.
    """

    name: str
    group: str
    sign: Literal[-1, 0, 1] = 0
    levels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Inputs:
    """What a model sees of n rows. A modality that the rows do not hold is None.

    owner   (n,) the item each row belongs to: an item may be several rows (a portfolio has one per asset)
    text    n strings
    table   (n, features), NaN where a value is missing
    series  (n, channels, length)
    hidden  per row the character spans of its text that are shown to the model as mask tokens (explanations only)
    """

    owner: IntArray
    text: tuple[str, ...] | None = None
    table: FloatArray | None = None
    series: FloatArray | None = None
    hidden: tuple[tuple[Span, ...], ...] | None = None

    def __len__(self) -> int:
        return len(self.owner)

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """The modalities that these rows hold, in the fixed order text, table, series."""
        held: list[tuple[Modality, object]] = [("text", self.text), ("table", self.table), ("series", self.series)]
        return tuple(name for name, value in held if value is not None)

    def take(self, index: IntArray) -> Inputs:
        """The rows at `index`, in that order."""
        pick = index.tolist()
        return Inputs(
            owner=self.owner[index],
            text=None if self.text is None else tuple(self.text[i] for i in pick),
            table=None if self.table is None else self.table[index],
            series=None if self.series is None else self.series[index],
            hidden=None if self.hidden is None else tuple(self.hidden[i] for i in pick),
        )


@dataclass(frozen=True)
class Rows:
    """Labelled rows with their times. Every row has the moment it happened and the moment it was known.

    target  (n, k) float64: multilabel k=labels (0 or 1), else k=1: classify index of the class, score 0 or 1, regress;
            program k=2+PROGRAM: the answer, its factor (100 for a percentage), the codes; NaN where not known
    time    (n,) datetime64[us], when it happened; known, when it could be known (never before `time`)
    group   (n,) str: the entity, document, template or series; rows of one group depend on each other
    split   (n,) str in {"train", "valid", "test"}, or "" where the splitter decides
    protected  name -> (n,) str, the group of each row by a protected ground: for the fairness table alone
    """

    ids: tuple[str, ...]
    inputs: Inputs
    target: FloatArray
    time: NDArray[np.datetime64]
    known: NDArray[np.datetime64]
    group: NDArray[np.str_]
    split: NDArray[np.str_]
    protected: Mapping[str, NDArray[np.str_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, index: IntArray) -> Rows:
        """The rows at `index`, in that order."""
        arrays = {name: getattr(self, name)[index] for name in ("target", "time", "known", "group", "split")}
        protected = {name: held[index] for name, held in self.protected.items()}
        return Rows(tuple(self.ids[i] for i in index.tolist()), self.inputs.take(index), protected=protected, **arrays)


@dataclass(frozen=True)
class ReadRows:
    """What a task reads of n rows of columns.

    inputs  of the m rows that can be read; their owners count from 0
    kept    (m,) the positions of those rows among the n
    wrong   position -> one sentence (field, value, cure) of each row that cannot be read
    protected  name -> the group of each of the m rows, for Rows.protected
    """

    inputs: Inputs
    kept: IntArray
    wrong: Mapping[int, str]
    protected: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Classical:
    """The model a bank already has. Fitted state is a JSON document (LightGBM's own text may be a string in it).

    fit(inputs, target) -> state
    raw(state, inputs)  -> (n, head.width) on the head's own scale: logits, or mean and log variance
    """

    name: str
    fit: Callable[[Inputs, FloatArray], dict[str, Any]]
    raw: Callable[[Mapping[str, Any], Inputs], FloatArray]


@dataclass(frozen=True)
class Metric:
    """A figure of merit, higher is better.

    score(rows, raw) returns a function of row weights (n,): ones give the value, bootstrap weights a replicate.
    raw is (n, head.width), calibrated where the task is calibrated. `cluster` says which rows are drawn together.
    """

    name: str
    score: Callable[[Rows, FloatArray], Callable[[FloatArray], float]]
    cluster: Literal["row", "group", "time"] = "row"


@dataclass(frozen=True)
class Place:
    """Where a source may look: the recipe's data.root (None where it is not set), and its seed.

    `until` makes a source of dated rows read as if it stood at that moment; the leak audit compares what it gives then.
    """

    root: Path | None
    seed: int
    until: np.datetime64 | None = None


@dataclass(frozen=True)
class Prediction:
    """What a version predicts of the m rows of one item, calibrated.

    raw          (m, head.width) on the head's own scale: logits, or mean and log variance
    probability  (m, head.width) softmax for `classify`, sigmoid for `multilabel`, `score`; `regress`: mean, variance
    interval     (m, 2) for `regress` the 90 % interval on the target's own scale
    """

    raw: FloatArray
    probability: FloatArray
    interval: FloatArray | None = None

    def take(self, index: IntArray) -> Prediction:
        """The rows at `index`, in that order."""
        interval = None if self.interval is None else self.interval[index]
        return Prediction(self.raw[index], self.probability[index], interval)


@dataclass(frozen=True)
class Contract:
    """What rows promise, and are refused for where they do not keep it.

    missing     feature -> the largest share of rows that may lack it
    fresh_days  how old the newest row may be, in days before the day of the question
    unique      "id", "text" or features of which no two rows may hold the same
    """

    missing: Mapping[str, float] = field(default_factory=dict)
    fresh_days: int | None = None
    unique: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """Labelled rows by name: how they are read, their licence, whether a generator wrote them. All stand in cards.

    `vintage` says since when its figures were known, where they are joined by a guess or by their publications.
    """

    read: Callable[[Place], Rows]
    licence: str
    synthetic: bool = False
    contract: Contract = Contract()
    vintage: str = ""


@dataclass(frozen=True)
class Writer:
    """What a task with a `program` head gives to the body that writes its programs.

    invocation  what every question begins with: from there on the adapter acts
    prompt  a row's text -> the document, read once for all that is asked about it, and the question
    names   a row's text -> what its program may cite beside the constants
    words   a row's text -> the spans that a report may hide, kind by kind; those of the question last
    proposed  state of the classical part, a row's text -> its programs with their log-probabilities, the best first
    faithful  texts, raw, what writes for texts, a seed -> how far answers rest on what they cite: name -> share
    right   rows, raw -> (n,) 1 where the program of a row gives the row's answer, else 0
    """

    invocation: str
    prompt: Callable[[str], tuple[str, str]]
    names: Callable[[str], Sequence[str]]
    words: Callable[[str], Sequence[Sequence[Span]]]
    proposed: Callable[[Mapping[str, Any], str], Sequence[tuple[str, float]]]
    right: Callable[[Rows, FloatArray], FloatArray]
    faithful: Callable[[Sequence[str], FloatArray, Any, int], Mapping[str, float]] | None = None


@dataclass(frozen=True)
class Long:
    """A user's file with one row per day or moment, from which a task cuts its rows itself.

    names  field -> the names its column may bear, in lower case, the preferred first; needs, those that must be there
    rows   what tasks/data/long_file.py has read of the file, and a place -> rows; it honours Place.until
    judge  the same -> sentences for the card: on what was read, and on what is odd
    """

    names: Mapping[str, tuple[str, ...]]
    needs: tuple[str, ...]
    rows: Callable[[Any, Place], Rows]
    judge: Callable[[Any], tuple[Sequence[str], Sequence[str]]]


@dataclass(frozen=True)
class Task:
    """One thing that is learned.

    reads    every modality it can read; needs, those that an item must hold
    features the columns of its table; channels and length, the shape of its series
    section  its part of the recipe, a TaskSection of tasks/data/section.py; item and answer, the types of its endpoint
    sources  by name; "embedded" is always there and needs no network
    target   the label of a user's file (a string, number, list ...) -> (k,) target; raises ValueError with the cure
    encode   items -> inputs (one item may give several rows, see Inputs.owner)
    decode   item, what is predicted of its rows -> the fields of `answer`
    split    how rows without a given split are divided
    example  one item as a request carries it, for the docs, the schema and the first question
    additive   the net learns by itself and is added to the classical part; else it learns what that leaves over
    baseline   what it must beat, where that is not its own classical part
    pair     head, features -> classical part and baseline of a declared task that is like this one
    aside    columns of a file that are read beside the item's fields, for the fairness table; they are never inputs
    declaration  the sha256 of a user's own task.toml or code, which every version names
    columns  item field -> values of n rows, and whether all are text -> rows; without it rows become items one by one
    long     files of one row per day or moment that it reads beside those of items
    writer   how a body writes its programs, for a `program` head
    doubts   the first rows of a file, by columns -> what is odd in them; ValueError for what cannot be meant
    odd      item, the moment it is asked -> how many of each kind of thing in it, beside its text, may mislead
    decided  the rows of one item, what is predicted of them (m, width) -> (m,) what is decided about each together
    restated  the text of a row -> the spans that state a group of features again, by group: explained as one fact
    rationale  its reasons in sentences and how they are read back, a Rationale of tasks/data/rationale.py; it needs
               items, so that a task which reads `columns` has none
    reasons    what may be told to whom a `score` refuses, a ReasonList of tasks/data/reasons.py
    in_words   a row of the table -> what the text of its item says of it first; free words follow
    contract   what rows of a user's file promise
    """

    name: str
    summary: str
    reads: tuple[Modality, ...]
    needs: tuple[Modality, ...]
    head: Head
    section: type[Any]
    item: type[Item]
    answer: type[BaseModel]
    sources: Mapping[str, Source]
    target: Callable[[Any], Sequence[float]]
    encode: Callable[[Sequence[Any]], Inputs]
    decode: Callable[[Any, Prediction], dict[str, Any]]
    classical: Classical
    metric: Metric
    example: Mapping[str, Any]
    split: Literal["time", "group", "random"] = "random"
    features: tuple[Feature, ...] = ()
    channels: tuple[str, ...] = ()
    length: int = 0
    purge_days: int = 0
    additive: bool = False
    baseline: Classical | None = None
    pair: Callable[[Head, Sequence[Feature]], tuple[Classical, Classical]] | None = None
    aside: tuple[str, ...] = ()
    declaration: str | None = None
    columns: Callable[[Mapping[str, Sequence[Any]], bool], ReadRows] | None = None
    long: Long | None = None
    writer: Writer | None = None
    doubts: Callable[[Mapping[str, Sequence[Any]], bool], Sequence[str]] | None = None
    odd: Callable[[Any, datetime], Mapping[str, int]] | None = None
    decided: Callable[[Inputs, FloatArray], FloatArray] | None = None
    restated: Callable[[str], Mapping[str, Sequence[Span]]] | None = None
    rationale: Any = None
    reasons: Any = None
    in_words: Callable[[FloatArray], str] | None = None
    contract: Contract = Contract()
