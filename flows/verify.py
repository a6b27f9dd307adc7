"""`./assay verify`: bytes, history, and what the bytes say; `--report`: the acceptance rows of one version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import registry
from interpret.report import inside


def verified(book: registry.Registry, ref: str | None) -> dict[str, Any]:
    """The `verify` document; `notes` names the reports that an earlier release wrote and this one does not read."""
    notes: list[str] = []

    def look(task: str, model: Path, report: Path) -> list[str]:
        try:
            return inside.faults(task, model, report)
        except inside.OtherSchemaError as error:
            notes.append(f"{task}: {error}")
            return []

    document = registry.verify(book, ref, look)
    return {**document, "notes": notes} if notes else document
