"""Inputs and answers are kept sealed, under a key for each tenant and month: who destroys the key has erased them.

AES-256-GCM (NIST SP 800-38D) with random nonces of 96 bits, which holds for 2^32 answers a tenant and month; the name
of the decision is authenticated with them, so that a sealed text cannot stand under another decision. The same key, by
another derivation, makes the commitments, so that after an erasure nobody can try which input it was either.
A key is `keys/inputs/<tenant>/<month>.key`, 0600; the file is empty once it was destroyed, so that no other is made.
"""

from __future__ import annotations

import base64
import contextlib
import datetime
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from serving.spool import files, tenant

FOLDER = "keys/inputs"  # under the home
BYTES, NONCE = 32, 12
MONTH = re.compile(r"\d{4}-\d\d")


class Erased(ValueError):
    """What was sealed cannot be read: its key was destroyed, or is not in this home."""


@dataclass(frozen=True)
class Seals:
    """The folder of the keys, and those in use now."""

    folder: Path
    held: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Name:
    """Under which a text is sealed: the tenant, the month of the key (as 2026-11), and the decision."""

    tenant: str
    month: str
    decision: str

    @property
    def key(self) -> str:
        """The place of the key in the folder."""
        return f"{self.tenant}/{self.month}"


def seal(seals: Seals, name: Name, document: Mapping[str, Any]) -> str:
    """A JSON document as sealed text (base64). Raises Erased where the month's key was destroyed, OSError."""
    nonce = secrets.token_bytes(NONCE)
    plain = json.dumps(document, allow_nan=False).encode()
    sealed = AESGCM(_derived(_present(seals, name), b"seal")).encrypt(nonce, plain, name.decision.encode())
    return base64.b64encode(nonce + sealed).decode()


def opened(seals: Seals, name: Name, sealed: str) -> dict[str, Any]:
    """What was sealed under a name. Raises Erased, ValueError where the text is not what was sealed."""
    key, content = _read(seals, name), base64.b64decode(sealed)
    try:
        plain = AESGCM(_derived(key, b"seal")).decrypt(content[:NONCE], content[NONCE:], name.decision.encode())
    except InvalidTag as error:
        raise ValueError(f"the input of decision {name.decision} is not what was sealed; run ./assay verify") from error
    document: dict[str, Any] = json.loads(plain)
    return document


def commitment(seals: Seals, name: Name, item: Mapping[str, Any]) -> str:
    """HMAC-SHA256 of an item's canonical JSON: proves to who holds the item and the key that it was this one."""
    return _committed(_present(seals, name), item)


def is_committed(seals: Seals, name: Name, item: Mapping[str, Any], said: str) -> bool:
    """Whether an item is the one that a commitment was made of. Raises Erased where the key is gone, and makes none."""
    return hmac.compare_digest(_committed(_read(seals, name), item), said)


def erase(seals: Seals, owner: str, before: datetime.date) -> list[str]:
    """Destroy the keys of a tenant's months before a day, the first of a month; gives all that are destroyed by now.

    The day is at most the first of this month, whose key is in use. Raises ValueError for another day, OSError.
    """
    first = datetime.datetime.now(datetime.UTC).date().replace(day=1)
    if before.day != 1 or before > first:
        cure = f"write the first day of a month, {first} at the latest"
        raise ValueError(f"--before {before}: there is a key for each month, and this month's is in use; {cure}")
    folder = seals.folder / tenant.checked(owner)
    if not folder.is_dir():
        known = ", ".join(sorted(path.name for path in seals.folder.glob("*"))) or "none yet"
        raise ValueError(f"there is no tenant {owner!r}; those with inputs are: {known}")
    paths = [path for path in sorted(folder.glob("*.key")) if MONTH.fullmatch(path.stem)]
    old = [path for path in paths if path.stem < f"{before:%Y-%m}"]
    for path in old:
        _destroy(path)
    return [path.stem for path in old]


def _destroy(path: Path) -> None:
    """Overwrite a key, then leave an empty file, so that the month gets no second key."""
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
        file.truncate(0)
        os.fsync(file.fileno())


def _committed(key: bytes, item: Mapping[str, Any]) -> str:
    text = json.dumps(item, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hmac.new(_derived(key, b"commit"), text.encode(), hashlib.sha256).hexdigest()


def _derived(key: bytes, use: bytes) -> bytes:
    return hmac.new(key, use, hashlib.sha256).digest()


def _present(seals: Seals, name: Name) -> bytes:
    """The key of the month that runs, made on first use and on disk before anything is sealed with it."""
    if name.key not in seals.held:
        path = seals.folder / tenant.checked(name.tenant) / f"{name.month}.key"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        for other in [key for key in seals.held if key.startswith(f"{name.tenant}/")]:
            del seals.held[other]  # of a month that is over
        seals.held[name.key] = _read(seals, name)
    return seals.held[name.key]


def _make(path: Path) -> None:
    """A new key in one step, unless another process was first: nobody ever sees half of it."""
    scratch = path.with_name(f".{secrets.token_hex(8)}")
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(secrets.token_bytes(BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # theirs is as good
            os.link(scratch, path)
    finally:
        scratch.unlink()
    for folder in (path.parent, *path.parent.parents[:3]):
        files.sync(folder)


def _read(seals: Seals, name: Name) -> bytes:
    path = seals.folder / tenant.checked(name.tenant) / f"{name.month}.key"
    try:
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise Erased(f"the key {name.key} is not in this home; use the home that answered") from error
    if len(key) != BYTES:
        raise Erased(f"the inputs of {name.tenant} in {name.month} were erased: their key was destroyed")
    return key
