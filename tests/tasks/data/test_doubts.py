"""What is legal in rows and odd is said; what cannot be meant refuses the file; outputs without a row are declared."""

from __future__ import annotations

import dataclasses
import json
import math
import random
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tasks
from tasks.data.columns import opened, reading
from tasks.data.doubts import contradictions, near_copies, odd_groups, odd_labels, odd_times
from tasks.data.prepare import prepare
from tasks.data.section import FileSection
from tasks.task import DataError, Inputs, Rows
from tests.tasks.data.test_prepare import toy
from tests.tasks.data.toys import make

LABELS = ("negative", "neutral", "positive")


def file_of(tmp_path: Path, records: Sequence[dict[str, Any]]) -> str:
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return str(tmp_path / "rows.jsonl")


def sentences(count: int = 60, labels: Sequence[str] = LABELS) -> list[dict[str, Any]]:
    words = random.Random(1)
    return [
        {"text": " ".join(f"w{words.randint(0, 900)}" for _ in range(9)) + f" {n}", "target": labels[n % len(labels)]}
        for n in range(count)
    ]


def prepared(tmp_path: Path, task: str, records: Sequence[dict[str, Any]], **section: Any) -> dict[str, Any]:
    return prepare(task, {"source": file_of(tmp_path, records), **section}, {}, 7, str(tmp_path / "out"))


def test_texts_whose_labels_contradict_each_other_are_counted_and_refused_where_most_do(tmp_path: Path) -> None:
    records = sentences()
    again = [{**one, "target": LABELS[(LABELS.index(one["target"]) + 1) % 3]} for one in records]
    few = prepared(tmp_path, "sentiment", [*records, *again[:3]])
    assert (few["dropped"]["repeated"], few["dropped"]["contradicting"]) == (3, 3)
    assert any("3 of the 3 texts that stand several times" in said for said in few["warnings"])
    spaced = [{**one, "text": "  " + one["text"].replace(" ", "   ")} for one in again[:30]]
    with pytest.raises(DataError, match=r"30 of the 30 texts that stand several times.*first: rows 1 and 61"):
        prepared(tmp_path, "sentiment", [*records, *spaced])
    same = prepared(tmp_path, "sentiment", [*records, *records[:30], *again[30:35]])
    assert (same["dropped"]["repeated"], same["dropped"]["contradicting"]) == (35, 5)


def test_equal_numbers_with_another_outcome_are_no_contradiction() -> None:
    rows = make(20)
    table_only = dataclasses.replace(rows, inputs=Inputs(owner=rows.inputs.owner, table=np.zeros((20, 2))))
    assert contradictions(toy(table_only), table_only) == ([], [], 0)


def test_an_output_without_a_row_refuses_unless_it_is_declared(tmp_path: Path) -> None:
    records = sentences(labels=("negative", "positive"))
    with pytest.raises(DataError, match=r"no row of sentiment is 'neutral'.*tasks.sentiment.absent = ..neutral.."):
        prepared(tmp_path, "sentiment", records)
    card = prepared(tmp_path, "sentiment", records, absent=["neutral"])
    assert card["absent"] == ["neutral"]
    with pytest.raises(DataError, match="absent names 'neutral', and rows have it"):
        prepared(tmp_path, "sentiment", sentences(), absent=["neutral"])
    with pytest.raises(DataError, match="absent names 'neural', which is no output"):
        prepared(tmp_path, "sentiment", records, absent=["neural"])
    clauses = [
        {"text": f"We may close account {n} at any time.", "target": ["termination"] if n % 2 else []}
        for n in range(40)
    ]
    with pytest.raises(DataError, match="no row of compliance is 'arbitration' or 'change'"):
        prepared(tmp_path, "compliance", clauses)


def test_few_rows_of_an_output_and_validation_of_one_class_are_said() -> None:
    rows = make(60, split=np.array(["train"] * 30 + ["valid"] * 15 + ["test"] * 15))
    target = rows.target.copy()
    target[30:45] = 0.0
    target[:30][rows.target[:30] == 2] = 1.0
    said = odd_labels(toy(rows), dataclasses.replace(rows, target=target))
    assert any("15 validation rows are all of one class" in one for one in said)
    assert any("only 5 rows are 'c'" in one for one in said)
    assert any("no valid row is 'b'" in one for one in said)
    assert odd_labels(toy(rows), make(60, split=rows.split)) == []


def test_groups_that_are_most_rows_or_stand_in_several_splits_and_time_that_runs_backwards_are_said() -> None:
    split = np.array(["train", "test"] * 30)
    rows = make(60, group=np.array(["a"] * 40 + ["b"] * 10 + [""] * 10), split=split)
    said = odd_groups(rows, "random")
    assert said[0] == "the group 'a' holds 40 of 60 rows"
    assert said[1].startswith("10 of 60 rows have no group")
    assert said[2] == "2 of 2 groups stand in several splits (first: 'a')"
    assert len(odd_groups(rows, "time")) == 2  # one series lies in several parts of time
    assert odd_groups(make(60), "random") == []
    assert odd_times(rows.take(np.arange(60)[::-1].copy())) != []
    assert odd_times(rows) == []


