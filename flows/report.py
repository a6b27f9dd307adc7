"""The report flow: attributions and their rendering for every task of a run, with a link to each in the UI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_link_artifact
from prefect.cache_policies import NO_CACHE

from flows import console, recipe
from infra import cluster


@flow(name="report", validate_parameters=False)
def report(config: dict[str, Any]) -> dict[str, Any]:
    """Explain the models of a run; gives {task: {"report": folder}}."""
    step = task(explain, name="explain", cache_policy=NO_CACHE, persist_result=False)
    documents: dict[str, Any] = {}
    for name in config["tasks"]:
        documents |= step.with_options(name=f"explain: {name}")({**config, "tasks": {name: config["tasks"][name]}})
    return documents


def explain(config: dict[str, Any]) -> dict[str, Any]:
    """Make the reports of the tasks in `config` on the cluster and link to them."""
    documents: dict[str, Any] = cluster.call("interpret.report.stage.explain", config)
    for name, document in documents.items():
        page = Path(document["report"]) / "report.html"
        create_link_artifact(
            key=console.artifact_key("report", name),
            link=page.as_uri(),
            link_text=f"{name}: report.html",
            description=f"Report of {name}",
        )
        console.say(f"explain   {name:<11} {page}")
    return documents


def explain_config(plan: recipe.Recipe, folder: Path, cards: dict[str, Any], made_by: dict[str, Any]) -> dict[str, Any]:
    """What the report step needs, as a plain dict."""
    return {
        "tasks": {
            name: {"model": str(folder / "models" / name), "data": str(folder / "data" / name)} for name in plan.tasks
        },
        "explain": plan.explain.model_dump(mode="json"),
        "reports": str(folder / "reports"),
        "seed": plan.train.seed,
        "threads": plan.train.threads,
        "lineage": {
            "run": folder.name,
            "recipe_digest": recipe.digest(plan),
            "data": {name: card["fingerprint"] for name, card in cards.items()},
            **made_by,
        },
    }
