"""The language of a `program` head: arithmetic over named numbers, its grammar, and a program as a row of numbers.

A name is a cell of a table as a spreadsheet names it (`B3`), the n-th number of a text (`t2`), or a constant. So each
number of a program is in the document by construction. A program may also be `none`: the document does not say.

    program = "none" | sum;  sum = operand (("+" | "-" | "*" | "/") operand)*;  operand = name | "(" sum ")"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tasks.task import PROGRAM, FloatArray

REFUSAL = "none"
END = ";"
OPERATORS = ("+", "-", "*", "/")
CONSTANTS = ("1", "2", "3", "4", "5", "12", "100")
OPERANDS = 8  # of one program
OPENED, NESTED = 6, 2  # parentheses of one program, and inside each other: with them it fits into PROGRAM symbols
SYMBOL = re.compile(r"\s*([A-Z][1-9]\d*|t[1-9]\d*|\d+|none|[-+*/()])")
FIXED = (REFUSAL, "(", ")", *OPERATORS, *CONSTANTS)  # their codes are their places
MENTION, CELL, COLUMNS = 100, 1000, 26  # codes from which the numbers of the text and the cells count


class NoProgram(ValueError):
    """Text or numbers that are no program of this language."""


@dataclass(frozen=True)
class State:
    """How far a program is: whether an operand comes next; how many parentheses are open, were opened; operands."""

    wants_operand: bool = True
    depth: int = 0
    opened: int = 0
    operands: int = 0
    begun: bool = False


START = State()


def following(state: State, names: Sequence[str]) -> Iterator[tuple[str, State | None]]:
    """Every symbol that may come next, with the state after it; None after the last one, END."""
    if not state.wants_operand:
        if state.operands < OPERANDS:
            yield from ((sign, replace(state, wants_operand=True)) for sign in OPERATORS)
        yield (")", replace(state, depth=state.depth - 1)) if state.depth else (END, None)
        return
    if not state.begun:
        yield REFUSAL, State(False, operands=OPERANDS, begun=True)
    if state.depth < NESTED and state.opened < OPENED and state.operands < OPERANDS:
        yield "(", replace(state, depth=state.depth + 1, opened=state.opened + 1, begun=True)
    after = replace(state, wants_operand=False, operands=state.operands + 1, begun=True)
    yield from ((name, after) for name in names)


def symbols(text: str) -> list[str]:
    """The symbols of a program. Raises NoProgram where it does not keep the grammar, or is too long."""
    found, place, text = [], 0, text.strip()
    while place < len(text):
        match = SYMBOL.match(text, place)
        if match is None:
            raise NoProgram(f"{text[place : place + 20]!r} is no symbol of a program; write such as (B3-C3)/C3")
        found.append(match.group(1))
        place = match.end()
    _check(found)
    return found


def codes(found: Sequence[str]) -> FloatArray:
    """(PROGRAM,) the symbols as numbers, NaN after the last. Raises NoProgram for a program that is too long."""
    if len(found) > PROGRAM:
        raise NoProgram(f"a program of {len(found)} symbols; {PROGRAM} are allowed")
    row = np.full(PROGRAM, np.nan)
    row[: len(found)] = [_code(symbol) for symbol in found]
    return row


def text(row: FloatArray) -> str:
    """The program of a row of codes; "" for a row without one. Raises NoProgram for numbers that are no codes."""
    return "".join(_symbol(code) for code in row[np.isfinite(row)].tolist())


def kept(raw: FloatArray) -> list[list[float]]:
    """Raw answers of any head (n, width) as JSON holds them: the NaN after the last symbol of a program is cut off."""
    ends = [len(row) - int(np.argmax(np.isfinite(row[::-1]))) if np.isfinite(row).any() else len(row) for row in raw]
    return [row[:end].tolist() for row, end in zip(raw, ends, strict=True)]


def restored(rows: Sequence[Sequence[float]], width: int) -> FloatArray:
    """(n, width) the raw answers that `kept` has cut."""
    return np.array([[*row, *[np.nan] * (width - len(row))] for row in rows], dtype=np.float64).reshape(-1, width)


def cited(found: Sequence[str]) -> list[str]:
    """The names of a program that are numbers of the document, in their order, each once."""
    return list(dict.fromkeys(symbol for symbol in found if symbol[0].isupper() or re.fullmatch(r"t\d+", symbol)))


def _check(found: Sequence[str]) -> None:
    state: State | None = START
    for symbol in found:
        names = [symbol] if symbol in CONSTANTS or (symbol not in FIXED and not symbol.isdigit()) else []
        after = dict(following(state, names)) if state is not None else {}
        if symbol not in after:
            raise NoProgram(f"{symbol!r} cannot stand where it stands in {''.join(found)[:60]!r}")
        state = after[symbol]
    if state is None or state.wants_operand or state.depth:
        raise NoProgram(f"{''.join(found)[:60]!r} ends too early")


def _code(symbol: str) -> int:
    if symbol in FIXED:
        return FIXED.index(symbol)
    if symbol[0] == "t":
        return MENTION + int(symbol[1:])
    return CELL + int(symbol[1:]) * COLUMNS + ord(symbol[0]) - ord("A")


def _symbol(code: float) -> str:
    number = int(code)
    if 0 <= number < len(FIXED):
        return FIXED[number]
    if MENTION < number < CELL:
        return f"t{number - MENTION}"
    if number >= CELL + COLUMNS:
        row, column = divmod(number - CELL, COLUMNS)
        return f"{chr(ord('A') + column)}{row}"
    raise NoProgram(f"{code!r} is the code of no symbol")
