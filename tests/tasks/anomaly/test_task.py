"""Anomaly: the benchmark's own score, anomalies of known place, nothing known before its time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from pydantic import ValidationError

from tasks import get
from tasks.anomaly import features, inject, nab
from tasks.anomaly.stream import SILENT
from tasks.task import Inputs, Place, Rows
from tasks.validate.calibration import Calibration, predict

TASK = get("anomaly")


@pytest.fixture(scope="module")
def rows() -> Rows:
    return TASK.sources["embedded"].read(Place(None, 7))


def _stream(label: list[int], name: str = "one") -> Rows:
    count = len(label)
    time = np.datetime64("2020-01-01T00:00:00", "us") + np.arange(count) * np.timedelta64(1, "m")
    return Rows(
        ids=tuple(f"{name}{i}" for i in range(count)),
        inputs=Inputs(owner=np.arange(count)),
        target=np.array(label, dtype=np.float64)[:, None],
        time=time,
        known=time,
        group=np.full(count, name),
        split=np.full(count, "test"),
    )


def _nab(rows: Rows, detected: list[int]) -> float:
    raw = np.full((len(rows), 1), -5.0)
    raw[detected] = 5.0
    return nab.score(rows, raw)(np.ones(len(rows)))


def test_silence_scores_zero_and_first_sight_of_every_window_a_hundred() -> None:
    rows = _stream([0] * 30 + [1] * 10 + [0] * 30 + [1] * 10 + [0] * 20)
    assert _nab(rows, []) == 0.0
    assert _nab(rows, [30, 70]) == pytest.approx(100.0)
    assert _nab(rows, [30]) == pytest.approx(50.0)


def test_a_later_detection_is_worth_less_and_a_false_alarm_costs() -> None:
    """Standard profile by hand: 2 / (1 + exp(5 y)) - 1 at y = -5/10, over its value at -1; an alarm far off costs .11."""
    rows = _stream([0] * 30 + [1] * 10 + [0] * 60)
    late = (2 / (1 + np.exp(-2.5)) - 1) / (2 / (1 + np.exp(-5)) - 1)
    assert _nab(rows, [35]) == pytest.approx(100 * (late + 1) / 2)
    assert _nab(rows, [30, 10]) == pytest.approx(100 * (1 - 0.11 + 1) / 2)
    after = 0.11 * (2 / (1 + np.exp(5 * 3 / 9)) - 1)  # three steps after a window of ten
    assert _nab(rows, [30, 42]) == pytest.approx(100 * (1 + after + 1) / 2)


def test_a_window_counts_once_and_weights_draw_whole_files() -> None:
    rows = _stream([0] * 30 + [1] * 10 + [0] * 60)
    assert _nab(rows, [30, 31, 32, 39]) == pytest.approx(100.0)
    other = _stream([0] * 30 + [1] * 10 + [0] * 60, "two")
    both = Rows(
        ids=rows.ids + other.ids,
        inputs=Inputs(owner=np.arange(200)),
        target=np.concatenate([rows.target, other.target]),
        time=np.concatenate([rows.time, other.time]),
        known=np.concatenate([rows.known, other.known]),
        group=np.concatenate([rows.group, other.group]),
        split=np.concatenate([rows.split, other.split]),
    )
    raw = np.full((200, 1), -5.0)
    raw[30] = 5.0
    weighted = nab.score(both, raw)
    assert weighted(np.ones(200)) == pytest.approx(50.0)
    assert weighted(np.repeat([3.0, 1.0], 100)) == pytest.approx(75.0)


def test_one_score_for_everything_is_worth_nothing(rows: Rows) -> None:
    assert nab.score(rows, np.zeros((len(rows), 1)))(np.ones(len(rows))) == 0.0


def test_the_windowed_gaussian_scores_on_the_benchmark_what_it_is_known_to_score(shared_data) -> None:  # type: ignore[no-untyped-def]
    """48 files, standard profile: 35.0 with the benchmark's own detector (it refits every 100 values, ours every value)."""
    rows = TASK.sources["nab"].read(Place(shared_data, 7))
    test = rows.take(np.flatnonzero(rows.split == "test"))
    train = rows.take(np.flatnonzero(rows.split == "train"))
    assert len(np.unique(test.group)) == 48
    assert (
        len(nab.worth_of(test.target[:, 0] > 0.5, np.unique(test.group, return_inverse=True)[1]).file_of_window) == 83
    )
    assert TASK.baseline is not None
    raw = TASK.baseline.raw(TASK.baseline.fit(train.inputs, train.target), test.inputs)
    assert nab.score(test, raw)(np.ones(len(test))) == pytest.approx(35.0, abs=0.7)
    records = TASK.classical.raw(TASK.classical.fit(train.inputs, train.target), test.inputs)
    assert nab.score(test, records)(np.ones(len(test))) > 56.0
    assert nab.score(test, np.zeros_like(raw))(np.ones(len(test))) == 0.0
    for name in np.unique(train.group):
        assert train.time[train.group == name].max() < test.time[test.group == name].min()


