"""`./assay new`: a task's folder and a recipe, guessed from a file; every guess has a comment. Nothing is learned."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

import tasks
from tasks.data.declaration import METRICS, FieldDeclaration
from tasks.data.files import open_file
from tasks.data.guess import Guess
from tasks.data.survey import Survey, Wish, survey
from tasks.task import DataError

WRITE = "TO BE WRITTEN BY A PERSON"
SHOWN_WORDS = 8


@dataclass(frozen=True)
class Written:
    """What was written, and what a person must look at."""

    folder: Path
    recipe: Path
    found: Survey | None


def new(name: str, path: str, wish: Wish, here: Path) -> Written:
    """Write `<tasks>/<name>/` and the recipe `<here>/<name>.toml`; nothing is written over.

    Raises DataError, UnknownTask or OSError with what stands in the way.
    """
    if not name.isidentifier() or name != name.lower():
        raise DataError(f"{name!r} cannot be a task's name: take lower-case letters, digits and _, as in credit_cards")
    folder, recipe = (tasks.home() or tasks.HERE) / name, here / f"{name}.toml"
    for place in (folder, tasks.HERE / name, tasks.HERE / f"{name}.py", recipe):
        if place.exists():
            raise DataError(f"{place} is there already: take another name, or move it away; nothing was written")
    base = tasks.get(wish.like) if wish.like else None
    found = None
    if wish.target:
        found = survey(open_file(path), wish)
    elif base is None:
        raise DataError("--target is not given: name the column that holds the truth, or a task to be --like")
    files = {
        "task.toml": _declaration(wish, found),
        "card.md": _card(name, path, wish, found),
        "cases.json": json.dumps({"invariance": [], "direction": [], "minimum": []}) + "\n",
    }
    folder.mkdir(parents=True)
    for file, text in files.items():
        (folder / file).write_text(text, encoding="utf-8")
    recipe.write_text(_recipe(name, os.path.relpath(path, here)), encoding="utf-8")
    tasks.get(name)  # what was written is read at once: a mistake is ours, and is told
    return Written(folder, recipe, found)


def _declaration(wish: Wish, found: Survey | None) -> str:
    """The task.toml."""
    lines = ["# Guessed from a file by ./assay new. Read every line: a comment says why it is so.", ""]
    if found is None:
        return "\n".join([*lines, f'summary = "{wish.like}, on data of our own"', f"like = {_toml(wish.like)}", ""])
    declared = found.declaration
    lines += [f"summary = {_toml(declared.summary)}  # say it in your own words"]
    lines += [f"like = {_toml(declared.like)}"] if declared.like else []
    if declared.head is not None:
        known = ", ".join(METRICS[declared.head.kind])
        lines.append(f"metric = {_toml(METRICS[declared.head.kind][0])}  # or one of {known}")
    lines.append(f"split = {_toml(declared.split)}  # random, or group or time with a field of that use")
    if declared.head is not None:
        head = declared.head
        lines += ["", "[head]", *(f"# {why}" for why in found.head_why), f"kind = {_toml(head.kind)}"]
        lines += [f"outputs = {_toml(list(head.outputs))}", f"column = {_toml(head.column)}"]
        lines += ["", "[head.words]", *(f"{_toml(key)} = {_toml(list(held))}" for key, held in head.words.items())]
    for each in found.fields:
        lines += ["", *(f"# {why}" for why in each.why), f"[fields.{each.name}]", *_field(each.field)]
    lines += ["", "# A request as it may come; made up, no row of the file.", "[example]"]
    lines += [f"{key} = {_toml(value)}" for key, value in declared.example.items()]
    return "\n".join(lines) + "\n"


def _field(field: FieldDeclaration) -> list[str]:
    lines = [f"type = {_toml(field.type)}"]
    lines += [f"use = {_toml(field.use)}"] if field.use != "input" else []
    for key in ("column", "unit", "range", "words", "missing"):
        value = getattr(field, key)
        if value:
            lines.append(f"{key} = {_toml(list(value) if isinstance(value, tuple) else value)}")
    if field.use == "input" and field.type in ("number", "whole", "flag"):
        lines.append(
            "# sign = 1  # " + WRITE + ": 1 where more of it should raise the answer, -1 where it should lower it"
        )
    return lines


def _toml(value: Any) -> str:
    """A value of TOML; its strings, numbers, truths and lists are written as JSON writes them."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e16:
        return f"{value:.1f}"
    if isinstance(value, list):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _card(name: str, path: str, wish: Wish, found: Survey | None) -> str:
    """The card, with what only a person can know marked."""
    lines = [
        f"# {name.replace('_', ' ').capitalize()}",
        "",
        f"**Purpose.** {WRITE}: what is decided with this, by whom.",
        "",
    ]
    lines += [
        "## Data",
        "",
        f"Rows come from `{Path(path).name}`. {WRITE}: where they come from, from when, who may use them.",
        "",
    ]
    if found is not None:
        out = [each for each in found.fields if each.field.use == "ignore"]
        aside = [each.name for each in found.fields if each.field.use == "protected"]
        lines += (
            ["Left out:", "", *(f"- `{each.name}`: {each.why[-1].removeprefix('left out: ')}" for each in out), ""]
            if out
            else []
        )
        lines += [f"Kept aside for the fairness table, never an input: {', '.join(aside)}.", ""] if aside else []
    lines += [
        "## Expected signs",
        "",
        f"{WRITE}: which way each number should move the answer, before anything is learned.",
        "",
    ]
    return "\n".join([*lines, "## Prohibited uses", "", f"- {WRITE}.", ""])


