"""What every test of training may ask for: rows on disk, the toy tasks in the place of the real ones, a config."""

from __future__ import annotations

import pytest

import tasks
from tasks.data.parquet import save_rows
from tests.tasks.train.toys import NUMBERS, WORDS, numbers, words


@pytest.fixture(scope="session")
def parquet(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    for name, make in (("words", words), ("numbers", numbers)):
        for side, rows, seed in (("train", 192, 1), ("valid", 64, 2)):
            (folder / name).mkdir(exist_ok=True)
            save_rows(make(rows, seed), folder / name / f"{side}.parquet")
    return folder


@pytest.fixture(autouse=True)
def toy_tasks(monkeypatch):
    monkeypatch.setattr(tasks, "get", {"words": WORDS, "numbers": NUMBERS}.__getitem__)


@pytest.fixture
def make(parquet, tmp_path):
    """A training config, with some settings changed; each call writes to a folder of its own."""
    made = []

    def config(*names: str, lora: dict | None = None, **settings: object) -> dict:
        made.append(tmp_path / f"run{len(made)}" / "models")
        return {
            "backbone": {"name": "tiny-bert"},
            "lora": {"layers": 1, "rank": 2, **(lora or {})},
            "train": {
                "epochs": 2, "learning_rate": 0.02, "threads": 1, "checkpoint_every": 5, "batch_size_numeric": 16, **settings,
            },
            "tasks": {
                name: {"section": {}, **{side: str(parquet / name / f"{side}.parquet") for side in ("train", "valid")}}
                for name in names or ("words", "numbers")
            },
            "out": str(made[-1]),
        }  # fmt: skip

    return config
