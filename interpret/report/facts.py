"""What a report is told about a version: its files, figures, data card, lineage. Read once from the model's folder."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from interpret.attribution.behaviour import Behaviour
from interpret.attribution.decisions import Decided
from interpret.attribution.refusals import Refusals
from interpret.section import ExplainSection
from tasks import card, digest, names
from tasks.data.section import GovernanceSection
from tasks.model.folder import Folder
from tasks.task import UNDATED, Rows, Task
from tasks.validate.calibration import Calibration, from_json
from tasks.validate.judgement import Judgement

LIBRARIES = ("shap", "torch", "transformers", "peft", "scikit-learn", "lightgbm", "numpy", "typst")


@dataclass(frozen=True)
class Run:
    """What is known beside a version's own files.

    lineage    what the flow passes on: run ids, code commit
    truncated  test rows that are longer than the model reads
    refused    what refused test rows are told; None where the version keeps no list of reasons
    """

    section: ExplainSection
    seed: int
    threads: int
    lineage: Mapping[str, Any]
    truncated: int = 0
    refused: Refusals | None = None


@dataclass(frozen=True)
class File:
    """One file of the version: its path below the version's folder, its size in bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Facts:
    """Everything that a report states beside its own measurements.

    metrics, calibration  the version's judgement, and what it knows about its own errors
    data to training      the version's other documents; {} for one that was not written
    model_digest          over all files of the version
    rows, periods         number of rows by part, and their first and last day
    behaviour             the behaviour cases with their verdicts
    privacy               what the version spent of its budget; {} where it has none
    decided               decisions that several rows lead to together, by what moved them; None where each is alone
    """

    task: Task
    card: str
    run: Run
    metrics: Judgement
    calibration: Calibration
    data: Mapping[str, Any]
    recipe: Mapping[str, Any]
    head: Mapping[str, Any]
    classical: Mapping[str, Any]
    training: Mapping[str, Any]
    files: tuple[File, ...]
    model_digest: str
    rows: Mapping[str, int]
    periods: Mapping[str, tuple[str, str]]
    libraries: Mapping[str, str]
    behaviour: tuple[Behaviour, ...] = ()
    decided: tuple[Decided, ...] | None = None
    privacy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def governance(self) -> GovernanceSection:
        """Who answers for the version, and its tier, as the recipe has them."""
        return governance(self.recipe, self.task.name)

    @property
    def fingerprint(self) -> str | None:
        """The digest of the rows, as the data card tells it."""
        return self.data.get("fingerprint")

    @property
    def synthetic(self) -> bool:
        """Whether the rows were made by a generator."""
        return bool(self.data.get("synthetic", False))


def read(task: Task, folder: Folder, rows: Mapping[str, Rows], run: Run) -> Facts:
    """Read the facts of a version that was judged. Raises ValueError where its metrics or calibration are missing."""
    files = files_of(folder)
    return Facts(
        task=task,
        card=_card(task),
        run=replace(run, lineage=_of_task(run.lineage, task.name)),
        metrics=Judgement.model_validate(folder.read(folder.metrics)),
        calibration=from_json(folder.read(folder.calibration)),
        data=_written(folder, folder.data),
        recipe=_written(folder, folder.recipe),
        head=_written(folder, folder.head_config),
        classical=_written(folder, folder.classical),
        training=_written(folder, folder.training),
        files=files,
        model_digest=model_digest(files),
        rows={name: len(part) for name, part in rows.items()},
        periods={name: period(part) for name, part in rows.items() if len(part)},
        libraries={name: version(name) for name in LIBRARIES},
        privacy=_written(folder, folder.privacy),
    )


def governance(recipe: Mapping[str, Any], name: str) -> GovernanceSection:
    """What a version's recipe says of who answers for a task; nothing where it does not."""
    told = recipe.get("tasks", {}).get(name, {}).get("governance", {})
    return GovernanceSection.model_validate(told)


def files_of(folder: Folder) -> tuple[File, ...]:
    """Every file of a version, by name."""
    return tuple(
        File(path.relative_to(folder.path).as_posix(), path.stat().st_size, digest.of_file(path))
        for path in sorted(folder.path.rglob("*"))
        if path.is_file()
    )


def model_digest(files: Sequence[File]) -> str:
    """The digest over all files of a version, which the registry knows it by."""
    return digest.of_json({file.name: file.sha256 for file in files})


def period(rows: Rows) -> tuple[str, str]:
    """The first and the last day of some rows; "undated" where the source gives no time."""
    if bool((rows.time == UNDATED).all()):
        return "undated", "undated"
    return str(rows.time.min())[:10], str(rows.time.max())[:10]


def version(library: str) -> str:
    """The installed version of a library, without importing it."""
    try:
        return importlib.metadata.version(library)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def card_sections(markdown: str) -> dict[str, list[str]]:
    """The card's second-level headings with their lines, markup taken off; "" holds what stands before the first."""
    found: dict[str, list[str]] = {"": []}
    heading = ""
    for line in markdown.splitlines():
        if line.startswith("## "):
            heading = line[3:].strip()
            found[heading] = []
        elif not line.startswith("# "):
            found[heading].append(line.replace("**", "").replace("`", "").strip())
    return found


def _of_task(lineage: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The lineage of one task: of a table by task its own entry; libraries are listed apart."""
    shared = {key: value for key, value in lineage.items() if key not in {"data", "libraries"}}
    if "data" not in lineage:
        return shared
    data = lineage["data"]
    return {**shared, "data": data.get(name) if isinstance(data, dict) else data}


def _card(task: Task) -> str:
    """The task's card; a task that was built in memory has no folder."""
    return card(task.name) if task.name in names() else ""


def _written(folder: Folder, file: Path) -> Mapping[str, Any]:
    return folder.read(file) if file.is_file() else {}
