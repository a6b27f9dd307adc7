"""A task declared in a task.toml is the same record that a coded one is, and a mistake in it is told with its cure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import tasks
from tasks.data.check import deduplicated
from tasks.data.columns import read_file
from tasks.data.doubts import equal_rows
from tasks.data.reasons import shown
from tasks.task import Task
from tests.tasks.toys import LOANS  # type: ignore[import-not-found]

Declare = Callable[[str], Task]


def cells(**changed: list[str]) -> dict[str, list[str]]:
    held = {"amount": ["100 EUR", "250"], "job": ["office", "n/a"], "owner": ["OWN", "RENT"]}
    return held | {"opened": ["2019-01-01", "2020-07-01"], "time": ["2020-01-01", "2021-01-01"]} | changed


def test_a_declared_task_reads_columns_and_requests_the_same_way(declare: Declare) -> None:
    task = declare(LOANS)
    assert task.columns is not None
    read = task.columns(cells(), True)
    items = [
        task.item(amount=100, job="office", owner=True, opened=dt.date(2019, 1, 1), day=dt.date(2020, 1, 1)),
        task.item(amount=250, job=None, owner=False, opened=dt.date(2020, 7, 1), day=dt.date(2021, 1, 1)),
    ]
    asked = task.encode(items)
    assert read.inputs.table is not None
    assert asked.table is not None
    np.testing.assert_array_equal(read.inputs.table, asked.table)
    assert read.inputs.table[1, 0] == 250
    assert np.isnan(read.inputs.table[1, 1]), "what is missing stays missing"
    np.testing.assert_allclose(read.inputs.table[:, 3], [365 / 365.25, 184 / 365.25])
    assert [feature.name for feature in task.features] == ["amount", "job", "owner", "opened age", "opened month"]
    assert task.features[0].sign == 1
    assert task.features[1].levels == ("office", "other")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"amount": ["100", "x"]}, "amount = 'x' is no number: correct it, or add the word to fields.amount.missing"),
        ({"amount": ["100", "1e400"]}, "amount = '1e400' is no number"),
        ({"amount": ["100", "-1"]}, "amount = '-1' is outside 0 to 1e+06: correct it, or widen fields.amount.range"),
        ({"amount": ["100", ""]}, 'amount is empty: fill it, or declare fields.amount.missing = [""]'),
        ({"job": ["office", "cook"]}, "job = 'cook' is none of office, other"),
        ({"owner": ["OWN", "LEASE"]}, "owner = 'LEASE' is neither yes nor no"),
        ({"opened": ["2019-01-01", "20190101000000"]}, "opened = '20190101000000' is no date"),
        ({"opened": ["2019-01-01", "9999-99-99"]}, "opened = '9999-99-99' is no date"),
    ],
)
def test_a_cell_that_cannot_be_read_is_named_with_its_field_value_and_cure(
    declare: Declare, changed: dict[str, list[str]], sentence: str
) -> None:
    task = declare(LOANS)
    assert task.columns is not None
    read = task.columns(cells(**changed), True)
    assert list(read.wrong) == [1]
    assert read.wrong[1].startswith(sentence)
    assert read.kept.tolist() == [0]


def test_what_is_kept_aside_is_no_field_of_a_request_and_is_read_for_the_fairness_table(declare: Declare) -> None:
    task = declare(LOANS)
    assert task.columns is not None
    read = task.columns(cells(sex=["f", ""]), True)
    assert read.protected == {"sex": ["f", "not stated"]}
    assert not any("sex" in feature.name for feature in task.features)
    with pytest.raises(ValidationError, match="sex"):
        task.item(amount=1, job="office", owner=True, opened="2019-01-01", day="2020-01-01", sex="f")


def test_the_recipe_takes_the_columns_from_the_declaration(declare: Declare) -> None:
    columns = declare(LOANS).section(source="x.csv").columns
    assert columns["target"] == "BAD"
    assert columns["group"] == "Branch No"
    assert columns["time"] == columns["day"] == "day"
    assert columns["sex"] == "sex"


@pytest.mark.parametrize(
    ("value", "label"),
    [("1", 1.0), ("0.0", 0.0), (True, 1.0), ("Charged Off", 1.0), (" fully paid ", 0.0), ("default", 1.0)],
)
def test_the_words_of_the_file_are_read_as_the_head_says(declare: Declare, value: object, label: float) -> None:
    text = LOANS.replace('"charged off"]', '"charged off", "true"]')
    assert declare(text).target(value) == (label,)


def test_a_word_that_no_output_has_is_refused(declare: Declare) -> None:
    with pytest.raises(ValueError, match="label 'late' is none of 1, charged off, 0, fully paid, default, paid"):
        declare(LOANS).target("late")


def test_a_task_that_is_like_a_shipped_one_takes_over_its_classical_pair_and_metric(declare: Declare) -> None:
    risk, task = tasks.get("risk"), declare(LOANS.replace('summary = "loans"', 'summary = "loans"\nlike = "risk"'))
    assert task.classical.name == risk.classical.name
    assert task.baseline is not None
    assert risk.baseline is not None
    assert task.baseline.name == risk.baseline.name
    whole = declare('summary = "our prices"\nlike = "volatility"')
    assert whole.head == tasks.get("volatility").head
    assert (whole.name, whole.summary) == ("loans", "our prices")


def test_an_edit_of_the_declaration_changes_the_digest_that_versions_name(declare: Declare) -> None:
    first, second = declare(LOANS), declare(LOANS.replace("sign = 1", "sign = -1"))
    assert first.declaration
    assert second.declaration
    assert first.declaration != second.declaration
    assert tasks.get("risk").declaration is None


def test_a_coded_task_may_stand_in_the_users_folder_and_none_may_bear_the_name_of_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ASSAY_TASKS", str(tmp_path))
    code = "from dataclasses import replace\nfrom tasks.risk.task import TASK as RISK\nTASK = replace(RISK, summary='ours')\n"
    for name in ("ours_coded", "risk"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "task.py").write_text(code, encoding="utf-8")
    assert tasks.get("ours_coded").summary == "ours"
    with pytest.raises(tasks.BrokenTask, match="bears a name that stands in tasks/ already; rename it"):
        tasks.get("risk")


def test_a_folder_of_tasks_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ASSAY_TASKS", str(tmp_path / "nowhere"))
    with pytest.raises(tasks.BrokenTask, match=r"ASSAY_TASKS = .* is no folder; make it, or unset ASSAY_TASKS"):
        tasks.names()


def test_the_folder_of_tasks_is_found_where_it_was_shipped_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "there" / "mine" / "loans").mkdir(parents=True)
    (tmp_path / "there" / "mine" / "loans" / "task.toml").write_text(LOANS, encoding="utf-8")
    monkeypatch.setenv("ASSAY_TASKS", "/nowhere/mine")
    monkeypatch.syspath_prepend(str(tmp_path / "there"))
    assert tasks.get("loans").summary == "loans"


def test_two_cases_that_are_alike_are_both_kept_and_told_and_the_same_id_is_one_case(
    declare: Declare, tmp_path: Path
) -> None:
    task = declare(COARSE)
    rows = "no,owner,BAD\n" + "".join(f"{n % 50},{'OWN' if n % 2 else 'RENT'},{n % 3 % 2}\n" for n in range(60))
    (tmp_path / "coarse.csv").write_text(rows, encoding="utf-8")
    read = read_file(task, str(tmp_path / "coarse.csv"), task.section(source="x").columns)
    assert len(deduplicated(read)) == 60
    assert equal_rows(read)[0].startswith("58 of 60 rows equal another in every input, and are kept")
    named = read_file(task, str(tmp_path / "coarse.csv"), {**task.section(source="x").columns, "id": "no"})
    assert len(deduplicated(named)) == 50


COARSE = LOANS[: LOANS.index("[fields.amount]")] + '[fields.owner]\ntype = "flag"\nwords = ["RENT", "OWN"]\n'
TEXTS = """
summary = "letters"
[head]
kind = "classify"
outputs = ["fees", "fraud", "other"]
column = "kind"
[fields.letter]
type = "text"
[fields.subject]
type = "text"
missing = [""]
"""


def test_texts_of_several_fields_are_one_text_a_row_each_under_its_name(declare: Declare) -> None:
    task = declare(TEXTS)
    assert task.columns is not None
    assert task.reads == ("text",)
    read = task.columns({"letter": ["A fee.", "Lost card."], "subject": ["", "Help"]}, True)
    assert read.inputs.text == ("letter: A fee.", "letter: Lost card.\nsubject: Help")
    assert task.target("Fraud") == (1.0,)
    assert task.metric.name == "weighted_f1"


def test_a_series_is_read_by_its_last_values_and_a_shorter_one_is_refused(declare: Declare) -> None:
    task = declare(
        'summary = "s"\n[head]\nkind = "regress"\noutputs = ["y"]\n[fields.path]\ntype = "series"\nlength = 3\n'
    )
    assert task.columns is not None
    read = task.columns({"path": ["[9, 1, 2, 3]", "[1, 2]"]}, True)
    assert read.inputs.series is not None
    assert read.inputs.table is not None
    assert read.inputs.table[0].tolist() == pytest.approx([2.0, np.std([1, 2, 3]), 3.0])
    assert read.inputs.series[0, 0].tolist() == pytest.approx([-1.2247, 0.0, 1.2247], abs=1e-3)
    assert read.wrong[1] == (
        "path = '[1, 2]' is no list of at least 3 numbers: correct it, or lower fields.path.length"
    )


LIST = """
version = "1"
adverse = "low"
fixed = ["opened"]
[codes.amount]
code = "L1"
text = "The amount counted against you."
[codes.job]
code = "L2"
text = "Your job counted against you."
[codes.owner]
code = "L3"
text = "Your housing counted against you."
[codes.opened]
code = "L4"
text = "The age of your account counted against you."
"""


def test_a_list_of_reasons_beside_a_declaration_joins_the_answer_and_its_mistakes_are_told(
    declare: Declare, tmp_path: Path
) -> None:
    assert "reasons" not in declare(LOANS).answer.model_fields
    (tmp_path / "loans" / "reasons.toml").write_text(LIST, encoding="utf-8")
    task = declare(LOANS)
    assert task.reasons.sign == -1.0
    assert task.answer(probability_of_default=0.2).reasons is None
    row = np.array([100.0, np.nan, 1.0, 2.5, 3.0])
    assert shown(task, "amount", row) == {"amount": 100}
    assert shown(task, "job", row) == {}, "what is missing is shown by nobody"
    assert shown(task, "opened", row) == {"opened age": 2.5, "opened month": 3}
    (tmp_path / "loans" / "reasons.toml").write_text(LIST.replace("[codes.job]", "[codes.jobs]"), encoding="utf-8")
    with pytest.raises(tasks.BrokenTask, match="no code for job"):
        declare(LOANS)
