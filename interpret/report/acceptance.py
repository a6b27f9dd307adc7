"""The acceptance rows of a report, A1 to A18: a figure, its bar, and how it was measured, from the version's files.

A row holds only where it was measured here. What the report says of its own explanations (`evidence`, cases, reasons)
is held against the same version explained once more; where its run's rows are gone, it is not believed. A2, A17 and A18
need the registry and are measured above this floor.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from interpret.report import anew, inside, pdf, pointers, render
from interpret.report.bars import BARS, MOST_PAGES
from interpret.report.sections.explanation_quality import LEAST_TAU, WORST_ERROR
from interpret.report.sections.findings import ENOUGH_ROWS, MOST_ADDITIVITY
from interpret.report.stage import HTML
from tasks.model import forward
from tasks.model.saved import open_folders
from tasks.privacy.redact import HIDDEN, identifier
from tasks.task import Inputs, Rows

MOST_REASONS = 4
GONE = "the rows of its run are not on this machine"
REASON = re.compile(r"(\S+) \S+ [+-][\d.]+ \(([+-][\d.]+)\)")  # code, group, value, lower end


@dataclass(frozen=True)
class Version:
    """What is asked about: the version's folders, its report's document, page and print.

    test   its run's test rows, and again, the document of the same version explained once more; None without its run
    """

    task: str
    model: Path
    report: Path
    document: Mapping[str, Any]
    page: str
    printed: bytes
    test: Rows | None
    again: Mapping[str, Any] | None = None


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
    """Every row that the version's files can answer; A2, A17 and A18 are said to be unmeasured."""
    known = {each["row"]: each for each in version.document.get("evidence", ())}
    return [_row(name, version, known.get(name)) for name in BARS]


def _row(name: str, version: Version, told: Mapping[str, Any] | None) -> Row:
    measure = MEASURES.get(name)
    if measure is not None:
        return measure(version)
    return _evidence(name, version, told)


def _evidence(name: str, version: Version, told: Mapping[str, Any] | None) -> Row:
    """What the report carries as evidence, measured again."""
    if version.again is None:
        said = "" if told is None else f"; the report says {_said(told['figure'])}, which nobody can check here"
        return row(name, None, None, f"not measured: {GONE}{said}")
    found = next((each for each in version.again.get("evidence", ()) if each["row"] == name), None)
    if found is None:
        return row(name, None, None, "not measured")
    if told is not None and not anew.same_libraries(version.document, version.again):
        return row(name, found["figure"], found["holds"], f"{found['measured']} (measured now, by other libraries)")
    if told is None or not anew.alike(told["figure"], found["figure"]) or told["holds"] is not found["holds"]:
        says = "nothing" if told is None else _said(told["figure"])
        return row(name, found["figure"], False, f"the report says {says}, measured again it is otherwise")
    return row(name, found["figure"], found["holds"], f"{found['measured']} (measured again)")


def _said(figure: float | None) -> str:
    return "no figure" if figure is None else f"{figure:g}"


def _given_again(found: Row, version: Version, *numbers: str) -> Row:
    """A row of what the report's sections say: it holds only where the version, explained once more, says the same."""
    if found.holds is not True:
        return found
    if version.again is None:
        return row(found.row, found.figure, None, f"not measured anew: {GONE}; {found.measured}")
    if not anew.same_libraries(version.document, version.again):
        return row(found.row, found.figure, None, f"not measured anew: other libraries made it; {found.measured}")
    other = anew.changed(version.document, version.again, numbers)
    if other:
        return row(found.row, found.figure, False, f"explained once more, {len(other)} blocks differ, first {other[0]}")
    return row(found.row, found.figure, True, f"{found.measured}; explained once more, the same")


def _structure(version: Version) -> Row:
    errors, sections = inside.schema_errors(version.document), version.document["sections"]
    bare = [part["number"] for part in sections if not part["blocks"]]
    wrong = len(errors) + len(bare) + abs(len(sections) - 23)
    return row("A1", wrong, not wrong, f"draft 2020-12 over report.json; {len(sections)} sections, {len(bare)} empty")


