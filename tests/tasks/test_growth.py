"""No loop over a user's text grows faster than the text: eight times the text is at most 17 times the work (2.2 each).

CPU time of this process, the least of some runs, not the clock. A loop that is quadratic takes 64 times as long.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np
import pytest

from interpret.attribution import players
from tasks.backbone import tiny, tokenizer
from tasks.classical import bag_of_words
from tasks.compliance import concepts
from tasks.compliance import task as compliance
from tasks.data import near_duplicates, text
from tasks.sentiment import directions, figures
from tasks.task import Inputs, Prediction

SHORT, TIMES, MOST = 4_000, 8, 8 * 2.2
LEAST = 0.002  # seconds; what is shorter is not told from nothing

PIECES = (
    "A. ",
    "1. ",
    "1.",
    "from 5.5 ",
    "5.5 vs 5.5 ",
    "111 ",
    "we may end your account. ",
    "x",
    " ",
    "\n",
    "(",
    "; ",
)


def tokens(given: str) -> Any:
    made = tiny.tiny("bert").tokenizer
    return tokenizer.encode(made, [given, given], [[(0, len(given) // 2)], []])


def bag(given: str) -> Any:
    spans = tuple((start, start + 1) for start in range(0, len(given), len(given) // 32))
    return bag_of_words.visible(Inputs(np.zeros(1, dtype=np.int64), text=(given,), hidden=(spans,)))


def answered(given: str) -> Any:
    item = compliance.ComplianceItem(text=f"a{given}")
    rows = len(compliance.encode([item]))
    width = compliance.HEAD.width
    return compliance.decode(item, Prediction(np.ones((rows, width)), np.full((rows, width), 0.7)))


LOOPS: dict[str, Callable[[str], Any]] = {
    "clean": lambda given: text.clean(f"a{given}"),
    "sentences": text.sentences,
    "sentences and semicolons": lambda given: text.sentences(given, semicolons=True),
    "concepts": concepts.marks,
    "directions": directions.marks,
    "figures": figures.marks,
    "bag of words": bag,
    "near-duplicates": lambda given: near_duplicates.nearest([f"a{given}"], ["we may end", f"b{given}"]),
    "compliance": answered,
    "players": lambda given: players.text_players(f"a{given}", 12),
    "tokens": tokens,
}


def cost(work: Callable[[str], Any], given: str) -> float:
    taken = []
    for _ in range(3):
        began = process_time()
        work(given)
        taken.append(process_time() - began)
    return max(min(taken), LEAST)


@pytest.mark.parametrize("name", LOOPS)
def test_the_work_on_a_text_grows_no_faster_than_the_text(name: str) -> None:
    for piece in PIECES:
        short, long = ((piece * count)[:count] + "x" for count in (SHORT, SHORT * TIMES))
        cost(LOOPS[name], short)  # what is made once
        grown = [cost(LOOPS[name], long) / cost(LOOPS[name], short)]
        while grown[-1] > MOST and len(grown) < 3:  # a busy machine disturbs; a quadratic loop fails each time
            grown.append(cost(LOOPS[name], long) / cost(LOOPS[name], short))
        assert grown[-1] <= MOST, f"{name} of {piece!r}: {TIMES} times the text took {min(grown):.0f} times the work"
