"""Reasoning: what a question about a table and its text asks to be computed, with the cells that it rests on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from tasks.data import program
from tasks.data.section import TaskSection
from tasks.data.text import Text
from tasks.reasoning import faithfulness, ranker, rationale, read_back, rows, spans, text
from tasks.reasoning.classical import BASELINE, SHAPES, shape_of
from tasks.reasoning.document import COLUMNS, ROWS, Document, column_of, row_of
from tasks.reasoning.right import execution_accuracy, result, right
from tasks.reasoning.source import SOURCES
from tasks.task import Head, Inputs, Item, Metric, Prediction, Task, Writer

HEAD = Head("program", ("right",))
Cell = Annotated[str, Field(max_length=400)]
Scale = Literal["", "thousand", "million", "billion", "percent"]
OPERATIONS = {"-": "difference", "+": "sum", "*": "product", "/": "ratio"}


class ReasoningItem(Item):
    """A table, its text, and a question whose answer is a number."""

    table: list[Annotated[list[Cell], Field(max_length=len(COLUMNS))]] = Field(
        default=[], max_length=ROWS, description="rows of cells as they are printed; headings are rows too"
    )
    paragraphs: list[Annotated[str, Field(max_length=20_000)]] = Field(
        default=[], max_length=100, description="the text around the table"
    )
    question: Text = Field(description="what is asked, such as the change of a row between two years")
    scale: Scale | None = Field(default=None, description="the unit of the table's numbers, if it is known")

    @model_validator(mode="after")
    def _holds_something(self) -> ReasoningItem:
        if not any(cell.strip() for row in self.table for cell in row) and not any(map(str.strip, self.paragraphs)):
            raise ValueError("table and paragraphs are empty; send the document that the question is about")
        return self


class Cited(BaseModel):
    """One number that the answer rests on: a cell by its column and row, or a number of the text."""

    model_config = ConfigDict(frozen=True)

    name: str
    row: str
    column: str
    text: str
    value: float


class ReasoningAnswer(BaseModel):
    """The value, its program and what it cites. Refused: the document does not hold what is asked for.

    `disagrees`: a rationale was written and withheld, for it did not agree with the document when it was read back.
    """

    model_config = ConfigDict(frozen=True)

    value: float | None
    scale: Scale
    program: str | None
    cited: list[Cited]
    operation: str | None
    rationale: str | None
    disagrees: bool
    refused: bool
    probability: float


def encode(items: Sequence[Any]) -> Inputs:
    """One row per question: its document and itself as one text."""
    texts = tuple(text.text_of(item.table, item.paragraphs, item.question) for item in items)
    return Inputs(np.arange(len(items), dtype=np.int64), text=texts)


def decode(item: Any, found: Prediction) -> dict[str, Any]:
    """The answer of a program; refused where it is `none` or gives no finite number."""
    whole = text.text_of(item.table, item.paragraphs, item.question)
    document, _ = text.from_text(whole)
    written = program.text(found.raw[0, 1:])
    value = result(whole, written)
    refused = value is None or math.isnan(value)
    symbols = [] if refused else program.symbols(written)
    share = not refused and item.scale == "percent" and rationale.is_share(document, symbols)
    said = None if value is None else _rationale(whole, written, value, item.scale or "")
    return {
        "value": None if refused or value is None else value * (100.0 if share else 1.0),
        "scale": item.scale or "",
        "program": None if refused else written,
        "cited": [_cited(document, name) for name in program.cited(symbols)],
        "operation": None if refused else _operation(symbols),
        "rationale": said,
        "disagrees": value is not None and said is None,
        "refused": refused,
        "probability": float(found.probability[0, 0]),
    }


def _cited(document: Document, name: str) -> dict[str, Any]:
    if name in document.mentions:
        mention = document.mentions[name]
        return {"name": name, "row": mention.before, "column": "", "text": mention.text, "value": mention.value}
    at = COLUMNS.index(column_of(name))
    shown = document.table[row_of(name) - 1][at]
    words = {"row": document.labels[row_of(name)], "column": document.above[name]}
    return {"name": name, **words, "text": shown, "value": document.cells[name]}


def _rationale(whole: str, written: str, value: float, scale: str) -> str | None:
    """The line, once it was read back and agrees with document, program and result; else None."""
    document, question = text.from_text(whole)
    said = rationale.write(document, question, program.symbols(written), value, scale)
    return None if any(read_back.faults(said, whole, written, scale)) else said


def _operation(symbols: Sequence[str]) -> str:
    """What a program does, in a word: a kind of the baseline, a look-up, else what its last operation is."""
    shape = shape_of("".join(symbols))
    if (kind := next((kind for kind, shapes in SHAPES.items() if shape in shapes), None)) is not None:
        return kind
    return next((OPERATIONS[sign] for sign in reversed(symbols) if sign in OPERATIONS), "look-up")


def target(value: Any) -> Sequence[float]:
    """The label of a question: {"program": ..., "answer": ..., "factor": 100 for a percentage}, a program, or a number.

    "none", or an answer of null, says that the document does not hold it. Raises ValueError for anything else.
    """
    held = value if isinstance(value, Mapping) else _alone(value)
    unknown = sorted(set(held) - {"program", "answer", "factor"})
    if unknown or not held:
        raise ValueError(f"a target has no {unknown[:1] or 'field'}; it has program, answer, factor, such as 'B3-C3'")
    written, answer, factor = held.get("program"), held.get("answer"), float(held.get("factor", 1.0))
    if factor not in (1.0, 100.0):
        raise ValueError(f"factor is {factor:g}; write 100 for a percentage, else 1")
    return rows.target_of(math.nan if answer is None else float(answer), factor, written).tolist()


def _alone(value: Any) -> dict[str, Any]:
    """A target that is one word: a number is an answer, anything else a program."""
    if isinstance(value, int | float):
        return {"answer": value}
    try:
        return {"answer": float(str(value).replace(",", ""))}
    except ValueError:
        return {"program": str(value)}


TASK = Task(
    name="reasoning",
    summary="What a question about a table and its text asks to be computed, with the cells that the answer rests on",
    reads=("text",),
    needs=("text",),
    head=HEAD,
    section=TaskSection,
    item=ReasoningItem,
    answer=ReasoningAnswer,
    sources=SOURCES,
    target=target,
    encode=encode,
    decode=decode,
    classical=ranker.RANKER,
    baseline=BASELINE,
    metric=Metric("execution_accuracy", execution_accuracy, cluster="group"),
    additive=True,
    split="group",
    writer=Writer(text.INVOCATION, text.prompt, text.names, spans.words, ranker.proposed, right, faithfulness.shares),
    example={
        "table": [["", "2025", "2024"], ["Ticket sales", "420.0", "400.0"], ["Food and drink", "96.5", "88.1"]],
        "paragraphs": ["All amounts are in thousands of euros."],
        "question": "What is the percentage change in ticket sales from 2024 to 2025?",
        "scale": "percent",
    },
)
