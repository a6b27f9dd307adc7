"""One line of English made of a program: what it cites, what it does, what comes of it. read_back.py understands it.

Words of the input stand in it as JSON strings alone: a document must not lay out our sentences.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tasks import program
from tasks.reasoning.document import COLUMNS, Document, column_of, row_of

WORDS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by", "(": "[", ")": "]"}


def write(document: Document, question: str, symbols: Sequence[str], value: float, scale: str) -> str:
    """The rationale of a program and its result; of a refusal, that the document lacks what is asked for.

    `scale` is the unit that the asker gave, "" for none.
    """
    if list(symbols) == [program.REFUSAL]:
        return f"The document does not hold what the question {quoted(question)} asks for."
    done = " ".join(_said(document, symbol) for symbol in symbols)
    unit = f"; scale: {scale}, as given" if scale else ""
    return f"To the question {quoted(question)}: {done} equals {shown(value)}{unit}."


def shown(value: float) -> str:
    """A result in ten digits."""
    return f"{value:.10g}"


def quoted(words: str) -> str:
    """A JSON string. Marks that turn, hide or break a line are escaped."""
    written = json.dumps(words, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else json.dumps(sign)[1:-1] for sign in written)


def label_of(document: Document, name: str) -> tuple[str, str, str]:
    """The row's words, the column's words, and the number as it is printed."""
    if name in document.mentions:
        mention = document.mentions[name]
        return mention.before, "", mention.text
    at = row_of(name)
    return document.labels[at], document.above[name], document.table[at - 1][COLUMNS.index(column_of(name))]


def _said(document: Document, symbol: str) -> str:
    if symbol in WORDS:
        return WORDS[symbol]
    if symbol in program.CONSTANTS:
        return symbol
    row, column, text = map(quoted, label_of(document, symbol))
    return f"{row} ({symbol}, {column}: {text})"
