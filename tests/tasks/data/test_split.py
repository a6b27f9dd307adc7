"""Splits: what is given is kept, nothing leaks, and the seed decides the rest."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.data.section import Splits
from tasks.data.split import NAMES, How, SplitError, divide
from tasks.task import UNDATED, Inputs, Rows


def make(count: int = 200, per_item: int = 1, groups: int = 0, classes: int = 2, split: str = "") -> Rows:
    random = np.random.default_rng(count + groups)
    owner = np.arange(count) // per_item
    day = np.datetime64("2020-01-01", "us") + owner.astype("timedelta64[D]")
    group = np.array([f"g{i % groups}" if groups else "" for i in owner.tolist()])
    return Rows(
        ids=tuple(str(i) for i in range(count)),
        inputs=Inputs(owner=owner, table=random.normal(size=(count, 2))),
        target=random.integers(0, classes, (count, 1)).astype(np.float64),
        time=day,
        known=day + np.timedelta64(1, "D"),
        group=group,
        split=np.full(count, split, dtype="U5"),
    )


def parts(rows: Rows) -> dict[str, set[str]]:
    return {name: {rows.ids[i] for i in np.flatnonzero(rows.split == name)} for name in NAMES}


@settings(max_examples=40, deadline=None)
@given(
    how=st.sampled_from(["time", "group", "random"]),
    groups=st.sampled_from([0, 7, 40]),
    per_item=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_no_item_and_no_group_stands_on_two_sides(how: How, groups: int, per_item: int, seed: int) -> None:
    divided = divide(make(240, per_item, groups), how, Splits(), seed=seed)
    for keys in (divided.inputs.owner, divided.group) if how != "time" and groups else (divided.inputs.owner,):
        for key in np.unique(keys):
            assert len(set(divided.split[keys == key].tolist())) == 1
    assert all(parts(divided).values())


def test_a_cut_in_time_walks_forward_and_purges_what_reaches_over_it() -> None:
    rows = make(300)
    divided = divide(rows, "time", Splits(valid=0.2, test=0.2), purge_days=10)
    times = {name: divided.time[divided.split == name] for name in NAMES}
    assert times["train"].max() + np.timedelta64(10, "D") < times["valid"].min()
    assert times["valid"].max() + np.timedelta64(10, "D") < times["test"].min()
    assert len(times["test"]) == 60
    assert len(rows) - len(divided) == 20  # ten days before each of two cuts


def test_a_row_that_is_known_only_after_the_cut_is_not_learned_from() -> None:
    rows = make(300)
    late = dataclasses.replace(rows, known=rows.time + np.timedelta64(30, "D"))
    divided = divide(late, "time", Splits())
    first = {name: divided.time[divided.split == name].min() for name in ("valid", "test")}
    assert divided.known[divided.split == "train"].max() < first["valid"]
    assert divided.known[divided.split == "valid"].max() < first["test"]


def test_the_recipe_may_purge_more_or_less_than_the_task_says() -> None:
    divided = divide(make(300), "time", Splits(purge_days=0), purge_days=50)
    assert 300 - len(divided) <= 2  # only the days whose knowledge comes on the day of the cut


@pytest.mark.parametrize("how", ["time", "group", "random"])
def test_a_given_test_split_stays_and_validation_comes_out_of_training_alone(how: How) -> None:
    rows = make(200, groups=20)
    published = np.where(np.arange(200) >= 150, "test", "train")
    divided = divide(dataclasses.replace(rows, split=published), how, Splits(valid=0.2), seed=3)
    assert parts(divided)["test"] == {str(i) for i in range(150, 200)}
    assert parts(divided)["valid"] | parts(divided)["train"] <= {str(i) for i in range(150)}
    assert 15 <= len(parts(divided)["valid"]) <= 45


def test_three_given_splits_are_left_alone() -> None:
    published = np.array(["train", "valid", "test", "train"] * 50)
    divided = divide(dataclasses.replace(make(200), split=published), "time", Splits(), purge_days=99)
    assert divided.split.tolist() == published.tolist()


def test_rare_labels_reach_every_split_and_keep_their_share() -> None:
    rows = make(400)
    rare = dataclasses.replace(rows, target=(np.arange(400) % 20 == 0).astype(np.float64)[:, None])
    divided = divide(rare, "random", Splits(valid=0.2, test=0.2), seed=5)
    shares = [float(divided.target[divided.split == name].mean()) for name in NAMES]
    assert shares == pytest.approx([0.05] * 3, abs=0.015)
    assert sum(divided.split == "test") == pytest.approx(80, abs=4)


def test_the_seed_fixes_the_split_and_another_seed_gives_another() -> None:
    rows = make(200, groups=40)
    assert parts(divide(rows, "group", Splits(), seed=1)) == parts(divide(rows, "group", Splits(), seed=1))
    assert parts(divide(rows, "group", Splits(), seed=1)) != parts(divide(rows, "group", Splits(), seed=2))


def test_what_cannot_be_divided_is_refused_with_the_cure() -> None:
    with pytest.raises(SplitError, match=r"split 'dev' is none of train, valid, test"):
        divide(make(split="dev"), "random", Splits())
    half = dataclasses.replace(make(10), split=np.array(["train"] * 5 + [""] * 5))
    with pytest.raises(SplitError, match="5 of 10 rows have no split"):
        divide(half, "random", Splits())
    with pytest.raises(SplitError, match="needs at least 3: map a finer `group` column"):
        divide(make(groups=2), "group", Splits())
    with pytest.raises(SplitError, match=r"1 different times.*map a `time` column"):
        divide(dataclasses.replace(make(), time=np.full(200, np.datetime64("1970-01-01", "us"))), "time", Splits())
    with pytest.raises(SplitError, match="no row is left for train"):
        divide(make(100), "time", Splits(), purge_days=400)


@pytest.mark.parametrize("groups", [0, 27_500])
def test_many_entities_are_cut_in_balance_and_none_is_torn_apart(groups: int) -> None:
    rows = make(30_000, groups=groups, classes=3)
    divided = divide(rows, "random", Splits(), seed=3)
    whole = np.bincount(rows.target[:, 0].astype(int)) / len(rows)
    for name, share in (("test", Splits().test), ("valid", Splits().valid)):
        held = divided.split == name
        assert held.sum() == pytest.approx(share * len(rows), abs=12)
        assert np.bincount(divided.target[held, 0].astype(int)) / held.sum() == pytest.approx(whole, abs=0.01)
    if groups:
        assert len(set(zip(divided.group.tolist(), divided.split.tolist(), strict=True))) == groups
    assert parts(divided) == parts(divide(rows, "random", Splits(), seed=3))
    assert parts(divided) != parts(divide(rows, "random", Splits(), seed=4))


def test_rows_of_numbers_that_are_alike_in_all_inputs_stand_on_one_side() -> None:
    table = np.random.default_rng(1).normal(size=(200, 3))
    table[::5] = table[0]
    table[::5, 1] = np.nan
    when = np.full(200, UNDATED)
    none = np.full(200, "", dtype="U1")
    target = np.arange(200)[:, None] % 2.0
    ids = tuple(map(str, range(200)))
    rows = Rows(ids, Inputs(np.arange(200), table=table), target, when, when, none, none)
    divided = divide(rows, "random", Splits())
    assert len({*divided.split[::5].tolist()}) == 1
    assert {*divided.split.tolist()} == {"train", "valid", "test"}
    assert {*divided.group.tolist()} == {""}
