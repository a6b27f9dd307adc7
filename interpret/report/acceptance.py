"""The acceptance rows of a report, A1 to A18: a figure, its bar, and how it was measured, from the version's files.

A row holds only where it was measured here, or where the report carries the evidence (`evidence`, written when it was
made); a row that nobody measured says so. A2 and A17 need the registry and are measured above this floor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interpret.report import inside, pointers, render
from interpret.report.sections.explanation_quality import LEAST_TAU, WORST_ERROR
from interpret.report.sections.findings import ENOUGH_ROWS, MOST_ADDITIVITY
from interpret.report.stage import HTML
from interpret.report.tamper import flips
from tasks.model import forward
from tasks.model.saved import open_folders
from tasks.privacy.redact import HIDDEN, identifier
from tasks.task import Inputs, Rows

BARS = {
    "A1": "23 sections, none empty, no schema error",
    "A2": "no forged report registers, and every version is signed",
    "A3": "page made again byte for byte, no number without a place in the JSON, nothing fetched, at most 10 MB",
    "A4": f"answer - base - values at most {MOST_ADDITIVITY:g} of max(1, |answer - base|), files opened anew",
    "A5": "relative L1 to all coalitions at most 0.05 and rank correlation at least 0.99, 50 rows",
    "A6": "planted driver first in 95 % of rows, dead and twin players within 2 standard errors in 95 %",
    "A7": f"largest standard error at most {WORST_ERROR:g} of the sum of |value|",
    "A8": "95 % intervals hold the truth in 93 to 97 %",
    "A9": "10 seeds: rank correlation at least 0.98, the same top four in 95 % of rows",
    "A10": f"at least {ENOUGH_ROWS} rows, order in two halves at least {LEAST_TAU:g} (Kendall)",
    "A11": "comprehensiveness and sufficiency at 1, 5, 10, 20, 50 % better than random order, lower end above 0",
    "A12": "rank correlation with a randomised adapter and head at most 0.3",
    "A13": "top four of two backgrounds overlap by half; a planted scaffold is flagged",
    "A14": "signs agree with a second method in 0.7",
    "A15": "1 to 4 reasons of a versioned list, lower end above 0, none of an input that was missing",
    "A16": "every counterfactual flips the decision, none by a protected feature",
    "A17": "1,000 of 1,000 decisions replay offline",
    "A18": "10,000 of 10,000 single-bit flips seen; a log cut off or rolled back is seen",
}
MOST_REASONS = 4
REASON = re.compile(r"(\S+) \S+ [+-][\d.]+ \(([+-][\d.]+)\)")  # code, group, value, lower end


@dataclass(frozen=True)
class Version:
    """What is asked about: the version's folders, its report's document and page, and its test rows where they are."""

    task: str
    model: Path
    report: Path
    document: Mapping[str, Any]
    page: str
    test: Rows | None


@dataclass(frozen=True)
class Row:
    """One row. `holds` is None where it was not measured, or cannot be asked of this task; `measured` says why."""

    row: str
    figure: float | None
    bar: str
    holds: bool | None
    measured: str


def row(name: str, figure: float | None, holds: bool | None, measured: str) -> Row:
    """A row with its bar."""
    return Row(name, figure, BARS[name], holds, measured)


def rows(version: Version) -> list[Row]:
    """Every row that the version's files can answer; A2 and A17 are said to be unmeasured."""
    known = {each["row"]: each for each in version.document.get("evidence", ())}
    return [_row(name, version, known.get(name)) for name in BARS]


def _row(name: str, version: Version, told: Mapping[str, Any] | None) -> Row:
    measure = MEASURES.get(name)
    if measure is not None:
        return measure(version)
    if told is not None:
        return row(name, told["figure"], told["holds"], f"{told['measured']} (when the report was made)")
    return row(name, None, None, "not measured")


def _structure(version: Version) -> Row:
    errors, sections = inside.schema_errors(version.document), version.document["sections"]
    bare = [part["number"] for part in sections if not part["blocks"]]
    wrong = len(errors) + len(bare) + abs(len(sections) - 23)
    return row("A1", wrong, not wrong, f"draft 2020-12 over report.json; {len(sections)} sections, {len(bare)} empty")


def _page(version: Version) -> Row:
    same = render.html(version.document) == version.page
    loose = pointers.loose(version.page, version.document)
    fetched = sum(version.page.count(f'{name}="http') + version.page.count(f"{name}='http") for name in ("src", "href"))
    size, scripts = len(version.page.encode("utf-8")), version.page.count("<script")
    holds = same and not loose and not fetched and not scripts and size <= inside.MOST_BYTES[HTML]
    said = f"{'the same bytes' if same else 'other bytes'} when made again, {len(loose)} numbers without a place, "
    return row("A3", len(loose), holds, f"{said}{fetched + scripts} links or scripts, {size} bytes; no PDF is made")


