"""A mistake in a task.toml is told with its key, its value and the cure, before anything is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import tasks
from tasks.task import Task
from tests.tasks.toys import LOANS  # type: ignore[import-not-found]

Declare = Callable[[str], Task]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('type = "number"', 'type = "money"', "fields.amount.type = 'money': Input should be 'number', 'whole'"),
        ("sign = 1", "sign = 2", "fields.amount.sign = 2"),
        ("sign = 1", "sings = 1", "fields.amount.sings = 1: no such key"),
        (
            "range = [0, 1000000]",
            "range = [9, 1]",
            "fields.amount.range = [9.0, 1.0]: the first must be below the second",
        ),
        (
            'words = ["office", "other"]',
            'words = ["office"]',
            "fields.job.words holds 1 words; a category needs at least two",
        ),
        ('use = "time"', 'use = "ignore"', "fields.opened.features holds 'age', which needs a field with use = 'time'"),
        ('use = "protected"', 'use = "group"', "fields sex and branch both have use = 'group'; one may"),
        ('paid = [0, "fully paid"]', "", "head.words names 0 opposites of 'default'; name one, with its words"),
        ('paid = [0, "fully paid"]', "paid = [1]", "head.words holds '1' twice; one word means one output"),
        (
            'outputs = ["default"]',
            'outputs = ["default", "paid"]',
            "head.outputs names 2 outputs; a head of kind score has one",
        ),
        (
            'summary = "loans"',
            'summary = "loans"\nmetric = "r2"',
            "metric = 'r2' does not judge a head of kind score; take auc",
        ),
        ('summary = "loans"', 'summary = "loans', "task.toml is not TOML in UTF-8"),
        ('summary = "loans"', 'summary = "loans"\nlike = "weather"', "there is no task 'weather'"),
    ],
)
def test_a_mistake_in_a_declaration_is_told_with_its_key_value_and_cure(
    declare: Declare, old: str, new: str, sentence: str
) -> None:
    assert old in LOANS
    with pytest.raises(tasks.BrokenTask) as told:
        declare(LOANS.replace(old, new, 1))
    assert sentence in str(told.value)
    assert str(told.value).endswith("mend it, or move the folder away")


@pytest.mark.parametrize(
    ("like", "sentence"),
    [
        ("sentiment", "like = 'sentiment' answers a head of kind classify, [head] is of kind score"),
        ("anomaly", "like = 'anomaly' has models of its own columns: leave [fields] out, or leave like out"),
    ],
)
def test_a_task_cannot_be_like_one_whose_models_do_not_fit(declare: Declare, like: str, sentence: str) -> None:
    with pytest.raises(tasks.BrokenTask) as told:
        declare(LOANS.replace('summary = "loans"', f'summary = "loans"\nlike = "{like}"'))
    assert sentence in str(told.value)


def test_a_task_of_numbers_cannot_be_like_one_that_reads_texts(declare: Declare) -> None:
    text = LOANS.replace('summary = "loans"', 'summary = "loans"\nlike = "sentiment"').replace('"score"', '"classify"')
    text = text.replace('outputs = ["default"]', 'outputs = ["default", "paid"]')
    with pytest.raises(tasks.BrokenTask, match="like = 'sentiment' reads a text, and no input is one"):
        declare(text)
