"""Files of one row per day: what is read, said and refused, and that labels are those of their day.

All files here are synthetic.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import tasks
from tasks.data.long_columns import mapped
from tasks.task import DataError, Rows

Make = Callable[..., Path]
DAYS = pd.bdate_range("2019-01-02", periods=420)


def path_of(seed: int, days: int = 420, start: float = 50.0) -> np.ndarray:
    return np.round(start * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.012, days))), 4)


def table_of(seed: int, **more: Any) -> pd.DataFrame:
    close = path_of(seed)
    return pd.DataFrame({"Date": DAYS.strftime("%Y-%m-%d"), "Open": close, "Close": close, "Volume": 1000} | more)


def whole(parts: dict[str, Rows]) -> dict[tuple[str, str], tuple[float, str]]:
    """(asset, day) -> target and the day from which it is known."""
    return {
        (group, str(time)[:10]): (target, str(known)[:10])
        for rows in parts.values()
        for group, time, known, target in zip(
            rows.group.tolist(), rows.time, rows.known, rows.target[:, 0].tolist(), strict=True
        )
    }


def test_volatility_labels_of_a_price_file_are_those_that_pandas_computes(write: Make, read: Any) -> None:
    table = table_of(1)
    found = whole(read("volatility", write(table))[1])
    moves = np.log(table["Close"]).diff()
    after = (moves**2).rolling(5).mean().shift(-5)
    known = table["Date"].shift(-5)
    assert len(found) > 60
    for (group, day), (target, when) in found.items():
        at = table.index[table["Date"] == day][0]
        assert (group, when) == ("NORTH", known[at])
        assert target == pytest.approx(np.log(after[at] + 1e-8), abs=1e-12)


def test_portfolio_labels_of_files_by_a_pattern_are_those_that_pandas_computes(
    write: Make, read: Any, tmp_path: Path
) -> None:
    tables = {name: table_of(seed) for seed, name in enumerate(("NORTH", "SOUTH", "EAST"))}
    for name, table in tables.items():
        write(table, f"prices/{name}.csv")
    card, parts = read("portfolio", tmp_path / "prices" / "*.csv")
    found = whole(parts)
    assert {name for name, _ in found} == set(tables) == set(card["long"]["tracks"])
    for (group, day), (target, when) in found.items():
        table = tables[group]
        at = table.index[table["Date"] == day][0]
        assert when == table["Date"][at + 21]
        assert target == pytest.approx(10 * (table["Close"][at + 21] / table["Close"][at] - 1), abs=1e-9)


def test_one_file_with_a_ticker_column_gives_the_rows_of_many_files(write: Make, read: Any, tmp_path: Path) -> None:
    tables = {name: table_of(seed) for seed, name in enumerate(("NORTH", "SOUTH"))}
    for name, table in tables.items():
        write(table, f"prices/{name}.csv")
    many = whole(read("volatility", tmp_path / "prices" / "*.csv")[1])
    joined = pd.concat([table.assign(Ticker=name) for name, table in tables.items()])
    shuffled = joined.sample(frac=1, random_state=3).rename(columns=str.upper)
    one = whole(read("volatility", write(shuffled, "all.csv"))[1])
    assert one == many


def test_the_order_of_the_rows_and_the_form_of_the_dates_change_nothing(write: Make, read: Any) -> None:
    table = table_of(1)
    plain, parts = read("volatility", write(table))
    first = whole(parts)
    for name, changed in {
        "newest first": table[::-1],
        "German days": table.assign(Date=DAYS.strftime("%d.%m.%Y")),
        "American days": table.assign(Date=DAYS.strftime("%m/%d/%Y")),
        "midnight in New York": table.assign(Date=DAYS.tz_localize("America/New_York").astype(str)),
        "dollars": table.assign(Close=[f"${price}" for price in table["Close"]]),
        "with holes": pd.concat([table, pd.DataFrame({"Date": ["2018-12-31"], "Close": ["null"]})]),
    }.items():
        card, parts = read("volatility", write(changed))
        assert whole(parts) == first, name
        assert card["fingerprint"] == plain["fingerprint"], name
    assert any("newest first" in said for said in read("volatility", write(table[::-1]))[0]["long"]["said"])


def test_adjusted_closes_go_before_closes_and_the_card_says_so(write: Make, read: Any) -> None:
    table = table_of(1, **{"Adj Close": path_of(2)})
    card, parts = read("volatility", write(table))
    assert card["long"]["columns"] == {"date": "Date", "close": "Adj Close"}
    assert card["long"]["ignored"] == ["Open", "Close", "Volume"]
    assert whole(parts) == whole(read("volatility", write(table_of(2)))[1])
    card, parts = read("volatility", write(table), columns={"close": "Close"})
    assert card["long"]["columns"]["close"] == "Close"
    assert whole(parts) == whole(read("volatility", write(table_of(1)))[1])


@pytest.mark.parametrize("ratio", [1 / 2, 1 / 3, 1 / 4, 2, 3, 5, 10])
def test_a_jump_of_one_asset_alone_near_a_whole_ratio_is_named_as_a_split(
    write: Make, read: Any, tmp_path: Path, ratio: float
) -> None:
    split, other = table_of(1), table_of(2)
    split.loc[200:, "Close"] = (split.loc[200:, "Close"] * ratio).round(4)
    write(split, "prices/SPLIT.csv")
    write(other, "prices/OTHER.csv")
    warnings = read("volatility", tmp_path / "prices" / "*.csv")[0]["warnings"]
    assert len(warnings) == 1
    assert f"SPLIT jumps to {split['Close'][200] / split['Close'][199]:.3f}" in warnings[0]
    assert f"on {split['Date'][200]}" in warnings[0]
    assert "unadjusted split" in warnings[0]
    assert read("volatility", write(split, "ALONE.csv"))[0]["warnings"]


def test_a_crash_of_all_assets_and_usual_moves_are_no_splits(write: Make, read: Any, tmp_path: Path) -> None:
    for seed in range(3):
        table = table_of(seed)
        table.loc[200:, "Close"] *= 0.5
        write(table, f"prices/A{seed}.csv")
    assert read("volatility", tmp_path / "prices" / "*.csv")[0]["warnings"] == []


def test_a_gap_in_the_days_is_said(write: Make, read: Any) -> None:
    table = table_of(1).drop(index=range(100, 130))
    warnings = read("volatility", write(table))[0]["warnings"]
    assert "the longest is 43 days of NORTH" in warnings[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Close": {5: -1.5}}, "row 7: the price '-1.5' is not positive"),
        ({"Close": {5: 0}}, "row 7: the price '0' is not positive"),
        ({"Close": {5: "many"}}, "row 7: 'many' is no number"),
        ({"Close": {5: 1e308}}, "row 7: '1e+308' is outside 1e-12 to 1e+12"),
        ({"Date": {5: "yesterday"}}, "row 7: Date 'yesterday' is no date"),
        ({"Date": {5: "9999-12-31"}}, "row 7: Date '9999-12-31' is no date"),
        ({"Date": {5: "2019-01-02"}}, "'NORTH' has 2019-01-02 twice (rows 2 and 7; 1 such pairs)"),
    ],
)
def test_a_wrong_row_is_refused_with_its_number_and_a_cure(write: Make, read: Any, change: Any, words: str) -> None:
    table = table_of(1).astype({"Close": object})
    for column, cells in change.items():
        for row, value in cells.items():
            table.loc[row, column] = value
    with pytest.raises(DataError) as refused:
        read("volatility", write(table))
    assert words in str(refused.value)


def test_days_that_can_be_read_in_two_ways_are_refused(write: Make, read: Any) -> None:
    table = table_of(1)[:12].assign(Date=[f"0{n % 9 + 1}/0{n // 9 + 1}/2020" for n in range(12)])
    with pytest.raises(DataError, match="can be read in two ways"):
        read("volatility", write(table))


def test_one_asset_is_no_portfolio_and_a_short_history_no_window(write: Make, read: Any) -> None:
    with pytest.raises(DataError, match=r"several files by a pattern such as prices/\*\.csv"):
        read("portfolio", write(table_of(1)))
    with pytest.raises(DataError, match="has 60 days with a price; a row needs 70"):
        read("volatility", write(table_of(1)[:60]))


def test_other_column_names_are_mapped_and_unknown_ones_refused(write: Make, read: Any) -> None:
    table = table_of(1).rename(columns={"Date": "Tag", "Close": "Schluss"})
    given = {"date": "Tag", "close": "Schluss"}
    first = whole(read("volatility", write(table_of(1)))[1])
    assert whole(read("volatility", write(table), columns=given)[1]) == first
    with pytest.raises(DataError, match="has no such column"):
        read("volatility", write(table), columns={"date": "Day", "close": "Schluss"})
    with pytest.raises(DataError, match=r"columns.open is no field of a long file of volatility"):
        read("volatility", write(table), columns={**given, "open": "Open"})


def test_a_file_of_windows_is_still_a_file_of_items() -> None:
    task = tasks.get("volatility")
    assert mapped(task, ("prices", "target", "date", "close"), {}) is None
    assert mapped(task, ("p", "date", "close"), {"prices": "p"}) is None
    assert mapped(task, ("text", "target"), {}) is None
    assert mapped(tasks.get("sentiment"), ("date", "close"), {}) is None


def test_wrong_rows_of_a_long_file_are_left_out_up_to_the_number_that_is_allowed(
    write: Make, read: Any, tmp_path: Path
) -> None:
    table = table_of(1).astype({"Close": object})
    table.loc[5, "Close"], table.loc[9, "Date"] = "-3", "soon"
    with pytest.raises(DataError, match="has 2 wrong rows; row 7: the price '-3' is not positive"):
        read("volatility", write(table), file={"max_bad_rows": 1})
    card, parts = read("volatility", write(table), file={"max_bad_rows": 2})
    assert whole(parts) == whole(read("volatility", write(table_of(1).drop(index=[5, 9])))[1])
    assert card["rejected"] == 2
    written = read("volatility", write(table), file={"max_bad_rows": 2}) and (tmp_path / "out" / "rejected.csv")
    assert [line.split(",")[0] for line in written.read_text().splitlines()] == ["row", "7", "11"]


def test_a_zone_is_refused_where_it_means_nothing(write: Make, read: Any) -> None:
    with pytest.raises(DataError, match="holds days, which have no zone"):
        read("volatility", write(table_of(1)), file={"zone": "Europe/Berlin"})
