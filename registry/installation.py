"""The key of an installation: it signs checkpoints, and what a person accepted as seen.

It is a key as persons have (registry/signing.py), in one file under the home.
"""

from __future__ import annotations

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
        signing.keep_once(path, signing.new_key().pem)
    except OSError as error:
        raise RegistryError(
            f"the installation's key cannot be written to {str(path)!r} ({error.strerror}); set ASSAY_HOME to a folder "
            "of yours"
        ) from error
    return signing.read_key(path)
