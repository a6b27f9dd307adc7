"""The smallest changes that turn a refusal: few, confirmed by the model itself, and never of what cannot change."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

import tasks
from tasks.task import FloatArray, Inputs, Place, Rows
from tasks.validate import counterfactual
from tasks.validate.reasons_file import Known

RISK = tasks.get("risk")
NAMES = [feature.name for feature in RISK.features]
Raw = Callable[[Inputs], FloatArray]


@pytest.fixture(scope="module")
def rows() -> Rows:
    return RISK.sources["embedded"].read(Place(root=None, seed=7)).take(np.arange(60))


@pytest.fixture(scope="module")
def known(rows: Rows) -> Known:
    assert rows.inputs.table is not None
    return Known(RISK.reasons, rows.inputs.table, {})


def planted(**weights: float) -> Raw:
    """A model that adds up some columns."""

    def raw(inputs: Inputs) -> FloatArray:
        assert inputs.table is not None
        own = {name.replace("=", "_is_"): place for place, name in enumerate(NAMES)}
        total = np.full(len(inputs), weights["start"])
        for name in weights.keys() - {"start"}:
            total += weights[name] * inputs.table[:, own[name]]
        return total[:, None]

    return raw


def search(rows: Rows, known: Known, raw: Raw, at: int) -> tuple[counterfactual.Counterfactual, ...]:
    return counterfactual.search(RISK, known, rows.inputs.take(np.array([at])), raw, raw)


def held(rows: Rows, **wanted: float) -> int:
    """The first row that holds some values."""
    assert rows.inputs.table is not None
    own = {name.replace("=", "_is_"): place for place, name in enumerate(NAMES)}
    return int(np.flatnonzero(np.all([rows.inputs.table[:, own[n]] == v for n, v in wanted.items()], axis=0))[0])


def test_one_change_is_found_where_one_is_enough_and_it_is_the_nearest(rows: Rows, known: Known) -> None:
    raw = planted(duration_months=0.1, start=-1.85)
    at = held(rows, duration_months=36)
    found = search(rows, known, raw, at)
    assert len(found) == 1
    (change,) = found[0].changes
    assert (change.attribute, change.given) == ("duration_months", {"duration_months": 36})
    assert rows.inputs.table is not None
    months = rows.inputs.table[:, 0]
    assert change.needed == {"duration_months": months[months < 18.5].max()}
    assert found[0].raw < 0
    assert f"over {change.needed['duration_months']:.0f} months" in (found[0].row.text or ("",))[0], (
        "its text says so too"
    )


def test_two_changes_are_found_where_none_alone_is_enough(rows: Rows, known: Known) -> None:
    raw = planted(savings_is_below_100=1.0, other_debtors_is_none=1.0, telephone_is_none=1.0, start=-1.5)
    found = search(rows, known, raw, held(rows, savings_is_below_100=1, other_debtors_is_none=1, telephone_is_none=1))
    assert len(found) == 3
    for way in found:
        assert len(way.changes) == 2
        assert way.raw == raw(way.row)[0, 0] < 0


def test_what_is_fixed_stays_and_nobody_is_told_to_be_unknown(rows: Rows, known: Known) -> None:
    at = held(rows, savings_is_below_100=1)
    assert search(rows, known, planted(age=-0.01, dependents=1.0, start=2.0), at) == ()
    only = planted(savings_is_unknown_or_none=-5.0, checking_account_is_none=-5.0, start=1.0)
    assert search(rows, known, only, held(rows, savings_is_below_100=1, checking_account_is_none=0)) == ()
    free = dataclasses.replace(known, listed=known.listed.model_copy(update={"never": {}}))
    assert search(rows, free, only, held(rows, savings_is_below_100=1, checking_account_is_none=0))


def test_nothing_is_said_to_whom_it_does_not_refuse_or_cannot_turn(rows: Rows, known: Known) -> None:
    assert search(rows, known, planted(start=-1.0), 0) == ()
    assert search(rows, known, planted(start=1.0), 0) == ()


def test_what_only_seems_to_turn_it_is_not_given_and_the_search_has_an_end(rows: Rows, known: Known) -> None:
    """Without the text everything turns; the whole model never does, and is asked a bounded number of times."""
    asked = []

    def never(inputs: Inputs) -> FloatArray:
        asked.append(len(inputs))
        return np.ones((len(inputs), 1))

    row = rows.inputs.take(np.array([0]))
    quick = planted(duration_months=0.0, start=0.0)
    tilted = lambda inputs: quick(inputs) - 5.0 * (inputs.table != row.table).any(axis=1)[:, None]  # noqa: E731
    assert counterfactual.search(RISK, known, row, tilted, never) == ()
    assert sum(asked) <= counterfactual.TRIED + 1


def test_a_missing_value_is_left_missing(rows: Rows, known: Known) -> None:
    row = rows.inputs.take(np.array([held(rows, savings_is_below_100=1)]))
    assert row.table is not None
    table = row.table.copy()
    table[:, [feature.group == "credit_amount" for feature in RISK.features]] = np.nan
    raw = lambda inputs: np.nan_to_num(inputs.table[:, [NAMES.index("credit_amount")]], nan=9000.0) - 4000.0  # noqa: E731
    assert counterfactual.search(RISK, known, Inputs(row.owner, table=table), raw, raw) == ()


def test_a_low_probability_is_the_bad_news_where_the_list_says_so(rows: Rows, known: Known) -> None:
    low = dataclasses.replace(known, listed=known.listed.model_copy(update={"adverse": "low"}))
    raw = planted(duration_months=0.1, start=-1.85)
    found = search(rows, low, raw, held(rows, duration_months=12))
    assert found and found[0].raw > 0
    assert found[0].changes[0].needed["duration_months"] > 18


def test_of_many_groups_those_that_help_most_are_tried_together(rows: Rows, known: Known) -> None:
    """What helps most is taken where it can be; where it is given already, and its loss would harm, it stays."""
    raw = planted(
        savings_is_below_100=1.0, other_debtors_is_none=1.0, telephone_is_none=1.0, housing_is_own=-9.0, start=-0.5
    )
    at = held(rows, savings_is_below_100=1, other_debtors_is_none=1, telephone_is_none=1, housing_is_own=0)
    ways = search(rows, known, raw, at)
    assert {change.attribute for way in ways for change in way.changes} == {"housing"}
    at = held(rows, savings_is_below_100=1, other_debtors_is_none=1, telephone_is_none=1, housing_is_own=1)
    harder = planted(
        savings_is_below_100=1.0, other_debtors_is_none=1.0, telephone_is_none=1.0, housing_is_own=-9.0, start=8.5
    )
    (way,) = search(rows, known, harder, at)
    assert {change.attribute for change in way.changes} == {"savings", "other_debtors", "telephone"}
