"""Canonical JSON and sha256: the same content gives the same bytes and the same name."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from registry.errors import RegistryError

SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".html", ".md", ".svg", ".png", ".pdf", ".csv", ".parquet"})


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces. Raises RegistryError where JSON cannot hold the value (NaN, a date ...)."""
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise RegistryError(
            f"the registry keeps JSON only and {error}; give strings, finite numbers, lists and objects"
        ) from error


def of_text(text: str) -> str:
    """The sha256 of a text in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def of_file(path: Path | str) -> str:
    """The sha256 of a file's bytes, read in pieces."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  (a folder has many, and each is asked for often)
        return hashlib.file_digest(file, "sha256").hexdigest()


def manifest(folder: Path) -> dict[str, str]:
    """Every file of a folder: its path inside the folder -> its sha256.

    Raises RegistryError where the folder is missing or empty, or holds a link or a kind of file that is not kept
    (weights are safetensors, everything else is JSON or text: nothing that runs code when it is read).
    """
    if not folder.is_dir():
        raise RegistryError(f"there is no folder {str(folder)!r} to register; give the folder that the run wrote")
    found: dict[str, str] = {}
    for path in sorted(_files(str(folder))):
        name = path[len(str(folder)) + 1 :].replace(os.sep, "/")
        check_name(name)
        found[name] = of_file(path)
    if not found:
        raise RegistryError(f"the folder {str(folder)!r} is empty; there is nothing to register")
    return found


def _files(folder: str) -> Iterator[str]:
    """Every file below a folder. Raises RegistryError for a link."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise RegistryError(f"{entry.path!r} is a link; register the file itself")
            if entry.is_dir():
                yield from _files(entry.path)
            elif entry.is_file():
                yield entry.path


@functools.lru_cache(maxsize=4096)
def check_name(name: str) -> None:
    """Refuse a path that leaves its folder, and a kind of file that the registry does not keep."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or str(path) != name:
        raise RegistryError(f"the file name {name!r} leaves its folder; names are relative, without '..'")
    if path.suffix not in SUFFIXES:
        kinds = " ".join(sorted(SUFFIXES))
        raise RegistryError(f"the registry does not keep files such as {name!r}; it keeps {kinds}")
