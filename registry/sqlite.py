"""Connections to the registry's SQLite file, also where nothing can be written: an auditor's mount, a full disk."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from registry.digest import canonical, of_text

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "recursive_triggers=ON")
# What the guards of the tables ask of a text. A client that does not know them can write no row at all.
FUNCTIONS = {"assay_sha256": of_text, "assay_json": canonical}
UNWRITABLE = {
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}


def connect(file: Path, wait_seconds: float) -> sqlite3.Connection:
    """A connection that begins no transaction by itself. Raises sqlite3.Error.

    SQLite needs a writable folder even to read, for the index of its log. Where there is none, the file is read as it
    stands, provided that its log is empty: then the file holds all that was written. Who writes on such a connection is
    told that it is read-only.
    """
    try:
        return _opened(str(file), wait_seconds)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in UNWRITABLE or not _whole(file):
            raise
        with contextlib.suppress(sqlite3.Error):
            return _opened(f"{file.absolute().as_uri()}?mode=ro&immutable=1", wait_seconds, uri=True)
        raise


def _opened(name: str, wait_seconds: float, uri: bool = False) -> sqlite3.Connection:
    connection = sqlite3.connect(name, timeout=wait_seconds, isolation_level=None, check_same_thread=False, uri=uri)
    try:
        for pragma in PRAGMAS if not uri else PRAGMAS[1:]:  # a file as it stands takes no change of its journal
            connection.execute(f"PRAGMA {pragma}")
        for function, run in FUNCTIONS.items():
            connection.create_function(function, 1, run, deterministic=True)
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _whole(file: Path) -> bool:
    log = file.with_name(f"{file.name}-wal")
    try:
        return file.is_file() and (not log.exists() or log.stat().st_size == 0)
    except OSError:
        return False
