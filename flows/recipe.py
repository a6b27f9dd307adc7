"""One TOML file drives every stage: read once, checked whole, and each step gets its own section and nothing else."""

from __future__ import annotations

import copy
import difflib
import json
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, PrivateAttr, SerializeAsAny, ValidationError

import tasks
from flows import user_text
from interpret.section import ExplainSection
from serving.section import ReleaseSection, ServeSection
from tasks.backbone.section import BackboneSection, LoraSection
from tasks.data.section import DataSection, TaskSection
from tasks.digest import of_json
from tasks.privacy.section import PrivacySection
from tasks.task import Section
from tasks.train.section import TrainSection
from tasks.validate.section import ValidateSection

RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """The recipe cannot be used; the message names every key that is wrong, its value and the cure."""


class ScheduleSection(Section):
    """When the recipe runs by itself: a cron line in UTC, or never."""

    cron: str = ""


class Recipe(Section):
    """A whole recipe. `tasks` holds the tasks that are learned, each with its own section.

    `[validate]` is called `validation` here, since pydantic's models have a `validate` already. Places are absolute in
    what `load` gives; the digest is taken of the recipe as it was written.
    """

    backbone: BackboneSection = BackboneSection()
    lora: LoraSection = LoraSection()
    data: DataSection = DataSection()
    tasks: Mapping[str, SerializeAsAny[TaskSection]]
    train: TrainSection = TrainSection()
    validation: ValidateSection = Field(default=ValidateSection(), alias="validate")
    privacy: PrivacySection = PrivacySection()
    explain: ExplainSection = ExplainSection()
    release: ReleaseSection = ReleaseSection()
    serve: ServeSection = ServeSection()
    schedule: ScheduleSection = ScheduleSection()
    _written: dict[str, Any] | None = PrivateAttr(default=None)


def load(path: str | Path, overrides: Iterable[str] = ()) -> Recipe:
    """Read a recipe file and apply `key=value` overrides; its places are relative to its own folder.

    Raises RecipeError with all mistakes at once.
    """
    return _located(parse(override(read(Path(path)), overrides)), Path(path).absolute().parent)


def _located(plan: Recipe, folder: Path) -> Recipe:
    """The recipe with data.root, sources that are files and a backbone's folder or file made absolute."""
    changed: dict[str, Any] = {}
    if plan.data.root is not None:
        changed["data"] = plan.data.model_copy(update={"root": _absolute(plan.data.root, folder)})
    else:  # under data.root a source is relative to that
        changed["tasks"] = {name: _with_source(name, section, folder) for name, section in plan.tasks.items()}
    body = folder / Path(plan.backbone.name).expanduser()
    named = "/" in plan.backbone.name or body.suffix == ".gguf"  # a bare name is one of the hub's
    if "://" not in plan.backbone.name and named and body.exists():
        changed["backbone"] = plan.backbone.model_copy(update={"name": _absolute(plan.backbone.name, folder)})
    located = plan.model_copy(update=changed)
    located._written = canonical(plan)
    return located


def _with_source(name: str, section: TaskSection, folder: Path) -> TaskSection:
    source = section.source
    is_file = "://" not in source and ("/" in source or Path(source).suffix != "")
    if not is_file or source in tasks.get(name).sources:
        return section
    return section.model_copy(update={"source": _absolute(source, folder)})


def _absolute(path: str, folder: Path) -> str:
    if not path.isprintable():
        raise RecipeError(
            f"the path {path!r} of the recipe holds a tab or a line break: write a path with backslashes in single "
            "quotes, as 'C:\\temp', or with /"
        )
    return path if "://" in path else os.path.normpath(folder / Path(path).expanduser())


def read(path: Path) -> dict[str, Any]:
    """The TOML document at `path`. Raises RecipeError where it is absent or not TOML in UTF-8."""
    if not path.is_file():
        shipped = ", ".join(f"flows/recipes/{p.name}" for p in sorted(RECIPES.glob("*.toml")))
        raise RecipeError(f"there is no recipe at {str(path)!r}; shipped recipes are {shipped}")
    try:
        text = user_text.decoded(path.read_bytes())
    except OSError as error:
        raise RecipeError(f"the recipe {path} cannot be read ({error.strerror}); let this user read it") from error
    except ValueError as error:
        raise RecipeError(f"{path} {error}") from error
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        cure = "see flows/recipes/demo.toml for the form"
        if "\\" in text and ("Unescaped" in str(error) or "hex value" in str(error)):
            cure = "write a path with backslashes in single quotes, as 'C:\\data', or with /"
        raise RecipeError(f"{path} is not TOML: {error}; {cure}") from error


