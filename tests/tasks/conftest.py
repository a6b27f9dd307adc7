"""A toy task and toy rows, so that the model is tested without any real task's data."""

from __future__ import annotations

from collections.abc import Callable

import pytest

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
