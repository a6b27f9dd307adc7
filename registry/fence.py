"""A lease, and the fence that it is: who held it once and was overtaken writes nothing any more."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

from registry.errors import Conflict

HELD = text("SELECT holder, token FROM lease WHERE name = :name")


@dataclass(frozen=True)
class Lease:
    """The right to work on `name` until a time of the database. A later holder has a greater token."""

    name: str
    holder: str
    token: int
    until: str


def check(connection: Connection, lease: Lease) -> None:
    """Raises Conflict where another took a lease meanwhile. Over and taken by nobody, it still is its holder's."""
    row = connection.execute(HELD, {"name": lease.name}).one_or_none()
    if row is None or row.token != lease.token:
        other = "nobody" if row is None else f"{row.holder!r} (token {row.token})"
        raise Conflict(
            f"{lease.name!r} went from {lease.holder!r} (token {lease.token}) to {other} meanwhile, so nothing was "
            "written here; look at what came of the other, and start again"
        )
