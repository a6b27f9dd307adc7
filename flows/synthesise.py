"""`./assay data synthesise RECIPE`: for each of its tasks with a table, a file of rows that nobody is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from flows import recipe
from tasks.data.examine import SYNTHETIC, asked_of, examine, raised
from tasks.data.parquet import save_rows
from tasks.privacy import synthesise


def run(path: str, overrides: Iterable[str], out: str) -> dict[str, Any]:
    """Write NAME.synthetic.parquet for every task into a folder, and say how good and how close its rows are.

    A recipe takes such a file as its source, and whatever is learned from it is called synthetic: the mark stands in
    the file. Rows are imitated that are trained on; test rows judge. Gives {"tasks": {name: {"file", "rows", ...} or
    {"left_out": why}}}. Raises ValueError where no task has rows that can be imitated.
    """
    plan = recipe.load(path, overrides)
    folder = Path(out)
    data, splits = (part.model_dump(mode="json") for part in (plan.data, plan.validation.splits))
    told: dict[str, Any] = {}
    for name, section in plan.tasks.items():
        task = tasks.get(name)
        found = examine(asked_of(task, section.model_dump(mode="json"), data, plan.train.seed, splits))
        if (error := raised(found)) is not None:
            raise error
        assert found.rows is not None
        real = found.rows
        train = real.take(np.flatnonzero(real.split == "train"))
        try:
            made = synthesise.synthesised(task, train, plan.train.seed)
        except ValueError as error:
            told[name] = {"left_out": str(error)}
            continue
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{name}.{SYNTHETIC}.parquet"
        save_rows(made, file, {SYNTHETIC: found.card["fingerprint"], "licence": found.card["licence"]})
        told[name] = {"file": str(file), **synthesise.judged(task, made, real, plan.train.seed)}
    if all("left_out" in one for one in told.values()):
        raise ValueError("; ".join(one["left_out"] for one in told.values()))
    return {"tasks": told}
