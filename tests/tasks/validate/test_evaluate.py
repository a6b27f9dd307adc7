"""The judgement of a trained folder: nothing is learned from test rows, and a refused version is written out too."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import BaseModel

from tasks.data.parquet import save_rows
from tasks.model import saved
from tasks.model.folder import Folder
from tasks.model.frame import frame_of
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
from tasks.validate import contamination
from tasks.validate import evaluate as evaluation
from tasks.validate.evaluate import evaluate
from tasks.validate.judge import BASELINE, FULL, Champion, Measured, Sides, judge
from tasks.validate.judgement import Judgement
from tasks.validate.section import ValidateSection

SECTION, SEED = ValidateSection(draws=200), 7


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


TRAIN, VALID, TEST = rows(200, 3, "train"), rows(300, 1, "valid"), rows(400, 2, "test")
SIDES = Sides(TRAIN, VALID, TEST)


def measured(model: Callable[[FloatArray], FloatArray]) -> Measured:
    """What a model that maps the table to logits would be measured to give, beside the classical one."""
    raws = [{FULL: model(part.inputs.table)[:, None], BASELINE: part.inputs.table[:, :1]} for part in (VALID, TEST)]  # type: ignore[arg-type,index]
    return Measured(valid=raws[0], test=raws[1], baseline_name="slope", hidden=VALID.inputs.table)


def good(table: FloatArray) -> FloatArray:
    return 5 * table.sum(axis=1)


def test_a_better_model_is_accepted_with_value_lift_and_calibration() -> None:
    calibration, row = judge(TOY, SIDES, measured(good), SECTION, SEED)
    assert row.verdict == "accepted"
    assert row.value > 0.9
    assert row.ci95[0] < row.value < row.ci95[1]
    assert row.lift == pytest.approx(row.value - row.baseline.value)
    assert row.lift_ci95[0] > 0
    assert "better than the classical model slope" in row.reasons[0]
    assert row.calibration.ece < 0.08
    assert row.calibration.coverage == pytest.approx(0.9, abs=0.05)
    assert row.calibration.temperature == calibration.temperature
    assert (row.rows, row.rows_valid, row.clusters.count) == (400, 300, 400)
    assert Judgement.model_validate_json(row.model_dump_json()) == row


def test_nothing_is_learned_from_test_rows() -> None:
    found = measured(good)
    flipped = dataclasses.replace(TEST, target=1 - TEST.target)
    calibration, row = judge(TOY, SIDES, found, SECTION, SEED)
    other, worse = judge(TOY, dataclasses.replace(SIDES, test=flipped), found, SECTION, SEED)
    assert other == calibration
    assert worse.value == pytest.approx(1 - row.value)
    elsewhere, _ = judge(
        TOY, dataclasses.replace(SIDES, valid=dataclasses.replace(VALID, target=1 - VALID.target)), found, SECTION, SEED
    )
    assert elsewhere != calibration


def test_a_model_worse_than_the_classical_one_is_refused_in_words() -> None:
    _, row = judge(TOY, SIDES, measured(lambda table: table[:, 1] - table[:, 0]), SECTION, SEED)
    assert row.verdict == "refused"
    assert any("worse than the classical model slope beyond its interval" in reason for reason in row.reasons)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_gives_no_numbers_is_refused_and_its_row_is_still_json(value: float) -> None:
    _, row = judge(TOY, SIDES, measured(lambda table: np.full(len(table), value)), SECTION, SEED)
    assert row.verdict == "refused"
    assert (row.value, row.ci95) == (None, None)
    assert "no number" in row.reasons[0]
    assert Judgement.model_validate_json(row.model_dump_json()) == row


def test_the_classical_model_is_calibrated_too_before_it_is_compared() -> None:
    found = measured(good)
    boast = {
        name: part | {BASELINE: 9 * part[BASELINE]} for name, part in (("valid", found.valid), ("test", found.test))
    }
    _, row = judge(TOY, SIDES, dataclasses.replace(found, **boast), SECTION, SEED)
    assert row.calibration.baseline_ece < 0.1


def test_the_same_judgement_twice_is_the_same_document() -> None:
    assert judge(TOY, SIDES, measured(good), SECTION, SEED) == judge(TOY, SIDES, measured(good), SECTION, SEED)


def test_a_version_that_is_worse_than_the_champion_is_refused_with_its_name() -> None:
    best = Champion("toy@4", 5 * TEST.inputs.table.sum(axis=1, keepdims=True))
    found = dataclasses.replace(measured(lambda table: table[:, 0] + 0.2 * table[:, 1]), champion=best)
    _, row = judge(TOY, SIDES, found, SECTION, SEED)
    assert row.verdict == "refused"
    assert any("worse than the champion toy@4 beyond its interval" in reason for reason in row.reasons)
    assert row.champion.value == pytest.approx(row.value - row.champion.lift)
    _, row = judge(TOY, SIDES, dataclasses.replace(measured(good), champion=best), SECTION, SEED)
    assert row.verdict == "accepted"


def test_a_version_whose_sets_hold_the_truth_too_seldom_is_refused() -> None:
    noise = np.random.default_rng(5).normal(size=400) > 0.7
    shifted = dataclasses.replace(TEST, target=np.where(noise[:, None], 1 - TEST.target, TEST.target))
    _, row = judge(TOY, dataclasses.replace(SIDES, test=shifted), measured(good), SECTION, SEED)
    low, high = row.calibration.coverage_band
    assert row.calibration.coverage < low < 0.9 < high
    assert any("90 % sets hold the truth" in reason for reason in row.reasons)


def test_a_planted_model_that_knows_one_answer_is_refused() -> None:
    mostly = dataclasses.replace(TEST, target=(np.arange(400) % 20 > 0).astype(np.float64)[:, None])  # 95 in 100 are 1
    _, row = judge(
        TOY, dataclasses.replace(SIDES, test=mostly), measured(lambda table: np.full(len(table), 3.0)), SECTION, SEED
    )
    assert row.value == pytest.approx(0.95)
    assert row.lift > 0.3
    assert row.verdict == "refused"
    assert any("every test row gets the same answer (one-class collapse)" in reason for reason in row.reasons)


def test_a_planted_model_that_is_too_sure_of_new_rows_is_refused() -> None:
    found = measured(good)
    learned = {FULL: 40 * (VALID.target - 0.5), BASELINE: found.valid[BASELINE]}  # it has learned these by heart
    wrong = np.random.default_rng(5).random(400) < 0.25
    sure = 40 * (np.where(wrong[:, None], 1 - TEST.target, TEST.target) - 0.5)
    planted = dataclasses.replace(found, valid=learned, test={FULL: sure, BASELINE: found.test[BASELINE]})
    _, row = judge(TOY, SIDES, planted, SECTION, SEED)
    assert row.calibration.ece == pytest.approx(0.25, abs=0.05)
    assert row.verdict == "refused"
    assert any("the expected calibration error is 0.2" in reason for reason in row.reasons)


def test_a_segment_below_its_floor_refuses_the_version() -> None:
    holes = np.where(np.arange(400)[:, None] < 100, np.nan, TEST.inputs.table)
    test = dataclasses.replace(TEST, inputs=dataclasses.replace(TEST.inputs, table=holes))
    found = measured(good)
    raw = np.where(np.arange(400)[:, None] < 100, -found.test[FULL], found.test[FULL])
    found = dataclasses.replace(found, test=found.test | {FULL: raw})
    section = ValidateSection(draws=200, gates={"min_segment": 0.5, "coverage": False, "max_ece": None})
    _, row = judge(TOY, dataclasses.replace(SIDES, test=test), found, section, SEED)
    (kind,) = row.segments
    assert (kind.segment, kind.rows) == ("rows with a missing value", 100)
    assert any("on the segment 'rows with a missing value' is 0.0" in reason for reason in row.reasons)


def test_answering_fewer_rows_makes_the_figure_better() -> None:
    _, row = judge(TOY, SIDES, measured(good), SECTION, SEED)
    assert (row.abstention[0].answered, row.abstention[0].value) == (1.0, pytest.approx(row.value))
    assert row.abstention[-1].value > row.value


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An untrained toy model on disk, with the rows to judge it by."""
    from tasks.model import build

    for module in (evaluation, saved):
        monkeypatch.setattr(module, "get", lambda name: TOY)
    built = build.build(None, {"toy": TOY}, {"toy": ("table",)}, model_lora(), seed=7)
    built.frames["toy"] = frame_of(TOY, ("table",), TEST.inputs, TEST.target, None)
    built.classical["toy"] = {"slope": 1.0}
    saved.save(built, "toy", tmp_path / "model")
    save_rows(TRAIN, tmp_path / "train.parquet")
    save_rows(VALID, tmp_path / "valid.parquet")
    save_rows(TEST, tmp_path / "test.parquet")
    return tmp_path


