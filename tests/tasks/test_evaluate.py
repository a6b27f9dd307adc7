"""The judgement of a trained folder: nothing is learned from test rows, and a refused version is written out too."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from tasks import evaluate as evaluation
from tasks import weights
from tasks.data import save_rows
from tasks.evaluate import BASELINE, FULL, Measured, evaluate, judge
from tasks.task import (
    Classical,
    Feature,
    FloatArray,
    Head,
    Inputs,
    Item,
    Metric,
    Rows,
    Task,
    TaskSection,
)
from tasks.validate import ValidateSection

HOW = (ValidateSection(draws=200), 7)


def accuracy(rows: Rows, raw: FloatArray) -> Callable[[FloatArray], float]:
    right = ((raw[:, 0] > 0) == (rows.target[:, 0] > 0.5)).astype(np.float64)
    return lambda weights: float(weights @ right / weights.sum())


def classical_raw(state: Any, inputs: Inputs) -> FloatArray:
    assert inputs.table is not None
    return inputs.table[:, :1] * state["slope"]


TOY = Task(
    name="toy",
    summary="",
    reads=("table",),
    needs=("table",),
    head=Head("score", ("yes",)),
    section=TaskSection,
    item=Item,
    answer=BaseModel,
    sources={},
    target=lambda value: (float(value),),
    encode=lambda items: Inputs(owner=np.arange(len(items))),
    decode=lambda item, raw: {},
    classical=Classical("slope", lambda inputs, target: {"slope": 1.0}, classical_raw),
    metric=Metric("accuracy", accuracy),
    example={},
    features=(Feature("one", "all"), Feature("two", "all")),
)


def rows(count: int, seed: int, split: str) -> Rows:
    """The label follows both columns; the classical model reads only the first."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(count, 2))
    day = np.full(count, np.datetime64("2020-01-01", "us"))
    return Rows(
        ids=tuple(f"{split}{i}" for i in range(count)),
        inputs=Inputs(owner=np.arange(count), table=table),
        target=(table.sum(axis=1) + 0.3 * random.normal(size=count) > 0).astype(np.float64)[:, None],
        time=day,
        known=day,
        group=np.full(count, ""),
        split=np.full(count, split),
    )


VALID, TEST = rows(300, 1, "valid"), rows(400, 2, "test")


def measured(model: Callable[[FloatArray], FloatArray]) -> Measured:
    """What a model that maps the table to logits would be measured to give, beside the classical one."""
    raws = [{FULL: model(part.inputs.table)[:, None], BASELINE: part.inputs.table[:, :1]} for part in (VALID, TEST)]  # type: ignore[arg-type,index]
    return Measured(valid=raws[0], test=raws[1], baseline_name="slope", hidden=VALID.inputs.table)


def good(table: FloatArray) -> FloatArray:
    return 5 * table.sum(axis=1)


def test_a_better_model_is_accepted_with_value_lift_and_calibration() -> None:
    calibration, row = judge(TOY, VALID, TEST, measured(good), HOW)
    assert row["verdict"] == "accepted"
    assert row["value"] > 0.9
    assert row["ci95"][0] < row["value"] < row["ci95"][1]
    assert row["lift"] == pytest.approx(row["value"] - row["baseline"]["value"])
    assert row["lift_ci95"][0] > 0
    assert "better than the classical model slope" in row["reasons"][0]
    assert row["calibration"]["ece"] < 0.08
    assert row["calibration"]["coverage"] == pytest.approx(0.9, abs=0.05)
    assert row["calibration"]["temperature"] == calibration.temperature
    assert (row["rows"], row["rows_valid"], row["clusters"]["count"]) == (400, 300, 400)
    json.dumps(row, allow_nan=False)


