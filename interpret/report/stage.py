"""The explain stage: trained model folders and their rows in, report.json and report.html of each task out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from interpret.attribution import behaviour
from interpret.attribution.game import Raw
from interpret.attribution.study import Supports, study
from interpret.report import document, facts, render
from interpret.report.facts import Run
from interpret.section import ExplainSection
from tasks import digest, get
from tasks.data.parquet import load_rows
from tasks.model import forward, writer
from tasks.model.cache import Cache
from tasks.model.folder import Folder
from tasks.model.saved import open_folders
from tasks.task import Rows, Task

JSON, HTML = "report.json", "report.html"
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
    model = open_folders(folders, run.threads)
    written = {}
    for name, places in config["tasks"].items():
        rows = {part: load_rows(Path(places["data"]) / f"{part}.parquet") for part in PARTS}
        cut_off = int(np.count_nonzero(forward.truncated(model, name, rows["test"].inputs)))
        raw = partial(forward.raw, model, name, cache=Cache())
        supports = None if model.tasks[name].writer is None else partial(writer.supports, model, name)
        content = describe(get(name), Folder(folders[name]), rows, raw, replace(run, truncated=cut_off), supports)
        folder = Path(config["reports"]) / name
        write(content, folder)
        written[name] = {"report": str(folder), "digest": digest.of_file(folder / JSON)}
    return written


def describe(
    task: Task, folder: Folder, rows: Mapping[str, Rows], raw: Raw, run: Run, supports: Supports | None = None
) -> dict[str, Any]:
    """The report's document for one version: `folder` holds its files, `raw` is the model that they give."""
    known = facts.read(task, folder, rows, run)
    found = study(task, rows["train"], rows["test"], raw, run.section, run.seed, supports)
    asked = behaviour.check(task, raw, known.calibration)
    return document.compose(replace(known, behaviour=asked), found)


def write(content: Mapping[str, Any], folder: Path) -> None:
    """Write report.json (canonical) and report.html (from it) into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    digest.write_json(folder / JSON, content)
    (folder / HTML).write_text(render.html(digest.read_json(folder / JSON)), encoding="utf-8")
