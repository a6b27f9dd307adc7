"""From a trained model folder to its judgement: calibrated on validation rows, measured on test rows and its baseline.

Nothing is tuned on test rows. A refused version is written out like an accepted one; the verdict stands in its metrics.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tasks import get
from tasks.data.parquet import load_rows
from tasks.model import forward
from tasks.model.folder import Folder
from tasks.model.model import Model
from tasks.model.saved import open_folders
from tasks.task import Rows
from tasks.validate import contamination, drivers, private, reasons_file
from tasks.validate.calibration import calibrated, from_json, to_json
from tasks.validate.judge import BASELINE, FULL, WITHOUT, Champion, Measured, Sides, judge
from tasks.validate.section import ValidateSection

CLASSICAL = "classical"


def evaluate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Judge every trained task, complete its model folder, return {task: the JSON of its Judgement}.

    config: {"validate": {}, "recipe": {}, "threads", "seed", "tasks": {name: {"model", "train",
    "valid", "test", "card": {}}}} with paths of the model folder and of the saved rows; "champion": {"version",
    "folder"} where one answers now. Into the folder go recipe, card, digests of the rows that were learned from,
    calibration, metrics and, where the task has a list of reasons, what they are drawn from.
    """
    section = ValidateSection(**config.get("validate", {}))
    folders = {name: Folder(Path(places["model"])) for name, places in config["tasks"].items()}
    model = open_folders({name: folder.path for name, folder in folders.items()}, config["threads"])
    judged = {}
    for name, folder in folders.items():
        places = config["tasks"][name]
        sides = Sides(*(load_rows(places[part]) for part in ("train", "valid", "test")))
        folder.write(folder.recipe, config["recipe"])
        spent = folder.read(folder.privacy) if folder.privacy.is_file() else None
        folder.write(folder.data, places["card"] if spent is None else private.card(places["card"]))
        if spent is None:
            contamination.write(folder, sides.train, sides.valid)
            contamination.write_tested(folder, sides.test)
        else:
            folder.write(folder.privacy, private.document(spent, get(name)))
        measured = dataclasses.replace(
            measure(model, name, folder, sides, section.ablation),
            champion=_champion(config, name, sides.test),
            contaminated=_contaminated(config, name, folder, sides.test),
            spent=spent,
        )
        calibration, judgement = judge(get(name), sides, measured, section, config["seed"])
        folder.write(folder.calibration, to_json(calibration))
        known = None if spent else drivers.learn(model, name, sides.train, sides.valid, config["seed"])
        if known is not None:
            folder.write(folder.reasons, reasons_file.to_json(known))
        judged[name] = judgement.model_dump(mode="json")
        folder.write(folder.metrics, judged[name])
    return judged


def _champion(config: Mapping[str, Any], name: str, test: Rows) -> Champion | None:
    """What the champion says of the test rows; it is not asked where it has learned from one: that would flatter it."""
    told = config["tasks"][name].get("champion")
    if told is None:
        return None
    folder = Folder(Path(told["folder"]))
    known = contamination.overlap(folder, test)
    if known:
        return Champion(told["version"], None, f"it has learned from {known} of the {len(test)} test rows")
    try:
        model = open_folders({name: folder.path}, config["threads"])
    except ValueError as error:
        return Champion(told["version"], None, f"it cannot be loaded beside this version: {error}")
    own = from_json(folder.read(folder.calibration))
    return Champion(told["version"], calibrated(get(name).head, own, forward.raw(model, name, test.inputs)))


def _contaminated(config: Mapping[str, Any], name: str, folder: Folder, test: Rows) -> str | None:
    known = contamination.overlap(folder, test)
    if known:
        return (
            f"{known} of the {len(test)} test rows are also among the rows that this version learned from: cut the "
            "splits anew"
        )
    body, source = folder.backbone(), config["tasks"][name]["card"].get("source", "")
    return contamination.of_backbone(body["name"] if body else "", str(source))


def _baseline_name(name: str, folder: Folder) -> str:
    if folder.privacy.is_file():
        return "one answer to all"
    baseline = get(name).baseline
    return str(folder.read(folder.classical)["name"]) if baseline is None else baseline.name


def measure(model: Model, name: str, folder: Folder, sides: Sides, ablation: bool) -> Measured:
    """Run the body once on each row; the classical model alone, and the model without each part, come from that."""
    valid, test = (forward.features(model, name, part.inputs) for part in (sides.valid, sides.test))
    baseline, blind = get(name).baseline, folder.privacy.is_file()
    if blind:  # a baseline that learned from the rows would tell of them beside the budget
        on_valid, on_test = (np.zeros((len(part), get(name).head.width)) for part in (sides.valid, sides.test))
    elif valid.offset is None or test.offset is None:
        raise ValueError(
            f"{folder.path} has no {folder.classical.name}, so {name} has no baseline to be judged by: train it again"
        )
    else:
        on_valid, on_test = valid.offset, test.offset
    if baseline is not None and not blind:
        state = baseline.fit(sides.train.inputs, sides.train.target)
        on_valid, on_test = (baseline.raw(state, part.inputs) for part in (sides.valid, sides.test))
    raws = {FULL: forward.combine(model, name, test), BASELINE: on_test}
    for part in sorted({*test.hidden, *(() if blind else (CLASSICAL,))}) if ablation else ():
        raws[WITHOUT + part] = forward.combine(model, name, test, without=frozenset({part}))
    return Measured(
        valid={FULL: forward.combine(model, name, valid), BASELINE: on_valid},
        test=raws,
        baseline_name=_baseline_name(name, folder),
        hidden=forward.side_by_side(model, name, valid),
        hidden_test=forward.side_by_side(model, name, test),
        beyond_test=forward.beyond(model, name, sides.test.inputs),
        truncated=float(np.mean(forward.truncated(model, name, sides.test.inputs))),
    )
