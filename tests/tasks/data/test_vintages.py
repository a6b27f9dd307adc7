"""Facts are asked as of a day: what was published later is not seen, and what was said once is said so again."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.data import leaks, vintages
from tasks.data.vintages import Facts, appended, as_of, facts, known
from tasks.task import DataError, Feature, Inputs, Place, Rows
from tests.tasks.toys import make_task

GDP = [
    ("gdp", "2016-01-01", "2016-04-28", 0.5),
    ("gdp", "2016-01-01", "2016-05-27", 0.8),
    ("gdp", "2016-04-01", "2016-07-29", 1.2),
]


@pytest.fixture(scope="module")
def fed() -> Facts:
    return vintages.nowcast()


def test_the_real_vintages_are_inside_the_pinned_package_and_eighty_five_values_were_revised(fed: Facts) -> None:
    assert len(fed.names) == 29
    june, july = known(fed, "2016-07-01"), known(fed, "2016-07-30")
    first = {(int(fed.series[row]), fed.period[row]): fed.value[row] for row in june}
    later = {(int(fed.series[row]), fed.period[row]): fed.value[row] for row in july}
    assert (fed.known_from[june] == np.datetime64("2016-06-29")).all()
    assert len(first) == 8_653
    assert sum(later[key] != value for key, value in first.items()) == 85
    assert len(known(fed, "2016-06-28")) == 0


def test_a_revision_is_a_row_and_each_day_sees_the_newest_that_was_known() -> None:
    held = facts(GDP)
    assert as_of(held, "2016-05-26", "gdp")[1].tolist() == [0.5]
    assert as_of(held, "2016-05-27", "gdp")[1].tolist() == [0.8]
    assert as_of(held, "2016-08-01", "gdp")[1].tolist() == [0.8, 1.2]
    assert len(held) == 3


def test_a_withdrawn_value_is_not_known_any_more() -> None:
    held = facts([*GDP, ("gdp", "2016-04-01", "2016-08-03", float("nan"))])
    assert as_of(held, "2016-08-02", "gdp")[1].tolist() == [0.8, 1.2]
    assert as_of(held, "2016-08-03", "gdp")[1].tolist() == [0.8]


def test_what_comes_late_is_refused_and_what_is_new_leaves_past_answers_as_they_were() -> None:
    held = facts(GDP)
    with pytest.raises(DataError, match=r"gdp of 2016-04-01, known from 2016-05-01.*comes late"):
        appended(held, facts([("gdp", "2016-04-01", "2016-05-01", 1.0)]))
    more = appended(
        held, facts([("gdp", "2016-01-01", "2016-09-01", 0.9), ("cpi", "2016-01-01", "2016-02-01", 2.0), GDP[0]])
    )
    assert as_of(more, "2016-08-01", "gdp")[1].tolist() == [0.8, 1.2]
    assert as_of(more, "2016-09-01", "gdp")[1].tolist() == [0.9, 1.2]
    assert len(more) == 5
    with pytest.raises(DataError, match=r"is 0.5 and 0.6 from one moment on"):
        facts([*GDP, ("gdp", "2016-01-01", "2016-04-28", 0.6)])


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_users_table_is_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"facts.{kind}"
    columns = dict(zip(vintages.COLUMNS, map(list, zip(*GDP, strict=True)), strict=True))
    if kind == "csv":
        path.write_text("series,period,known_from,value\n" + "".join(f"{','.join(map(str, row))}\n" for row in GDP))
    else:
        pq.write_table(pa.table(columns), path)
    assert as_of(vintages.read(str(path)), "2016-08-01", "gdp")[1].tolist() == [0.8, 1.2]
    wrong = tmp_path / "wrong.csv"
    wrong.write_text("series,period,known_from,value\ngdp,2016-01-01,soon,0.5\n")
    with pytest.raises(DataError, match="row 2: 'soon' is no date"):
        vintages.read(str(wrong))


def source(fed: Facts, *, honest: bool):
    """Rows of the days around a publication; their feature is what an indicator said, then or (planted) at the end."""
    days = np.arange("2016-07-01", "2016-08-20", dtype="datetime64[D]").astype("datetime64[us]")

    def read(place: Place) -> Rows:
        now = days[-1] if place.until is None else place.until
        seen = days[days <= now]
        level = np.array([as_of(fed, day if honest else now, "TTLCONS")[1][-3] for day in seen])
        count, blank = len(seen), np.array([""] * len(seen))
        return Rows(
            tuple(map(str, seen)), Inputs(np.arange(count), table=level[:, None]), np.zeros((count, 1)), seen, seen.copy(),
            blank, blank,
        )  # fmt: skip

    return read


def test_a_feature_that_reads_july_for_june_fails_the_audit_by_name(fed: Facts) -> None:
    task = dataclasses.replace(
        make_task("growth", "score", ("up",), ("table",)), features=(Feature("TTLCONS", "macro"),)
    )
    place = Place(None, 7)
    honest = source(fed, honest=True)
    assert leaks.truncated(task, honest, place, honest(place))["rows"] > 0
    planted = source(fed, honest=False)
    with pytest.raises(DataError, match=r"leak audit of growth: the table of row '2016-07-01.*TTLCONS"):
        leaks.truncated(task, planted, place, planted(place))


def test_a_million_facts_are_asked_as_of_a_day_in_milliseconds() -> None:
    count, rng = 1_000_000, np.random.default_rng(3)
    series = np.repeat(np.arange(100), count // 100)
    period = np.tile(np.repeat(np.arange("1990-01-01", "1996-11-06", dtype="datetime64[D]"), 4), 100)[:count]
    moments = period.astype("datetime64[us]") + np.tile(np.arange(4), count // 4) * np.timedelta64(30, "D")
    held = Facts(tuple(f"s{at:02d}" for at in range(100)), series, period, moments, rng.normal(size=count))
    known(held, "1993-01-01")  # what is computed once
    began = time.process_time()
    for day in range(20):
        known(held, np.datetime64("1992-01-01") + day)
    assert (time.process_time() - began) / 20 < 0.05  # `bench privacy` measures the bar of 10 ms on a quiet machine
