"""What each command does. Heavy libraries are imported inside the command that needs them."""

from __future__ import annotations

import json
import os
import tempfile
from argparse import Namespace
from pathlib import Path

from rich.table import Table

import registry
from flows import console, paths
from flows.documents import DONE, SAID_NO
from flows.documents import book as _book
from flows.documents import show as _show
from flows.known import show
from infra.settings import Settings


def new(arguments: Namespace) -> int:
    """A task's folder and a recipe, guessed from a file."""
    from flows import new as writer
    from tasks.data.survey import Wish

    wish = Wish(arguments.target, arguments.group, arguments.time, arguments.like)
    written = writer.new(arguments.name, arguments.file, wish, Path(paths.given(".")))
    if arguments.json:
        console.emit(writer.told(written))
    else:
        console.show(writer.table(written))
    return DONE


def retrain(arguments: Namespace) -> int:
    """Data to registered versions; status 1 where a gate refused one of them."""
    from flows import local_run

    document = local_run.run(arguments.recipe, arguments.set, arguments.by)
    if arguments.json:
        console.emit(document)
    else:
        console.show(console.retrain_table(document))
    return SAID_NO if any(row["verdict"] == "refused" for row in document["tasks"].values()) else DONE


def approve(arguments: Namespace) -> int:
    """A person lets a version answer."""
    from flows import keys

    book, until = _book(), keys.end(arguments.until)
    registry.approve(book, arguments.version, keys.judge(book, arguments.by), arguments.reason, until=until)
    return show(arguments)


def reject(arguments: Namespace) -> int:
    """A person refuses a version."""
    from flows import keys

    book = _book()
    registry.reject(book, arguments.version, keys.judge(book, arguments.by), arguments.reason)
    return show(arguments)


def report(arguments: Namespace) -> int:
    """The report of a version: the place of its page or of its print, or the JSON itself."""
    book = _book()
    version = registry.show(book, arguments.version)
    folder = _reports() / f"{version.task}-{version.number}-{version.digest[:12]}"
    files = registry.fetch(book, version, folder)
    if arguments.format == "json":
        console.emit(json.loads((Path(files["report"]) / "report.json").read_text(encoding="utf-8")))
        return DONE
    from flows import standing

    place = standing.shown(version, registry.signature(book, version.ref), Path(files["report"]), arguments.format)
    return _show(arguments, {"version": arguments.version, "report": str(place)})


def _reports() -> Path:
    """Where reports are laid out: under the home, or in a temporary folder where that may only be read."""
    folder = Settings().root / "reports"
    writable = os.access(folder if folder.is_dir() else folder.parent, os.W_OK)
    return folder if writable else Path(tempfile.mkdtemp(prefix="assay-report-"))


def serve(arguments: Namespace) -> int:
    """Answer over HTTP until Ctrl-C."""
    from flows.up import serve

    return serve(arguments.recipe, arguments.set)


def up(arguments: Namespace) -> int:
    """What `make run` does."""
    from flows.up import run

    return run(arguments.recipe, once=arguments.once, as_json=arguments.json)


def ask(arguments: Namespace) -> int:
    """One question to the running endpoint; the task's own example where no file is given."""
    import tasks
    from flows import client

    item = client.read_item(arguments.file) if arguments.file else dict(tasks.get(arguments.task).example)
    console.emit(client.ask(Settings(), arguments.task, item))
    return DONE


def score(arguments: Namespace) -> int:
    """Answers to a whole file, by one version."""
    from flows.score import run
    from infra import cluster

    try:
        given = (arguments.version, arguments.file, arguments.out, arguments.rows_per_part)
        return _show(arguments, run(Settings(), *given))
    finally:
        cluster.disconnect()


def evaluate(arguments: Namespace) -> int:
    """A version on a labelled file; status 1 where its figure is below the report's by more than chance."""
    from flows.evaluate import run
    from infra import cluster

    try:
        document = run(Settings(), arguments.version, arguments.file)
    finally:
        cluster.disconnect()
    _show(arguments, document)
    return SAID_NO if document["worse"] else DONE


def replay(arguments: Namespace) -> int:
    """A decision again, or the newest ones; status 1 where one is not the same."""
    from flows.decided import replay

    document = replay(Settings(), arguments.decision, arguments.last, arguments.offline)
    _show(arguments, document)
    return DONE if all(row["same"] is not False for row in document.get("rows", [document])) else SAID_NO


def explain(arguments: Namespace) -> int:
    """Why a decision fell as it did; as a letter where asked."""
    from flows.decided import answer

    return answer(arguments)


def erase(arguments: Namespace) -> int:
    """The inputs of a tenant's past months cannot be read any more."""
    from flows.decided import erase

    return _show(arguments, erase(Settings(), arguments.tenant, arguments.before))


def doctor(arguments: Namespace) -> int:
    """Look at every part; status 1 where one is not as it must be."""
    from flows.doctor import look

    rows = look(Settings())
    if arguments.json:
        console.emit({"ok": all(row["ok"] for row in rows), "parts": rows})
    else:
        table = Table(title="Assay's parts")
        for name in ("part", "state", "what was found, or the cure"):
            table.add_column(name)
        for row in rows:
            table.add_row(row["part"], "[green]ok[/green]" if row["ok"] else "[red]wrong[/red]", row["found"])
        console.show(table)
    return DONE if all(row["ok"] for row in rows) else SAID_NO


def bench(arguments: Namespace) -> int:
    """Measure ours beside a peer in one run; status 1 where a bar was missed."""
    from flows.bench import run

    document = run(arguments.name, arguments.set)
    _show(arguments, document)
    return SAID_NO if any(row.get("pass") is False for row in document["rows"]) else DONE
