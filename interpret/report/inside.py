"""Is a folder the report of a version: its JSON keeps the schema, names the model, tells its figures, gives its pages.

What cannot be seen here: an attribution that was changed together with all that it adds up to. A run hands the digest
of its report from the step that wrote it to the step that registers it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from interpret.report import blocks, document, numbers, pdf, pointers, render
from interpret.report.facts import File, files_of, model_digest
from interpret.report.sections import annex, governance, performance, training
from interpret.report.sections.findings import judged
from interpret.report.sections.identity import listing_of
from interpret.report.stage import HTML, JSON, PDF
from tasks import digest
from tasks.model.folder import Folder
from tasks.validate.calibration import from_json
from tasks.validate.judgement import Judgement

MOST_BYTES = {JSON: 32_000_000, HTML: 10_000_000, PDF: 20_000_000}
Pages = Callable[[Mapping[str, Any], Path], str | None]  # a document and its folder -> what is wrong with its pages
LONGEST = 160  # signs of a value inside a sentence
ADDS_UP = 2e-5  # of the sum of |value|: as far as six digits can be off
CURE = "register the folder that the explain step of this run wrote"


class OtherSchemaError(ValueError):
    """The report keeps the schema of an earlier release, which this one does not read."""


def refused(task: str, model: Path, report: Path) -> list[str]:
    """Why a report cannot be registered for a model of a task: sentences with value and cure; [] where it can."""
    return _told(lambda: _faults(task, model, report, _rendered))


def faults(task: str, model: Path, report: Path) -> list[str]:
    """The same of a version that is registered, where the page may be another release's.

    Raises OtherSchemaError where the report was registered before the schema of today.
    """
    try:
        held = strict((report / JSON).read_bytes())
    except (OSError, ValueError):
        held = None
    if isinstance(held, dict) and held.get("schema") in document.EARLIER:
        raise OtherSchemaError(
            f"{JSON} keeps {held['schema']}; this release reads {document.SCHEMA} and did not look inside"
        )
    return _told(lambda: _faults(task, model, report, _rendered_or_read))


def unprinted(report: Path) -> str | None:
    """Of a report without faults: why its report.pdf was not made again; None where it was."""
    printer = digest.read_json(report / JSON)["printer"]
    if printer == pdf.printer():
        return None
    return (
        f"{PDF} was set by typst {printer['typst']} and cannot be made again by this release (typst "
        f"{pdf.printer()['typst']}); it was held to {JSON} when it was registered, and is held by its digest since"
    )


def strict(content: bytes) -> Any:
    """Parse JSON as RFC 8259 has it. Raises ValueError on a repeated key, NaN, infinity, and on what nests too deep."""

    def pairs(found: Any) -> dict[str, Any]:
        names = [name for name, _ in found]
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            raise ValueError(f"the key {twice!r} stands twice in one object")
        return dict(found)

    def constant(name: str) -> Any:
        raise ValueError(f"{name} is no number")

    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def _told(look: Callable[[], Iterator[str]]) -> list[str]:
    """The faults; one that makes the rest unreadable is the last."""
    found: list[str] = []
    try:
        for fault in look():
            found.append(fault)  # one by one: what came before the last is kept
    except _Unreadable as error:
        found.append(str(error))
    return found


class _Unreadable(Exception):
    """What stops the look: nothing behind it can be judged."""


def _faults(task: str, model: Path, report: Path, pages: Pages) -> Iterator[str]:
    _right_files(report)
    held = _read(report / JSON)
    _keeps_schema(held)
    if held["task"] != task:
        raise _Unreadable(f"{JSON} is the report of task {held['task']!r}, not of {task!r}; {CURE}")
    folder = Folder(model)
    files = files_of(folder)
    wanted = model_digest(files)
    if held["model_digest"] != wanted:
        raise _Unreadable(f"{JSON} is about the model {held['model_digest'][:16]}, not about {wanted[:16]}; {CURE}")
    wrong = [*_figures(held, folder, files), *_numbers(held), *_cases(held)]
    yield from wrong
    said = None if wrong else _of_pages(held, report, pages)
    if said:
        yield said


def _right_files(report: Path) -> None:
    """Three files and nothing else, none of them a link or too large to be one."""
    if not report.is_dir():
        raise _Unreadable(f"there is no report folder {str(report)!r}; {CURE}")
    found = {path.relative_to(report).as_posix(): path for path in sorted(report.rglob("*"))}
    for name, path in found.items():
        if path.is_symlink():
            raise _Unreadable(f"{name} in the report's folder is a link; {CURE}")
        if name not in MOST_BYTES:
            raise _Unreadable(f"{name!r} in the report's folder is no part of a report; {CURE}")
        if path.stat().st_size > MOST_BYTES[name]:
            raise _Unreadable(f"{name} has {path.stat().st_size} bytes, more than {MOST_BYTES[name]}; {CURE}")
    for name in MOST_BYTES:
        if name not in found:
            raise _Unreadable(f"{name} is missing in the report's folder; {CURE}")


def _read(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    try:
        held = strict(content)
    except (ValueError, UnicodeDecodeError) as error:
        raise _Unreadable(f"{path.name} is no strict JSON ({_short(error)}); {CURE}") from error
    if not isinstance(held, dict) or held.get("schema") != document.SCHEMA:
        found = held.get("schema") if isinstance(held, dict) else type(held).__name__
        raise _Unreadable(f"{path.name} keeps {_short(found)}, not {document.SCHEMA}; explain the version anew")
    if content != digest.canonical(held):
        raise _Unreadable(f"{path.name} is not in canonical form: its bytes were changed; {CURE}")
    return held


def _keeps_schema(held: Mapping[str, Any]) -> None:
    broken = schema_errors(held)
    if broken:
        raise _Unreadable(f"{JSON} breaks its schema {len(broken)} times, first at {broken[0]}; {CURE}")


def schema_errors(held: Mapping[str, Any]) -> list[str]:
    """Where a document breaks report.schema.json (draft 2020-12), and how."""
    from jsonschema import Draft202012Validator

    errors = Draft202012Validator(digest.read_json(annex.SCHEMA)).iter_errors(held)
    return [f"/{'/'.join(map(str, error.absolute_path))}: {_short(error.message)}" for error in errors]


def _figures(held: Mapping[str, Any], folder: Folder, files: Sequence[File]) -> Iterator[str]:
    """What the report repeats from the version's own files is what stands there."""
    try:
        metrics = Judgement.model_validate(folder.read(folder.metrics))
        calibration = from_json(folder.read(folder.calibration))
        learned = folder.read(folder.training) if folder.training.is_file() else {}
    except ValueError as error:
        yield f"a file of the model cannot be read ({_short(error)}); register a version that was judged"
        return
    for name, value in blocks.clean(document.headline(metrics)).items():
        if held[name] != value:
            yield f"{JSON} says {name} {_short(held[name])}, the model's own file {_short(value)}; {CURE}"
    told = {
        "1": judged(metrics),
        "2": [listing_of(files)],
        "5": training.learned(learned),
        "6": performance.measured(metrics, held["kind"]),
        "14": governance.rates(metrics),
        "16": [governance.rule(calibration)],
    }
    known = {block["id"]: block for section in held["sections"] for block in section["blocks"]}
    for number, content in told.items():
        for block in numbers.unmarked(blocks.clean(blocks.section(number, "", content)["blocks"])):
            if known.get(block["id"]) != block:
                yield f"{block['id']} in {JSON} is not what the model's own files say; {CURE}"
    count = sum(block["kind"] == "finding" for block in known.values())
    if known["s0.identity"]["rows"][-1]["value"] != count:
        yield f"s0.identity in {JSON} does not count its {count} findings; {CURE}"