def _page(version: Version) -> Row:
    page = render.html(version.document)
    same = page == version.page and pdf.pdf(version.document, page) == version.printed
    loose = pointers.loose(version.page, version.document)
    fetched = sum(version.page.count(f'{name}="http') + version.page.count(f"{name}='http") for name in ("src", "href"))
    size, scripts = len(version.page.encode("utf-8")), version.page.count("<script")
    sheets = pdf.pages(version.printed)
    small = size <= inside.MOST_BYTES[HTML] and 0 < sheets <= MOST_PAGES
    holds = same and not loose and not fetched and not scripts and small
    said = f"{'the same bytes' if same else 'other bytes'} when made again, {len(loose)} numbers without a place, "
    return row(
        "A3", len(loose), holds, f"{said}{fetched + scripts} links or scripts, {size} bytes, {sheets} printed pages"
    )


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
    found = row(
        "A4", worst, worst <= MOST_ADDITIVITY, f"{len(cases)} cases answered by the version's files, opened anew"
    )
    return found if version.again is None else _given_again(found, version, "10")


def _against_all(version: Version) -> Row:
    """The cases of text against all of their coalitions, asked of the version's files."""
    if version.document["kind"] == "program":
        return row("A5", None, None, "not measured: what is explained of a program needs the body's own writing")
    if not any(all(player["modality"] == "text" for player in case["players"]) for case in _cases(version)):
        return row("A5", None, None, "cannot be asked of numbers: each value is a mean over reference rows; see A8")
    found = anew.exact(open_folders({version.task: version.model}, 1), version.task, version.document)
    if not found:
        return row("A5", None, None, f"not measured: no case is text alone of at most {anew.MOST_PLAYERS} parts")
    error, order = np.mean(found, axis=0).tolist()
    said = f"{len(found)} cases, all coalitions answered by the version's files, rank correlation {order:.3f}"
    return row("A5", error, error <= 0.05 and order >= 0.99, said)


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
    found = row("A7", max(shares), max(shares) <= WORST_ERROR, f"of the errors that {len(shares)} cases carry")
    return _given_again(found, version, "10")


def _order(version: Version) -> Row:
    criteria = {line[0]: line[1] for line in _block(version, "s13.criteria")["rows"]}
    count, tau = criteria["Rows in the global view"], criteria["Kendall's tau between two halves"]
    if tau is None:
        return row("A10", None, None, f"cannot be asked: fewer than three players are common to all {count} rows")
    found = row("A10", tau, count >= ENOUGH_ROWS and tau >= LEAST_TAU, f"over {count} rows")
    return _given_again(found, version, "8", "13")


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
    return _given_again(row("A15", wrong, not wrong, said + f"{wrong} wrong"), version, "12")


def _ways_out(version: Version) -> Row:
    """The changes of section 12: each turns the answer, and none is of what nobody can change."""
    table, held = _block(version, "s12.counterfactuals"), _block(version, "s12.held")
    if table is None or table["kind"] != "table":
        return row("A16", None, None, "cannot be asked: the report gives no change that would turn an answer")
    refused = {line[0]: line[1] for line in _block(version, "s12.reasons")["rows"]}
    paragraphs = held["paragraphs"] if held is not None else [""]
    fixed = paragraphs[0].partition("Never changed: ")[2].partition(".")[0].split(", ")
    wrong = [
        name
        for name, change, then in table["rows"]
        if refused[name] * then > 0 or any(part.partition(":")[0] in fixed for part in change.split("; "))
    ]
    share = 1 - len(wrong) / len(table["rows"])
    said = f"{len(table['rows'])} changes, each scored by the version; {len(wrong)} leave the answer or touch the fixed"
    return _given_again(row("A16", share, not wrong, said), version, "12")


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
    "A5": _against_all,
    "A7": _errors,
    "A10": _order,
    "A15": _reasons,
    "A16": _ways_out,
}
