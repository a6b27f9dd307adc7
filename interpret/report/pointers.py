"""Which numbers of a page have no place in the JSON: the page is read as a browser does, and each is looked up.

A number counts as placed where the nearest element around it names a JSON number of which it is a rounding, or, for
what is a name (a digest, a command, SHA-256), a JSON string that holds it letter by letter. The scale of
a figure's axis is left out: it is no statement.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from interpret.report import numbers

VOID = {"meta", "link", "br", "hr", "img", "input", "rect", "line", "path", "use", "circle", "wbr", "col"}
UNSEEN = {"style", "title"}
DIGIT = re.compile(r"\d")
DESIGNATION = re.compile(r"/sections/\d+/number")  # 0 to 18 and A to D: names, and strings in the JSON
QUOTES = {"code", "pre", "text"}  # elements of names, commands, and of what a figure is labelled with


def loose(page: str, document: Mapping[str, Any]) -> list[str]:
    """Every run of the page's text with a number that has no place in the document, and why."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return [complaint for run in reader.runs for complaint in _complaints(run, document)]


@dataclass(frozen=True)
class _Element:
    tag: str
    pointer: str | None
    kind: str


@dataclass(frozen=True)
class _Run:
    """A text with the elements around it, outermost first."""

    text: str
    around: tuple[_Element, ...]

    @property
    def pointer(self) -> str | None:
        return next((element.pointer for element in reversed(self.around) if element.pointer), None)

    @property
    def quoted(self) -> bool:
        return any(element.tag in QUOTES for element in self.around)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.stack: list[_Element] = []
        self.runs: list[_Run] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.stack.append(_Element(tag, given.get("data-p"), given.get("class") or ""))

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """An element without content opens nothing."""

    def handle_endtag(self, tag: str) -> None:
        while self.stack and self.stack.pop().tag != tag:
            pass

    def handle_data(self, text: str) -> None:
        scale = max((at for at, each in enumerate(self.stack) if each.kind == "scale"), default=None)
        on_scale = scale is not None and not any(each.pointer for each in self.stack[scale:])
        unseen = any(each.tag in UNSEEN for each in self.stack)
        if DIGIT.search(text) and not unseen and not on_scale:
            self.runs.append(_Run(text, tuple(self.stack)))


def _complaints(run: _Run, document: Mapping[str, Any]) -> Iterator[str]:
    text = run.text.strip()
    if run.pointer is None:
        yield f"{text!r} has no place"
        return
    try:
        value = at(document, run.pointer)
    except (KeyError, IndexError, ValueError, TypeError):
        yield f"{text!r} points to {run.pointer}, which is not there"
        return
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        yield f"{text!r} points to {run.pointer}, which is no single value"
    elif isinstance(value, str):
        yield from _in_string(run, text, value)
    elif not numbers.agrees(text, value):
        yield f"{text!r} points to {run.pointer}, which is {value!r}"


def _in_string(run: _Run, text: str, value: str) -> Iterator[str]:
    """A quotation stands in the string as it is; in prose every number that stands alone has an entry of its own."""
    whole = " ".join(value.replace("_", " ").split())
    if " ".join(text.replace("_", " ").rstrip("…").split()) not in whole:
        yield f"{text!r} points to {run.pointer}, which does not hold it"
    if not run.quoted and not DESIGNATION.fullmatch(run.pointer or "") and numbers.ALONE.search(text):
        yield f"{text!r} holds a number without an entry"


def at(document: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) names. Raises KeyError, IndexError, ValueError or TypeError where nothing is."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        document = document[int(name)] if isinstance(document, list) else document[name]
    return document
