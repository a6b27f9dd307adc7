"""Reads a rationale back and holds it against the document. It shares no code with what wrote it, nor the executor.

Its parser of the sentence, of printed numbers and of arithmetic are its own, so that a mistake of the writer is not
repeated here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

SIGNS = {"plus": "+", "minus": "-", "times": "*", "divided": "/", "[": "(", "]": ")"}
RANK = {"+": 1, "-": 1, "*": 2, "/": 2}
HEAD, REFUSAL_HEAD, REFUSAL_TAIL = "To the question ", "The document does not hold what the question ", " asks for."
PIECE = re.compile(r"\s*(?:(plus|minus|times|divided(?= by)|\[|\])(?: by)?|(\d+)(?=\s|$))(?=\s|$)")
NAME = re.compile(r" \(([A-Z]\d{1,2}|t\d{1,2}), ")
TAIL = re.compile(r" equals (-?\d[\d.e+-]*?)(?:; scale: ([a-z]+), as given)?\.$")
DIGITS = 1e-9  # relative; a result is written in ten digits


class Disagrees(ValueError):
    """What in a rationale is not so. It quotes nothing of the document: it may stand in a log."""


@dataclass(frozen=True)
class Quote:
    """A number that a rationale cites: its name, the words of its row and column, how it is printed."""

    name: str
    row: str
    column: str
    text: str


@dataclass(frozen=True)
class Claim:
    """What a rationale says. `symbols` is empty and `value` NaN for a refusal."""

    question: str
    symbols: tuple[str, ...]
    quotes: tuple[Quote, ...]
    value: float
    scale: str


def read(text: str) -> Claim:
    """What a rationale says. Raises Disagrees where a part of it is not understood."""
    if text.startswith(REFUSAL_HEAD):
        question, at = _string(text, len(REFUSAL_HEAD))
        if text[at:] != REFUSAL_TAIL:
            raise Disagrees("a refusal says more than that")
        return Claim(question, (), (), math.nan, "")
    if not text.startswith(HEAD):
        raise Disagrees("it begins with no question")
    question, at = _string(text, len(HEAD))
    if text[at : at + 2] != ": ":
        raise Disagrees("no colon follows its question")
    symbols: list[str] = []
    quotes: list[Quote] = []
    at += 1
    while (tail := TAIL.match(text, at)) is None:
        match = PIECE.match(text, at)
        if match is not None:
            symbols.append(SIGNS[match[1]] if match[1] else match[2])
            at = match.end()
        else:
            quote, at = _quote(text, at + 1)
            quotes.append(quote)
            symbols.append(quote.name)
    return Claim(question, tuple(symbols), tuple(quotes), float(tail[1]), tail[2] or "")


def check(text: str, source: str, written: str, scale: str) -> None:
    """Hold a rationale against its row's text, its program and its unit. Raises Disagrees with what is not so."""
    claim = read(text)
    table, _, rest = source.partition("\n\n")
    prose, _, question = rest.rpartition("\n\n")
    if claim.question != question:
        raise Disagrees("it answers another question")
    if ("".join(claim.symbols) or "none") != "".join(written.split()):
        raise Disagrees("it does another thing than the program")
    if not claim.symbols:
        return
    rows = [line.split("\t") for line in table.split("\n") if line]
    for quote in claim.quotes:
        _stands(quote, rows, prose)
    values = {quote.name: _number(quote.text) for quote in claim.quotes}
    found = arithmetic(claim.symbols, values)
    if not math.isclose(found, claim.value, rel_tol=DIGITS, abs_tol=1e-12):
        raise Disagrees("its result is not what its numbers give")
    if claim.scale != scale:
        raise Disagrees("its unit is not the one that was given")


def _string(text: str, at: int) -> tuple[str, int]:
    try:
        found, end = json.JSONDecoder().raw_decode(text, at)
    except ValueError as error:
        raise Disagrees("a quote in it does not end") from error
    if not isinstance(found, str):
        raise Disagrees("what should be a quote is none")
    return found, end


