"""Numbers as a person reads them, in cells and inside sentences, and the place of each in the document.

A sentence of the report is one plain string. Beside the sections the document lists its numbers: where the string is,
from which to which sign a number is shown, and the number itself with all its digits. The page points to that entry,
and a reader of the JSON can hold what a sentence says against what was measured.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

OPEN, MIDDLE, CLOSE = "\ue000", "\ue001", "\ue002"  # private-use signs: they hold a number until the document is whole
MARKED = re.compile(f"{OPEN}([^{MIDDLE}]*){MIDDLE}([^{CLOSE}]*){CLOSE}")
# A number that stands alone: no part of a name (SHA-256, SR 26-2), a date (2026-11-01) or a path.
ALONE = re.compile(
    r"(?<![^\s(\[{„“\"'|=<>≤≥±~])[+−-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+−-]?\d+)?(?: ?%)?(?![\w/-]|[.,:]\d)"
)
QUOTED = ("digest", "code")  # columns and rows that are names or quotations, not figures
MOST_DECIMALS = 6  # beyond it a power of ten is read more easily
HALF = 0.5 + 1e-6  # of the last place: as far as rounding may move a number


def shown(value: Any, form: str) -> str:
    """One value as a person reads it; a missing one is a dash. `form` is a Format, with decimals as "fixed:2"."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return _number(float(value), form)
    return str(value)


def said(value: float | None, form: str = "number") -> str:
    """A number for a sentence: as it is shown there, with all its digits until `annotated` lists them."""
    if value is None or not math.isfinite(value):
        return "no number"
    return f"{OPEN}{shown(float(value), form)}{MIDDLE}{float(value)!r}{CLOSE}"


def span(low: float, high: float, form: str = "number") -> str:
    """The two ends of an interval for a sentence."""
    return f"{said(low, form)} to {said(high, form)}"


def plain(text: str) -> str:
    """A text as it is read, its numbers no longer marked."""
    return MARKED.sub(r"\1", text)


