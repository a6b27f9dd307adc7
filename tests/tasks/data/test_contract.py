"""What a task declares of its rows is held against them: share missing, freshness, uniqueness."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tasks.data.examine import Examined, asked_of, examine
from tasks.task import Task

DECLARED = """
summary = "loans"
fresh_days = 30
[head]
kind = "score"
outputs = ["default"]
column = "bad"
[head.words]
default = [1]
paid = [0]
[fields.number]
type = "text"
use = "id"
unique = true
[fields.day]
type = "date"
use = "time"
[fields.amount]
type = "number"
missing = [""]
most_missing = 0.1
"""


def found(task: Task, path: Path, as_of: str) -> Examined:
    return examine(asked_of(task, {"source": str(path)}, {"as_of": as_of}, 7, {}))


def rows(path: Path, *, empty: int = 0) -> Path:
    lines = [f"a{n},2024-01-{n % 28 + 1:02d},{'' if n < empty else n},{n % 2}" for n in range(60)]
    path.write_text("number,day,amount,bad\n" + "\n".join(lines) + "\n")
    return path


def test_what_was_promised_and_is_kept_stands_in_the_card(declare: Callable[[str], Task], tmp_path: Path) -> None:
    told = found(declare(DECLARED), rows(tmp_path / "a.csv", empty=3), "2024-02-10")
    assert told.mistakes == []
    assert told.card["contract"]["missing"] == {"amount": 0.05}
    assert told.card["contract"]["unique"] == {"id": 0.0}
    assert told.card["contract"]["newest"].startswith("2024-01-28")


@pytest.mark.parametrize(
    ("shape", "day", "said"),
    [
        ({"empty": 12}, "2024-02-10", "amount of loans is missing in 20.0% of the rows, and at most 10.0%"),
        ({}, "2024-03-20", "the newest row of loans is 52 days old, and at most 30"),
    ],
)
def test_a_broken_promise_is_a_mistake_with_its_cure(
    declare: Callable[[str], Task], tmp_path: Path, shape: dict[str, int], day: str, said: str
) -> None:
    told = found(declare(DECLARED), rows(tmp_path / "a.csv", **shape), day)
    assert any(said in one for one in told.mistakes), told.mistakes


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('missing = [""]\n', "", "most_missing: only an input with `missing` words"),
        ('type = "date"\nuse = "time"', 'type = "date"\nuse = "ignore"', "fresh_days needs a field with use = 'time'"),
        (
            "unique = true\n[fields.day]",
            '[fields.sex]\ntype = "category"\nuse = "protected"\nunique = true\n[fields.day]',
            "may be unique",
        ),
    ],
)
def test_a_promise_that_cannot_be_held_is_refused(
    declare: Callable[[str], Task], old: str, new: str, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        declare(DECLARED.replace(old, new))
