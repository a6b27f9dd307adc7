"""The main job as a Prefect flow: data -> train -> validate -> explain -> register -> ask for approval.

Prefect wraps plain functions by call, here and nowhere below. Every step is a task run; dicts and paths cross.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from prefect import flow, task
from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import FlowRunContext
from prefect.exceptions import TerminationSignal

import registry
import tasks
from flows import console, keys, labelled, living, recipe
from flows.clock import Clock
from flows.lineage import lineage
from flows.release import release
from flows.report import explain_config, report
from infra import cluster, jobs
from infra.memory import Peak
from infra.settings import Settings
from interpret.report import inside
from tasks import digest
from tasks.data.prepare import prepare


@flow(name="retrain", flow_run_name="{recipe_path}, {trigger}", validate_parameters=False)
def retrain(
    recipe_path: str, overrides: list[str] | None = None, trigger: str = "by hand", author: str = ""
) -> dict[str, Any]:
    """Run a recipe from data to registered versions; gives the retrain document of the command.

    author  who stands for the run; "" for the one author whose key lies in this home, if there is one

    One at a time runs a recipe, and one for each scheduled time: another waits for the first, or raises Conflict.
    Raises recipe.RecipeError, tasks.task.DataError, registry.RegistryError: each with the cure.
    """
    clock, made_by = Clock(), lineage()
    plan = recipe.load(recipe_path, overrides or [])
    settings = Settings()
    book = registry.open_registry(*settings.registry)
    scheduled = _scheduled()
    run_id = f"{scheduled or datetime.now(UTC):%Y%m%dT%H%M%S%f}"[:-3] + "-" + recipe.digest(plan)[:6]
    by = keys.author(book, author, run_id, recipe.digest(plan))
    material = [name for name in plan.tasks if tasks.material(name)]
    if material and not by:
        raise ValueError(f"the card of {material[0]} says material = true: give --as NAME, the author of this run")
    folder = settings.root / "runs" / run_id
    with living.alone(book, f"retrain {recipe.digest(plan)[:12]}", run_id) as book:
        for each in living.close_dead(book, settings.root / "runs"):
            console.say(f"run       {each} was left open by a process that is gone; it is closed as crashed")
        with living.mark(folder):
            told = {"recipe_digest": recipe.digest(plan), "trigger": trigger, **by}
            registry.start_run(book, run_id, "retrain", told, once=scheduled is not None)
            try:
                with Peak() as peak:
                    cluster.connect(settings)
                    rows, training = _steps(plan, folder, book, clock, made_by, by)
            except BaseException as error:
                registry.finish_run(book, run_id, _ending(error), {"why": type(error).__name__})
                raise
            registry.finish_run(book, run_id, "completed", {"training": training})
    return {
        "run": run_id,
        "recipe_digest": recipe.digest(plan),
        "seconds": round(clock.seconds(), 1),
        "cold_start_s": round(clock.first or 0.0, 1),
        "stages": {stage: round(seconds, 1) for stage, seconds in clock.stages.items()},
        "peak_mb": None if peak.mb is None else round(peak.mb),
        "tasks": rows,
    }


def _scheduled() -> datetime | None:
    """The time that a deployment's run was to begin at; None for a run by hand."""
    context = FlowRunContext.get()
    flow_run = None if context is None else context.flow_run
    return None if flow_run is None or flow_run.deployment_id is None else flow_run.expected_start_time


def _ending(error: BaseException) -> Literal["failed", "cancelled"]:
    return "cancelled" if isinstance(error, KeyboardInterrupt | TerminationSignal) else "failed"


