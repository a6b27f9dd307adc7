"""Leases: one at a time works on something, and every write of the holder is refused once another has taken over."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from sqlmodel import Session

from registry.database import Registry, now, reading, writing
from registry.errors import Conflict, RegistryError, RegistryUnreachable
from registry.fence import Lease
from registry.tables import LeaseRow

SECONDS = 20.0  # as long as a holder that was killed keeps others waiting; renewed three times in it
Told = Callable[[str], None]


def take_lease(registry: Registry, name: str, holder: str, seconds: float) -> Lease:
    """Take or renew the right to work on `name`, on the database's clock. Raises Conflict while another holds it."""
    with writing(registry) as session:
        row, moment = session.get(LeaseRow, name), now(session)
        if row is not None and row.holder != holder and row.until > moment:
            raise Conflict(f"{name!r} is held by {row.holder!r} until {row.until}; wait, or stop that holder")
        if row is None:
            row = LeaseRow(name=name, holder=holder, token=1, until="")
        elif row.holder != holder or row.until <= moment:
            row.holder, row.token = holder, row.token + 1
        return _until(session, row, moment, seconds)


def renew_lease(registry: Registry, lease: Lease, seconds: float) -> Lease:
    """Hold a lease for so long from now on; 0 gives it back. Raises Conflict where another took it meanwhile."""
    with writing(fenced(registry, [lease])) as session:
        return _until(session, session.get_one(LeaseRow, lease.name), now(session), seconds)


def holds(registry: Registry, lease: Lease) -> bool:
    """Whether a lease is still its holder's: same token, and not over."""
    with reading(registry) as session:
        row = session.get(LeaseRow, lease.name)
        return row is not None and (row.holder, row.token) == (lease.holder, lease.token) and row.until > now(session)


def fenced(registry: Registry, leases: Sequence[Lease]) -> Registry:
    """The same registry, which writes nothing more once one of these leases is another's too."""
    return dataclasses.replace(registry, leases=(*registry.leases, *leases))


@contextlib.contextmanager
def held(
    registry: Registry,
    name: str,
    holder: str,
    seconds: float = SECONDS,
    waiting: Told | None = None,
    lost: Told | None = None,
    patient: bool = False,
) -> Iterator[Registry]:
    """Hold a lease while the block runs, renewed beside it; gives the registry behind its fence.

    waiting  is told once whom it waits for, which is as long as a lease lasts; without it, nobody waits
    lost     is told, in another thread, that another took the lease meanwhile
    patient  waits for a holder that lives, too

    Raises Conflict where another holds it (and lives).
    """
    last = 0.0 if waiting is None else math.inf if patient else time.monotonic() + 1.5 * seconds
    lease = _taken(registry, Lease(name, holder, 0, ""), seconds, waiting, last)
    ended = threading.Event()
    beat = threading.Thread(target=_renew, args=(registry, lease, seconds, ended, lost), daemon=True, name="lease")
    beat.start()
    try:
        yield fenced(registry, [lease])
    finally:
        ended.set()
        beat.join()
        with contextlib.suppress(Conflict, RegistryUnreachable):  # it is another's, or ends by itself
            renew_lease(registry, lease, 0.0)


def _taken(registry: Registry, wanted: Lease, seconds: float, waiting: Told | None, last: float) -> Lease:
    while True:
        try:
            return take_lease(registry, wanted.name, wanted.holder, seconds)
        except Conflict as error:
            if time.monotonic() > last:  # a dead holder's is over by then, on whatever clock
                raise
            if waiting is not None:
                waiting(str(error))
            waiting = None
        time.sleep(seconds / 20)


def _renew(registry: Registry, lease: Lease, seconds: float, ended: threading.Event, lost: Told | None) -> None:
    while not ended.wait(seconds / 3):
        try:
            renew_lease(registry, lease, seconds)
        except Conflict as error:
            if lost is not None:
                lost(str(error))
            return
        except RegistryError:
            continue  # the lease has time left; who writes meanwhile is told what is wrong


def _until(session: Session, row: LeaseRow, moment: str, seconds: float) -> Lease:
    row.until = (datetime.fromisoformat(moment) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    session.add(row)
    session.flush()
    return Lease(row.name, row.holder, row.token, row.until)