def _recipe(name: str, source: str) -> str:
    return (
        "# Written by ./assay new. A path here is meant from this file's own folder.\n"
        f"[tasks.{name}]\nsource = {_toml(source)}\n"
    )


def told(written: Written) -> Mapping[str, Any]:
    """What the command prints: what was written, what was left out and why, what is to be written, what comes next."""
    fields: Sequence[Guess] = () if written.found is None else written.found.fields
    recipe = written.recipe.name  # it was written where the person stands
    return {
        "folder": str(written.folder),
        "recipe": str(written.recipe),
        "rows": None if written.found is None else written.found.rows,
        "whole_file": None if written.found is None else written.found.whole,
        "inputs": [each.name for each in fields if each.field.use == "input"],
        "protected": [each.name for each in fields if each.field.use == "protected"],
        "left_out": {
            each.name: each.why[-1].removeprefix("left out: ") for each in fields if each.field.use == "ignore"
        },
        "look_at": {each.name: "; ".join(each.why) for each in fields if each.why and each.field.use != "ignore"},
        "to_write": "purpose, origin of the data, signs and prohibited uses, in card.md and task.toml",
        "next": [f"./assay data check {recipe}", f"./assay retrain {recipe}"],
    }


def table(written: Written) -> Table:
    """The guesses as a person reads them: one row a column of the file."""
    shown = Table(title=f"{written.folder}", caption=_caption(written), caption_justify="left")
    for name in ("column", "type", "use", "why, and what to look at"):
        shown.add_column(name, no_wrap=name != "why, and what to look at")
    for each in () if written.found is None else written.found.fields:
        style = {"ignore": "yellow", "protected": "magenta"}.get(each.field.use, "")
        shown.add_row(each.field.column or each.name, each.field.type, each.field.use, "; ".join(each.why), style=style)
    return shown


def _caption(written: Written) -> str:
    facts = told(written)
    looked = "" if facts["rows"] is None else f"{facts['rows']:,} rows were looked at, nothing was learned. "
    part = "" if facts["whole_file"] in (True, None) else "The rest of the file was not read. "
    return f"{looked}{part}A person writes: {facts['to_write']}.\nNext: " + "\n      ".join(facts["next"])
