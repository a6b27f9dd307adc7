"""Synthetic rows keep what a class looks like, are nobody's row, and say for ever what they are."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tasks import get
from tasks.data.examine import asked_of, examine
from tasks.data.parquet import save_rows
from tasks.privacy.synthesise import judged, synthesised
from tasks.task import DataError, Place, Rows


@pytest.fixture(scope="module")
def credit() -> Rows:
    rows = get("risk").sources["embedded"].read(Place(None, 7))
    draw = np.random.default_rng(5).random(len(rows))
    return dataclasses.replace(rows, split=np.where(draw < 0.8, "train", "test").astype("U5"))


@pytest.fixture(scope="module")
def made(credit: Rows) -> Rows:
    return synthesised(get("risk"), credit.take(np.flatnonzero(credit.split == "train")), 7)


def test_classes_keep_their_shares_and_categories_one_word_each(credit: Rows, made: Rows) -> None:
    task, train = get("risk"), credit.split == "train"
    assert abs(made.target.mean() - credit.target[train].mean()) < 0.01
    table = made.inputs.table
    purpose = [at for at, feature in enumerate(task.features) if feature.name.startswith("purpose=")]
    assert (table[:, purpose].sum(axis=1) == 1).all()
    for at, feature in enumerate(task.features):
        assert set(np.unique(table[:, at])) <= set(np.unique(credit.inputs.table[train, at])), feature.name
    assert made.inputs.text[0].startswith("Loan of ")


def test_no_row_is_a_real_one_and_they_are_as_far_from_real_ones_as_unseen_people(credit: Rows, made: Rows) -> None:
    told = judged(get("risk"), made, credit, 7)
    assert told["copies"] == 0
    assert told["nearest"] >= 0.9 * told["nearest_unseen"]
    assert told["auc"] > 0.65


def test_the_same_seed_gives_the_same_rows(credit: Rows, made: Rows) -> None:
    again = synthesised(get("risk"), credit.take(np.flatnonzero(credit.split == "train")), 7)
    assert np.array_equal(again.inputs.table, made.inputs.table)


def test_a_file_of_synthetic_rows_is_a_source_and_its_card_says_so(made: Rows, tmp_path: Path) -> None:
    file = tmp_path / "risk.synthetic.parquet"
    save_rows(made, file, {"synthetic": "f" * 64, "licence": "CC BY 4.0"})
    found = examine(asked_of(get("risk"), {"source": str(file)}, {}, 7, {}))
    assert found.mistakes == []
    assert (found.card["synthetic"], found.card["like"], found.card["licence"]) == (True, "f" * 64, "CC BY 4.0")


def test_rows_of_free_text_are_refused_with_the_cure() -> None:
    rows = get("sentiment").sources["embedded"].read(Place(None, 7))
    with pytest.raises(DataError, match="grammar of a shipped text task"):
        synthesised(get("sentiment"), rows, 7)
