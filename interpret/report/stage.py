"""The explain stage: trained model folders and their rows in, report.json and report.html of each task out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from interpret.attribution import behaviour
from interpret.attribution.game import Raw
from interpret.attribution.served_model import raw_of
from interpret.attribution.study import study
from interpret.report import document, facts, render
from interpret.section import ExplainSection
from tasks import digest
from tasks.data.prepare import load_rows
from tasks.task import Rows, Task, get
from tasks.validate.calibrate import Calibration, from_json

JSON, HTML = "report.json", "report.html"
PARTS = ("train", "valid", "test")


def explain(config: Mapping[str, Any]) -> dict[str, Any]:
    """Write one report per task and say where each stands.

    config: {"backbone": {}, "tasks": {name: {"model": folder, "data": folder}}, "explain": {}, "reports": folder,
    "seed", "threads", "lineage": {}}; a data folder holds train, valid and test.parquet.
    Returns {name: {"report": folder, "digest", "cases", "rows", "evaluations", "converged", "additivity"}}.
    """
    section = ExplainSection(**config.get("explain", {}))
    run: dict[str, Any] = {
        "section": section,
        "seed": int(config.get("seed", 7)),
        "threads": int(config.get("threads", 2)),
        "lineage": dict(config.get("lineage", {})),
    }
    folders = {name: Path(places["model"]) for name, places in config["tasks"].items()}
    model = _open(config.get("backbone", {}), folders, run["threads"])
    done = {}
    for name, places in config["tasks"].items():
        rows = {part: load_rows(Path(places["data"]) / f"{part}.parquet") for part in PARTS}
        cut = _cut_off(model, rows["test"])
        content = describe(get(name), folders[name], rows, raw_of(model, name), run | {"truncated": cut})
        done[name] = write(content, Path(config["reports"]) / name)
    return done


def describe(task: Task, folder: Path, rows: Mapping[str, Rows], raw: Raw, run: Mapping[str, Any]) -> dict[str, Any]:
    """The report's document for one version: `folder` holds its files, `raw` is the model that they give."""
    found = study(task, rows["train"], rows["test"], raw, run["section"], run["seed"])
    calibration = folder / "calibration.json"
    fitted = from_json(digest.read_json(calibration)) if calibration.is_file() else Calibration()
    asked = behaviour.check(task, raw, fitted)
    return document.compose(facts.read(task, folder, rows, {**run, "behaviour": asked}), found)


def write(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write report.json (canonical) and report.html (from it) and return what a flow wants to know."""
    folder.mkdir(parents=True, exist_ok=True)
    digest.write_json(folder / JSON, content)
    (folder / HTML).write_text(render.html(digest.read_json(folder / JSON)), encoding="utf-8")
    cases = [block for part in content["sections"] for block in part["blocks"] if block["kind"] == "case"]
    return {
        "report": str(folder),
        "digest": digest.of_file(folder / JSON),
        "cases": len(cases),
        "evaluations": sum(case["evaluations"] for case in cases),
        "converged": sum(case["converged"] for case in cases),
    }


def rerender(folder: Path) -> Path:
    """Make report.html again from report.json alone. The bytes are those of the first time."""
    page = folder / HTML
    page.write_text(render.html(digest.read_json(folder / JSON)), encoding="utf-8")
    return page


def _open(backbone: Mapping[str, Any], folders: Mapping[str, Path], threads: int) -> Any:
    """The trained models on one body; a backbone is opened only where a task has an adapter on it."""
    from tasks.backbone import load as bodies
    from tasks.model import forward as model

    model.set_threads(threads)
    texts = [folder for folder in folders.values() if (folder / "adapter_config.json").is_file()]
    body = bodies.open_backbone(bodies.BackboneSection(**backbone)) if texts else None
    return model.load(body, dict(folders))


def _cut_off(model: Any, rows: Rows) -> int:
    from tasks.model import forward as models

    return int(np.count_nonzero(models.truncated(model, rows.inputs)))
