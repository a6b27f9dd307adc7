"""What a database refused, as the registry's sentence: by its own code, with the cure that fits, without a secret."""

from __future__ import annotations

import sqlite3
import ssl
from typing import Any

import sqlalchemy

from registry.errors import Damaged, RegistryError, RegistryUnreachable

WRITABLE = "let this user write that file and its folder, or set ASSAY_HOME to a folder of yours"
SQLITE = {
    sqlite3.SQLITE_FULL: "free space on that disk, or set ASSAY_HOME to a roomier one",
    sqlite3.SQLITE_IOERR: "free space on that disk and look whether it is well, or set ASSAY_HOME to another one",
    sqlite3.SQLITE_BUSY: "another program holds it; wait for its end, or end it",
    sqlite3.SQLITE_LOCKED: "another program holds it; wait for its end, or end it",
    sqlite3.SQLITE_READONLY: WRITABLE,
    sqlite3.SQLITE_PERM: WRITABLE,
    sqlite3.SQLITE_CANTOPEN: WRITABLE,
}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
UNANSWERING = (
    sqlalchemy.exc.OperationalError,
    sqlalchemy.exc.InterfaceError,
    sqlalchemy.exc.TimeoutError,
    TimeoutError,
    ConnectionError,
)
UNANSWERED = "start it, or point ASSAY_DATABASE_URL to one that runs"


def told(place: str, error: Exception) -> RegistryError:
    """Damaged, RegistryUnreachable where the database does not answer or cannot be used, else RegistryError."""
    original = getattr(error, "orig", None) or error
    said = _first_line(original)
    if isinstance(original, sqlite3.DatabaseError) and _code(original) in DAMAGED:
        return Damaged(f"the registry's database {place} is damaged ({said}); bring it back from a copy")
    if isinstance(original, sqlite3.Error):
        cure = SQLITE.get(_code(original))
        if cure is not None:
            return RegistryUnreachable(f"the registry's database {place} cannot be used ({said}); {cure}")
    elif isinstance(original, ssl.SSLError):
        cure = "give the file of the CA as sslrootcert, and the host by the name in its certificate"
        return RegistryUnreachable(f"the registry's database {place} did not come to TLS ({said}); {cure}")
    elif "refuses SSL" in said:
        cure = "switch it on there, or write sslmode=prefer"
        return RegistryUnreachable(f"the registry's database {place} has no TLS ({said}); {cure}")
    if _is_unreachable(error):
        return RegistryUnreachable(f"the registry's database {place} does not answer ({said}); {UNANSWERED}")
    rights = _fields(original).get("C") == "42501"
    cure = "; ./assay migrate gives its user the rights it is to have (docs/registry.md)" if rights else ""
    return RegistryError(f"the registry's database {place} refused: {said}; nothing was written{cure}")


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_unreachable(error: Exception) -> bool:
    """No connection, or one that the server refuses (SQLSTATE 08, 28: wrong password, 3D: no such database, 57P)."""
    if isinstance(error, UNANSWERING):
        return True
    fields = _fields(getattr(error, "orig", None))
    return str(fields.get("C", "")).startswith(("08", "28", "3D", "57P"))


def _fields(error: Any) -> dict[str, Any]:
    """The server's message by field, as pg8000 gives it: C is the code, M the text."""
    said = getattr(error, "args", ())
    return said[0] if said and isinstance(said[0], dict) else {}


def _first_line(error: Exception) -> str:
    fields = _fields(error)
    if fields:
        return str(fields.get("M", type(error).__name__))
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