def model_lora() -> Any:
    from tasks.backbone.section import LoraSection

    return LoraSection()


def run(folder: Path, champion: Path | None = None, **gates: Any) -> dict[str, Any]:
    places = {"model": folder / "model", **{side: folder / f"{side}.parquet" for side in ("train", "valid", "test")}}
    answers = {} if champion is None else {"champion": {"version": "toy@1", "folder": str(champion)}}
    return evaluate(
        {
            "backbone": {},
            "recipe": {"train": {}},
            "tasks": {
                "toy": {name: str(path) for name, path in places.items()} | {"card": {"source": "toy"}} | answers
            },
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
    assert json.loads((folder / "model" / "recipe.json").read_text()) == {"train": {}}
    assert json.loads((folder / "model" / "data.json").read_text()) == {"source": "toy"}
    before = (folder / "model" / "metrics.json").read_bytes()
    run(folder)
    assert (folder / "model" / "metrics.json").read_bytes() == before


def test_a_refused_version_is_written_out_like_an_accepted_one(folder: Path) -> None:
    row = run(folder, min_value=0.999)["toy"]
    assert row["verdict"] == "refused"
    assert json.loads((folder / "model" / "metrics.json").read_text())["verdict"] == "refused"
    assert (folder / "model" / "calibration.json").is_file()


def test_a_version_that_has_learned_from_a_test_row_is_refused(folder: Path) -> None:
    save_rows(dataclasses.replace(TEST, split=np.full(400, "train")).take(np.arange(40)), folder / "train.parquet")
    row = run(folder)["toy"]
    assert row["verdict"] == "refused"
    assert "40 of the 400 test rows are also among the rows that this version learned from" in row["reasons"][0]


def test_a_champion_is_compared_unless_it_has_learned_from_test_rows(folder: Path) -> None:
    run(folder)
    champion = folder / "champion"
    shutil.copytree(folder / "model", champion)
    row = run(folder, champion)["toy"]
    assert row["champion"]["version"] == "toy@1"
    assert row["champion"]["lift"] == pytest.approx(0.0)
    contamination.write(Folder(champion), TEST)
    row = run(folder, champion)["toy"]
    assert row["champion"] == {"version": "toy@1", "why": "it has learned from 400 of the 400 test rows"}


def test_a_backbone_that_is_known_to_have_seen_a_test_set_is_named() -> None:
    assert "by its makers' own account" in str(contamination.of_backbone("ProsusAI/finbert", "phrasebank"))
    assert contamination.of_backbone("ProsusAI/finbert", "embedded") is None
    assert contamination.of_backbone("all-MiniLM-L6-v2", "phrasebank") is None
