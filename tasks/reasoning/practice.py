"""Questions for practice over the tables of training documents: asked by rule, so that their programs are known.

A few hundred questions of people teach what is asked for; where a row and a column stand is learned on many more.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from tasks.reasoning.document import Document, column_of, row_of

YEAR = re.compile(r"(?:19|20)\d\d")
NOTE = re.compile(r"\s*\(\w{1,2}\)\s*$")
CHANGE = (
    "What was the change in {row} between {new} and {old}?",
    "What is the change in {row} from {old} to {new}?",
    "What was the difference in {row} between {old} and {new}?",
    "What is the increase / (decrease) in {row} from {old} to {new}?",
    "How much did {row} change in {new} from {old}?",
)
GROWTH = (
    "What was the percentage change in {row} between {old} and {new}?",
    "What is the percentage change in {row} in {new} from {old}?",
    "What is the percentage increase / (decrease) in {row} from {old} to {new}?",
    "By what percentage did {row} change from {old} to {new}?",
)
AVERAGE = (
    "What is the average {row} for {old} and {new}?",
    "What was the average {row} between {old} and {new}?",
    "What is the company's average {row} for {new} and {old}?",
)
BOTH = ("What is the total {row} in {old} and {new}?", "What was the sum of {row} for {old} and {new}?")
SHARE = (
    "What is {row} as a percentage of {other} in {new}?",
    "What is the ratio of {row} to {other} in {new}?",
    "In {new}, what is the percentage of {row} in {other}?",
    "What is the proportion of {row} over {other} for {new}?",
)
SUM = ("What is the total of {row} and {other} in {new}?", "What was the sum of {row} and {other} for {new}?")
GAP = (
    "What is the difference between {row} and {other} in {new}?",
    "In {new}, how much higher was {row} than {other}?",
)
MEAN = ("What is the average {row} for the three years?", "What was the average {row} from {old} to {new}?")
# In which of two numbers of a row, or two rows of a column, a question of each kind is asked, and how often.
ALONG = (("{a}-{b}", CHANGE, 34), ("({a}-{b})/{b}", GROWTH, 26), ("({a}+{b})/2", AVERAGE, 17), ("{a}+{b}", BOTH, 4))
ACROSS = (("{a}/{b}", SHARE, 10), ("{a}+{b}", SUM, 5), ("{a}-{b}", GAP, 6))
THREE = 6
Asked = tuple[str, str]  # a question and its program


def practice(document: Document, count: int, seed: str) -> list[Asked]:
    """Up to `count` different questions about a document; the same for the same seed."""
    draw = random.Random(seed)
    found: dict[str, str] = {}
    kinds: list[tuple[Callable[[Document, random.Random], Asked | None], int]] = [
        (_along, sum(each[2] for each in ALONG)),
        (_across, sum(each[2] for each in ACROSS)),
        (_mean, THREE),
    ]
    for _ in range(4 * count):
        ask = draw.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])[0]
        asked = ask(document, draw)
        if asked is not None and len(found) < count:
            found.setdefault(*asked)
    return list(found.items())


def _along(document: Document, draw: random.Random) -> Asked | None:
    """Two numbers of one row: the newer and the older, where their headings are years."""
    row = _row(document, draw, least=2)
    if row is None:
        return None
    one, other = draw.sample(_headed(document, row), 2)
    new, old = sorted((one, other), key=lambda name: _year(document, name), reverse=True)
    words = {"row": _words(document, row, draw), "new": _when(document, new), "old": _when(document, old)}
    form, sentences, _ = draw.choices(ALONG, [each[2] for each in ALONG])[0]
    if words["new"] == words["old"]:
        return None
    return draw.choice(sentences).format(**words), form.format(a=new, b=old)


def _across(document: Document, draw: random.Random) -> Asked | None:
    """Two rows of one column."""
    row, other = _row(document, draw, least=1), _row(document, draw, least=1)
    if row is None or other is None or document.labels[row] == document.labels[other]:
        return None
    shared = [n for n in _headed(document, row) if f"{column_of(n)}{other}" in document.cells]
    if not shared:
        return None
    name = draw.choice(shared)
    words = {"row": _words(document, row, draw), "other": _words(document, other, draw), "new": _when(document, name)}
    form, sentences, _ = draw.choices(ACROSS, [each[2] for each in ACROSS])[0]
    return draw.choice(sentences).format(**words), form.format(a=name, b=f"{column_of(name)}{other}")


def _mean(document: Document, draw: random.Random) -> Asked | None:
    """The mean of one row's three latest years."""
    row = _row(document, draw, least=3)
    if row is None:
        return None
    years = {_year(document, name): name for name in _headed(document, row)}
    latest = sorted(years, reverse=True)[:3]
    if len(latest) < 3 or not all(latest):
        return None
    words = {"row": _words(document, row, draw), "new": latest[0], "old": latest[-1]}
    return draw.choice(MEAN).format(**words), f"({'+'.join(years[year] for year in latest)})/3"


def _row(document: Document, draw: random.Random, least: int) -> int | None:
    """A row with words and at least so many numbers under headings."""
    rows = {row_of(name) for name in document.cells}
    fit = [
        r for r in sorted(rows) if re.search("[A-Za-z]{3}", document.labels[r]) and len(_headed(document, r)) >= least
    ]
    return draw.choice(fit) if fit else None


def _headed(document: Document, row: int) -> Sequence[str]:
    return [name for name in document.cells if row_of(name) == row and document.headings.get(column_of(name))]


def _when(document: Document, name: str) -> str:
    """How a column is called: by its year, where no other column has the same; else by its heading."""
    heading = document.headings[column_of(name)]
    years = [found[-1] for words in document.headings.values() if (found := YEAR.findall(words))]
    own = YEAR.findall(heading)
    return own[-1] if own and years.count(own[-1]) == 1 else heading


def _year(document: Document, name: str) -> int:
    own = YEAR.findall(document.headings[column_of(name)])
    return int(own[-1]) if own else 0


def _words(document: Document, row: int, draw: random.Random) -> str:
    """A row's words as somebody writes them in a sentence."""
    words = NOTE.sub("", document.labels[row]).strip(" :")
    forms = (words, words, words[:1].lower() + words[1:], f"the {words.lower()}", f"the {words}")
    return draw.choice(forms)
