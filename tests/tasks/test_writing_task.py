"""The task that writes, through the stages: rows, training, judgement, report, one answer. A tiny decoder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tasks
from interpret.report import stage
from serving import layout, score, service
from tasks import digest
from tasks.data import program
from tasks.data.parquet import save_rows
from tasks.data.section import FileSection
from tasks.model import reading
from tasks.model.saved import open_folders
from tasks.task import Place, Rows
from tasks.train.loop import fit
from tasks.validate import calibration, evaluate, revalidate

NAME, COUNTS = "reasoning", {"train": 24, "valid": 8, "test": 10}


def few(side: str) -> Rows:
    rows = tasks.get(NAME).sources["embedded"].read(Place(root=None, seed=7))
    return rows.take(np.flatnonzero(rows.split == side)[: COUNTS[side]])


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A version as the flow leaves it, judged and explained."""
    folder = tmp_path_factory.mktemp("writing")
    paths = {side: str(folder / f"{side}.parquet") for side in COUNTS}
    for side, path in paths.items():
        save_rows(few(side), Path(path))
    model = folder / "models" / NAME
    fit(
        {
            "backbone": {"name": "tiny-llama"},
            "lora": {"layers": 1, "rank": 2},
            "train": {"epochs": 1, "threads": 1},
            "tasks": {NAME: {"section": {}, "train": paths["train"], "valid": paths["valid"]}},
            "out": str(folder / "models"),
        }
    )
    card = {"task": NAME, "source": "embedded", "fingerprint": "ab" * 32, "synthetic": True}
    config = {"model": str(model), **paths, "card": card}
    judged = evaluate.evaluate(
        {"validate": {"draws": 100}, "recipe": {}, "seed": 7, "threads": 1, "tasks": {NAME: config}}
    )
    explain = {"cases": 2, "rows": 2, "text_budget": 16}
    stage.explain(
        {
            "tasks": {NAME: {"model": str(model), "data": str(folder)}},
            "explain": explain, "reports": str(folder / "reports"), "seed": 7, "threads": 1, "lineage": {},
        }
    )  # fmt: skip
    return {"judged": judged[NAME], "model": model, "paths": paths, "report": folder / "reports" / NAME}


@pytest.fixture(scope="module")
def served(staged: dict[str, Any]) -> service.Served:
    model = open_folders({NAME: staged["model"]}, 1)
    known = calibration.from_json(digest.read_json(staged["model"] / "calibration.json"))
    return service.Served(tasks.get(NAME), f"{NAME}@1", "d" * 64, "2026-01-01", model, known)


def asked_of_one_document(served: service.Served) -> list[Any]:
    example = dict(served.task.example)
    questions = ("What is the change in ticket sales?", "What is the total of food and drink?", example["question"])
    return [served.task.item(**{**example, "question": question}) for question in questions]


def test_a_writer_is_judged_beside_its_program_and_later_rows_are_judged_alike(staged: dict[str, Any]) -> None:
    judged = staged["judged"]
    assert judged["metric"] == "execution_accuracy"
    assert judged["baseline"]["name"] == "program"
    assert set(judged["ablation"]) == {"text", "classical"}
    again = revalidate.revalidate(
        {"task": NAME, "model": str(staged["model"]), "path": staged["paths"]["test"], "threads": 1}
    )
    assert again["value"] == pytest.approx(judged["value"])
    assert again["calibration"]["ece"] == pytest.approx(judged["calibration"]["ece"])


def test_the_report_explains_the_program_that_was_served(staged: dict[str, Any]) -> None:
    report = json.loads((staged["report"] / "report.json").read_text())
    blocks = [block for section in report["sections"] for block in section["blocks"]]
    cases = [block for block in blocks if block["kind"] == "case"]
    assert len(cases) == 2
    for case in cases:
        total = case["base"] + sum(player["value"] for player in case["players"])
        assert total == pytest.approx(case["full"], abs=1e-4)
        assert case["role"] in ("right", "wrong", "borderline", "drawn at random")
        assert case["output"] == "right"
    assert (staged["report"] / "report.html").stat().st_size > 10_000


def test_the_numbers_that_the_log_keeps_are_json_and_give_the_answer_again(served: service.Served) -> None:
    (item,) = asked_of_one_document(served)[:1]
    (outcome,) = service.answer(served, [item])
    kept = json.loads(json.dumps(outcome.raw, allow_nan=False))
    raw = program.restored(kept, served.task.head.width)
    found = served.task.decode(item, calibration.predict(served.task.head, served.calibration, raw))
    assert served.task.answer(**found).model_dump(mode="json") == outcome.answer["answer"]
    assert set(outcome.answer["probability"]) == {"right"}


def test_a_list_of_questions_on_one_document_reads_it_once_and_answers_as_one_by_one(
    served: service.Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real: Callable[..., Any] = reading.read
    monkeypatch.setattr(reading, "read", lambda model, ids: read.append(len(ids)) or real(model, ids))
    items = asked_of_one_document(served)
    together = [outcome.answer["answer"] for outcome in service.answer(served, items)]
    assert len(read) == 1
    alone = [service.answer(served, [item])[0].answer["answer"] for item in items]
    assert len(read) == 1 + len(items)
    assert [each["program"] for each in together] == [each["program"] for each in alone]


def test_a_file_of_questions_is_answered_in_columns_that_follow_from_the_task(served: service.Served) -> None:
    items = asked_of_one_document(served)
    columns = {
        field: [getattr(item, field) for item in items] for field in ("table", "paragraphs", "question", "scale")
    }
    rows = score.read(served.task, columns, len(items), False, FileSection())
    found = score.answer(served, rows, score.many(served.task))
    shape = layout.columns(served.task, False)
    table = layout.table(shape, found, layout.Source("b", f"{NAME}@1", "d", 1, range(2, 9), None))
    lines = [json.loads(line) for line in layout.write(table, shape, "jsonl").splitlines()]
    assert {"value", "program", "cited", "probability_right", "set"} <= set(lines[0])
    assert [line["program"] for line in lines] == [
        each.answer["answer"]["program"] for each in service.answer(served, items)
    ]


def test_a_document_of_text_alone_does_not_wait_for_a_program(served: service.Served) -> None:
    from serving import analysis
    from serving.problem import Problem

    release = service.Release({NAME: served}, 1, "d", "2026-01-01")
    with pytest.raises(Problem, match="question"):
        analysis.match(release, {"question": 1})
    both = service.Release({NAME: served, "sentiment": _other("sentiment")}, 1, "d", "2026-01-01")
    items, others = analysis.match(both, {"text": "Net sales rose."})
    assert list(items) == ["sentiment"]
    assert others[NAME] == ["question"]


def _other(name: str) -> Any:
    return service.Served(tasks.get(name), f"{name}@1", "d", "2026-01-01", None, calibration.Calibration())  # type: ignore[arg-type]
