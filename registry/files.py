"""The files of versions, read again byte by byte; and those of the store that no version names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from sqlmodel import select

from registry import artifacts, looking, witness
from registry.artifacts import Store
from registry.checking import WHOLE, Check, Span, check, every_byte, held, pages
from registry.database import Registry, reading
from registry.digest import canonical, of_text
from registry.errors import Damaged
from registry.looking import Look
from registry.tables import VersionRow
from registry.verdicts import facts_of

VERSION = VersionRow.__table__  # type: ignore[attr-defined]
COLUMNS = tuple(VERSION.c[name] for name in ("task", "number", "digest", "model_digest", "report_digest", "seq"))
NAME = re.compile(r"[0-9a-f]{64}")
SHOWN = 100  # strays in one document


class Row(NamedTuple):
    """What is asked of a version: its name, its digest, and those of its model and report."""

    task: str
    number: int
    digest: str
    model: str
    report: str


@dataclass(frozen=True)
class Wanted:
    """Which versions: these rows, else all of a span, else none."""

    rows: list[Row] | None = None
    span: Span | None = None


def checks(registry: Registry, wanted: Wanted, look: Look | None, named: set[bytes]) -> Iterator[Check]:
    """Every file of these versions against its digest. Each digest that they name is added to `named`."""

    @lru_cache(maxsize=256)  # versions that share a folder are many where somebody registers one again
    def damaged(digest: str) -> tuple[tuple[str, str], ...]:
        found = tuple((name, str(error)) for name, error in artifacts.check_folder(registry.store, digest))
        named.update(_named(registry.store, digest))
        return found

    for row in _rows(registry, wanted):
        yield from _files(registry.store, row, damaged, look)


def _rows(registry: Registry, wanted: Wanted) -> Iterator[Row]:
    if wanted.rows is not None or wanted.span is None:
        yield from wanted.rows or ()
        return
    with reading(registry) as session, every_byte(session):
        for row in pages(session, select(*COLUMNS), VERSION.c.seq, wanted.span):
            yield Row(row.task, row.number, row.digest, row.model_digest, row.report_digest)


def _files(store: Store, row: Row, damaged: Any, look: Look | None) -> Iterator[Check]:
    where, whole = f"{row.task}@{row.number}", True
    bound = {"model": row.model, "report": row.report}
    yield held("version digest", where, lambda: (of_text(canonical(bound)), row.digest))
    for part, of in bound.items():
        wrong = damaged(of)
        yield from [check("artifact", f"{where} {part}/{name}", "the bytes registered", said) for name, said in wrong]
        whole = whole and not wrong
        if not wrong:
            yield None
    if look is not None and whole:
        said = looking.again(store, row.task, (row.model, row.report), look)
        yield from [check("report", f"{where} report", "the report of this model", each) for each in said] or [None]


def _named(store: Store, digest: str) -> Iterator[bytes]:
    """The digests of a folder: its manifest's, and its files'."""
    try:
        held = [digest, *artifacts.read_manifest(store, digest).values()]
    except Damaged:  # the manifest was named; what it held cannot be known
        held = [digest]
    yield from (bytes.fromhex(each) for each in held if NAME.fullmatch(each))


def _snapshots(registry: Registry) -> Iterator[str]:
    """What versions name as their snapshot; facts that cannot be read are told of as such, and name none here."""
    with reading(registry) as session, every_byte(session):
        for row in pages(session, select(VERSION.c.seq, VERSION.c.facts), VERSION.c.seq, WHOLE):
            said = facts_of(row).get("snapshot")
            if isinstance(said, str) and NAME.fullmatch(said):
                yield said


def strays(registry: Registry, named: set[bytes], limit: int | None = SHOWN) -> list[dict[str, Any]]:
    """Files of the store that neither a version nor `named` names, at most `limit`: none of them is ever loaded.

    orphan      bytes under their own digest: a registration was killed before its commit
    unfinished  a file that was being written
    foreign     anything else
    """
    found: list[dict[str, Any]] = []
    named = named | {each for digest in set(_snapshots(registry)) for each in _named(registry.store, digest)}
    for folder in sorted(artifacts.names(registry.store, "")):
        if folder == witness.FOLDER:
            continue
        for name in sorted(artifacts.names(registry.store, folder)) if len(folder) == 2 else [""]:
            path = f"{folder}/{name}".rstrip("/")
            if NAME.fullmatch(name) and name.startswith(folder):
                kind = None if bytes.fromhex(name) in named else "orphan"
            else:
                kind = "unfinished" if name.endswith(".part") else "foreign"
            if kind is not None and (limit is None or len(found) < limit):
                found.append({"what": kind, "where": path})
    return found
