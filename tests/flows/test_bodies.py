"""The recipes of larger bodies, run with tiny ones: data, train, judge, explain, register, serve and ask, without Ray."""

from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import registry
import tasks
from flows import recipe
from flows.report import explain_config
from infra.settings import Settings
from interpret.report import inside, stage
from serving import loading, service
from serving.places import Places
from tasks.data.prepare import prepare
from tasks.task import Place
from tasks.train import loop
from tasks.validate.evaluate import evaluate

SIX = ["anomaly", "compliance", "portfolio", "risk", "sentiment", "volatility"]
QUICK = [
    *("train.epochs=1", "train.sweep=[0.002]", "train.threads=1", "train.gpus_per_worker=0", "lora.rank=2"),
    *("validate.draws=100", "validate.gates.margin=1.0", "validate.gates.max_ece=1.0"),
    *("explain.cases=1", "explain.rows=2", "explain.text_budget=40"),
]


def test_recipes_of_all_tasks_name_the_six_and_no_writer() -> None:
    for name in ("demo", "llama", "deepseek"):
        assert sorted(recipe.load(f"flows/recipes/{name}.toml").tasks) == SIX
    small = recipe.load("flows/recipes/llama.toml")
    assert (small.backbone.name, small.backbone.dtype, small.train.gpus_per_worker) == (
        *("smollm2-135m-instruct", "float32"),
        0,
    )


def run(plan: recipe.Recipe, folder: Path, champion: dict[str, str] | None = None) -> dict[str, Any]:
    """One task through the functions that the flow calls on Ray; gives its judgement."""
    (name,) = plan.tasks
    data, dumped = folder / "data" / name, plan.model_dump(mode="json", by_alias=True)
    card = prepare(
        name, plan.tasks[name].model_dump(mode="json"), dumped["data"], 7, str(data), dumped["validate"]["splits"]
    )
    sides = {side: str(data / f"{side}.parquet") for side in ("train", "valid", "test")}
    given = {"section": dumped["tasks"][name], "train": sides["train"], "valid": sides["valid"]}
    loop.fit({**{key: dumped[key] for key in ("backbone", "lora", "train")}, "tasks": {name: given}, "out": str(folder / "models")})  # fmt: skip
    judged = evaluate(
        {
            "recipe": recipe.canonical(plan),
            "validate": dumped["validate"],
            "tasks": {name: {"model": str(folder / "models" / name), **sides, "card": card, "champion": champion}},
            "threads": 1,
            "seed": 7,
        }
    )
    stage.explain(explain_config(plan, folder, {name: card}, {"code": "c" * 40, "libraries": {}}))
    return dict(judged[name])


def few(name: str, path: Path) -> str:
    """Some of the embedded rows of a task as a user's file."""
    rows, outputs = tasks.get(name).sources["embedded"].read(Place(root=None, seed=7)), tasks.get(name).head.outputs
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("text", "target"))
        for row in range(0, len(rows), 5):
            table.writerow((rows.inputs.text[row], outputs[int(rows.target[row, 0])]))
    return f"tasks.sentiment.source={path}"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_deepseeks_recipe_on_a_tiny_body_is_trained_judged_explained_served_and_asked(
    home: Path, tmp_path: Path
) -> None:
    rows = few("sentiment", tmp_path / "rows.csv")
    plan = recipe.load("flows/recipes/deepseek.toml", ["backbone.name=tiny-deepseek_v3", *QUICK, rows])
    plan = plan.model_copy(update={"tasks": {"sentiment": plan.tasks["sentiment"]}})
    earlier = recipe.load("flows/recipes/demo.toml", ["backbone.name=tiny-bert", *QUICK, rows])
    earlier = earlier.model_copy(update={"tasks": {"sentiment": earlier.tasks["sentiment"]}})
    run(earlier, tmp_path / "first")
    first = {"version": "sentiment@1", "folder": str(tmp_path / "first" / "models" / "sentiment")}
    judged = run(plan, tmp_path / "run", first)
    assert judged["champion"]["version"] == "sentiment@1"
    assert "why" not in judged["champion"] or "learned from" in judged["champion"]["why"]

    model, report = tmp_path / "run" / "models" / "sentiment", tmp_path / "run" / "reports" / "sentiment"
    told = json.dumps(json.loads((report / "report.json").read_text(encoding="utf-8")))
    assert "It is tiny-deepseek_v3 in float32, not all-MiniLM-L6-v2" in told
    settings = Settings(home=home)
    book = registry.open_registry(settings.database, settings.artifacts)
    ref = registry.register(book, "sentiment", model, report, judged, "deepseek", inside.refused).ref
    registry.approve(book, ref, by="A. Tester", reason="a test")
    plan_of = dataclasses.asdict(registry.release(book, [ref], by="a test"))
    release = loading.load(book, plan_of, Places(settings.database, settings.artifacts, str(home / "cache"), "token"))
    served = release.served["sentiment"]
    assert served.model.backbone.body.config.model_type == "deepseek_v3"
    found = tasks.get("sentiment")
    answers = service.answer(served, [found.item(**found.example)])
    assert answers[0].answer["version"] == "sentiment@1"
    registry.close(book)
