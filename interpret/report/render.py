"""From report.json to report.html: nothing but the JSON goes in, so that the page can be made again byte for byte.

The page holds its style and plots, no script, and fetches nothing: its policy forbids it. Every number carries the JSON
pointer of where it stands in the document.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpret.report import plots

HOME = Path(__file__).parent
BAR = 240.0  # units of a bar's picture
LEVELS = 4
SHOWN = 12  # players of a case on the page; all of them are in the JSON
ONE_SIZE = 1e4  # numbers of a column that differ more than this are each shown in their own size
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
    """One figure at the head of the page, and where it stands in the document."""

    name: str
    value: float | None
    ci95: list[float] | None
    pointer: str


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
    """What the page draws for a case: the largest players, the text in pieces, and the values of the players left."""

    rows: list[Bar]
    zero: float
    pieces: list[Piece]
    sum: float
    rest: list[float]


def html(document: Mapping[str, Any]) -> str:
    """The whole page of a report. The same document gives the same text on every call."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    style = (HOME / "report.css").read_text(encoding="utf-8")
    frame = Environment(
        loader=FileSystemLoader(HOME), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    frame.filters.update(show=show, case_view=case_view, level=level_of, forms=forms, plot=_plot, anchor=anchor)
    seal = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    page = frame.get_template("report.html.j2").render(
        report=document, style=style, seal=seal, key=key_figures(document)
    )
    return page.rstrip() + "\n"


def show(value: Any, form: str) -> str:
    """One value as a person reads it; a missing one is a dash."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return _number(float(value), form)
    return str(value)


def _number(value: float, form: str) -> str:
    kind, _, decimals = form.partition(":")
    if kind in {"percent", "signed"} and value in {0, 1}:
        return f"{100 * value:.0f} %" if kind == "percent" else f"{value:+.0f}".replace("+0", "0")
    if kind == "percent" and not 0.001 <= abs(value) <= 0.999:
        return "> 99.9 %" if value > 0.5 else "< 0.1 %"
    spec = {
        "integer": ",.0f",
        "percent": ".1%",
        "error": ".2g",
        "signed": "+.3g",
        "figure": ".3f" if abs(value) < 10 else ",.1f",
        "fixed": f",.{decimals or 0}f",
        "plus": f"+,.{decimals or 0}f",
    }.get(kind, _plain(value))
    return format(value, spec).replace("-", "−").replace("%", " %")


def _plain(value: float) -> str:
    if value and not 1e-3 <= abs(value) < 1e6:
        return ".2e"
    return ",.0f" if value == round(value) else ",.4g"


def forms(block: Mapping[str, Any]) -> list[str]:
    """The format of each column: numbers of one size get the same number of decimals, so that they stand in line."""
    found = []
    for at, column in enumerate(block["columns"]):
        sizes = [abs(row[at]) for row in block["rows"] if isinstance(row[at], (int, float)) and row[at]]
        if column["format"] not in {"number", "signed"} or not sizes or max(sizes) / min(sizes) > ONE_SIZE:
            found.append(column["format"])
            continue
        decimals = 0 if all(size == round(size) for size in sizes) else max(0, 3 - math.ceil(math.log10(max(sizes))))
        found.append(("fixed:" if column["format"] == "number" else "plus:") + str(decimals))
    return found


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
        KeyFigure(document["metric"], document["value"], document["ci95"], "/value"),
        KeyFigure(f"baseline: {baseline['name']}", baseline["value"], baseline["ci95"], "/baseline/value"),
        KeyFigure("difference", document["lift"], document["lift_ci95"], "/lift"),
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
        for at in order[:SHOWN]
    ]
    marks = [_mark(value, most) for value in values]
    pieces = [
        Piece(run["text"], run["player"], "" if run["player"] is None else marks[run["player"]])
        for run in block["text"]
    ]
    return CaseView(rows, zero, pieces, math.fsum(values), [values[at] for at in order[SHOWN:]])


def _mark(value: float, most: float) -> str:
    """The class of a highlighted span: the sign and how strong it is beside the strongest."""
    strength = math.ceil(abs(value) / most * LEVELS - 0.5)
    return f"{'pos' if value >= 0 else 'neg'}{max(strength, 0)}"


def _plot(block: Mapping[str, Any]) -> Any:
    from markupsafe import Markup

    # The SVG is our own drawing; its texts were escaped when it was cleaned.
    prefix = block["id"].replace(".", "_")
    return Markup(plots.draw(block["plot"], block["data"], block["alt"], prefix))
