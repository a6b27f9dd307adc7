"""The key of an installation: it signs checkpoints, and what a person accepted as seen.

It is a key as persons have (registry/signing.py), in one file under the home.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from registry import signing
from registry.errors import RegistryError
from registry.signing import Key


def read(path: Path) -> Key | None:
    """The key in a file, None where there is none. Raises RegistryError as `signing.read_key`."""
    return signing.read_key(path) if path.exists() else None


def make(path: Path) -> Key:
    """The key in a file, made where there is none. Of two processes at once, one makes it. Raises RegistryError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(dir=path.parent)  # readable by its owner alone
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(signing.new_key().pem)
                file.flush()
                os.fsync(file.fileno())
            with contextlib.suppress(FileExistsError):
                os.link(scratch, path)
        finally:
            Path(scratch).unlink()
    except OSError as error:
        raise RegistryError(
            f"the installation's key cannot be written to {str(path)!r} ({error.strerror}); set ASSAY_HOME to a folder "
            "of yours"
        ) from error
    return signing.read_key(path)
