"""The explain stage: trained model folders and their rows in, report.json, .html and .pdf of each task out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from interpret.attribution import behaviour, decisions, refusals
from interpret.attribution.study import Version, study
from interpret.report import document, facts, pdf, render
from interpret.report.facts import Run
from interpret.section import ExplainSection, for_tier
from tasks import digest, get
from tasks.backbone.body import Backbone
from tasks.data.parquet import load_rows
from tasks.model import forward, weights, writer
from tasks.model.cache import Cache
from tasks.model.folder import Folder
from tasks.model.merged import merge
from tasks.model.model import Model
from tasks.model.saved import open_folders
from tasks.task import FloatArray, Inputs, Rows, Task
from tasks.validate.calibration import calibrated

JSON, HTML, PDF = "report.json", "report.html", "report.pdf"
BLANK = 11  # seed of the weights that a version is held against
PARTS = ("train", "valid", "test")


def explain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write one report per task and say where each stands.

    config: {"tasks": {name: {"model": folder, "data": folder}}, "explain": {}, "reports": folder,
    "seed", "threads", "lineage": {}}; a data folder holds train, valid and test.parquet.
    Returns {name: {"report": folder, "digest": of its report.json}}.
    Raises ValueError where a version was not judged, or has no test rows.
    """
    run = Run(ExplainSection(**config["explain"]), config["seed"], config["threads"], config["lineage"])
    folders = {name: Path(places["model"]) for name, places in config["tasks"].items()}
    bodies: dict[str, Backbone] = {}
    model = merge(open_folders(folders, run.threads, bodies))
    written = {}
    for name, places in config["tasks"].items():
        rows = {part: load_rows(Path(places["data"]) / f"{part}.parquet") for part in PARTS}
        cut_off = int(np.count_nonzero(forward.truncated(model, name, rows["test"].inputs)))
        version = _version(model, name, partial(open_folders, {name: folders[name]}, run.threads, bodies))
        refused = refusals.explain(model, name, Folder(folders[name]), rows["test"])
        folder = Folder(folders[name])
        recipe = folder.read(folder.recipe) if folder.recipe.is_file() else {}
        section = for_tier(run.section, facts.governance(recipe, name).tier)
        own = replace(run, section=section, truncated=cut_off, refused=refused)
        content = describe(get(name), Folder(folders[name]), rows, version, own)
        place = Path(config["reports"]) / name
        write(content, place)
        written[name] = {"report": str(place), "digest": digest.of_file(place / JSON)}
    return written


def _version(model: Model, name: str, again: Callable[[], Model]) -> Version:
    """What is explained of one task; `again` opens its files once more, on the body that was read from its own."""
    writes = model.tasks[name].writer is not None

    def anew(inputs: Inputs, answers: FloatArray) -> FloatArray:
        opened = again()
        if writes:
            return writer.supports(opened, name, inputs, answers[:, 1:])
        return forward.raw(opened, name, inputs)

    if writes:
        return Version(partial(forward.raw, model, name), anew, partial(writer.supports, model, name))
    cache, alone = Cache(), frozenset({"classical"})
    learned = partial(forward.raw, model, name, without=alone, cache=cache)
    random = partial(forward.raw, weights.redrawn(again(), name, BLANK), name, without=alone, cache=Cache())
    return Version(partial(forward.raw, model, name, cache=cache), anew, learned=(learned, random))


def describe(task: Task, folder: Folder, rows: Mapping[str, Rows], version: Version, run: Run) -> dict[str, Any]:
    """The report's document for one version: `folder` holds its files, `version` is the model that they give."""
    known = facts.read(task, folder, rows, run)
    found = study(task, rows["train"], rows["test"], version, run.section, run.seed)
    asked = behaviour.check(task, version.raw, known.calibration)
    together = decisions.explain(
        task, rows["test"], lambda inputs: calibrated(task.head, known.calibration, version.raw(inputs)), run.seed
    )
    return document.compose(replace(known, behaviour=asked, decided=together), found)


def write(content: Mapping[str, Any], folder: Path) -> None:
    """Write report.json (canonical), and from it report.html and report.pdf, into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    digest.write_json(folder / JSON, content)
    held = digest.read_json(folder / JSON)
    page = render.html(held)
    (folder / HTML).write_text(page, encoding="utf-8")
    (folder / PDF).write_bytes(pdf.pdf(held, page))
