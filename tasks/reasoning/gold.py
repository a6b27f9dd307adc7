"""From a derivation in digits, as an annotator writes it, to a program over the names of a document."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

from tasks.data import program
from tasks.data.program import CONSTANTS, NoProgram
from tasks.reasoning.document import Document, column_of, row_of
from tasks.reasoning.execute import NotAProgram, execute
from tasks.reasoning.figures import years_of
from tasks.reasoning.right import agrees

NUMBER = re.compile(r"\d+(?:\.\d+)?")
BRACKETS = str.maketrans("[]{}×÷–−", "()()*/--", "$€£%")
MOST, EACH = 2000, 5  # combinations that are tried; names of one number


def clean(derivation: str) -> str:
    """A derivation in plain ASCII signs: brackets, thousands and leading zeros made uniform."""
    text = re.sub(r"(?<=\d),(?=\d{3})", "", derivation.strip().translate(BRACKETS))
    return re.sub(r"(?<![\w.])0+(?=\d)", "", text)


def program_of(document: Document, question: str, derivation: str, answer: float, factor: float) -> str | None:
    """The likeliest program whose numbers are those of the derivation and whose result is the answer, or None.

    A number may stand in several cells: those whose row shares words with the question, whose column bears one of its
    years, and that lie in few rows and columns, are preferred. A cell has a sign of its own.
    """
    plain = _plain(derivation)
    places = list(NUMBER.finditer(plain))
    if not places or len(places) > program.OPERANDS:
        return None
    choices = [_names(document, question, match.group(), alone=len(places) == 1) for match in places]
    found: list[tuple[float, str]] = []
    for chosen in itertools.islice(itertools.product(*choices), MOST):
        written = "".join(_filled(plain, places, [name for name, _ in chosen]))
        if _gives(written, document, answer, factor):
            cells = [name for name, _ in chosen if name[0].isupper()]
            spread = 0.2 * len(set(map(row_of, cells))) + 0.05 * len(set(map(column_of, cells)))
            found.append((sum(score for _, score in chosen) - spread, written))
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _plain(derivation: str) -> str:
    """Without signs before numbers and needless parentheses; `a/b - 1` as `(a-b)/b`, so that one thing has one form."""
    text = re.sub(r"\s", "", clean(derivation))
    text = re.sub(r"\(-(\d+\.?\d*)\)", r"\1", text)
    text = re.sub(r"(^|[-+*/(])-(\d)", r"\1\2", text)
    text = re.sub(r"\((\d+\.?\d*)\)", r"\1", text)
    change = re.fullmatch(r"\(?(\d+\.?\d*)/(\d+\.?\d*)\)?-(?:1|100)", text)
    return f"({change[1]}-{change[2]})/{change[2]}" if change else text


def _names(document: Document, question: str, digits: str, *, alone: bool) -> list[tuple[str, float]]:
    """(name, score) of what has this value, whatever its sign; the best first."""
    value, asked, years = float(digits), words_of(question), years_of(question)
    named = [name for name, held in document.values.items() if abs(abs(held) - value) < 1e-9]
    constant = [str(int(value))] if digits.isdigit() and str(int(value)) in CONSTANTS else []

    def score(name: str) -> float:
        if name.isdigit():
            return -2.0 if alone else 0.5
        if name not in document.cells:
            return -1.0
        label = words_of(document.labels[row_of(name)])
        return len(label & asked) / (len(label) + 0.5) + 0.3 * any(year in document.above[name] for year in years)

    return sorted(((name, score(name)) for name in [*named, *constant]), key=lambda pair: -pair[1])[:EACH]


def words_of(text: str) -> frozenset[str]:
    """The words of a text, in lower case."""
    return frozenset(re.findall(r"[a-z]+", text.lower()))


def _filled(plain: str, places: list[re.Match[str]], names: list[str]) -> Iterator[str]:
    at = 0
    for match, name in zip(places, names, strict=True):
        yield plain[at : match.start()] + name
        at = match.end()
    yield plain[at:]


def _gives(written: str, document: Document, answer: float, factor: float) -> bool:
    try:
        return agrees(execute(written, document.values), answer, factor) and bool(program.symbols(written))
    except (NotAProgram, NoProgram):
        return False
