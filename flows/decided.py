"""`./assay replay` and `./assay erase`: what was decided, once more; and what must not be read any more."""

from __future__ import annotations

import dataclasses
import datetime
import warnings
from typing import Any

import registry
from flows import client
from infra.settings import Settings
from serving.spool import files, seals


def replay(settings: Settings, decision: str | None, last: int | None, offline: bool) -> dict[str, Any]:
    """One decision: {"decision", "same", "max_abs_diff", "version"}; the newest: how many, and such a row for each.

    Offline needs the files of the registry alone; else the running service is asked, which must serve that version.
    Raises ValueError where neither or both are given, or no input can be read; registry.UnknownVersion.
    """
    if (decision is None) == (last is None) or (last is not None and last < 1):
        raise ValueError("name one decision, or give --last N with N from 1 on")
    book = registry.open_registry(settings.database, settings.artifacts)
    try:
        found = _rows(settings, book, decision, last or 1)
        rows = by_files(settings, book, found) if offline else [_asked(settings, row) for row in found]
    finally:
        registry.close(book)
    readable = [row for row in rows if row["same"] is not None]
    if not readable:
        raise ValueError(f"of {len(rows)} decisions no input can be read: it was erased, or is older than the spool")
    if decision is not None:
        return rows[0]
    same = sum(row["same"] for row in readable)
    return {"replayed": len(readable), "same": same, "unreadable": len(rows) - len(readable), "rows": rows}


def _rows(settings: Settings, book: registry.Registry, decision: str | None, last: int) -> list[dict[str, Any]]:
    from serving import decisions

    if decision is None:
        return registry.decisions(book, limit=last)
    found = decisions.of_decision(book, settings.root / files.FOLDER, decision)
    if not found:
        raise registry.UnknownVersion(f"there is no decision {decision!r}; an answer carries its id as `decision`")
    return found


def by_files(settings: Settings, book: registry.Registry, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the log answered again by the registry's files alone: replay's rows, "same" None for an unread input."""
    from serving import replay as again
    from serving.places import of_home

    places = of_home(settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for a name that it renamed
        found = again.offline(book, places, seals.Seals(settings.root / seals.FOLDER), rows)
    return [dataclasses.asdict(row) for row in found]


def _asked(settings: Settings, row: dict[str, Any]) -> dict[str, Any]:
    """The running service, asked as anybody may: the question is logged like any other."""
    from serving import decisions
    from serving import replay as again
    from serving.stream import alarms

    held = decisions.opened(seals.Seals(settings.root / seals.FOLDER), row)
    if held is None:
        return dataclasses.asdict(again.Replayed(row["id"], None, None, row["version"]))
    if alarms.is_alarm(held):
        raise ValueError(f"decision {row['id']} is an alarm of the stream, whose tick is over; replay with --offline")
    said = client.ask(settings, row["task"], held["item"])
    if said["digest"] != row["digest"]:
        raise ValueError(f"{row['version']} decided, and {said['version']} answers now; replay with --offline")
    return dataclasses.asdict(again.compared(row, held["answer"], said))


def erase(settings: Settings, tenant: str, before: str) -> dict[str, Any]:
    """Destroy the keys of a tenant's inputs of months before a day, and say so in the history; the rows stay.

    A run that broke off before its event is ended by the next. Raises ValueError for a day that is none.
    """
    try:
        day = datetime.date.fromisoformat(before)
    except ValueError as error:
        raise ValueError(f"--before {before!r} is no day; write it as 2026-11-01") from error
    book = registry.open_registry(settings.database, settings.artifacts)
    try:
        erased = seals.erase(seals.Seals(settings.root / seals.FOLDER), tenant, day)
        fresh = sorted(set(erased) - registry.erased_months(book, tenant))
        event = registry.log_erasure(book, tenant, fresh, before) if fresh else None
    finally:
        registry.close(book)
    return {"tenant": tenant, "before": before, "months": fresh, "event": None if event is None else event.seq}
