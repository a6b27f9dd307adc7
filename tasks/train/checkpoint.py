"""A checkpoint is a folder: tensors as safetensors, the rest as JSON, and a manifest of digests that is written last.

A folder without a manifest, or with a file that is not what the manifest says, is no checkpoint: it is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load, save

from tasks import digest

TENSORS, STATE, MANIFEST = "tensors.safetensors", "state.json", "manifest.json"


def write(folder: Path, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Write a checkpoint so that a crash, or a loss of power, leaves it whole or without a manifest."""
    kept = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    _put(folder / TENSORS, save(kept))
    _put(folder / STATE, digest.canonical(state))
    _put(folder / MANIFEST, digest.canonical({name: digest.of_file(folder / name) for name in (TENSORS, STATE)}))
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def read(folders: Sequence[Path], run: str) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Tensors and state of the first whole checkpoint of `folders` (newest first) that belongs to the run; else None.

    `run` is the digest of what the run was asked for, as its state names it: another recipe's weights are not taken up.
    """
    for folder in folders:
        if not is_whole(folder):
            continue
        state = digest.read_json(folder / STATE)
        if state.get("run") == run:
            return load((folder / TENSORS).read_bytes()), state
    return None


def is_whole(folder: Path) -> bool:
    """Whether the folder holds what its manifest says."""
    try:
        manifest = digest.read_json(folder / MANIFEST)
        return set(manifest) == {TENSORS, STATE} and all(
            digest.of_file(folder / name) == expected for name, expected in manifest.items()
        )
    except (OSError, ValueError, TypeError):
        return False


def _put(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