def _steps(
    plan: recipe.Recipe,
    folder: Path,
    book: registry.Registry,
    clock: Clock,
    made_by: dict[str, Any],
    by: dict[str, str],
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Every step in turn; gives the rows of the document, and what training told of every trial."""
    with clock.stage("data"):
        cards = {name: _step(prepare_data, f"data: {name}")(plan, name, folder) for name in plan.tasks}
    with clock.stage("train"):
        training = _step(train, "train")(plan, folder)
    with clock.stage("validate"):
        rows = _step(validate, "validate")(plan, folder, cards, champions(book, plan, folder))
    with clock.stage("explain"):
        reports = report(explain_config(plan, folder, cards, made_by))
    versions = {}
    for name in plan.tasks:
        facts = {
            "run_id": folder.name,
            "recipe_digest": recipe.digest(plan),
            "data_digest": cards[name]["fingerprint"],
            "snapshot": labelled.kept(book, folder / "data" / name, cards[name]),
            **rows[name],
            **by,
            **({"material": True} if tasks.material(name) else {}),
        }
        versions[name] = _step(register, f"register: {name}")(book, name, folder, facts, reports[name]["digest"])
    release(list(versions.values()), plan.release.approval, [asdict(lease) for lease in book.leases])
    document = {
        name: {
            "version": versions[name],
            **rows[name],
            "report": reports[name]["report"],
            "synthetic": cards[name]["synthetic"],
        }
        for name in plan.tasks
    }
    return document, training


def _step(function: Any, name: str, **options: Any) -> Any:
    """A plain function as a Prefect task run; results are not cached, since files on disk are what a step leaves."""
    return task(function, name=name, cache_policy=NO_CACHE, persist_result=False, **options)


def prepare_data(plan: recipe.Recipe, name: str, folder: Path) -> dict[str, Any]:
    """Read, check, split and write one task's rows; gives its data card."""
    section = plan.tasks[name].model_dump(mode="json")
    splits, out = plan.validation.splits.model_dump(mode="json"), str(folder / "data" / name)
    data, file = plan.data.model_dump(mode="json"), folder / "data" / f"{name}.labelled.jsonl"
    with labelled.written(Settings(), name, plan.data.feedback, file) as decided:
        card = prepare(name, section, data, plan.train.seed, out, splits, decided)
    create_table_artifact(
        key=console.artifact_key("data", name),
        description=f"Data of {name}",
        table=[{"what": key, "value": str(value)} for key, value in sorted(card.items())],
    )
    console.say(
        f"data      {name:<11} {card['rows']}  {'synthetic' if card.get('synthetic') else card.get('source', '')}"
    )
    for sentence in card["warnings"]:
        console.say(f"data      {name:<11} {sentence}")
    return card


def train(plan: recipe.Recipe, folder: Path) -> dict[str, Any]:
    """Learn every task in one job on Ray; shows progress here and in the Prefect UI."""
    config = {
        "backbone": plan.backbone.model_dump(mode="json"),
        "lora": plan.lora.model_dump(mode="json"),
        "train": plan.train.model_dump(mode="json"),
        "privacy": plan.privacy.model_dump(mode="json"),
        "tasks": {
            name: {
                "section": section.model_dump(mode="json"),
                "train": str(folder / "data" / name / "train.parquet"),
                "valid": str(folder / "data" / name / "valid.parquet"),
            }
            for name, section in plan.tasks.items()
        },
        "out": str(folder / "models"),
        "states": Settings().states,
    }
    shown = console.Progress()
    artifact = create_progress_artifact(progress=0.0, key="training", description="Steps of the training job")

    def on_progress(line: dict[str, Any]) -> None:
        shown(line)
        if line["step"]:
            update_progress_artifact(artifact_id=artifact, progress=100.0 * line["step"] / line["steps"])

    shape = jobs.Shape(
        storage=Settings().checkpoints_url or str(folder / "checkpoints"),
        name=folder.name,
        workers=plan.train.workers,
        least_workers=plan.train.least_workers,
        gpus_per_worker=plan.train.gpus_per_worker,
    )
    result = jobs.fit("tasks.train.loop.fit", config, shape, on_progress)
    if result["stored"] == 0:
        console.say("training  no room for hidden states: the frozen layers ran at every step; raise ASSAY_STATES_GB")
    create_table_artifact(
        key="trials", description="Every learning rate that was tried; the valid rows chose", table=_trials(result)
    )
    return result


def _trials(result: dict[str, Any]) -> list[dict[str, Any]]:
    """One row per task and learning rate, with the loss on the valid rows at every check."""
    return [
        {
            "task": name,
            "learning_rate": trial["learning_rate"],
            "chosen": trial["learning_rate"] == told["learning_rate"],
            "best_loss": trial["best_loss"],
            "losses": " ".join("-" if loss is None else f"{loss:.4f}" for loss in trial["losses"]),
        }
        for name, told in result["tasks"].items()
        for trial in told["trials"]
    ]


def champions(book: registry.Registry, plan: recipe.Recipe, folder: Path) -> dict[str, dict[str, str]]:
    """The version of each task that answers now, its files brought to the run's folder."""
    return {
        name: {
            "version": version.ref,
            "folder": str(registry.fetch(book, version, folder / "champions" / name)["model"]),
        }
        for name, version in registry.champions(book).items()
        if name in plan.tasks
    }


def validate(
    plan: recipe.Recipe, folder: Path, cards: dict[str, Any], answering: dict[str, dict[str, str]]
) -> dict[str, Any]:
    """Judge every task on its test rows beside its baseline and the champion; gives a row of the document per task."""
    config = {
        "recipe": recipe.canonical(plan),
        "validate": plan.validation.model_dump(mode="json"),
        "tasks": {
            name: {
                "model": str(folder / "models" / name),
                **{part: str(folder / "data" / name / f"{part}.parquet") for part in ("train", "valid", "test")},
                "card": cards[name],
                "champion": answering.get(name),
            }
            for name in plan.tasks
        },
        "threads": plan.train.threads,
        "seed": plan.train.seed,
    }
    rows: dict[str, Any] = cluster.call("tasks.validate.evaluate.evaluate", config)
    create_table_artifact(
        key="metrics",
        description="Every task on its test rows, the classical baseline beside it",
        table=[
            {
                "task": name,
                "metric": row["metric"],
                "value": None if row["value"] is None else round(row["value"], 4),
                "ci95": console.span(row["ci95"], ".4f"),
                "baseline": f"{console.figure(row['baseline']['value'], '.4f')} ({row['baseline']['name']})",
                "lift_ci95": console.span(row["lift_ci95"], "+.4f"),
                "verdict": row["verdict"],
                "reasons": "; ".join(row["reasons"]),
            }
            for name, row in rows.items()
        ],
    )
    return rows


def register(book: registry.Registry, name: str, folder: Path, facts: dict[str, Any], told: str) -> str:
    """Bind model and report into one immutable version; run and task are the key, so a retry adds nothing.

    `told` is the digest of the report.json that the explain step wrote. Raises registry.RegistryError where another
    file stands there now, or one that is not this model's report.
    """
    report = folder / "reports" / name
    if digest.of_file(report / "report.json") != told:
        raise registry.RegistryError(f"{str(report / 'report.json')!r} was changed after it was written; retrain")
    version = registry.register(
        book, name, folder / "models" / name, report, facts, key=f"{folder.name}/{name}", look=inside.refused
    )
    return f"{name}@{version.number}"