def _quote(text: str, at: int) -> tuple[Quote, int]:
    """A cited number: "words" (name, "words": "number")."""
    row, at = _string(text, at)
    match = NAME.match(text, at)
    if match is None:
        raise Disagrees("a number in it has no name")
    column, at = _string(text, match.end())
    if text[at : at + 2] != ": ":
        raise Disagrees("a name in it has no number")
    printed, at = _string(text, at + 2)
    if text[at : at + 1] != ")":
        raise Disagrees("a cited number goes on")
    return Quote(match[1], row, column, printed), at + 1


def _stands(quote: Quote, rows: list[list[str]], prose: str) -> None:
    """The number stands in the document where its name says, under the words that are quoted."""
    if quote.name[0] == "t":
        if not re.search(rf"(?<![\d.,]){re.escape(quote.text)}(?!\d)", prose) or not _follows(quote, prose):
            raise Disagrees(f"{quote.name} does not stand in the text so")
        return
    at, column = int(quote.name[1:]) - 1, ord(quote.name[0]) - ord("A")
    if not (at < len(rows) and column < len(rows[at])) or rows[at][column].strip() != quote.text:
        raise Disagrees(f"{quote.name} holds another number")
    if quote.row and not rows[at][0].strip().startswith(quote.row):
        raise Disagrees(f"the row of {quote.name} has other words")
    above = {word for line in rows[:at] for cell in line for word in cell.split()}
    if not all(any(word in held for held in above) for word in quote.column.split()):
        raise Disagrees(f"no heading above {quote.name} has these words")


def _follows(quote: Quote, prose: str) -> bool:
    """Whether the number comes right behind the words that are quoted; signs of money may stand between."""
    words = r"\s+".join(map(re.escape, quote.row.split()))
    return re.search(rf"{words}\s*{re.escape(quote.text)}", prose) is not None


def _number(printed: str) -> float:
    """A printed number: parentheses or a minus are a loss, a lone dash nothing."""
    digits = re.search(r"\d[\d,]*(?:\.\d+)?|\.\d+", printed)
    if digits is None:
        return 0.0
    before = printed[: digits.start()]
    value = float(digits.group().replace(",", ""))
    return -value if value and re.search(r"[(\-–−]", before) else value


def arithmetic(symbols: tuple[str, ...], values: Mapping[str, float]) -> float:
    """The value of symbols, by precedence climbing. Raises Disagrees where they are no arithmetic."""
    return _Arithmetic(symbols, values).result()


class _Arithmetic:
    """Precedence climbing over symbols."""

    def __init__(self, symbols: tuple[str, ...], values: Mapping[str, float]) -> None:
        self._left, self._values = list(reversed(symbols)), values

    def result(self) -> float:
        """The value of all symbols. Raises Disagrees where they are no arithmetic."""
        value = self._climb(1)
        if self._left:
            raise Disagrees("its arithmetic goes on behind its end")
        return value

    def _climb(self, least: int) -> float:
        value = self._operand()
        while self._left and RANK.get(self._left[-1], 0) >= least:
            sign = self._left.pop()
            value = _applied(sign, value, self._climb(RANK[sign] + 1))
        return value

    def _operand(self) -> float:
        if not self._left:
            raise Disagrees("its arithmetic ends too early")
        symbol = self._left.pop()
        if symbol == "(":
            value = self._climb(1)
            if not self._left or self._left.pop() != ")":
                raise Disagrees("a bracket in it does not close")
            return value
        if symbol in self._values:
            return self._values[symbol]
        if symbol.isdigit():
            return float(symbol)
        raise Disagrees("a sign in it stands where a number should")


def _applied(sign: str, one: float, other: float) -> float:
    if sign == "/" and not other:
        raise Disagrees("it divides by nothing")
    return {"+": one + other, "-": one - other, "*": one * other, "/": one / (other or 1.0)}[sign]


def faults(text: str, source: str, written: str, scale: str) -> Iterator[str]:
    """What is not so, as a sentence; nothing where the rationale holds."""
    try:
        check(text, source, written, scale)
    except Disagrees as fault:
        yield str(fault)