def test_features_do_not_change_when_the_future_is_taken_away() -> None:
    values = np.random.default_rng(2).standard_normal(7000).cumsum()
    values[6900:] += 1e6
    at = np.arange(features.LENGTH - 1, 6800, 13)
    np.testing.assert_array_equal(features.table(values, at), features.table(values[:6800], at))
    np.testing.assert_array_equal(features.series(values, at), features.series(values[:6800], at))


def test_a_request_is_encoded_as_the_training_rows_are() -> None:
    values = np.random.default_rng(2).standard_normal(300).cumsum()
    inputs = TASK.encode([TASK.item(values=values.tolist())])
    np.testing.assert_array_equal(inputs.table, features.table(values, np.array([299])))
    np.testing.assert_array_equal(inputs.series, features.series(values, np.array([299])))


@pytest.mark.parametrize(
    "values", [[5.0] * 70, [0.0] * 70, [1e15] * 70, [1e15, -1e15] * 40, [1e-300, 1e15] * 40, [1.0, -1.0] * 40]
)
def test_constant_and_huge_values_give_finite_inputs(values: list[float]) -> None:
    inputs = TASK.encode([TASK.item(values=values)])
    assert np.isfinite(inputs.table).all()
    assert np.isfinite(inputs.series).all()


@pytest.mark.parametrize("kind", inject.KINDS)
def test_an_injection_leaves_the_past_alone_and_changes_its_place(kind: str) -> None:
    values = np.random.default_rng(6).standard_normal(120).cumsum()
    changed = inject.inject(values, 90, kind, np.random.default_rng(1))
    np.testing.assert_array_equal(changed[:90], values[:90])
    assert changed[90] != values[90]
    later = np.concatenate([values[:90], values[90:] + 50])
    size = inject.inject(later, 90, kind, np.random.default_rng(1)) - later
    if kind != "stuck":
        np.testing.assert_allclose(size, changed - values, atol=1e-9)


def test_embedded_rows_are_the_same_for_one_seed_and_others_for_another(rows: Rows) -> None:
    again, other = (TASK.sources["embedded"].read(Place(None, seed)) for seed in (7, 8))
    np.testing.assert_array_equal(rows.inputs.series, again.inputs.series)
    np.testing.assert_array_equal(rows.target, again.target)
    assert not np.array_equal(rows.inputs.series, other.inputs.series)
    assert 0.05 < rows.target.mean() < 0.2
    assert len(rows) == 112 * 64


def test_the_alarm_says_since_when() -> None:
    values = [*np.sin(np.arange(80.0)).tolist(), 40.0, 41.0, 42.0]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    item = TASK.item(values=values, timestamps=[start + timedelta(minutes=i) for i in range(len(values))])
    answer = TASK.answer(**TASK.decode(item, predict(TASK.head, Calibration(), np.array([[3.0]]))))
    assert (answer.alarm, answer.since, answer.since_time) == (True, 80, start + timedelta(minutes=80))
    quiet = TASK.answer(**TASK.decode(item, predict(TASK.head, Calibration(), np.array([[-3.0]]))))
    assert (quiet.alarm, quiet.since, quiet.since_time) == (False, None, None)


def test_stamps_out_of_order_or_missing_are_refused_by_index() -> None:
    stamps = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=i) for i in range(64)]
    values = [float(i) for i in range(64)]
    with pytest.raises(ValidationError, match="64 timestamps for 65 values"):
        TASK.item(values=[*values, 64.0], timestamps=stamps)
    with pytest.raises(ValidationError, match="at least 64 items"):  # the schema says it: never as few as this
        TASK.item(values=values, timestamps=stamps[1:])
    with pytest.raises(ValidationError, match=r"timestamp 5 .* is not after"):
        TASK.item(values=values, timestamps=[*stamps[:5], stamps[4], *stamps[6:]])


def test_a_label_is_zero_or_one_by_any_of_its_names() -> None:
    assert [TASK.target(value)[0] for value in (1, "anomaly", True, 0, "Normal", 1.0)] == [1, 1, 1, 0, 0, 1]
    with pytest.raises(ValueError, match="'maybe' is not known"):
        TASK.target("maybe")


def test_values_that_stand_out_from_nothing_have_their_own_chance() -> None:
    """A line through the scored values alone gave the silent ones a chance of one half: their calibration error was .4."""
    score = np.concatenate([np.full(900, SILENT), np.linspace(-1, 3, 100)])
    label = np.concatenate([np.arange(900) % 10 == 0, np.linspace(-1, 3, 100) > 1]).astype(np.float64)
    inputs = Inputs(owner=np.arange(1000), table=np.column_stack([np.zeros((1000, features.RECORD)), score]))
    logit = TASK.classical.raw(TASK.classical.fit(inputs, label[:, None]), inputs)[:, 0]
    chance = 1 / (1 + np.exp(-logit))
    assert chance[:900] == pytest.approx(0.1, abs=0.001)
    assert (np.diff(logit[900:]) >= 0).all()
    assert logit[900:].min() >= logit[0]
