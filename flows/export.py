"""`./assay export VERSION --to hf|mlflow|bundle DIR`: a version for somebody else, whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import registry
from flows.documents import book, show
from infra.settings import Settings


def export(arguments: Namespace) -> int:
    """Write a version into a new folder, in a form that others read."""
    opened, target = book(), Path(arguments.folder)
    version = registry.show(opened, arguments.version)
    registry.require_signed(opened, version.ref, Settings().root)
    forms: dict[str, Callable[[registry.Registry, registry.Version, Path], None]] = {
        "hf": _hf,
        "mlflow": _mlflow,
        "bundle": _bundle,
    }
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        forms[arguments.to](opened, version, made)
        _keep(made, target)
    files = sorted(str(path.relative_to(target)) for path in target.rglob("*") if path.is_file())
    return show(arguments, {"version": version.ref, "to": arguments.to, "folder": str(target), "files": files})


def _keep(made: Path, target: Path) -> None:
    """Bring a written folder to its place. Raises ValueError where something is there."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ValueError(f"{str(target)!r} holds something already; give a folder that is new or empty")
    partial = target.with_name(f".{target.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(made, partial)
    if target.exists():
        target.rmdir()
    partial.rename(target)


def _hf(opened: registry.Registry, version: registry.Version, made: Path) -> None:
    import tasks
    from tasks.model import peft_folder
    from tasks.model.folder import Folder

    _answers(version)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        files = registry.fetch(opened, version, Path(scratch))
        told = {"ref": version.ref, "digest": version.digest, "status": version.status}
        peft_folder.write(tasks.get(version.task), Folder(files["model"]), made, told)


def _mlflow(opened: registry.Registry, version: registry.Version, made: Path) -> None:
    from flows import mlflow_folder

    _answers(version)
    with tempfile.TemporaryDirectory(prefix="assay-") as scratch:
        mlflow_folder.write(version, Path(registry.fetch(opened, version, Path(scratch))["model"]), made)


def _bundle(opened: registry.Registry, version: registry.Version, made: Path) -> None:
    from flows import bundle

    bundle.write(opened, version, made)


def _answers(version: registry.Version) -> None:
    """Raises registry.NotAllowed for what answers nobody here: it shall answer nobody elsewhere."""
    if version.status in registry.BARRED:
        raise registry.NotAllowed(
            f"{version.ref} {registry.was(version.status)}, so that it answers nobody; --to bundle carries its evidence"
        )