def test_test_texts_that_nearly_repeat_training_texts_are_counted() -> None:
    text = tuple(f"the same nine words in each text but number {n}" for n in range(20))
    inputs = Inputs(owner=np.arange(20), text=text)
    rows: Rows = make(20, inputs=inputs, split=np.array(["train"] * 15 + ["test"] * 5))
    assert near_copies(rows)[0].startswith("5 of 5 test texts share more than half of their words")
    apart = dataclasses.replace(rows, inputs=Inputs(owner=np.arange(20), text=tuple(map(str, range(20)))))
    assert near_copies(apart) == []


# -- windows of prices


def path(seed: int, count: int = 700) -> list[float]:
    draws, price, found = random.Random(seed), 100.0, []
    for _ in range(count):
        price *= math.exp(draws.gauss(0, 0.012))
        found.append(round(price, 4))
    return found


def windows(prices: list[float], label: float = 0.2, backwards: bool = False) -> list[dict[str, Any]]:
    return [
        {
            "prices": prices[at : at + 65][:: -1 if backwards else 1],
            "target": label + at % 7 / 100,
            "time": (date(2010, 1, 1) + timedelta(days=at)).isoformat(),
        }
        for at in range(0, 600, 10)
    ]


def warnings_of(tmp_path: Path, task: str, records: Sequence[dict[str, Any]]) -> list[str]:
    found = reading(tasks.get(task), opened(file_of(tmp_path, records), FileSection()), {}, FileSection())
    if found.errors:
        raise found.errors[0]
    return [said for said in found.warnings if "by its name" not in said]


@pytest.mark.parametrize("ratio", [1 / 4, 1 / 2, 1 / 3, 10.0, 2.0])
def test_a_jump_of_a_whole_ratio_in_one_price_alone_is_named_as_an_unadjusted_split(
    tmp_path: Path, ratio: float
) -> None:
    prices = [price if at < 300 else price * ratio for at, price in enumerate(path(5))]
    said = warnings_of(tmp_path, "volatility", windows(prices))
    shown = f"{ratio:.0f}" if ratio > 1 else f"1/{1 / ratio:.0f}"
    assert len(said) == 1
    assert f"one price alone becomes {shown} times" in said[0]
    assert warnings_of(tmp_path, "volatility", windows(path(5))) == []


def test_a_day_on_which_all_prices_move_is_no_split(tmp_path: Path) -> None:
    def both(first: list[float], second: list[float]) -> list[dict[str, Any]]:
        return [
            {**one, "assets": {"A": one.pop("prices"), "B": other["prices"]}, "target": [0.01, 0.02]}
            for one, other in zip(windows(first), windows(second), strict=True)
        ]

    crashed = [[price if at < 300 else price / 2 for at, price in enumerate(path(seed))] for seed in (7, 8)]
    assert warnings_of(tmp_path, "portfolio", both(*crashed)) == []
    assert "1/2 times" in warnings_of(tmp_path, "portfolio", both(crashed[0], path(8)))[0]


def test_prices_that_stand_newest_first_are_refused_where_overlap_and_times_show_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"prices stand newest first \(59 of 59 windows"):
        warnings_of(tmp_path, "volatility", windows(path(5), backwards=True))
    assert warnings_of(tmp_path, "volatility", windows(path(5))[::-1]) == []  # the rows' order says nothing


def test_labels_in_per_cent_are_refused_one_by_one_or_by_their_usual_size(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"row 1: label 19.0 is a volatility of 1900%: give it as a fraction"):
        warnings_of(tmp_path, "volatility", windows(path(5), label=19.0))
    with pytest.raises(DataError, match=r"half of the labels are above 3.*as a volatility is 303%"):
        warnings_of(tmp_path, "volatility", windows(path(5), label=3.0))
    records = [
        {"assets": {"A": one["prices"], "B": one["prices"]}, "target": [1.5, -0.8], "time": one["time"]}
        for one in windows(path(7))
    ]
    with pytest.raises(DataError, match=r"half of the labels are above 1.15.*as a return is 115%"):
        warnings_of(tmp_path, "portfolio", records)


def test_units_of_timestamps_are_said(tmp_path: Path) -> None:
    records = [
        {
            "values": [math.sin(k / 5) + n for k in range(64)],
            "timestamps": [(1_700_000_000 + 60 * k) * (1000 if n % 2 else 1) for k in range(64)],
            "target": n % 2,
        }
        for n in range(10)
    ]
    said = warnings_of(tmp_path, "anomaly", records)
    assert "the timestamps of 5 rows are numbers, read as milliseconds since 1970" in said
    assert "the rows count their times in different units" in said
