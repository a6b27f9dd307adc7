"""A version outside Assay: the folder that `./assay export --to mlflow` writes, as mlflow.pyfunc loads it.

Imports no mlflow. `predict` gives the columns of `./assay score`, by the same functions and one thread, as the service
computes; nothing is logged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import tasks
from serving import layout
from serving.score import answer, many, read
from serving.service import Served
from tasks import digest
from tasks.data.section import FileSection
from tasks.model import saved
from tasks.model.folder import Folder
from tasks.model.merged import merge
from tasks.validate import calibration, reasons_file

ABOUT, FILES = "version.json", "model"
OURS = ("row", "decision")  # columns of a batch that is kept


@dataclass(frozen=True)
class Scored:
    """One version, loaded."""

    served: Served

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> pd.DataFrame:
        """Answers to n rows, a row each: a frame (or list of dicts) of item fields to the columns of a batch.

        A row that cannot be read or answered holds nothing but its reason, in the column `error`.
        """
        frame = model_input if isinstance(model_input, pd.DataFrame) else pd.DataFrame(list(model_input))
        task, names = self.served.task, [name for name in self.served.task.item.model_fields if name in frame]
        if not names:
            wanted = ", ".join(task.item.model_fields)
            raise ValueError(f"no column is a field of {task.name}; name them {wanted}, found {list(frame.columns)}")
        given = frame[names].astype(object)
        fields = {name: [_plain(value) for value in given[name].where(given[name].notna(), None)] for name in names}
        said = answer(self.served, read(task, fields, len(frame), False, FileSection()), many(task))
        source = layout.Source("", self.served.version, self.served.digest, 1, range(len(frame)), None)
        found = layout.table(layout.columns(task, ids=False), said, source).drop_columns(list(OURS)).to_pandas()
        found.index = pd.Index(said.kept)
        found = found.reindex(range(len(frame))) if said.wrong else found
        found["error"] = pd.Series({place: str(reason) for place, reason in said.wrong.items()}, dtype=object)
        return found.set_axis(frame.index)


def _load_pyfunc(path: str) -> Scored:
    """The version of a folder; each file is held against its digest before it is parsed. Raises ValueError."""
    told = digest.read_json(Path(path) / ABOUT)
    _check(Path(path) / FILES, told)
    folder, name = Folder(Path(path) / FILES), told["task"]
    task = tasks.get(name)
    return Scored(
        Served(
            task=task,
            version=told["version"],
            digest=told["digest"],
            since=told["created"],
            model=merge(saved.open_folders({name: folder.path}, threads=1)),
            calibration=calibration.from_json(folder.read(folder.calibration)),
            reasons=reasons_file.of_folder(folder, task),
        )
    )


def _check(folder: Path, told: Mapping[str, Any]) -> None:
    """Raises ValueError where a file is not that of the version, whose digest binds the names and digests of all."""
    bound = digest.of_json({"model": digest.of_json(told["files"]), "report": told["report"]})
    found = {str(path.relative_to(folder)): digest.of_file(path) for path in folder.rglob("*") if path.is_file()}
    wrong = sorted(name for name in found.keys() | told["files"].keys() if found.get(name) != told["files"].get(name))
    if wrong or bound != told["digest"]:
        named = f"{FILES}/{wrong[0]}" if wrong else ABOUT
        raise ValueError(f"{named} is not what {told['version']} was exported with; export it again")


def _plain(value: Any) -> Any:
    """A value as JSON would hold it: arrays of numpy as lists, its numbers as Python's."""
    return value.tolist() if hasattr(value, "tolist") else value
