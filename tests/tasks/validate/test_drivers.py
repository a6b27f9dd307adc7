"""What drove an answer is what drives the served model: held against every coalition, and against a forged list."""

from __future__ import annotations

import dataclasses
from itertools import combinations
from math import factorial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tasks
from tasks.backbone import tiny
from tasks.backbone.device import set_threads
from tasks.backbone.section import LoraSection
from tasks.data.reasons import ReasonList, check, read
from tasks.model import build, forward
from tasks.model.frame import frame_of
from tasks.model.model import Model
from tasks.task import DataError, FloatArray, Inputs, Place, Rows
from tasks.validate import drivers, reasons, reasons_file
from tasks.validate.reasons_file import Known

RISK = tasks.get("risk")
ROWS = 120


@pytest.fixture(scope="module")
def rows() -> Rows:
    return RISK.sources["embedded"].read(Place(root=None, seed=7)).take(np.arange(ROWS))


@pytest.fixture(scope="module")
def model(rows: Rows) -> Model:
    """A tiny body and a real classical part; the text's head is loud, so that a reason which left it out would err."""
    set_threads(1)
    made = build.build(
        tiny.tiny("bert"), {"risk": RISK}, {"risk": rows.inputs.modalities}, LoraSection(rank=2, layers=1), 3
    )
    made.classical["risk"] = RISK.classical.fit(rows.inputs, rows.target)
    offset = RISK.classical.raw(made.classical["risk"], rows.inputs)
    made.frames["risk"] = frame_of(RISK, rows.inputs.modalities, rows.inputs, rows.target, offset)
    return made


@pytest.fixture(scope="module")
def known(model: Model, rows: Rows) -> Known:
    found = drivers.learn(model, "risk", rows, rows.take(np.arange(40)), 7)
    assert found is not None
    return reasons_file.from_json(reasons_file.to_json(found))


def refused(model: Model, rows: Rows) -> Any:
    raw = forward.raw(model, "risk", rows.inputs)[:, 0]
    return [(int(at), float(raw[at])) for at in np.flatnonzero(raw > 0)]


def of_row(rows: Rows, at: int, **parts: Any) -> Inputs:
    return dataclasses.replace(rows.inputs.take(np.array([at])), **parts)


def test_pairs_of_permutations_give_the_exact_values_of_a_small_game_within_their_interval() -> None:
    row, reference = np.array([2.0, 3.0, 5.0, 7.0, 1.0]), np.random.default_rng(1).normal(size=(400, 5))
    groups = [np.array([0]), np.array([1, 2]), np.array([3])]

    def value(table: FloatArray) -> FloatArray:
        return table[:, 0] * table[:, 1] + table[:, 2] * table[:, 3] + table[:, 4]

    def worth(shown: tuple[int, ...]) -> float:
        table = reference.copy()
        table[:, 4] = row[4]
        for player in shown:
            table[:, groups[player]] = row[groups[player]]
        return float(value(table).mean())

    found = drivers._played(row, reference, groups, value, np.random.default_rng(2))
    for player in range(3):
        rest = [other for other in range(3) if other != player]
        exact = sum(
            factorial(size) * factorial(2 - size) / 6 * (worth((*shown, player)) - worth(shown))
            for size in range(3)
            for shown in combinations(rest, size)
        )
        error = found[:, player].std(ddof=1) / np.sqrt(len(found))
        assert abs(found[:, player].mean() - exact) < 4 * error
    reached = reference.copy()
    reached[:, 4] = row[4]
    assert found.sum(axis=1) == pytest.approx(value(row[None]) - value(reached))


def test_reasons_are_given_where_it_refuses_alone_and_each_is_sure(model: Model, rows: Rows, known: Known) -> None:
    raw = forward.raw(model, "risk", rows.inputs)[:, 0]
    given = 0
    for at in range(0, ROWS, 6):
        row = of_row(rows, at)
        found = reasons.reasons(model, "risk", known, row, float(raw[at]), 1.0)
        assert len(found) <= 4
        assert not found or raw[at] > 0
        assert [each.log_odds for each in found] == sorted((each.log_odds for each in found), reverse=True)
        assert all(0 < each.ci95[0] < each.log_odds < each.ci95[1] for each in found)
        assert found == reasons.reasons(model, "risk", known, row, float(raw[at]), 1.0)
        given += len(found)
    assert given


