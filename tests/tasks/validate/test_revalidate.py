"""A version on later rows: the report's own rows give the report's figure, other rows a figure with its distance."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tasks.data.parquet import save_rows
from tasks.model import saved
from tasks.task import Rows
from tasks.validate import contamination, revalidate
from tasks.validate.bootstrap import Estimate
from tasks.validate.judgement import Judgement
from tests.tasks.validate.test_evaluate import folder, run  # type: ignore[import-not-found]  # noqa: F401
from tests.tasks.validate.toys import TEST, TOY, TRAIN  # type: ignore[import-not-found]


@pytest.fixture
def judged(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, dict[str, Any]]:  # noqa: F811
    """A judged version, and what its report says."""
    for module in (revalidate, saved):
        monkeypatch.setattr(module, "get", lambda name: TOY)
    return folder, run(folder)["toy"]


def on(place: Path, rows: Rows | None = None) -> dict[str, Any]:
    path = place / "test.parquet"
    if rows is not None:
        path = place / "later.parquet"
        save_rows(rows, path)
    config = {"task": "toy", "model": str(place / "model"), "path": str(path), "threads": 1}
    return revalidate.revalidate(config)


def later(rows: Rows, shift: float = 0.0) -> Rows:
    """Rows that nobody has seen: every cell a little off."""
    table = np.asarray(rows.inputs.table) + 1e-3 + shift
    return dataclasses.replace(rows, inputs=dataclasses.replace(rows.inputs, table=table))


def test_the_rows_of_the_report_give_its_figure_digit_for_digit(judged: tuple[Path, dict[str, Any]]) -> None:
    place, report = judged
    found = on(place)
    assert (found["value"], tuple(found["ci95"])) == (report["value"], tuple(report["ci95"]))
    assert found["calibration"] == {k: report["calibration"][k] for k in ("ece", "coverage", "coverage_band")}
    assert found["report"]["difference"] == 0.0
    assert found["report"]["difference_ci95"] is None
    assert found["known"] == {"learned": 0, "tested": len(TEST), "new": 0, "figures": []}


def test_new_rows_are_told_from_those_that_were_seen(judged: tuple[Path, dict[str, Any]]) -> None:
    place, _ = judged
    found = on(place, later(TEST))
    assert found["known"] == {"learned": 0, "tested": 0, "new": len(TEST), "figures": []}
    assert found["report"]["difference_ci95"][0] < 0 < found["report"]["difference_ci95"][1]
    half = np.arange(len(TEST) // 2)
    table = np.concatenate([np.asarray(part.inputs.table)[half] for part in (TRAIN, TEST, later(TEST))])
    mixed = dataclasses.replace(
        TEST.take(
            np.concatenate([half, half])[: len(table)] if len(table) <= len(TEST) else np.resize(half, len(table))
        ),
    )
    inputs = dataclasses.replace(mixed.inputs, owner=np.arange(len(table)), table=table)
    stamp = [np.concatenate([getattr(p, n)[half] for p in (TRAIN, TEST, TEST)]) for n in ("time", "group", "target")]
    mixed = dataclasses.replace(mixed, inputs=inputs, time=stamp[0], known=stamp[0], group=stamp[1], target=stamp[2])
    known = on(place, mixed)["known"]
    assert (known["learned"], known["tested"], known["new"]) == (len(half), len(half), len(half))
    assert [part["segment"] for part in known["figures"]] == ["learned from", "of the report's test", "new"]


def test_a_version_that_says_nothing_of_what_it_saw_is_said_to_say_nothing(judged: tuple[Path, dict[str, Any]]) -> None:
    place, _ = judged
    (place / "model" / "tested.json").unlink()
    assert on(place)["known"] is None


def test_a_figure_far_below_the_report_is_below_it_by_more_than_chance(judged: tuple[Path, dict[str, Any]]) -> None:
    place, report = judged
    drawn = np.random.default_rng(3).permutation(len(TEST))
    torn = dataclasses.replace(later(TEST), target=TEST.target[drawn])
    found = on(place, torn)
    assert found["value"] < report["value"]
    assert found["report"]["difference_ci95"][1] < 0


def test_the_interval_of_a_difference_is_that_of_two_independent_figures(judged: tuple[Path, dict[str, Any]]) -> None:
    report = Judgement(**judged[1]).model_copy(update={"value": 0.8, "ci95": (0.77, 0.83)})
    known = contamination.Known(np.zeros(3, dtype=bool), np.zeros(3, dtype=bool))
    found = revalidate.difference(Estimate(0.75, (0.71, 0.79)), report, known)
    assert found is not None
    assert found.difference == pytest.approx(-0.05)
    assert found.difference_ci95 == pytest.approx((-0.1, 0.0))  # 3-4-5: the halves .04 and .03 add up squared to .05