def test_nothing_is_learned_from_test_rows() -> None:
    found = measured(good)
    flipped = dataclasses.replace(TEST, target=1 - TEST.target)
    calibration, row = judge(TOY, VALID, TEST, found, HOW)
    other, worse = judge(TOY, VALID, flipped, found, HOW)
    assert other == calibration
    assert worse["value"] == pytest.approx(1 - row["value"])
    elsewhere, _ = judge(TOY, dataclasses.replace(VALID, target=1 - VALID.target), TEST, found, HOW)
    assert elsewhere != calibration


def test_a_model_worse_than_the_classical_one_is_refused_in_words() -> None:
    _, row = judge(TOY, VALID, TEST, measured(lambda table: table[:, 1] - table[:, 0]), HOW)
    assert row["verdict"] == "refused"
    assert any("worse than the classical model slope beyond its interval" in reason for reason in row["reasons"])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_gives_no_numbers_is_refused_and_its_row_is_still_json(value: float) -> None:
    _, row = judge(TOY, VALID, TEST, measured(lambda table: np.full(len(table), value)), HOW)
    assert row["verdict"] == "refused"
    assert (row["value"], row["ci95"]) == (None, None)
    assert "no number" in row["reasons"][0]
    json.dumps(row, allow_nan=False)


def test_the_classical_model_is_calibrated_too_before_it_is_compared() -> None:
    found = measured(good)
    boast = {
        name: part | {BASELINE: 9 * part[BASELINE]} for name, part in (("valid", found.valid), ("test", found.test))
    }
    _, row = judge(TOY, VALID, TEST, dataclasses.replace(found, **boast), HOW)
    assert row["calibration"]["baseline_ece"] < 0.1


def test_the_same_judgement_twice_is_the_same_document() -> None:
    assert judge(TOY, VALID, TEST, measured(good), HOW) == judge(TOY, VALID, TEST, measured(good), HOW)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An untrained toy model on disk, with the rows to judge it by."""
    from tasks import model

    for module in (evaluation, weights):
        monkeypatch.setattr(module, "get", lambda name: TOY)
    built = model.build(None, {"toy": TOY}, {"toy": ("table",)}, model_lora(), seed=7)
    model.set_frame(built, "toy", TEST.inputs, TEST.target, None)
    built.classical["toy"] = {"slope": 1.0}
    model.save(built, "toy", tmp_path / "model")
    save_rows(VALID, tmp_path / "valid.parquet")
    save_rows(TEST, tmp_path / "test.parquet")
    return tmp_path


def model_lora() -> Any:
    from tasks.backbone import LoraSection

    return LoraSection()


def run(folder: Path, **gates: Any) -> dict[str, Any]:
    places = {"model": folder / "model", "valid": folder / "valid.parquet", "test": folder / "test.parquet"}
    return evaluate(
        {
            "backbone": {},
            "tasks": {"toy": {name: str(path) for name, path in places.items()}},
            "validate": {"draws": 200, "gates": gates},
            "threads": 1,
            "seed": 7,
        }
    )


def test_a_folder_is_judged_with_each_part_switched_off_and_the_figures_are_written(folder: Path) -> None:
    row = run(folder)["toy"]
    assert set(row["ablation"]) == {"classical", "table"}
    assert row["baseline"]["name"] == "slope"
    assert row["ablation"]["table"]["value"] == pytest.approx(row["baseline"]["value"], abs=0.05)
    assert json.loads((folder / "model" / "metrics.json").read_text()) == row
    calibration = json.loads((folder / "model" / "calibration.json").read_text())
    assert calibration["rows"] == 300
    before = (folder / "model" / "metrics.json").read_bytes()
    run(folder)
    assert (folder / "model" / "metrics.json").read_bytes() == before


def test_a_refused_version_is_written_out_like_an_accepted_one(folder: Path) -> None:
    row = run(folder, min_value=0.999)["toy"]
    assert row["verdict"] == "refused"
    assert json.loads((folder / "model" / "metrics.json").read_text())["verdict"] == "refused"
    assert (folder / "model" / "calibration.json").is_file()
