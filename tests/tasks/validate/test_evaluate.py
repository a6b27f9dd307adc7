"""The judgement of a trained folder: nothing is learned from test rows, and a refused version is written out too."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.data.parquet import save_rows
from tasks.model import saved
from tasks.model.folder import Folder
from tasks.model.frame import frame_of
from tasks.validate import contamination
from tasks.validate import evaluate as evaluation
from tasks.validate.evaluate import evaluate
from tests.tasks.validate.toys import TEST, TOY, TRAIN, VALID


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