def _additivity(version: Version) -> Row:
    cases = list(_cases(version))
    if version.document["kind"] == "program":
        return row("A4", None, None, "not measured: what is explained of a program needs the body's own writing")
    inputs = _inputs(version, cases)
    if inputs is None:
        return row("A4", None, None, "not measured: the run's rows are not on this machine")
    model = open_folders({version.task: version.model}, 1)
    answers = forward.raw(model, version.task, inputs)
    outputs = version.document["outputs"]
    gaps = []
    for case, answer in zip(cases, np.asarray(answers, dtype=np.float64), strict=True):
        at = outputs.index(case["output"]) if version.document["kind"] in ("classify", "multilabel") else 0
        whole = answer[at] - case["base"]
        gaps.append(abs(whole - case["sum"]) / max(1.0, abs(whole)))
    worst = float(max(gaps))
    return row(
        "A4", worst, worst <= MOST_ADDITIVITY, f"{len(cases)} cases answered by the version's files, opened anew"
    )


def _inputs(version: Version, cases: list[Mapping[str, Any]]) -> Inputs | None:
    """The cases' rows: from the run's test rows; those of text alone from the report itself."""
    if version.test is not None:
        places = {identifier(name): at for at, name in enumerate(version.test.ids)}
        if all(case["row"] in places for case in cases):
            return version.test.inputs.take(np.array([places[case["row"]] for case in cases]))
    if any(player["modality"] != "text" for case in cases for player in case["players"]):
        return None
    texts = tuple("".join(piece["text"] for piece in case["text"]) for case in cases)
    if any(HIDDEN in text for text in texts):
        return None  # what told a person is not in the report
    return Inputs(owner=np.arange(len(texts)), text=texts)


def _errors(version: Version) -> Row:
    shares = [
        max(player["error"] for player in case["players"]) / max(_weight(case), 1e-300) for case in _cases(version)
    ]
    return row("A7", max(shares), max(shares) <= WORST_ERROR, f"of the errors that {len(shares)} cases carry")


def _order(version: Version) -> Row:
    criteria = {line[0]: line[1] for line in _block(version, "s13.criteria")["rows"]}
    count, tau = criteria["Rows in the global view"], criteria["Kendall's tau between two halves"]
    if tau is None:
        return row("A10", None, None, f"cannot be asked: fewer than three players are common to all {count} rows")
    return row("A10", tau, count >= ENOUGH_ROWS and tau >= LEAST_TAU, f"over {count} rows, as the report has it")


def _reasons(version: Version) -> Row:
    """The reasons of section 12: of its list, sure, at most four, none of a group that the row was silent on."""
    table, listed = _block(version, "s12.reasons"), _block(version, "s12.codes")
    if table is None or table["kind"] != "table":
        return row("A15", None, None, "cannot be asked: the report tells no refused row its reasons")
    known = {line[0] for line in listed["rows"]}
    counts = {fact["name"]: fact["value"] for fact in _block(version, "s12.counts")["rows"]}
    wrong, given = int(counts["of a group of which the row holds nothing"]), 0
    wrong += int(counts["reasons given"] - counts["with a lower end above zero"])
    for _, _, told in table["rows"]:
        found = [REASON.fullmatch(each) for each in told.split("; ")] if told != "none is sure" else []
        given += len(found)
        wrong += sum(each is None or each[1] not in known or float(each[2]) < 0 for each in found)
        wrong += max(0, len(found) - MOST_REASONS)
    said = f"{given} reasons of {len(table['rows'])} refused rows held against their list, lower ends and inputs, "
    return row("A15", wrong, not wrong, said + f"{wrong} wrong; as the report has them, not drawn anew")


def _tampering(version: Version) -> Row:
    tried, seen = flips((version.model, version.report))
    said = f"{tried} flips over model, report.json and report.html, {seen} change a digest that the registry holds; "
    said += "the newest events, cut off with their rows, are seen only by a copy kept elsewhere"
    return row("A18", seen / tried, False, said)


def _cases(version: Version) -> Iterator[Mapping[str, Any]]:
    return (block for part in version.document["sections"] for block in part["blocks"] if block["kind"] == "case")


def _weight(case: Mapping[str, Any]) -> float:
    return float(sum(abs(player["value"]) for player in case["players"]))


def _block(version: Version, name: str) -> Any:
    found = (block for part in version.document["sections"] for block in part["blocks"] if block["id"] == name)
    return next(found, None)


MEASURES: Mapping[str, Callable[[Version], Row]] = {
    "A1": _structure,
    "A3": _page,
    "A4": _additivity,
    "A7": _errors,
    "A10": _order,
    "A15": _reasons,
    "A18": _tampering,
}
