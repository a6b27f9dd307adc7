"""The explain stage: trained model folders and their rows in, report.json and report.html of each task out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from interpret.attribution import behaviour
from interpret.attribution.game import Raw
from interpret.attribution.served_model import raw_of
from interpret.attribution.study import study
from interpret.report import document, facts, render
from interpret.report.facts import Run
from interpret.section import ExplainSection
from tasks import digest
from tasks.backbone.load import BackboneSection, open_backbone
from tasks.data.prepare import load_rows
from tasks.model import forward
from tasks.task import Rows, Task, get

JSON, HTML = "report.json", "report.html"
PARTS = ("train", "valid", "test")


def explain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write one report per task and say where each stands.

    config: {"backbone": {}, "tasks": {name: {"model": folder, "data": folder}}, "explain": {}, "reports": folder,
    "seed", "threads", "lineage": {}}; a data folder holds train, valid and test.parquet.
    Returns {name: {"report": folder}}. Raises ValueError where a version was not judged, or has no test rows.
    """
    run = Run(ExplainSection(**config["explain"]), config["seed"], config["threads"], config["lineage"])
    folders = {name: Path(places["model"]) for name, places in config["tasks"].items()}
    model = _open(config["backbone"], folders, run.threads)
    written = {}
    for name, places in config["tasks"].items():
        rows = {part: load_rows(Path(places["data"]) / f"{part}.parquet") for part in PARTS}
        cut_off = int(np.count_nonzero(forward.truncated(model, rows["test"].inputs)))
        content = describe(get(name), folders[name], rows, raw_of(model, name), replace(run, truncated=cut_off))
        folder = Path(config["reports"]) / name
        write(content, folder)
        written[name] = {"report": str(folder)}
    return written


def describe(task: Task, folder: Path, rows: Mapping[str, Rows], raw: Raw, run: Run) -> dict[str, Any]:
    """The report's document for one version: `folder` holds its files, `raw` is the model that they give."""
    known = facts.read(task, folder, rows, run)
    found = study(task, rows["train"], rows["test"], raw, run.section, run.seed)
    asked = behaviour.check(task, raw, known.calibration)
    return document.compose(replace(known, behaviour=asked), found)


def write(content: Mapping[str, Any], folder: Path) -> None:
    """Write report.json (canonical) and report.html (from it) into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    digest.write_json(folder / JSON, content)
    (folder / HTML).write_text(render.html(digest.read_json(folder / JSON)), encoding="utf-8")


def _open(backbone: Mapping[str, Any], folders: Mapping[str, Path], threads: int) -> Any:
    """The trained models on one body; a backbone is opened only where a task has an adapter on it."""
    forward.set_threads(threads)
    texts = [folder for folder in folders.values() if (folder / "adapter_config.json").is_file()]
    body = open_backbone(BackboneSection(**backbone)) if texts else None
    return forward.load(body, dict(folders))
