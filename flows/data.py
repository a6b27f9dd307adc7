"""A recipe's data looked at before anything runs: every mistake of every task at once, and the card of each."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

import tasks
from flows import data_card, recipe
from tasks.data import doubts
from tasks.data.examine import Examined, asked_of, examine
from tasks.privacy import survey


def check(path: str, overrides: Iterable[str]) -> dict[str, Any]:
    """Read, check and divide the rows of every task of a recipe, and keep nothing of them.

    Gives {"ok", "tasks": {name: {"rows", "columns", "mistakes", "warnings", "card"}}, "seconds"}. Raises RecipeError.
    """
    start = time.monotonic()
    plan = recipe.load(path, overrides)
    data, splits = (part.model_dump(mode="json") for part in (plan.data, plan.validation.splits))
    told = {}
    for name, section in plan.tasks.items():
        task = tasks.get(name)
        found = examine(asked_of(task, section.model_dump(mode="json"), data, plan.train.seed, splits))
        if found.rows is not None:
            found.warnings += doubts.near_copies(found.rows)
            if found.rows.inputs.text is not None:
                found.card["people"] = survey.counted(found.rows.inputs.text)
        told[name] = _told(found)
    return {
        "ok": not any(one["mistakes"] for one in told.values()),
        "tasks": told,
        "seconds": round(time.monotonic() - start, 1),
    }


def cards(path: str, overrides: Iterable[str], out: str) -> dict[str, Any]:
    """As `check`, with the cards as pages and Croissant JSON-LD in the folder `out`, where one is given."""
    document = check(path, overrides)
    if out:
        plan = recipe.load(path, overrides)
        root = Path(plan.data.root or "").expanduser()
        files = {name: root / section.source for name, section in plan.tasks.items() if "." in section.source}
        document["written"] = data_card.write(document, _lines, files, Path(out))
    return document


def _told(found: Examined) -> dict[str, Any]:
    card = found.card
    return {
        "rows": card.get("rows") and {**card["rows"], "read": card["dropped"]["read"]},
        "columns": card.get("columns", {}),
        "mistakes": found.mistakes,
        "warnings": found.warnings,
        "card": card,
    }


def tables(document: Mapping[str, Any]) -> Iterator[Table]:
    """What check found, for a person: a table of the tasks, and what is to be mended or looked at."""
    table = Table(title=f"The data ({document['seconds']:.1f} s)", title_justify="left")
    for name in ("task", "state", "rows", "train", "valid", "test", "source"):
        table.add_column(name, justify="right" if name in {"rows", "train", "valid", "test"} else "left")
    for name, one in document["tasks"].items():
        rows = one["rows"] or {}
        counts = [f"{rows[part]:,}" if part in rows else "-" for part in ("read", "train", "valid", "test")]
        table.add_row(name, _state(one), *counts, str(one["card"].get("source", "-")))
    yield table
    said = [
        (name, kind, sentence)
        for name, one in document["tasks"].items()
        for kind, key in (("[red]mistake[/red]", "mistakes"), ("[yellow]warning[/yellow]", "warnings"))
        for sentence in one[key]
    ]
    if said:
        table = Table(show_lines=True)
        for name in ("task", "kind", "what was found, and the cure"):
            table.add_column(name, overflow="fold")
        for name, kind, sentence in said:
            table.add_row(name, kind, _plain(sentence))
        yield table


def _state(one: Mapping[str, Any]) -> str:
    if one["mistakes"]:
        return f"[red]{_counted(len(one['mistakes']), 'mistake')}[/red]"
    return f"[yellow]{_counted(len(one['warnings']), 'warning')}[/yellow]" if one["warnings"] else "[green]ok[/green]"


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" + ("" if count == 1 else "s")


def _plain(text: str) -> str:
    """A sentence as it stands: square brackets in it are no markup."""
    return text.replace("[", "\\[")


def card_tables(document: Mapping[str, Any]) -> Iterator[Table]:
    """The card of every task, for a person."""
    for name, one in document["tasks"].items():
        table = Table(title=f"Data card of {name}", title_justify="left", show_header=False)
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        for key, value in _lines(one["card"]):
            table.add_row(key, _plain(value))
        for gap in data_card.gaps(one["card"]) if one["card"] else ():
            table.add_row("known gap", _plain(gap))
        for kind in ("mistakes", "warnings"):
            for sentence in one[kind]:
                table.add_row(kind[:-1], _plain(sentence))
        yield table


def _lines(card: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and value of each line of a card: a record inside it is one line for each of its own keys."""
    for key, value in card.items():
        if key in {"warnings", "task"} or value in (None, {}, [], ""):
            continue
        if isinstance(value, Mapping):
            for inner, held in value.items():
                if inner != "notes" and held not in (None, {}, [], ""):
                    yield f"{key}.{inner}", _text(held)
        else:
            yield key, _text(value)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(held)}" for key, held in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