def override(document: dict[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of `document` with `section.key=value` applied; a value is read as TOML, else taken as a string."""
    result: dict[str, Any] = json.loads(json.dumps(document, default=str))
    for text in overrides:
        dotted, sign, raw = text.partition("=")
        if not sign or not dotted.strip():
            raise RecipeError(f"--set {text!r} is not of the form section.key=value, as in --set train.epochs=2")
        node = result
        *parents, last = dotted.strip().split(".")
        for part in parents:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                raise RecipeError(f"--set {text!r}: {part!r} is a value, not a section")
        node[last] = _toml_value(raw.strip())
    return result


def _toml_value(raw: str) -> Any:
    try:
        value = tomllib.loads(f"v = {raw}")["v"]
    except tomllib.TOMLDecodeError:
        return raw
    return value if isinstance(value, bool | int | float | str | list | dict) else raw


def parse(document: Mapping[str, Any]) -> Recipe:
    """Check a document against every section's own type. Raises RecipeError with one line per mistake."""
    fields = {key: value for key, value in document.items() if key != "tasks"}
    mistakes: list[str] = []
    sections = _task_sections(document.get("tasks", {}), mistakes)
    try:
        recipe = Recipe(**fields, tasks={})
    except ValidationError as error:
        mistakes += _sentences(error, "", Recipe)
        recipe = None
    if mistakes or recipe is None:
        raise RecipeError("the recipe cannot be used:\n  " + "\n  ".join(mistakes))
    return recipe.model_copy(update={"tasks": sections})


def _task_sections(named: Any, mistakes: list[str]) -> dict[str, TaskSection]:
    """The sections of the tasks that are learned: those the recipe names, or where it names none all with a source.

    What writes programs needs a decoder, and has a recipe of its own.
    """
    known = tasks.names()
    if not isinstance(named, Mapping):
        mistakes.append(f"tasks = {named!r} is not a section; write [tasks.<name>]")
        return {}
    sections: dict[str, TaskSection] = {}
    for name, values in (named or {name: {} for name in known if _by_itself(name)}).items():
        if name not in known:
            mistakes.append(
                f"[tasks.{name}]: there is no such task; the tasks are {', '.join(known)}{_near(name, known)}"
            )
            continue
        section = tasks.get(name).section
        try:
            sections[name] = section(**values)
        except ValidationError as error:
            mistakes += _sentences(error, f"tasks.{name}.", section)
        except TypeError:
            mistakes.append(f"tasks.{name} = {values!r} is not a section; write [tasks.{name}]")
    return sections


def _by_itself(name: str) -> bool:
    return bool(tasks.get(name).sources) and tasks.get(name).writer is None


def _sentences(error: ValidationError, prefix: str, model: type[BaseModel]) -> list[str]:
    sentences = []
    for row in error.errors():
        path = [str(part) for part in row["loc"]]
        key = prefix + ".".join(path)
        if row["type"] == "extra_forbidden":
            names = _names_at(model, path[:-1])
            sentences.append(
                f"{key} = {row['input']!r}: unknown key; known here: {', '.join(names)}{_near(path[-1], names)}"
            )
        else:
            sentences.append(f"{key} = {row['input']!r}: {row['msg']}")
    return sentences


def _names_at(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in path:
        inner = _fields(model).get(part)
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return []
        model = inner
    return list(_fields(model))


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    """The types of a section's keys, by the name that a recipe writes."""
    return {field.alias or name: field.annotation for name, field in model.model_fields.items()}


def _near(word: str, names: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(names), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def canonical(recipe: Recipe) -> dict[str, Any]:
    """The recipe as a plain dict without the places (data.root), so that its digest is the same on every machine."""
    if recipe._written is not None:
        return copy.deepcopy(recipe._written)
    document = recipe.model_dump(mode="json", by_alias=True)
    document["data"].pop("root")
    return document


def digest(plan: Recipe) -> str:
    """The sha256 of the canonical recipe."""
    return of_json(canonical(plan))
