"""From the page of a report to report.pdf: the same words in the same order, laid out for paper by typst.

The page is read as a browser does and handed to report.typ as a tree, so that the printed report has no text of its
own beside page numbers and the running head. PDF/UA-1; fonts are those of typst and matplotlib, never the machine's;
the date is the report's: the same document gives the same bytes.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import re
import zlib
from collections.abc import Mapping
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, Final

from interpret.report import blocks

HOME = Path(__file__).parent
TYPESETTER = "typst"
MADE_BY = ("pdf.py", "report.typ")
DRAWN_BY = (TYPESETTER, "matplotlib")  # which brings the sans-serif of figures and of rare signs
STANDARD: Final = "ua-1"
UNSET = "\u25a1"  # in place of a sign that no font at hand has: without a glyph a file is no PDF/UA
VOID = {"meta", "link", "br", "hr", "img", "input"}
SVG = re.compile(r"<svg .*?</svg>", re.S)
LABEL = re.compile(r'aria-label="([^"]*)"')
LENGTHS = {"width": "240", "height": "14"}  # of a bar, which has a box and no size
COLOURS = {  # of classes that the page's style gives a colour
    'class="pos"': 'fill="#2166ac"',
    'class="neg"': 'fill="#be5414"',
    'class="err"': 'stroke="#000000" stroke-width="0.8"',
    'class="zero"': 'stroke="#4a5560" stroke-width="0.6"',
}
Node = dict[str, Any]  # {"tag", "class", "children"}; of a drawing {"tag": "svg", "class", "source", "alt"}


def pdf(document: Mapping[str, Any], page: str) -> bytes:
    """The printed report of a document and its page (render.html). The same two give the same bytes on every call.

    Raises RuntimeError where typst refuses what it is told to lay out.
    """
    import typst

    shown = _with_glyphs(page)
    given = {
        "title": _title(shown),
        "id": blocks.report_id(document["task"], document["model_digest"]),
        "made": document["made"],
        "tree": tree(shown),
        "unset": UNSET in shown,
    }
    printed: bytes = typst.compile(
        HOME / "report.typ",
        root=HOME,
        font_paths=[_fonts()],
        ignore_system_fonts=True,
        sys_inputs={"report": json.dumps(given, ensure_ascii=False)},
        pdf_standards=[STANDARD],
        timestamp=0,
    )
    return printed


@cache
def printer() -> dict[str, str]:
    """The version of typst, and the SHA-256 over everything that the bytes of report.pdf depend on beside the page."""
    seen = hashlib.sha256()
    for name in MADE_BY:
        seen.update((HOME / name).read_bytes())
    for library in DRAWN_BY:
        seen.update(f"{library} {importlib.metadata.version(library)}".encode())
    return {TYPESETTER: importlib.metadata.version(TYPESETTER), "digest": seen.hexdigest()}


def pages(printed: bytes) -> int:
    """How many pages a PDF of ours has: the count that its page tree begins with."""
    counts = [
        int(found)
        for part in _streams(printed)
        for found in re.findall(rb"/Type\s*/Pages\b.*?/Count (\d+)", part, re.S)
    ]
    return max(counts, default=0)


def tree(page: str) -> Node:
    """The part of a page that is printed: its element <main>, as plain data."""
    reader = _Reader([found[0] for found in SVG.finditer(page)])
    reader.feed(SVG.sub("<svg></svg>", page))
    reader.close()
    return reader.main


class _Reader(HTMLParser):
    """Reads a page of ours, whose elements are all closed; drawings stay as they are."""

    def __init__(self, drawings: list[str]) -> None:
        super().__init__()
        self.drawings = iter(drawings)
        self.main: Node = {}
        self.open: list[Node] = [{"tag": "", "class": [], "children": []}]

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        names = (dict(attrs).get("class") or "").split()
        node: Node = {"tag": tag, "class": names, "children": []}
        if tag == "svg":
            node = {"tag": tag, "class": names, **_drawing(next(self.drawings))}
        self.open[-1]["children"].append(node)
        if tag == "main":
            self.main = node
        if tag not in VOID:
            self.open.append(node)

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, text: str) -> None:
        if text.strip() or (text and "children" in self.open[-1]):
            self.open[-1]["children"].append(text)


def _drawing(svg: str) -> dict[str, str]:
    """A drawing that stands for itself: with its name space, its font and its colours; "alt" is "" for decoration."""
    label = LABEL.search(svg)
    for name, given in COLOURS.items():
        svg = svg.replace(name, given)
    space = "" if "xmlns=" in svg else 'xmlns="http://www.w3.org/2000/svg" '
    return {
        "source": svg.replace("<svg ", f'<svg {space}font-family="DejaVu Sans" ', 1),
        "alt": _plain(label[1] if label else ""),
    }


def _plain(escaped: str) -> str:
    import html

    return html.unescape(escaped)


def _title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.S)
    return _plain(found[1]) if found else "Report"


def _streams(printed: bytes) -> list[bytes]:
    """The file's bytes, and those of each compressed part of it."""
    found = [printed]
    for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", printed, re.S):
        try:
            found.append(zlib.decompress(part))
        except zlib.error:
            continue  # not compressed, or a picture
    return found


def _fonts() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def _glyphs() -> frozenset[int]:
    """The signs that the sans-serif has; typst takes it for what its own fonts lack."""
    from matplotlib.ft2font import FT2Font

    return frozenset(FT2Font(str(_fonts() / "DejaVuSans.ttf")).get_charmap())


def _with_glyphs(page: str) -> str:
    known = _glyphs() | {ord("\n"), ord("\t")}
    return "".join(sign if ord(sign) in known and not 0xE000 <= ord(sign) < 0xF900 else UNSET for sign in page)
