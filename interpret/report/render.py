"""From report.json to report.html: nothing but the JSON goes in, so that the page can be made again byte for byte.

The page holds its style and plots, no script, and fetches nothing: its policy forbids it. Every number carries the JSON
pointer of where it stands in the document.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from interpret.report import blocks, numbers, plots

HOME = Path(__file__).parent
BASELINE = "/baseline/ci95"
BAR = 240.0  # units of a bar's picture
LEVELS = 4
MADE_BY = ("render.py", "numbers.py", "plots.py", "report.html.j2", "report.css")  # what the page's bytes depend on
DRAWN_BY = ("jinja2", "matplotlib")
ALIGNED = {"number": "fixed", "signed": "plus", "percent": "percent"}
ROLES = {
    "met": "pass",
    "agrees": "pass",
    "accepted": "pass",
    "holds": "pass",
    "fails": "warn",
    "not met": "warn",
    "disagrees": "fail",
    "refused": "fail",
}


@dataclass(frozen=True)
class KeyFigure:
    """One figure at the head of the page, and where it and its interval stand in the document."""

    name: str
    named: str
    value: float | None
    ci95: list[float] | None
    pointer: str
    ends: str


@dataclass(frozen=True)
class Bar:
    """One player of a case as a bar with its 95 % interval, in units of the picture; `at` is its index in the block."""

    at: int
    player: Mapping[str, Any]
    sign: str
    x: float
    width: float
    low: float
    high: float


@dataclass(frozen=True)
class Piece:
    """A run of the case's text; `mark` is the class of its colour, "" where no player stands."""

    text: str
    player: int | None
    mark: str


@dataclass(frozen=True)
class CaseView:
    """What the page draws for a case: the largest players, the text in pieces; formats of sums, values and errors."""

    rows: list[Bar]
    zero: float
    pieces: list[Piece]
    whole: str
    form: str
    errors: str


def html(document: Mapping[str, Any], standing: str = "") -> str:
    """The whole page of a report. The same document gives the same text on every call.

    `standing` is a line of where its version stands; the page that is registered has none.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    style = (HOME / "report.css").read_text(encoding="utf-8")
    frame = Environment(
        loader=FileSystemLoader(HOME), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    frame.filters.update(
        show=numbers.shown, case_view=case_view, level=level_of, forms=forms, plot=_plot, anchor=anchor
    )
    seal = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    page = frame.get_template("report.html.j2").render(
        report=document,
        style=style,
        seal=seal,
        key=key_figures(document),
        say=_sayer(document),
        standing=standing,
    )
    return page.rstrip() + "\n"


@cache
def renderer() -> str:
    """The SHA-256 over everything that the page's bytes depend on: template, style, drawing, and their libraries."""
    seen = hashlib.sha256()
    for name in MADE_BY:
        seen.update((HOME / name).read_bytes())
    for library in DRAWN_BY:
        seen.update(f"{library} {importlib.metadata.version(library)}".encode())
    return seen.hexdigest()


def _sayer(document: Mapping[str, Any]) -> Callable[[str, str], Any]:
    """(text, its pointer) -> the text as markup, in which every number points to its entry in `numbers`."""
    from markupsafe import Markup, escape

    held: dict[str, list[tuple[int, int, int]]] = {}
    for at, number in enumerate(document["numbers"]):
        held.setdefault(number["at"], []).append((number["from"], number["to"], at))

    def say(text: str, pointer: str) -> Any:
        if not any(sign.isdigit() for sign in text):
            return escape(text)
        pieces, done = [], 0
        for start, end, at in held.get(pointer, ()):
            inside = Markup('<span data-p="/numbers/{}/value">{}</span>').format(at, text[start:end])
            pieces += [escape(text[done:start]), inside]
            done = end
        inner = Markup("").join([*pieces, escape(text[done:])])
        return Markup('<span data-p="{}">{}</span>').format(pointer, inner)

    return say


def forms(block: Mapping[str, Any]) -> list[str]:
    """The format of each column: numbers of one column get the same number of decimals, so that they stand in line."""
    found = []
    for at, column in enumerate(block["columns"]):
        values = [row[at] for row in block["rows"] if _is_number(row[at])]
        kind = ALIGNED.get(column["format"])
        places = numbers.decimals(values) if column["format"] != "percent" else int(any(100 * v % 1 for v in values))
        found.append(f"{kind}:{places}" if kind and values else column["format"])
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def level_of(verdict: Any) -> str:
    """The colour of a verdict: pass, note, warn or fail."""
    return ROLES.get(str(verdict), "note")


def anchor(number: str) -> str:
    """The place of a section in the page."""
    return f"s{number}"


def key_figures(document: Mapping[str, Any]) -> list[KeyFigure]:
    """The figures at the head of the page; the difference carries its sign."""
    baseline = document["baseline"] or {"name": None, "value": None, "ci95": None}
    figures = [
        KeyFigure(document["metric"], "/metric", document["value"], document["ci95"], "/value", "/ci95"),
        KeyFigure(baseline["name"], "/baseline/name", baseline["value"], baseline["ci95"], "/baseline/value", BASELINE),
        KeyFigure("difference", "", document["lift"], document["lift_ci95"], "/lift", "/lift_ci95"),
    ]
    return [figure for figure in figures if figure.value is not None]


def case_view(block: Mapping[str, Any]) -> CaseView:
    """What the page draws for a case."""
    players = block["players"]
    values, reaches = ([player[key] for player in players] for key in ("value", "reach"))
    order = sorted(range(len(players)), key=lambda at: (-abs(values[at]), at))
    low = min(0.0, *(value - reach for value, reach in zip(values, reaches, strict=True)))
    high = max(0.0, *(value + reach for value, reach in zip(values, reaches, strict=True)))
    width, most = (high - low) or 1.0, max(map(abs, values)) or 1.0

    def place(value: float) -> float:
        return round((value - low) / width * BAR, 2)

    zero = place(0.0)
    rows = [
        Bar(
            at=at,
            player=players[at],
            sign="pos" if values[at] >= 0 else "neg",
            x=min(zero, place(values[at])),
            width=abs(round(place(values[at]) - zero, 2)),
            low=place(values[at] - reaches[at]),
            high=place(values[at] + reaches[at]),
        )
        for at in order[: blocks.SHOWN]
    ]
    marks = [_mark(value, most) for value in values]
    pieces = [
        Piece(run["text"], run["player"], "" if run["player"] is None else marks[run["player"]])
        for run in block["text"]
    ]
    form, spread = numbers.decimals([row.player["value"] for row in rows]), [row.player["reach"] for row in rows]
    whole = numbers.decimals([block[name] for name in ("base", "sum", "full")])
    return CaseView(rows, zero, pieces, f"plus:{whole}", f"plus:{form}", f"fixed:{max(form, numbers.decimals(spread))}")


def _mark(value: float, most: float) -> str:
    """The class of a highlighted span: the sign and how strong it is beside the strongest."""
    strength = math.ceil(abs(value) / most * LEVELS - 0.5)
    return f"{'pos' if value >= 0 else 'neg'}{max(strength, 0)}"


def _plot(block: Mapping[str, Any], pointer: str) -> Any:
    from markupsafe import Markup

    # The SVG is our own drawing; its texts were escaped when it was cleaned.
    return Markup(plots.draw(block["plot"], block["data"], block["alt"], pointer))
