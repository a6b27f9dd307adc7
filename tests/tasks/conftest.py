"""A toy task and toy rows, so that the model is tested without any real task's data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import tasks
from tasks.task import Inputs, Task
from tests.tasks.toys import make_inputs, make_task


@pytest.fixture
def toy_task() -> Callable[..., Task]:
    """make_task(name, kind, outputs, reads)."""
    return make_task


@pytest.fixture
def toy_inputs() -> Callable[..., Inputs]:
    """make_inputs(rows, seed), with all modalities and one missing value."""
    return make_inputs


@pytest.fixture
def toys() -> dict[str, Task]:
    """Three tasks with text, text and table, table and series."""
    return {
        "mood": make_task("mood", "classify", ("bad", "fair", "good"), ("text",)),
        "rules": make_task("rules", "multilabel", ("a", "b"), ("text", "table")),
        "swing": make_task("swing", "regress", ("swing",), ("table", "series")),
    }


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Task]:
    """The task of a task.toml in a folder that ASSAY_TASKS names."""
    monkeypatch.setenv("ASSAY_TASKS", str(tmp_path))

    def make(text: str) -> Task:
        (tmp_path / "loans").mkdir(exist_ok=True)
        (tmp_path / "loans" / "task.toml").write_text(text, encoding="utf-8")
        return tasks.get("loans")

    return make
