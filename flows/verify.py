"""`./assay verify`: bytes, history, and what the bytes say; `--report`: the acceptance rows of one version."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from argparse import Namespace
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import registry
from flows import decided
from flows.documents import DONE, SAID_NO, book, moment, show
from infra.settings import Settings
from interpret.report import acceptance, inside, stage
from interpret.report.acceptance import Row, Version
from interpret.report.stage import HTML, JSON, PDF
from interpret.report.tamper import flips
from tasks import digest
from tasks.data.parquet import load_rows
from tasks.model.folder import Folder

REPLAYED = 1000  # the newest answers of a version that are replayed


def verify(arguments: Namespace) -> int:
    """Check artifacts, history and reports, or the rows of one report; status 1 where one does not hold."""
    if arguments.report and not arguments.version:
        raise ValueError("--report needs a version: ./assay verify --report sentiment@1")
    if (arguments.accept is not None) != (arguments.by is not None and arguments.reason is not None):
        raise ValueError("--accept EVENT, --as NAME and --reason TEXT go together")
    as_of = None if arguments.as_of is None else moment(arguments.as_of)
    opened = book()
    if arguments.accept is not None:
        return show(arguments, registry.accept_fault(opened, arguments.accept, arguments.by, arguments.reason))
    if arguments.report:
        document = accepted(Settings(), opened, arguments.version)
    else:
        document = verified(opened, arguments.version, arguments.since, as_of)
    show(arguments, document)
    return DONE if document["ok"] else SAID_NO


def verified(
    opened: registry.Registry, ref: str | None, since: str | None = None, as_of: datetime | None = None
) -> dict[str, Any]:
    """The `verify` document; `notes`: reports of an earlier release, not read or not printed again, and rights."""
    notes: list[str] = []

    def look(task: str, model: Path, report: Path) -> list[str]:
        try:
            faults = inside.faults(task, model, report)
        except inside.OtherSchemaError as error:
            notes.append(f"{task}: {error}")
            return []
        unprinted = None if faults else inside.unprinted(report)
        if unprinted:
            notes.append(f"{task}: {unprinted}")
        return faults

    document = registry.verify(opened, ref, look, since, as_of)
    if told := registry.unbound(opened):
        notes.append(told)
    if (other := registry.pinned(opened, Settings().root)) is not None:
        document = {**document, "ok": False, "failures": [*document["failures"], other]}
    return {**document, "notes": notes} if notes else document


def accepted(settings: Settings, book: registry.Registry, ref: str) -> dict[str, Any]:
    """The rows A1 to A18 of one version, measured now on its own files.

    Gives {"version", "ok", "held", "failed", "not_measured", "rows": [{"row", "figure", "bar", "holds", "measured"}]};
    ok says that no row fails. Raises registry.Damaged where its bytes are not those registered, ValueError where its
    report keeps the schema of another release.
    """
    version = registry.show(book, ref)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        files = registry.fetch(book, version, Path(scratch))
        document = digest.read_json(files["report"] / JSON)
        if inside.schema_errors(document):
            raise ValueError(
                f"the report of {version.ref} breaks its schema at {inside.schema_errors(document)[0]}; "
                "explain and register the version anew"
            )
        page, printed = (files["report"] / HTML).read_bytes().decode("utf-8"), (files["report"] / PDF).read_bytes()
        data = settings.root / "runs" / version.key.partition("/")[0] / "data" / version.task
        rows = load_rows(data / "test.parquet") if (data / "test.parquet").is_file() else None
        again = (
            _explained_again(version.task, files["model"], data, Path(scratch) / "again") if rows is not None else None
        )
        asked = Version(version.task, files["model"], files["report"], document, page, printed, rows, again)
        own = {
            "A2": lambda: _bypasses(asked, Path(scratch), registry.signature(book, ref)),
            "A17": lambda: replayed(settings, book, version),
            "A18": lambda: _tampering(book, version, (asked.model, asked.report)),
        }
        found = [own[each.row]() if each.row in own else each for each in acceptance.rows(asked)]
    count = {state: sum(each.holds is state for each in found) for state in (True, False, None)}
    return {
        "version": version.ref,
        "ok": not count[False],
        "held": count[True],
        "failed": count[False],
        "not_measured": count[None],
        "rows": [dataclasses.asdict(each) for each in found],
    }


def _explained_again(task: str, model: Path, data: Path, reports: Path) -> dict[str, Any]:
    """The report of a version made once more from its files and its run's rows, as its own recipe has it."""
    recipe = digest.read_json(Folder(model).recipe)
    written = stage.explain(
        {
            "tasks": {task: {"model": str(model), "data": str(data)}},
            "explain": recipe["explain"],
            "reports": str(reports),
            "seed": recipe["train"]["seed"],
            "threads": recipe["train"]["threads"],
            "lineage": {},
        }
    )
    again: dict[str, Any] = digest.read_json(Path(written[task]["report"]) / JSON)
    return again


