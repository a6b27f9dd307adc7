"""`./assay replay`, `explain` and `erase`: what was decided, once more, and why; and what must not be read any more."""

from __future__ import annotations

import dataclasses
import datetime
import time
import warnings
from argparse import Namespace
from typing import Any

import registry
from flows import client, console, documents
from infra.settings import Settings
from serving.spool import files, seals

MINUTES = 5  # that the command waits for an explanation


def replay(settings: Settings, decision: str | None, last: int | None, offline: bool) -> dict[str, Any]:
    """One decision: {"decision", "same", "max_abs_diff", "version"}; the newest: how many, and such a row for each.

    Offline needs the files of the registry alone; else the running service is asked, which must serve that version.
    Raises ValueError where neither or both are given, or no input can be read; registry.UnknownVersion.
    """
    if (decision is None) == (last is None) or (last is not None and last < 1):
        raise ValueError("name one decision, or give --last N with N from 1 on")
    book = registry.open_registry(*settings.registry)
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
    from serving import comparing, decisions
    from serving.stream import alarms

    held = decisions.opened(seals.Seals(settings.root / seals.FOLDER), row)
    if held is None:
        return dataclasses.asdict(comparing.Replayed(row["id"], None, None, row["version"]))
    if alarms.is_alarm(held):
        raise ValueError(f"decision {row['id']} is an alarm of the stream, whose tick is over; replay with --offline")
    said = client.ask(settings, row["task"], held["item"])
    if said["digest"] != row["digest"]:
        raise ValueError(f"{row['version']} decided, and {said['version']} answers now; replay with --offline")
    return dataclasses.asdict(comparing.compared(row, held["answer"], said))


def answer(arguments: Namespace) -> int:
    """What `./assay explain` shows: the explanation, or a letter made of it. Raises as `explain` and the letter do."""
    from serving import letter

    told = explain(Settings(), arguments.decision, arguments.offline)
    if not arguments.letter:
        return documents.show(arguments, told)
    text = letter.write(told)
    if arguments.json:
        console.emit({"decision": told["decision"], "version": told["version"], "letter": text})
    else:
        console.write(text)
    return documents.DONE


def explain(settings: Settings, decision: str, offline: bool) -> dict[str, Any]:
    """Why a decision fell as it did: by its version's files in the registry, or by the running service, which waits.

    Raises ValueError where no input can be read or the version cannot be explained; registry.UnknownVersion.
    """
    if not offline:
        return _explained(settings, decision)
    from serving import decisions, explained
    from serving import replay as again
    from serving.places import of_home

    book = registry.open_registry(*settings.registry)
    try:
        (row,) = _rows(settings, book, decision, 1)
        held = decisions.opened(seals.Seals(settings.root / seals.FOLDER), row)
        if held is None:
            raise ValueError(f"the input of decision {decision} cannot be read: it was erased, or was never kept")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for a name that it renamed
            served = again.served_by(book, of_home(settings), row["version"])
            explained.check(served)  # an alarm of a stream is no item: this is told first
            return explained.explain(served, row, again.item_of(served, row["id"], held["item"]), held["answer"])
    finally:
        registry.close(book)


def _explained(settings: Settings, decision: str) -> dict[str, Any]:
    """The running service's explanation, asked for until it is made."""
    told = client.request(settings, "POST", "/v1/explanations", {"decision": decision})
    for _ in range(MINUTES * 60):
        if told["status"] == "done":
            break
        time.sleep(1)
        told = client.request(settings, "GET", f"/v1/explanations/{decision}")
    else:
        raise ValueError(f"decision {decision} was not explained within {MINUTES} minutes; ask again, or --offline")
    found: dict[str, Any] = told["explanation"]
    return found


def erase(settings: Settings, tenant: str, before: str) -> dict[str, Any]:
    """Destroy the keys of a tenant's inputs of months before a day, and say so in the history; the rows stay.

    A run that broke off before its event is ended by the next. Raises ValueError for a day that is none.
    """
    try:
        day = datetime.date.fromisoformat(before)
    except ValueError as error:
        raise ValueError(f"--before {before!r} is no day; write it as 2026-11-01") from error
    book = registry.open_registry(*settings.registry)
    try:
        erased = seals.erase(seals.Seals(settings.root / seals.FOLDER), tenant, day)
        fresh = sorted(set(erased) - registry.erased_months(book, tenant))
        event = registry.log_erasure(book, tenant, fresh, before) if fresh else None
    finally:
        registry.close(book)
    return {"tenant": tenant, "before": before, "months": fresh, "event": None if event is None else event.seq}
