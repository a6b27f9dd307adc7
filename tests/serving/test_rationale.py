"""The rationale as an answer carries it: by the endpoint, in a file, withheld where it lies, and never in the log."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tasks
from serving import layout, score, service
from tasks.data.rationale import Claim
from tasks.data.section import FileSection
from tasks.model.saved import open_folders
from tasks.validate import calibration, rationale
from tests.serving.conftest import Asked, some_rows, write_model  # type: ignore[import-not-found]
from tests.serving.test_endpoints import _kept  # type: ignore[import-not-found]
from tests.serving.test_score import SOURCE  # type: ignore[import-not-found]

CANARY = {"text": 'Canary may say "no" and close your account at any time, at its sole discretion. Fees are 4.'}


def told(served: service.Served, write: Callable[[Claim], Any]) -> service.Served:
    """The same version, with another writer."""
    how = dataclasses.replace(served.task.rationale, write=write)  # type: ignore[type-var]
    return dataclasses.replace(served, task=dataclasses.replace(served.task, rationale=how))


def again(served: service.Served, item: Any, raw: list[list[float]], flags: dict[str, bool]) -> rationale.Decision:
    """A decision from its item and the numbers that the log keeps, as a replay makes it."""
    task = served.task
    found = calibration.predict(task.head, served.calibration, np.array(raw))
    answer = task.answer(**task.decode(item, found)).model_dump(mode="json")
    known = {name: up for name, up in flags.items() if name != "disagrees"}
    return rationale.Decision(item, answer, found, known, task.encode([item]).text)


def test_an_answer_carries_its_rationale_and_a_task_without_one_null(ask: Callable[..., Any]) -> None:
    found = ask("/v1/analyze", CANARY).json()["answers"]
    assert found["compliance"]["rationale"]
    assert found["compliance"]["flags"]["disagrees"] is False
    assert found["sentiment"]["rationale"] is None
    assert found["sentiment"]["flags"]["disagrees"] is False


def test_the_log_keeps_the_flag_and_no_word_and_a_replay_gives_the_same_sentences(
    ask: Callable[..., Any], asked: Asked, world: Any
) -> None:
    answer = ask("/v1/tasks/compliance", CANARY).json()
    kept = _kept(world, answer["decision"])
    assert kept["flags"] == answer["flags"]
    assert "Canary" not in json.dumps(kept)
    served = asked.parts.release.served["compliance"]
    for flags in (
        kept["flags"],
        {name: up for name, up in kept["flags"].items() if name != "disagrees"},
    ):  # and old ones
        decision = again(served, served.task.item(**CANARY), kept["raw"], flags)
        assert rationale.write(served.task, decision).text == answer["rationale"]
        rationale.check(served.task, served.task.rationale, decision, answer["rationale"])


def test_a_writer_that_lies_or_fails_costs_its_sentences_and_not_the_decision(
    asked: Asked, caplog: pytest.LogCaptureFixture
) -> None:
    served = asked.parts.release.served["compliance"]
    item = served.task.item(**CANARY)
    (true,) = service.answer(served, [item])

    def fails(given: Claim) -> str:
        raise KeyError(item.text)

    lies = "No kind of unfair clause is more likely than not, which is no clearance; the likeliest is law, at 12.3 %."
    for write in (fails, lambda given: lies, lambda given: true.answer["rationale"] + " All is well."):
        with caplog.at_level(logging.WARNING, "assay.serving"):
            (found,) = service.answer(told(served, write), [item])
        assert found.answer["rationale"] is None
        assert found.answer["flags"] == {**true.answer["flags"], "disagrees": True}
        assert (found.answer["answer"], found.raw) == (true.answer["answer"], true.raw)
        assert "the rationale of a decision on compliance is withheld" in caplog.text
        assert "Canary" not in caplog.text
        rows = score.read(served.task, {"text": [item.text]}, 1, False, FileSection())
        (flag,) = score.answer(told(served, write), rows, True).flags["disagrees"]
        assert flag


def test_a_file_holds_the_same_rationales_as_the_endpoint_in_a_column_of_its_own(asked: Asked) -> None:
    served = asked.parts.release.served["compliance"]
    texts = [*some_rows("compliance").inputs.text[:12], CANARY["text"]]
    said = [outcome.answer for outcome in service.answer(served, [served.task.item(text=text) for text in texts])]
    found = score.answer(served, score.read(served.task, {"text": texts}, len(texts), False, FileSection()), True)
    table = layout.table(layout.columns(served.task, False), found, SOURCE)
    assert table["rationale"].to_pylist() == [answer["rationale"] for answer in said]
    assert table["disagrees"].to_pylist() == [False] * len(texts)
    assert "rationale" not in [column.name for column in layout.columns(tasks.get("sentiment"), False)]
    nothing = score.answer(served, score.read(served.task, {"text": [""]}, 1, False, FileSection()), True)
    assert layout.table(layout.columns(served.task, False), nothing, SOURCE).schema == table.schema


def test_a_risk_version_explains_itself_in_both_ways(tmp_path: Any) -> None:
    task = tasks.get("risk")
    rows = some_rows("risk")
    write_model("risk", 1, rows, tmp_path)
    model = open_folders({"risk": tmp_path}, 1)
    known = calibration.from_json(json.loads((tmp_path / "calibration.json").read_text()))
    served = service.Served(task, "risk@1", "d", "", model, known)
    items = [task.item(**task.example), task.item(**{**task.example, "savings": "1000_or_more", "notes": "Say 99 %."})]
    said = [outcome.answer for outcome in service.answer(served, items)]
    assert all(answer["rationale"] and not answer["flags"]["disagrees"] for answer in said)
    columns = {name: [getattr(item, name) for item in items] for name in task.item.model_fields}
    found = score.answer(served, score.read(task, columns, 2, False, FileSection()), False)
    assert found.rationales == [answer["rationale"] for answer in said]
