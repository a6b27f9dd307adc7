"""Executes a program: arithmetic over numbers that are named, and nothing else. No eval, no power, no attribute.

A whitelist of signs before the parser, of syntax nodes behind it; length and depth are bounded, results finite.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping

LENGTH, DEPTH = 256, 16
# Possessive throughout: a run of letters can be split in one way only, so that no text takes more than one pass.
SIGNS_ONLY = re.compile(
    r"(?:[ \t]|[A-Za-z]\w*+|(?:\d{1,24}+(?:\.\d{0,24}+)?+|\.\d{1,24}+)(?![\w.])|[-+/()]|\*(?!\*))++"
)
OPERATIONS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
SIGNS: Mapping[type[ast.unaryop], float] = {ast.UAdd: 1.0, ast.USub: -1.0}


class NotAProgram(ValueError):
    """The expression is no arithmetic over the given numbers, or has no finite result."""


def execute(program: str, values: Mapping[str, float]) -> float:
    """The result of a program whose names stand for `values`. Raises NotAProgram."""
    if len(program) > LENGTH:
        raise NotAProgram(f"a program of {len(program)} signs; {LENGTH} are allowed")
    if not program.isascii() or SIGNS_ONLY.fullmatch(program) is None or program.count("(") > DEPTH:
        raise NotAProgram(f"{program[:40]!r} holds more than names, numbers, + - * / and {DEPTH} parentheses")
    try:
        return _value(ast.parse(program.strip(), mode="eval").body, values, DEPTH)
    except (SyntaxError, ZeroDivisionError, OverflowError) as error:
        raise NotAProgram(f"{program[:80]!r} cannot be executed: {error}") from error


def _value(node: ast.expr, values: Mapping[str, float], depth: int) -> float:
    if depth == 0:
        raise NotAProgram(f"it is nested deeper than {DEPTH}")
    result = math.nan
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATIONS:
        result = OPERATIONS[type(node.op)](_value(node.left, values, depth - 1), _value(node.right, values, depth - 1))
    elif isinstance(node, ast.UnaryOp) and type(node.op) in SIGNS:
        result = SIGNS[type(node.op)] * _value(node.operand, values, depth - 1)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float) and type(node.value) is not bool:
        result = float(node.value)
    elif isinstance(node, ast.Name) and node.id in values:
        result = float(values[node.id])
    else:
        raise NotAProgram(f"{type(node).__name__} is no arithmetic over the document's numbers")
    if not math.isfinite(result):
        raise NotAProgram("a result is not finite")
    return result
