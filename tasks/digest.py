"""Canonical JSON and SHA-256: the same content gives the same bytes and the same name on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: keys sorted, no spaces, UTF-8. Raises ValueError on NaN and infinity."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def of_bytes(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def of_json(value: Any) -> str:
    """SHA-256 of the canonical JSON text of a value."""
    return of_bytes(canonical(value))


def of_file(path: Path) -> str:
    """SHA-256 of a file, read in pieces so that a large one does not fill memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def of_files(folder: Path, names: Iterable[str]) -> str:
    """One digest for several files of a folder: a single file's own, else that of {name: digest}."""
    digests = {name: of_file(folder / name) for name in sorted(names)}
    return next(iter(digests.values())) if len(digests) == 1 else of_json(digests)


def write_json(path: Path, value: Any) -> None:
    """Write the canonical JSON text of a value."""
    path.write_bytes(canonical(value))


def read_json(path: Path) -> Any:
    """Read a JSON file. Raises ValueError with the file's name where it is absent or not JSON."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise ValueError(f"{path.name} is missing in {path.parent.name!r}; take the whole folder again") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{path.name} is not JSON ({error}); take the file from the registry again") from error
