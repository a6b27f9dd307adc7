"""Keys of the endpoints: whose a secret is, what it may do, and until when. The secret is told once and kept nowhere.

A key is one row when it is issued and one more when it is revoked, each with its event. Of the secret its SHA-256 is
kept: 256 random bits cannot be guessed, so a hash that is slow on purpose would protect nothing (it is for passwords).
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlmodel import Session, col, func, select

from registry import statements
from registry.database import Registry, now, reading, writing
from registry.digest import canonical
from registry.errors import NotAllowed, RegistryError, UnknownVersion
from registry.tables import ApiKeyRow, Event

PREFIX = "assay_"  # by which who searches a repository for secrets finds one
DAYS = 3650  # a key lives at most that long


@dataclass(frozen=True)
class Grant:
    """What a key is issued for. `scopes` narrow what its role may do; none leave it as it is."""

    tenant: str
    role: str
    scopes: tuple[str, ...] = ()
    days: int = 90


@dataclass(frozen=True)
class ApiKey:
    """One key. Times are the database's; `revoked` is None while it is not."""

    name: str
    hash: str
    tenant: str
    role: str
    scopes: tuple[str, ...]
    created: str
    expires: str
    revoked: str | None
    by: str


@dataclass(frozen=True)
class ApiKeys:
    """Every key at a moment.

    now      the database's clock then, by which keys expire
    pulse    the newest row that this rests on: the same pulse, the same keys
    keys     by the hash of their secret, oldest first
    strange  names of rows that do not say what their event says: somebody wrote them by hand, and they open nothing
    """

    now: str
    pulse: int
    keys: Mapping[str, ApiKey]
    strange: tuple[str, ...]


def hashed(secret: str | bytes) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode() if isinstance(secret, str) else secret).hexdigest()


def new_api_key(registry: Registry, grant: Grant, by: str) -> tuple[ApiKey, str]:
    """Issue a key; gives it with its secret, which nobody can be told again. Raises RegistryError for other days."""
    if not 1 <= grant.days <= DAYS:
        raise RegistryError(f"a key cannot live {grant.days} days; give 1 to {DAYS}")
    with writing(registry) as session:
        return _issue(session, grant, by)


def rotate_api_key(registry: Registry, name: str, by: str) -> tuple[ApiKey, str]:
    """Issue a key for the same, with as many days, and revoke the old one, in one transaction.

    Raises UnknownVersion where there is no such key, NotAllowed where it was revoked.
    """
    with writing(registry) as session:
        old = _open(session, name)
        lived = datetime.fromisoformat(old.expires) - datetime.fromisoformat(old.time)
        _revoke(session, old, by)
        days = max(1, round(lived / timedelta(days=1)))
        return _issue(session, Grant(old.tenant, old.role, tuple(json.loads(old.scopes)), days), by)


def revoke_api_key(registry: Registry, name: str, by: str) -> ApiKey:
    """End a key for good. Raises UnknownVersion where there is no such key, NotAllowed where it was revoked before."""
    with writing(registry) as session:
        old = _open(session, name)
        return _record(old, _revoke(session, old, by).time)


def api_keys(registry: Registry, known: ApiKeys | None = None) -> ApiKeys:
    """Every key; those of `known`, at the price of two small queries, where none was issued or revoked since."""
    with reading(registry) as session:
        moment = now(session)
        pulse = session.exec(select(func.coalesce(func.max(ApiKeyRow.seq), 0))).one()
        if known is not None and known.pulse == pulse:
            return ApiKeys(moment, pulse, known.keys, known.strange)
        rows = list(session.exec(select(ApiKeyRow).order_by(col(ApiKeyRow.seq))))
        query = select(Event).where(col(Event.seq).in_(select(ApiKeyRow.seq)))
        events = {event.seq: event for event in session.exec(query)}
        strange = {row.name for row in rows if not _told(row, events.get(row.seq))}
    issued = {row.name: row for row in rows if not row.revoked and row.name not in strange}
    revoked = {row.name: row.time for row in rows if row.revoked}  # a revocation of doubtful origin is one all the same
    found = {row.hash: _record(row, revoked.get(name)) for name, row in issued.items()}
    return ApiKeys(moment, pulse, found, tuple(sorted(strange)))


def _told(row: ApiKeyRow, event: Event | None) -> bool:
    """Whether an event says what the row says."""
    return event is not None and statements.said(event) == statements.shown(statements.of_api_key(row), row.time)


def _issue(session: Session, grant: Grant, by: str) -> tuple[ApiKey, str]:
    secret = PREFIX + secrets.token_urlsafe(32)
    until = datetime.fromisoformat(now(session)) + timedelta(days=grant.days)
    row = ApiKeyRow(
        seq=0,
        name=secrets.token_hex(4),
        hash=hashed(secret),
        tenant=grant.tenant,
        role=grant.role,
        scopes=canonical(sorted(set(grant.scopes))),
        expires=until.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        revoked=False,
        by=by,
        time="",
    )
    statements.enter(session, row, statements.of_api_key(row))
    return _record(row, None), secret


def _revoke(session: Session, old: ApiKeyRow, by: str) -> ApiKeyRow:
    kept = {name: getattr(old, name) for name in ("name", "hash", "tenant", "role", "scopes", "expires")}
    row = ApiKeyRow(seq=0, **kept, revoked=True, by=by, time="")
    statements.enter(session, row, statements.of_api_key(row))
    return row


def _open(session: Session, name: str) -> ApiKeyRow:
    """The row that issued a key which is not revoked."""
    rows = list(session.exec(select(ApiKeyRow).where(ApiKeyRow.name == name).order_by(col(ApiKeyRow.seq))))
    if not rows:
        raise UnknownVersion(f"there is no key {name!r}; `tokens list` shows those that there are")
    if any(row.revoked for row in rows):
        raise NotAllowed(f"the key {name} was revoked at {rows[-1].time}, which is final; `tokens new` issues another")
    return rows[0]


def _record(row: ApiKeyRow, revoked: str | None) -> ApiKey:
    scopes = tuple(json.loads(row.scopes))
    return ApiKey(row.name, row.hash, row.tenant, row.role, scopes, row.time, row.expires, revoked, row.by)
