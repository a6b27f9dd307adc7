"""Keyed pseudonyms: one person has one name within a key, and who holds key and table can read it back.

A name is HMAC-SHA256 (RFC 2104) of kind and value under the key, 60 bits of it in base 32. The table beside the key
holds what each name stands for, sealed by AES-256-GCM (NIST SP 800-38D) under a key derived from the same one, with the
name authenticated. Who destroys the key file destroys the way back for every file that was written with it.
"""

from __future__ import annotations

import base64
import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tasks.privacy.plain import plain
from tasks.privacy.spans import KINDS, Found

BYTES, NONCE = 32, 12
LETTERS = 12  # of a name, five bits each: 10^6 people meet with a chance of one in two million
NAME = re.compile(rf"\[(?:{'|'.join(kind.upper() for kind in KINDS)})_[A-Z2-7]{{{LETTERS}}}(?:/\d+)?\]")
LONGEST = 64  # characters of a name in its brackets, and more
TABLE = ".table"  # behind the name of the key file


class NoKey(ValueError):
    """There is no key, or it is not the one, or another run has it."""


class Pseudonyms:
    """The names of one key. While it is open no other process writes names with it."""

    def __init__(self, key_file: Path) -> None:
        """Open the key, or make one where there is none, and read its table. Raises NoKey."""
        if not key_file.exists():
            if Path(f"{key_file}{TABLE}").exists():
                raise NoKey(f"the key {key_file} is gone and its table is left: take another name for a new key")
            _make(key_file)
        key = _read(key_file)
        self._naming, self._sealing = _derived(key, b"names"), AESGCM(_derived(key, b"table"))
        self._table = Path(f"{key_file}{TABLE}").open("a", encoding="ascii")  # noqa: SIM115  (closed by close)
        try:
            fcntl.flock(self._table, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise NoKey(f"another run writes names with the key {key_file.name}: wait until it has ended") from error
        self._forms: dict[str, list[bytes]] = {}
        for name, value in table(key_file):
            stem, _, _ = name.partition("/")
            self._forms.setdefault(stem, []).append(_short(value))

    def __enter__(self) -> Pseudonyms:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.flush()
        os.fsync(self._table.fileno())
        self._table.close()

    def name(self, span: Found, value: str) -> str:
        """What stands in a value's place. Another spelling of the same name gets a number behind it."""
        same = " ".join(plain(value).text.casefold().split())
        digest = hmac.new(self._naming, f"{span.kind}\0{same}".encode(), hashlib.sha256).digest()
        stem = f"{span.kind.upper()}_{base64.b32encode(digest).decode()[:LETTERS]}"
        forms, short = self._forms.setdefault(stem, []), _short(value)
        if short not in forms:
            forms.append(short)
            self._write(_numbered(stem, len(forms)), value)
        return f"[{_numbered(stem, forms.index(short) + 1)}]"

    def _write(self, name: str, value: str) -> None:
        nonce = secrets.token_bytes(NONCE)
        sealed = nonce + self._sealing.encrypt(nonce, value.encode(), name.encode())
        self._table.write(json.dumps({"name": name, "sealed": base64.b64encode(sealed).decode()}) + "\n")


def table(key_file: Path) -> Iterator[tuple[str, str]]:
    """Each name and what it stands for. Raises NoKey where the key is gone or is not the table's."""
    sealing = AESGCM(_derived(_read(key_file), b"table"))
    path = Path(f"{key_file}{TABLE}")
    if not path.exists():
        return
    with path.open(encoding="ascii") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row: dict[str, Any] = json.loads(line)
                sealed = base64.b64decode(row["sealed"])
                value = sealing.decrypt(sealed[:NONCE], sealed[NONCE:], row["name"].encode())
            except (InvalidTag, ValueError, KeyError, TypeError, AttributeError) as error:
                raise NoKey(
                    f"line {number} of {path.name} was not written with the key {key_file.name}: take the one that was"
                ) from error
            yield row["name"], value.decode()


def restored(pieces: Iterable[str], values: Mapping[str, str]) -> Iterator[str]:
    """The text with every name read back, `values` from `table`. Raises NoKey where a name is not there."""

    def back(match: re.Match[str]) -> str:
        name = match.group()[1:-1]
        if name not in values:
            raise NoKey(f"{name} stands in no table of this key: take the key that the file was written with")
        return values[name]

    held = ""
    for piece in pieces:
        held += piece
        end = max(len(held) - LONGEST, 0)
        opened = held.rfind("[", end)
        end = opened if opened >= 0 else len(held)
        yield NAME.sub(back, held[:end])
        held = held[end:]
    yield NAME.sub(back, held)


def _numbered(stem: str, number: int) -> str:
    return stem if number == 1 else f"{stem}/{number}"


def _short(value: str) -> bytes:
    return hashlib.sha256(value.encode()).digest()[:16]


def _derived(key: bytes, use: bytes) -> bytes:
    return hmac.new(key, use, hashlib.sha256).digest()


def _make(path: Path) -> None:
    """A new key, readable by its owner alone, on disk before anything is named with it."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_bytes(BYTES))
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> bytes:
    try:
        key = path.read_bytes()
    except FileNotFoundError as error:
        raise NoKey(f"there is no key {path}: without it no name can be read back") from error
    if len(key) != BYTES:
        raise NoKey(f"{path} is no key of {BYTES} bytes: take the one that was made by ./assay data redact --key")
    return key
