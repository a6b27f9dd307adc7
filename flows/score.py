"""`./assay score`: answers of one version to every row of a file, in parts, so that a killed run is taken up."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import registry
import tasks
from flows import console
from infra import batches, cluster
from infra.settings import Settings, token
from serving import parts, sheets
from serving.commitment import secret
from serving.places import Fetched, fetch_version, of_home
from tasks.data.parts import parts_of
from tasks.task import DataError

ROWS = 20_000  # rows of a part where a task reads columns
ITEMS = 2_000  # where rows become items, which cost more each
CPUS = 0.4  # of a worker, logical, so that a batch finds room beside the served replicas on two cores


@dataclass(frozen=True)
class Plan:
    """One run: what is read, by which version, and where the answers go."""

    place: parts.Place
    own: parts.Batch
    config: sheets.Config
    rows: int  # about how many the file has


def run(settings: Settings, version: str, path: str, out: str, rows_per_part: int | None = None) -> dict[str, Any]:
    """Score a file; gives the document of the command.

    Raises registry.UnknownVersion, NotServable, DataError (also where not one row can be answered).
    """
    began, book = time.monotonic(), registry.open_registry(*settings.registry)
    try:
        plan = _plan(settings, book, version, path, out, rows_per_part)
        had = parts.there(plan.place)
        fresh, busy = _answer(settings, plan, had)
        numbers = sorted(had | fresh)
        rows, answered = (sum(getattr(part, name) for part in (had | fresh).values()) for name in ("rows", "answered"))
        if not answered:
            raise _nothing(plan, numbers, rows)
        digest = parts.finish(plan.place, numbers)
        entry = _entry(settings, plan, {"rows": rows, "answered": answered, "output": digest})
        registry.log_decisions(book, [entry])
    finally:
        registry.close(book)
    parts.clear(plan.place)
    seconds = time.monotonic() - began
    return {
        "version": plan.own.version,
        "digest": plan.own.digest,
        "rows": rows,
        "answered": answered,
        "rejected": rows - answered,
        "out": str(plan.place.out),
        "output_digest": digest,
        "rejected_out": str(plan.place.rejected) if rows > answered else None,
        "decision": entry["id"],
        "parts": len(numbers),
        "taken_up": len(had),
        "seconds": round(seconds, 1),
        "answering_seconds": round(busy, 1),
        "rows_per_second": round(sum(part.rows for part in fresh.values()) / max(busy, 1e-9), 1),
    }


def _plan(
    settings: Settings, book: registry.Registry, version: str, path: str, out: str, rows_per_part: int | None
) -> Plan:
    """Everything that can be wrong before a worker starts is looked at here."""
    place = parts.Place(Path(out))
    form, files = place.form, [Path(part.name) for part in parts_of(path) if Path(part.name).is_file()] or [Path(path)]
    if not place.out.resolve().parent.is_dir() or place.out.is_dir():
        raise DataError(f"--out {out} cannot be written: make the folder {place.out.parent}, or name another file")
    if any(file.resolve() == place.out.resolve() for file in files):
        raise DataError(f"--out {out} is the file that is to be read: name another file")
    token(settings)
    places = of_home(settings)
    known = registry.show(book, version)
    registry.may_answer(known)
    fetched = fetch_version(book, known.ref, places)
    task, recipe = tasks.get(known.task), _recipe(fetched)
    section = recipe.get("tasks", {}).get(known.task, {})
    file = sheets.open_rows(path, section.get("file") or {})
    columns = sheets.mapping(task, file.columns, section.get("columns") or {})
    rows = rows_per_part or (ITEMS if task.columns is None else ROWS)
    digest, size, about = parts.input_digest(files)
    console.say(f"score     {known.ref} on {path}: {size / 1e6:,.1f} MB, about {about:,} rows")
    # Keyed, so that nobody can tell by the name of a batch which file it was.
    named = "\n".join((known.digest, digest, str(sorted(columns.items())), str(rows)))
    name = hmac.new(_key(settings), named.encode(), hashlib.sha256).hexdigest()[:24]
    started = parts.begin(place, parts.Batch(known.ref, known.digest, digest, rows, form, name))
    config = sheets.Config(
        path=str(Path(path).absolute()),
        file=section.get("file") or {},
        task=known.task,
        version=known.ref,
        digest=known.digest,
        batch=name,
        columns=columns,
        rows=rows,
        form=form,
        skip=(),
        places=asdict(places),
    )
    return Plan(place, started, config, about)


def _recipe(fetched: Fetched) -> Mapping[str, Any]:
    """What the version was made by; a version without it is read by the names of its fields alone."""
    folder = fetched.folder
    return folder.read(folder.recipe) if folder.recipe.is_file() else {}


def _answer(settings: Settings, plan: Plan, had: Mapping[int, parts.Part]) -> tuple[dict[int, parts.Part], float]:
    """The parts that are not there yet, and the seconds from the start of the first to the end of the last one."""
    fresh: dict[int, parts.Part] = {}
    first = last = time.time()
    config = {**asdict(plan.config), "skip": sorted(had)}
    rows = sum(part.rows for part in had.values())
    if had:
        console.say(f"score     {len(had)} parts with {rows:,} rows are there from the run before")
    progress = console.Rows("score", max(plan.rows - rows, 1))
    cluster.connect(settings)
    try:
        work = batches.Work("serving.sheets.parts", "serving.scorer.scorer", config, batches.processors(), CPUS)
        for done in batches.stream(work):
            first = done.said["began"] if not fresh else min(first, done.said["began"])
            fresh[done.number] = parts.keep(plan.place, done.number, done.said, done.content)
            last = time.time()
            progress(sum(part.rows for part in fresh.values()))
    finally:
        progress.end()
    return fresh, last - first


def _nothing(plan: Plan, numbers: list[int], rows: int) -> DataError:
    """Not one answer: the rejected rows stay for the person to read, the parts do not."""
    shown = "; ".join(parts.reasons(plan.place, numbers, 3)) or "it has no rows"
    if rows:
        parts.keep_rejected(plan.place, numbers)
    parts.clear(plan.place)
    return DataError(
        f"not one of the {rows} rows of {plan.config.path} can be answered by {plan.own.version} ({shown}); "
        "mend the columns, or name another version"
    )


def _entry(settings: Settings, plan: Plan, counts: Mapping[str, Any]) -> dict[str, Any]:
    """The one entry of the log. A row's decision is `<batch>.<number>`; a later run of the batch adds its own entry."""
    own = plan.own
    return {
        "id": f"{own.batch}.{own.run}",
        "kind": "file",
        "batch": own.batch,
        "task": plan.config.task,
        "version": own.version,
        "digest": own.digest,
        "time": own.started,
        "input": hmac.new(_key(settings), own.input.encode(), hashlib.sha256).hexdigest(),
        "raw": None,
        "flags": {},
        **counts,
    }


def _key(settings: Settings) -> bytes:
    return secret(settings.root)