def _numbers(held: Mapping[str, Any]) -> Iterator[str]:
    """Every number of a text has its entry, and the text shows a rounding of it."""
    entries: dict[str, list[Mapping[str, Any]]] = {}
    for entry in held["numbers"]:
        entries.setdefault(entry["at"], []).append(entry)
    for pointer, text in numbers.texts(held):
        mine = entries.pop(pointer, [])
        places = {(entry["from"], entry["to"]) for entry in mine}
        for start, end, _ in numbers.found(text):
            if not any(low <= start and end <= high for low, high in places):
                yield f"{pointer} in {JSON} shows {text[start:end]!r} without its number; {CURE}"
        for entry in mine:
            shown = text[entry["from"] : entry["to"]]
            if not numbers.reads(shown) or not numbers.agrees(shown, entry["value"]):
                yield f"{pointer} in {JSON} shows {_short(shown)}, its number is {entry['value']!r}; {CURE}"
    if entries:
        yield f"numbers in {JSON} names {_short(next(iter(entries)))}, where no text stands; {CURE}"


def _cases(held: Mapping[str, Any]) -> Iterator[str]:
    """The values of a case add up to the sum that stands above them."""
    for block in (block for section in held["sections"] for block in section["blocks"] if block["kind"] == "case"):
        values = [player["value"] for player in block["players"]]
        room = ADDS_UP * max(sum(map(abs, values)), abs(block["sum"]), 1e-12)
        if abs(sum(values) - block["sum"]) > room:
            yield f"{block['id']} in {JSON} says a sum of {block['sum']}, its values give {sum(values):.6g}; {CURE}"


def _of_pages(held: Mapping[str, Any], report: Path, look: Pages) -> str | None:
    try:
        return look(held, report)
    except Exception as error:  # whatever a document makes the drawing stumble over, it is no report
        return f"{JSON} gives no page ({type(error).__name__}: {_short(error)}); {CURE}"


def _rendered(held: Mapping[str, Any], report: Path) -> str | None:
    """Both pages are made again; one that another release made is not taken."""
    if held["renderer"] != render.renderer():
        return f"{JSON} was made for another page (renderer {held['renderer'][:12]}); explain the version anew"
    if held["printer"] != pdf.printer():
        there, here = held["printer"], pdf.printer()
        by = f"typst {there['typst']}, here is {here['typst']}, printer {there['digest'][:12]}"
        return f"{JSON} was made for another {PDF} ({by}); explain the version anew"
    page = render.html(held)
    return _same(HTML, page.encode("utf-8"), report) or _same(PDF, pdf.pdf(held, page), report)


def _same(name: str, made: bytes, report: Path) -> str | None:
    if made == (report / name).read_bytes():
        return None
    return f"{name} is not the page that {JSON} gives, byte for byte; {CURE}"


def _rendered_or_read(held: Mapping[str, Any], report: Path) -> str | None:
    """By another release's renderer the bytes cannot be made again, but what the page says can be held to the JSON.

    What is printed follows from the page, so that it is made again wherever typst and the layout are the same.
    """
    if held["renderer"] == render.renderer() and held["printer"] == pdf.printer():
        return _rendered(held, report)
    page = (report / HTML).read_bytes().decode("utf-8")
    wrong = pointers.loose(page, held)
    if wrong:
        return f"{HTML} does not say what {JSON} says: {wrong[0]}; bring it back from a copy"
    return _same(PDF, pdf.pdf(held, page), report) if held["printer"] == pdf.printer() else None


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
