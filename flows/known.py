"""The commands that ask what is known: versions, show, as-of, history, diff. None of them changes anything."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from rich.table import Table

import registry
from flows import console
from flows.documents import DONE, book, moment, record
from flows.documents import show as shown


def versions(arguments: Namespace) -> int:
    """A page of the versions of one task or of all, the newest at its end; `next` goes on with older ones."""
    asked = {"task": arguments.task, "before": arguments.after, "limit": arguments.limit + 1}
    rows = [record(version) for version in registry.versions(book(), **asked)]
    more, rows = len(rows) > arguments.limit, rows[-arguments.limit :]
    after = f"{rows[0]['task']}@{rows[0]['number']}" if more else None
    if arguments.json:
        console.emit({"versions": rows} | ({"next": after} if more else {}))
        return DONE
    table = Table(title="Versions")
    for name in ("version", "status", "metric", "value", "aliases", "created", "digest"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        facts = row["facts"]
        table.add_row(
            f"{row['task']}@{row['number']}",
            row["status"],
            str(facts.get("metric", "")),
            console.figure(facts.get("value"), ".4f"),
            ", ".join(row.get("aliases", [])),
            row["created"][:19],
            row["digest"][:12],
        )
    console.show(table)
    _older(more, after)
    return DONE


def show(arguments: Namespace) -> int:
    """One version on one screen; every fact of it as JSON."""
    reg = book()
    version = registry.show(reg, arguments.version)
    signature = registry.signature(reg, version.ref)
    if arguments.json:
        console.emit({**record(version), "signature": signature})
        return DONE
    table = Table(show_header=False, title=f"{version.ref} is {version.status}", title_justify="left")
    table.add_column(no_wrap=True)
    table.add_column(overflow="ellipsis", no_wrap=True)
    judged = [e for e in registry.history(reg, version.ref) if e.kind in {"approved", "rejected"}]
    for name, text in (*_made(version), *map(_verdict, judged), ("signature", signature or "")):
        if text:
            table.add_row(name, text)
    console.show(table)
    return DONE


def _made(version: registry.Version) -> list[tuple[str, str]]:
    """What a version is and was worth, a line for each."""
    facts = version.facts
    base, ece = facts.get("baseline") or {}, (facts.get("calibration") or {}).get("ece")
    worth = f"{facts.get('metric')} {console.figure(facts.get('value'), '.4f')}" if "metric" in facts else ""
    return [
        ("aliases", ", ".join(version.aliases)),
        ("registered", version.created[:19]),
        ("digest", version.digest),
        ("model", version.model_digest),
        ("report", version.report_digest),
        *((name.replace("_", " "), str(facts.get(name, ""))) for name in ("run_id", "recipe_digest", "snapshot")),
        ("worth", worth + (f" ({console.span(facts['ci95'], '.4f')})" if facts.get("ci95") else "")),
        ("baseline", f"{base['name']} {console.figure(base.get('value'), '.4f')}" if "name" in base else ""),
        ("lift, 95 %", console.span(facts["lift_ci95"], "+.4f") if facts.get("lift_ci95") else ""),
        ("ECE", "" if ece is None else f"{ece:.4f}"),
        ("test rows", f"{facts['rows']:,}" if isinstance(facts.get("rows"), int) else ""),
        ("gates", "; ".join([facts["verdict"], *map(str, facts.get("reasons", []))])),
    ]


def _verdict(event: registry.EventRecord) -> tuple[str, str]:
    by = event.payload["by"] + (" (by rule)" if event.payload.get("automatic") else "")
    return event.kind, f"{event.time[:19]} {by}: {event.payload['reason']}"


def as_of(arguments: Namespace) -> int:
    """Which version was to answer for each task at a time, and what answered."""
    document = registry.as_of(book(), moment(arguments.time))
    if arguments.json:
        console.emit(document)
        return DONE
    covers = document["covers"]
    note = f" ({document['note']})" if document["note"] else ""
    span = f"the history covers {_short(covers['from'])} to {_short(covers['to'])}"
    table = Table(title=f"{document['at'][:19]} UTC{note}; {span}", title_justify="left")
    for name in ("version", "since", "until", "approved by", "why", "taken back", "release"):
        table.add_column(name)
    for row in document["champions"].values():
        back, how = (
            row["taken_back"],
            ["by rule"] * bool(row["automatic"]) + ["unsigned"] * (row["signed"] == "unsigned"),
        )
        by = (row["approved_by"] or "nobody") + (f" ({', '.join(how)})" if how else "")
        table.add_row(
            row["version"],
            _short(row["since"]),
            _short(row["until"]),
            by,
            row["reason"] or "",
            f"{_short(back['time'])} {back['by']}: {back['reason']}" if back else "",
            "none" if row["release"] is None else str(row["release"]),
        )
    console.show(table)
    return DONE


def history(arguments: Namespace) -> int:
    """A page of what happened to a version or a task, or what a person did, the newest at its end."""
    asked = {"subject": arguments.subject, "before": arguments.after, "limit": arguments.limit + 1}
    rows = registry.history(book(), **asked)
    if not rows and arguments.subject is not None and arguments.after is None:
        raise registry.UnknownVersion(
            f"nothing is known of {arguments.subject!r}; name a version, an alias, a task or a person as it was written"
        )
    more, rows = len(rows) > arguments.limit, rows[-arguments.limit :]
    if arguments.json:
        console.emit({"events": [record(row) for row in rows], "next": rows[0].seq if more else None})
        return DONE
    table = Table(title="What happened", title_justify="left")
    for name in ("event", "time", "what", "of", "by", "facts"):
        table.add_column(name, no_wrap=name != "facts")
    for row in rows:
        said = {key: value for key, value in row.payload.items() if key != "by"}
        facts = ", ".join(f"{key} {_brief(value)}" for key, value in said.items())
        table.add_row(str(row.seq), row.time[:19], row.kind, row.subject, str(row.payload.get("by", "")), facts)
    console.show(table)
    _older(more, rows[0].seq if rows else None)
    return DONE


def diff(arguments: Namespace) -> int:
    """What differs between two versions."""
    return shown(arguments, registry.diff(book(), arguments.version, arguments.other))


def _older(more: bool, after: Any) -> None:
    if more:
        console.say(f"older ones: --after {after}")


def _short(time: str | None) -> str:
    return "-" if time is None else time[:19]


def _brief(value: Any) -> str:
    text = str(value)
    return f"{text[:12]}..." if len(text) == 64 else text
