"""The key of the home: scored files are committed to under it, and requests that bring a key of their own are named."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def secret(home: Path) -> bytes:
    """The key of the commitments, made on first use and readable by its owner alone."""
    path = home / "commitment.key"
    home.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    return path.read_bytes().strip()
