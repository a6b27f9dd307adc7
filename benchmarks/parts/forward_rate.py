"""The raw forward rate of a body: nothing but its passes over token ids that lie ready, on all processors.

python -m benchmarks.parts.forward_rate FOLDER ROWS makes an untrained version of sentiment on the shipped body in the
registry of ASSAY_HOME, writes ROWS synthetic texts to FOLDER/texts.jsonl and prints {"version", "rows_per_second"}.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import registry
import tasks
from infra.settings import Settings
from tasks import digest
from tasks.backbone import tokenizer
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection, LoraSection
from tasks.model import build, forward, padding, saved
from tasks.model.frame import frame_of
from tasks.model.model import Model
from tasks.task import Place, Rows
from tasks.validate import calibrate, calibration

TASK = "sentiment"
FITTED = 400


def main(folder: Path, count: int) -> dict[str, Any]:
    """Make the version and the file, and time the body."""
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    found = tasks.get(TASK)
    rows = found.sources["embedded"].read(Place(root=None, seed=7))
    texts = tuple((rows.inputs.text or ())[n % len(rows)] + f" {n}" for n in range(count))
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as file:
        file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
    model = _model(rows.take(np.arange(min(FITTED, len(rows)))))
    return {"version": _registered(model, rows, folder), "rows_per_second": _rate(model, texts)}


def _model(rows: Rows) -> Model:
    found, backbone = tasks.get(TASK), open_backbone(BackboneSection())
    made = build.build(backbone, {TASK: found}, {TASK: rows.inputs.modalities}, LoraSection(layers=2), seed=7)
    made.classical[TASK] = found.classical.fit(rows.inputs, rows.target)
    offset = found.classical.raw(made.classical[TASK], rows.inputs)
    made.frames[TASK] = frame_of(found, rows.inputs.modalities, rows.inputs, rows.target, offset)
    return made


def _registered(model: Model, rows: Rows, folder: Path) -> str:
    part, settings = rows.take(np.arange(min(FITTED, len(rows)))), Settings()
    place, report = folder / "model", folder / "report"
    saved.save(model, TASK, place)
    hidden = forward.side_by_side(model, TASK, forward.features(model, TASK, part.inputs))
    known = calibrate.fit(tasks.get(TASK).head, forward.raw(model, TASK, part.inputs), part.target, hidden)
    digest.write_json(place / "calibration.json", calibration.to_json(known))
    report.mkdir(exist_ok=True)
    digest.write_json(report / "report.json", {})
    book = registry.open_registry(*settings.registry)
    facts = {"verdict": "accepted", "metric": "none", "value": 0.0}
    version = registry.register(book, TASK, place, report, facts, key=f"bench/{time.time_ns()}", look=lambda *_: ())
    registry.approve(book, version.ref, by="benchmark", reason="measured, never used")
    registry.close(book)
    return version.ref


def _rate(model: Model, texts: tuple[str, ...]) -> float:
    """Rows a second of the body alone, in the batches that an answer makes of rows sorted by length."""
    ids = sorted(tokenizer.encode(model.tokenizer, texts).ids, key=len)
    batches = [padding.pad(model, ids[part]) for part in padding.chunks([len(row) for row in ids])]
    model.activate(TASK)
    with model.evaluating(), torch.no_grad():
        model.pool(*batches[0])
        began = time.perf_counter()
        for batch in batches:
            model.pool(*batch)
        seconds = time.perf_counter() - began
    return len(texts) / seconds


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]))))