def _bypasses(asked: Version, scratch: Path, signature: str | None) -> Row:
    """Try to register what is not this version's report, in a registry made for it; and is its approval signed."""
    book = registry.open_registry(f"sqlite:///{scratch / 'tried.db'}", f"file://{scratch / 'tried'}")
    try:
        got_in = [name for name, forge in FORGERIES.items() if _gets_in(book, asked, forge, scratch / f"as {name}")]
    finally:
        registry.close(book)
    said = f"{len(FORGERIES)} forgeries tried in an empty registry, {len(got_in)} got in; "
    said += "nobody has judged it" if signature is None else f"its newest verdict: {signature}"
    return acceptance.row("A2", len(got_in), not got_in and (signature or "").startswith("signed by"), said)


def _tampering(book: registry.Registry, version: registry.Version, folders: tuple[Path, Path]) -> Row:
    """Flip bits of its files; and does a checkpoint outside the database speak for all that happened to it."""
    tried, seen = flips(folders)
    made = registry.witnessed(book, registry.history(book, version.ref, limit=1)[-1].seq)
    said = f"{tried} flips over model and report, {seen} change a digest that the registry holds; "
    said += (
        "no checkpoint outside the database speaks for its newest event: ./assay checkpoint"
        if made is None
        else f"cut off with its rows, its newest event is missed by checkpoint {made.number} of {made.size} events"
    )
    return acceptance.row("A18", seen / tried, seen == tried and made is not None, said)


def _gets_in(book: registry.Registry, asked: Version, forge: Callable[[Path], Any], folder: Path) -> bool:
    shutil.copytree(asked.report, folder)
    forge(folder)
    facts = {"verdict": "accepted"}
    try:
        registry.register(book, asked.task, asked.model, folder, facts, folder.name, inside.refused)
    except registry.RegistryError:
        return False
    return True


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def _hello(folder: Path) -> None:
    _empty(folder)
    (folder / "hello.txt").write_text("hello", encoding="utf-8")


def _changed(name: str, change: Callable[[str], str]) -> Callable[[Path], None]:
    def forge(folder: Path) -> None:
        path = folder / name
        path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")

    return forge


def _printed_again(folder: Path) -> None:
    path = folder / PDF
    path.write_bytes(path.read_bytes() + b"\n")


def _edited(**fields: Any) -> Callable[[Path], None]:
    def forge(folder: Path) -> None:
        digest.write_json(folder / JSON, {**digest.read_json(folder / JSON), **fields})

    return forge


FORGERIES: dict[str, Callable[[Path], Any]] = {
    "nothing": _empty,
    "another file": _hello,
    "the report of another task": _edited(task="another"),
    "the report of another version": _edited(model_digest="0" * 64),
    "an edited figure": _edited(value=0.987654),
    "an edited page": _changed(HTML, lambda page: page.replace("</main>", "<p>0.987654</p></main>")),
    "an edited print": _printed_again,
    "a key twice": _changed(JSON, lambda text: text.replace("{", '{"task":"another",', 1)),
}


def replayed(settings: Settings, book: registry.Registry, version: registry.Version) -> Row:
    """Row A17: the newest answers of a version in the log, each decided again by the registry's files alone."""
    rows = [row for row in registry.decisions(book, version.task, REPLAYED) if row["version"] == version.ref]
    if not rows:
        return acceptance.row("A17", None, None, "not measured: no answer of this version is in the log")
    again = [row for row in decided.by_files(settings, book, rows) if row["same"] is not None]
    same = sum(row["same"] for row in again)
    if not again:
        return acceptance.row("A17", None, None, f"not measured: the inputs of its {len(rows)} answers cannot be read")
    wrong, lost = len(again) - same, len(rows) - len(again)
    said = f"{same} of {len(again)} answers replayed alike offline" + (f"; {lost} inputs are erased" if lost else "")
    return acceptance.row("A17", same / len(again), not wrong, said)
