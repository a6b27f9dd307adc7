"""What a report is told about a version: its files, figures, data card, lineage. Read once from the model's folder."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interpret.section import ExplainSection
from tasks import digest
from tasks.data.files import UNDATED
from tasks.task import Rows, Task, card

LIBRARIES = ("shap", "torch", "transformers", "peft", "scikit-learn", "lightgbm", "numpy")


@dataclass(frozen=True)
class Facts:
    """Everything that a report states beside its own measurements. A document that was not written is {}.

    files     (name, bytes, sha256) of every file of the version, and `model_digest` over all of them
    documents metrics, data, recipe, calibration, head, classical, training: the version's own JSON files by name
    lineage   what the flow passes on: run ids, code commit
    truncated test rows that are longer than the model reads; behaviour, the behaviour cases with their verdicts
    """

    task: Task
    card: str
    documents: Mapping[str, Mapping[str, Any]]
    files: tuple[tuple[str, int, str], ...]
    model_digest: str
    lineage: Mapping[str, Any]
    section: ExplainSection
    seed: int
    threads: int
    rows: Mapping[str, int]
    periods: Mapping[str, tuple[str, str]]
    truncated: int
    libraries: Mapping[str, str]
    behaviour: tuple[Mapping[str, Any], ...]

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The version's row of the retrain document."""
        return self.documents["metrics"]

    @property
    def data(self) -> Mapping[str, Any]:
        """The data card."""
        return self.documents["data"]

    @property
    def synthetic(self) -> bool:
        """Whether the rows were made by a generator."""
        return bool(self.data.get("synthetic", False))


def read(task: Task, folder: Path, rows: Mapping[str, Rows], run: Mapping[str, Any]) -> Facts:
    """Read the facts of a version. `run` holds section, seed, threads, lineage, truncated and behaviour."""
    names = ("metrics", "data", "recipe", "calibration", "head", "classical", "training")
    files = tuple(
        (path.relative_to(folder).as_posix(), path.stat().st_size, digest.of_file(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    )
    return Facts(
        task=task,
        card=_card(task),
        documents={name: _document(folder / f"{name}.json") for name in names},
        files=files,
        model_digest=digest.of_json({name: sha for name, _, sha in files}),
        lineage=_own(run["lineage"], task.name),
        section=run["section"],
        seed=run["seed"],
        threads=run["threads"],
        rows={name: len(part) for name, part in rows.items()},
        periods={name: period(part) for name, part in rows.items() if len(part)},
        truncated=run["truncated"],
        libraries={name: version(name) for name in LIBRARIES},
        behaviour=tuple(run["behaviour"]),
    )


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


def _own(lineage: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The lineage of one task: of a table by task its own entry; libraries are listed apart."""
    own = {key: value for key, value in lineage.items() if key != "libraries"}
    return {key: value.get(name) if key == "data" and isinstance(value, dict) else value for key, value in own.items()}


def _card(task: Task) -> str:
    try:
        return card(task.name)
    except OSError:  # a task that was built in memory has no folder
        return ""


def _document(path: Path) -> Mapping[str, Any]:
    content = digest.read_json(path) if path.is_file() else {}
    return content if isinstance(content, dict) else {}
