"""The pieces a report is made of: plain JSON records of a few kinds, each with an id of its own."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Block = dict[str, Any]
Level = Literal["pass", "note", "warn", "fail"]
# "measure": a number in a column of numbers of several units, each shown with its own digits
Format = Literal["text", "number", "measure", "signed", "percent", "integer", "digest", "code", "verdict"]
DIGITS = 6
SHOWN = 12  # players of a case on a page, the largest first; all of them are in the JSON

# Why something that a report should hold is not there.
REASONS = {
    "not_applicable": "does not apply to this task",
    "not_measured": "not measured for this version",
    "not_provided": "not given to the report",
    "not_declared": "not declared by the owner of the task",
    "too_few_rows": "too few rows for an answer",
    "pending": "happens after the report is written",
    "not_built": "not part of this release of the product",
}


@dataclass(frozen=True)
class Fact:
    """A name with one value and the format that it is shown in; None is shown as a dash."""

    name: str
    value: Any
    format: Format = "text"


def text(slug: str, *paragraphs: str) -> Block:
    """Paragraphs."""
    return {"kind": "text", "slug": slug, "paragraphs": [p for p in paragraphs if p]}


def heading(slug: str, title: str) -> Block:
    """A heading inside a section."""
    return {"kind": "heading", "slug": f"{slug}_heading", "title": title}


def bullets(slug: str, items: Iterable[str]) -> Block:
    """A list of points."""
    return {"kind": "list", "slug": slug, "items": list(items)}


def code(slug: str, *lines: str) -> Block:
    """Commands to type."""
    return {"kind": "code", "slug": slug, "lines": list(lines)}


def facts(slug: str, title: str, rows: Iterable[Fact]) -> Block:
    """Names with one value each."""
    return {"kind": "facts", "slug": slug, "title": title, "rows": [asdict(row) for row in rows]}


def table(slug: str, title: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Any]]) -> Block:
    """A table. A column is its name and a Format."""
    return {
        "kind": "table",
        "slug": slug,
        "title": title,
        "columns": [{"name": name, "format": form} for name, form in columns],
        "rows": [list(row) for row in rows],
    }


def figure(slug: str, plot: str, title: str, alt: str, data: Mapping[str, Any]) -> Block:
    """A plot with its data and the words for who cannot see it."""
    return {"kind": "figure", "slug": slug, "plot": plot, "title": title, "alt": alt, "data": dict(data)}


def finding(slug: str, level: Level, title: str, body: str) -> Block:
    """One thing that a reader must know, with its weight."""
    return {"kind": "finding", "slug": slug, "level": level, "title": title, "body": body}


def absent(slug: str, item: str, reason: str, note: str) -> Block:
    """Something that a report should hold and this one does not, and why. `reason` is a key of REASONS."""
    if reason not in REASONS:
        raise ValueError(f"the reason code {reason!r} is unknown; use one of {', '.join(sorted(REASONS))}")
    return {"kind": "absent", "slug": slug, "item": item, "reason": reason, "note": note}


def report_id(task: str, model_digest: str) -> str:
    """The name of the report of one version, at the head of each of its printed pages."""
    return f"{task}-{model_digest[:16]}"


def section(number: str, title: str, blocks: Sequence[Block]) -> dict[str, Any]:
    """One numbered section; its blocks get ids such as "s6.ablation"."""
    named = [
        {key: value for key, value in block.items() if key != "slug"} | {"id": f"s{number}.{block['slug']}"}
        for block in blocks
    ]
    return {"number": number, "title": title, "blocks": named}


def clean(value: Any) -> Any:
    """The same document with floats rounded to six significant digits, numpy's numbers as Python's, and no NaN."""
    if isinstance(value, Mapping):
        return {str(key): clean(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean(inner) for inner in value]
    if hasattr(value, "item") and not isinstance(value, (str, bytes)):
        value = value.item()
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        rounded = float(f"{value:.{DIGITS}g}")
        return rounded if rounded else 0.0  # no minus zero
    return value
