"""Words that several sections share: names of scales and outputs, intervals, and the card's text as blocks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

from interpret.report import blocks, numbers
from interpret.report.blocks import Block
from tasks import digest
from tasks.task import Head
from tasks.validate.judgement import Interval

METRICS = Path(__file__).resolve().parents[1] / "metric_words.json"
YEAR = 252  # trading days
MOST = 20.0  # of a log variance: beyond it nothing is said of the market
KINDS = {
    "classify": "one of several classes",
    "multilabel": "several labels, each yes or no",
    "score": "one score, yes or no",
    "regress": "a number with its variance",
    "program": "a program over the numbers of a document, with the chance that it is right",
}
MODALITIES = {"text": "text", "table": "table", "series": "series", "classical": "classical part"}


def scale(head: Head) -> str:
    """The raw unit that values are stated in."""
    return "units of the target" if head.kind == "regress" else "logit"


def metric(name: str) -> str | None:
    """A metric in a clause of everyday words; None for one that nobody put into words."""
    found: str | None = digest.read_json(METRICS).get(name)
    return found


def value(head: Head) -> str:
    """What a value of a part says, in words, for who does not read raw units."""
    said = "A part, or player, is what is shown or hidden as a whole; its value is how much it moves the raw answer. "
    if reading(head, 0.0) is not None:
        return said + "The raw answer is a log variance a day: +0.693 doubles the variance, −0.693 halves it."
    if head.kind == "regress":
        return said + "The raw answer is in the units of the target."
    return said + "The raw answer is a logit, the logarithm of the odds: +0.693 doubles the odds, −0.693 halves them."


def reading(head: Head, raw: float) -> str | None:
    """A raw answer as a person says it, where its unit is nobody's: of a log variance a day the volatility a year."""
    if head.kind != "regress" or tuple(head.outputs[:1]) != ("log_variance",):
        return None
    return f"a volatility of {numbers.said(math.sqrt(YEAR * math.exp(min(raw, MOST))), 'percent')} a year"


def output_name(head: Head, output: int) -> str:
    """The name of the explained output."""
    if head.kind == "regress":
        return head.outputs[0] if head.outputs else "mean"
    return head.outputs[output] if output < len(head.outputs) else f"output {output}"


def ends(interval: Interval) -> tuple[float | None, float | None]:
    """The two ends of an interval as cells of a table; None where there is none."""
    return interval or (None, None)


def known(interval: Interval) -> tuple[float, float] | None:
    """The interval, where both of its ends are numbers."""
    low, high = ends(interval)
    return None if low is None or high is None else (low, high)


def figure(value: float | None) -> str:
    """A figure inside a sentence."""
    return numbers.said(value)


def markdown(slug: str, lines: Iterable[str]) -> list[Block]:
    """Paragraphs, points and tables of a card as blocks."""
    found: list[Block] = []
    for number, group in enumerate(_groups(lines)):
        name = f"{slug}_{number + 1}"
        if group[0].startswith("|"):
            found.append(_table(name, group))
        elif group[0].startswith(("- ", "* ")):
            found.append(blocks.bullets(name, _points(group)))
        else:
            found.append(blocks.text(name, " ".join(line.lstrip("# ") for line in group)))
    return found


def _groups(lines: Iterable[str]) -> list[list[str]]:
    """Runs of lines of one kind: a point with its continuation, a table, a paragraph."""
    groups: list[list[str]] = []
    kind = ""
    for line in lines:
        mark = "" if not line else "|" if line.startswith("|") else "-" if line.startswith(("- ", "* ")) else "p"
        if mark and (mark == kind or (mark == "p" and kind == "-")):
            groups[-1].append(line)
            continue
        if mark:
            groups.append([line])
        kind = mark
    return groups


def _points(lines: Sequence[str]) -> list[str]:
    points: list[str] = []
    for line in lines:
        if line.startswith(("- ", "* ")):
            points.append(line[2:])
        else:
            points[-1] += " " + line
    return points


def _table(slug: str, lines: Sequence[str]) -> Block:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    body = [row for row in cells[1:] if set("".join(row)) - set("-: ")]
    width = len(cells[0])
    return blocks.table(slug, "", [(name, "text") for name in cells[0]], [(row + [""] * width)[:width] for row in body])
