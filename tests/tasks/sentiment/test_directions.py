"""Which way things went, in sentences of our own."""

from __future__ import annotations

import numpy as np
import pytest

import tasks
from tasks.classical.bag_of_words import ExtraTokens, tfidf_logistic
from tasks.sentiment.directions import lexicon, marks
from tasks.task import Inputs


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Fuel costs fell.", {"down", "costs_down"}),
        ("Sales of the bakery fell.", {"down", "sales_down"}),
        ("A drop in earnings hurt the brewery.", {"down", "profit_down", "bad"}),
        ("Turnover did not rise.", {"not_up", "sales_not_up"}),
        ("Profit grew while costs shrank.", {"up", "profit_up", "down", "costs_down"}),
        ("The ferry carries up to 300 cars.", set()),
        ("Halden Foods is not profitable.", {"not_good"}),
        ("The harbour office moved to Main Street.", set()),
        ("", set()),
    ],
)
def test_a_direction_takes_the_nearest_thing_that_can_move(text: str, found: set[str]) -> None:
    assert set(marks(text)) == found


def test_the_lexicon_names_known_groups_alone_and_no_word_goes_both_ways() -> None:
    groups = {group for held in lexicon().values() for group in held}
    things = {"profit", "loss", "sales", "costs", "shares", "stake", "staff", "market"}
    assert groups == {"up", "down", "good", "bad", "not"} | things
    assert [word for word, held in lexicon().items() if {"up", "down"} <= {*held} or {"good", "bad"} <= {*held}] == []


def test_marks_speak_for_words_that_training_never_held() -> None:
    rows = ["Sales rose", "Revenue grew", "Orders increased", "Sales fell", "Revenue shrank", "Orders decreased"] * 3
    target = np.array([2.0, 2.0, 2.0, 0.0, 0.0, 0.0] * 3)[:, None]
    unseen = Inputs(owner=np.arange(2), text=("Deliveries soared", "Deliveries slumped"))
    classical = tasks.get("sentiment").classical
    state = classical.fit(Inputs(owner=np.arange(len(rows)), text=tuple(rows)), target)
    assert classical.raw(state, unseen).argmax(axis=1).tolist() == [2, 0]


def test_a_part_without_any_mark_still_answers() -> None:
    rows = Inputs(owner=np.arange(4), text=("blue", "red", "blue door", "red door"))
    plain = tfidf_logistic(tasks.get("sentiment").head, extra=ExtraTokens(lambda text: [], size=0.5))
    state = plain.fit(rows, np.array([[0.0], [2.0], [0.0], [2.0]]))
    assert state["marks"] == []
    assert plain.raw(state, rows).argmax(axis=1).tolist() == [0, 2, 0, 2]