def test_what_a_row_does_not_hold_is_no_reason(model: Model, rows: Rows, known: Known) -> None:
    at, raw = refused(model, rows)[0]
    row = of_row(rows, at, text=None)
    (first, *_) = reasons.reasons(model, "risk", known, row, raw, 1.0)
    assert row.table is not None
    table = row.table.copy()
    table[:, [feature.group == first.attribute for feature in RISK.features]] = np.nan
    without = reasons.reasons(model, "risk", known, of_row(rows, at, text=None, table=table), raw, 1.0)
    assert first.attribute not in [each.attribute for each in without]
    assert without


def test_a_text_that_says_more_than_was_measured_makes_reasons_unsure_not_wrong(
    model: Model, rows: Rows, known: Known
) -> None:
    at, raw = refused(model, rows)[0]
    row = of_row(rows, at)
    loud = {name: dataclasses.replace(each, deviation=50.0) for name, each in known.spoken.items()}
    assert reasons.reasons(model, "risk", dataclasses.replace(known, spoken=loud), row, raw, 1.0) == []
    few = {name: dataclasses.replace(each, rows=2) for name, each in known.spoken.items()}
    assert reasons.reasons(model, "risk", dataclasses.replace(known, spoken=few), row, raw, 1.0) == []


def test_notes_are_a_player_of_their_own(model: Model, rows: Rows, known: Known) -> None:
    at, raw = refused(model, rows)[0]
    assert rows.inputs.text is not None
    row = of_row(rows, at, text=(rows.inputs.text[at] + " The applicant was late with everything.",))
    found = drivers.values(model, "risk", known, row, raw, 1.0)
    plain = drivers.values(model, "risk", known, of_row(rows, at), raw, 1.0)
    assert set(found.groups) - set(plain.groups) == {"text"}
    assert np.isfinite(found.value).all()
    with pytest.raises(ValueError, match="does not begin with what restates its table"):
        drivers.values(model, "risk", known, of_row(rows, at, text=("Something else.",)), raw, 1.0)


def test_a_version_keeps_no_applicants_record(rows: Rows, known: Known) -> None:
    assert rows.inputs.table is not None
    theirs = {row.tobytes() for row in rows.inputs.table}
    assert len(known.reference) == ROWS
    assert not theirs & {row.tobytes() for row in known.reference}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda codes: codes.pop("age"), "no code for age"),
        (lambda codes: codes.update(shoe={"code": "R99", "text": "Your shoes."}), "'shoe', which is no group"),
        (lambda codes: codes["age"].update(code="R01"), "one code twice"),
    ],
)
def test_a_list_that_does_not_fit_its_task_is_refused(change: Any, says: str) -> None:
    told = RISK.reasons.model_dump()
    change(told["codes"])
    with pytest.raises(DataError, match=says):
        check(ReasonList(**told), RISK)


def test_a_list_is_for_a_score_and_is_read_with_its_mistakes_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="head of kind score"):
        check(RISK.reasons, tasks.get("volatility"))
    assert read(tmp_path / "none.toml") is None
    (tmp_path / "bad.toml").write_text("version = 3\n")
    with pytest.raises(DataError, match="cannot be used"):
        read(tmp_path / "bad.toml")


def test_a_model_that_gives_no_numbers_keeps_no_reasons_and_is_written_out(model: Model, rows: Rows) -> None:
    broken = dataclasses.replace(model, classical={"risk": RISK.classical.fit(rows.inputs, rows.target)})
    broken.classical["risk"]["parts"][1]["intercept"] = [float("nan")]
    assert drivers.learn(broken, "risk", rows, rows.take(np.arange(20)), 7) is None


def test_where_a_low_probability_is_the_bad_news_reasons_are_what_lowered_it(
    model: Model, rows: Rows, known: Known
) -> None:
    low = dataclasses.replace(known, listed=known.listed.model_copy(update={"adverse": "low"}))
    raw = forward.raw(model, "risk", rows.inputs)[:, 0]
    at = int(np.argmin(raw))
    found = reasons.reasons(model, "risk", low, of_row(rows, at), float(raw[at]), 1.0)
    moved = drivers.values(model, "risk", low, of_row(rows, at), float(raw[at]), 1.0)
    own = dict(zip(moved.groups, moved.value.tolist(), strict=True))
    assert found
    assert all(each.log_odds == pytest.approx(-own[each.attribute], abs=1e-6) and each.ci95[0] > 0 for each in found)
    assert reasons.reasons(model, "risk", known, of_row(rows, at), float(raw[at]), 1.0) == []
