"""Expressions that an executor must refuse or bound: sixty by hand, and as many fuzzed ones as are asked for."""

from __future__ import annotations

import math
import random
import time
from typing import Any

from tasks.reasoning.execute import NotAProgram, execute

HANG = 0.010  # seconds
VALUES = {"B2": 12.5, "C2": -3.0, "B3": 0.0, "t1": 1e308}
PIECES = [  # of the fuzzed ones
    *("B2", "C2", "B3", "t1", "t9", "1", "100", "0", "1e308", "9" * 40, ".", "_", "x", "None", "True", "1j", "0x1f"),
    *("+", "-", "*", "/", "**", "//", "%", "@", "<<", "(", ")", "[", "]", "{", "}", ",", ":", "=", ":=", "!", "~", "^"),
    *("lambda", "if", "else", "for", "in", "not", "await", "yield", "__import__", "getattr", "exec", "eval", "open"),
    *("'", '"', "\\", "\n", "\t", "\0", "#", " ", "f'{B2}'", "é", "\u2028", "\ud800", "\u0663", "B2.real"),
]
HOSTILE = [
    *("__import__('os').system('id')", "().__class__.__bases__[0]", "B2.__class__", "getattr(B2, 'real')", "open('x')"),
    *("eval('1')", "exec('1')", "lambda: 1", "[x for x in (1,)]", "{1: 2}", "{1}", "(1, 2)", "B2[0]", "B2(1)"),
    *("9**9**9", "2**4000000", "9**9", "B2**B2", "1<<99999999", "'a'*999999999", "B2//C2", "B2%C2", "B2@C2", "~1"),
    *("B2 if B2 else C2", "B2 and C2", "B2 < C2", "B2 == B2", "(x := 1)", "*B2", "await B2", "yield", "...", "not 1"),
    *("True", "None", "1j", "0x10", "0b1", "1_000", "1e400", "1e308*10", "t1*100", "t1+t1", "B2/B3", "B2/0", "0/0"),
    *("9" * 300, "(" * 200 + "1" + ")" * 200, "-" * 255 + "1", "+".join(["B2"] * 200), "(" * 18 + "1" + ")" * 18),
    *("", " ", "\n", "B2\nC2", "B2;C2", "B2#", "B2\\\n", "\0", "B2\x00", "\uff222", "\u0663+\u0663", "B2 C2", "1 2"),
    *("B2=1", "unknown", "nan", "inf", "1e", "..", "1.2.3", ")(", "()", "B2--", "[" * 250, "{" * 250, "f'{B2}'"),
    *("lambda" + " lambda" * 30, "a" * 255 + "!", "1" * 255 + "!", "B2" * 127 + "!", "-" * 17 + "1", "-(t1*100)"),
]  # fmt: skip


def trial(expressions: int, seed: int) -> dict[str, Any]:
    """How many hostile and fuzzed expressions there were, and how many escaped, hung or gave a non-finite result."""
    dice = random.Random(seed)
    fuzzed = ("".join(dice.choices(PIECES, k=dice.randint(1, 40))) for _ in range(expressions))
    found = {"hostile": len(HOSTILE), "fuzzed": expressions, "escapes": 0, "hangs": 0, "not_finite": 0, "results": 0}
    slowest = 0.0
    for number, expression in enumerate([*HOSTILE, *fuzzed]):
        before = time.thread_time()
        try:
            value = execute(expression, VALUES)
        except NotAProgram:
            value = 0.0
        except BaseException:  # anything else that leaves the executor is an escape
            found["escapes"] += 1
            value = 0.0
        else:
            found["results"] += 1
            found["escapes"] += number < len(HOSTILE)  # none of these is a program
        took = time.thread_time() - before
        slowest = max(slowest, took)
        found["hangs"] += took > HANG
        found["not_finite"] += not (isinstance(value, float) and math.isfinite(value))
    return found | {"slowest_ms": round(1e3 * slowest, 3)}