def annotated(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with plain texts, and `numbers`: every number that stands in one of them, in order."""
    numbers = [
        {"at": pointer, "from": start, "to": end, "value": value}
        for pointer, text in texts(document)
        for start, end, value in found(text)
    ]
    cleared: dict[str, Any] = unmarked(document)
    return {**cleared, "numbers": numbers}


def found(text: str) -> list[tuple[int, int, float]]:
    """The numbers of a text, marked or written out: (from, to, value), places counted in the plain text."""
    numbers: list[tuple[int, int, float]] = []
    at = 0
    for part in re.split(f"({OPEN}[^{CLOSE}]*{CLOSE})", text):
        marked = MARKED.fullmatch(part)
        if marked:
            numbers.append((at, at + len(marked[1]), _rounded(float(marked[2]))))
        else:
            numbers += [(at + each.start(), at + each.end(), read(each[0])[0]) for each in ALONE.finditer(part)]
        at += len(plain(part))
    return numbers


def read(text: str) -> tuple[float, float]:
    """A number as it is shown -> its value, and what one more in its last place would add; a percentage is a share."""
    bare = text.replace("−", "-").replace(",", "").replace(" ", "").lstrip("<>").strip()
    scale = 0.01 if bare.endswith("%") else 1.0
    digits, _, power = bare.rstrip("%").partition("e")
    place = 10.0 ** (int(power or 0) - len(digits.partition(".")[2]))
    return _rounded(float(bare.rstrip("%")) * scale), place * scale


def reads(text: str) -> bool:
    """Whether a text is a number as a page shows one."""
    return bool(ALONE.fullmatch(text.lstrip("<> ")))


def agrees(text: str, value: float) -> bool:
    """Whether a shown number is a rounding of the value; "< 0.1 %" and "> 99.9 %" are bounds of it."""
    if not reads(text):
        return False
    number, place = read(text)
    if text.startswith("<"):
        return abs(value) <= number
    if text.startswith(">"):
        return value >= number
    return abs(number - value) <= HALF * place + 1e-5 * abs(value)  # the document keeps six digits


def texts(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Every text of the document that a page shows as prose or as a cell: (JSON pointer, text)."""
    yield "/summary", document["summary"]
    yield "/baseline/name", document["baseline"]["name"]
    for place, section in enumerate(document["sections"]):
        for at, block in enumerate(section["blocks"]):
            for pointer, text in _of_block(block):
                yield f"/sections/{place}/blocks/{at}{pointer}", text


def _of_block(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key in ("title", "item", "note", "body", "truth", "output", "reading"):
        if block.get(key) is not None:
            yield f"/{key}", block[key]
    for key in ("paragraphs", "items"):
        yield from ((f"/{key}/{at}", text) for at, text in enumerate(block.get(key, ())))
    if block["kind"] == "facts":
        for at, row in enumerate(block["rows"]):
            yield f"/rows/{at}/name", row["name"]
            if isinstance(row["value"], str) and row["format"] not in QUOTED:
                yield f"/rows/{at}/value", row["value"]
    if block["kind"] == "table":
        yield from _of_table(block)
    if block["kind"] == "case":
        yield from ((f"/text/{at}/text", piece["text"]) for at, piece in enumerate(block["text"]))
        for at, player in enumerate(block["players"]):
            yield f"/players/{at}/name", player["name"]
            yield from ((f"/players/{at}/shown/{n}/name", part["name"]) for n, part in enumerate(player["shown"]))


def _of_table(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    columns = block["columns"]
    yield from ((f"/columns/{at}/name", column["name"]) for at, column in enumerate(columns))
    for at, row in enumerate(block["rows"]):
        for place, (cell, column) in enumerate(zip(row, columns, strict=True)):
            if isinstance(cell, str) and column["format"] not in QUOTED:
                yield f"/rows/{at}/{place}", cell


def unmarked(value: Any) -> Any:
    """A document with plain texts."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {key: unmarked(inner) for key, inner in value.items()}
    return [unmarked(inner) for inner in value] if isinstance(value, list) else value


def _rounded(value: float, digits: int = 6) -> float:
    return float(f"{value:.{digits}g}") or 0.0  # no minus zero


def _number(value: float, form: str) -> str:
    kind, _, decimals = form.partition(":")
    if kind in {"percent", "signed"} and value in {0, 1} and not decimals:
        return f"{100 * value:.0f} %" if kind == "percent" else f"{value:+.0f}".replace("+0", "0")
    if kind == "percent" and (0 < value < 0.001 or 0.999 < value < 1):
        return "< 0.1 %" if value < 0.5 else "> 99.9 %"
    if kind in {"fixed", "plus"} and value and abs(value) < 10.0 ** (1 - int(decimals or 0)) and value != round(value):
        return _signs(format(value, ".1e" if kind == "fixed" else "+.1e"))
    spec = {
        "integer": ",.0f",
        "percent": f".{decimals or 1}%",
        "measure": _spec(value, "#.3g"),
        "share": ".0%",
        "error": ".2g",
        "signed": "+.3g",
        "figure": ".3f" if abs(value) < 10 else ",.1f",
        "fixed": f",.{decimals or 0}f",
        "plus": f"+,.{decimals or 0}f",
    }.get(kind, _spec(value))
    return _signs(format(value, spec))


def _signs(text: str) -> str:
    return text.replace("-", "−").replace("%", " %")


def _spec(value: float, digits: str = ",.4g") -> str:
    if value and not 1e-3 <= abs(value) < 1e6:
        return ".2e"
    return ",.0f" if value == round(value) else digits


def decimals(values: Sequence[float]) -> int:
    """So many decimals for a column that the largest number shows three digits, and the smallest two if that is near.

    A number that would keep fewer than two is shown with its own digits (see `shown`).
    """
    sizes = [abs(value) for value in values if value]
    if not sizes or all(size == round(size) for size in sizes):
        return 0
    least = max(0, 2 - math.floor(math.log10(max(sizes))))
    return min(MOST_DECIMALS, max(least, min(1 - math.floor(math.log10(min(sizes))), least + 2)))
