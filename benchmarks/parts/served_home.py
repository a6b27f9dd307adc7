"""A home with champions that were never trained: what an answer costs does not depend on what was learned.

python -m benchmarks.parts.served_home LAYERS TASK ... writes into ASSAY_HOME. A TASK that is none of ours is declared
in ASSAY_TASKS as a text task with the rows of sentiment. Adapters are drawn at random, so that no difference hides.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch

import registry
import tasks
from infra.settings import Settings, token
from tasks import digest
from tasks.backbone.load import open_backbone
from tasks.backbone.section import BackboneSection, LoraSection
from tasks.model import build, forward, saved, weights
from tasks.model.frame import frame_of
from tasks.task import Place, Rows
from tasks.validate import calibrate, calibration

CALIBRATED = 200  # rows
LIKE = "sentiment"
DECLARED = """summary = "a text, for the benchmark"
[head]
kind = "classify"
outputs = ["negative", "neutral", "positive"]
column = "label"
[fields.text]
type = "text"
[example]
text = "Sales rose by four percent."
"""


def main(layers: int, names: list[str]) -> None:
    """Make the versions and let them answer."""
    own = Path(os.environ["ASSAY_TASKS"])
    for name in set(names) - set(tasks.names()):
        (own / name).mkdir(parents=True, exist_ok=True)
        (own / name / "task.toml").write_text(DECLARED, encoding="utf-8")
    settings = Settings()
    book = registry.open_registry(*settings.registry)
    for name in names:
        folder = _version(name, layers, settings.root / "made" / name)
        report = folder.with_name(f"{name}-report")
        report.mkdir(exist_ok=True)
        digest.write_json(report / "report.json", {})
        facts: dict[str, Any] = {"verdict": "accepted", "metric": "none", "value": 0.0}
        version = registry.register(book, name, folder, report, facts, key=f"bench/{name}/{layers}", look=lambda *_: ())
        registry.approve(book, version.ref, by="benchmark", reason="measured, never used")
        registry.promote(book, version.ref)
    token(settings)
    registry.close(book)


def _version(name: str, layers: int, folder: Path) -> Path:
    found, rows = tasks.get(name), _rows(name)
    lora, parts = LoraSection(layers=layers), rows.inputs.modalities
    made = build.build(open_backbone(BackboneSection()), {name: found}, {name: parts}, lora, seed=7)
    with torch.no_grad():
        for key, value in weights.parameters(made, name).items():
            if "lora_B" in key:
                value.normal_(std=0.02)
    made.classical[name] = found.classical.fit(rows.inputs, rows.target)
    offset = found.classical.raw(made.classical[name], rows.inputs)
    made.frames[name] = frame_of(found, parts, rows.inputs, rows.target, offset)
    saved.save(made, name, folder)
    some = rows.take(np.arange(min(CALIBRATED, len(rows))))
    hidden = forward.side_by_side(made, name, forward.features(made, name, some.inputs))
    known = calibrate.fit(found.head, forward.raw(made, name, some.inputs), some.target, hidden)
    digest.write_json(folder / "calibration.json", calibration.to_json(known))
    return folder


def _rows(name: str) -> Rows:
    sources = tasks.get(name).sources or tasks.get(LIKE).sources
    return sources["embedded"].read(Place(root=None, seed=7))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
