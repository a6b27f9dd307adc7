"""Into the store only after a look: whoever registers says whether a report is the model's own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from registry import artifacts
from registry.artifacts import Store
from registry.digest import canonical, manifest, of_text
from registry.errors import RegistryError

# (task, model folder, report folder) -> why this is not that model's report: sentences with the cure, none where it is
Look = Callable[[str, Path, Path], Sequence[str]]
SHOWN = 3  # of them in one message


def put(store: Store, task: str, folders: tuple[Path, Path], look: Look) -> tuple[str, str]:
    """Keep a model's folder and its report's, and give both digests.

    Raises RegistryError with what the look said, before anything is kept; and where a file changed meanwhile.
    """
    before = tuple(of_text(canonical(manifest(folder))) for folder in folders)
    wrong = look(task, *folders)
    if wrong:
        more = f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else ""
        raise RegistryError(f"the report of {task!r} is refused: {'; '.join(wrong[:SHOWN])}{more}")
    model, report = (artifacts.put_folder(store, folder) for folder in folders)
    if (model, report) != before:
        raise RegistryError("the files were changed while they were read; register them again when nobody writes there")
    return model, report


def again(store: Store, task: str, digests: tuple[str, str], look: Look) -> Sequence[str]:
    """The same look at a model and its report that are kept, by their digests."""
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        model, report = (
            artifacts.get_folder(store, digest, Path(scratch) / name)
            for digest, name in zip(digests, ("model", "report"), strict=True)
        )
        return look(task, model, report)
