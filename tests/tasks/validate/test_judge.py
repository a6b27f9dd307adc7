"""The judgement: nothing is learned from test rows, and what is worse, unsure or collapsed is refused in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from tasks.task import (
    FloatArray,
)
from tasks.validate.judge import BASELINE, FULL, Champion, Measured, judge
from tasks.validate.judgement import Judgement
from tasks.validate.section import ValidateSection
from tests.tasks.validate.toys import SIDES, TEST, TOY, VALID

SECTION, SEED = ValidateSection(draws=200), 7


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
